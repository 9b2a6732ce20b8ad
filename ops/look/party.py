"""Does the other side answer? Pings a partner, and looks at its certificates, its address and what is agreed with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import aiohttp

from hub.checks import chain
from hub.checks.inspection import Inspection, run
from hub.errors import NotFound
from hub.formats import envelope_write, mime
from hub.formats.envelope_write import HeaderFields
from hub.kit import Kit
from hub.message import Arrival, Party
from hub.receipts import SIGNAL_HEADERS
from hub.trust.signing import sign
from hub.verdict import Pass
from ops.certs.check import rows

#: One thing that was looked at: what, whether it is good, and in words.
Looked = tuple[str, bool, str]


async def checked(her_id: str, kit: Kit, seconds: float = 10) -> list[Looked]:
    """Everything about one party that can be looked at without sending a message. Raises NotFound."""
    party = kit.directory.party(her_id)
    if party is None:
        raise NotFound(f"HER-id {her_id} is not known here; see: samhub party list")
    found = [*_certificates(her_id, kit)]
    if party.local:
        found.append(("served by", True, f"{party.system}: this hub serves it; there is nobody to ping"))
        return found
    queues = {kind: kit.directory.bus_queue(her_id, kind) for kind in ("async", "sync", "error")}
    found += _queues(queues)
    if not party.endpoint.startswith("amqp"):
        found += _agreements(party, kit)
        found.append(await _pinged(party, kit, seconds))
    return found


def _queues(queues: Mapping[str, str]) -> Iterator[Looked]:
    """Its queues on the message bus, where it has any; nobody can be pinged there, its AppRec tells (nhn-amqp.md §4.3)."""
    if not any(queues.values()):
        return
    for kind, name in queues.items():
        wanted = kind != "sync"  # not everybody is asked synchronously
        yield f"{kind} queue on the bus", bool(name) or not wanted, name or "none is registered"


def _certificates(her_id: str, kit: Kit) -> Iterator[Looked]:
    own = [row for row in rows(kit) if row.her_id == her_id]
    for row in own:
        words = f"{row.days_left} days left" + (f": {row.because}" if row.because else "")
        yield f"{row.use} certificate", row.state in ("good", "soon"), f"{row.state}, {words}"
    for use in ("signing", "encryption"):
        if not any(row.use == use for row in own):
            yield f"{use} certificate", False, "there is none here: add it to the party or to its CPA"


def _agreements(party: Party, kit: Kit) -> Iterator[Looked]:
    """What is agreed with each local party, for a message that every pair may exchange."""
    for local in kit.directory.parties():
        if not local.local:
            continue
        found = kit.directory.agreement(
            cpa_id="",
            from_her=local.her_id,
            to_her=party.her_id,
            service="S-DIALOG_FORESPORSEL",
            action="DIALOG_FORESPORSEL",
            role="",
            at=kit.clock.now(),
        )
        words = found.because or f"by {found.source}, receipts {found.reply}, to {found.endpoint or '(no address)'}"
        yield f"agreement with {local.her_id}", not found.fault and bool(found.endpoint), words


async def _pinged(party: Party, kit: Kit, seconds: float) -> Looked:
    """A signed Ping; a proven Pong, or any proven answer, says that the line and the keys work (ebxml.md §1.13)."""
    own = next((p for p in kit.directory.parties() if p.local and kit.keys.signing_key(p.her_id)), None)
    if own is None:
        return "ping", False, "no local party has a signing key"
    if not party.endpoint.startswith(("http://", "https://")):
        return "ping", False, f"{party.endpoint or '(no address)'} cannot be pinged over HTTP"
    try:
        status, headers, body = await _post(party.endpoint, _ping(own, party, kit), seconds)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return "ping", False, f"{party.endpoint}: no answer ({type(error).__name__})"
    return _answered(status, headers, body, kit)


def _ping(own: Party, party: Party, kit: Kit) -> bytes:
    key = kit.keys.signing_key(own.her_id)
    assert key is not None
    header = HeaderFields(
        from_her=own.her_id,
        to_her=party.her_id,
        cpa_id=kit.directory.cpa_id(own.her_id, party.her_id),
        conversation_id=kit.dice.uuid(),
        service=envelope_write.SIGNAL_SERVICE,
        action="Ping",
        message_id=kit.dice.uuid(),
        timestamp=kit.clock.now(),
        software=(kit.settings.software_name, kit.settings.software_version),
    )
    return sign(envelope_write.ping(header), (), key)


async def _post(url: str, body: bytes, seconds: float) -> tuple[int, dict[str, str], bytes]:
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(url, data=body, headers=dict(SIGNAL_HEADERS), allow_redirects=False) as answer,
    ):
        return answer.status, dict(answer.headers), await answer.content.read(1_000_000)


def _answered(status: int, headers: dict[str, str], body: bytes, kit: Kit) -> Looked:
    now = kit.clock.now()
    inspection = Inspection(Arrival(kit.dice.uuid(), "ping", now, headers, body), now)
    if not body or isinstance(mime.read(headers, body), mime.MimeFault):
        return "ping", False, f"HTTP {status}, and nothing that can be read as ebXML"
    if not isinstance(run(chain.READING, inspection, kit), Pass) or inspection.envelope is None:
        return "ping", False, f"HTTP {status}, and nothing that can be read as ebXML"
    verdict = run(chain.SIGNAL, inspection, kit)
    if not isinstance(verdict, Pass):
        return (
            "ping",
            False,
            f"answered by {inspection.envelope.kind}, which is not proven: {getattr(verdict, 'because', '')}",
        )
    kind = inspection.envelope.kind
    return "ping", kind == "pong", f"HTTP {status}, answered by a proven {kind.capitalize()}"
