"""The door itself: which version and endpoint is asked for, who asks, and the answer in that version's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from adapters.rest import configuring, demands, described, version_2, version_3
from adapters.rest.problems import EDITION, Problem
from adapters.rest.table import Call, Endpoint, House, Version
from hub.errors import StoreUnavailable
from hub.record_systems.facade import unavailable
from hub.record_systems.proving import Prove, Shown, Unproven
from hub.record_systems.values import Caller, Refused, Said

#: Where each version is mounted, in small letters.
MOUNTS: Mapping[tuple[str, ...], int] = {("api", "v3"): 3, ("api", "v2"): 2}
#: What the door answers at the root, where the header api-version chooses the version (A1.4).
AT_THE_ROOT = frozenset({"messages", "notifications", "ping", "mshconfigurations", "mshconfiguration"})
#: Orders that are journaled though nothing can be weighed of them.
_NOTED = frozenset({"request", "too-large", "content-coding"})


class RestDoor(BaseRoute):
    """EDI 2.0 at `/api/v3`, at `/api/v2`, and at the root; paths in any case (A1.6)."""

    def __init__(self, house: House, prove: Prove) -> None:
        """`prove` finds out who calls."""
        self._house, self._prove = house, prove
        more = configuring.endpoints()
        versions = (version_3.version(house.national, more), version_2.version())
        self.versions: Mapping[int, Version] = {one.number: one for one in versions}
        self._described = described.of(self.versions, house.software, national=house.national)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See starlette.routing."""
        if scope["type"] != "http" or _place(scope["path"]) is None:
            return Match.NONE, {}
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette.routing."""
        request = Request(scope, receive, send)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        by_path, parts = _place(request.scope["path"]) or (None, ())
        national = self._house.national
        request.scope[EDITION] = by_path or 3
        if by_path and request.method in ("GET", "HEAD") and (page := self._described[by_path].answer(parts)):
            return page
        number = demands.version(request.headers, served=tuple(self.versions), by_path=by_path, needed=national)
        request.scope[EDITION] = number
        endpoint, at = self._endpoint(request, number, parts)
        application = demands.application(request.headers, needed=national)
        if not endpoint.known:
            return await endpoint.handler(Call(request, self._house, at, application))
        caller = replace(await self._caller(_shown(request)), configured=national and number == 3)
        try:
            return await self._known(endpoint, Call(request, self._house, at, application, caller))
        except Problem as problem:
            problem.language = caller.system.language
            raise

    def _endpoint(self, request: Request, number: int, parts: tuple[str, ...]) -> tuple[Endpoint, dict[str, str]]:
        found = self.versions[number].found(parts)
        if not found:
            where = f"{request.method} {request.url.path[:200]}"
            raise Problem(Said("refused", "no-such-path", where))
        if request.method not in found:
            allowed = ", ".join(sorted(found))  # RFC 9110 15.5.6
            raise Problem(Said("refused", "request", "Method Not Allowed"), status=405, headers={"Allow": allowed})
        return found[request.method]

    async def _caller(self, shown: Shown) -> Caller:
        try:
            return await self._prove(shown)
        except Unproven as error:
            raise Problem(error.said, status=error.status, headers=error.headers) from None

    async def _known(self, endpoint: Endpoint, call: Call) -> Response:
        if endpoint.body is not None and call.house.national:
            demands.json_declared(call.request.headers)
        try:
            return await endpoint.handler(call)
        except StoreUnavailable as error:
            raise Problem(unavailable(error)) from None
        except Refused as error:
            raise Problem(error.said) from None
        except Problem as problem:
            if endpoint.body is not None and problem.said.code in _NOTED:
                await call.systems.unreadable(call.caller, problem.said)
            raise


def _shown(request: Request) -> Shown:
    headers, scope = request.headers, request.scope
    return Shown(
        request.method,
        scope.get("raw_path", b"").decode("latin-1") or scope["path"],
        tuple(headers.getlist("x-api-key")),
        tuple(headers.getlist("authorization")),
        tuple(headers.getlist("dpop")),
        str(scope.get("samhub.certificate", "")),
    )


def _place(path: str) -> tuple[int | None, tuple[str, ...]] | None:
    """The version that a path names, and what stands behind its mount; None where it is not this door's."""
    parts = tuple(path.split("/")[1:])
    number = MOUNTS.get(tuple(part.lower() for part in parts[:2]))
    if number is not None:
        return number, parts[2:]
    return (None, parts) if parts and parts[0].lower() in AT_THE_ROOT else None
