"""Takes a body from a wire: keeps no more of it than is taken, and lets who sends too much hear why it is refused."""

from __future__ import annotations

from collections.abc import AsyncIterable

#: Bytes beyond the limit that are read and thrown away. A connection that is cut while somebody still writes is reset:
#: he would see a broken wire, and try again for ever, instead of the answer.
DRAINED = 100_000_000


async def taken(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    """The body; where it is larger than `limit`, so much of it that this shows."""
    body = bytearray()
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if len(body) <= limit:
            body += chunk[: limit + 1 - len(body)]
        if size > limit + DRAINED:
            break
    return bytes(body)
