"""May a message of the national bus come in? The questions of its receivers, in their order (nhn-amqp.md §7)."""

from __future__ import annotations

from datetime import timedelta

from hub import codes
from hub.checks.inspection import Inspection
from hub.formats import amqp
from hub.formats.amqp import BusMessage
from hub.kit import Kit
from hub.trust import bus_certificates
from hub.trust.certificates import Purpose
from hub.trust.signed_data import SealFault, SealPolicy, unseal
from hub.verdict import PASS, Pass, Refuse, Retry, Verdict


def fields(inspection: Inspection, _: Kit) -> Verdict:
    """What every message must say, all that is missing at once (§2.1, §2.2; §7 step 4)."""
    missing = amqp.missing(_bus(inspection))
    if missing:
        return Refuse("bus-field", f"missing or unreadable: {', '.join(missing)}", rule="§7 step 4", data=missing)
    return PASS


def receiver(inspection: Inspection, kit: Kit) -> Verdict:
    """`toHerId`, not the queue, says for whom it is, and that must be one of ours (§1.3; left to us by §7)."""
    party = kit.directory.party(inspection.receiver)
    if party is None or not party.local:
        text = f"HER-id {inspection.receiver} is not served here"
        return Refuse("receiver-not-ours", text, rule="§1.3", data=("ToHerId", inspection.receiver))
    return PASS


def protected(inspection: Inspection, kit: Kit) -> Verdict:
    """Plain text and SOAP are neither signed nor encrypted; whether such a message is taken is a setting (§3.1)."""
    if _bus(inspection).protection == "sealed":
        return PASS
    if kit.settings.bus_unsigned == "refuse":
        text = f"content type {_bus(inspection).protection}: nobody has signed it"
        return Refuse("bus-unsigned", text, rule="§3.1")
    return Pass((Refuse("envelope-warning", "neither signed nor encrypted; taken by setting", rule="§3.1"),))


def profile(inspection: Inspection, kit: Kit) -> Verdict:
    """What is known of the sender: its agreement with the receiver, or its profile, or its entry (§3.4; §7 step 5)."""
    bus = _bus(inspection)
    inspection.agreement = kit.directory.bus_profile(
        cpa_id=bus.cpa_id,
        from_her=bus.from_her,
        to_her=bus.to_her,
        function=bus.function,
        at=inspection.now,
    )
    if fault := inspection.agreement.fault:
        data = ("FromHerId", bus.from_her) if fault == "sender-unknown" else ()
        return Refuse(fault, inspection.agreement.because, rule="§3.4; §7 step 5", data=data)
    return PASS


def signer(inspection: Inspection, kit: Kit) -> Verdict:
    """A certificate of the sender's that may be used now (§3.5; §7 step 8)."""
    if _unprotected(inspection):
        return PASS
    assert inspection.agreement is not None
    found = [_judged(der, inspection, kit) for der in inspection.agreement.signing_certificates]
    if not found:
        text = f"no signing certificate is known for HER-id {inspection.sender}"
        return Refuse("certificate-missing", text, rule="§3.5")
    if PASS in found:
        return PASS
    return next((verdict for verdict in found if isinstance(verdict, Retry)), found[0])


def opened(inspection: Inspection, kit: Kit) -> Verdict:
    """Decrypted with any key of the receiver's, signed by a certificate registered for the sender (§3.3; §7 steps 9, 10)."""
    body = inspection.arrival.body
    if not body:
        return Refuse("no-payload", "the body is empty")
    if _unprotected(inspection):
        inspection.raw = body
        return PASS
    agreement = inspection.agreement
    assert agreement is not None
    policy = SealPolicy(kit.settings.allow_3des, kit.settings.allow_sha1 or agreement.allow_sha1)
    found = unseal(body, kit.keys.decryption_keys(inspection.receiver), agreement.signing_certificates, policy)
    if isinstance(found, SealFault):
        return Refuse(codes.SEAL[found.reason], found.text, rule="§3.3")
    inspection.raw = found.content
    return _judged(found.certificate_der, inspection, kit)


def function(inspection: Inspection, kit: Kit) -> Verdict:
    """The function, which some wires show only in the document, must be agreed between the two (§1.4, §4.1).

    A receipt is looked up by the function that it is a receipt for, where APPREC itself is not agreed (§2.5).
    """
    assert inspection.document is not None and inspection.agreement is not None
    bus = inspection.bus = amqp.with_function(_bus(inspection), inspection.document)
    if not bus.function:
        return Refuse("bus-field", "neither the message nor its document names a function", data=("Label",))
    if not inspection.agreement.allows(bus.function) and not _answers_what_is_allowed(inspection, kit):
        text = f"{bus.function} is not agreed: {inspection.agreement.because}"
        return Refuse("bus-function", text, rule="§4.1")
    return PASS


def _answers_what_is_allowed(inspection: Inspection, kit: Kit) -> bool:
    document, bus = inspection.document, _bus(inspection)
    if document is None or document.kind != "apprec" or not document.status:
        return False
    found = kit.directory.bus_profile(
        cpa_id=bus.cpa_id, from_her=bus.from_her, to_her=bus.to_her, function=document.status, at=inspection.now
    )
    return not found.fault and found.allows(document.status)


def same_parties(inspection: Inspection, _: Kit) -> Verdict:
    """The document is from and for the HER-ids on the message, at either level (left to us by §7; §4.4).

    An AppRec may name its sender otherwise (ebxml.md §10 items 51, 52).
    """
    document = inspection.document
    assert document is not None
    if document.kind == "apprec":
        return PASS
    if document.sender.her_ids and inspection.sender not in document.sender.her_ids:
        text = f"the message is from HER-id {inspection.sender}, its document from {document.sender.her_id}"
        return Refuse("bus-spoofed", text, "//Sender", "§4.4")
    named = [address.her_ids for address in (document.receiver, *document.copies)]
    if all(named) and not any(inspection.receiver in ids for ids in named):
        text = f"the message is for HER-id {inspection.receiver}, its document for {document.receiver.her_id}"
        data = (inspection.receiver, document.receiver.her_id)
        return Refuse("bus-addressing", text, "//Receiver", "§7 step 12", data=data)
    return PASS


def answerable(inspection: Inspection, _: Kit) -> Verdict:
    """A question must say where its answer goes (§4.2)."""
    if inspection.arrival.door == "amqp_sync" and not _bus(inspection).reply_to:
        return Refuse("bus-field", "missing: reply-to of a synchronous question", rule="§4.2", data=("ReplyTo",))
    return PASS


def _bus(inspection: Inspection) -> BusMessage:
    assert inspection.bus is not None
    return inspection.bus


def _unprotected(inspection: Inspection) -> bool:
    return _bus(inspection).protection != "sealed"


def _judged(der: bytes, inspection: Inspection, kit: Kit) -> Verdict:
    """All that is wrong with it; what cannot be asked now is asked again, never refused (§3.5)."""
    found = bus_certificates.judge(der, Purpose.SIGNING, inspection.now, kit.anchors, kit.revocation)
    if found.usable:
        return PASS
    if found.temporary:
        return Retry(found.code, found.because, timedelta(seconds=kit.settings.retry_undecided_seconds))
    return Refuse(found.code, f"{found.report}: {found.because}", rule="§3.5", data=found.data)
