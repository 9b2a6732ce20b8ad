"""Certificates before a witness: `openssl verify` with CRLs says of every example what we say, at every time."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.revocation.crl import CrlStore
from adapters.revocation.settings import RevocationSettings
from hub.trust.certificates import CertificateFault, Purpose, TrustAnchors, judge
from ops.certs.make_example import BAD, ExampleParty, make_example, write_crls

NOW = datetime.now(UTC).replace(microsecond=0)
#: openssl's words → ours. It knows no difference between signing and authentication certificates.
WORDS = {
    "certificate has expired": "expired",
    "certificate is not yet valid": "not-yet-valid",
    "certificate revoked": "revoked",
    "unable to get local issuer certificate": "unknown-issuer",
    "unable to get certificate CRL": "revocation-unknown",
    "CRL has expired": "revocation-unknown",
    "unsuitable certificate purpose": "wrong-purpose",
    "unsupported certificate purpose": "wrong-purpose",
}
#: What is judged, and by which purpose of openssl: (file, ours, theirs).
CASES = [
    ("kommune/sign", Purpose.SIGNING, "smimesign"),
    ("kommune/encrypt", Purpose.ENCRYPTION, "smimeencrypt"),
    ("kommune/sign", Purpose.ENCRYPTION, "smimeencrypt"),
    *((f"kommune-{kind}/sign", Purpose.SIGNING, "smimesign") for kind in BAD if kind != "wrong-purpose"),
    ("kommune-wrong-purpose/sign", Purpose.ENCRYPTION, "smimeencrypt"),
]
OFFSETS = [timedelta(days=d) for d in (-4000, -740, -725, -2, 0, 9, 11, 40, 1000, 1100, 3640, 3660)]


@dataclass(frozen=True, slots=True)
class Pki:
    """The example PKI in a folder."""

    folder: Path

    def der(self, name: str) -> bytes:
        raw = (self.folder / f"{name}.cert.pem").read_bytes()
        return x509.load_pem_x509_certificate(raw).public_bytes(Encoding.DER)

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors((self.der("ca/root/sign"),), (self.der("ca/issuing/sign"),))

    def ours(self, name: str, purpose: Purpose, at: datetime) -> str:
        settings = RevocationSettings(folder=self.folder / "crl", grace_hours=0)
        found = judge(self.der(name), purpose, at, self.anchors, CrlStore(settings, lambda: at))
        return found.reason if isinstance(found, CertificateFault) else ""

    def theirs(self, name: str, purpose: str, at: datetime) -> str:
        crls = [word for name in ("root", "issuing") for word in ("-CRLfile", str(self._pem_crl(name)))]
        command = [
            "openssl",
            "verify",
            "-purpose",
            purpose,
            "-attime",
            str(int(at.timestamp())),
            "-crl_check_all",
            *crls,
        ]
        command += ["-CAfile", str(self.folder / "ca/root/sign.cert.pem")]
        command += ["-untrusted", str(self.folder / "ca/issuing/sign.cert.pem"), str(self.folder / f"{name}.cert.pem")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            return ""
        found = re.search(r"error \d+ at \d+ depth lookup: ?(.+)", done.stdout + done.stderr)
        assert found is not None, done.stderr
        return WORDS[found[1].strip()]

    def _pem_crl(self, name: str) -> Path:
        target = self.folder / f"{name}.crl.pem"
        crl = self.folder / "crl" / f"{name}.crl"
        if crl.exists():
            target.write_bytes(x509.load_der_x509_crl(crl.read_bytes()).public_bytes(Encoding.PEM))
        return target


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    make_example(folder, [ExampleParty("kommune", "Solvik kommune", "999000010")], NOW, "kommune")
    serials = [x509.load_pem_x509_certificate((folder / "kommune-revoked/sign.cert.pem").read_bytes()).serial_number]
    write_crls(folder, NOW, serials, days=4000)  # so that time alone decides below
    return Pki(folder)


@pytest.mark.parametrize(("name", "purpose", "theirs"), CASES)
def test_openssl_says_the_same_today(pki: Pki, name: str, purpose: Purpose, theirs: str) -> None:
    assert pki.ours(name, purpose, NOW) == pki.theirs(name, theirs, NOW)


def test_each_bad_kind_is_bad_in_its_own_way(pki: Pki) -> None:
    found = {kind: pki.ours(f"kommune-{kind}/sign", Purpose.SIGNING, NOW) for kind in BAD}
    assert found == {kind: "" if kind == "expiring" else kind for kind in BAD}


def test_openssl_says_the_same_at_every_time(pki: Pki) -> None:
    """Where a CRL is from the future openssl has no answer, and neither has anybody; there only validity is compared."""
    compared = 0
    for name, purpose, theirs in CASES:
        for offset in OFFSETS:
            at = NOW + offset
            ours, asked = pki.ours(name, purpose, at), _theirs_or_nothing(pki, name, theirs, at)
            if asked is None or _several_reasons(ours, asked):
                continue
            assert ours == asked, f"{name} at {offset}: openssl says {asked or 'OK'}"
            compared += 1
    assert compared > len(CASES) * len(OFFSETS) // 2


def _theirs_or_nothing(pki: Pki, name: str, purpose: str, at: datetime) -> str | None:
    try:
        return pki.theirs(name, purpose, at)
    except KeyError:  # "CRL is not yet valid"
        return None


def _several_reasons(ours: str, theirs: str) -> bool:
    """Both refuse, and each names the reason that it meets first: a stranger's certificate may be expired as well."""
    return bool(ours) and bool(theirs) and ours != theirs


def test_a_missing_or_old_crl_leaves_the_answer_open(pki: Pki, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    make_example(folder, [ExampleParty("kommune", "Solvik kommune", "999000010")], NOW)
    other = Pki(folder)
    old = NOW + timedelta(days=31)
    assert other.ours("kommune/sign", Purpose.SIGNING, old) == "revocation-unknown"
    assert other.theirs("kommune/sign", "smimesign", old) == "revocation-unknown"
    (folder / "crl" / "issuing.crl").unlink()
    assert other.ours("kommune/sign", Purpose.SIGNING, NOW) == "revocation-unknown"


def test_a_crl_with_another_signature_is_not_believed(pki: Pki, tmp_path: Path) -> None:
    """An empty list by somebody else must not make a revoked certificate good."""
    folder = tmp_path / "crl"
    folder.mkdir()
    for name in ("root", "issuing"):
        (folder / f"{name}.crl").write_bytes((pki.folder / "crl" / f"{name}.crl").read_bytes())
    raw = bytearray((folder / "issuing.crl").read_bytes())
    raw[-1] ^= 1
    (folder / "issuing.crl").write_bytes(bytes(raw))
    store = CrlStore(RevocationSettings(folder=folder), lambda: NOW)
    found = judge(pki.der("kommune-revoked/sign"), Purpose.SIGNING, NOW, pki.anchors, store)
    assert isinstance(found, CertificateFault) and found.reason == "revocation-unknown"


def test_the_real_crl_names_the_real_revoked_certificate(standards: Path) -> None:
    folder = standards / "samples/pki/nav-ebxml-processor"
    crl = x509.load_der_x509_crl((folder / "BPClass3CA2.crl").read_bytes())
    serials = {revoked.serial_number for revoked in crl}
    load = x509.load_pem_x509_certificate
    for name, wanted in (("revoked", True), ("valid", False), ("expired", False)):
        raw = (folder / f"{name}.qcevident.ca23.ssl.buypass.no.cer").read_bytes()
        certificate = load(raw) if b"-----BEGIN" in raw else x509.load_der_x509_certificate(raw)
        assert (certificate.serial_number in serials) == wanted
