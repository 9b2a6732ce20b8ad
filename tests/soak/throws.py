"""What is thrown at a hub, one function each: it says how many of something it saw while it lasted."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.site import DOCTOR, NURSING

if TYPE_CHECKING:
    from tests.soak.hour import Hour

STORED, GREEN, NOBODY_WAITS = 1, 2, 3
#: States in which something may be called well, and only when its AppRec is home.
DONE = "done"
#: A healthy partner's messages come within so many seconds, whoever hangs, on a busy machine too.
SOON = 60.0
#: As long may a file lie in an outbox, or a letter follow its receiver.
LONG = 180.0


@dataclass(frozen=True)
class Thrown:
    """A fault, the promise that it tries most, and what is counted of it."""

    name: str
    promise: int
    counted: str
    throw: Callable[[Hour], Awaitable[int]]


# --- the hub itself


async def killed(hour: Hour) -> int:
    """The power goes at a moment when something is under way."""
    await asyncio.sleep(hour.dice.uniform(0.1, 1.5))
    under_way = hour.under_way()
    hour.hub.kill()
    await asyncio.sleep(hour.dice.uniform(0, 0.5))
    await hour.hub.again()
    return under_way


async def killed_while_fetched(hour: Hour) -> int:
    """Documents lie ready, in a folder too; it dies as they begin to be taken away."""
    here = hour.here
    systems = [here.physio, here.doctor]
    for system in systems:
        system.takes = False
    letter = asyncio.create_task(hour.good.sends(DOCTOR))
    await here.nursing.hand_over(hour.here.physio.member)
    await letter
    under_way = hour.under_way()
    for system in systems:
        system.takes = True
    await asyncio.sleep(hour.dice.uniform(0, 0.2))
    hour.hub.kill()
    await hour.hub.again()
    return under_way


async def stopped(hour: Hour) -> int:
    """It is told to end while it works, and does so in an orderly way."""
    under_way = hour.under_way()
    await hour.hub.stop()
    await hour.hub.again()
    return under_way


async def hung(hour: Hour) -> int:
    """None of its processes goes on for some seconds, as on a machine that swaps; then all do."""
    under_way = hour.under_way()
    hour.hub.hang()
    await asyncio.sleep(hour.dice.uniform(1, 4))
    hour.hub.resume()
    return under_way


async def full_disk(hour: Hour) -> int:
    """Not a byte can be written: who hands over is told 503, and nothing is promised."""
    hour.hub.fill_disk()
    said = 0
    for _ in range(5):
        sample = hour.here.doctor.document(hour.good)
        status, _ = await hour.here.doctor.offer(sample)
        said += status == 503
        if status == 202:
            hour.breaks(STORED, f"{sample.msg_id} was taken while nothing could be written")
    hour.hub.make_room()
    return said


async def locked(hour: Hour) -> int:
    """Another program holds the store's lock for some seconds; what comes meanwhile is told no, or waits."""
    files = [f for f in hour.here.folder.rglob("samhub.db") if f.is_file()]
    under_way = hour.under_way()
    other = sqlite3.connect(files[0], timeout=20, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(hour.dice.uniform(1, 4))
        other.execute("ROLLBACK")
    finally:
        other.close()
    return under_way


async def put_back(hour: Hour) -> int:
    """An older copy takes the store's place: what was taken since is handed over again, and nobody gets anything twice."""
    here = hour.here
    async with hour.quiet():
        copy = await here.copy()
        await hour.good.behaves("down")
        later = [await here.doctor.hand_over(hour.good) for _ in range(2)]
        await hour.hub.stop()
        await here.restore(copy)
        await hour.hub.again()
        await hour.good.behaves("good")
        for sample in later:
            await here.doctor.insist(sample)
    return len(later)


async def clock_on(hour: Hour) -> int:
    """The wall clock jumps hours on, and back again: nothing is ended by it."""
    hours = hour.dice.randint(2, 30)
    hour.hub.clock.forward(hours=hours)
    await hour.here.doctor.hand_over(hour.good)
    await asyncio.sleep(hour.dice.uniform(2, 4))
    ended = await _ended(hour)
    hour.hub.clock.back(hours=hours)
    await asyncio.sleep(2)
    return ended


async def clock_back(hour: Hour) -> int:
    """It jumps some hours back, and on again."""
    hours = hour.dice.randint(2, 30)
    hour.hub.clock.back(hours=hours)
    await hour.here.doctor.hand_over(hour.good)
    await asyncio.sleep(hour.dice.uniform(2, 4))
    ended = await _ended(hour)
    hour.hub.clock.forward(hours=hours)
    await asyncio.sleep(2)
    return ended


async def _ended(hour: Hour) -> int:
    """What has been called overdue or expired: none of it is meant to be."""
    ended = sum([await hour.hub.standing(state) for state in ("overdue", "expired")])
    if ended:
        hour.breaks(NOBODY_WAITS, f"{ended} deliveries were ended by a clock that jumped")
    return await hour.hub.standing("done")


async def read_anew(hour: Hour) -> int:
    """The register is read anew while all goes on."""
    under_way = hour.under_way()
    os.kill(hour.hub.pid, signal.SIGHUP)
    await asyncio.sleep(0.5)
    return under_way


# --- partners


async def _meanwhile(hour: Hour) -> int:
    """While the odd one is not well, documents to healthy ones come: how many did."""
    here = hour.here
    before = len(hour.good.received)
    sample = await here.doctor.hand_over(hour.good)
    await here.nursing.hand_over(DOCTOR)
    try:
        await here.until(lambda: _has(hour.good, sample.msg_id), "a document to a healthy partner", SOON)
    except AssertionError:
        hour.breaks(
            NOBODY_WAITS, f"{sample.msg_id} waited for more than {SOON:.0f} s for a neighbour that was not well"
        )
    return len(hour.good.received) - before


def _has(partner: Any, msg_id: str) -> bool:
    return any(r.document is not None and r.document.msg_id == msg_id for r in partner.received)


def behaving(how: str) -> Callable[[Hour], Awaitable[int]]:
    """The odd partner behaves so for a while, and gets something all the while."""

    async def throw(hour: Hour) -> int:
        await hour.odd.behaves(how)
        await hour.here.doctor.hand_over(hour.odd)
        passed = await _meanwhile(hour)
        await asyncio.sleep(hour.dice.uniform(0, 1))
        return passed

    return throw


async def lost_answers(hour: Hour) -> int:
    """Its answers are cut off in the middle: it has what it got, and gets the same bytes again."""
    await hour.odd.behaves("half-response")
    before = hour.odd.contacts
    await hour.here.doctor.hand_over(hour.odd)
    await hour.here.until(lambda: hour.odd.contacts > before, "a hand-over whose answer is lost", LONG)
    await asyncio.sleep(hour.dice.uniform(0.5, 2))
    return hour.odd.contacts - before


async def nonsense(hour: Hour) -> int:
    """It answers by bytes that are no HTTP, or no receipt."""
    raw = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"\x16\x03\x01",
        b"HTTP/1.1 302 F\r\nLocation: /\r\n\r\n",
    )
    await hour.odd.answers(hour.dice.choice(raw))
    before = hour.odd.contacts
    await hour.here.doctor.hand_over(hour.odd)
    await hour.here.until(lambda: hour.odd.contacts > before, "a hand-over that is answered by nonsense", LONG)
    await _meanwhile(hour)
    return hour.odd.contacts - before


async def moved(hour: Hour) -> int:
    """It moves to another port while its letters wait; the register is told, and they follow."""
    await hour.odd.behaves("down")
    letters = [await hour.here.doctor.hand_over(hour.odd) for _ in range(2)]
    await hour.here.moves(hour.odd)
    await hour.odd.behaves("good")
    os.kill(hour.hub.pid, signal.SIGHUP)
    await hour.here.until(lambda: all(_has(hour.odd, one.msg_id) for one in letters), "letters at a new address", LONG)
    return len(letters)


def by_mail(how: str) -> Callable[[Hour], Awaitable[int]]:
    """The partner by mail behaves so for a while."""

    async def throw(hour: Hour) -> int:
        await hour.mailing.behaves(how)
        await hour.here.doctor.hand_over(hour.mailing)
        passed = await _meanwhile(hour)
        await asyncio.sleep(hour.dice.uniform(0, 1))
        return passed

    return throw


async def late_apprec(hour: Hour) -> int:
    """It acknowledges, and its AppRec waits: nothing is called done before that is home."""
    here, samples = hour.here, []
    hour.odd.answers_when = lambda _: False
    try:
        for _ in range(3):
            samples.append(await here.doctor.hand_over(hour.odd))
        await here.until(
            lambda: all(_has(hour.odd, one.msg_id) for one in samples), "what shall not be answered yet", LONG
        )
        await asyncio.sleep(0.5)
        early = [one.msg_id for one in samples if await _is_green(hour, one)]
    finally:
        hour.odd.answers_when = lambda _: True
    for msg_id in early:
        hour.breaks(GREEN, f"{msg_id} was called done before its AppRec was given")
    return len(samples)


async def unfetched(hour: Hour) -> int:
    """A record system of the house does not fetch: its neighbour's document is not called done."""
    here = hour.here
    here.doctor.takes = False
    try:
        sample = await here.nursing.hand_over(DOCTOR)
        await asyncio.sleep(0.5)
        if await _is_green(hour, sample, here.nursing):
            hour.breaks(GREEN, f"{sample.msg_id} was called done before anybody had fetched it")
    finally:
        here.doctor.takes = True
    return 1


async def _is_green(hour: Hour, sample: Any, system: Any = None) -> bool:
    """What the record system is told of it."""
    rows = await (system or hour.here.doctor).status(sample)
    return any(row["state"] == DONE for row in rows)


# --- record systems


async def written_slowly(hour: Hour) -> int:
    """A file is written in pieces under its own name, with pauses: nothing is taken half."""
    physio = hour.here.physio
    sample = physio.document(hour.dice.choice((hour.good, DOCTOR, NURSING)))
    file = physio.folder / "outbox" / f"{sample.msg_id}.xml"
    third = len(sample.document) // 3
    with file.open("wb") as written:
        for piece in (sample.document[:third], sample.document[third : 2 * third], sample.document[2 * third :]):
            written.write(piece)
            written.flush()
            await asyncio.sleep(hour.dice.uniform(0.1, 0.6))
    await hour.here.until(lambda: physio.receipt(file).startswith("message"), "a file that was written slowly", LONG)
    physio.ids[sample.msg_id] = physio.receipt(file).split()[1]
    return 1


async def name_used_twice(hour: Hour) -> int:
    """Two documents under one file name, one after the other: each is taken, once."""
    here, physio = hour.here, hour.here.physio
    for _ in range(2):
        sample = physio.document(hour.good)
        file = physio.put(sample, "brev.xml")
        await here.until(lambda f=file: not f.exists(), "a file to be taken out of the outbox", LONG)
        await here.until(lambda s=sample: _has(hour.good, s.msg_id), "what lay under a name that was used twice", LONG)
    return 2


UNDER_WAY = "documents under way when it struck"
PASSED = "documents that went past it meanwhile"
THROWN: tuple[Thrown, ...] = (
    Thrown("kill -9", STORED, UNDER_WAY, killed),
    Thrown("kill -9 as documents are fetched", STORED, UNDER_WAY, killed_while_fetched),
    Thrown("SIGTERM under load", STORED, UNDER_WAY, stopped),
    Thrown("full disk", STORED, "hand-overs that were told 503", full_disk),
    Thrown("the store's lock held by another", STORED, UNDER_WAY, locked),
    Thrown("an older copy put back", STORED, "documents handed over again after it", put_back),
    Thrown("files written in pieces", STORED, "files taken whole", written_slowly),
    Thrown("a file name used twice", STORED, "files taken, each once", name_used_twice),
    Thrown("answers lost half-way", STORED, "hand-overs, of the same bytes", lost_answers),
    Thrown("AppRecs held back", GREEN, "documents asked about before their AppRec", late_apprec),
    Thrown("a record system that does not fetch", GREEN, "documents asked about before they were fetched", unfetched),
    Thrown("hung for seconds (SIGSTOP)", NOBODY_WAITS, UNDER_WAY, hung),
    Thrown("clock hours on, and back", NOBODY_WAITS, "deliveries done meanwhile, none ended", clock_on),
    Thrown("clock hours back, and on", NOBODY_WAITS, "deliveries done meanwhile, none ended", clock_back),
    Thrown("register read anew (SIGHUP)", NOBODY_WAITS, UNDER_WAY, read_anew),
    Thrown("a partner that hangs", NOBODY_WAITS, PASSED, behaving("hang")),
    Thrown("a partner that is down", NOBODY_WAITS, PASSED, behaving("down")),
    Thrown("a partner that answers 503", NOBODY_WAITS, PASSED, behaving("unavailable")),
    Thrown("a partner that says nothing of receipts", NOBODY_WAITS, PASSED, behaving("no-acknowledgment")),
    Thrown("a partner that answers nonsense", NOBODY_WAITS, "hand-overs that it answered so", nonsense),
    Thrown("a partner that moves", NOBODY_WAITS, "letters that followed it", moved),
    Thrown("a partner that refuses (MessageError)", NOBODY_WAITS, PASSED, behaving("message-error")),
    Thrown("mail: greylisted", NOBODY_WAITS, PASSED, by_mail("greylist")),
    Thrown("mail: broken off in DATA", NOBODY_WAITS, PASSED, by_mail("drop-mid-data")),
    Thrown("mail: everything twice", NOBODY_WAITS, PASSED, by_mail("deliver-twice")),
)
#: Those that need a hub whose clock can be moved, which costs it dear.
MOVE_THE_CLOCK = tuple(one for one in THROWN if one.throw in (clock_on, clock_back))
