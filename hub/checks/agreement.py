"""Have the two agreed on this? The CPA, or the party file where there is none (ebxml.md §5.4)."""

from __future__ import annotations

from hub.checks.inspection import Inspection
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
    inspection.agreement = found
    return PASS
