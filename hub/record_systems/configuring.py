"""What a client may say of its HER-ids, and what it may do where others have said something (EDI 2.0 A11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hub.events import Entry, Event
from hub.kit import Kit
from hub.message import Configuration
from hub.record_systems.values import Caller, Said, refused

#: Ways by which a client may ask for its notifications: what version 3 says, and what was said before (A11.2).
CHANNELS = ("Api", "ApiPolling")
#: Message functions that one HER-id may not want, and letters of one.
MOST_FUNCTIONS, LONGEST = 500, 100


def holder(caller: Caller) -> str:
    """Whom a lock belongs to."""
    return caller.client or caller.id


def checked(caller: Caller, wanted: Sequence[Configuration]) -> tuple[Configuration, ...]:
    """As they are kept. Raises Refused where one is not as it should be, or one HER-id is named twice."""
    named = [one.her_id for one in wanted]
    if len(set(named)) < len(named):
        raise refused("request", "a HER-id is named twice; say of each what holds for it, once")
    return tuple(_checked(caller, one) for one in wanted)


def _checked(caller: Caller, one: Configuration) -> Configuration:
    if one.channel not in CHANNELS:
        raise refused("request", f"HER-id {one.her_id}: receiveNotificationChannel is none of {', '.join(CHANNELS)}")
    functions = tuple(dict.fromkeys(name.strip() for name in one.rejects))
    if len(functions) > MOST_FUNCTIONS or not all(f.isprintable() and 1 <= len(f) <= LONGEST for f in functions):
        text = f"at most {MOST_FUNCTIONS} message functions, each a code of list 8279"
        raise refused("request", f"HER-id {one.her_id}: rejectMessageFilters: {text}")
    return replace(one, rejects=functions, client=holder(caller))


def told(caller: Caller, kept: Sequence[Configuration], removed: Sequence[str], kit: Kit) -> tuple[Entry, ...]:
    """Lines of the journal: who has said what."""
    said = [f"HER-id {one.her_id}: {_words(one)}" for one in kept]
    said += [f"HER-id {her}: nothing any more" for her in removed]
    return tuple(Entry(kit.clock.now(), Event.CONFIGURED, "configured", words, actor=holder(caller)) for words in said)


def _words(one: Configuration) -> str:
    words = ["locked"] if one.locked else []
    words += [f"does not take {', '.join(one.rejects)}"] if one.rejects else []
    words += ["is told of what was turned away"] if one.refused_notices else []
    return "; ".join(words) or "open to all its clients, takes everything"


def barred(caller: Caller, her_id: str, known: Mapping[str, Configuration]) -> Said | None:
    """Why the caller may not speak for a HER-id that is its own; configured first, then not locked by another (A15.1)."""
    found = known.get(her_id)
    if found is None:
        if caller.configured:
            return Said("refused", "not-configured", f"HER-id {her_id}")
        return None
    if found.locked and found.client != holder(caller):
        return Said("refused", "locked", f"HER-id {her_id}")
    return None


def free(caller: Caller, known: Mapping[str, Configuration]) -> frozenset[str]:
    """The HER-ids that the caller may speak for now."""
    return frozenset(her for her in caller.her_ids if barred(caller, her, known) is None)


def hers(caller: Caller, concerned: Iterable[str], known: Mapping[str, Configuration]) -> Said | None:
    """Why the caller may not look at what concerns these HER-ids of its own; one that is free is enough."""
    said = [barred(caller, her, known) for her in sorted(concerned)]
    return None if None in said else next(iter(said), None)
