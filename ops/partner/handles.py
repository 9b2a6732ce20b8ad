"""What a test holds in its hands: a PKI, partners, a running hub and the record systems beside it, all in plain calls."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

from adapters.register.file import der
from hub import commands, insights
from hub.formats import apprec_write, xml
from hub.formats import document as documents
from hub.formats.apprec import AppRecError
from hub.formats.apprec_write import APPREC_ERRORS, APPREC_OID
from hub.insights import Story
from hub.message import DeliveryRecord
from hub.ports import DeliveryFilter
from hub.states import Move, State
from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.certs.make_example import BAD
from ops.epj import RecordSystemClient
from ops.partner import wire
from ops.partner.aside import Aside, MovableClock, eventually
from ops.partner.behaviours import Sending
from ops.partner.keys import keys_in
from ops.partner.mail import MailPartner, mail_of
from ops.partner.partner import Partner, PartnerKeys, Sent
from ops.partner.peer import Peer
from ops.partner.wire import Received, Wire
from ops.samples.make import Sample
from ops.sector import SECTOR, Member, Site, make_keys, write_site
from ops.serve.run import running

Result = TypeVar("Result")
#: The sector's hours as seconds, so that a test need not wait; `times="sector"` leaves them as they are.
SHORT: Mapping[str, Any] = {
    "retry_interval_seconds": 0.3,
    "retries": 20,
    "persist_duration_seconds": 60,
    "backoff_first_seconds": 0.1,
    "backoff_longest_seconds": 0.3,
}
WORK: Mapping[str, Any] = {"poll_seconds": 0.02, "watch_seconds": 0.05, "sweep_seconds": 0.05, "stop_seconds": 0.5}


@dataclass(frozen=True)
class Pki:
    """Example certificates and keys of the sector's organisations and of one organisation for all simulated partners."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Pki:
        """Makes all of it; a second or two."""
        make_keys(folder, [*SECTOR, partner_member("8009000")], bad_for="partner")
        return cls(folder)

    @cached_property
    def partner_keys(self) -> PartnerKeys:
        """The keys that every simulated partner uses, with the wrong ones."""
        return keys_in(self.folder / "partner")

    def certificate(self, organisation: str, use: str = "encrypt") -> bytes:
        """DER of an organisation's certificate; `use` is `encrypt` or `sign`."""
        return der((self.folder / organisation / f"{use}.cert.pem").read_bytes())

    def registered(self) -> list[str]:
        """The certificates that a hub knows simulated partners by: the good one, and the bad ones so that each is told apart."""
        names = ["partner", *(f"partner-{kind}" for kind in BAD)]
        return [str(self.folder / name / "sign.cert.pem") for name in names]


def partner_member(her_id: str) -> Member:
    """A simulated partner as the party file knows it."""
    return Member(her_id, f"Prøvepartner {her_id}", str(int(her_id) + 1), "partner", "999000053")


class PartnerHandle:
    """A simulated partner that is running."""

    def __init__(self, partner: Partner, aside: Aside) -> None:
        self.partner, self._aside = partner, aside
        self.member = partner_member(partner.her_id)

    @property
    def her_id(self) -> str:
        """Its HER-id."""
        return self.partner.her_id

    @property
    def url(self) -> str:
        """Where it takes messages; the same while it is down."""
        return self.partner.url

    @property
    def received(self) -> list[Received]:
        """Business messages and AppRecs that it got, in order, each time they came."""
        return list(self.partner.received)

    @property
    def signals(self) -> list[Received]:
        """Receipts that came by themselves, in order."""
        return list(self.partner.signals)

    def standing(self, message_id: str) -> str:
        """How a message of its own stands as it sees it: `waiting`, `delivered` or `failed`; empty: it never sent it."""
        return self.partner.standing.get(message_id, "") if isinstance(self.partner, Peer) else ""

    def told(self, message_id: str) -> str:
        """Code and words by which a message of its own was refused, or the status that it asked for."""
        return self.partner.told.get(message_id, "") if isinstance(self.partner, Peer) else ""

    def behave(self, how: str) -> None:
        """From now on it does this with what it gets; names: `samhub_partner`'s page."""
        self._aside.run(self.partner.behave(self.partner.named(how)))

    def send(self, document: Sample | bytes, to: str = "", how: str = "good", **said: Any) -> Sent:
        """Sends a document to the hub, right or wrong, and returns what the hub answered; `said`: other header fields."""
        body, her_id = (document, to) if isinstance(document, bytes) else (document.document, to or document.to_her)
        return self._aside.run(self.partner.send(body, her_id, Sending(how), **said))

    def meet(self, hub_url: str, certificate_of: Callable[[str], bytes]) -> None:
        """From now on it sends to this hub, and encrypts with what `certificate_of` gives for a HER-id."""
        self.partner.meet(hub_url, certificate_of)

    def apprec_about(self, received: Received, status: str = "1") -> bytes:
        """Its AppRec about a document that it got: status 1 is OK, 2 is Avvist."""
        return self.partner.apprec_about(received, status)

    def await_received(self, count: int, seconds: float = 10) -> list[Received]:
        """What it has received, once that is `count` or more."""
        return eventually(lambda: self.received if len(self.received) >= count else [], seconds, f"{count} messages")

    def sealed(self, document: Sample, how: str = "good", **said: Any) -> tuple[str, Wire]:
        """MessageId and bytes of a message, not sent yet."""
        return self.partner.sealed(document.document, document.to_her, Sending(how), **said)

    def ping(self, to: str) -> Sent:
        """A Ping, and what the hub answered."""
        return self._aside.run(self.partner.ping(to))

    def ask(self, about: str, to: str) -> Sent:
        """A StatusRequest about a MessageId, and what the hub answered."""
        return self._aside.run(self.partner.ask(about, to))

    def acknowledge(self, received: Received, how: str = "good") -> Sent:
        """Its Acknowledgment of what it got, sent by itself; or wrong: `wrong-signature`, `signs-other`, `revoked`."""
        key = self.partner.keys.wrong.get(how)
        spoilers = {"wrong-signature": wire.broken_value, "signs-other": wire.changed_after_signing}
        return self.post(spoilers.get(how, lambda w: w)(self.partner.acknowledged(received, key=key)))

    def refuse(self, received: Received, *, signed: bool = True) -> Sent:
        """Its MessageError (Error, SecurityFailure) about what it got, sent by itself."""
        written = self.partner.error(received, "Error", "SecurityFailure", "simulated refusal")
        return self.post(written if signed else wire.without_signature(written))

    def drop_connections(self) -> None:
        """The next request on each connection that is open now finds it closed, without an answer."""
        self._aside.run(self.partner.drop_connections())

    def post(self, written: Wire) -> Sent:
        """Posts bytes as they are."""
        return self._aside.run(self.partner.post(written))

    def mail(self, content: bytes) -> str:
        """Hands any mail to the hub's listener, as it is; what the listener said. For a partner that is reached by mail."""
        assert isinstance(self.partner, MailPartner), "make it by samhub_partner(by='mail')"
        return self._aside.run(self.partner.hand_over(content))


@dataclass(frozen=True, slots=True)
class Handover:
    """A document that a record system fetched and marked as fetched."""

    message_id: str
    receiver: str
    about: dict[str, Any]
    document: bytes = field(repr=False)


class Refused(Exception):
    """The hub did not take a document: HTTP status, code of the register, and its words."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status, self.code, self.detail = status, code, detail
        super().__init__(f"{status} {code}: {detail}")


class EpjHandle:
    """A record system at the REST door."""

    def __init__(self, client: RecordSystemClient, her_ids: Sequence[str], aside: Aside) -> None:
        self._client, self._aside = client, aside
        self.her_ids = list(her_ids)
        self._offset = 0

    def send(self, document: Sample | bytes, sender: str = "", receivers: Sequence[str] = ()) -> str:
        """Hands a document over; the hub's id for it. Raises Refused."""
        body, own = (document, sender) if isinstance(document, bytes) else (document.document, document.from_her)
        status, answer = self._aside.run(self._client.send(body, own, receivers))
        if status != 202:
            raise Refused(status, str(answer.get("code", "")), str(answer.get("detail", "")))
        return str(answer["id"])

    def status(self, message_id: str) -> list[dict[str, Any]]:
        """The status list, one entry for each receiver."""
        return self._aside.run(self._client.status(message_id))

    def notifications(self, offset: int = 0) -> list[dict[str, Any]]:
        """Everything told since `offset`."""
        return self._aside.run(self._client.notifications(self.her_ids, offset))

    def told(self, message_id: str) -> list[str]:
        """The types of the notifications about one message, in order."""
        return [n["type"] for n in self.notifications() if n["relatedMessageId"] == message_id]

    def take(self) -> list[Handover]:
        """Fetches what is new and marks it as fetched."""
        taken = []
        for note in self.notifications(self._offset):
            self._offset = max(self._offset, note["offset"])
            if note["type"] == "NewMessage":
                taken.append(self._taken(note["relatedMessageId"], str(note["notificationReceiverHerId"])))
        return taken

    def _taken(self, message_id: str, receiver: str) -> Handover:
        about = self._aside.run(self._client.message(message_id))
        document = self._aside.run(self._client.fetch(message_id))
        self._aside.run(self._client.fetched(message_id, receiver))
        return Handover(message_id, receiver, about, document)

    def take_one(self, seconds: float = 10) -> Handover:
        """The next new message, waited for; AssertionError when several came."""
        taken = eventually(self.take, seconds, "a new message")
        assert len(taken) == 1, f"{len(taken)} new messages, one was expected"
        return taken[0]

    def answer(self, message_id: str, receiver: str, *errors: tuple[str, str]) -> int:
        """An AppRec, positive without errors, each (code, details); the HTTP status."""
        return self._aside.run(self._client.answer(message_id, receiver, errors))

    def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Any other call below /api/v3: HTTP status and JSON."""
        return self._aside.run(self._client.call(method, path, **more))


class HubHandle:
    """A hub that is running on a free port, with a clock that can be moved."""

    def __init__(self, site: Site, pki: Pki, aside: Aside) -> None:
        self.site, self.pki, self.clock = site, pki, MovableClock()
        self._aside = aside
        self._leave: list[Callable[[], None]] = []
        self._changed: dict[str, dict[str, Any]] = {}
        self.built: Hub
        self.url = ""

    def start(self, **settings: dict[str, Any]) -> HubHandle:
        """Opens the store and serves, with these settings changed (section → values); later on the same port."""
        for section, values in settings.items():
            self._changed.setdefault(section, {}).update(values)
        found = config.load(self.site.configuration)
        for section, values in self._changed.items():
            own = getattr(found, section)
            found = found.model_copy(update={section: own.model_validate({**own.model_dump(), **values})})
        self.built, leave_hub = self._aside.enter(assembled(found, clock=self.clock))
        self._leave.append(leave_hub)
        self.url, leave_serving = self._aside.enter(running(self.built))
        self._leave.append(leave_serving)
        self._changed["http"] = {**self._changed.get("http", {}), "port": int(self.url.rpartition(":")[2])}
        if port := self.built.mail.listener.port:
            self._changed["listener"] = {**self._changed.get("listener", {}), "port": port}
        return self

    def stop(self) -> None:
        """Stops serving and closes the store, after it has been asked whether it keeps its promises."""
        if not self._leave:
            return
        broken = self.run(self.built.store.check())
        while self._leave:
            self._leave.pop()()
        assert not broken, f"the store does not keep its promises: {broken}"

    def restart(self, **settings: dict[str, Any]) -> HubHandle:
        """Stops and starts again; record systems must be asked for anew."""
        self.stop()
        return self.start(**settings)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs something of the hub's own loop, such as `hub.run(hub.built.store.counts())`."""
        return self._aside.run(work)

    def epj(self, her_id: str) -> EpjHandle:
        """The record system that serves this HER-id."""
        party = self.built.directory.party(her_id)
        assert party is not None and party.system, f"HER-id {her_id} is not served here"
        system = self.built.directory.system(party.system)
        assert system is not None
        client = RecordSystemClient(self.url, self.site.keys[system.id])
        self.run(client.__aenter__())
        self._leave.append(lambda: self._aside.run(client.__aexit__()))
        return EpjHandle(client, sorted(system.her_ids), self._aside)

    def folder(self, her_id: str) -> Path:
        """The folder of the record system that serves this HER-id."""
        party = self.built.directory.party(her_id)
        system = self.built.directory.system(party.system or "") if party else None
        assert system is not None and system.address, f"HER-id {her_id} has no folder"
        return Path(system.address)

    def apprec_about(self, handed: Handover, answering: Member, status: str = "1") -> bytes:
        """The AppRec that a record system which writes its own would write: 1 is OK, 2 is Avvist (E35)."""
        root = xml.parse(handed.document, xml.Bounds.for_document(len(handed.document)))
        assert not isinstance(root, xml.XmlFault)
        document = documents.read(root)
        errors = () if status == "1" else (AppRecError("E35", APPREC_OID, APPREC_ERRORS["E35"]),)
        address = next(a for a in (document.receiver, *document.copies) if answering.her_id in a.her_ids)
        return apprec_write.write(
            document,
            version="1.1",
            apprec_id=self.built.kit.dice.uuid(),
            now=self.clock.now(),
            receiver=address,
            role="PRIM" if address is document.receiver else "COP",
            status=status,
            errors=errors,
            software=("Journal", "1"),
        )

    def door_for(self, partner: PartnerHandle) -> str:
        """Where a partner sends: the ebXML door, or the hub's own mail listener."""
        mails = isinstance(partner.partner, MailPartner)
        return f"smtp://127.0.0.1:{self.built.mail.listener.port}" if mails else f"{self.url}/ebxml"

    def get(self, path: str) -> tuple[int, str]:
        """HTTP status and text of any page of the hub, such as /health/ready."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    # --- looking and acting

    def story(self, message_id: str) -> Story:
        """Everything known about a message, by our id, its MsgId or its MessageId."""
        found = self.run(insights.story(self.built.store, message_id))
        assert found is not None, f"message {message_id} is not known to the hub"
        return found

    def delivery(self, message_id: str, to: str = "") -> DeliveryRecord:
        """The delivery of a message to one receiver; without `to` its only one."""
        found = [d for d in self.story(message_id).deliveries if to in ("", d.receiver)]
        assert len(found) == 1, f"{len(found)} deliveries to {to or 'anybody'}"
        return found[0]

    def events(self, message_id: str) -> list[str]:
        """The journal of a message: its events in order."""
        return [str(e.event) for e in self.story(message_id).journal]

    def until(self, message_id: str, state: str, to: str = "", seconds: float = 10) -> DeliveryRecord:
        """The delivery, once it stands at `state`."""

        def look() -> DeliveryRecord | None:
            found = self.delivery(message_id, to)
            seen.append(f"{found.state} ({found.code}: {found.because})")
            return found if found.state == state else None

        seen: list[str] = []
        try:
            found = eventually(look, seconds)
        except AssertionError:
            raise AssertionError(f"{state} was expected within {seconds:g} s; it stands at {seen[-1]}") from None
        assert found is not None
        return found

    def until_tried(self, message_id: str, times: int = 1) -> None:
        """Waits until the only delivery of a message has been tried so often, and each try has ended, or it was given up."""

        def tried() -> bool:
            found = self.story(message_id)
            given_up = any(d.state in (State.DEAD, State.EXPIRED) for d in found.deliveries)
            return given_up or sum(a.ended_at is not None for a in found.attempts) >= times

        eventually(tried, wanted=f"try {times} of {message_id}")

    def deliveries(self, **wanted: Any) -> list[DeliveryRecord]:
        """Deliveries by the fields of hub.ports.DeliveryFilter."""
        return self.run(self.built.store.deliveries(DeliveryFilter(**wanted)))

    def act(self, delivery_id: str, move: str, why: str = "") -> DeliveryRecord:
        """What a person does: hold, release, resend or discard."""
        done = self.run(commands.act(delivery_id, Move(move), "tester", why, self.built.kit))
        self._aside.run(_soon(self.built.worker.wake))
        return done

    def watched(self) -> None:
        """Looks now for missing AppRecs and for what could not be judged, as the hub does every few seconds."""
        self.run(self.built.worker.watch())

    def count(self, state: str) -> int:
        """How many deliveries stand at `state`, or arrivals at `arrival:<state>`."""
        return self.run(self.built.store.counts()).get(state, 0)


async def _soon(work: Callable[[], None]) -> None:
    work()


def hub_site(
    folder: Path,
    pki: Pki,
    local: Sequence[Member],
    remote: Sequence[PartnerHandle],
    *,
    times: str = "short",
    settings: Mapping[str, dict[str, Any]] | None = None,
    manners: Mapping[str, dict[str, Any]] | None = None,
    routes: str = "",
    agreements: Sequence[Path] = (),
    **more: Any,
) -> Site:
    """Writes the site of a hub for a test; `more` is for ops.sector.write_site (`channel`, `apprec`, `folder_systems`)."""
    given: dict[str, dict[str, Any]] = {
        "http": {"port": 0},
        "hub": dict(SHORT) if times == "short" else {"backoff_first_seconds": 20},
        "work": dict(WORK),
        "store": {"min_free_bytes": 0},
    }
    offices = [p.partner.office for p in remote if isinstance(p.partner, MailPartner)]
    if offices:
        given["relay"] = {"host": offices[0].host, "port": offices[0].port, "tls": "off", "domain": "hub.example"}
        given["listener"] = {"host": "127.0.0.1", "port": 0}
    for section, values in (settings or {}).items():
        given.setdefault(section, {}).update(values)
    known = {p.her_id: {"signing_certificates": pki.registered()} | (manners or {}).get(p.her_id, {}) for p in remote}
    partners = [(p.member, p.url) for p in remote]
    mailed = {m.her_id: {"mail": mail_of(m.her_id)} | (manners or {}).get(m.her_id, {}) for m in local if offices}
    all_manners = {**dict(manners or {}), **mailed, **known}
    site = write_site(folder, pki.folder, local, partners, settings=given, manners=all_manners, **more)
    (folder / "routes.toml").write_text(routes, "utf-8")
    for path in agreements:
        shutil.copy(path, folder / "agreements")
    return site


def encryption_of(pki: Pki, local: Sequence[Member]) -> Callable[[str], bytes]:
    """HER-id → the certificate to encrypt for it, for partners of a hub that serves `local`; others get the first's."""
    by_her = {m.her_id: pki.certificate(m.organisation) for m in local}
    first = next(iter(by_her.values()))
    return lambda her_id: by_her.get(her_id, first)


def as_member(who: Member | PartnerHandle) -> Member:
    """A partner stands for its party."""
    return who.member if isinstance(who, PartnerHandle) else who
