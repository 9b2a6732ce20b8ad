"""Does the envelope's header keep the numbered rules of HITS 1172, is it for us, and is it in time?"""

from __future__ import annotations

from datetime import timedelta

from hub import codes
from hub.checks.inspection import Inspection
from hub.clock import Jumped
from hub.formats.envelope import HeaderFinding, numbered
from hub.kit import Kit
from hub.verdict import PASS, Pass, Refuse, Retry, Verdict


def rules(inspection: Inspection, kit: Kit) -> Verdict:
    """Findings of the header's reading: the gravest refuses, warnings travel along (HITS 1172 5.7–5.14)."""
    assert inspection.envelope is not None
    findings = inspection.envelope.findings
    if findings:
        findings = _not_agreed(inspection, kit)
    if not findings:
        return PASS
    warnings = []
    for finding in findings:
        code = codes.EBMS.get(finding.ebms_code, "envelope-missing")
        refuse = Refuse(code, finding.text, finding.element, codes.clause(finding.rule))
        if finding.severity != "Warning":
            return refuse
        warnings.append(refuse)
    return Pass(tuple(warnings))


def _not_agreed(inspection: Inspection, kit: Kit) -> tuple[HeaderFinding, ...]:
    """The findings, but for a party without the type HER that the CPA names just so (ebMS 2.0 3.1.1; HITS 1172 60, 61)."""
    envelope = inspection.envelope
    assert envelope is not None
    named = {"60": envelope.from_parties, "61": envelope.to_parties}

    def agreed(finding: HeaderFinding) -> bool:
        found = numbered(named.get(finding.rule, ()))
        return found is not None and kit.directory.known_as(envelope.cpa_id, found.type, found.value)

    return tuple(finding for finding in envelope.findings if not agreed(finding))


def noted(inspection: Inspection, _: Kit) -> Verdict:
    """What the form of a receipt breaks is written down and refuses nothing (HITS 1172 5.12, 5.13: log only)."""
    assert inspection.envelope is not None
    findings = inspection.envelope.findings
    return Pass(tuple(Refuse("envelope-warning", f.text, f.element, codes.clause(f.rule)) for f in findings))


def receiver(inspection: Inspection, kit: Kit) -> Verdict:
    """To must be a party that this hub serves (HITS 1172 54)."""
    party = kit.directory.party(inspection.receiver)
    if party is None or not party.local:
        return Refuse(
            "receiver-not-ours",
            f"HER-id {inspection.receiver or '(none)'} is not served here",
            "//eb:To",
            "HITS 1172 54",
        )
    return PASS


def sender(inspection: Inspection, kit: Kit) -> Verdict:
    """From must be a party that we know (HITS 1172 29)."""
    if kit.directory.party(inspection.sender) is None:
        return Refuse(
            "sender-unknown", f"HER-id {inspection.sender or '(none)'} is not known here", "//eb:From", "HITS 1172 29"
        )
    return PASS


def lifetime(inspection: Inspection, kit: Kit) -> Verdict:
    """TimeToLive in the past on arrival (ebxml.md §1.6); by a clock that has just jumped that is not known yet."""
    assert inspection.envelope is not None
    end = inspection.envelope.time_to_live
    came = inspection.arrival.received_at if inspection.late else inspection.now
    if end is not None and end <= came:
        if isinstance(jumped := kit.clock_watch.now(kit.clock), Jumped):
            left = jumped.left(kit.clock.monotonic())
            return Retry("clock-jumped", f"TimeToLive ended {end.isoformat()} by a clock that has jumped", after=left)
        return Refuse("time-to-live-expired", f"TimeToLive ended {end.isoformat()}", "//eb:TimeToLive")
    return PASS


def clock(inspection: Inspection, kit: Kit) -> Verdict:
    """A Timestamp far in the future is a Warning: the message is sound, the sender's clock is not."""
    assert inspection.envelope is not None
    stamp = inspection.envelope.timestamp
    if stamp is None or stamp <= inspection.now:
        return PASS
    if stamp > inspection.now + timedelta(seconds=kit.settings.future_tolerance_seconds):
        text = f"Timestamp {stamp.isoformat()} is ahead of our clock"
        return Pass((Refuse("envelope-warning", text, "//eb:Timestamp"),))
    return PASS
