"""Have the two agreed on this? The CPA, or the party file where there is none (ebxml.md §5.4)."""

from __future__ import annotations

from hub import codes
from hub.checks.inspection import Inspection
from hub.formats.envelope import PartyId
from hub.kit import Kit
from hub.verdict import PASS, Refuse, Verdict

LOCATIONS = {"cpa-service": "//eb:Service", "cpa-party": "//eb:From", "sender-unknown": "//eb:From"}


def agreed(inspection: Inspection, kit: Kit) -> Verdict:
    """Finds the agreement by CPAId, parties, role, service and action; what cannot be used says why."""
    envelope = inspection.envelope
    assert envelope is not None
    found = kit.directory.agreement(
        cpa_id=envelope.cpa_id,
        from_her=inspection.sender,
        to_her=inspection.receiver,
        service=envelope.service,
        action=envelope.action,
        role=envelope.from_role,
        at=inspection.now,
    )
    if found.fault:
        return Refuse(found.fault, found.because, LOCATIONS.get(found.fault, "//eb:CPAId"))
    if not found.national and (stranger := _otherwise_named(inspection, kit)):
        text = f"CPA {found.cpa_id} has {stranger.value} by another type than {stranger.type} (ebMS 2.0 3.1.1.1)"
        return Refuse("cpa-party", text, "//eb:From")
    inspection.agreement = found
    return PASS


def _otherwise_named(inspection: Inspection, kit: Kit) -> PartyId | None:
    """A PartyId of another type than the CPA has for that number; where either has no type the number is enough."""
    envelope = inspection.envelope
    assert envelope is not None
    numbers = (envelope.from_parties, inspection.sender), (envelope.to_parties, inspection.receiver)
    named = (next(p for p in parties if p.value == number) for parties, number in numbers)
    return next((p for p in named if not kit.directory.known_as(envelope.cpa_id, p.type, p.value)), None)


#: Clause of a remark → the element that it misses, which an agreement may leave free.
LEFT_OUT = {
    codes.clause("75"): "AckRequested",
    codes.clause("94"): "AckRequested/@signed",
    codes.clause("74"): "DuplicateElimination",
}


def free(inspection: Inspection, _: Kit) -> Verdict:
    """What the agreement leaves to each message, or agrees away, is nothing to remark upon (CPPA 2.0 8.4.22)."""
    assert inspection.agreement is not None
    if inspection.warnings and inspection.agreement.free:
        own = inspection.agreement.free
        inspection.warnings = [w for w in inspection.warnings if LEFT_OUT.get(w.rule) not in own]
    return PASS
