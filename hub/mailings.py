"""What happens to a mail, in order: bounces and what machines write are recognised first, then ebXML is looked for in it."""

from __future__ import annotations

from dataclasses import replace

from hub import intake, receipts
from hub.digest import sha256
from hub.events import Entry, Event
from hub.formats import fault, mail, mime
from hub.formats.mail import DeliveryReport, Mail, Recipient
from hub.kit import Kit
from hub.message import Answer, Arrival, DeliveryRecord, Party
from hub.ports import ArrivalRecord, ArrivalState, Change, Claim, Conflict, DeliveryFilter, MoveOrder
from hub.states import Move, allowed

#: What is put aside unread, and what people are told about it; nobody is answered (RFC 3834 2).
ASIDE = {
    "auto-reply": "an automatic reply, not ebXML",
    "read-receipt": "a read receipt, not ebXML",
    "tnef": "winmail.dat: a mail program has packed it, so that what it was cannot be proven any more",
}


async def receive(arrival: Arrival, kit: Kit) -> Answer:
    """A mail, kept before it is answered or deleted anywhere; `status` 503 in the answer means that it is not kept.

    Receipts travel by themselves, as mail. The same mail collected or delivered twice counts once (same Message-ID, same
    content); the same ebXML message in another mail gets the same receipt again (HIS 1037 H-64, H-67).
    """
    found = mail.read(arrival.body)
    claim = Claim(f"mail:{found.message_id or arrival.id}", sha256(arrival.body))
    earlier = await kit.store.earlier(claim.key)
    if earlier is not None and earlier[0].digest == claim.digest:
        entry = Entry(kit.clock.now(), Event.DUPLICATE, "duplicate", "the same mail came again", arrival_id=arrival.id)
        await kit.store.apply(Change(journal=(entry,)))
        return Answer(200, {}, b"", "duplicate", "the same mail came again")
    answer = await _judged(arrival, found, kit)
    await kit.store.apply(Change(claims=(claim,)))  # a crash before this line only judges it once more
    return answer


async def _judged(arrival: Arrival, found: Mail, kit: Kit) -> Answer:
    kind = mail.kind(found)
    if kind == "report":
        return await _reported(arrival, mail.report(found), kit)
    if kind in ASIDE:
        return await _kept(arrival, "quarantined", "mail-aside", ASIDE[kind], Change(), kit)
    package = mail.package(found)
    answered = mail.delivery_of(found.headers.get("in-reply-to", "") or found.headers.get("references", ""))
    if answered and (code := fault.read(_root(package))) is not None:
        return await _faulted(arrival, answered, code, kit)
    answer = await intake.receive(replace(arrival, headers=dict(package.headers), body=package.body), kit)
    below_ebxml = answer.body and answer.headers.get("SOAPAction") is None
    if below_ebxml and fault.read(_root(package)) is None:  # a Fault is never answered (HITS 1172 4.2.2)
        await _answered_below_ebxml(arrival, found, answer, kit)
    return answer


def _root(package: Mail) -> bytes:
    """The SOAP part, decoded; the bytes themselves where there is none."""
    read = mime.read(package.headers, package.body)
    return package.body if isinstance(read, mime.MimeFault) else read.root.content


# --- bounces (RFC 3464)


async def _reported(arrival: Arrival, report: DeliveryReport, kit: Kit) -> Answer:
    """Settles the delivery that it speaks of, by the ENVID we gave or by our own Message-ID in what came back."""
    delivery = await _delivery(report.envelope_id or mail.delivery_of(report.message_id), kit)
    if delivery is None:
        text = "a delivery status notification about something that we did not send"
        return await _kept(arrival, "quarantined", "receipt-unknown", text, Change(), kit)
    last = report.recipients[-1] if report.recipients else Recipient("", "failed", "", "")
    code, text = _said(last)
    permanent = code == "mail-bounced" and allowed(delivery.state, Move.GIVE_UP)
    event = Event.DEAD if permanent else Event.SIGNAL
    now = kit.clock.now()
    order = MoveOrder(delivery.id, Move.GIVE_UP, now, code, text)
    entry = Entry(now, event, code, text, delivery.message_id, delivery.id, arrival.id)
    change = Change(moves=(order,) if permanent else (), journal=(entry,))
    return await _kept(arrival, "accepted", code, text, change, kit)


def _said(recipient: Recipient) -> tuple[str, str]:
    """5.x.x will not come through; 4.x.x and `delayed` may, so the schedule goes on (RFC 3463 3.1, RFC 3464 2.3.3)."""
    status = recipient.status or "without a status"
    if recipient.action == "failed" and not recipient.status.startswith("4"):
        return "mail-bounced", f"bounced: {status}"
    if recipient.action in ("failed", "delayed"):
        return "mail-delayed", f"a mail server reports {recipient.action}: {status}"
    return "mail-on-its-way", f"a mail server reports {recipient.action or 'nothing'}: {status}"


# --- SOAP Faults


async def _faulted(arrival: Arrival, delivery_id: str, code: str, kit: Kit) -> Answer:
    """The other side could not read our mail as ebXML: Client is for good, Server may pass (ebxml.md §6.2)."""
    delivery = await _delivery(delivery_id, kit)
    text = f"answered by a SOAP Fault ({code})"
    if delivery is None:
        return await _kept(arrival, "quarantined", "receipt-unknown", text, Change(), kit)
    permanent = code == "Client" and allowed(delivery.state, Move.GIVE_UP)
    now = kit.clock.now()
    order = MoveOrder(delivery.id, Move.GIVE_UP, now, "soap-fault", text)
    event = Event.DEAD if permanent else Event.SIGNAL
    entry = Entry(now, event, "soap-fault", text, delivery.message_id, delivery.id, arrival.id)
    change = Change(moves=(order,) if permanent else (), journal=(entry,))
    return await _kept(arrival, "accepted", "soap-fault", text, change, kit)


async def _answered_below_ebxml(arrival: Arrival, found: Mail, answer: Answer, kit: Kit) -> None:
    """A SOAP Fault to a known partner's own address; strangers get nothing, so that nobody can make us write to others."""
    partner = _partner(found.answer_to, kit)
    if partner is not None:
        await kit.store.apply(receipts.fault_by_mail(answer, arrival, partner.her_id, partner.endpoint, kit))


def _partner(address: str, kit: Kit) -> Party | None:
    found = (p for p in kit.directory.parties() if not p.local and mail.address(p.endpoint) == address)
    return next(found, None) if address else None


# --- small words


async def _delivery(delivery_id: str, kit: Kit) -> DeliveryRecord | None:
    found = await kit.store.deliveries(DeliveryFilter(ids=(delivery_id,))) if delivery_id else []
    return found[0] if found else None


async def _kept(arrival: Arrival, state: ArrivalState, code: str, because: str, change: Change, kit: Kit) -> Answer:
    """The mail with what was decided about it, in one transaction; a move that is no longer possible is left out."""
    record = ArrivalRecord(arrival, state, code, because)
    journal = change.journal or (Entry(kit.clock.now(), Event.QUARANTINED, code, because, arrival_id=arrival.id),)
    done = await kit.store.apply(replace(change, arrival=record, journal=journal))
    if isinstance(done, Conflict):
        await kit.store.apply(replace(change, arrival=record, moves=(), journal=journal))
    return Answer(200, {}, b"", code, because)
