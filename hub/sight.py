"""Whose an arrival is and what it is, as far as it could be read: for people who look at what was not taken."""

from __future__ import annotations

import re

from hub.checks.inspection import Inspection
from hub.formats.words import quoted
from hub.message import BEGINNING, Arrival
from hub.ports import ArrivalFacts

#: Longest HER-id, type or id that is shown.
LONGEST = 80
#: How far behind its opening tag a party's number is looked for.
NEAR = 2_000
_NAME = rb"(?:[\w.-]{1,20}:)?"
_PARTY = re.compile(rb"<" + _NAME + rb"PartyId\b[^>]{0,300}>\s{0,20}(\d{1,10})\s{0,20}<")
_HER = re.compile(
    rb">\s{0,20}(\d{1,10})\s{0,20}</" + _NAME + rb"Id\s{0,9}>\s{0,99}<" + _NAME + rb'TypeId\b[^>]{0,300}\bV="HER"'
)
_MESSAGE_ID = re.compile(rb"<" + _NAME + rb"MessageId\s{0,9}>\s{0,20}([^<>\s]{1,200})\s{0,20}<")
_CONVERSATION = re.compile(rb"<" + _NAME + rb"ConversationId\s{0,9}>\s{0,20}([^<>\s]{1,200})\s{0,20}<")
_ACTION = re.compile(rb"<" + _NAME + rb"Action\s{0,9}>\s{0,20}([A-Za-z][\w.-]{0,60})\s{0,20}<")
_MSG_ID = re.compile(rb"<" + _NAME + rb"MsgId\s{0,9}>\s{0,20}([^<>\s]{1,200})\s{0,20}<")
_TYPE = re.compile(rb"<" + _NAME + rb'Type\s[^>]{0,300}?\bV="([A-Za-z][\w.-]{0,60})"')


def facts(inspection: Inspection) -> ArrivalFacts:
    """By what has been read; where not even that could be, by what its bytes show to the eye."""
    envelope, bus, document = inspection.envelope, inspection.bus, inspection.document
    if envelope is None and bus is None and document is None:
        return at_sight(inspection.arrival)
    type_code = document.type_code or ("APPREC" if document.kind == "apprec" else "") if document else ""
    around = (envelope.action if envelope else "") or (bus.function if bus else "")
    conversation = (envelope.conversation_id if envelope else "") or (bus.correlation_id if bus else "")
    return ArrivalFacts(
        from_her=_shown(inspection.sender),
        to_her=_shown(inspection.receiver),
        type_code=_shown(type_code or around),
        msg_id=_shown(document.msg_id if document else ""),
        eb_message_id=_shown((envelope.message_id if envelope else "") or (bus.message_id if bus else "")),
        conversation_id=_shown(conversation),
        peer=_shown(inspection.arrival.peer),
    )


def at_sight(arrival: Arrival) -> ArrivalFacts:
    """What the beginning of its bytes shows, though they are no package, no XML or no message: numbers and ids only."""
    body = arrival.body[:BEGINNING]
    document = _between(body, b"MsgInfo")
    return ArrivalFacts(
        from_her=_first(_PARTY, _behind(body, b"From>")) or _last_her(_between(document, b"Sender")),
        to_her=_first(_PARTY, _behind(body, b"To>")) or _last_her(_between(document, b"Receiver")),
        type_code=_first(_TYPE, document) or _first(_ACTION, body),
        msg_id=_first(_MSG_ID, document),
        eb_message_id=_first(_MESSAGE_ID, body),
        conversation_id=_first(_CONVERSATION, body),
        peer=_shown(arrival.peer),
    )


def _behind(body: bytes, tag: bytes) -> bytes:
    """A little of what stands behind a tag."""
    at = body.find(tag)
    return body[at : at + NEAR] if at >= 0 else b""


def _between(body: bytes, name: bytes) -> bytes:
    """What stands between the first opening and the next closing tag of this name."""
    start = body.find(name + b">")
    end = body.find(name + b">", start + 1) if start >= 0 else -1
    return body[start:end] if end >= 0 else b""


def _last_her(part: bytes) -> str:
    """The deepest HER-id of a sender or receiver: that of level 2."""
    found = _HER.findall(part)
    return found[-1].decode("ascii") if found else ""


def _first(pattern: re.Pattern[bytes], part: bytes) -> str:
    found = pattern.search(part)
    return _shown(found.group(1).decode("utf-8", "replace")) if found else ""


def _shown(text: str) -> str:
    return quoted(text, LONGEST)
