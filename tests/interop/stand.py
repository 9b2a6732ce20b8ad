"""A hub that takes the hub's place in the recorded exchanges: the same parties and agreements, at the time when they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from hub.digest import sha256
from hub.events import Entry, Event
from hub.formats import envelope as envelopes
from hub.formats import envelope_write, xml
from hub.formats.envelope import Envelope
from hub.message import Arrival, Channel, DeliveryRecord, MessageRecord, NewMessage, Parcel
from hub.ports import ArrivalFilter, Change, DeliveryFilter, MessageFilter
from hub.states import State
from hub.trust import certificates
from hub.trust.certificates import TrustAnchors
from hub.trust.signature import Verified
from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.partner.aside import Aside
from ops.partner.terms import Side, Terms, cpa
from ops.samples.make import make
from ops.sector import SECTOR, Member, write_site
from tests.interop import replay
from tests.interop.player import Player
from tests.interop.replay import Exchange
from tests.support import asgi
from tests.support.asgi import Reply
from tests.support.kits import exchange
from tests.support.world import Keys

DOCTOR = SECTOR[1]
#: What the agreements of the trial were, where they were not just asynchronous: `interop:` and this name.
TERMS: Mapping[str, Mapping[str, Any]] = {
    "sync": {"sync": True},
    "wrongcert": {"sync": True},
    "apart": {"signals_sync": False},
    "apartsync": {"signals_sync": True},
    "besteffort": {"ack": "never", "duplicates": "never"},
    "permessage": {"ack": "perMessage", "ack_signed": "perMessage", "duplicates": "perMessage"},
    "othertype": {"service_type": "kithService"},
    "notype": {"service_type": ""},
    "uritype": {"service_type": ""},
    "plain": {"encrypted": False},
    "unsack": {"ack_signed": "never"},
    "unsigned": {"ack_signed": "never"},
}


def terms(cpa_id: str, her_id: str = replay.OURS) -> Terms:
    """What was agreed under a CPAId of the trial."""
    name = cpa_id.removeprefix("interop:")
    said = TERMS.get(name, TERMS["sync"] if name.endswith("-sync") else {})
    return Terms(cpa_id, her_id, **{"sync": False, "codes": ("DIALOG_HELSEFAGLIG",), **said})


class Then:
    """hub.ports.Clock: stands where it was put."""

    def __init__(self) -> None:
        self.at = datetime.fromisoformat("2026-11-30T15:00:00+00:00")

    def now(self) -> datetime:
        """The moment that is replayed."""
        return self.at

    def monotonic(self) -> float:
        """Time passes as it is told."""
        return self.at.timestamp()


@dataclass
class Came:
    """What the hub did with one request: its answer in the exchange, and what it will send by itself."""

    reply: Reply
    envelope: Envelope | None  #: of the answer in the exchange
    later: list[Envelope]  #: of receipts and answers that travel by themselves
    code: str  #: of the arrival
    because: str
    journal: list[Entry] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)  #: of what travels by itself, as it was written


class Stand:
    """Recorded bytes in, at the door of the hub; and out, to a peer that answers with the recorded bytes."""

    def __init__(self, hub: Hub, clock: Then, player: Player, aside: Aside) -> None:
        self.hub, self.clock, self.player, self._aside = hub, clock, player, aside

    def run(self, work: Any) -> Any:
        """On the hub's own loop."""
        return self._aside.run(work)

    def entered(self, context: Any) -> tuple[Any, Callable[[], None]]:
        """A context on the hub's own loop, and what leaves it again."""
        return self._aside.enter(context)

    # --- what they sent

    def comes(self, one: Exchange) -> Came:
        """The request of an exchange at our door, when it was sent."""
        self.clock.at = one.at + timedelta(seconds=1)
        headers = {n: v for n, v in one.request.headers.items() if n.lower() not in _HOP_BY_HOP}
        reply = self.run(asgi.call(self.hub.app, "POST", "/ebxml", headers, one.request.body))
        kept = self.run(self.hub.store.arrivals(ArrivalFilter(limit=3)))
        arrival = next((a for a in kept if a.arrival.body == one.request.body), None)
        own = arrival.arrival.id if arrival else "(not kept)"
        out = [m for m in self.run(self.hub.store.messages(MessageFilter(limit=300))) if self._follows(m, one, own)]
        raw = [self.run(self.hub.store.document(m.id)) or b"" for m in out]
        later = [envelope(content) for content in raw]
        self.run(self._brought())
        code, because = (arrival.code, arrival.because) if arrival else ("", "")
        journal = self.run(self.hub.store.journal(limit=8))
        found = envelope(reply.body) if reply.body else None
        return Came(reply, found, [e for e in later if e is not None], code, because, journal, raw)

    def _follows(self, message: MessageRecord, one: Exchange, arrival_id: str) -> bool:
        about = replay.sent_id(one)
        return message.kind == "signal" and (message.original_msg_id == about or message.arrival_id == arrival_id)

    # --- what we sent

    def promised(self, one: Exchange, state: str = State.WAITING) -> DeliveryRecord:
        """A delivery whose parcel is the recorded request, to a peer that answers as it did."""
        self.clock.at = one.at + timedelta(seconds=1)
        found = replay.envelope(one.request)
        assert found is not None
        message = self._message(one, found)
        delivery = self._delivery(one, found, message, state)
        about = self._about(found)
        messages = (NewMessage(message, one.request.body), *about)
        entries = tuple(Entry(self.clock.at, Event.RECEIVED, "accepted", "replayed", m.record.id) for m in messages)
        change = Change(messages=messages, deliveries=(delivery,), journal=entries)
        self.run(self.hub.store.apply(change))
        proven = replay.proven(one.request, allow_sha1=True)
        digests = tuple((r.uri, r.digest_value) for r in proven.references) if isinstance(proven, Verified) else ()
        headers = {n: v for n, v in one.request.headers.items() if n in ("Content-Type", "SOAPAction", "MIME-Version")}
        parcel = Parcel(headers, one.request.body, digests)
        self.run(self.hub.store.keep_parcel(delivery.id, parcel, found.message_id))
        return delivery

    def renamed(self, delivery: DeliveryRecord, eb_message_id: str, receiver: str) -> None:
        """The same receipt as sent under another MessageId to another party; the store keeps no other word of it."""
        self.run(
            self.hub.store.apply(
                Change(deliveries=(replace(delivery, id="renamed", eb_message_id=eb_message_id, receiver=receiver),))
            )
        )

    def tried(self, one: Exchange) -> DeliveryRecord:
        """The same after one attempt: over a socket, through our own client, answered by the recorded bytes."""
        delivery = self.promised(one)
        self.player.answers[one.id] = one.answer.wire
        self.run(self._attempt(delivery.address))
        return self.delivery(delivery.id)

    def written(self, one: Exchange) -> bytes:
        """What this hub writes today for the document of a recorded message: handed over at its record system's door."""
        self.clock.at = one.at
        found = replay.envelope(one.request)
        assert found is not None
        her = _her(found.to_parties)
        said = {"gen_date": one.at, "msg_id": str(uuid5(NAMESPACE_URL, one.id))}
        sample = make("dialog-helsefaglig", sender=DOCTOR, receiver=_member(her), **said)
        handed = Arrival(f"handed over {one.id}", "rest", one.at, {}, sample.document, DOCTOR.system, (her,))
        answer = self.run(self.hub.submit(handed))
        assert answer.status == 202, answer
        self.run(self._attempt(self.player.url(her)))
        [delivery] = self.run(self.hub.store.deliveries(DeliveryFilter(message_id=answer.message_id)))
        parcel = self.run(self.hub.store.parcel(delivery.id))
        assert parcel is not None and parcel.body in self.player.asked
        return bytes(parcel.body)

    async def _brought(self) -> None:
        """What travels by itself reaches the peer, so that nothing waits for it when the next request comes."""
        await self.hub.worker._attempts.begin()
        await self.hub.worker.drain()

    async def _attempt(self, address: str) -> None:
        attempts = self.hub.worker._attempts
        assert await attempts.begin(only=address) > 0
        await self.hub.worker.drain()
        while await attempts.begin(only=address):  # who has not answered lately is tried one at a time
            await self.hub.worker.drain()

    def delivery(self, delivery_id: str) -> DeliveryRecord:
        """As it stands now."""
        [found] = self.run(self.hub.store.deliveries(DeliveryFilter(ids=(delivery_id,))))
        return found

    def trace(self, message_id: str) -> str:
        """All that the journal says of a message."""
        return "\n".join(f"{e.event} {e.code} {e.because}" for e in self.run(self.hub.store.journal(message_id)))

    def _message(self, one: Exchange, found: Envelope) -> MessageRecord:
        signal = found.service == envelope_write.SIGNAL_SERVICE
        acknowledged = found.acknowledgment.ref_to_message_id if found.acknowledgment else found.ref_to_message_id
        return MessageRecord(
            id=f"message of {one.id}",
            arrival_id="",
            direction="out",
            kind="signal" if signal else "business",
            door="hub" if signal else "rest",
            received_at=self.clock.at,
            from_her=_her(found.from_parties),
            to_her=_her(found.to_parties),
            type_code="SIGNAL" if signal else found.action,
            msg_id=f"document of {one.id}",
            eb_message_id=found.message_id,
            conversation_id=found.conversation_id,
            cpa_id=found.cpa_id,
            service=found.service,
            action=found.action,
            original_msg_id=acknowledged if signal else "",
        )

    def _delivery(self, one: Exchange, found: Envelope, message: MessageRecord, state: str) -> DeliveryRecord:
        now = self.clock.at
        return DeliveryRecord(
            id=f"delivery of {one.id}",
            message_id=message.id,
            sender=message.from_her,
            receiver=message.to_her,
            channel=Channel.EBXML_HTTP,
            address=self.player.url(one.id),
            state=state,
            created_at=now,
            next_at=now if state == State.WAITING else None,
            give_up_at=now + timedelta(hours=96),
            apprec_due_at=None if message.kind == "signal" else now + timedelta(hours=96),
            handed_over=0 if state == State.WAITING else 1,
            eb_message_id=found.message_id,
            kind=message.kind,
            priority=2 if message.kind == "signal" else 5,
            rule="built-in: answer",  # it goes there, whatever the register says
            code="accepted",
            changed_at=now,
        )

    def _about(self, found: Envelope) -> tuple[NewMessage, ...]:
        """Of a receipt of ours: the message that it is about."""
        about = found.acknowledgment.ref_to_message_id if found.acknowledgment else found.ref_to_message_id
        known = self.run(self.hub.store.messages(MessageFilter(eb_message_id=about))) if about else [None]
        if known or found.service != envelope_write.SIGNAL_SERVICE:
            return ()
        record = MessageRecord(
            id=f"message {about}",
            arrival_id="",
            direction="in",
            kind="business",
            door="ebxml_http",
            received_at=self.clock.at,
            from_her=_her(found.to_parties),
            to_her=_her(found.from_parties),
            type_code="DIALOG_HELSEFAGLIG",
            msg_id=f"document {about}",
            eb_message_id=about,
            cpa_id=found.cpa_id,
        )
        return (NewMessage(record, b"<lost/>"),)


_HOP_BY_HOP = frozenset(
    {"connection", "upgrade", "http2-settings", "transfer-encoding", "content-length", "host", "content-encoding"}
)


def envelope(content: bytes) -> Envelope | None:
    """Of a signal's bytes."""
    root = xml.parse(content, xml.Bounds(replay.LIMIT)) if content else None
    found = envelopes.read(root) if root is not None and not isinstance(root, xml.XmlFault) else None
    return found if isinstance(found, Envelope) else None


class Stands:
    """One hub for each peer, since both had an agreement `interop:unsigned`; what is asked goes to the one it is about."""

    def __init__(self, by_peer: Mapping[str, Stand]) -> None:
        self._by_peer = by_peer

    def of(self, one: Exchange) -> Stand:
        """That of an exchange."""
        return self._by_peer[one.peer]

    def comes(self, one: Exchange) -> Came:
        """See Stand.comes."""
        return self.of(one).comes(one)

    def tried(self, one: Exchange) -> DeliveryRecord:
        """See Stand.tried."""
        return self.of(one).tried(one)

    def promised(self, one: Exchange, state: str) -> DeliveryRecord:
        """See Stand.promised."""
        return self.of(one).promised(one, state)


@contextmanager
def standings(
    standards: Path, folder: Path, keys: Keys, aside: Aside, patch: Callable[..., None], allow_sha1: bool = False
) -> Iterator[Stands]:
    """`patch` is monkeypatch.setattr: what lay inside the lost encryption is stood in for by a new document."""
    found = replay.exchanges(standards)
    patch("hub.checks.payload.cms.decrypt", _stand_in(found))
    with ExitStack() as stack:
        made = {}
        for peer in replay.FOLDERS:
            own = tuple(one for one in found if one.peer == peer)
            made[peer] = stack.enter_context(_standing(own, folder / peer, keys, aside, allow_sha1))
        yield Stands(made)


@contextmanager
def _standing(
    found: tuple[Exchange, ...],
    folder: Path,
    keys: Keys,
    aside: Aside,
    allow_sha1: bool,
) -> Iterator[Stand]:
    """One for the exchanges with one peer."""
    clock, player = Then(), Player()
    _, closed = aside.enter(player)
    registered = _registered(found)
    site = _site(folder, keys, found, registered, player, allow_sha1)
    hub, leave = aside.enter(assembled(config.load(site), clock=clock))
    every = {der for ders in registered.values() for der in ders}
    paths: Any = {der: ((certificates._parsed(der),),) for der in every}
    exchange(hub.kit, anchors=TrustAnchors((), (), paths))  # their authorities were not recorded
    try:
        yield Stand(hub, clock, player, aside)
    finally:
        broken = aside.run(hub.store.check())
        leave()
        closed()
    assert not broken, broken


def _registered(found: tuple[Exchange, ...]) -> dict[str, set[bytes]]:
    """HER-id → certificates that it signed with, but for those that were on trial (`h`)."""
    by_her: dict[str, set[bytes]] = {}
    on_trial = {replay.certificates(one.request)[0] for one in found if one.name == "h-in-1"}
    for one in found:
        for message in (one.request, one.answer):
            read, chain = replay.envelope(message), replay.certificates(message)
            if read is not None:
                by_her.setdefault(_her(read.from_parties), set()).update(set(chain[:1]) - on_trial)
                by_her.setdefault(_her(read.to_parties), set())
    return by_her


def _member(her: str) -> Member:
    return Member(her, f"Part {her}", str(int(her) + 500_000), "partner", "999000053")


def _her(parties: tuple[envelopes.PartyId, ...]) -> str:
    return next(party.value for party in parties if party.type == "HER")


def _site(
    folder: Path,
    keys: Keys,
    found: tuple[Exchange, ...],
    registered: Mapping[str, set[bytes]],
    player: Player,
    allow_sha1: bool,
) -> Path:
    theirs = sorted(set(registered) - {replay.OURS, SECTOR[0].her_id})
    manners: dict[str, dict[str, Any]] = {}
    remote = []
    for her in theirs:
        files = [_written(folder / f"{her}-{n}.der", der) for n, der in enumerate(sorted(registered[her]))]
        own = {"signing_certificates": files} if files else {}
        manners[her] = {
            **own,
            "acknowledgment_refers": "always",
            "allow_sha1": allow_sha1 and found[0].peer == "jentrata",
        }
        remote.append((_member(her), player.url(her)))
    given = {"http": {"port": 0}, "store": {"min_free_bytes": 0}, "revocation": {"folder": keys.folder / "crl"}}
    site = write_site(
        folder, keys.folder, (SECTOR[0], DOCTOR), remote, apprec="system", manners=manners, settings=given
    )
    for number, (cpa_id, her) in enumerate(sorted(_agreements(found))):
        sides = (Side(replay.OURS, "http://hub.example/ebxml", b"", b""), Side(her, player.url(her), b"", b""))
        (site.folder / "agreements" / f"{number}.xml").write_text(cpa(terms(cpa_id), *sides), "utf-8")
    return site.configuration


def _written(file: Path, der: bytes) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(der)
    return str(file)


def _parties(one: Exchange) -> tuple[envelopes.PartyId, ...]:
    found = replay.envelope(one.request)
    assert found is not None
    return (*found.from_parties, *found.to_parties)


def _agreements(found: tuple[Exchange, ...]) -> set[tuple[str, str]]:
    """(CPAId, the peer's HER-id) of each agreement of the trial."""
    pairs = set()
    for one in found:
        read = replay.envelope(one.request)
        if read is not None and read.cpa_id.startswith("interop:"):
            hers = {p.value for p in _parties(one) if p.type == "HER"} - {replay.OURS}
            pairs |= {(read.cpa_id, her) for her in hers}
    return pairs


def _stand_in(found: tuple[Exchange, ...]) -> Callable[..., Any]:
    """In place of cms.decrypt: the keys were never recorded, so a new document of the same parties stands for each old one."""
    parties = {}
    for one in found:
        read, package = replay.envelope(one.request), replay.package(one.request)
        for part in package.attachments if package is not None and read is not None else ():
            assert read is not None
            parties[sha256(part.content)] = (
                _her(read.from_parties),
                str(uuid5(NAMESPACE_URL, read.message_id)),
                read.timestamp,
            )

    def decrypt(content: bytes, *_: Any, **__: Any) -> Any:
        her, msg_id, at = parties[sha256(content)]
        sender = _member(her)
        sample = make("dialog-helsefaglig", sender=sender, receiver=DOCTOR, gen_date=at, msg_id=msg_id)
        return SimpleNamespace(content=sample.document)

    return decrypt
