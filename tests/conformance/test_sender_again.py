"""One attempt after another, and many at once: a sender is usable whatever became of those before."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from hub.ports import Sender
from tests.conformance.attempts import reached, soon_reached, tried
from tests.conformance.letters import Got
from tests.conformance.transports import Transport

#: So many letters at once: more than any transport has connections.
MANY = 40


async def test_the_same_parcel_sent_again_is_known_by_its_id(transport: Transport, sender: Sender) -> None:
    """And is the same, byte for byte; where it replaces the first it lies there once."""
    letter = transport.letter(b"\x00\xff\r\n")
    await reached(sender, letter)
    await reached(sender, letter)
    assert set(await transport.got()) == {Got(letter.id, letter.parcel.body)}


async def test_many_at_once_do_not_mix(transport: Transport, sender: Sender) -> None:
    """Each lies there under its own id, once."""
    letters = [transport.letter(f" {number} ".encode() * (1 + number * 50)) for number in range(MANY)]
    await asyncio.gather(*(reached(sender, letter) for letter in letters))
    assert Counter(await transport.got()) == Counter(Got(letter.id, letter.parcel.body) for letter in letters)


async def test_what_is_refused_in_between_does_not_spoil_others(transport: Transport, sender: Sender) -> None:
    """Letters to nowhere among good ones, at the same time."""
    good = [transport.letter() for _ in range(10)]
    lost = [transport.lost_letter() for _ in range(10)]
    attempts = [one for pair in zip(good, lost, strict=True) for one in pair]
    outcomes = await asyncio.gather(*(tried(sender, letter) for letter in attempts))
    assert Counter((o.reached, o.permanent) for o in outcomes) == Counter([("yes", False)] * 10 + [("no", True)] * 10)
    assert {got.id for got in await transport.got()} == {letter.id for letter in good}


@pytest.mark.parametrize("trouble", ["gone", "never", "later", "dies", "silent"])
async def test_it_is_reached_again_when_it_has_come_to_itself(
    transport: Transport, sender: Sender, trouble: str
) -> None:
    """Without opening the sender anew; what was tried in vain meanwhile gets there too."""
    await reached(sender, transport.letter())
    first, second = transport.letter(), transport.letter()
    await getattr(transport, trouble)()
    await asyncio.gather(tried(sender, first), tried(sender, second))
    await transport.take()
    await soon_reached(sender, first)
    await reached(sender, second)
    assert {Got(one.id, one.parcel.body) for one in (first, second)} <= set(await transport.got())


@pytest.mark.parametrize("seconds", [0, 0.05, 0.3])
async def test_a_cancelled_attempt_leaves_the_sender_usable(
    transport: Transport, sender: Sender, seconds: float
) -> None:
    """Cancelled before, while and after its bytes went out; an answer that comes late is nobody else's."""
    await reached(sender, transport.letter())
    cancelled, later = transport.letter(), transport.letter()
    await transport.silent()
    attempt = asyncio.create_task(tried(sender, cancelled))
    await asyncio.sleep(seconds)
    attempt.cancel()
    assert isinstance((await asyncio.gather(attempt, return_exceptions=True))[0], asyncio.CancelledError)
    await transport.take()
    await soon_reached(sender, later)
    await soon_reached(sender, cancelled)
    assert {Got(one.id, one.parcel.body) for one in (cancelled, later)} <= set(await transport.got())


async def test_many_cancelled_attempts_use_nothing_up(transport: Transport, sender: Sender) -> None:
    """Connections, channels and turns are given back; who comes then is not kept waiting."""
    letters = [transport.letter() for _ in range(MANY)]
    await transport.silent()
    attempts = [asyncio.create_task(tried(sender, letter)) for letter in letters]
    await asyncio.sleep(0.2)
    for attempt in attempts:
        attempt.cancel()
    await asyncio.gather(*attempts, return_exceptions=True)
    await transport.take()
    await soon_reached(sender, transport.letter())
    await asyncio.gather(*(reached(sender, letter) for letter in letters))
