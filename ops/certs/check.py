"""Expiry, purpose, path and revocation of every certificate in use, as rows for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hub.kit import Kit
from hub.trust import certificates
from hub.trust.certificates import CertificateFault, Purpose

SOON = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One certificate: whose, for what, and how it stands (`good`, `soon`, or the fault's name)."""

    her_id: str
    name: str
    use: str
    state: str
    not_after: datetime | None
    days_left: int
    because: str


def rows(kit: Kit) -> Iterator[Row]:
    """Every certificate of every party, local and remote."""
    now = kit.clock.now()
    for party in kit.directory.parties():
        for der in party.signing_certificates:
            yield _row(party.her_id, party.name, der, Purpose.SIGNING, now, kit)
        if party.encryption_certificate:
            yield _row(party.her_id, party.name, party.encryption_certificate, Purpose.ENCRYPTION, now, kit)


def _row(her_id: str, name: str, der: bytes, purpose: Purpose, now: datetime, kit: Kit) -> Row:
    found = certificates.judge(der, purpose, now, kit.anchors, kit.revocation)
    try:
        end: datetime | None = certificates.facts(der).not_after
    except ValueError:
        end = None
    left = (end - now).days if end else 0
    if isinstance(found, CertificateFault):
        return Row(her_id, name, purpose, found.reason, end, left, found.text)
    if left < SOON:
        return Row(her_id, name, purpose, "soon", end, left, f"expires in {left} days: order a new one")
    return Row(her_id, name, purpose, "good", end, left, "")
