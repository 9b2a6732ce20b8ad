"""Asks a partner by Ping or StatusRequest, and hears what it says: in the same exchange, or by itself while the hub runs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from adapters.ebxml_http import tls
from hub import receipts, signals
from hub.checks import chain
from hub.checks.inspection import Inspection, run
from hub.events import Event
from hub.formats import envelope_write, fault
from hub.formats.envelope import Envelope
from hub.formats.envelope_write import HeaderFields
from hub.kit import Kit
from hub.message import Agreement, Arrival
from hub.ports import ArrivalFilter
from hub.trust.signing import sign
from hub.verdict import Pass, Refuse, Verdict

Written = Callable[[HeaderFields, bool], bytes]
LARGEST = 1_000_000
#: How many of the newest lines of the journal are looked through for an answer, and how often.
NEWEST, LOOK_SECONDS = 1_000, 0.25


@dataclass(frozen=True, slots=True)
class Ways:
    """How long is waited for an answer, where the hub is served that hears what comes by itself, and whom TLS trusts."""

    seconds: float = 10
    hub_url: str = ""
    ca_file: str = ""
    client: tls.Client = ("", "")  #: what is shown to a server that asks, where the party has nothing of its own


@dataclass(frozen=True, slots=True)
class Heard:
    """What the other side said, or why nothing was heard. `kind` is that of the envelope; empty: no ebXML came."""

    kind: str
    because: str  #: in words, for people
    signed: bool = False
    by_itself: bool = False
    status: str = ""  #: messageStatus
    at: datetime | None = None  #: when the message came that is asked about, as the other side has it
    silent: bool = False  #: taken, and the answer was to come by itself, but no hub runs here that could hear it


def agreed(local: str, partner: str, action: str, kit: Kit, cpa_id: str = "") -> Agreement:
    """What is agreed for a signal of ours to this partner: the CPAId, the address, and whether the answer comes at once."""
    return kit.directory.agreement(
        cpa_id=cpa_id,
        from_her=local,
        to_her=partner,
        service=envelope_write.SIGNAL_SERVICE,
        action=action,
        role="",
        at=kit.clock.now(),
    )


def question(agreement: Agreement, action: str, write: Written, kit: Kit) -> tuple[str, bytes]:
    """MessageId and bytes of a signed question; with SyncReply where a CPA has the answer come at once (ebMS 2.0 4.3)."""
    key = kit.keys.signing_key(agreement.from_her)
    assert key is not None
    header = HeaderFields(
        from_her=agreement.from_her,
        to_her=agreement.to_her,
        cpa_id=agreement.cpa_id or kit.directory.cpa_id(agreement.from_her, agreement.to_her),
        conversation_id=kit.dice.uuid(),
        service=envelope_write.SIGNAL_SERVICE,
        action=action,
        message_id=kit.dice.uuid(),
        timestamp=kit.clock.now(),
        software=(kit.settings.software_name, kit.settings.software_version),
    )
    at_once = agreement.source == "cpa" and agreement.reply == "sync"
    return header.message_id, sign(write(header, at_once), (), key)


async def asked(agreement: Agreement, about: str, message_id: str, body: bytes, kit: Kit, ways: Ways) -> Heard:
    """Posts a question and waits for its answer, which names `about`: a Pong its Ping, a StatusResponse the message."""
    begun = kit.clock.now()
    try:
        status, headers, answer = await _post(agreement.endpoint, body, ways, _context(agreement.to_her, kit, ways))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Heard("", f"{agreement.endpoint}: no answer ({type(error).__name__})")
    if not answer.strip() and 200 <= status < 300:
        return await _by_itself(f"taken (HTTP {status})", about or message_id, begun, kit, ways)
    return _read(status, headers, answer, kit)


async def heard_later(about: str, begun: datetime, kit: Kit, seconds: float) -> Heard | None:
    """What came by itself about this MessageId since `begun`, waited for; None when nothing came."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        for entry in await kit.store.journal(limit=NEWEST):
            if (
                entry.event == Event.TOLD
                and entry.arrival_id
                and entry.at >= begun
                and f"about {about}," in entry.because
            ):
                return await _kept(entry.arrival_id, kit)
        if asyncio.get_running_loop().time() >= end:
            return None
        await asyncio.sleep(LOOK_SECONDS)


async def _by_itself(taken: str, about: str, begun: datetime, kit: Kit, ways: Ways) -> Heard:
    """The answer is to come to the hub's own door; only a hub that runs can hear it."""
    if not await _is_running(ways.hub_url):
        text = f"{taken}, its answer comes by itself: no hub runs here that could hear it; see: samhub serve"
        return Heard("", text, silent=True)
    found = await heard_later(about, begun, kit, ways.seconds)
    return found or Heard("", f"{taken}, its answer comes by itself: none has come within {ways.seconds:g} s")


async def _is_running(hub_url: str) -> bool:
    if not hub_url:
        return False
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get(f"{hub_url}/health/live") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def _context(her_id: str, kit: Kit, ways: Ways) -> ssl.SSLContext:
    party = kit.directory.party(her_id)
    own = party.client if party is not None else ("", "")
    return tls.context(ways.ca_file, own if own[0] else ways.client)


async def _post(url: str, body: bytes, ways: Ways, context: ssl.SSLContext) -> tuple[int, dict[str, str], bytes]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ways.seconds)) as session,
        session.post(
            url, data=body, headers=dict(receipts.SIGNAL_HEADERS), allow_redirects=False, ssl=context
        ) as answer,
    ):
        # The client has taken the content coding off with the body.
        headers = {k: v for k, v in answer.headers.items() if k.lower() != "content-encoding"}
        return answer.status, headers, await answer.content.read(LARGEST)


def _read(status: int, headers: dict[str, str], body: bytes, kit: Kit) -> Heard:
    """What lies in the exchange: proven, unsigned, or neither."""
    now = kit.clock.now()
    inspection = Inspection(Arrival(kit.dice.uuid(), "asking", now, headers, body), now)
    if not isinstance(run(chain.READING, inspection, kit), Pass) or inspection.envelope is None:
        if (found := fault.read(body)) is not None:
            return Heard("", f"HTTP {status}, a SOAP Fault ({found.words})")
        return Heard("", f"HTTP {status}, and nothing that can be read as ebXML")
    return _judged(f"HTTP {status}", inspection, run(chain.QUESTION, inspection, kit))


async def _kept(arrival_id: str, kit: Kit) -> Heard:
    """What came by itself, read again from what was kept of it."""
    [kept] = await kit.store.arrivals(ArrivalFilter(ids=(arrival_id,)))
    inspection = Inspection(kept.arrival, kit.clock.now())
    run(chain.READING, inspection, kit)
    return _judged("by itself", inspection, run(chain.QUESTION, inspection, kit), by_itself=True)


def _judged(how: str, inspection: Inspection, verdict: Verdict, *, by_itself: bool = False) -> Heard:
    envelope = inspection.envelope
    assert envelope is not None
    words = _words(envelope)
    if not isinstance(verdict, Pass):
        why = verdict.because if isinstance(verdict, Refuse) else "its revocation cannot be asked now"
        return Heard("unproven", f"answered by {words}, which is not proven: {why}", by_itself=by_itself)
    signed = inspection.verified is not None
    text = f"{how}, answered by a proven {words}" if signed else f"{how}, answers, unsigned: {words}"
    return Heard(envelope.kind, text, signed, by_itself, envelope.status, envelope.status_at)


def _words(envelope: Envelope) -> str:
    """Pong, StatusResponse with its status, or the codes and words of a MessageError."""
    if envelope.kind in ("pong", "status_response"):
        return signals.said(envelope)
    told = "; ".join(f"{e.code} {e.text}".strip() for e in envelope.errors)
    return f"{envelope.action or envelope.kind}{f' ({told})' if told else ''}"
