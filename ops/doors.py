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
from hub.errors import place
from hub.kit import Kit
from hub.record_systems.facade import RecordSystems
from hub.record_systems.proving import by_key_or_certificate
from ops.config import HttpSettings

log = structlog.get_logger("door")
REST, SOAP = "/api/v3", "/soap/v1"


def of_record_systems(
    facade: RecordSystems, kit: Kit, http: HttpSettings, manner: str, streaming: Streaming
) -> list[BaseRoute]:
    """REST where EDI 2.0 has it, SOAP at SOAP; each takes documents as large as the hub does."""
    s = kit.settings
    software = f"{s.software_name} {s.software_version}"
    operations = FacadeOperations(facade, kit.clock, software)
    address = f"{http.url.rstrip('/')}{SOAP}" if http.url else ""
    soap = SoapDoor(operations, contract.version_1(), address, kit.clock, s.max_message_bytes, _unforeseen)
    house = House(
        facade, kit.clock, s.max_message_bytes, manner == "national", streaming, (s.software_name, s.software_version)
    )
    return [RestDoor(house, by_key_or_certificate(facade)), *soap.routes(SOAP)]


def _unforeseen(error: Exception) -> None:
    log.error("unforeseen", kind=type(error).__name__, where=place(error), code="unforeseen")
