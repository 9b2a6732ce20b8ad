"""What happens to a mail, in order: bounces and what machines write are recognised first, then ebXML is looked for in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime

from hub import intake, receipts, refusals, sight
from hub.codes import clause
from hub.digest import sha256
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats import fault, mail, mime
from hub.formats.mail import DeliveryReport, Mail, Recipient
from hub.formats.words import SAID
from hub.kit import Kit
from hub.message import BEGINNING, Answer, Arrival, Channel, DeliveryRecord, Party
from hub.ports import (
    ArrivalFacts,
    ArrivalRecord,
    ArrivalState,
    Change,
    Claim,
    Conflict,
    DeliveryFilter,
    MoveOrder,
    Word,
)
from hub.states import Move, allowed

#: What is put aside unread, and what people are told about it; nobody is answered (RFC 3834 2).
ASIDE = {
    "notice": "a mail server's notice in a form of its own; what became of the mail it is about must be asked there",
    "auto-reply": "an automatic reply, not ebXML",
    "read-receipt": "a read receipt, not ebXML",
    "tnef": "winmail.dat: a mail program has packed it, so that what it was cannot be proven any more",
}

SAME = Answer(200, {}, b"", "duplicate", "the same mail came again")


async def receive(arrival: Arrival, kit: Kit) -> Answer:
    """A mail, kept before it is answered or deleted anywhere. Raises StoreUnavailable when nothing could be kept.

    Receipts travel by themselves, as mail. The same mail collected or delivered twice counts once (same Message-ID, same
    content); the same ebXML message in another mail gets the same receipt again (HIS 1037 H-64, H-67).
    """
    found = mail.read(arrival.body)
    claim = _claim(found)
    if await _came_before(arrival, claim, kit):
        return SAME
    answer = await _judged(arrival, found, kit)
    # A crash before this line only judges it once more.
    await kit.store.apply(Change(claims=(claim,), journal=_noted(arrival, found, answer, kit)))
    return Answer(200, {}, b"", answer.code, answer.because, answer.message_id)


async def to_postmaster(arrival: Arrival, kit: Kit) -> Answer:
    """A mail to nobody but the postmaster: its beginning is kept for a person, and it is neither read as ebXML nor answered."""
    claim = _claim(mail.read(arrival.body))
    if await _came_before(arrival, claim, kit):
        return SAME
    size = len(arrival.body)
    text = f"{size} bytes for the postmaster" + (f"; the first {BEGINNING} are kept" if size > BEGINNING else "")
    entry = _entry(Event.QUARANTINED, "mail-postmaster", text, arrival, None, kit)
    return await _kept(arrival.beginning(), "quarantined", entry, Change(claims=(claim,)), kit)


async def _came_before(arrival: Arrival, claim: Claim, kit: Kit) -> bool:
    """The same mail; only noted."""
    earlier = await kit.store.earlier(claim.key)
    if earlier is None or earlier[0].digest != claim.digest:
        return False
    entry = Entry(kit.clock.now(), Event.DUPLICATE, SAME.code, SAME.because, arrival_id=arrival.id)
    await kit.store.apply(Change(journal=(entry,)))
    return True


def _claim(found: Mail) -> Claim:
    """A mail without a Message-ID is known by its content. What servers write above it on the way is no part of it."""
    content = sha256(found.headers.get("content-type", "").encode() + b"\n" + found.body)
    return Claim(f"mail:{found.message_id or content}", content)


async def _judged(arrival: Arrival, found: Mail, kit: Kit) -> Answer:
    package = mail.package(found)
    kind = mail.kind(package)
    if kind == "report":
        return await _reported(arrival, mail.report(package), kit)
    if kind in ASIDE:
        return await _aside(arrival, kind, found, kit)
    if (said := _fault(package)) is not None:
        return await _faulted(arrival, found.answers, said, kit)
    peer = arrival.peer or found.answer_to
    answer = await intake.receive(replace(arrival, headers=dict(package.headers), body=package.body, peer=peer), kit)
    if answer.body and answer.headers.get("SOAPAction") is None:
        await _answered_below_ebxml(arrival, found, answer, kit)
    return answer


def _fault(package: Mail) -> fault.Fault | None:
    """A SOAP Fault; it comes as a single part, and is never answered (HITS 1172 4.2.2)."""
    if mime.content_type(package.headers.get("content-type", ""))[0] != "text/xml":
        return None
    read = mime.read(package.headers, package.body)
    return fault.read(package.body if isinstance(read, mime.MimeFault) else read.root.content)


async def _aside(arrival: Arrival, kind: str, found: Mail, kit: Kit) -> Answer:
    """For a person; where it says what it is about, it stands in that message's journal too, and moves nothing."""
    about = await _delivery(found.answers or mail.delivery_of(found.body[:100_000].decode("latin-1")), kit)
    entry = _entry(Event.QUARANTINED, "mail-aside", ASIDE[kind], arrival, about, kit)
    return await _kept(arrival, "quarantined", entry, Change(), kit)


# --- bounces (RFC 3464) and SOAP Faults


async def _reported(arrival: Arrival, report: DeliveryReport, kit: Kit) -> Answer:
    """Settles the delivery that it speaks of, by the ENVID we gave or by our own Message-ID in what came back."""
    about = mail.delivery_of(report.message_id)
    delivery = await _delivery(report.envelope_id, kit) or await _delivery(about, kit)
    if delivery is None:
        return await _unknown(arrival, "a delivery status notification about something that we did not send", kit)
    failed = (r for r in report.recipients if r.action == "failed")
    code, text = _said(next(failed, report.recipients[-1] if report.recipients else Recipient("", "", "", "")))
    return await _settled(arrival, delivery, code, text, kit, for_good=code == "mail-bounced")


def _said(recipient: Recipient) -> tuple[str, str]:
    """5.x.x will not come through; 4.x.x and `delayed` may, so the schedule goes on (RFC 3463 3.1, RFC 3464 2.3.3)."""
    status = recipient.status or "without a status"
    if recipient.action == "failed" and not recipient.status.startswith("4"):
        return "mail-bounced", f"bounced: {status}"
    if recipient.action in ("failed", "delayed"):
        return "mail-delayed", f"a mail server reports {recipient.action}: {status}"
    return "mail-on-its-way", f"a mail server reports {recipient.action or 'nothing'}: {status}"


async def _faulted(arrival: Arrival, delivery_id: str, said: fault.Fault, kit: Kit) -> Answer:
    """The other side could not read our mail as ebXML: Client is for good, Server may pass (ebxml.md §6.2)."""
    delivery, code = await _delivery(delivery_id, kit), said.code or "of its own"
    if delivery is None:
        return await _unknown(arrival, f"a SOAP Fault ({code}) about something that we did not send", kit)
    if delivery.kind == "signal":
        return await _receipt_refused(arrival, delivery, said, kit)
    text = f"answered by a SOAP Fault ({code})"
    return await _settled(arrival, delivery, "soap-fault", text, kit, for_good=said.for_good, said=said.words)


async def _receipt_refused(arrival: Arrival, delivery: DeliveryRecord, said: fault.Fault, kit: Kit) -> Answer:
    """A receipt of ours that the partner cannot read: taken back, and told at the message that it is about."""
    refusal = refusals.Refusal(f"SOAP Fault, {said.words}", kit.clock.now(), arrival.id)
    record = ArrivalRecord(arrival, "accepted", refusals.CODE, refusal.because)
    change = await refusals.of_delivery(delivery, refusal, kit)
    if isinstance(await kit.store.apply(replace(change, arrival=record)), Conflict):
        await kit.store.apply(Change(arrival=record, journal=change.journal))  # it has moved meanwhile
    return Answer(200, {}, b"", refusals.CODE, refusal.because)


async def _unknown(arrival: Arrival, text: str, kit: Kit) -> Answer:
    entry = _entry(Event.QUARANTINED, "receipt-unknown", text, arrival, None, kit)
    return await _kept(arrival, "quarantined", entry, Change(), kit)


async def _settled(
    arrival: Arrival, delivery: DeliveryRecord, code: str, text: str, kit: Kit, *, for_good: bool, said: str = ""
) -> Answer:
    """Gives the delivery up where that still can be done; a receipt of ours that did not come through is for a person."""
    if for_good and delivery.kind == "signal":
        text = f"{text}: our receipt to HER-id {delivery.receiver}, which may send its message again"
    state: ArrivalState = "quarantined" if for_good and delivery.kind == "signal" else "accepted"
    text = f"{text}{SAID}{said}" if said else text
    noted = _entry(Event.SIGNAL, code, text, arrival, delivery, kit)
    if not for_good or not allowed(delivery.state, Move.GIVE_UP):
        words = (Word(delivery.id, said),) if said and allowed(delivery.state, Move.GIVE_UP) else ()
        return await _kept(arrival, state, noted, Change(words=words), kit)
    order = MoveOrder(delivery.id, Move.GIVE_UP, noted.at, code, text, said=said or None)
    told = Notification(
        NotificationType.DELIVERY_STATE, delivery.message_id, delivery.sender, delivery.receiver, noted.at
    )
    change = Change(moves=(order,), notifications=(told,) if delivery.kind != "signal" else ())
    return await _kept(arrival, state, replace(noted, event=Event.DEAD), change, kit)


# --- what is answered, and to whom


async def _answered_below_ebxml(arrival: Arrival, found: Mail, answer: Answer, kit: Kit) -> None:
    """A SOAP Fault to a known partner's own address; strangers get nothing, so that nobody can make us write to others.

    What answers a mail of ours is not answered, and the same content only once: two machines would never come to an end.
    """
    partner = _partner(found.answer_to, kit)
    if partner is None or found.answers:
        return
    once = Claim(f"fault:{partner.her_id}:{_claim(found).digest}")
    change = receipts.fault_by_mail(answer, arrival, partner.her_id, partner.endpoint, kit)
    await kit.store.apply(replace(change, claims=(once,)))


def _partner(address: str, kit: Kit) -> Party | None:
    found = (p for p in kit.directory.parties() if not p.local and mail.address(p.endpoint) == address)
    return next(found, None) if address else None


# --- the header of the mail


def _noted(arrival: Arrival, found: Mail, answer: Answer, kit: Kit) -> tuple[Entry, ...]:
    """What the mail's own header breaks is written down, and neither refused nor answered (HITS 1172 5.3: log only)."""
    if answer.code in ("mail-aside", "receipt-unknown"):  # no ebXML: nobody asked that of it
        return ()
    told = "; ".join(f"{text} ({clause(rules)})" for text, rules in _breaches(found, kit))
    return (_entry(Event.SIGNAL, "envelope-warning", told, arrival, None, kit),) if told else ()


def _breaches(found: Mail, kit: Kit) -> Iterator[tuple[str, str]]:
    """Which rules of HITS 1172 the header fields break."""
    for name, rules in (("From", "18, 80"), ("To", "19, 81"), ("Date", "20, 83"), ("Message-ID", "250, 251")):
        if not found.headers.get(name.lower()):
            yield f"{name} is missing or empty", rules
    if found.headers.get("mime-version", "").partition("(")[0].strip() != "1.0":
        yield "MIME-Version is not 1.0", "21, 82"
    if (date := found.headers.get("date", "")) and not _is_date(date):
        yield "Date cannot be read", "83"
    sender, receiver = (mail.address(found.headers.get(name, "")) for name in ("from", "to"))
    if sender and _partner(sender, kit) is None:
        yield "From is no partner's address in the register", "261"
    if receiver and not any(p.local and p.mail == receiver for p in kit.directory.parties()):
        yield "To is no address of ours in the register", "262"


def _is_date(field: str) -> bool:
    try:
        return bool(parsedate_to_datetime(field))
    except (ValueError, TypeError, IndexError, OverflowError):
        return False


# --- small words


async def _delivery(delivery_id: str, kit: Kit) -> DeliveryRecord | None:
    """A delivery of ours that went by mail; about any other, no mail can know anything."""
    found = await kit.store.deliveries(DeliveryFilter(ids=(delivery_id,))) if delivery_id else []
    return next((d for d in found if d.channel == Channel.EBXML_SMTP), None)


def _entry(event: Event, code: str, because: str, arrival: Arrival, about: DeliveryRecord | None, kit: Kit) -> Entry:
    message, own = (about.message_id, about.id) if about else ("", "")
    return Entry(kit.clock.now(), event, code, because, message, own, arrival.id)


def _seen(arrival: Arrival, kit: Kit) -> ArrivalFacts:
    """Whose a mail is that is no ebXML: whose address it comes from."""
    found = mail.read(arrival.body)
    partner = _partner(found.answer_to, kit)
    seen = sight.at_sight(arrival)
    named = seen.from_her or (partner.her_id if partner is not None else "")
    return replace(seen, from_her=named, peer=seen.peer or found.answer_to)


async def _kept(arrival: Arrival, state: ArrivalState, entry: Entry, change: Change, kit: Kit) -> Answer:
    """The mail with what was decided about it, in one transaction; a move that is no longer possible is only said."""
    record = ArrivalRecord(arrival, state, entry.code, entry.because, facts=_seen(arrival, kit))
    done = await kit.store.apply(replace(change, arrival=record, journal=(entry,)))
    if isinstance(done, Conflict):
        said = replace(entry, event=Event.SIGNAL, because=f"{entry.because}; it stood at {done.state} already")
        await kit.store.apply(Change(arrival=record, journal=(said,)))
    return Answer(200, {}, b"", entry.code, entry.because)
