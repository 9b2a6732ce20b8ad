"""Have the two agreed on this? The CPA, or the party file where there is none (ebxml.md §5.4)."""

from __future__ import annotations

from dataclasses import replace

from hub import codes
from hub.checks.inspection import Inspection
from hub.formats.envelope import SIGNAL_SERVICE, PartyId
from hub.kit import Kit
from hub.message import Agreement
from hub.verdict import PASS, Refuse, Verdict

#: Kind of a signal → its action, however that is spelt.
SIGNALS = {
    "acknowledgment": "Acknowledgment",
    "error": "MessageError",
    "ping": "Ping",
    "pong": "Pong",
    "status_request": "StatusRequest",
    "status_response": "StatusResponse",
}
OUT_OF_TIME = frozenset({"cpa-expired", "cpa-not-yet-valid"})
LOCATIONS = {"cpa-service": "//eb:Service", "cpa-party": "//eb:From", "sender-unknown": "//eb:From"}


def agreed(inspection: Inspection, kit: Kit) -> Verdict:
    """Finds the agreement by CPAId, parties, role, service and action; what cannot be used says why.

    A signal is known by what it holds: its Service and Action may be misspelt (HITS 1172 106, 107, 120, 121 are noted).
    """
    envelope = inspection.envelope
    assert envelope is not None
    if (signal := SIGNALS.get(envelope.kind)) is not None:
        found = _as_sent(_agreement(inspection, kit, SIGNAL_SERVICE, signal, ""), inspection, kit)
    else:
        found = _agreement(inspection, kit, envelope.service, envelope.action, envelope.from_role)
    if found.fault:
        return Refuse(found.fault, found.because, LOCATIONS.get(found.fault, "//eb:CPAId"))
    if not found.national and (stranger := _otherwise_named(inspection, kit)):
        text = f"CPA {found.cpa_id} has {stranger.value} by another type than {stranger.type} (ebMS 2.0 3.1.1.1)"
        return Refuse("cpa-party", text, "//eb:From")
    inspection.agreement = found
    return PASS


def _as_sent(found: Agreement, inspection: Inspection, kit: Kit) -> Agreement:
    """A receipt belongs to the agreement that its message went out under, though that has ended or been replaced since.

    It is believed by its proof, and by the digests of what we sent: when it comes changes neither.
    """
    assert inspection.envelope is not None
    if inspection.envelope.kind not in ("acknowledgment", "error"):
        return found
    if found.fault in OUT_OF_TIME:
        return replace(found, fault="")
    if found.fault != "cpa-unknown":
        return found
    signal = SIGNALS[inspection.envelope.kind]
    registered = kit.directory.agreement(
        cpa_id="",
        from_her=inspection.sender,
        to_her=inspection.receiver,
        service=SIGNAL_SERVICE,
        action=signal,
        role="",
        at=inspection.now,
    )
    return found if registered.fault else registered


def _otherwise_named(inspection: Inspection, kit: Kit) -> PartyId | None:
    """A PartyId of another type than the CPA has for that number; where either has no type the number is enough."""
    envelope = inspection.envelope
    assert envelope is not None
    numbers = (envelope.from_parties, inspection.sender), (envelope.to_parties, inspection.receiver)
    named = (next(p for p in parties if p.value == number) for parties, number in numbers)
    return next((p for p in named if not kit.directory.known_as(envelope.cpa_id, p.type, p.value)), None)


def for_refusals(inspection: Inspection, kit: Kit) -> Agreement | None:
    """How a refusal goes back that comes before what is agreed for its action is known: by the sender's own channel for signals.

    The CPAId alone says which that is (ebMS 2.0 4.2.4.2, CPPA 2.0 syncReplyMode), also of a CPA that is out of its time:
    the sender listens as its copy says. None where no agreement between the two is named.
    """
    if inspection.envelope is None or not inspection.envelope.cpa_id:
        return None
    found = _agreement(inspection, kit, SIGNAL_SERVICE, "MessageError", "")
    return None if found.fault and found.fault not in OUT_OF_TIME else found


def _agreement(inspection: Inspection, kit: Kit, service: str, action: str, role: str) -> Agreement:
    assert inspection.envelope is not None
    return kit.directory.agreement(
        cpa_id=inspection.envelope.cpa_id,
        from_her=inspection.sender,
        to_her=inspection.receiver,
        service=service,
        action=action,
        role=role,
        at=inspection.now,
    )


#: Clause of a remark → the element that it misses, which an agreement may leave free.
LEFT_OUT = {
    codes.clause("75"): "AckRequested",
    codes.clause("94"): "AckRequested/@signed",
    codes.clause("74"): "DuplicateElimination",
}


def free(inspection: Inspection, _: Kit) -> Verdict:
    """What the agreement leaves to each message, or agrees away, is nothing to remark upon (CPPA 2.0 MessagingCharacteristics)."""
    assert inspection.agreement is not None
    if inspection.warnings and inspection.agreement.free:
        own = inspection.agreement.free
        inspection.warnings = [w for w in inspection.warnings if LEFT_OUT.get(w.rule) not in own]
    return PASS
