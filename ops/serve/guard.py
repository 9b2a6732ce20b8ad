"""Stands between the doors and the kernel: what nobody foresaw is kept in quarantine, told, and answered without a trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from hub import sight
from hub.codes import reason
from hub.errors import StoreUnavailable, place
from hub.events import Entry, Event
from hub.formats import fault
from hub.kit import Kit
from hub.message import Answer, Arrival
from hub.ports import ArrivalRecord, Change

log = structlog.get_logger("door")

Receive = Callable[[Arrival], Awaitable[Answer]]
#: Answers while nothing new may be taken, else None.
Full = Callable[[], Awaitable[Answer | None]]


def guarded(receive: Receive, kit: Kit, wake: Callable[[], None]) -> Receive:
    """The same door, which always answers: 503 while nothing can be kept, 500 for what nobody foresaw."""

    async def safely(arrival: Arrival) -> Answer:
        try:
            answer = await receive(arrival)
        except StoreUnavailable as error:
            log.error("store-unavailable", arrival=arrival.id, because=str(error))
            return plain("store-unavailable", str(error))
        except Exception as error:
            log.error("unforeseen", arrival=arrival.id, kind=type(error).__name__, where=place(error))
            if not await _quarantined(arrival, type(error).__name__, kit):
                return plain("store-unavailable", "it could not be kept; send it again")
            return plain("unforeseen", f"arrival {arrival.id} is in quarantine")
        wake()
        return answer

    return safely


def full(kit: Kit) -> Full:
    """Whether nothing new may be taken: the disk is nearly full, or the store does not answer. The same at every door."""

    told = False

    async def asked() -> Answer | None:
        nonlocal told
        if await kit.store.writable():
            if told:
                log.warning("taking-again", because="the store can be written, and its disk has room again")
            told = False
            return None
        if not told:  # once for as long as it lasts, whoever comes meanwhile
            log.error("disk-full", because=kit.store.unwritable() or "the store cannot be written", code="disk-full")
            told = True
        return plain("disk-full", reason("disk-full").hint)

    return asked


def tell_of_folder(words: str) -> None:
    """A record system's folder or file that cannot be handled: its people must mend it."""
    log.warning("folder-trouble", because=words)


def plain(code: str, because: str) -> Answer:
    """A SOAP Fault that says that it is our fault, and what."""
    row = reason(code)
    body = fault.write("Server", f"{row.text}: {because}")
    return Answer(row.http, {"Content-Type": 'text/xml; charset="UTF-8"'}, body, code, because)


async def _quarantined(arrival: Arrival, kind: str, kit: Kit) -> bool:
    because = f"{kind} while it was judged"
    entry = Entry(kit.clock.now(), Event.QUARANTINED, "unforeseen", because, arrival_id=arrival.id)
    try:
        seen = sight.at_sight(arrival)
        record = ArrivalRecord(arrival, "quarantined", "unforeseen", because, facts=seen)
        await kit.store.apply(Change(record, journal=(entry,)))
    except Exception:
        log.error("quarantine-failed", arrival=arrival.id)
        return False
    return True
