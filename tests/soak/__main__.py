"""`make soak`: an hour, or as long as is told; writes docs/promises.md from what was counted. Exit 1 where anything is broken."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ops.partner.handles import Pki
from tests.soak import page
from tests.soak.hour import Found, lived


def main() -> int:
    """Runs it."""
    words = argparse.ArgumentParser(prog="make soak", description=__doc__)
    words.add_argument("--minutes", type=float, default=60, help="how long; every fault is thrown once all the same")
    words.add_argument("--seed", default="samhub", help="what is thrown when")
    words.add_argument(
        "--pace", type=float, default=2.0, help="seconds between two documents of each of the six who send"
    )
    words.add_argument("--page", type=Path, default=page.PAGE, help="the page that is written")
    said = words.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="samhub-soak-"))
    try:
        found = asyncio.run(_run(folder, said.minutes * 60, said.seed, said.pace))
    except AssertionError as broken:
        print(f"broken: {broken}\nwhat there is to look at is left in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    said.page.write_text(page.written(found, page.version(), datetime.now(UTC).date()), "utf-8")
    print("\n".join([f"{said.page}: written", str(found.counted), *found.wrong]))
    return 1 if found.wrong else 0


async def _run(folder: Path, seconds: float, seed: str, pace: float) -> Found:
    pki = Pki.made(folder / "pki")
    return await lived(folder / "here", pki, seconds=seconds, seed=seed, pace=pace, told=lambda t: print(t, flush=True))


if __name__ == "__main__":
    sys.exit(main())
