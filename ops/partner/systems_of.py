"""Record systems of a site that `samhub simulate` plays, and their part of the control interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.register import file as party_file
from hub.errors import ConfigurationError, HubError
from hub.message import RecordSystem as Registered
from ops.config import Configuration
from ops.partner import door, wishes
from ops.partner.record_system import RecordSystem, client

#: Doors by which one can be played.
DOORS = ("rest", "soap")


async def played(stack: AsyncExitStack, configuration: Configuration, own: str, by: str) -> RecordSystem:
    """Record system `own` of the site, by that door, until the stack is left. Raises ConfigurationError."""
    parties = configuration.registry.parties
    found = party_file.read(parties).systems.get(own)
    if found is None:
        raise ConfigurationError([f"--system {own}: {parties} has no such system; see: samhub system list"])
    if by not in DOORS:
        raise ConfigurationError([f"--system {own}={by}: there are {' and '.join(DOORS)}"])
    http = configuration.http
    url = http.url or f"http://{http.host}:{http.port}"
    made = client("soap" if by == "soap" else "rest", url, own, _key(found, parties.parent / "keys"))
    try:
        return await stack.enter_async_context(
            RecordSystem(made, sorted(found.her_ids), answers=found.apprec == "system")
        )
    except HubError as error:
        raise ConfigurationError([f"--system {own}: {error}"]) from None


def _key(system: Registered, keys: Path) -> str:
    """The key that `samhub init` wrote for one of its HER-ids."""
    for her in sorted(system.her_ids):
        if (keys / f"{her}.key").is_file():
            return (keys / f"{her}.key").read_text().strip()
    raise ConfigurationError(
        [
            f"--system {system.id}: no API key in {keys}; write the one that samhub system rotate gives into {keys}/HER.key"
        ]
    )


def state(own: str, system: RecordSystem) -> dict[str, Any]:
    """What it is, and how much it has; no content."""
    return {"id": own, "her_ids": system.her_ids, "answers": system.answers, "kept": len(system.kept)}


def add_routes(app: web.Application, systems: Mapping[str, RecordSystem]) -> None:
    """`GET` and `PUT /systems/ID` look and steer, `POST /systems/ID/send` makes it send, `…/status` asks the hub."""

    def about(
        handler: Callable[[web.Request, str, RecordSystem], Awaitable[Mapping[str, Any]]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def known(request: web.Request) -> web.Response:
            own = request.match_info["system"]
            if own not in systems:
                return wishes.wrong(404, f"no record system {own}; there are: {', '.join(systems) or 'none'}")
            try:
                return web.json_response(await handler(request, own, systems[own]))
            except (ValueError, KeyError, TypeError) as error:
                return wishes.wrong(400, str(error))
            except HubError as error:
                return wishes.wrong(502, str(error))

        return known

    path = "/systems/{system}"
    app.router.add_get(path + door.EITHER_WAY, about(_shown))
    app.router.add_put(path + door.EITHER_WAY, about(_steered))
    app.router.add_post(path + "/send" + door.EITHER_WAY, about(_sent))
    app.router.add_get(path + "/status/{message}" + door.EITHER_WAY, about(_asked))


async def _shown(_: web.Request, own: str, system: RecordSystem) -> Mapping[str, Any]:
    return {**state(own, system), "documents": system.kept, "rejects": sorted(system.rejects)}


async def _steered(request: web.Request, own: str, system: RecordSystem) -> Mapping[str, Any]:
    """`{"rejects": [MsgId, …]}`, `{"answers": false}`."""
    wish = wishes.object_of(await door.body(request))
    system.rejects |= {str(one) for one in wish.get("rejects", ())}
    system.answers = bool(wish.get("answers", system.answers))
    return state(own, system)


async def _sent(request: web.Request, _: str, system: RecordSystem) -> Mapping[str, Any]:
    """`{"to": HER-id, "kind": "henvisning"}` or `{"document": base64}`; `from` where it has several HER-ids."""
    wish = wishes.object_of(await door.body(request))
    sender = str(wish.get("from", system.her_ids[-1]))
    status, answer = await system.send(wishes.document(wish, sender), sender, [])
    return {"status": status, **answer}


async def _asked(request: web.Request, _: str, system: RecordSystem) -> Mapping[str, Any]:
    return {"receivers": await system.status(request.match_info["message"])}
