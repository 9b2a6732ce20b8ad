"""A facade that keeps configurations and deleted notifications in memory, for the door alone: no rule of it is tested here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from adapters.rest.receive import RestDoor
from adapters.rest.table import House
from hub.record_systems.facade import RecordSystems
from hub.record_systems.proving import by_key_or_certificate
from hub.record_systems.values import Caller, Configuration, Events, refused
from tests.support.world import World


class Double(RecordSystems):
    """Everything else is the facade's own."""

    def __init__(self, own: RecordSystems) -> None:
        self.__dict__.update(own.__dict__)
        self.kept: dict[str, tuple[str, Configuration]] = {}
        self.gone: set[str] = set()
        self.orders: list[Any] = []

    def _theirs(self, caller: Caller, her_ids: Sequence[str]) -> None:
        for her_id in her_ids:
            if her_id not in caller.her_ids:
                raise refused("not-your-party", her_id)

    async def submit(self, caller: Caller, order: Any) -> Any:
        self.orders.append((caller, order))
        return await super().submit(caller, order)

    async def configure(self, caller: Caller, wanted: Sequence[Configuration]) -> None:
        self._theirs(caller, [one.her_id for one in wanted])
        self.kept |= {one.her_id: (caller.id, one) for one in wanted}

    async def unconfigure(self, caller: Caller, her_ids: Sequence[str]) -> None:
        self._theirs(caller, her_ids)
        for her_id in her_ids:
            self.kept.pop(her_id, None)

    async def undeleted(self, caller: Caller, her_ids: Sequence[str], most: int) -> Events:
        found = await self.events(caller, her_ids, 0, 1000)
        return replace(found, events=tuple([one for one in found.events if one.id not in self.gone][:most]))

    async def delete(self, caller: Caller, notification_ids: Sequence[str]) -> None:
        self.gone |= set(notification_ids)


@contextmanager
def doubled(world: World, *, national: bool) -> Iterator[Double]:
    """While inside, the hub's door speaks to a double."""
    hub, routes = world.hub, world.hub.app.router.routes
    double = Double(hub.systems)
    software = (hub.kit.settings.software_name, hub.kit.settings.software_version)
    house = House(double, hub.kit.clock, hub.kit.settings.max_message_bytes, national, hub.streaming, software)
    [place] = [number for number, one in enumerate(routes) if isinstance(one, RestDoor)]
    kept, routes[place] = routes[place], RestDoor(house, by_key_or_certificate(double))
    try:
        yield double
    finally:
        routes[place] = kept
