"""Certificates on the bus: every flaw has its flag, its row and its report; a revocation server that is down refuses nobody."""

from __future__ import annotations

import hashlib
from datetime import datetime

import pytest

from hub import codes
from hub.formats.amqp_report import Condition
from hub.trust import bus_certificates
from hub.trust.bus_certificates import REPORTED, SEVERAL, Flaw, Judged
from hub.trust.certificates import Purpose, Status
from tests.unit.keys import certificate, private_key
from tests.unit.test_certificates import ANCHORS, ENCRYPTION, ISSUER, NOW, OWN, SIGNING, YEAR, Known, issue


def judged(
    der: bytes, purpose: Purpose = Purpose.SIGNING, *, at: datetime = NOW, revocation: Status = "good"
) -> Judged:
    return bus_certificates.judge(der, purpose, at, ANCHORS, Known(revocation))


def test_what_is_right_is_usable() -> None:
    assert judged(SIGNING) == Judged(Flaw.NONE) and judged(SIGNING).usable
    assert judged(ENCRYPTION, Purpose.ENCRYPTION).usable


@pytest.mark.parametrize(
    ("der", "purpose", "at", "revocation", "flaw"),
    [
        (SIGNING, Purpose.SIGNING, NOW - 2 * YEAR, "good", Flaw.START_DATE),
        (SIGNING, Purpose.SIGNING, NOW + 2 * YEAR, "good", Flaw.END_DATE),
        (SIGNING, Purpose.ENCRYPTION, NOW, "good", Flaw.USAGE),
        (ENCRYPTION, Purpose.SIGNING, NOW, "good", Flaw.USAGE),
        (SIGNING, Purpose.SIGNING, NOW, "revoked", Flaw.REVOKED),
        (SIGNING, Purpose.SIGNING, NOW, "unknown", Flaw.REVOKED_OFFLINE),
        (b"", Purpose.SIGNING, NOW, "good", Flaw.MISSING),
        (b"\x30\x00", Purpose.SIGNING, NOW, "good", Flaw.MISSING),
        (certificate(7), Purpose.SIGNING, NOW, "good", Flaw.USAGE | Flaw.UNTRUSTED),
        (SIGNING, Purpose.SIGNING, NOW + 2 * YEAR, "revoked", Flaw.END_DATE | Flaw.REVOKED),
        (SIGNING, Purpose.SIGNING, NOW + 2 * YEAR, "unknown", Flaw.END_DATE),
    ],
)
def test_every_flaw_is_found_with_its_flag(
    der: bytes, purpose: Purpose, at: datetime, revocation: Status, flaw: Flaw
) -> None:
    """nhn-amqp.md §3.5."""
    found = judged(der, purpose, at=at, revocation=revocation)
    assert found.flaws == flaw and not found.usable and found.because
    assert (found.code, found.report) == REPORTED.get(flaw, SEVERAL)
    assert found.temporary == (flaw == Flaw.REVOKED_OFFLINE)


def test_usage_is_asked_of_the_very_bit() -> None:
    """digitalSignature alone signs an envelope, but nothing on the bus; no usage at all is no usage."""
    for usages in (("digital_signature",), None):
        der = issue(OWN, private_key(3), ISSUER, usages=usages)
        assert judged(der).flaws == Flaw.USAGE


def test_an_authority_that_has_expired_vouches_for_nobody() -> None:
    der = issue(OWN, private_key(3), ISSUER, end=NOW + 9 * YEAR)
    assert judged(der, at=NOW + 6 * YEAR).flaws == Flaw.UNTRUSTED


def test_the_report_names_subject_and_thumbprint() -> None:
    subject, thumbprint = judged(SIGNING, revocation="revoked").data
    assert subject.startswith("Subject: ") and "Solvik kommune" in subject
    assert thumbprint == f"Thumbprint: {hashlib.sha1(SIGNING).hexdigest().upper()}"
    assert judged(b"").data == ()


def test_every_flaw_is_reported_by_the_condition_of_the_table() -> None:
    """nhn-amqp.md §3.5; an issuer that nobody trusts is our own addition, and revocation that is unknown is never sent."""
    said = {flaw: codes.condition(code) for flaw, (code, _) in REPORTED.items() if flaw != Flaw.REVOKED_OFFLINE}
    assert said == {
        Flaw.START_DATE: Condition.EXPIRED_CERTIFICATE,
        Flaw.END_DATE: Condition.EXPIRED_CERTIFICATE,
        Flaw.USAGE: Condition.INVALID_CERTIFICATE,
        Flaw.REVOKED: Condition.REVOKED_CERTIFICATE,
        Flaw.MISSING: Condition.MISSING_CERTIFICATE,
        Flaw.UNTRUSTED: Condition.INVALID_CERTIFICATE,
    }
    assert codes.condition(SEVERAL[0]) == Condition.INVALID_CERTIFICATE
