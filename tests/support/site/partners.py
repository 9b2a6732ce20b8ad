"""Partners outside the hub's processes: they do not give up, and they hang, move or say anything when they are asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from lxml import etree

from hub.formats import apprec as apprecs
from hub.formats import xml
from ops.partner.behaviours import Sending
from ops.partner.handles import Pki, partner_member
from ops.partner.office import PostOffice
from ops.partner.partner import Sent
from ops.partner.wire import Received, Wire
from ops.samples.make import Sample
from ops.sector import SECTOR, Member
from tests.support.documents import sampled
from tests.support.site.tally import Answered, Came, Ledger, Promised, digest
from tests.support.steady import SteadyMailPartner, SteadyPartner


@dataclass(frozen=True)
class Remote:
    """A partner that a site shall have."""

    behaviour: str = "good"  #: a name of ops.partner.behaviours, or `hang`: takes connections and says nothing
    by: Literal["http", "mail"] = "http"
    her_id: str = ""  #: else the next of 8009000, 8009010, …
    manners: dict[str, Any] = field(default_factory=dict)  #: more fields of it in parties.toml
    slow_seconds: float = 0.2  #: how slow `slow` is
    late_seconds: float = 0.05  #: how late what is `late-…` comes


class _Counting(SteadyPartner):
    """Writes down what it got and kept, what it was acknowledged for, and who answered whom."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._hub: Callable[[], str] = lambda: ""
        super().__init__(*given, **named)
        self.kept: set[str] = set()  #: MessageIds that it has acknowledged, or accepted with a Warning
        self.wanted: dict[str, Sample] = {}  #: MsgId → what it sends until it is acknowledged, or has tried once
        self.acknowledged_for: dict[str, Sample] = {}  #: MsgId → what the hub has acknowledged to it
        self.member: Member = partner_member(self.her_id)
        self._given: list[Answered] = []
        self._gives: list[Answered] = []

    # --- where the hub is

    @property
    def hub_url(self) -> str:
        """Any hub's that serves: asked anew for each message, as a name behind a load balancer is."""
        return self._hub()

    @hub_url.setter
    def hub_url(self, url: str) -> None:
        """Always the same from now on; what the simulator says before anybody has met is of no use."""
        if url:
            self._hub = lambda: url

    def find(self, hub: Callable[[], str]) -> None:
        """From now on it sends to what `hub` gives."""
        self._hub = hub

    # --- receiving

    def acknowledged(self, received: Received, **how: Any) -> Wire:
        """See Partner; from now on the message is its own."""
        self.kept.add(received.envelope.message_id)
        return super().acknowledged(received, **how)

    def error(self, received: Received, severity: str, code: str, text: str) -> Wire:
        """See Partner; what is accepted with a Warning is accepted."""
        if severity == "Warning":
            self.kept.add(received.envelope.message_id)
        return super().error(received, severity, code, text)

    # --- sending

    async def sends(self, receiver: Member, kind: str = "epikrise", **more: Any) -> Sample:
        """Sends a new document until it is acknowledged; `more` is for `sampled`."""
        sample = sampled(kind, self.member, receiver, **more)
        await self.insists_on(sample)
        return sample

    async def insists_on(self, sample: Sample) -> None:
        """The same for a document that is made already."""
        self.wanted[sample.msg_id] = sample
        await self.insist(sample.document, sample.to_her)
        assert not self.refused, f"{self.her_id} was refused: {self.refused}"
        self.acknowledged_for[sample.msg_id] = sample

    async def tries(self, sample: Sample, how: Sending = Sending.GOOD, **said: Any) -> Sent:
        """Sends once, right or wrong; only an Acknowledgment makes it a promise."""
        self.wanted[sample.msg_id] = sample
        answer = await self.send(sample.document, sample.to_her, how, **said)
        if answer.kind == "acknowledgment":
            self.acknowledged_for[sample.msg_id] = sample
        return answer

    def gives(self, document: bytes) -> None:
        """See SteadyPartner."""
        self._gives.append(self._noted(document))

    def gave(self, document: bytes) -> None:
        """See SteadyPartner."""
        self._given.append(self._noted(document))

    def _noted(self, document: bytes) -> Answered:
        root = xml.parse(document, xml.Bounds.for_document(len(document)))
        assert isinstance(root, etree._Element)
        answer = apprecs.read(root)
        assert answer is not None
        return Answered(answer.original_id, self.her_id, answer.id, "")

    # --- counting

    def ledger(self) -> Ledger:
        """What it has written down."""
        promised = [_promised(s, self.her_id) for s in self.acknowledged_for.values()]
        offered = [_promised(s, self.her_id) for m, s in self.wanted.items() if m not in self.acknowledged_for]
        found = Ledger(promised=promised, offered=offered, given=list(self._given), on_its_way=list(self._gives))
        for received in self.received:
            if received.document is None or received.envelope.message_id not in self.kept:
                continue
            message_id = received.envelope.message_id
            if received.document.kind == "apprec":
                about = apprecs.read(received.root) if received.root is not None else None
                assert about is not None
                found.home.append(Answered(about.original_id, received.from_her, about.id, message_id))
            else:
                wire = " ".join(r.digest_value for r in received.references)
                came = Came(received.document.msg_id, received.to_her, message_id, digest(received.raw), wire)
                found.came.append(came)
        return found


class SitePartner(_Counting, SteadyPartner):
    """A partner by HTTP. It resends the same bytes until they are acknowledged, and answers a document once."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.contacts = 0  #: requests that reached it, answered or not
        self._hangs, self._raw = False, b""
        self._let_go = asyncio.Event()

    # --- misbehaving

    async def hang(self) -> None:
        """From now on it takes connections and requests, and says nothing."""
        self._hangs = True
        self._let_go.clear()

    async def answers(self, raw: bytes) -> None:
        """From now on it reads each request and says exactly these bytes, then closes: a whole HTTP answer, or none."""
        await self.behaves(self.receiving)
        self._raw = raw

    async def behaves(self, how: str) -> None:
        """From now on it does this with what it gets, as ops.partner.behaviours names it, or `hang`.

        Whoever waits for an answer of one that has hung finds the connection cut.
        """
        if how == "hang":
            await self.hang()
            return
        self._hangs, self._raw = False, b""
        self._let_go.set()
        await self.behave(self.named(how))

    async def move(self) -> str:
        """To another port; nobody listens at the old one. Gives the old address: tell the hub by `Here.register`."""
        old, site, self._site, self._port = self.url, self._site, None, 0
        if site is not None:
            await site.stop()
        for transport in self._connections():
            transport.abort()
        await self.behave(self.receiving)
        return old

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.contacts += 1
        if self._hangs:
            await self._let_go.wait()
            return self._cut(request)
        if self._raw:
            await request.read()
            if request.transport is not None:
                request.transport.write(self._raw)
                await asyncio.sleep(0)
            return self._cut(request, gently=True)
        return await super()._post(request)

    @staticmethod
    def _cut(request: web.Request, *, gently: bool = False) -> web.Response:
        if request.transport is not None:
            request.transport.close() if gently else request.transport.abort()
        return web.Response()

    async def __aexit__(self, *exc: object) -> None:
        self._let_go.set()
        await super().__aexit__(*exc)


class SiteMailPartner(_Counting, SteadyMailPartner):
    """A partner by mail; its mail server tries until the hub's says 250."""

    async def behaves(self, how: str) -> None:
        """From now on it does this with what it gets: see MailPartner.named."""
        await self.behave(self.named(how))


async def opened(
    remote: Remote, her_id: str, pki: Pki, office: PostOffice | None, stack: AsyncExitStack
) -> SitePartner | SiteMailPartner:
    """The partner, listening until `stack` is closed. Partners by mail need an `office`."""
    organisations = {m.her_id: m.organisation for m in SECTOR}
    said = {"certificate_of": lambda her: pki.certificate(organisations[her], "encrypt")}
    if remote.by == "mail":
        assert office is not None
        made: SitePartner | SiteMailPartner = SiteMailPartner(her_id, pki.partner_keys, office, **said)
    else:
        made = SitePartner(her_id, pki.partner_keys, **said)
    made.slow_seconds, made.late_seconds = remote.slow_seconds, remote.late_seconds
    await stack.enter_async_context(made)
    await made.behaves(remote.behaviour)
    return made


def _promised(sample: Sample, sender: str) -> Promised:
    return Promised(sample.msg_id, sender, (sample.to_her,), digest(sample.document))
