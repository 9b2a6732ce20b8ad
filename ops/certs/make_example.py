"""Makes a small PKI shaped like the sector's: organisation certificates in pairs, a CRL, an OCSP responder, and bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

#: Bad kinds and what is wrong with each.
BAD = {
    "expiring": "valid, but only for ten more days",
    "expired": "was valid until yesterday",
    "revoked": "stands on the CRL",
    "wrong-purpose": "is for encryption, not for signing",
    "unknown-issuer": "was issued by an authority that nobody trusts",
}
POLICY = x509.ObjectIdentifier("2.16.578.1.26.1.0.3.2")  # enterprise, test (ebxml.md §4.5)


@dataclass(frozen=True, slots=True)
class ExampleParty:
    """An organisation that gets a signing and an encryption certificate in the folder `name`."""

    name: str
    organisation: str
    organisation_number: str


@dataclass(frozen=True, slots=True)
class _Authority:
    key: RSAPrivateKey
    certificate: x509.Certificate


def make_example(
    folder: Path, parties: Sequence[ExampleParty], now: datetime, bad_for: str = "", *, bits: int = 2048
) -> list[Path]:
    """Writes the PKI below `folder`; with `bad_for` (a party's name) also each bad kind, in `<bad_for>-<kind>`.

    `ca/roots`, `ca/intermediates` and `crl` are what a hub trusts; `<name>` holds sign and encrypt, key and certificate.
    Returns the folders of the parties.
    """
    wanted = [p.name for p in parties]
    bad = {f"{bad_for}-{kind}": kind for kind in BAD} if bad_for else {}
    keys = _keys([*wanted, *(f"{name}/encrypt" for name in wanted), *bad, "root", "issuing", "other", "ocsp"], bits)
    root = _authority("Eksempel Rot-CA", keys["root"], None, now)
    issuing = _authority("Eksempel Virksomhet CA 1", keys["issuing"], root, now)
    stranger = _authority("Ukjent CA", keys["other"], None, now)
    _write_authorities(folder, root, issuing)
    by_name = {p.name: p for p in parties}
    for party in parties:
        signing = _issue(party, "signing", keys[party.name], issuing, now)
        encryption = _issue(party, "encryption", keys[f"{party.name}/encrypt"], issuing, now)
        _write_pair(folder / party.name, "sign", keys[party.name], signing)
        _write_pair(folder / party.name, "encrypt", keys[f"{party.name}/encrypt"], encryption)
    revoked = []
    for name, kind in bad.items():
        issuer = stranger if kind == "unknown-issuer" else issuing
        certificate = _issue(by_name[bad_for], _use(kind), keys[name], issuer, _when(kind, now), days=_days(kind))
        _write_pair(folder / name, "sign", keys[name], certificate)
        if kind == "revoked":
            revoked.append(certificate.serial_number)
    responder = _issue(ExampleParty("ocsp", "Eksempel OCSP", "999999999"), "ocsp", keys["ocsp"], issuing, now)
    _write_pair(folder / "ca" / "ocsp", "sign", keys["ocsp"], responder)
    write_crls(folder, now, revoked)
    return [folder / name for name in wanted]


def write_crls(folder: Path, now: datetime, revoked: Sequence[int], *, days: int = 30) -> None:
    """(Re)writes the CRLs of root and issuing authority; `revoked` are serials of the issuing one."""
    for name, serials in (("root", ()), ("issuing", revoked)):
        own = folder / "ca" / name
        key = _load_key(own / "sign.key.pem")
        certificate = x509.load_pem_x509_certificate((own / "sign.cert.pem").read_bytes())
        builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
        builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=days))
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(days=1))
            builder = builder.add_revoked_certificate(entry.build())
        target = folder / "crl" / f"{name}.crl"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


def _keys(names: Sequence[str], bits: int) -> dict[str, RSAPrivateKey]:
    """Generating holds no lock, so threads use every processor."""
    with ThreadPoolExecutor() as pool:
        made = pool.map(lambda _: rsa.generate_private_key(public_exponent=65537, key_size=bits), names)
        return dict(zip(names, made, strict=True))


def _use(kind: str) -> str:
    return "encryption" if kind == "wrong-purpose" else "signing"


def _when(kind: str, now: datetime) -> datetime:
    return {"expired": now - timedelta(days=731), "expiring": now - timedelta(days=720)}.get(kind, now)


def _days(kind: str) -> int:
    return 730 if kind in ("expired", "expiring") else 1095


def _authority(name: str, key: RSAPrivateKey, issuer: _Authority | None, now: datetime) -> _Authority:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "NO"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Samhandling Hub eksempel"),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, "NTRNO-999999999"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    builder = _builder(subject, issuer.certificate.subject if issuer else subject, key, now, 3650)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return _Authority(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def _issue(
    party: ExampleParty, use: str, key: RSAPrivateKey, issuer: _Authority, now: datetime, days: int = 1095
) -> x509.Certificate:
    """An organisation certificate (SEID 2.0): nonRepudiation alone for signing, keyEncipherment for encryption."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "NO"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, party.organisation),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"NTRNO-{party.organisation_number}"),
            x509.NameAttribute(NameOID.COMMON_NAME, party.organisation),
        ]
    )
    usages = {
        "signing": ("content_commitment",),
        "encryption": ("digital_signature", "key_encipherment"),
        "ocsp": ("digital_signature",),
    }[use]
    builder = _builder(subject, issuer.certificate.subject, key, now, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(*usages), critical=True)
    builder = builder.add_extension(
        x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), critical=False
    ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    if use == "ocsp":
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
    else:
        where = x509.UniformResourceIdentifier("http://127.0.0.1:8088/ocsp")
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: RSAPrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*names: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in names for name in every})


def _write_authorities(folder: Path, root: _Authority, issuing: _Authority) -> None:
    for name, authority, trusted in (("root", root, "roots"), ("issuing", issuing, "intermediates")):
        _write_pair(folder / "ca" / name, "sign", authority.key, authority.certificate)
        target = folder / "ca" / trusted / f"{name}.cert.pem"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(authority.certificate.public_bytes(Encoding.PEM))


def _write_pair(folder: Path, name: str, key: RSAPrivateKey, certificate: x509.Certificate) -> None:
    """The key readable by its owner alone."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.key.pem"
    target.touch(mode=0o600)
    target.chmod(0o600)
    target.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / f"{name}.cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def _load_key(path: Path) -> RSAPrivateKey:
    from adapters.register.keys import private_key

    return private_key(path)
