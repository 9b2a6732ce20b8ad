"""A hub that dies, with a doctor's record system at its two queues on a broker that lives on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from ops.partner.behaviours import Receiving
from ops.partner.handles import Pki, partner_member
from ops.sector import write_site
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
from tests.support.logins import queue_section
from tests.support.queue_system import QueueSystem
from tests.support.steady import SteadyQueueSystem, SteadyRecordSystem


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
