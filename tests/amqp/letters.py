"""Messages of the bus as a partner writes them, right or wrong; and what a partner makes of those that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from adapters.register.file import der
from adapters.register.keys import private_key
from hub.formats import amqp
from hub.formats.amqp import BusMessage
from hub.message import Arrival
from hub.trust import signed_data
from hub.trust.cms import DecryptionKey
from hub.trust.signature import SigningKey


@dataclass(frozen=True)
class Letter:
    """One message: its fields and its body."""

    message: BusMessage
    body: bytes
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        """As a door hands them over."""
        return {**amqp.headers(self.message), **self.more}

    def arrival(self, door: str = "amqp_async") -> Arrival:
        """As it comes in at a door."""
        return Arrival(str(uuid4()), door, datetime.now(UTC), self.headers, self.body)

    def but(self, **changed: object) -> Letter:
        """The same with other fields around it."""
        return replace(self, message=replace(self.message, **changed))  # type: ignore[arg-type]

    def without(self, *names: str) -> Letter:
        """The same without some header fields."""
        kept = {name: value for name, value in self.headers.items() if name not in names}
        return Letter(amqp.read(kept), self.body)


@dataclass(frozen=True)
class Hand:
    """Who writes: its HER-id and keys."""

    her_id: str
    signing: SigningKey
    opening: DecryptionKey

    @classmethod
    def of(cls, her_id: str, folder: Path) -> Hand:
        """With the keys of a folder of the example PKI."""
        usual = folder.with_name(folder.name.partition("-")[0])
        return cls(her_id, key_in(folder, "sign"), DecryptionKey(*_pair(usual, "encrypt")))

    def write(self, document: bytes, to: str, certificate: bytes, function: str, **changed: object) -> Letter:
        """Signed, encrypted, with all fields that are asked for."""
        own = str(uuid4())
        message = BusMessage(
            function=function,
            from_her=self.her_id,
            to_her=to,
            message_id=own,
            correlation_id=own,
            reply_to=f"{self.her_id}_async",
            to=f"{to}_async",
            content_type=amqp.SEALED,
            application_time_stamp=datetime.now(UTC).replace(microsecond=0),
        )
        return Letter(message, signed_data.seal(document, self.signing, certificate)).but(**changed)

    def read(self, body: bytes, signer: bytes) -> bytes:
        """The document of what came for it. AssertionError when it is not sealed as it should be."""
        found = signed_data.unseal(body, [self.opening], [signer], signed_data.SealPolicy())
        assert isinstance(found, signed_data.Unsealed), found
        return found.content


def key_in(folder: Path, use: str) -> SigningKey:
    """A key of the example PKI with its certificate."""
    return SigningKey(*_pair(folder, use))


def _pair(folder: Path, use: str) -> tuple[RSAPrivateKey, bytes]:
    return private_key(folder / f"{use}.key.pem"), der((folder / f"{use}.cert.pem").read_bytes())
