"""Hubs with one door each, put together as in production, over a store whose mood a test may choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from ops.partner.aside import Aside
from ops.partner.handles import HubHandle, PartnerHandle, Pki
from ops.servers.rabbitmq import VirtualHost
from tests.amqp.conftest import queues
from tests.amqp.letters import Hand
from tests.amqp.stage import EXCHANGE, PASSWORD, USER, furnish
from tests.conformance.doors import (
    DOCTOR,
    LIMIT,
    PHYSIO,
    BusDoor,
    Door,
    EbxmlDoor,
    FolderDoor,
    Hall,
    MailDoor,
    QueueDoor,
    RestDoor,
)
from tests.conformance.moods import MoodyStore
from tests.support.kits import exchange
from tests.support.logins import queue_section
from tests.support.queue_system import QueueSystem


@dataclass(frozen=True)
class Ground:
    """What halls are built of."""

    hub: Any  #: samhub_hub
    partner: Any  #: samhub_partner
    samples: Any  #: samhub_samples
    pki: Pki
    aside: Aside
    broker: Callable[[], VirtualHost]
    folder: Path
    stays: Callable[[Any], None]  #: is closed when the test ends

    def opened(self, partner: PartnerHandle, door: Callable[[HubHandle], Door], **more: Any) -> Hall:
        """A hub that serves the GP and the physiotherapist, over a store of moods."""
        settings = {"hub": {"max_message_bytes": LIMIT}, **more.pop("settings", {})}
        hub = self.hub([partner], local=[DOCTOR, PHYSIO], settings=settings, **more)
        store = MoodyStore(hub.built.kit.store)
        exchange(hub.built.kit, store=store)
        return Hall(hub, store, door(hub))


def _ebxml(ground: Ground, peer: str = "") -> Hall:
    partner = ground.partner(peer=peer)
    return ground.opened(partner, lambda _: EbxmlDoor(partner, ground.samples))


def _mail(ground: Ground) -> Hall:
    partner = ground.partner(by="mail")
    return ground.opened(partner, lambda _: MailDoor(partner, ground.samples))


def _rest(ground: Ground) -> Hall:
    partner = ground.partner()
    return ground.opened(partner, lambda hub: RestDoor(hub, partner, ground.samples))


def _folder(ground: Ground) -> Hall:
    partner = ground.partner()
    return ground.opened(partner, lambda hub: FolderDoor(hub, partner, ground.samples), folder_systems=[PHYSIO.system])


def _queue(ground: Ground) -> Hall:
    partner, broker, names = ground.partner(), ground.broker(), f"test.{uuid4()}"
    system = QueueSystem(broker.url, f"{names}.to-hub", f"{names}.from-hub")
    ground.stays(system)
    return ground.opened(
        partner,
        lambda _: QueueDoor(broker, system, ground.aside, partner, ground.samples),
        queue_systems={DOCTOR.system: names},
        settings={"queue": queue_section(broker.url, ground.folder)},
    )


def _bus(ground: Ground, way: str) -> Hall:
    partner, broker = ground.partner(), ground.broker()
    own, theirs = DOCTOR.organisation_her_id, partner.member.organisation_her_id
    furnish(broker, [own, theirs])
    # A classic one: of what lies in a quorum queue the broker tells some seconds late.
    broker.manage("DELETE", f"queues/%2F/{own}_async")
    broker.manage("PUT", f"queues/%2F/{own}_async", {"durable": True})
    (ground.folder / "password").write_text(PASSWORD)
    amqp = {
        "url": f"amqp://127.0.0.1:{broker.port}/{EXCHANGE}",
        "way": way,
        "username": USER,
        "password_file": str(ground.folder / "password"),
        "wait_seconds": 0.2,
        "full_seconds": 0.1,
    }
    hand = Hand.of(partner.her_id, ground.pki.folder / "partner")
    return ground.opened(
        partner,
        lambda hub: BusDoor(broker, f"{own}_async", hub, hand, partner, ground.samples),
        manners={DOCTOR.her_id: queues(own), partner.her_id: queues(theirs)},
        settings={"amqp": amqp},
    )


#: Every door that must keep the promises; a new one is one line more.
HALLS: Mapping[str, Callable[[Ground], Hall]] = {
    "ebxml_http": _ebxml,
    "ebxml_http ebms-core": lambda ground: _ebxml(ground, "ebms-core"),
    "ebxml_http hermes": lambda ground: _ebxml(ground, "hermes"),
    "ebxml_smtp": _mail,
    "rest": _rest,
    "folder": _folder,
    "queue": _queue,
    "amqp 0.9.1": lambda ground: _bus(ground, "0.9.1"),
    "amqp 1.0": lambda ground: _bus(ground, "1.0"),
}
