"""A hub with queues on the bus, and a partner there; the broker is a real one where a test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hub import bus
from hub.formats import amqp, amqp_report
from hub.formats.amqp import BusMessage
from hub.formats.amqp_report import ErrorReport
from hub.message import Answer, DeliveryRecord
from hub.ports import ArrivalFilter, ArrivalRecord
from ops.partner.aside import Aside, eventually
from ops.partner.handles import SHORT, WORK, HubHandle, Pki
from ops.sector import SECTOR, Member, write_site
from ops.servers.rabbitmq import VirtualHost
from tests.amqp.dotnet import DotNet
from tests.amqp.letters import Hand, Letter
from tests.amqp.stage import EXCHANGE, PASSWORD, USER, furnish

DOCTOR = SECTOR[1]
PARTNER = Member("8009002", "Meldingspartner på bussen", "8009001", "partner", "999000053")
OTHER = Member("8009402", "En annen på bussen", "8009401", "sykehus", "999000045")
#: The two of a CPA of the national register, with keys of the example PKI.
OURS = Member("93238", "Part i en avtale", "93238", "legesenter", "999000029", "legesenter")
THEIRS = Member("93253", "Den andre parten", "93253", "partner", "999000053")
ASYNC, SYNC, SYNCREPLY, ERROR = ("async", "sync", "syncreply", "error")

#: Who has queues on the bus.
EVERYBODY = [*(m.organisation_her_id for m in (DOCTOR, PARTNER, OTHER)), OURS.her_id, THEIRS.her_id]


def queues(her_id: str) -> dict[str, str]:
    """Usual names, as the register has them."""
    return {f"amqp_{kind}": f"127.0.0.1/BUS/{her_id}_{kind}" for kind in (ASYNC, SYNC, SYNCREPLY, ERROR)}


MakeHub = Callable[..., HubHandle]


@pytest.fixture
def bus_hub(samhub_pki: Pki, tmp_path_factory: pytest.TempPathFactory, _samhub_aside: Aside) -> Iterator[MakeHub]:
    """Makes hubs that serve the example GP and know one partner on the bus: `bus_hub(amqp={"url": …})`."""
    made: list[HubHandle] = []

    def make(
        manners: dict[str, dict[str, Any]] | None = None,
        apprec: str = "hub",
        channel: str = "mailbox",
        us: Member = DOCTOR,
        them: Member = PARTNER,
        agreements: Sequence[str] = (),
        **settings: dict[str, Any],
    ) -> HubHandle:
        given = {
            "http": {"port": 0},
            "hub": {
                **SHORT,
                "sync_seconds": 3,
                "bus_retry_seconds": 0.3,
                "persist_duration_seconds": 3600,
                **settings.pop("hub", {}),
            },
            "work": dict(WORK),
            "store": {"min_free_bytes": 0},
            **settings,
        }
        known = {
            us.her_id: queues(us.organisation_her_id),
            them.her_id: {**queues(them.organisation_her_id), "signing_certificates": samhub_pki.registered()},
        }
        known[OTHER.her_id] = queues(OTHER.organisation_her_id)
        for her_id, more in (manners or {}).items():
            known.setdefault(her_id, {}).update(more)
        folder = tmp_path_factory.mktemp("bus")
        site = write_site(
            folder,
            samhub_pki.folder,
            [us],
            [(them, ""), (OTHER, "")],
            manners=known,
            settings=given,
            apprec=apprec,
            channel=channel,
        )
        for number, text in enumerate(agreements):
            (folder / "agreements" / f"{number}.xml").write_text(text, "utf-8")
        hub = HubHandle(site, samhub_pki, _samhub_aside)
        made.append(hub)
        return hub.start()

    yield make
    for hub in made:
        hub.stop()


@pytest.fixture
def partner(samhub_pki: Pki) -> Hand:
    """The partner that signs as it should."""
    return Hand.of(PARTNER.her_id, samhub_pki.folder / "partner")


@pytest.fixture
def wrong(samhub_pki: Pki) -> Callable[[str], Hand]:
    """The same partner with a certificate that is wrong in some way: `wrong("revoked")`."""
    return lambda kind: Hand.of(PARTNER.her_id, samhub_pki.folder / f"partner-{kind}")


class Desk:
    """What a test says to a hub at its bus doors, without a broker, and what the hub then has to say."""

    def __init__(self, hub: HubHandle, partner: Hand, samples: Any) -> None:
        self.hub, self.partner, self._samples = hub, partner, samples

    def sample(self, kind: str = "dialog-helsefaglig", **more: Any) -> Any:
        """A document from the partner to the doctor."""
        return self._samples(kind, **{"sender": PARTNER, "receiver": DOCTOR, **more})

    def letter(self, document: bytes | None = None, by: Hand | None = None, **changed: Any) -> Letter:
        """A message with it."""
        content = self.sample().document if document is None else document
        certificate = self.hub.pki.certificate(DOCTOR.organisation)
        function = changed.pop("function", "DIALOG_HELSEFAGLIG")
        return (by or self.partner).write(content, DOCTOR.her_id, certificate, function, **changed)

    def take(self, letter: Letter, door: str = "amqp_async") -> Answer:
        """It lies in one of our queues."""
        answer = self.hub.run(bus.receive(letter.arrival(door), self.hub.built.kit))
        assert answer.status == 200, "what is kept or refused is settled, whatever it was"
        return answer

    def arrivals(self) -> list[ArrivalRecord]:
        """What has come, newest first."""
        return self.hub.run(self.hub.built.store.arrivals(ArrivalFilter(limit=50)))

    def journal(self, code: str) -> list[str]:
        """What was said under a code."""
        return [e.because for e in self.hub.run(self.hub.built.store.journal()) if e.code == code]

    def promised(self, kind: str) -> list[DeliveryRecord]:
        """Deliveries to the partner: `signal` are error reports."""
        return [d for d in self.hub.deliveries() if d.kind == kind and d.receiver == PARTNER.her_id]

    def sealed(self, delivery: DeliveryRecord) -> tuple[BusMessage, bytes]:
        """What goes to the broker for it, once it has been tried."""
        parcel = eventually(lambda: self.hub.run(self.hub.built.store.parcel(delivery.id)))
        assert parcel is not None
        return amqp.read(parcel.headers), parcel.body

    def report(self) -> tuple[BusMessage, ErrorReport]:
        """The one error report that is promised."""
        (delivery,) = self.promised("signal")
        message, body = self.sealed(delivery)
        assert body == b"" and message.content_type == amqp.SEALED, "receivers answer anything else by another error"
        return message, amqp_report.read(message, body)

    def open(self, body: bytes) -> bytes:
        """What the partner finds in it."""
        return self.partner.read(body, self.hub.pki.certificate(DOCTOR.organisation, "sign"))


@pytest.fixture
def desk(bus_hub: MakeHub, partner: Hand, samhub_samples: Any) -> Desk:
    """A hub without a broker: what it promises to send stays with it."""
    return Desk(bus_hub(), partner, samhub_samples)


# --- with a broker


@pytest.fixture
def broker(shared_broker: VirtualHost) -> VirtualHost:
    """With the exchange and everybody's queues, empty. What kills it overrides this by one of its own."""
    furnish(shared_broker, EVERYBODY)
    return shared_broker


@pytest.fixture(params=["0.9.1", "1.0"])
def way(request: pytest.FixtureRequest) -> str:
    """Both protocols that the hub may speak."""
    return str(request.param)


@pytest.fixture
def on_bus(bus_hub: MakeHub, broker: VirtualHost, way: str, tmp_path: Path) -> MakeHub:
    """Makes hubs on the broker: `on_bus(apprec="system")`."""
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")

    def make(*given: Any, **more: Any) -> HubHandle:
        amqp_settings = {
            "url": f"amqp://127.0.0.1:{broker.port}/{EXCHANGE}",
            "way": way,
            "username": USER,
            "password_file": str(password),
            "wait_seconds": 0.2,
            "longest_wait_seconds": 1,
            "watch_seconds": 0.5,
            "full_seconds": 0.2,
            "answer_seconds": 5,
            **more.pop("amqp", {}),
        }
        return bus_hub(*given, amqp=amqp_settings, **more)

    return make


@pytest.fixture
def dotnet(broker: VirtualHost, samhub_pki: Pki) -> Iterator[Callable[..., DotNet]]:
    """Makes record systems of the other kind: `dotnet()` is the partner, `dotnet(OTHER)` another."""
    made: list[DotNet] = []

    def make(who: Member = PARTNER) -> DotNet:
        party = DotNet(who.her_id, who.organisation_her_id, samhub_pki.folder / who.organisation, samhub_pki.folder)
        made.append(party)
        return party.connect(broker.url10.replace("guest:guest", f"{USER}:{quote(PASSWORD, '')}"), EXCHANGE)

    yield make
    for party in made:
        party.close()
