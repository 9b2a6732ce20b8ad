"""A pytest plug-in: a PKI, synthetic messages, partners that misbehave when asked, and a hub, for anybody's tests.

It is loaded with pytest wherever Samhandling Hub is installed, so it imports nothing before a fixture is asked for.
Everything runs on free ports of this machine, in a thread of its own: the tests may be plain functions or async ones.
See ops/reference/pytest-plugin.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from ops.partner.aside import Aside
    from ops.partner.edi20 import Edi20Server
    from ops.partner.handles import HubHandle, PartnerHandle, Pki
    from ops.partner.partner import Partner
    from ops.samples.make import Sample
    from ops.sector import Member


class MakePartner(Protocol):
    """What the fixture `samhub_partner` is."""

    def __call__(
        self,
        her_id: str = "",
        behaviour: str = "good",
        *,
        sends_to: str = "",
        encrypt_for: bytes | Path = b"",
        slow_seconds: float = 0.5,
        late_seconds: float = 0.2,
        by: Literal["http", "mail"] = "http",
        peer: str = "",
    ) -> PartnerHandle: ...


class MakeAgreement(Protocol):
    """What the fixture `samhub_agreement` is."""

    def __call__(self, partner: PartnerHandle, member: Member, **terms: Any) -> Path: ...


class MakeHub(Protocol):
    """What the fixture `samhub_hub` is."""

    def __call__(
        self,
        remote: Sequence[PartnerHandle] = (),
        local: Sequence[Member] = (),
        *,
        times: str = "short",
        settings: Mapping[str, dict[str, Any]] | None = None,
        manners: Mapping[str, dict[str, Any]] | None = None,
        routes: str = "",
        agreements: Sequence[Path] = (),
        **more: Any,
    ) -> HubHandle: ...


class MakeSample(Protocol):
    """What the fixture `samhub_samples` is."""

    def __call__(
        self,
        kind: str = "henvisning",
        *,
        sender: Member | PartnerHandle | None = None,
        receiver: Member | PartnerHandle | None = None,
        copies: Sequence[Member | PartnerHandle] = (),
        at: datetime | None = None,
        msg_id: str = "",
        **more: Any,
    ) -> Sample: ...


@pytest.fixture(scope="session")
def _samhub_aside() -> Iterator[Aside]:
    """The event loop in which everything runs, in a thread of its own."""
    from ops.partner.aside import Aside

    aside = Aside()
    yield aside
    aside.close()


@pytest.fixture(scope="session")
def samhub_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The example PKI, made once a session: `folder`, `certificate(organisation, use)`, and the partners' keys."""
    from ops.partner.handles import Pki

    return Pki.made(tmp_path_factory.mktemp("samhub-pki"))


@pytest.fixture
def samhub_partner(samhub_pki: Pki, _samhub_aside: Aside) -> Iterator[MakePartner]:
    """Makes simulated partners on free ports: `samhub_partner("8009000", "negative-apprec")`.

    It misbehaves by name; the names are those of ops.partner.behaviours. With `by="mail"` it is reached by SMTP through a
    post office of this test's own, which becomes the relay of a `samhub_hub` that knows such partners. A partner of a
    `samhub_hub` knows where to send and for whom to encrypt; for another message handler say `sends_to` (its URL, or
    `smtp://host:port`) and `encrypt_for` (its certificate). With `peer` it is one of the handlers that were met: the
    names, and single manners with `-` before those that it has not, are those of ops.partner.peers: `"hermes -gzip"`.
    """
    from ops.partner.handles import PartnerHandle
    from ops.partner.mail import MailPartner
    from ops.partner.office import PostOffice
    from ops.partner.peer import Peer
    from ops.partner.peers import manners

    numbers = count(8009000, 2)
    office = PostOffice()
    with ExitStack() as stack:

        def opened() -> PostOffice:
            """When the first partner needs it."""
            if not office.port:
                _, leave = _samhub_aside.enter(office)
                stack.callback(leave)
            return office

        def make(
            her_id: str = "",
            behaviour: str = "good",
            *,
            sends_to: str = "",
            encrypt_for: bytes | Path = b"",
            slow_seconds: float = 0.5,
            late_seconds: float = 0.2,
            by: Literal["http", "mail"] = "http",
            peer: str = "",
        ) -> PartnerHandle:
            certificate = _certificate(encrypt_for)
            own, keys = her_id or str(next(numbers)), samhub_pki.partner_keys
            said: dict[str, Any] = {"hub_url": sends_to, "certificate_of": lambda _: certificate}
            if by == "mail":
                partner: Partner = MailPartner(own, keys, opened(), **said)
            else:
                partner = Peer(own, keys, manners=manners(peer.split()), **said)
            partner.receiving = partner.named(behaviour)
            partner.slow_seconds, partner.late_seconds = slow_seconds, late_seconds
            _, leave = _samhub_aside.enter(partner)
            stack.callback(leave)
            return PartnerHandle(partner, _samhub_aside)

        yield make


def _certificate(given: bytes | Path) -> bytes:
    from adapters.register.file import der

    content = given if isinstance(given, bytes) else given.read_bytes()
    return der(content) if content else b""


@pytest.fixture
def samhub_hub(
    samhub_pki: Pki,
    samhub_partner: MakePartner,  # noqa: ARG001  so that partners are closed after hubs
    tmp_path_factory: pytest.TempPathFactory,
    _samhub_aside: Aside,
) -> Iterator[MakeHub]:
    """Makes hubs that run: `samhub_hub([partner])` serves the example GP and knows the partners as remote parties.

    `local` are the members served (of ops.sector.SECTOR), `times` is `short` or `sector` (hours, with `hub.clock` to move),
    `settings` are sections of the configuration, `manners` more fields of a party by HER-id, `routes` the text of
    routes.toml, `agreements` CPA files. When the test is over, the store must keep its promises.
    """
    from ops.partner.handles import HubHandle, encryption_of, hub_site
    from ops.sector import SECTOR

    with ExitStack() as stack:

        def make(
            remote: Sequence[PartnerHandle] = (),
            local: Sequence[Member] = (),
            *,
            times: str = "short",
            settings: Mapping[str, dict[str, Any]] | None = None,
            manners: Mapping[str, dict[str, Any]] | None = None,
            routes: str = "",
            agreements: Sequence[Path] = (),
            **more: Any,
        ) -> HubHandle:
            served = list(local) or [m for m in SECTOR if m.organisation == "legesenter"]
            folder = tmp_path_factory.mktemp("samhub")
            site = hub_site(
                folder,
                samhub_pki,
                served,
                remote,
                times=times,
                settings=settings,
                manners=manners,
                routes=routes,
                agreements=agreements,
                **more,
            )
            hub = HubHandle(site, samhub_pki, _samhub_aside)
            stack.callback(hub.stop)
            hub.start()
            for one in remote:
                one.meet(hub.door_for(one), encryption_of(samhub_pki, served))
            return hub

        yield make


@pytest.fixture
def samhub_agreement(samhub_pki: Pki, tmp_path: Path) -> MakeAgreement:
    """Makes a CPA between a partner and a local party, for both: `samhub_agreement(partner, member, sync=False)`.

    The terms are those of ops.partner.terms.Terms; the file is for `agreements` of `samhub_hub`, and the partner holds it too.
    """
    from ops.partner.agreed import agreed

    def make(partner: PartnerHandle, member: Member, **terms: Any) -> Path:
        return agreed(partner, member, samhub_pki, tmp_path, **terms)

    return make


@pytest.fixture
def samhub_samples() -> MakeSample:
    """Makes synthetic documents: `samhub_samples("henvisning", receiver=partner)`; valid, new, about invented persons.

    The sender is the example GP unless another is named. The kinds are those of ops.samples.make.KINDS.
    """
    from ops.partner.handles import as_member
    from ops.samples.make import make
    from ops.sector import SECTOR

    doctor, surgery = SECTOR[1], SECTOR[3]
    numbers = count(1)

    def one(
        kind: str = "henvisning",
        *,
        sender: Member | PartnerHandle | None = None,
        receiver: Member | PartnerHandle | None = None,
        copies: Sequence[Member | PartnerHandle] = (),
        at: datetime | None = None,
        msg_id: str = "",
        **more: Any,
    ) -> Sample:
        return make(
            kind,
            sender=as_member(sender or doctor),
            receiver=as_member(receiver or (surgery if sender is None else doctor)),
            copies=[as_member(c) for c in copies],
            gen_date=at or datetime.now(UTC),
            msg_id=msg_id or str(uuid4()),
            **{"number": next(numbers), **more},
        )

    return one


@pytest.fixture
def edi20_server(samhub_hub: MakeHub, _samhub_aside: Aside) -> Iterator[Edi20Server]:
    """A strict EDI 2.0 server, versions 3 and 2, with an issuer of tokens, for tests of somebody else's client.

    `edi20_server.base` and `.issuer_address` are what the client is given; `.register(client_id, jwk)` makes it known there;
    `.await_received()`, `.answer(came)` and `.send(document)` are the other end. See ops.partner.edi20.Edi20Server.
    """
    from ops.partner.edi20 import serving

    with serving(samhub_hub, _samhub_aside) as server:
        yield server


@pytest.fixture(scope="session")
def samhub_eventually() -> Callable[..., Any]:
    """`samhub_eventually(lambda: …)` polls until it is true and gives what it gave; AssertionError after ten seconds."""
    from ops.partner.aside import eventually

    return eventually
