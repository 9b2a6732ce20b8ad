"""Our own private keys, from the folders that the party file names; each is loaded once, at start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.register.file import der
from hub.errors import ConfigurationError
from hub.trust.cms import DecryptionKey
from hub.trust.signature import SigningKey


class FolderKeys:
    """hub.kit.Keys. A folder holds sign.key.pem and sign.cert.pem, encrypt.key.pem and encrypt.cert.pem.

    Through a roll-over older pairs stay beside them as encrypt.<anything>.key.pem and .cert.pem.
    """

    def __init__(self, folders: Iterable[tuple[str, Path]]) -> None:
        """Raises ConfigurationError with every key that is missing or cannot be read."""
        self._signing: dict[str, SigningKey] = {}
        self._decryption: dict[str, tuple[DecryptionKey, ...]] = {}
        self._loaded: dict[Path, tuple[SigningKey, tuple[DecryptionKey, ...]]] = {}
        mistakes: list[str] = []
        for her_id, folder in folders:
            try:
                self._signing[her_id], self._decryption[her_id] = self._read(folder)
            except OSError as error:
                where = f"{error.filename or folder}: {error.strerror}"
                mistakes.append(f"party {her_id}: {where}; make example keys with: samhub certs make-example")
            except (ValueError, TypeError) as error:
                mistakes.append(f"party {her_id}: {folder}: {error}")
        if mistakes:
            raise ConfigurationError(mistakes)

    def signing_key(self, her_id: str) -> SigningKey | None:
        """The key that signs for this local party."""
        return self._signing.get(her_id)

    def decryption_keys(self, her_id: str) -> Sequence[DecryptionKey]:
        """Keys that open what is encrypted for this local party, the newest first."""
        return self._decryption.get(her_id, ())

    def certificates(self, her_id: str) -> Sequence[bytes]:
        """DER of the certificates of all keys of this local party."""
        signing = self._signing.get(her_id)
        own = (signing.certificate_der,) if signing is not None else ()
        return (*own, *(key.certificate_der for key in self.decryption_keys(her_id)))

    def _read(self, folder: Path) -> tuple[SigningKey, tuple[DecryptionKey, ...]]:
        """Parties of one organisation share a folder: its keys are loaded once (30 ms each)."""
        if folder not in self._loaded:
            older = sorted(p for p in folder.glob("encrypt.*.key.pem"))
            files = [folder / "encrypt.key.pem", *reversed(older)]
            signing = SigningKey(*_pair(folder / "sign.key.pem"))
            self._loaded[folder] = signing, tuple(DecryptionKey(*_pair(file)) for file in files)
        return self._loaded[folder]


def _pair(file: Path) -> tuple[RSAPrivateKey, bytes]:
    """A key and the DER of its certificate beside it. Raises OSError, or ValueError when they do not fit together.

    Proven by a signature (3 ms) instead of by looking for primes (50 ms each: a hub may have a hundred keys).
    """
    key, beside = private_key(file), file.with_name(file.name.replace(".key.", ".cert."))
    certificate = der(beside.read_bytes())
    public = x509.load_der_x509_certificate(certificate).public_key()
    try:
        if not isinstance(public, RSAPublicKey):
            raise InvalidSignature
        public.verify(key.sign(b"", PKCS1v15(), SHA256()), b"", PKCS1v15(), SHA256())
    except (InvalidSignature, InternalError):
        raise ValueError(f"{file.name} is not the key of {beside.name}") from None
    return key, certificate


def private_key(path: Path) -> RSAPrivateKey:
    """An RSA key from PEM without a password, as it is written. Raises OSError or ValueError."""
    loaded = load_pem_private_key(path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(loaded, RSAPrivateKey):
        raise ValueError(f"{path.name} is not an RSA key")
    return loaded
