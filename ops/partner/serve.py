"""The partner simulator alone: every remote party of a site as a partner on its own port, steered over HTTP while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from yarl import URL

from adapters.ebxml_smtp.wire import address_of
from adapters.register import file as party_file
from adapters.register.file import PartyRow, Read
from hub.errors import ConfigurationError
from hub.formats import xml
from ops.config import Configuration
from ops.partner import door, systems_of, wishes
from ops.partner.behaviours import BY_MAIL, HTTP_ONLY, RECEIVING, SENDING, ByMail, Receiving, Sending
from ops.partner.keys import keys_in
from ops.partner.mail import MailPartner
from ops.partner.office import PostOffice
from ops.partner.partner import Partner, PartnerKeys
from ops.partner.peer import Peer
from ops.partner.peers import MANNERS, PEERS, Manner, manners
from ops.partner.record_system import RecordSystem
from ops.partner.terms import Terms
from ops.partner.wire import LIMIT

#: Hosts that are this machine.
HERE = ("127.0.0.1", "localhost")


async def simulate(
    configuration: Configuration,
    port: int,
    stop: asyncio.Event,
    peers: Mapping[str, str] | None = None,
    systems: Mapping[str, str] | None = None,
) -> None:
    """Runs until `stop` is set. Raises ConfigurationError where nobody can be simulated, with what to do.

    `peers` are handlers to be played, by HER-id: names and manners of ops.partner.peers. `systems` are record systems of
    the site to be played, by id: `rest` or `soap`.
    """
    async with AsyncExitStack() as stack:
        partners = await stack.enter_async_context(simulating(configuration, alone=not systems))
        for her_id, words in (peers or {}).items():
            _played(partners, her_id, words)
        played = {own: await systems_of.played(stack, configuration, own, by) for own, by in (systems or {}).items()}
        control = await _started(control_app(partners, played), port)
        try:
            print(f"control interface: http://127.0.0.1:{port}/", flush=True)
            for partner in partners.values():
                print(f"HER-id {partner.her_id}: {partner.url} ({partner.receiving})", flush=True)
            for own, system in played.items():
                print(f"record system {own}: HER-ids {', '.join(system.her_ids)}", flush=True)
            await stop.wait()
        finally:
            await control.cleanup()


@asynccontextmanager
async def simulating(configuration: Configuration, *, alone: bool = True) -> AsyncIterator[dict[str, Partner]]:
    """Every remote party whose endpoint is on this machine and whose keys lie beside its certificates, by HER-id.

    Those with `mailto:` are on this machine when the relay is: then the simulator is the relay.
    """
    found = party_file.read(configuration.registry.parties)
    http, relay = configuration.http, configuration.relay
    hub_url = (http.url or f"http://{http.host}:{http.port}") + "/ebxml"
    office = PostOffice(relay.host, relay.port)
    mailed = _mail_partners(found, configuration, office) if relay.host in HERE else {}
    partners = {**_partners(found, hub_url, configuration.registry.agreements), **mailed}
    if not partners and alone:
        raise ConfigurationError(
            [
                f"{configuration.registry.parties}: no remote party can be simulated; it takes an endpoint such as"
                " http://127.0.0.1:8087/ebxml, or mailto: with relay.host 127.0.0.1, and keys beside its certificates,"
                " as samhub init writes them"
            ]
        )
    async with AsyncExitStack() as stack:
        if mailed:
            await stack.enter_async_context(office)
        for partner in partners.values():
            await stack.enter_async_context(partner)
        yield partners


def _played(partners: Mapping[str, Partner], her_id: str, words: str) -> None:
    partner = partners.get(her_id)
    if not isinstance(partner, Peer):
        raise ConfigurationError(
            [f"--peer {her_id}: no partner that is reached by HTTP; there are: {', '.join(partners)}"]
        )
    try:
        partner.play(manners(words.split()))
    except ValueError as error:
        raise ConfigurationError([f"--peer {her_id}: {error}"]) from None


def _terms(folder: Path, her_id: str) -> Iterator[Terms]:
    """What the agreements of the site say that concerns this partner; a file that is none is passed over."""
    for file in sorted(folder.glob("*.xml")) if folder.is_dir() else ():
        root = xml.parse(file.read_bytes(), xml.Bounds.for_document(LIMIT))
        terms = None if isinstance(root, xml.XmlFault) else Terms.read(root, her_id)
        if terms is not None:
            yield terms


def _partners(found: Read, hub_url: str, agreements: Path) -> dict[str, Partner]:
    partners: dict[str, Partner] = {}
    for row in found.rows.values():
        url = URL(row.endpoint)
        keys = _keys(row, found.folder) if url.host in HERE else None
        if keys is not None and url.host and url.port:
            certificate_of = _certificates(found)
            made = Peer(
                row.her_id,
                keys,
                manners=frozenset(),
                held=tuple(_terms(agreements, row.her_id)),
                hub_url=hub_url,
                certificate_of=certificate_of,
                host=url.host,
                port=url.port,
            )
            partners[row.her_id] = made
    return partners


def _mail_partners(found: Read, configuration: Configuration, office: PostOffice) -> dict[str, Partner]:
    listener = configuration.listener
    partners: dict[str, Partner] = {}
    for row in found.rows.values():
        address = address_of(row.endpoint).lower()
        keys = _keys(row, found.folder) if address else None
        if keys is not None:
            partners[row.her_id] = MailPartner(
                row.her_id,
                keys,
                office,
                address=address,
                hub_url=f"smtp://{listener.host or '127.0.0.1'}:{listener.port}",
                hub_address=lambda her_id: found.parties[her_id].mail if her_id in found.parties else "",
                certificate_of=_certificates(found),
            )
    return partners


def _certificates(found: Read) -> Callable[[str], bytes]:
    def certificate_of(her_id: str) -> bytes:
        party = found.parties.get(her_id)
        return party.encryption_certificate if party else b""

    return certificate_of


def _keys(row: PartyRow, folder: Path) -> PartnerKeys | None:
    """The keys beside the certificate, and the bad ones of the example PKI that lie in folders beside that."""
    if row.encryption_certificate is None:
        return None
    own = (folder / row.encryption_certificate).parent
    if not (own / "sign.key.pem").is_file():
        return None
    return keys_in(own)


# --- the control interface

Handler = Callable[[web.Request, Partner], Awaitable[Mapping[str, Any]]]


def control_app(partners: Mapping[str, Partner], systems: Mapping[str, RecordSystem] | None = None) -> web.Application:
    """`GET /` lists; `GET` and `PUT /partners/HER` look and steer; `POST /partners/HER/send` makes it send.

    The same for record systems that are played: `/systems/ID`, `/systems/ID/send`.
    """
    own = systems or {}

    def about(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def known(request: web.Request) -> web.Response:
            partner = partners.get(request.match_info["her"])
            if partner is None:
                return wishes.wrong(404, f"no partner {request.match_info['her']}; there are: {', '.join(partners)}")
            try:
                return web.json_response(await handler(request, partner))
            except web.HTTPRequestTimeout:
                raise
            except web.HTTPException as error:
                return wishes.wrong(error.status, error.text or error.reason)
            except (ValueError, KeyError, TypeError) as error:
                return wishes.wrong(400, str(error))

        return known

    async def everybody(_: web.Request) -> web.Response:
        behaviours = {
            "receiving": {str(b): RECEIVING[b] for b in Receiving},
            "by_mail": {str(b): BY_MAIL[b] for b in ByMail},
            "sending": {str(b): SENDING[b] for b in Sending},
        }
        peers = {name: {"what": kind.sentence, "manners": sorted(kind.manners)} for name, kind in PEERS.items()}
        said = {"peers": peers, "manners": {str(m): MANNERS[m] for m in Manner}}
        said |= {"systems": [systems_of.state(one, own[one]) for one in own]}
        return web.json_response({"partners": [_state(p) for p in partners.values()], "behaviours": behaviours, **said})

    app = door.application()
    app.router.add_get("/", everybody)
    app.router.add_get("/partners/{her}" + door.EITHER_WAY, about(_shown))
    app.router.add_put("/partners/{her}" + door.EITHER_WAY, about(_steered))
    app.router.add_post("/partners/{her}/send" + door.EITHER_WAY, about(_sent))
    systems_of.add_routes(app, own)
    return app


def _state(partner: Partner) -> dict[str, Any]:
    return {
        "her_id": partner.her_id,
        "url": partner.url,
        "receiving": partner.receiving,
        "manners": sorted(partner.manners) if isinstance(partner, Peer) else [],
        "slow_seconds": partner.slow_seconds,
        "late_seconds": partner.late_seconds,
        "received": len(partner.received),
        "signals": len(partner.signals),
    }


async def _shown(_: web.Request, partner: Partner) -> Mapping[str, Any]:
    """What it has received: ids and types, no content."""
    received = [
        {
            "message_id": r.envelope.message_id,
            "from": r.from_her,
            "action": r.envelope.action,
            "msg_id": r.document.msg_id if r.document else "",
            "readable": r.document is not None,
        }
        for r in partner.received
    ]
    return {**_state(partner), "messages": received}


async def _steered(request: web.Request, partner: Partner) -> Mapping[str, Any]:
    """`{"receiving": "down"}`, how slow or late it is where that matters, and `{"peer": "hermes -gzip"}`."""
    wish = wishes.object_of(await door.body(request))
    if "peer" in wish:
        if not isinstance(partner, Peer):
            raise ValueError("peers are reached by HTTP; this partner is reached by mail")
        partner.play(manners(str(wish["peer"]).split()))
    if "receiving" in wish:
        await partner.behave(_behaviour(partner, str(wish["receiving"])))
    partner.slow_seconds = float(wish.get("slow_seconds", partner.slow_seconds))
    partner.late_seconds = float(wish.get("late_seconds", partner.late_seconds))
    return _state(partner)


async def _sent(request: web.Request, partner: Partner) -> Mapping[str, Any]:
    """`{"to": HER-id, "kind": "epikrise"}` or `{"to": …, "document": base64}`, and `"how"` it misbehaves on the way."""
    wish = wishes.object_of(await door.body(request))
    how = _named(Sending, wish.get("how", Sending.GOOD))
    answer = await partner.send(wishes.document(wish, partner.her_id), str(wish["to"]), how)
    standing = partner.standing.get(answer.message_id, "") if isinstance(partner, Peer) else ""
    return {"message_id": answer.message_id, "status": answer.status, "answer": answer.kind, "standing": standing}


def _named(kind: type[Any], name: str) -> Any:
    try:
        return kind(name)
    except ValueError:
        raise ValueError(f"no behaviour {name}; there are: {', '.join(str(k) for k in kind)}") from None


def _behaviour(partner: Partner, name: str) -> Receiving | ByMail:
    if name in HTTP_ONLY:
        return partner.named(name)
    mails = isinstance(partner, MailPartner) and name in set(ByMail)
    found: Receiving | ByMail = _named(ByMail if mails else Receiving, name)
    return found


async def _started(app: web.Application, port: int) -> web.AppRunner:
    runner = door.runner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigurationError([f"port {port}: {error.strerror}; choose another with --port"]) from None
    return runner
