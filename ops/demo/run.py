"""Runs the demo: our own sector with its faults, or any folder of messages."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hub.errors import ConfigurationError
from ops.config import LogSettings
from ops.demo import faults as scenes
from ops.demo.told import Teller
from ops.serve import logs


async def demonstrate(
    *,
    messages: Path | None,
    faults: tuple[str, ...],
    as_json: bool,
    keep: Path | None,
    level: str,
    strict: bool = False,
) -> bool:
    """True when every outcome was the expected one. Raises ConfigurationError for a fault that there is not."""
    try:
        chosen = scenes.chosen(faults)
    except KeyError as error:
        names = ", ".join((*scenes.FAULTS, "all", "none"))
        raise ConfigurationError([f"there is no fault called {error.args[0]}; there are: {names}"]) from None
    logs.configure(LogSettings(level=level or "error"))
    teller, begun = Teller(as_json), time.monotonic()
    async with _folder(keep) as folder:
        if messages is not None:
            from ops.demo.folder import play_folder

            more = await play_folder(messages, folder, teller, strict=strict)
        else:
            from ops.demo.sector import play_sector

            more = await play_sector(folder, chosen, teller)
    return teller.summary(time.monotonic() - begun, more)


@asynccontextmanager
async def _folder(keep: Path | None) -> AsyncIterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="samhub-demo-") as name:
        yield Path(name)
