"""More wrong certificates than the example PKI has: weak, too young, self-signed, elliptic, of an authority without a CRL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from adapters.register.keys import private_key
from hub.trust.signature import SigningKey

EVERY = (
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


@dataclass(frozen=True, slots=True)
class More:
    """Keys by name, and the authority that is trusted but publishes nothing until it is asked to."""

    keys: Mapping[str, SigningKey]
    silent: tuple[RSAPrivateKey, x509.Name]

    def speak(self, crls: Path) -> None:
        """From now on the silent authority has a CRL, an empty one."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.silent[1])
        builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=30))
        content = builder.sign(self.silent[0], hashes.SHA256()).public_bytes(Encoding.DER)
        (crls / "silent.crl").write_bytes(content)


def make_more(folder: Path) -> More:
    """Issued below the PKI in `folder`; the silent authority is added to its intermediates."""
    issuing = _authority(folder / "ca" / "issuing")
    root = _authority(folder / "ca" / "root")
    spare = rsa.generate_private_key(65537, 2048)
    silent_key = rsa.generate_private_key(65537, 2048)
    silent = _issue("Stille CA", silent_key, root, usages=("key_cert_sign", "crl_sign"), authority=True)
    (folder / "ca" / "intermediates" / "silent.cert.pem").write_bytes(silent.public_bytes(Encoding.PEM))
    weak = rsa.generate_private_key(65537, 1024)
    own = (spare, _named("Egenutstedt"))
    keys = {
        "weak": _pair(weak, _issue("Svak", weak, issuing)),
        "future": _pair(spare, _issue("Fremtidig", spare, issuing, days=(10, 20))),
        "self-signed": _pair(spare, _issue("Egenutstedt", spare, own)),
        "silent": _pair(spare, _issue("Av stille CA", spare, (silent_key, silent.subject))),
        "sheltered": _pair(spare, _issue("Kort", spare, issuing, days=(-1, 1))),
    }
    return More(keys, (silent_key, silent.subject))


def elliptic(folder: Path) -> bytes:
    """A certificate in DER whose key is not RSA, issued by the trusted authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _issue("Elliptisk", key, _authority(folder / "ca" / "issuing")).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def _pair(key: RSAPrivateKey, certificate: x509.Certificate) -> SigningKey:
    return SigningKey(key, certificate.public_bytes(Encoding.DER))


def _authority(folder: Path) -> tuple[RSAPrivateKey, x509.Name]:
    certificate = x509.load_pem_x509_certificate((folder / "sign.cert.pem").read_bytes())
    return private_key(folder / "sign.key.pem"), certificate.subject


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "NO"), x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _issue(
    name: str,
    key: RSAPrivateKey,
    issuer: tuple[RSAPrivateKey, x509.Name],
    *,
    usages: Sequence[str] = ("content_commitment",),
    days: tuple[int, int] = (-1, 365),
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_named(name)).issuer_name(issuer[1]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1]))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    usage = x509.KeyUsage(**{bit: bit in usages for bit in EVERY})
    return builder.add_extension(usage, critical=True).sign(issuer[0], hashes.SHA256())


def self_signed() -> bytes:
    """A certificate of nobody in particular, in DER."""
    key, name, now = ec.generate_private_key(ec.SECP256R1()), _named("fagsystem"), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
