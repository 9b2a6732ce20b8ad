"""What a sender wishes in the envelope: read as tokens, weighed against what is agreed, and followed (EDI 2.0 A7.1, A7.6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from typing import Any

from hub.formats.envelope_write import SIGNAL_SERVICE
from hub.kit import Kit
from hub.message import Agreement, DeliveryRecord, MessageRecord, Transport
from hub.verdict import Refuse

#: Letters of a value; the door's own bound is the same.
LONGEST = 500
#: Actions of the message handlers themselves (ebMS 2.0 3.1.5, 4.2, 7, 8); in lower case.
RESERVED = frozenset({"acknowledgment", "messageerror", "fault", "ping", "pong", "statusrequest", "statusresponse"})
#: Names of a wish as EDI 2.0 writes them (A5 EbXmlInfo, A9.6), where they are not ours in another case.
_NAMES = {
    "compress": "compressPayload",
    "sender_level_1": "useSenderLevel1HerId",
    "sender": "transportSenderHerId",
    "receiver": "transportReceiverHerId",
}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HER_ID = re.compile(r"[1-9][0-9]{0,9}")
_TEXTS = tuple(f.name for f in fields(Transport) if f.default == "")


def name(field: str) -> str:
    """As EDI 2.0 calls it."""
    first, *more = field.split("_")
    return _NAMES.get(field, first + "".join(word.capitalize() for word in more))


def tokens(wished: Transport) -> Transport:
    """The same, each value as a token: no blanks around it, one between words (XML Schema 2, 3.3.2)."""
    clean: dict[str, Any] = {own: " ".join(filter(None, getattr(wished, own).split(" "))) for own in _TEXTS}
    return replace(wished, **clean)


def faults(wished: Transport) -> Iterator[tuple[str, str]]:
    """Each value that cannot be written into an envelope: its name, and why."""
    for own in _TEXTS:
        value = getattr(wished, own)
        if len(value) > LONGEST:
            yield name(own), f"longer than {LONGEST} letters"
        elif not value.isprintable():
            yield name(own), "has a control character"
    if wished.conversation_id and not _UUID.fullmatch(wished.conversation_id):
        yield name("conversation_id"), "is no UUID"
    if wished.service.lower() == SIGNAL_SERVICE:
        yield name("service"), "is the service of message handlers themselves (ebMS 2.0 3.1.4)"
    if wished.action.lower() in RESERVED:
        yield name("action"), "is an action of message handlers themselves (ebMS 2.0 3.1.5)"
    for own in ("sender", "receiver"):
        if (number := getattr(wished, own)) and not _HER_ID.fullmatch(number):
            yield name(own), "is no HER-id"


def written(wished: Transport) -> str:
    """As text, to be kept; empty where nothing is wished."""
    told = {f.name: getattr(wished, f.name) for f in fields(Transport)}
    wishes = {f.name: told[f.name] for f in fields(Transport) if told[f.name] != f.default}
    return json.dumps(wishes) if wishes else ""


def read(kept: str) -> Transport:
    """What was kept."""
    return Transport(**json.loads(kept)) if kept else Transport()


def followed(message: MessageRecord, wished: Transport) -> MessageRecord:
    """The message as its envelope will tell of it: under what is wished it is routed, agreed on and found again."""
    return replace(
        message,
        transport=wished,
        cpa_id=wished.cpa_id or message.cpa_id,
        conversation_id=wished.conversation_id or message.conversation_id,
        service=wished.service or message.service,
        action=wished.action or message.action,
    )


def parties(message: MessageRecord, sender: str, receiver: str) -> tuple[str, str]:
    """From and To of the envelope."""
    return message.transport.sender or sender, message.transport.receiver or receiver


def own_parties(message: MessageRecord, delivery: DeliveryRecord) -> tuple[str, str]:
    """From and To of a delivery's envelope."""
    return parties(message, delivery.sender, delivery.receiver)


def agreed(message: MessageRecord, sender: str, receiver: str, kit: Kit, at: datetime) -> Agreement:
    """What is agreed for this direction: under the CPA that is wished where it is known here, else the one of our choice."""
    from_her, to_her = parties(message, sender, receiver)
    ask = partial(
        kit.directory.agreement,
        from_her=from_her,
        to_her=to_her,
        service=message.service,
        action=message.action,
        role=message.transport.sender_role,
        at=at,
    )
    if message.transport.cpa_id:
        found = ask(cpa_id=message.transport.cpa_id)
        if found.fault != "cpa-unknown":
            return found
    return ask(cpa_id="")


def against(message: MessageRecord, found: Agreement) -> str:
    """What of the wishes contradicts a CPA, in words; empty where nothing does, or where no CPA says anything.

    A CPA binds both sides (CPPA 2.0 8.1), and whoever receives would refuse what is not in it; so do we, before it is sent.
    """
    if found.source != "cpa":
        return ""
    wished = message.transport
    pairs = (
        ("cpa_id", wished.cpa_id, found.cpa_id),
        ("service_type", wished.service_type, found.service_type),
        ("action", wished.action, found.action or message.action),
        ("sender_role", wished.sender_role, found.from_role),
        ("receiver_role", wished.receiver_role, found.to_role),
    )
    told = [
        f"{name(own)} is {agreed_on or 'not there'}" for own, asked, agreed_on in pairs if asked and asked != agreed_on
    ]
    if wished.compress is not None and wished.compress is not found.compressed:
        told.append(f"{name('compress')} is {str(found.compressed).lower()}")
    return f"in CPA {found.cpa_id} {', '.join(told)}" if told else ""


def weighed(
    message: MessageRecord, wished: Transport, receivers: Sequence[str], kit: Kit
) -> tuple[Transport, Refuse | None]:
    """The wishes with From told by its HER-id, or why they cannot be followed; before anything is promised."""
    wished, unfit = _named(message, wished, kit)
    if unfit is None and wished.receiver:
        unfit = _unfit_receiver(wished.receiver, receivers, kit)
    if unfit is not None:
        return wished, unfit
    for receiver in receivers:
        if (party := kit.directory.party(receiver)) is None or party.local:
            continue  # no envelope is made for it
        if why := _disagreed(message, followed(message, wished), receiver, kit):
            return wished, Refuse("against-agreement", why, rule="HIS 1037 6.2.1")
    return wished, None


def _disagreed(plain: MessageRecord, message: MessageRecord, receiver: str, kit: Kit) -> str:
    at = message.received_at
    found = agreed(message, message.from_her, receiver, kit, at)
    if message.transport.cpa_id and found.fault:
        return found.because
    otherwise = agreed(replace(plain, transport=Transport()), message.from_her, receiver, kit, at)
    if found.source != "cpa" and otherwise.source == "cpa" and not otherwise.fault:
        return f"CPA {otherwise.cpa_id} is agreed for it, and does not have what is wished"
    return against(message, found)


def _named(message: MessageRecord, wished: Transport, kit: Kit) -> tuple[Transport, Refuse | None]:
    """Another From than the sender's own: only its organisation, or a party of the same record system (A5, A9.6)."""
    own = kit.directory.party(message.from_her)
    organisation = own.organisation_her_id if own is not None else ""
    if wished.sender_level_1 and not organisation:
        text = f"no organisation is known for HER-id {message.from_her}: {name('sender_level_1')} cannot be followed"
        return wished, Refuse("not-your-party", text)
    if wished.sender_level_1 and not wished.sender:
        wished = replace(wished, sender=organisation)
    if not wished.sender or wished.sender == message.from_her:
        return wished, None
    party, system = kit.directory.party(wished.sender), kit.directory.system(message.system)
    served = wished.sender == organisation or (system is not None and wished.sender in system.her_ids)
    if not served or party is None or not party.local:
        text = f"HER-id {wished.sender} is no party of this hub that HER-id {message.from_her} may send as"
        return wished, Refuse("not-your-party", text)
    return wished, None


def _unfit_receiver(wished: str, receivers: Sequence[str], kit: Kit) -> Refuse | None:
    """Another To than the receiver's: one that is known, for one receiver."""
    if len(receivers) > 1:
        return Refuse("request", f"{name('receiver')} is for one receiver, and there are {len(receivers)}")
    if kit.directory.party(wished) is None:
        return Refuse("receiver-unknown", f"{name('receiver')}: HER-id {wished} is not known here")
    return None
