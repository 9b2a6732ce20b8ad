"""What an attempt says is what has become of the parcel: taken, not taken, refused for good, or not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.message import Reached
from hub.ports import Sender
from tests.conformance.attempts import reached, tried
from tests.conformance.letters import Got
from tests.conformance.transports import Transport

#: Ends and beginnings of lines, every byte there is, nothing, and much.
CONTENTS = {
    "nothing": b"",
    "text": "\r\nLinje to, æøå\r\n.\r\n..\r\nslutt\r\n".encode(),
    "bytes": bytes(range(256)) + b"\r\n.\r\n\x00",
    "one long line": b"x" * 100_000,
    "much": bytes(range(256)) * 8_000,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
async def test_what_is_taken_is_yes_and_lies_there_byte_for_byte(
    transport: Transport, sender: Sender, content: bytes
) -> None:
    """Once, under its id."""
    letter = transport.letter(content)
    await reached(sender, letter)
    assert await transport.got() == [Got(letter.id, letter.parcel.body)]


async def test_nobody_there_is_no(transport: Transport) -> None:
    """Told, not raised, and tried again: nothing was handed over."""
    await transport.gone()
    async with transport.open() as sender:
        outcome = await tried(sender, transport.letter())
    assert (outcome.reached, outcome.permanent) == (Reached.NO, False), outcome


async def test_who_has_gone_meanwhile_is_not_a_yes(transport: Transport, sender: Sender) -> None:
    """A connection that was good before is good for nothing now."""
    await reached(sender, transport.letter())
    await transport.gone()
    outcome = await tried(sender, transport.letter())
    assert outcome.reached is not Reached.YES and not outcome.permanent, outcome


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_a_refusal_is_permanent_where_the_other_side_may_say_never(
    transport: Transport, sender: Sender, warm: bool
) -> None:
    """In a place of our own it is for an operator to mend, and nothing is given up. Nothing of it lies there."""
    if warm:
        await reached(sender, transport.letter())
    await transport.never()
    outcome = await tried(sender, transport.letter())
    assert outcome.permanent is transport.final, outcome
    assert outcome.reached is not Reached.MAYBE and (transport.final or outcome.reached is Reached.NO), outcome
    assert len(await transport.got()) == warm


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_not_now_is_no_and_not_permanent(transport: Transport, sender: Sender, warm: bool) -> None:
    """Nothing of it lies there; it is tried again. Who says nothing may have it."""
    if warm:
        await reached(sender, transport.letter())
    letter = transport.letter()
    await transport.later()
    outcome = await tried(sender, letter)
    expected = Reached.NO if transport.says_later else Reached.MAYBE
    assert (outcome.reached, outcome.permanent) == (expected, False), outcome
    assert len(await transport.got()) == warm


async def test_what_was_taken_by_who_died_is_maybe(transport: Transport, sender: Sender) -> None:
    """Never no, for there it lies; never a yes, for nobody said so."""
    await reached(sender, transport.letter())
    letter = transport.letter()
    await transport.dies()
    outcome = await tried(sender, letter)
    assert (outcome.reached, outcome.permanent) == (Reached.MAYBE, False), outcome
    await transport.take()
    assert Got(letter.id, letter.parcel.body) in await transport.got()


async def test_who_says_nothing_is_maybe_after_the_agreed_time(transport: Transport, sender: Sender) -> None:
    """He may have it."""
    await reached(sender, transport.letter())
    letter = transport.letter()
    await transport.silent()
    outcome = await tried(sender, letter)
    assert (outcome.reached, outcome.code, outcome.permanent) == (Reached.MAYBE, "timed-out", False), outcome


async def test_an_address_that_names_nothing_is_no_for_good(
    transport: Transport, sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing goes anywhere, not even into the folder that the hub was started in."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    outcome = await tried(sender, transport.lost_letter())
    assert (outcome.reached, outcome.code, outcome.permanent) == (Reached.NO, "no-endpoint", True), outcome
    assert sorted(tmp_path.iterdir()) == before and await transport.got() == []
