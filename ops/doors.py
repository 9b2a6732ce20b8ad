"""The doors of record systems over HTTP: the same facade behind each."""

from __future__ import annotations

import structlog
from starlette.routing import BaseRoute

from adapters.rest.receive import RestDoor
from adapters.rest.streaming import Streaming
from adapters.rest.table import House
from adapters.soap import contract
from adapters.soap.operations import FacadeOperations
from adapters.soap.receive import SoapDoor
from adapters.tokens.prove import TokenProver
from adapters.tokens.settings import TokenSettings
from hub.errors import ConfigurationError, place
from hub.kit import Kit
from hub.record_systems.facade import RecordSystems
from hub.record_systems.proving import Prove, by_key_or_certificate
from ops.config import Configuration, HttpSettings

log = structlog.get_logger("door")
REST, SOAP = "/api/v3", "/soap/v1"


def of_record_systems(
    facade: RecordSystems, kit: Kit, configuration: Configuration, streaming: Streaming
) -> list[BaseRoute]:
    """REST where EDI 2.0 has it, SOAP at SOAP; each takes documents as large as the hub does.

    Raises ConfigurationError where tokens are taken and nobody says at which address.
    """
    s, http, tokens = kit.settings, configuration.http, configuration.tokens
    software = f"{s.software_name} {s.software_version}"
    operations = FacadeOperations(facade, kit.clock, software)
    address = f"{http.url.rstrip('/')}{SOAP}" if http.url else ""
    soap = SoapDoor(operations, contract.version_1(), address, kit.clock, s.max_message_bytes, _unforeseen)
    national = (configuration.rest.manner or ("national" if tokens.issuer else "easy")) == "national"
    own = s.software_name, s.software_version
    house = House(facade, kit.clock, s.max_message_bytes, national, streaming, own)
    return [RestDoor(house, _proving(facade, kit, http, tokens)), *soap.routes(SOAP)]


def _proving(facade: RecordSystems, kit: Kit, http: HttpSettings, tokens: TokenSettings) -> Prove:
    """By tokens where an issuer is named; else, or beside, by keys and certificates."""
    keys = by_key_or_certificate(facade)
    if not tokens.issuer:
        return keys
    if not http.url:
        raise ConfigurationError(
            ["tokens.issuer: proofs name our own address, which is never taken from a request: set http.url"]
        )
    return TokenProver(
        tokens, http.url.rstrip("/"), facade, kit.store, kit.clock, keys if tokens.allow_api_keys else None
    )


def _unforeseen(error: Exception) -> None:
    log.error("unforeseen", kind=type(error).__name__, where=place(error), code="unforeseen")
