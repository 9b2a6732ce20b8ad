"""What the door serves, as a table: its router, its description and its tests read the same rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from adapters.rest.streaming import Streaming
from hub.ports import Clock
from hub.record_systems.facade import RecordSystems
from hub.record_systems.values import Caller

#: What any call may be answered: headers, the caller, ourselves.
ALWAYS = frozenset({400, 500, 503})
#: What a call of somebody who is known may be answered beside.
KNOWN = ALWAYS | {401, 403}
#: Of a call about one message.
OF_MESSAGE = KNOWN | {404, 423}


@dataclass(frozen=True, slots=True)
class House:
    """What every call is answered with."""

    systems: RecordSystems
    clock: Clock
    max_document: int  #: bytes
    national: bool  #: demands all that EDI 2.0 demands (setting rest.manner)
    streaming: Streaming
    software: tuple[str, str]  #: our own name and version


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose path, headers and caller are known."""

    request: Request
    house: House
    at: Mapping[str, str]  #: what stands in the path, as it is written
    application: tuple[str, str]  #: name and version of the caller's software; empty where it does not say
    known: Caller | None = None  #: None: of anybody

    @property
    def caller(self) -> Caller:
        """Who asks, of an endpoint that serves those only who are known."""
        assert self.known is not None, "an endpoint for anybody looks at no caller"
        return self.known

    @property
    def systems(self) -> RecordSystems:
        """The facade."""
        return self.house.systems


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row: what is asked with, what success looks like, and which refusals there are."""

    method: str
    path: str  #: in small letters, from the mount; {name} is any one segment
    name: str
    handler: Callable[[Call], Awaitable[Response]]  #: its first line says what it is for
    status: int
    shape: Any  #: the type of the answer; None: it has no body
    refusals: frozenset[int]
    _: KW_ONLY
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    known: bool = True  #: serves those only who are known
    streams: bool = False  #: answers with events for as long as both want

    def fits(self, parts: tuple[str, ...]) -> dict[str, str] | None:
        """What stands in a path that is this one, in any case (EDI 2.0 A1.6); None where it is another."""
        own = self.path.split("/")[1:]
        if len(own) != len(parts):
            return None
        found = {}
        for here, there in zip(own, parts, strict=True):
            if here.startswith("{") and there:
                found[here.strip("{}")] = there
            elif here != there.lower():
                return None
        return found


@dataclass(frozen=True, slots=True)
class Version:
    """One version of EDI 2.0."""

    number: int
    endpoints: tuple[Endpoint, ...]

    def found(self, parts: tuple[str, ...]) -> dict[str, tuple[Endpoint, dict[str, str]]]:
        """Method → what is served there, and what stands in the path."""
        rows = ((row, row.fits(parts)) for row in self.endpoints)
        methods = {row.method: (row, at) for row, at in rows if at is not None}
        if "GET" in methods and not methods["GET"][0].streams:
            methods["HEAD"] = methods["GET"]  # RFC 9110 9.3.2
        return methods
