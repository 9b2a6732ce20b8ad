"""A hub inside the test's own process, with a clock that is handed in: for what must be stepped, not killed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.partner.aside import MovableClock
from ops.serve.run import running
from tests.support.site.process import Pages


class HubInside(Pages):
    """One hub on the test's own event loop; made by Here.hub_inside. It can be stopped, not killed."""

    def __init__(self, configuration: Path) -> None:
        self.name, self.configuration = "inside", configuration
        self.clock = MovableClock()
        self.url = ""
        self.built: Hub
        self._open: AsyncExitStack | None = None

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._open is not None

    async def begin(self) -> HubInside:
        """Serves when this returns."""
        assert self._open is None, "it is there already"
        async with AsyncExitStack() as stack:
            self.built = await stack.enter_async_context(assembled(config.load(self.configuration), clock=self.clock))
            self.url = await stack.enter_async_context(running(self.built))
            self._open = stack.pop_all()
        return self

    async def again(self) -> HubInside:
        """Serves once more after it was stopped, on the same port and store."""
        return await self.begin()

    async def stop(self) -> None:
        """In an orderly way, after its store has been asked whether it keeps its promises."""
        if self._open is None:
            return
        stack, self._open = self._open, None
        broken = await self.built.store.check()
        await stack.aclose()
        assert not broken, f"the store does not keep its promises: {broken}"

    def check(self) -> None:
        """It cannot end by itself: what goes wrong in it is raised where it is stopped."""
