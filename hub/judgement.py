"""What an outcome means: one table, from what an attempt met to the move, the next time, and whose turn it is.

Code, tests and the reference page read the same table. `hub.delivery` asks here and settles; nobody else decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import product

from hub.message import Channel, DeliveryRecord, Outcome, Reached
from hub.retry import Again, Backoff, GiveUp, asked_again, inside, last, next_attempt, used_up, within
from hub.states import Move, State, after

#: The code of what an attempt stumbled over that no sender and no row foresaw.
UNFORESEEN = "unforeseen"


class Road(StrEnum):
    """Kinds of channel, by who can say that something has come."""

    SEALED = "sealed"  #: to another message handler by HTTP or mail: it answers by a signed receipt
    BUS = "bus"  #: the broker's word is all the receipt there is (nhn-amqp.md §4.3)
    QUESTION = "question"  #: over the bus, and its answer comes at once or never (nhn-amqp.md §4.2)
    HOUSE = "house"  #: into the folder or the queue of a record system, which knows again what it gets twice


ROADS = {
    Channel.EBXML_HTTP: Road.SEALED,
    Channel.EBXML_SMTP: Road.SEALED,
    Channel.AMQP: Road.BUS,
    Channel.AMQP_SYNC: Road.QUESTION,
    Channel.FOLDER: Road.HOUSE,
    Channel.QUEUE: Road.HOUSE,
    Channel.MAILBOX: Road.HOUSE,
}


class What(StrEnum):
    """Kinds of delivery."""

    DOCUMENT = "document"  #: a business document, or an AppRec
    SIGNAL = "signal"  #: a receipt of ours: nobody acknowledges it (HIS 1037 9)
    ONCE = "once"  #: Ping, StatusRequest and their answers: who asked asks again


class Receipt(StrEnum):
    """What the attempt brought home."""

    HERE = "here"  #: a proven receipt, or a refusal of a receipt of ours: it settles the delivery by itself
    MISSING = "missing"  #: one is due and did not come, or what came cannot be taken
    NONE_DUE = "none due"  #: that it was handed over is all there is to hear


class When(StrEnum):
    """Schedules of the next try."""

    NEVER = "never"
    BACK_OFF = "back-off"  #: soon, then later and later (hub.backoff_*)
    LOST = "minutes"  #: in some minutes, within the agreed RetryInterval (hub.lost_answer_minutes)
    AGREED = "as agreed"  #: after the agreed RetryInterval
    ANSWER = "when its answer is due"  #: after hub.sync_seconds


class Turn(StrEnum):
    """Who acts next."""

    HUB = "the hub"  #: by itself
    PARTNER = "the other side"  #: its receipt, or its AppRec, is awaited
    PERSON = "a person"  #: on the list of dead letters, or of what was refused
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Met:
    """What one attempt met; every combination has exactly one row."""

    road: Road
    what: What
    reached: Reached
    receipt: Receipt
    permanent: bool  #: the other side, or we, said that it will never be taken
    as_agreed: bool  #: the other side has had it or spoken of it, or we stumbled behind it: no sooner than agreed


Moves = tuple[Move, ...]
_ACKNOWLEDGED: Moves = (Move.ACKNOWLEDGE, Move.FINISH)  #: finished at once where no AppRec is due
_AS_IT_SAYS: Moves = (Move.ACKNOWLEDGE, Move.FINISH, Move.REFUSE, Move.TAKE_BACK)
_WAITS: Moves = (Move.HAND_OVER,)
_TRIED: Moves = (Move.TRY_AGAIN, Move.HAND_OVER)  #: it stays where it stands


@dataclass(frozen=True, slots=True)
class Row:
    """One judgement. Empty conditions fit everything; `moves` has more than one where the delivery decides which."""

    roads: frozenset[Road]
    whats: frozenset[What]
    reached: frozenset[Reached]
    moves: Moves
    when: When
    turn: Turn
    because: str
    receipts: frozenset[Receipt] = frozenset()
    permanent: bool | None = None
    as_agreed: bool | None = None

    def fits(self, met: Met) -> bool:
        """Whether this row judges it."""
        sets = (
            (self.roads, met.road),
            (self.whats, met.what),
            (self.reached, met.reached),
            (self.receipts, met.receipt),
        )
        flags = ((self.permanent, met.permanent), (self.as_agreed, met.as_agreed))
        return all(not some or one in some for some, one in sets) and all(f is None or f == one for f, one in flags)


def _rows() -> tuple[Row, ...]:
    yes, maybe, no = (frozenset({one}) for one in (Reached.YES, Reached.MAYBE, Reached.NO))
    sealed, bus, question, house = (frozenset({one}) for one in Road)
    document, signal, once = (frozenset({one}) for one in What)
    here, missing, none_due = (frozenset({one}) for one in Receipt)
    any_road, any_how, lasting = frozenset[Road](), frozenset[Reached](), document | signal
    r, open_ = Row, partial(Row, receipts=missing | none_due, permanent=False)  # open: nothing ends it by itself
    finish, discard, give_up = (Move.FINISH,), (Move.DISCARD,), (Move.GIVE_UP,)
    never, soon, agreed, answer = When.NEVER, When.BACK_OFF, When.AGREED, When.ANSWER
    hub, partner, person, nobody = Turn
    # fmt: off
    return (
        # Questions and answers of one moment
        r(any_road, once, yes, finish, never, nobody, "it was taken", permanent=False),
        r(any_road, once, yes, discard, never, nobody, "who asked asks again", permanent=True),
        r(any_road, once, maybe | no, discard, never, nobody, "who asked asks again"),
        # What settles it, and what ends it
        r(any_road, lasting, any_how, _AS_IT_SAYS, never, partner, "the receipt says what follows", here),
        r(any_road, lasting, any_how, give_up, never, person, "it will never be taken so", missing | none_due, permanent=True),
        # A record system of the house
        open_(house, document, yes, _ACKNOWLEDGED, never, partner, "it lies there"),
        open_(house, signal, yes, finish, never, nobody, "it lies there"),
        open_(house, lasting, maybe | no, _TRIED, soon, hub, "what lies there twice is known, or replaced"),
        # The bus
        open_(bus, document, yes, _ACKNOWLEDGED, never, partner, "the broker has it"),
        open_(bus | question, signal, yes, finish, never, nobody, "the broker has it"),
        open_(bus, lasting, maybe, _WAITS, agreed, hub, "the broker has not said whether it took it"),
        open_(bus | question, lasting, no, _TRIED, soon, hub, "the broker has not got it"),
        open_(question, document, yes, _WAITS, answer, partner, "asked once: its answer comes in time or never"),
        open_(question, lasting, maybe, _WAITS, answer, partner, "asked once: its answer comes in time or never"),
        # Another message handler
        r(sealed, document, yes, _ACKNOWLEDGED, never, partner, "no transport receipt is agreed", none_due, permanent=False),
        r(sealed, document, yes, _WAITS, agreed, partner, "its receipt may take its time (HIS 1037 5.2)", missing, permanent=False),
        r(sealed, signal, yes, finish, never, nobody, "nobody acknowledges a receipt (HIS 1037 9)", none_due, permanent=False),
        r(sealed, signal, yes, _TRIED, soon, hub, "answered by a failure", missing, permanent=False),
        open_(sealed, lasting, maybe, _WAITS, When.LOST, hub, "the answer was lost: asked again", as_agreed=False),
        open_(sealed, lasting, maybe, _WAITS, agreed, hub, "told no more often than agreed", as_agreed=True),
        open_(sealed, lasting, no, _TRIED, soon, hub, "nothing was handed over: trying soon does no harm", as_agreed=False),
        open_(sealed, lasting, no, _TRIED, agreed, hub, "it has spoken of it: it will hardly say otherwise soon", as_agreed=True),
    )
    # fmt: on


ROWS: tuple[Row, ...] = _rows()


def combinations() -> Iterator[Met]:
    """The whole product of what an attempt can meet."""
    for one in product(Road, What, Reached, Receipt, (False, True), (False, True)):
        yield Met(*one)


_TABLE: dict[Met, Row] = {met: next(row for row in ROWS if row.fits(met)) for met in combinations()}


def row_of(met: Met) -> Row:
    """The one row that judges this."""
    return _TABLE[met]


def diagram() -> str:
    """Where the table leads, as a Mermaid flow chart for the reference page: what was reached, and then what follows."""
    lines = ["flowchart LR"]
    drawn = dict.fromkeys(
        (met.reached, after(move), "" if row_of(met).when is When.NEVER else f"next try: {row_of(met).when}")
        for met in combinations()
        for move in row_of(met).moves
    )
    lines += [f"    reached_{a}([reached: {a}]) -->{f'|{c}|' if c else ''} {b}" for a, b, c in sorted(drawn)]
    return "\n".join(lines) + "\n"


# --- a judgement: the row, and what the delivery's own times and counts make of it


@dataclass(frozen=True, slots=True)
class Terms:
    """What is set about times and tries; see hub.settings."""

    backoff: Backoff
    sync: timedelta = timedelta(seconds=15)  #: how long a question waits for its answer
    receipt_tries: int = 12  #: failures in a row by which a receipt of ours is given up


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows: a move, why, and what is counted; None keeps what the delivery has."""

    move: Move
    code: str
    because: str
    turn: Turn
    when: When = When.NEVER
    at: datetime | None = None
    handed_over: int | None = None
    failures: int | None = None
    interval_from: datetime | None = None
    lost: int | None = None


def met_by(delivery: DeliveryRecord, outcome: Outcome, what: What, receipt: Receipt) -> Met:
    """What an outcome is to the table."""
    spoken = bool(delivery.said) and what is not What.SIGNAL
    behind_it = outcome.ours and outcome.reached is not Reached.NO
    as_agreed = outcome.counted or spoken or behind_it
    return Met(ROADS[delivery.channel], what, outcome.reached, receipt, outcome.permanent, as_agreed)


def judge(
    delivery: DeliveryRecord,
    outcome: Outcome,
    met: Met,
    now: datetime,
    *,
    line_failures: int,
    dice: float,
    terms: Terms,
) -> Judgement:
    """What follows an attempt that brought no receipt which settles it by itself.

    `line_failures` counts tries in a row that did not reach the address, whatever they brought.
    """
    row = row_of(met)
    if row.when is When.NEVER:
        return Judgement(_settling(row, delivery), outcome.code, outcome.because, row.turn)
    counted = _counted(row, delivery, outcome, met, now)
    if met.what is What.SIGNAL and outcome.answered and (counted.failures or 0) >= terms.receipt_tries:
        because = f"answered {counted.failures} times in a row by a failure; last: {outcome.because}"
        return _ended(GiveUp("receipt-not-taken", because), counted)
    following = _next(row, delivery, outcome, counted, now, line_failures, dice, terms)
    if isinstance(following, GiveUp):
        over = (
            f"{outcome.because}; {following.because}"
            if outcome.ours
            else f"{following.because}; last: {outcome.because}"
        )
        return _ended(GiveUp(outcome.code if outcome.ours else following.code, over), counted)
    return replace(counted, at=following.at)


def _settling(row: Row, delivery: DeliveryRecord) -> Move:
    """Finished at once where no AppRec is due."""
    return Move.FINISH if row.moves == _ACKNOWLEDGED and delivery.apprec_due_at is None else row.moves[0]


def _counted(row: Row, delivery: DeliveryRecord, outcome: Outcome, met: Met, now: datetime) -> Judgement:
    """The same row with its counts: all hand-overs within one agreed interval are one of the agreement's Retries."""
    one = outcome.counted or (met.reached is not Reached.NO and row.when is not When.BACK_OFF)
    still = inside(delivery, now)
    lost, begun = delivery.lost, delivery.interval_from
    if one and (not still or row.when is When.AGREED):
        lost, begun = 0, now
    if row.when is When.LOST:
        lost += 1
    stays = Move.TRY_AGAIN if met.reached is Reached.NO or row.when is When.BACK_OFF else Move.HAND_OVER
    move = stays if stays in row.moves and delivery.state == State.WAITING else Move.HAND_OVER
    missed = outcome.answered or outcome.ours
    failures = delivery.failures + missed if row.when is When.BACK_OFF and not outcome.counted else 0
    handed = delivery.handed_over + (one and not still)
    return Judgement(
        move, outcome.code, outcome.because, row.turn, row.when, None, handed, failures, begun, lost
    )  # fmt: skip


def _next(
    row: Row,
    delivery: DeliveryRecord,
    outcome: Outcome,
    counted: Judgement,
    now: datetime,
    line_failures: int,
    dice: float,
    terms: Terms,
) -> Again | GiveUp:
    if row.when is When.LOST and counted.interval_from is not None:
        return asked_again(delivery, counted.interval_from, counted.lost or 1, now, dice, terms.backoff)
    if row.when is When.ANSWER:
        return within(delivery, terms.sync, now)
    waits = Reached.NO if row.when is When.BACK_OFF else Reached.YES
    failures = max(line_failures, counted.failures or 0, 1)
    return next_attempt(delivery, waits, failures, now, dice, terms.backoff, outcome.after)


def _ended(over: GiveUp, counted: Judgement) -> Judgement:
    return Judgement(
        Move.GIVE_UP, over.code, over.because, Turn.PERSON, handed_over=counted.handed_over, failures=counted.failures
    )


# --- before an attempt


def before(delivery: DeliveryRecord, what: What, now: datetime) -> Judgement | None:
    """Whether an attempt that is due is not made any more, and what becomes of the delivery instead; the first that fits."""
    past = delivery.give_up_at is not None and delivery.give_up_at <= now
    if ROADS[delivery.channel] is Road.QUESTION and delivery.handed_over:  # nhn-amqp.md §4.2
        because = f"HER-id {delivery.receiver} has not answered in time"
        return Judgement(Move.GIVE_UP, "sync-timed-out", because, Turn.PERSON)
    if delivery.expires_at is not None and delivery.expires_at <= now:
        how = "without a receipt" if delivery.handed_over else "before it was handed over"
        because = f"its TimeToLive passed {how}{last(delivery)}"
        return Judgement(Move.EXPIRE, "time-to-live-expired", because, Turn.PERSON)
    if (over := used_up(delivery, now)) is not None:
        code = UNFORESEEN if delivery.code == UNFORESEEN else over.code  # our own fault stays ours
        return Judgement(Move.GIVE_UP, code, over.because, Turn.PERSON)
    if what is What.ONCE and past:
        return Judgement(Move.DISCARD, "question-over", "nobody waits for it any more", Turn.NOBODY)
    return None
