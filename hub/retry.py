"""When again: the schedule between attempts, from the agreement and the sector's defaults, jittered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.bounds import LONGEST
from hub.message import DeliveryRecord, Reached
from hub.states import State


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting times after attempts that never reached the other side; they do not use up the agreement's Retries."""

    first: timedelta = timedelta(seconds=20)
    factor: float = 2.0
    longest: timedelta = timedelta(hours=1)
    jitter: float = 0.2  #: a wait is stretched by up to this share, so that partners are not hit in step
    lost: tuple[timedelta, ...] = tuple(timedelta(minutes=m) for m in (1, 2, 4, 8, 16, 30))
    #: waits after answers that were lost, one after another, within one agreed RetryInterval


#: So long at most the other side is left alone because it asks for it (Retry-After, RFC 9110 10.2.3).
LEFT_ALONE = timedelta(hours=1)


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
    delivery: DeliveryRecord,
    reached: Reached,
    failures: int,
    now: datetime,
    fraction: float,
    backoff: Backoff,
    after: timedelta | None = None,
) -> Again | GiveUp:
    """What follows an attempt that brought no receipt.

    `failures` counts attempts in a row that did not reach the other side; `fraction` is a throw of dice in [0, 1).
    After a hand-over the agreement's RetryInterval holds, also after the last one: its receipt may take its time
    (HIS 1037 5.2); before one, a shorter back-off, and no shorter than the other side asks for (`after`), up to an hour.
    Both within PersistDuration.
    """
    wait = growing(failures, backoff) if reached is Reached.NO else delivery.retry_interval
    asked = min(after or timedelta(0), LEFT_ALONE)
    return within(delivery, max(_stretched(wait, fraction, backoff), asked), now)


def asked_again(
    delivery: DeliveryRecord, begun: datetime, lost: int, now: datetime, fraction: float, backoff: Backoff
) -> Again | GiveUp:
    """What follows an answer that was lost, the `lost`th within the agreed interval that began at `begun`.

    The same message again in minutes, for the other side knows it by its MessageId (HIS 1037 H-67); when these are used
    up, or reach further than the interval, at its end.
    """
    wait = _stretched(delivery.retry_interval, fraction, backoff) - (now - begun)
    if lost <= len(backoff.lost):
        wait = min(wait, _stretched(backoff.lost[lost - 1], fraction, backoff))
    return within(delivery, wait, now)


def inside(delivery: DeliveryRecord, now: datetime) -> bool:
    """Whether an agreed interval is under way: all hand-overs within it count as one of the agreement's Retries."""
    begun = delivery.interval_from
    return bool(delivery.handed_over) and begun is not None and timedelta(0) <= now - begun < delivery.retry_interval


def within(delivery: DeliveryRecord, wait: timedelta, now: datetime) -> Again | GiveUp:
    """After this wait, but not after PersistDuration; at its end there is one last look."""
    if delivery.give_up_at is None or wait <= delivery.give_up_at - now:
        return Again(now + wait)
    return Again(delivery.give_up_at) if now < delivery.give_up_at else _too_long()


def used_up(delivery: DeliveryRecord, now: datetime) -> GiveUp | None:
    """Before an attempt: whether all that is agreed has been done, and its time has passed without a receipt."""
    if delivery.handed_over > delivery.retries and not inside(delivery, now):
        allowed = f"the agreement allows {delivery.retries} retries"
        return GiveUp("retries-exhausted", f"{_tries(delivery)}; {allowed}{last(delivery)}")
    if delivery.handed_over and delivery.give_up_at is not None and delivery.give_up_at <= now:
        over = _too_long()
        return GiveUp(over.code, f"{over.because}{last(delivery)}")
    return None


def _tries(delivery: DeliveryRecord) -> str:
    """What was not taken just so often may have been answered each time: then it was tried, and not handed over."""
    if delivery.kind == "signal":
        return f"tried {delivery.handed_over} times, and never taken"
    what = "handed over" if delivery.state == State.SENT else "tried"
    return f"{what} {delivery.handed_over} times without a transport receipt"


def last(delivery: DeliveryRecord) -> str:
    """What the last try said; where the partner itself said something, that is the cause, and stands there instead."""
    tried = delivery.attempts > 1  # else its reason is why it was promised; this one is counted already
    return f"; last: {delivery.because}" if tried and delivery.because and not delivery.said else ""


def _too_long() -> GiveUp:
    return GiveUp("persist-duration-over", "the agreement's PersistDuration has passed without a receipt")


def growing(failures: int, backoff: Backoff) -> timedelta:
    """The wait after so many failures in a row, before it is stretched."""
    exponent = min(max(failures - 1, 0), 40)
    seconds = backoff.first.total_seconds() * backoff.factor**exponent
    return timedelta(seconds=min(seconds, backoff.longest.total_seconds()))


def _stretched(wait: timedelta, fraction: float, backoff: Backoff) -> timedelta:
    return min(wait, LONGEST) * (1 + backoff.jitter * fraction)
