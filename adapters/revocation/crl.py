"""hub.trust.certificates.RevocationSource over a folder of CRLs, each believed only with its authority's signature."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from adapters.revocation.settings import RevocationSettings
from hub.trust.certificates import Status


@dataclass(frozen=True, slots=True)
class _List:
    issuer: bytes  #: DER of the issuer's name
    crl: x509.CertificateRevocationList
    serials: frozenset[int]
    until: datetime | None  #: how long it is believed; None where it does not say


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest list of one authority, for people."""

    issuer: str  #: its common name, else the whole
    subject: bytes  #: DER of its name
    this_update: datetime
    next_update: datetime | None  #: None where it has no end
    until: datetime | None  #: how long it is believed


class CrlStore:
    """Looks serials up in sets; the folder is read again when its files have changed."""

    def __init__(self, settings: RevocationSettings, now: Callable[[], datetime]) -> None:
        self._settings, self._now = settings, now
        self._lists: dict[bytes, list[_List]] = {}
        self._believed: dict[tuple[int, bytes], bool] = {}
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._look_again: datetime | None = None
        self.broken: dict[str, str] = {}  #: files that cannot be read, with their reason

    def status(self, certificate_der: bytes, issuer_der: bytes) -> Status:
        """`revoked` by any list of the issuer, `good` by one that is fresh, else `unknown` (ebxml.md §4.6)."""
        now = self._now()
        self._refresh(now)
        serial, issuer = _serial(certificate_der), _subject(issuer_der)
        answer: Status = "unknown"
        for one in self._lists.get(issuer, []):
            if not self._signed(one, issuer_der):
                continue
            if serial in one.serials:
                return "revoked"
            if one.until is None or now <= one.until:
                answer = "good"
        return answer

    def look(self) -> dict[str, str]:
        """Reads what has changed at once; the files that cannot be read, with their reason."""
        self._look_again = None
        self._refresh(self._now())
        return self.broken

    def files(self) -> Iterator[tuple[str, str]]:
        """Name and digest of every file of the folder."""
        folder = self._settings.folder
        for file in sorted(folder.glob("*")) if folder.is_dir() else []:
            if file.is_file():
                yield file.name, sha256(file.read_bytes()).hexdigest()[:12]

    def newest(self) -> list[Newest]:
        """Of every authority with a list, believed or not, the one that lasts longest."""
        self._refresh(self._now())
        return [_newest(max(several, key=_lasts)) for several in self._lists.values()]

    def _signed(self, one: _List, issuer_der: bytes) -> bool:
        key = (id(one), issuer_der)
        if key not in self._believed:
            public = x509.load_der_x509_certificate(issuer_der).public_key()
            known = isinstance(public, RSAPublicKey | EllipticCurvePublicKey)
            self._believed[key] = known and one.crl.is_signature_valid(public)  # type: ignore[arg-type]
        return self._believed[key]

    def _refresh(self, now: datetime) -> None:
        if self._look_again is not None and now < self._look_again:
            return
        self._look_again = now + timedelta(seconds=self._settings.look_seconds)
        files = sorted(self._settings.folder.glob("*")) if self._settings.folder.is_dir() else []
        seen = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())
        if seen != self._seen:
            self._seen, self._believed, self._lists = seen, {}, {}
            for one in self._read(Path(name) for name, _, _ in seen):
                self._lists.setdefault(one.issuer, []).append(one)

    def _read(self, files: Iterator[Path]) -> Iterator[_List]:
        self.broken = {}
        for file in files:
            try:
                content = file.read_bytes()
                load = x509.load_pem_x509_crl if b"-----BEGIN" in content[:100] else x509.load_der_x509_crl
                crl = load(content)
            except (OSError, ValueError) as error:
                self.broken[file.name] = str(error)
                continue
            serials = frozenset(revoked.serial_number for revoked in crl)
            yield _List(crl.issuer.public_bytes(), crl, serials, self._until(crl.next_update_utc))

    def _until(self, next_update: datetime | None) -> datetime | None:
        """With the grace; a list for the year 9999 is one without an end."""
        if next_update is None or next_update.year == MAXYEAR:
            return None
        return next_update + timedelta(hours=self._settings.grace_hours)


def _lasts(one: _List) -> datetime:
    return one.until or datetime.max.replace(tzinfo=UTC)


def _newest(one: _List) -> Newest:
    named = one.crl.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    issuer = str(named[0].value) if named else one.crl.issuer.rfc4514_string()
    end = one.crl.next_update_utc if one.until is not None else None
    return Newest(issuer, one.issuer, one.crl.last_update_utc, end, one.until)


@lru_cache(maxsize=4096)
def _serial(der: bytes) -> int:
    return x509.load_der_x509_certificate(der).serial_number


@lru_cache(maxsize=4096)
def _subject(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).subject.public_bytes()
