"""Room that is left, in figures that people read."""

from __future__ import annotations

import pytest

from adapters.store.room import short, sized


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (151_400_000, "151 MB"), (2_340_000_000, "2.3 GB")],
)
def test_bytes_as_people_say_them(count: int, said: str) -> None:
    assert sized(count) == said


def test_nothing_is_said_while_there_is_room() -> None:
    assert short("the disk", 200, 200) == ""
    assert (
        short("the disk", 199, 200) == "the disk: 199 bytes free, and 200 bytes are to stay free (store.min_free_bytes)"
    )
