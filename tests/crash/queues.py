"""A hub that dies, with a doctor's record system at its two queues on a broker that lives on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from ops.partner.behaviours import Receiving
from ops.partner.handles import Pki, partner_member
from ops.samples.make import Sample
from ops.sector import write_site
from tests.crash.steady import PAUSE, SteadyRecordSystem
from tests.crash.village import (
    DOCTOR,
    GOOD,
    NURSING,
    SETTINGS,
    Life,
    Nursery,
    SqliteLook,
    Village,
    partner_of,
    point,
)
from tests.queue.conftest import queue_section
from tests.queue.system import QueueSystem


class SteadyQueueSystem(SteadyRecordSystem):
    """Publishes until the hub has answered, and keeps what lies in its queue, each message_id once."""

    def __init__(self, at: QueueSystem) -> None:
        super().__init__(lambda: "", "", ())
        self.at = at

    async def hand_over(self, sample: Sample) -> str:
        """The hub's id of a document, once it has said so."""
        own = await self.at.publish(sample.document)
        while not (said := self.at.answers(own)):
            await asyncio.sleep(PAUSE)
        assert said[0]["type"] == "MessageAccepted", said
        return str(said[0]["relatedMessageId"])

    async def read(self) -> None:
        """Takes what comes, for ever."""
        while True:
            self.kept = {d.message_id: d.body for d in self.at.documents}
            self.new = Counter(list(self.kept))
            await asyncio.sleep(PAUSE)

    def told(self) -> dict[str, Counter[str]]:
        """Of each document that was sent, how often each event came, doubles dropped."""
        found: dict[str, Counter[str]] = {}
        for event in self.at.events:
            if event.get("businessDocumentId"):
                found.setdefault(event["businessDocumentId"], Counter())[event["type"]] += 1
        return found


@asynccontextmanager
async def queue_village(
    folder: Path, pki: Pki, nursery: Nursery, url: str, order: Mapping[str, Any] | None = None, **queue: Any
) -> AsyncIterator[tuple[Village, SteadyQueueSystem]]:
    """A doctor by queue and nurses by REST, with one good partner; `queue` are further settings of the door."""
    names = f"test.{uuid4()}"
    async with AsyncExitStack() as stack:
        partner = await stack.enter_async_context(partner_of(GOOD.her_id, Receiving.GOOD, pki))
        section = queue_section(url, folder, **{"term_seconds": 0.5, **queue})
        site = write_site(
            folder / "site",
            pki.folder,
            (NURSING, DOCTOR),
            [(partner_member(GOOD.her_id), partner.url)],
            queue_systems={DOCTOR.system: names},
            settings={**SETTINGS, "queue": section},
        )
        life = Life(nursery, {"configuration": str(site.configuration), **(order or {})})
        at = await stack.enter_async_context(QueueSystem(url, f"{names}.to-hub", f"{names}.from-hub"))
        doctor = SteadyQueueSystem(at)
        nurses = SteadyRecordSystem(lambda: life.url, site.keys[NURSING.system], (NURSING.her_id,))
        systems: dict[str, SteadyRecordSystem] = {DOCTOR.system: doctor, NURSING.system: nurses}
        partners = {GOOD.her_id: partner}
        around = [asyncio.create_task(system.read()) for system in systems.values()]
        around.append(asyncio.create_task(point(life, partners)))
        look = SqliteLook(folder / "site" / "data" / "samhub.db")
        try:
            yield Village(folder, life, look, partners, systems, site.keys), doctor
        finally:
            await life.end()
            for task in around:
                task.cancel()
            await asyncio.gather(*around, return_exceptions=True)
