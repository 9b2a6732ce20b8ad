"""Beside addresses that take what is sent and say nothing all others are served; told by count, never by time."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from hub.circuit import Circuits
from hub.message import Claimed
from hub.neighbours import host
from hub.ports import Applied, Change, Store
from hub.retry import Backoff
from hub.settings import Settings
from hub.states import Move
from ops.partner.aside import MovableClock
from ops.serve import attempts
from ops.serve.attempts import Attempts
from ops.serve.leases import LeaseClock
from tests.conformance import values as v

#: Few places; what hangs gives its own back at once. More may hang than there are silent addresses, as with the defaults:
#: by the time that a thousand hang, the first have timed out.
SETTINGS = Settings(at_once=16, slow_seconds=0.01, hanging_at_once=120)
WELL = [f"http://well-{n}.invalid/ebxml" for n in range(3)]
LOCAL = "systems/kommune/inbox"
#: What waits for those that are well: by address and priority.
WANTED = Counter({(LOCAL, 5): 9, **{(one, 5): 9 for one in WELL}, **{(one, 1): 3 for one in WELL}})
SILENT = {
    "one": ["http://silent.invalid/"],
    "17": [f"http://{n}.silent.invalid/" for n in range(17)],
    "40": [f"http://{n}.silent.invalid/" for n in range(40)],
    "one host": [f"http://silent.invalid/{n}" for n in range(40)],
    "a relay": [f"mailto:{n}@silent.invalid" for n in range(40)],
}
#: Within this time it is done, or will never be.
PATIENCE = 20.0


class Far:
    """Everybody that is sent to, and one node that sends."""

    def __init__(self, store: Store, silent: list[str]) -> None:
        self.store, self.silent, self.circuits = store, frozenset(silent), Circuits(3, Backoff())
        self.clock, self.woken, self.over = MovableClock(), asyncio.Event(), asyncio.Event()
        self.done: Counter[tuple[str, int]] = Counter()
        self.hanging: Counter[str] = Counter()
        self.most = 0
        kit: Any = SimpleNamespace(settings=SETTINGS, clock=self.clock, store=store)
        kit.present = lambda: kit
        self.node = Attempts(kit, {}, self.circuits, lambda _: self.woken.set(), LeaseClock(kit))

    async def attempt(self, claimed: Claimed, *_: object) -> None:
        """See hub.delivery.attempt: whoever is silent says nothing until it is over."""
        one = claimed.delivery
        if one.address in self.silent:
            self.hanging[one.address] += 1
            self.most = max(self.most, self.hanging.total())
            await self.over.wait()
            return
        self.circuits.reached(one.address, self.clock.now())
        change = Change(moves=(v.move(one.id, Move.FINISH),))
        settled = await self.store.settle(one.id, claimed.attempt, v.outcome(), self.clock.now(), change)
        assert settled == Applied()
        self.done[one.address, one.priority] += 1
        self.woken.set()

    async def sent(self) -> None:
        """Until all that waits for those that are well has gone out."""
        async with asyncio.timeout(PATIENCE):
            while self.done != WANTED:
                self.woken.clear()
                if not await self.node.begin():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.02):
                            await self.woken.wait()


@pytest.mark.parametrize("known", [False, True], ids=["new", "fallen silent"])
@pytest.mark.parametrize("silent", SILENT)
async def test_all_others_are_served_while_silent_ones_hang(
    store: Store, silent: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four deliveries to each silent address wait in front; each of the others goes out, and none of those is over."""
    far = Far(store, SILENT[silent])
    monkeypatch.setattr(attempts.delivery, "attempt", far.attempt)
    monkeypatch.setattr(attempts, "SEARCH", 0.0)
    past = far.clock.now()
    some = [v.accepted(address=one, priority=p, next_at=past) for one in SILENT[silent] for p in (1, 3, 5, 5)]
    some += [v.accepted(address=one, priority=p, next_at=past) for one, p in WANTED.elements()]
    assert set(await asyncio.gather(*map(store.apply, some))) == {Applied()}
    for address in SILENT[silent] if known else ():
        far.circuits.reached(address, far.clock.now())

    try:
        await far.sent()
    finally:
        hanging = far.hanging.copy()
        far.over.set()
        await far.node.drain()

    assert hanging and far.most <= SETTINGS.at_once + SETTINGS.hanging_at_once
    assert max(hanging.values()) <= (SETTINGS.per_partner if known else 1)
    if len(set(map(host, SILENT[silent]))) == 1 and not known:
        assert hanging.total() <= SETTINGS.per_partner
