"""A partner that is down is left alone for a while, and nobody else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.circuit import Askers, Circuits
from hub.retry import Backoff

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DOWN, UP = "http://down", "http://up"


def failed(circuits: Circuits, times: int, now: datetime = NOW) -> list[bool]:
    return [circuits.failed(DOWN, now, 0) for _ in range(times)]


def test_it_opens_at_the_limit_and_not_before() -> None:
    circuits = Circuits(3, Backoff())
    assert failed(circuits, 4) == [False, False, True, True]
    assert circuits.open_addresses(NOW) == {DOWN} and circuits.failures(DOWN) == 4


def test_nobody_else_is_touched() -> None:
    circuits = Circuits(1, Backoff())
    failed(circuits, 5)
    assert UP not in circuits.open_addresses(NOW) and circuits.failures(UP) == 0


def test_after_its_time_one_try_at_once_is_let_through() -> None:
    circuits = Circuits(1, Backoff(first=timedelta(seconds=20)))
    failed(circuits, 1)
    later = NOW + timedelta(seconds=20)
    assert circuits.open_addresses(later - timedelta(seconds=1)) == {DOWN}
    assert circuits.open_addresses(later) == frozenset()
    assert circuits.probing() == {DOWN}


def test_an_answer_closes_it_and_forgets_the_failures() -> None:
    circuits = Circuits(2, Backoff())
    failed(circuits, 2)
    circuits.reached(DOWN, NOW)
    assert circuits.open_addresses(NOW) == circuits.probing() == frozenset()
    assert circuits.failures(DOWN) == 0 and failed(circuits, 1) == [False]


def test_each_failing_try_keeps_it_open_longer_up_to_the_longest() -> None:
    circuits = Circuits(1, Backoff(first=timedelta(seconds=10), longest=timedelta(seconds=60)))
    waits = []
    for _ in range(5):
        circuits.failed(DOWN, NOW, 0)
        waits.append(next(s for s in range(1_000) if not circuits.open_addresses(NOW + timedelta(seconds=s))))
    assert waits == [10, 20, 40, 60, 60]


def test_a_partner_that_is_down_for_weeks_is_still_only_waited_for() -> None:
    """With long first waits the doubling once left what a timedelta can hold."""
    circuits = Circuits(1, Backoff(first=timedelta(hours=1), longest=timedelta(hours=2)))
    failed(circuits, 2_000)
    assert circuits.open_addresses(NOW + timedelta(hours=3)) == frozenset()


@given(st.lists(st.tuples(st.sampled_from([DOWN, UP]), st.booleans(), st.floats(0, 0.99)), max_size=40))
def test_an_address_is_open_only_after_failures_in_a_row(story: list[tuple[str, bool, float]]) -> None:
    circuits, rows = Circuits(3, Backoff()), {DOWN: 0, UP: 0}
    for address, answered, fraction in story:
        if answered:
            circuits.reached(address, NOW)
        else:
            circuits.failed(address, NOW, fraction)
        rows[address] = 0 if answered else rows[address] + 1
        assert circuits.failures(address) == rows[address]
        assert circuits.open_addresses(NOW) == {a for a, row in rows.items() if row >= 3} == circuits.probing()


def test_who_asks_is_counted_for_a_minute_and_never_more_of_them_than_a_bound() -> None:
    """Addresses without number are forgotten, first those whose minute is over."""
    askers, now = Askers(), datetime(2026, 11, 30, tzinfo=UTC)
    for number in range(3 * Askers.MOST):
        askers.another(f"from {number}", now)
        assert len(askers._minutes) <= Askers.MOST
    assert [askers.another("one", now + timedelta(minutes=2)) for _ in range(3)] == [1, 2, 3]
    assert askers.another("one", now + timedelta(minutes=4)) == 1
