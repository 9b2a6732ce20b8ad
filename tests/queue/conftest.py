"""A hub whose doctor's record system works by queue, on a real broker, with a simulated partner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

from ops.partner.aside import Aside, eventually
from ops.partner.handles import HubHandle, PartnerHandle
from ops.sector import SECTOR
from tests.queue.system import QueueSystem
from tests.support.hearing import told  # noqa: F401  (a fixture)

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
#: A broker that went is looked for often, so that tests need not wait.
QUICK: dict[str, Any] = {
    "connect_seconds": 5,
    "confirm_seconds": 5,
    "heartbeat_seconds": 2,
    "reconnect_seconds": 0.3,
    "events_seconds": 0.05,
    "term_seconds": 5,
}


def without_login(url: str) -> tuple[str, str, str]:
    """An address as the configuration takes it, the user and the password."""
    found = urlsplit(url)
    place = f"{found.hostname}:{found.port or 5672}"
    return urlunsplit((found.scheme, place, found.path, "", "")), found.username or "guest", found.password or "guest"


def queue_section(url: str, folder: Path, **more: Any) -> dict[str, Any]:
    """The [queue] section for a broker."""
    bare, user, password = without_login(url)
    file = folder / f"password-{uuid4()}"
    file.write_text(password + "\n")
    return {**QUICK, "url": bare, "username": user, "password_file": str(file), **more}


@dataclass
class Office:
    """A hub, its record system at the queues, and a partner."""

    hub: HubHandle
    system: QueueSystem
    partner: PartnerHandle
    aside: Aside
    consume: Callable[[], None]  #: lets the record system begin to consume, where it does not yet

    def publish(self, document: bytes, message_id: str = "", **properties: Any) -> str:
        """The record system hands over; its own message_id."""
        return self.aside.run(self.system.publish(document, message_id, **properties))

    def answer(self, published_id: str) -> dict[str, Any]:
        """The event that answers it."""
        return eventually(lambda: self.system.answers(published_id), 20, f"an answer to {published_id}")[-1]

    def accepted(self, document: bytes, message_id: str = "", **properties: Any) -> str:
        """Handed over and accepted: the hub's id for it."""
        answer = self.answer(self.publish(document, message_id, **properties))
        assert answer["type"] == "MessageAccepted", answer
        return str(answer["relatedMessageId"])

    def documents(self, count: int, seconds: float = 20) -> list[Any]:
        """What lay in the queue, once it is so many."""
        return eventually(
            lambda: found if len(found := self.system.documents) >= count else [], seconds, f"{count} documents"
        )

    def dead(self) -> list[Any]:
        """What lies in the dead-letter queue; it is taken out."""
        return self.aside.run(self.system.lying(f"{self.system.to_hub}.dead"))


MakeOffice = Callable[..., Office]


@pytest.fixture
def make_office(samhub_hub: Any, samhub_partner: Any, _samhub_aside: Aside, tmp_path: Path) -> Iterator[MakeOffice]:
    """Makes an office on a broker's url; `queue` are further settings, `row` further fields of its record system."""
    with ExitStack() as stack:

        def make(
            url: str,
            *,
            queue: dict[str, Any] | None = None,
            behaviour: str = "good",
            apprec: str = "hub",
            local: Any = (DOCTOR, PHYSIO),
            system_url: str = "",
            names: str = "",
            consumes: bool = True,
            **more: Any,
        ) -> Office:
            names = names or f"test.{uuid4()}"
            partner = samhub_partner("", behaviour)
            settings = {"queue": queue_section(url, tmp_path, **(queue or {})), **more.pop("settings", {})}
            hub = samhub_hub(
                [partner],
                local=list(local),
                queue_systems={DOCTOR.system: names},
                apprec=apprec,
                settings=settings,
                **more,
            )
            system = QueueSystem(system_url or url, f"{names}.to-hub", f"{names}.from-hub")

            def consume() -> None:
                _, leave = _samhub_aside.enter(system)
                stack.callback(leave)

            if consumes:
                consume()
            return Office(hub, system, partner, _samhub_aside, consume)

        yield make


@pytest.fixture
def office(make_office: MakeOffice, amqp_url: str) -> Office:
    """One on any broker."""
    return make_office(amqp_url)
