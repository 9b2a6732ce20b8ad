"""A hub whose doctor's record system works by queue, on a real broker, with a simulated partner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ops.partner.aside import Aside, eventually
from ops.partner.handles import HubHandle, PartnerHandle
from ops.sector import SECTOR
from tests.support.hearing import told  # noqa: F401  (a fixture)
from tests.support.logins import queue_section
from tests.support.queue_system import QueueSystem

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


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
