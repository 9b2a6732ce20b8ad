"""How a door learns who calls: what a request shows, and whoever judges that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hub.errors import HubError
from hub.record_systems.facade import RecordSystems
from hub.record_systems.values import Caller, Said


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows of who sends it; several values of a header are all there."""

    method: str
    path: str  #: as it was asked for, from the root, without query
    keys: tuple[str, ...] = field(default=(), repr=False)  #: of X-API-Key
    authorization: tuple[str, ...] = field(default=(), repr=False)
    proofs: tuple[str, ...] = field(default=(), repr=False)  #: of DPoP
    certificate: str = ""  #: hex SHA-256 of the client's, verified by whoever ends TLS; empty: none


class Unproven(HubError):
    """Nobody who is known here, or one who may not: what is said, its status, and the headers that go with it."""

    def __init__(self, said: Said, status: int, headers: Mapping[str, str]) -> None:
        self.said, self.status, self.headers = said, status, headers
        super().__init__(f"{said.code}: {said.because}")


class Prove(Protocol):
    """Who it is that shows this. Raises Unproven."""

    async def __call__(self, shown: Shown, /) -> Caller: ...


def by_key_or_certificate(facade: RecordSystems) -> Prove:
    """By the API key, or where none is shown by the client certificate."""

    async def prove(shown: Shown) -> Caller:
        key = next((one for one in shown.keys if one), "")
        proven = "" if key else shown.certificate
        caller = facade.by_certificate(proven) if proven else facade.by_key(key)
        if caller is None:
            said = Said("refused", "unauthorized", "header X-API-Key is missing or not known here")
            raise Unproven(said, 401, {"WWW-Authenticate": 'ApiKey realm="samhub"'})
        return caller

    return prove
