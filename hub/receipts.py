"""What we answer on the wire: Acknowledgment, MessageError, Pong and StatusResponse, signed; a SOAP Fault where none fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lxml import etree

from hub import refusals
from hub.codes import reason
from hub.errors import ConfigurationError
from hub.formats import envelope_write, fault
from hub.formats.envelope import Envelope, her_id, her_type
from hub.formats.envelope_write import ErrorLine, HeaderFields
from hub.kit import Kit
from hub.learnt import ACKNOWLEDGMENT_REFERS
from hub.message import Agreement, Answer, Arrival, DeliveryRecord, MessageRecord, NewMessage
from hub.ports import Change
from hub.trust.signature import SignedReference, SigningKey
from hub.trust.signing import sign
from hub.verdict import Refuse

#: A signal is one part, without multipart (HITS 1172 5.5; ebxml.md §2.2).
SIGNAL_HEADERS: Mapping[str, str] = {"Content-Type": 'text/xml; charset="UTF-8"', "SOAPAction": '"ebXML"'}
#: Action under which a SOAP Fault is kept that travels as a mail of its own; ebXML itself has no such action.
FAULT = "Fault"
ACK_REQUESTED = "//eb:AckRequested"
FAULT_HEADERS: Mapping[str, str] = {"Content-Type": 'text/xml; charset="UTF-8"'}


#: Signals that are tried once: who asked and hears nothing asks again (ebMS 2.0 7, 8 know no reliable messaging for them).
ONCE = frozenset({"Ping", "Pong", "StatusRequest", "StatusResponse"})
#: How long one of them is of use to anybody.
ANSWER_IN = timedelta(minutes=2)
QUESTIONS = "built-in: questions"


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a message: messageStatus, and when it came, where that may be told (ebMS 2.0 7.3)."""

    word: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a receipt must know of the message that it answers."""

    envelope: Envelope
    references: tuple[SignedReference, ...]
    key: SigningKey | None  #: of the party it was for; None when that is not ours
    agreement: Agreement | None
    arrival_id: str
    late: bool = False  #: the exchange it came in is over: the receipt must travel by itself


def accepted(question: Question, warnings: tuple[Refuse, ...], kit: Kit) -> Answer:
    """The Acknowledgment that was asked for, with the received references echoed, whatever there is to remark (ebMS 2.0 6.5.3).

    Remarks stand in our journal: a partner may take every ErrorList for a failure. Where AckRequested is missing and should
    not, a Warning says so, which counts as accepted (HITS 1172 4.2.2.1); where it is left free, nothing is answered.
    """
    envelope = question.envelope
    if not envelope.ack_requested:
        asked_for = [w for w in warnings if w.location == ACK_REQUESTED]
        if asked_for and _is_told(question, kit):
            return _message_error(question, tuple(asked_for), "Warning", "accepted-with-warning", kit)
        return Answer(204, {}, b"", "accepted", "taken; no receipt was asked for")
    header = _header(question, "Acknowledgment", kit, refers=_refers(question, kit))
    written = envelope_write.acknowledgment(header, envelope.message_id, [r.xml for r in question.references])
    return _signed(question, _canonical(written), "acknowledged", "acknowledged")


def _refers(question: Question, kit: Kit) -> bool:
    """Whether MessageData repeats the MessageId: forbidden by HITS 1172 109, and all that many handlers elsewhere look at.

    ebMS 2.0 3.1.6.3 allows it. `auto` keeps the rule between HER-ids, unless the partner's own Acknowledgments break it.
    """
    agreement = question.agreement
    if agreement is None:
        return False
    if agreement.acknowledgment_refers != "auto":
        return agreement.acknowledgment_refers == "always"
    return not agreement.national or kit.learnt.value(agreement.from_her, ACKNOWLEDGMENT_REFERS) == "yes"


def _is_told(question: Question, kit: Kit) -> bool:
    """Whether this partner is told of a missing AckRequested: as its party row says, else as the hub's setting."""
    agreement = question.agreement
    told = agreement.warnings if agreement is not None else None
    return kit.settings.warnings if told is None else told


def refused(question: Question | None, verdict: Refuse, kit: Kit) -> Answer:
    """A signed MessageError; a SOAP Fault for what cannot be read, or is for nobody that we can sign for."""
    row = reason(verdict.code)
    if question is None or question.key is None or row.ebms == "Fault" or not _addressed(question):
        ours = row.blame in ("us", "network")
        status = row.http if row.http in (413, 415, 503) else 500
        body = fault.write("Server" if ours else "Client", _words(verdict))
        return Answer(status, FAULT_HEADERS, body, verdict.code, verdict.because)
    return _message_error(question, (verdict,), "Error", verdict.code, kit)


def _addressed(question: Question) -> bool:
    """Whether a receipt has somebody to go to: without a readable HER-id in From it has not (HITS 1172 31, 60).

    But for a party that an agreement names otherwise.
    """
    parties = question.envelope.from_parties
    otherwise = question.agreement is not None and not question.agreement.national
    return her_id(parties).isdigit() and (otherwise or her_type(parties).upper().endswith("HER"))


def _words(verdict: Refuse) -> str:
    """What a partner reads: what is wrong, by which rule, and what to do about it; never content."""
    row = reason(verdict.code)
    said = f"{row.text}: {verdict.because}" if verdict.because else row.text
    return "; ".join(filter(None, (f"{said} ({verdict.rule})" if verdict.rule else said, row.hint)))


def told(question: Question, status: Status, kit: Kit) -> Answer:
    """Pong for a Ping; for a StatusRequest what became of the message it asks about (ebxml.md §1.13)."""
    if question.envelope.kind == "ping":
        return _signed(question, envelope_write.pong(_header(question, "Pong", kit, refers=True)), "done", "Pong")
    header = _header(question, "StatusResponse", kit, refers=True)
    written = envelope_write.status_response(header, question.envelope.ref_to_message_id, status.word, status.at)
    return _signed(question, written, "done", f"StatusResponse {status.word}")


def asked_too_often(verdict: Refuse, *, by_mail: bool, kit: Kit) -> Answer:
    """A question above the bound: HTTP 503, unsigned, so that asking cannot make us sign without end; a mail gets nothing."""
    if by_mail:
        return Answer(503, {}, b"", verdict.code, verdict.because)
    fault = refused(None, verdict, kit)
    return replace(fault, headers={**fault.headers, "Retry-After": "60"})


def worded(answer: Answer, question: Question) -> Answer:
    """What goes back in the open exchange: the receipt itself, or nothing where receipts travel by themselves."""
    if not _travels(answer, question):
        return answer
    return replace(answer, status=202, headers={}, body=b"")


def deferred(answer: Answer, question: Question, kit: Kit) -> Change:
    """The promise to bring a receipt by itself, where the agreement says async or the exchange is over."""
    if not _travels(answer, question) or not (address := _address(answer, question, kit)):
        return Change()
    action, envelope = _action(answer), question.envelope
    record = replace(
        _signal_record(answer, question.arrival_id, action, envelope.message_id, kit),
        from_her=her_id(envelope.to_parties),
        to_her=her_id(envelope.from_parties),
        conversation_id=envelope.conversation_id,
    )
    delivery = refusals.delivery(record, address, kit)
    if action in ONCE:
        delivery = replace(delivery, priority=8, give_up_at=record.received_at + ANSWER_IN, rule=QUESTIONS)
    return Change(messages=(NewMessage(record, answer.body),), deliveries=(delivery,))


def named(answer: Answer, question: Question) -> Change:
    """What a receipt that goes back in the open exchange is found by, should the partner refuse it later."""
    if _travels(answer, question) or answer.headers.get("SOAPAction") is None:
        return Change()
    return Change(claims=refusals.named(answer, her_id(question.envelope.from_parties)))


def asked_by_itself(body: bytes, about: DeliveryRecord, address: str, kit: Kit) -> Change:
    """The promise to bring a StatusRequest of ours that nobody can be asked in an open exchange, as by mail; tried once."""
    asked = Answer(200, SIGNAL_HEADERS, body, "status-asked", f"asks what became of {about.eb_message_id}")
    record = _signal_record(asked, "", "StatusRequest", about.eb_message_id, kit)
    record = replace(record, from_her=about.sender, to_her=about.receiver)
    end = record.received_at + timedelta(seconds=kit.settings.persist_duration_seconds)
    delivery = replace(refusals.delivery(record, address, kit), rule=QUESTIONS, code=asked.code, because=asked.because)
    return Change(messages=(NewMessage(record, body),), deliveries=(replace(delivery, give_up_at=end),))


def fault_by_mail(answer: Answer, arrival: Arrival, to_her: str, address: str, kit: Kit) -> Change:
    """A SOAP Fault in a mail of its own, to a partner's known address (HIS 1037 H-84)."""
    answered = arrival.headers.get("message-id", "").strip().strip("<>")
    record = replace(_signal_record(answer, arrival.id, FAULT, answered, kit), to_her=to_her)
    record = replace(record, from_her=next((p.her_id for p in kit.directory.parties() if p.local and p.mail), ""))
    return Change(messages=(NewMessage(record, answer.body),), deliveries=(refusals.delivery(record, address, kit),))


def _signal_record(answer: Answer, arrival_id: str, action: str, about: str, kit: Kit) -> MessageRecord:
    return MessageRecord(
        id=kit.dice.uuid(),
        arrival_id=arrival_id,
        direction="out",
        kind="signal",
        door="hub",
        received_at=kit.clock.now(),
        from_her="",
        to_her="",
        type_code="SIGNAL",
        service=envelope_write.SIGNAL_SERVICE,
        action=action,
        eb_message_id=refusals.message_id(answer.body),
        original_msg_id=about,
        size=len(answer.body),
        code=answer.code,
        because=answer.because,
    )


def _action(answer: Answer) -> str:
    """What kind of signal it is, from its own header: what was kept of an earlier one is all there is."""
    found = re.search(rb"<eb:Action>(\w+)</eb:Action>", answer.body)
    return found.group(1).decode() if found else ""


def _address(answer: Answer, question: Question, kit: Kit) -> str:
    """Where receipts go: as agreed, else to the sender's own address where there is no exchange to answer in."""
    if question.agreement is not None and (agreed := _agreed_address(answer, question.agreement)):
        return agreed
    party = kit.directory.party(her_id(question.envelope.from_parties)) if question.late else None
    return party.endpoint if party is not None else ""


def _agreed_address(answer: Answer, agreement: Agreement) -> str:
    """Of the sender's channel for this kind of signal (CPPA 2.0 OverrideMshActionBinding, defaultMshChannelId)."""
    elsewhere = agreement.error_endpoint if _action(answer) == "MessageError" else ""
    return elsewhere or agreement.signal_endpoint


def _travels(answer: Answer, question: Question) -> bool:
    """Whether the receipt goes by itself; a SOAP Fault never does.

    As the agreement says; SyncReply in the message itself holds its exchange open (ebMS 2.0 4.3), and so does an
    agreement that names no address for it.
    """
    if answer.headers.get("SOAPAction") is None:
        return False
    if question.late:
        return True
    agreement = question.agreement
    if agreement is None or agreement.reply != "async" or question.envelope.sync_reply:
        return False
    return bool(_agreed_address(answer, agreement))


def _message_error(question: Question, found: tuple[Refuse, ...], severity: str, code: str, kit: Kit) -> Answer:
    lines = [ErrorLine(reason(f.code).ebms or "Unknown", severity, f.location, _words(f)) for f in found]
    because = "; ".join(f.because for f in found)
    header = _header(question, "MessageError", kit, refers=True)
    return _signed(question, envelope_write.message_error(header, lines), code, because)


def _header(question: Question, action: str, kit: Kit, *, refers: bool = False) -> HeaderFields:
    """From and To swapped, the same CPAId and ConversationId, a MessageId of its own, no Role (ebxml.md §1.11)."""
    envelope = question.envelope
    return HeaderFields(
        from_her=her_id(envelope.to_parties),
        to_her=her_id(envelope.from_parties),
        cpa_id=envelope.cpa_id,
        conversation_id=envelope.conversation_id,
        service=envelope_write.SIGNAL_SERVICE,
        action=action,
        message_id=kit.dice.uuid(),
        timestamp=kit.clock.now(),
        ref_to_message_id=envelope.message_id if refers else "",
        from_type=her_type(envelope.to_parties),
        to_type=her_type(envelope.from_parties),
        software=(kit.settings.software_name, kit.settings.software_version),
    )


def _canonical(written: bytes) -> bytes:
    """The echoed References come as others wrote them; signing asks for C14N."""
    return etree.tostring(etree.fromstring(written), method="c14n")


def _signed(question: Question, envelope: bytes, code: str, because: str) -> Answer:
    if question.key is None:
        her = her_id(question.envelope.to_parties)
        raise ConfigurationError([f"no signing key for HER-id {her}; see: samhub certs check"])
    return Answer(200, SIGNAL_HEADERS, sign(envelope, (), question.key), code, because)
