"""Takes a body from a wire: keeps no more of it than is taken, and lets who sends too much hear why it is refused."""

from __future__ import annotations

import types
from collections.abc import AsyncIterable, Generator
from datetime import timedelta
from io import BytesIO

#: Bytes beyond the limit that are read and thrown away. A connection that is cut while somebody still writes is reset:
#: he would see a broken wire, and try again for ever, instead of the answer.
DRAINED = 100_000_000
#: No time that is agreed or set is longer: what goes further is beyond sense, and soon beyond the calendar.
LONGEST = timedelta(days=36_525)


def cut_short(came: int, told: str) -> str:
    """Words for a body of which only `came` bytes came; `told` is its Content-Length, empty where it came in chunks."""
    return f"{came or 'no'} bytes came, " + (f"Content-Length said {told}" if told else "the last chunk did not")


async def taken(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    """The body; where it is larger than `limit`, so much of it that this shows."""
    body = BytesIO()  # what it holds in the end is the body, and no copy of it
    size = 0
    async for chunk in chunks:
        if size <= limit:
            body.write(chunk[: limit + 1 - size])
        size += len(chunk)
        if size > limit + DRAINED:
            break
    return body.getvalue()


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Lets everybody else who waits for the loop have a turn of it."""
    yield
