"""When again: within PersistDuration, never in the past, longer and longer until the longest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import codes
from hub.message import Channel, DeliveryRecord, Reached
from hub.retry import Again, Backoff, GiveUp, growing, next_attempt, used_up

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FRACTIONS = st.floats(0, 1, exclude_max=True)
SPANS = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=30))
BACKOFFS = st.builds(
    Backoff,
    first=SPANS,
    factor=st.floats(1, 10),
    longest=SPANS,
    jitter=st.floats(0, 1),
)


def delivery(
    *,
    handed_over: int = 0,
    retries: int = 4,
    interval: timedelta = timedelta(hours=12),
    give_up_at: datetime | None = None,
) -> DeliveryRecord:
    return DeliveryRecord(
        "d", "m", "1", "2", Channel.EBXML_HTTP, "http://x", "waiting", NOW, NOW, give_up_at, None,
        handed_over=handed_over, retries=retries, retry_interval=interval,
    )  # fmt: skip


@given(
    reached=st.sampled_from(Reached),
    failures=st.integers(0, 10_000),
    elapsed=st.timedeltas(timedelta(0), timedelta(days=60)),
    persist=st.none() | SPANS,
    interval=SPANS,
    fraction=FRACTIONS,
    backoff=BACKOFFS,
)
def test_the_next_attempt_is_never_past_nor_after_persist_duration(
    reached: Reached,
    failures: int,
    elapsed: timedelta,
    persist: timedelta | None,
    interval: timedelta,
    fraction: float,
    backoff: Backoff,
) -> None:
    end = NOW + persist if persist else None
    now = NOW + elapsed
    found = next_attempt(delivery(interval=interval, give_up_at=end), reached, failures, now, fraction, backoff)
    if isinstance(found, Again):
        assert found.at > now or found.at == end
        assert end is None or found.at <= end
    else:
        assert end is not None and now >= end
        assert found.code in codes.REASONS and found.because


@given(st.integers(0, 5_000), FRACTIONS, BACKOFFS)
def test_waits_grow_with_failures_and_never_beyond_the_longest(
    failures: int, fraction: float, backoff: Backoff
) -> None:
    shorter, longer = growing(failures, backoff), growing(failures + 1, backoff)
    assert timedelta(0) < shorter <= longer <= backoff.longest
    found = next_attempt(delivery(), Reached.NO, failures, NOW, fraction, backoff)
    assert isinstance(found, Again)
    assert found.at - NOW <= backoff.longest * (1 + backoff.jitter) + timedelta(microseconds=1)


def test_before_a_hand_over_the_short_waits_hold() -> None:
    waits = []
    for failures in range(1, 10):
        found = next_attempt(delivery(), Reached.NO, failures, NOW, 0, Backoff())
        assert isinstance(found, Again)
        waits.append(int((found.at - NOW).total_seconds()))
    assert waits == [20, 40, 80, 160, 320, 640, 1280, 2560, 3600]


@pytest.mark.parametrize("reached", [Reached.MAYBE, Reached.YES])
def test_after_a_hand_over_the_agreements_interval_holds(reached: Reached) -> None:
    for fraction, hours in ((0, 12.0), (0.5, 13.2)):
        found = next_attempt(delivery(handed_over=1), reached, 7, NOW, fraction, Backoff())
        assert isinstance(found, Again) and found.at - NOW == timedelta(hours=hours)


def test_the_last_try_is_at_the_end_of_persist_duration() -> None:
    end = NOW + timedelta(hours=1)
    assert next_attempt(delivery(give_up_at=end), Reached.YES, 0, NOW, 0, Backoff()) == Again(end)
    assert isinstance(next_attempt(delivery(give_up_at=end), Reached.YES, 0, end, 0, Backoff()), GiveUp)


@pytest.mark.parametrize(
    ("handed_over", "retries", "ended", "code"),
    [
        (0, 4, False, None),
        (4, 4, False, None),
        (5, 4, False, "retries-exhausted"),
        (1, 0, False, "retries-exhausted"),
        (1, 4, True, "persist-duration-over"),
        (0, 4, True, None),
    ],
)
def test_before_an_attempt_it_is_asked_whether_all_is_used_up(
    handed_over: int, retries: int, ended: bool, code: str | None
) -> None:
    """Retries are beyond the first hand-over, and the last interval is waited out (HIS 1037 5.2)."""
    end = NOW if ended else NOW + timedelta(days=1)
    found = used_up(delivery(handed_over=handed_over, retries=retries, give_up_at=end), NOW)
    assert (found.code if found else None) == code
    assert found is None or found.code in codes.REASONS
