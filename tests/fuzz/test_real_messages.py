"""Real messages of others, as they are and spoilt, posted to a hub that knows none of their senders."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import mutations
from tests.fuzz.mutations import Spoil
from tests.fuzz.target import shots, survives
from tests.support.letters import Letter
from tests.support.world import World
from tests.witness.official_messages import real_messages


@pytest.fixture(scope="module")
def real(standards: Path) -> list[Letter]:
    """Every real message among the samples."""
    return list(_read(standards))


@lru_cache(maxsize=1)
def _read(standards: Path) -> tuple[Letter, ...]:
    found = [Letter(_plain(r.headers), r.body) for r in real_messages(standards)]
    assert len(found) > 20
    return tuple(found)


def _plain(headers: dict[str, str]) -> dict[str, str]:
    """Those that HTTP can carry."""
    return {n: v for n, v in headers.items() if n.isascii() and n.replace("-", "").isalnum() and v.isprintable()}


def test_every_real_message_gets_an_answer_and_none_is_believed(world: World, real: list[Letter]) -> None:
    for letter in real:
        assert survives(world, letter, None) not in ("accepted", "accepted-with-warning")


@shots(90)
@given(
    which=st.integers(0, 10_000),
    spoil=st.one_of(mutations.anywhere(), mutations.anywhere(), mutations.repackaged()),
)
def test_a_real_message_spoilt(world: World, real: list[Letter], which: int, spoil: Spoil) -> None:
    letter = real[which % len(real)]
    survives(world, Letter(letter.headers, spoil(letter.body)), None)


@shots(60)
@given(first=st.integers(0, 10_000), second=st.integers(0, 10_000), place=mutations.places(), other=mutations.places())
def test_two_real_messages_spliced(
    world: World, real: list[Letter], first: int, second: int, place: float, other: float
) -> None:
    one, two = real[first % len(real)], real[second % len(real)]
    body = one.body[: int(len(one.body) * place)] + two.body[int(len(two.body) * other) :]
    survives(world, Letter(one.headers, body), None)
