"""When again: the schedule between attempts, from the agreement and the sector's defaults, jittered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.message import DeliveryRecord, Reached


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting times after attempts that never reached the other side; they do not use up the agreement's Retries."""

    first: timedelta = timedelta(seconds=20)
    factor: float = 2.0
    longest: timedelta = timedelta(hours=1)
    jitter: float = 0.2  #: a wait is stretched by up to this share, so that partners are not hit in step


@dataclass(frozen=True, slots=True)
class Again:
    """Try again at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No more tries; `code` says why."""

    code: str
    because: str


def next_attempt(
    delivery: DeliveryRecord, reached: Reached, failures: int, now: datetime, fraction: float, backoff: Backoff
) -> Again | GiveUp:
    """What follows an attempt that brought no receipt.

    `failures` counts attempts in a row that did not reach the other side; `fraction` is a throw of dice in [0, 1).
    After a hand-over the agreement's RetryInterval holds, also after the last one: its receipt may take its time
    (HIS 1037 5.2); before one, a shorter back-off. Both within PersistDuration.
    """
    if reached is Reached.NO:
        wait = _stretched(growing(failures, backoff), fraction, backoff)
    else:
        wait = _stretched(delivery.retry_interval, fraction, backoff)
    at = now + wait
    if delivery.give_up_at is None or at <= delivery.give_up_at:
        return Again(at)
    if now < delivery.give_up_at:  # one last look at the end of PersistDuration
        return Again(delivery.give_up_at)
    return _too_long()


def used_up(delivery: DeliveryRecord, now: datetime) -> GiveUp | None:
    """Before an attempt: whether all that is agreed has been done, and its time has passed without a receipt."""
    if delivery.handed_over > delivery.retries:
        times = f"handed over {delivery.handed_over} times without a transport receipt"
        return GiveUp("retries-exhausted", f"{times}; the agreement allows {delivery.retries} retries")
    if delivery.handed_over and delivery.give_up_at is not None and delivery.give_up_at <= now:
        return _too_long()
    return None


def _too_long() -> GiveUp:
    return GiveUp("persist-duration-over", "the agreement's PersistDuration has passed without a receipt")


def growing(failures: int, backoff: Backoff) -> timedelta:
    """The wait after so many failures in a row, before it is stretched."""
    exponent = min(max(failures - 1, 0), 40)
    seconds = backoff.first.total_seconds() * backoff.factor**exponent
    return timedelta(seconds=min(seconds, backoff.longest.total_seconds()))


def _stretched(wait: timedelta, fraction: float, backoff: Backoff) -> timedelta:
    return wait * (1 + backoff.jitter * fraction)
