"""Looks into the hubs for what became of a message, and puts it into one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hub import insights
from hub.codes import REASONS
from hub.events import Event
from hub.message import Channel, DeliveryRecord
from hub.ports import ArrivalFilter, ArrivalRecord, MessageFilter
from ops.demo.stage import House
from ops.demo.told import Told
from ops.partner.partner import Sent
from ops.samples.make import Sample

#: Statuses from here on are about us.
SERVER_FAULT = 500
#: Codes of what could not be read at all.
UNREADABLE = frozenset(
    {
        "not-well-formed",
        "document-malformed",
        "xml-doctype",
        "xml-hostile",
        "xml-encoding",
        "mime",
        "not-ebxml",
        "too-large",
    }
)
_WORDS = {
    Event.RECEIVED: "handed over",
    Event.ATTEMPTED: "tried",
    Event.FAILED: "failed, again later",
    Event.HANDED_OVER: "sent, no receipt yet",
    Event.ACKNOWLEDGED: "acknowledged",
    Event.ACCEPTED_WITH_WARNING: "accepted with a warning",
    Event.MESSAGE_ERROR: "refused by MessageError",
    Event.FETCHED: "fetched",
    Event.APPREC_OK: "AppRec OK",
    Event.APPREC_NEGATIVE: "AppRec Avvist",
    Event.APPREC_UNCLEAR: "AppRec unclear",
    Event.OVERDUE: "AppRec overdue",
    Event.DEAD: "dead letter",
    Event.EXPIRED: "expired",
    Event.HELD: "held",
    Event.DUPLICATE: "came again: same answer",
    Event.REUSED: "id used twice",
    Event.DONE: "done",
}
#: How a delivery went; all else stays within the house.
TRANSPORT: Mapping[Channel, str] = {Channel.EBXML_HTTP: "http", Channel.EBXML_SMTP: "mail"}
APPREC = {"1": "OK", "2": "Avvist", "3": "OK, feil i delmelding"}


async def sent(house: House, file: str, message_id: str, expected: str = "", *, final: bool = True) -> Told:
    """What became of a message of this house; when `final`, what still is under way counts as overdue."""
    story = await insights.story(house.hub.store, message_id)
    if story is None:
        text = f"it was taken as {message_id}, and is not in the store"
        return Told(file, "", "", "", "", "", "lost", "", "unforeseen", text, ("handed over",), expected)
    m = story.message
    first = _gravest(story.deliveries)
    way = [_WORDS[e.event] for e in story.journal if e.event in _WORDS]
    transports = sorted({TRANSPORT.get(d.channel, "house") for d in story.deliveries})
    last = {"under way": "overdue", "held": "overdue", "discarded": "dead"}
    outcome = last.get(story.outcome, story.outcome) if final else story.outcome
    return Told(
        file=file,
        type=m.type_code,
        version=m.version,
        message_id=m.msg_id,
        sender=m.from_her,
        receiver=", ".join(d.receiver for d in story.deliveries) or m.to_her,
        outcome=outcome,
        apprec=APPREC.get(first.apprec_status, "") if first else "",
        code=first.code if first else m.code,
        because=first.because if first else m.because,
        way=_shortened(["by mail", *way] if "mail" in transports else way),
        expected=expected,
        transports=transports,
    )


def refused(file: str, facts: tuple[str, str, str, str, str], code: str, because: str, expected: str = "") -> Told:
    """A document refused to the record system's face; `facts` are type, version, MsgId, sender and receiver.

    A refusal that is our own fault says nothing of the document: nobody has it.
    """
    outcome = "unreadable" if code in UNREADABLE else "rejected"
    outcome = "lost" if code not in REASONS or REASONS[code].http >= SERVER_FAULT else outcome
    return Told(file, *facts, outcome, "", code, because, ("refused at the door",), expected)


async def received(house: House, file: str, sample: Sample, answer: Sent, expected: str, handed: int) -> Told:
    """What became of a message that a partner sent to this house; `handed` is how often its document was handed on."""
    store = house.hub.store
    kept = await store.messages(MessageFilter(msg_id=sample.msg_id, direction="in"))
    refused_here = await _refused_arrival(house, answer.sent)
    facts = (sample.type_code, sample.standard.rsplit("-", 1)[-1], sample.msg_id, sample.from_her, sample.to_her)
    way = (f"answered by {answer.kind}", f"handed on {handed} times" if handed != 1 else "handed on once")
    if refused_here is not None:
        outcome = "unreadable" if refused_here.code in UNREADABLE else "rejected"
        return Told(file, *facts, outcome, "", refused_here.code, refused_here.because, way, expected)
    if kept and handed == 1:
        told = await sent(house, file, kept[-1].id, expected)
        return replace(told, outcome="delivered", way=(*way, *told.way))
    return Told(
        file, *facts, "dead", "", "unforeseen", f"handed on {handed} times, kept {len(kept)} times", way, expected
    )


async def _refused_arrival(house: House, body: bytes) -> ArrivalRecord | None:
    """The newest refused arrival with these bytes; of one larger than we take only the beginning was read."""
    found = await house.hub.store.arrivals(ArrivalFilter(states=("refused", "quarantined"), limit=50))
    bodies = ((a, a.arrival.body) for a in found)
    return next((a for a, own in bodies if own and body.startswith(own[:1000]) and len(own) <= len(body)), None)


def _gravest(deliveries: list[DeliveryRecord]) -> DeliveryRecord | None:
    order = {state: place for place, (state, _) in enumerate(insights.OUTCOMES)}
    return min(deliveries, key=lambda d: order.get(d.state, 99), default=None)  # type: ignore[call-overload]


def _shortened(way: list[str]) -> tuple[str, ...]:
    """Repetitions in a row become one with their count."""
    told: list[tuple[str, int]] = []
    for word in way:
        if told and told[-1][0] == word:
            told[-1] = (word, told[-1][1] + 1)
        else:
            told.append((word, 1))
    return tuple(f"{word} ×{count}" if count > 1 else word for word, count in told)
