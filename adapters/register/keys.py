"""Our own private keys, from the folders that the party file names; each is loaded once, at start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
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

    def _read(self, folder: Path) -> tuple[SigningKey, tuple[DecryptionKey, ...]]:
        """Parties of one organisation share a folder: its keys are loaded once (30 ms each)."""
        if folder not in self._loaded:
            signing = SigningKey(private_key(folder / "sign.key.pem"), der((folder / "sign.cert.pem").read_bytes()))
            older = sorted(p for p in folder.glob("encrypt.*.key.pem"))
            files = [folder / "encrypt.key.pem", *reversed(older)]
            opening = tuple(
                DecryptionKey(private_key(p), der(p.with_name(p.name.replace(".key.", ".cert.")).read_bytes()))
                for p in files
            )
            self._loaded[folder] = signing, opening
        return self._loaded[folder]


def private_key(path: Path) -> RSAPrivateKey:
    """An RSA key from PEM without a password. Raises OSError or ValueError."""
    loaded = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(loaded, RSAPrivateKey):
        raise ValueError(f"{path.name} is not an RSA key")
    return loaded
