"""Some seconds of the hour that `make soak` runs: the same traffic, the same faults, the same count."""

from __future__ import annotations

from pathlib import Path

from ops.partner.handles import Pki
from tests.soak.hour import lived
from tests.soak.throws import THROWN

#: One of each kind that is over in a second or two.
SHORT = (
    "kill -9",
    "full disk",
    "answers lost half-way",
    "AppRecs held back",
    "a partner that hangs",
    "a partner that moves",
)


async def test_some_seconds_of_an_odd_hour(tmp_path: Path, pki: Pki) -> None:
    """Nothing is lost, doubled, changed, green too early or left without an end."""
    thrown = [one for one in THROWN if one.name in SHORT]

    found = await lived(tmp_path, pki, seconds=1, seed="short", pace=1.0, thrown=thrown)

    assert found.wrong == [] and found.limbo == 0
    assert found.times == dict.fromkeys(SHORT, 1) and found.deaths == 1
    assert found.counted is not None and found.counted.lost == () and found.counted.promised > len(SHORT)
