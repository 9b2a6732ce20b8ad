"""A hub with its real store and doors, and all that a test needs to write to it and to see what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from adapters.register.file import der
from adapters.register.keys import FolderKeys
from hub.events import Entry
from hub.formats import envelope as envelopes
from hub.formats import mime, xml
from hub.formats.envelope import Envelope, ErrorFacts
from hub.message import DeliveryRecord, MessageRecord
from hub.ports import ArrivalFilter, ArrivalRecord, DeliveryFilter, MessageFilter
from hub.trust import signature
from hub.trust.signature import SigningKey, Verified
from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.certs.make_example import BAD
from ops.partner.aside import Aside, MovableClock
from ops.samples.make import Sample, make
from ops.sector import SECTOR, Member, Site, make_keys, write_site
from tests.support import asgi
from tests.support.asgi import Reply
from tests.support.both_ways import watch
from tests.support.certificates import More, make_more
from tests.support.letters import Letter, Post

Result = TypeVar("Result")
NURSING, DOCTOR = SECTOR[0], SECTOR[1]
#: Two parties behind one record system.
SECOND_DOCTOR = Member("8000203", "Solvik legesenter, lege to", "8000201", "legesenter", "999000029", "legesenter")
PARTNER = Member("8009102", "Prøvepartner, mottak", "8009101", "partner", "999000053")
STRANGER = Member("8009202", "Fremmed, mottak", "8009201", "sykehus", "999000045")
UNSHELTERED = Member("8009302", "Avtalt klartekst, mottak", "8009301", "partner", "999000053")
LOCAL = (NURSING, DOCTOR, SECOND_DOCTOR)


@dataclass(frozen=True)
class Keys:
    """The PKI of the tests: made once, for every world."""

    folder: Path
    good: SigningKey
    wrong: Mapping[str, SigningKey]
    more: More

    @classmethod
    def made(cls, folder: Path) -> Keys:
        """A second or two."""
        make_keys(folder, [*SECTOR, PARTNER], bad_for="partner")
        more = make_more(folder)
        wrong = {kind: _signing(folder / f"partner-{kind}") for kind in BAD} | dict(more.keys)
        return cls(folder, _signing(folder / "partner"), wrong, more)

    def certificate(self, organisation: str, use: str = "encrypt") -> bytes:
        """DER."""
        return der((self.folder / organisation / f"{use}.cert.pem").read_bytes())

    def stranger(self) -> SigningKey:
        """A good key that is registered for somebody else."""
        return _signing(self.folder / "sykehus")


def _signing(folder: Path) -> SigningKey:
    from adapters.register.keys import private_key

    return SigningKey(private_key(folder / "sign.key.pem"), der((folder / "sign.cert.pem").read_bytes()))


@dataclass(frozen=True, slots=True)
class Said:
    """What the hub answered to one message, and what it wrote down about it."""

    reply: Reply
    arrival: ArrivalRecord | None
    journal: list[Entry]
    deliveries: list[DeliveryRecord]  #: made because of it
    messages: list[MessageRecord]  #: kept because of it
    envelope: Envelope | None
    verified: Verified | None

    @property
    def kind(self) -> str:
        """`acknowledgment`, `error`, `fault`, `empty` or `other`."""
        if self.envelope is not None:
            return self.envelope.kind
        return "fault" if b"<SOAP:Fault>" in self.reply.body else "other" if self.reply.body else "empty"

    @property
    def error(self) -> ErrorFacts:
        """The one Error of a MessageError."""
        assert self.envelope is not None and len(self.envelope.errors) == 1, f"{self.kind}: {self.reply.body!r}"
        return self.envelope.errors[0]

    @property
    def codes(self) -> list[str]:
        """The journal's codes."""
        return [e.code for e in self.journal]


class World:
    """A hub that serves a municipality and a doctors' office, with one partner that writes to it."""

    def __init__(
        self,
        folder: Path,
        keys: Keys,
        aside: Aside,
        agreements: Sequence[str] = (),
        manners: Mapping[str, Any] | None = None,
        **settings: dict[str, Any],
    ) -> None:
        """`manners` are more fields of the partner's row in the party file."""
        self.keys, self.clock, self._aside = keys, MovableClock(), aside
        self.site = site(folder, keys, settings, manners or {})
        for number, text in enumerate(agreements):
            (self.site.folder / "agreements" / f"{number}.xml").write_text(text, "utf-8")
        self.hub, self._leave = self._entered()
        watch(self.hub.kit.patterns)
        self.post_to = Post(PARTNER.her_id, DOCTOR.her_id, keys.good, keys.certificate("legesenter"))
        self._known = FolderKeys([("doctor", keys.folder / "legesenter")])

    def _entered(self) -> tuple[Hub, Callable[[], None]]:
        return self._aside.enter(assembled(config.load(self.site.configuration), clock=self.clock))

    def run(self, work: Coroutine[Any, Any, Result], seconds: float = 60) -> Result:
        """On the hub's own loop; TimeoutError when it hangs."""
        return self._aside.run(work, seconds)

    def close(self) -> None:
        """Closes the hub, after its store has said that it keeps its promises."""
        broken = self.run(self.hub.store.check())
        self._leave()
        assert not broken, broken

    def sample(self, kind: str = "dialog-helsefaglig", **other: Any) -> Sample:
        """A document from the partner to the doctor, unless told otherwise."""
        given = {"sender": PARTNER, "receiver": DOCTOR, "gen_date": datetime.now(UTC), "msg_id": str(uuid4())}
        return make(kind, **(given | other))

    def post(self, letter: Letter, path: str = "/ebxml", method: str = "POST") -> Said:
        """Sends it to the ebXML door, and looks at everything that came of it."""
        before = self._newest()
        reply = self.run(asgi.call(self.hub.app, method, path, letter.headers, letter.body))
        arrival = self._newest()
        if arrival is not None and before is not None and arrival.arrival.id == before.arrival.id:
            arrival = None
        decent(reply, letter.document)
        own = arrival.arrival.id if arrival else "(none)"
        messages = [m for m in self.run(self.hub.store.messages(MessageFilter(limit=50))) if m.arrival_id == own]
        deliveries = [d for m in messages for d in self.run(self.hub.store.deliveries(DeliveryFilter(message_id=m.id)))]
        journal = self.run(self.hub.store.journal(arrival_id=own))
        told = " ".join(e.because for e in journal)
        assert not any(word.decode() in told for word in SECRETS), f"content in the journal: {told}"
        return Said(reply, arrival, journal, deliveries, messages, *self._read(reply))

    def _newest(self) -> ArrivalRecord | None:
        return next(iter(self.run(self.hub.store.arrivals(ArrivalFilter(limit=1)))), None)

    def _read(self, reply: Reply) -> tuple[Envelope | None, Verified | None]:
        package = mime.read(reply.headers, reply.body)
        root = xml.parse(package.root.content, xml.Bounds(10_000_000)) if isinstance(package, mime.Package) else None
        if root is None or isinstance(root, xml.XmlFault):
            return None, None
        found = envelopes.read(root)
        if isinstance(found, envelopes.EnvelopeFault):
            return None, None
        assert isinstance(package, mime.Package)
        proven = signature.verify(package.root.content, root, {}, signature.SignaturePolicy())
        assert isinstance(proven, Verified), f"the hub's answer is not signed as it should be: {proven}"
        return found, proven

    def rest(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        system: str = "legesenter",
        key: str | None = None,
        query: str = "",
    ) -> Reply:
        """A call of a record system; `body` is JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        own = self.site.keys[system] if key is None else key
        headers = {"X-API-Key": own, "Content-Type": "application/json"} if own else {}
        reply = self.run(asgi.call(self.hub.app, method, f"/api/v3{path}", headers, content, query))
        decent(reply, b"")
        return reply


def decent(reply: Reply, document: bytes) -> None:
    """No answer shows where in the code it was made, nor a word of the document."""
    for trace in (b"Traceback", b'File "', b".py", b"Error:", b"Exception"):
        assert trace not in reply.body, f"a trace of the code in an answer: {reply.body[:400]!r}"
    for word in SECRETS:
        assert word not in reply.body, f"content in an answer: {word!r}"
        assert not any(word in value.encode("latin-1", "replace") for value in reply.headers.values())
    if document:
        assert document not in reply.body


#: Words that stand in every sample and in no answer (the journal is asked for them too).
SECRETS = (b"Oppdiktet", b"oppdiktet", b"Testesen", "Prøvdal".encode())


def site(folder: Path, keys: Keys, settings: Mapping[str, dict[str, Any]], partner: Mapping[str, Any]) -> Site:
    """The hub's folder: record systems answer for themselves, and nothing waits for room on the disk."""
    registered = ["partner", *(f"partner-{kind}" for kind in BAD)]
    known = [str(keys.folder / name / "sign.cert.pem") for name in registered]
    own = folder / "more"
    own.mkdir(parents=True)
    for name, key in keys.more.keys.items():
        (own / f"{name}.der").write_bytes(key.certificate_der)
        known.append(str(own / f"{name}.der"))
    manners: dict[str, dict[str, Any]] = {
        PARTNER.her_id: {"signing_certificates": known, **partner},
        UNSHELTERED.her_id: {"encrypted": False, "allow_sha1": True},
    }
    remote = [(m, "http://127.0.0.1:9/ebxml") for m in (PARTNER, STRANGER, UNSHELTERED)]
    given: dict[str, dict[str, Any]] = {"store": {"min_free_bytes": 0}, "revocation": {"look_seconds": 0}}
    for section, values in settings.items():
        given.setdefault(section, {}).update(values)
    given["revocation"].setdefault("folder", keys.folder / "crl")
    return write_site(folder, keys.folder, LOCAL, remote, apprec="system", manners=manners, settings=given)
