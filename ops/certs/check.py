"""Expiry, purpose, path and revocation of every certificate in use, and of the lists that say so, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509

from adapters.revocation.crl import CrlStore, Newest
from hub.kit import Kit
from hub.trust import certificates
from hub.trust.certificates import CertificateFault, Purpose

SOON = 30
#: A list with less than this share of its time left should have been followed by a newer one.
LATE = 0.2


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
    own: bool = False  #: of a party that is served here
    crl_until: datetime | None = (
        None  #: nextUpdate of the list that says whether it is revoked; None: no list, or no end
    )


@dataclass(frozen=True, slots=True)
class ListRow:
    """The revocation list of one authority that has issued what is in use (`good`, `soon`, `expired`, `missing`, `broken`)."""

    issuer: str
    state: str
    next_update: datetime | None
    because: str


def rows(kit: Kit, *, own: bool = False) -> Iterator[Row]:
    """Every certificate of every party, local and remote; or only of those that are served here."""
    now, lists = kit.clock.now(), {one.subject: one for one in _lists(kit)}
    for party in kit.directory.parties():
        if own and not party.local:
            continue
        several = [(der, Purpose.SIGNING) for der in party.signing_certificates]
        if party.encryption_certificate:
            several.append((party.encryption_certificate, Purpose.ENCRYPTION))
        for der, purpose in several:
            row = replace(_row(party.her_id, party.name, der, purpose, now, kit), own=party.local)
            yield _with_list(row, lists.get(_issuer(der)), now)


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


def _with_list(row: Row, found: Newest | None, now: datetime) -> Row:
    """With the end of the list that it depends on, and a word where that comes soon."""
    row = replace(row, crl_until=found.next_update if found else None)
    if row.state == "good" and found is not None and (words := _late(found, now)):
        return replace(row, state="soon", because=f"the CRL of {found.issuer} {words}")
    return row


def lists(kit: Kit) -> Iterator[ListRow]:
    """The lists of all authorities that have issued a certificate in use, the missing ones too, and files that are none."""
    now, found = kit.clock.now(), {one.subject: one for one in _lists(kit)}
    for subject, name in sorted(_issuers(kit).items(), key=lambda one: one[1]):
        one = found.get(subject)
        if one is None:
            words = "no CRL of it lies in revocation.folder: what it has issued cannot be judged"
            yield ListRow(name, "missing", None, words)
            continue
        words = _late(one, now)
        gone = one.next_update is not None and one.next_update <= now
        yield ListRow(one.issuer, "expired" if gone else "soon" if words else "good", one.next_update, words)
    store = _store(kit)
    for name, why in sorted(store.broken.items()) if store is not None else ():
        yield ListRow(name, "broken", None, f"cannot be read: {why}")


def _late(one: Newest, now: datetime) -> str:
    """What to do about a list that ends, or has ended; empty while it has its time."""
    if one.next_update is None or one.until is None:
        return ""
    end = f"{one.next_update:%Y-%m-%d %H:%M} UTC"
    if one.until < now:
        return f"ended {end} and is not believed any more: fetch a newer one"
    if one.next_update <= now:
        return f"ended {end} and is believed until {one.until:%Y-%m-%d %H:%M} UTC: fetch a newer one"
    whole = max(one.next_update - one.this_update, timedelta(seconds=1))
    return f"ends {end}: fetch a newer one" if (one.next_update - now) / whole < LATE else ""


def _lists(kit: Kit) -> list[Newest]:
    store = _store(kit)
    return store.newest() if store is not None else []


def _store(kit: Kit) -> CrlStore | None:
    """Where revocation is known from lists."""
    found = kit.present().revocation
    return found if isinstance(found, CrlStore) else None


def _issuers(kit: Kit) -> dict[bytes, str]:
    """Authorities that have issued a certificate in use, by the DER of their names; only those that are trusted here."""
    used = {
        _issuer(der) for p in kit.directory.parties() for der in (*p.signing_certificates, p.encryption_certificate)
    }
    found = {}
    for der in (*kit.anchors.intermediates, *kit.anchors.roots):
        subject = x509.load_der_x509_certificate(der).subject
        if (name := subject.public_bytes()) in used:
            found[name] = certificates.facts(der).subject
    return found


@lru_cache(maxsize=4096)
def _issuer(der: bytes) -> bytes:
    """DER of the name of who issued it; empty for what is no certificate."""
    try:
        return x509.load_der_x509_certificate(der).issuer.public_bytes() if der else b""
    except ValueError:
        return b""
