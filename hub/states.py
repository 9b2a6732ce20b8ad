"""The moves of a delivery, as one table that code, tests and the drawn diagram all read (ebxml.md §6.2)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a delivery stands. Nothing is green before `done`."""

    WAITING = "waiting"  #: to be tried, now or at its time
    SENT = "sent"  #: handed over; the Acknowledgment is not here yet
    AVAILABLE = "available"  #: in the mailbox of a local record system, not fetched yet
    ACKNOWLEDGED = "acknowledged"  #: the other side has it; its AppRec is not here yet
    DONE = "done"  #: AppRec home and positive, or none due
    REJECTED = "rejected"  #: MessageError or negative AppRec
    OVERDUE = (
        "overdue"  #: no AppRec within its time, or none that is clear: a person must act; a clear one is still taken
    )
    DEAD = "dead"  #: given up; waits for a person
    EXPIRED = (
        "expired"  #: its TimeToLive passed before it was handed over, or nobody fetched it for so long as it may lie
    )
    HELD = "held"  #: put aside by a rule or a person
    DISCARDED = (
        "discarded"  #: shall not be delivered: a person decided so, or it answered a question and nobody was there
    )


class Move(StrEnum):
    """What can happen to a delivery."""

    HAND_OVER = "hand_over"
    TRY_AGAIN = "try_again"
    REROUTE = "reroute"  #: it goes another way now, as the register says
    ACKNOWLEDGE = "acknowledge"
    FINISH = "finish"  #: acknowledged, and no AppRec is due
    REFUSE = "refuse"  #: MessageError with severity Error
    APPREC_OK = "apprec_ok"
    APPREC_NEGATIVE = "apprec_negative"  #: refused, or a part of it
    APPREC_UNCLEAR = "apprec_unclear"  #: one that does not say clearly what became of it: never a yes
    GIVE_UP = "give_up"
    EXPIRE = "expire"
    MISS = "miss"  #: the AppRec's time has passed
    BOUNCE = "bounce"  #: an error report of the bus about what its broker had taken
    TAKE_BACK = "take_back"  #: the same about what was finished, for no AppRec is due
    HOLD = "hold"
    RELEASE = "release"
    OFFER = "offer"  #: let go, or sent again, by lying ready in a mailbox of the house
    RESEND = "resend"
    DISCARD = "discard"


_S = State
#: move → the states it may start from, and the state it ends in.
MOVES: dict[Move, tuple[frozenset[State], State]] = {
    Move.HAND_OVER: (frozenset({_S.WAITING, _S.SENT}), _S.SENT),
    Move.TRY_AGAIN: (frozenset({_S.WAITING}), _S.WAITING),
    Move.REROUTE: (frozenset({_S.WAITING, _S.AVAILABLE}), _S.WAITING),
    # A late Acknowledgment is taken also after we gave up (ebxml.md §6.2).
    Move.ACKNOWLEDGE: (frozenset({_S.WAITING, _S.SENT, _S.AVAILABLE, _S.DEAD, _S.EXPIRED}), _S.ACKNOWLEDGED),
    Move.FINISH: (frozenset({_S.WAITING, _S.SENT, _S.AVAILABLE, _S.DEAD, _S.EXPIRED}), _S.DONE),
    Move.REFUSE: (frozenset({_S.WAITING, _S.SENT, _S.DEAD}), _S.REJECTED),
    # An AppRec may come before the Acknowledgment, and after its time (HIS 80415 3.3.4, HITS 1168 9.1).
    Move.APPREC_OK: (
        frozenset({_S.WAITING, _S.SENT, _S.AVAILABLE, _S.ACKNOWLEDGED, _S.OVERDUE, _S.DEAD, _S.EXPIRED}),
        _S.DONE,
    ),
    Move.APPREC_NEGATIVE: (
        frozenset({_S.WAITING, _S.SENT, _S.AVAILABLE, _S.ACKNOWLEDGED, _S.OVERDUE, _S.DEAD, _S.EXPIRED}),
        _S.REJECTED,
    ),
    Move.APPREC_UNCLEAR: (
        frozenset({_S.WAITING, _S.SENT, _S.AVAILABLE, _S.ACKNOWLEDGED, _S.OVERDUE, _S.DEAD, _S.EXPIRED}),
        _S.OVERDUE,
    ),
    Move.GIVE_UP: (frozenset({_S.WAITING, _S.SENT}), _S.DEAD),
    # What lies ready and is not fetched lies for so long as purge.unfetched_days says (EDI 2.0 A13.3).
    Move.EXPIRE: (frozenset({_S.WAITING, _S.SENT, _S.AVAILABLE}), _S.EXPIRED),
    Move.MISS: (frozenset({_S.SENT, _S.AVAILABLE, _S.ACKNOWLEDGED}), _S.OVERDUE),
    # On the bus the broker's word comes first and the receiver's complaint long after it (nhn-amqp.md §4.3, §4.4).
    Move.BOUNCE: (
        frozenset({_S.WAITING, _S.SENT, _S.ACKNOWLEDGED, _S.OVERDUE, _S.DEAD, _S.EXPIRED}),
        _S.REJECTED,
    ),
    Move.TAKE_BACK: (frozenset({_S.DONE}), _S.REJECTED),
    Move.HOLD: (frozenset({_S.WAITING, _S.SENT}), _S.HELD),
    Move.RELEASE: (frozenset({_S.HELD}), _S.WAITING),
    Move.OFFER: (frozenset({_S.HELD, _S.OVERDUE, _S.WAITING, _S.DEAD, _S.EXPIRED}), _S.AVAILABLE),
    # A resend by a person; after a negative AppRec the document must be corrected instead (HIS 80415 3.2).
    Move.RESEND: (frozenset({_S.DEAD, _S.EXPIRED, _S.OVERDUE, _S.REJECTED, _S.SENT}), _S.WAITING),
    Move.DISCARD: (frozenset({_S.DEAD, _S.EXPIRED, _S.OVERDUE, _S.REJECTED, _S.HELD, _S.WAITING}), _S.DISCARDED),
}

#: States in which the hub tries by itself when `next_at` has come.
TRYING: frozenset[State] = frozenset({_S.WAITING, _S.SENT})
#: States of what has neither been confirmed nor settled: what went wrong last is the cause that people look for.
OPEN: frozenset[State] = frozenset({_S.WAITING, _S.SENT, _S.HELD, _S.DEAD, _S.EXPIRED, _S.OVERDUE})
#: States from which nothing more happens by itself.
SETTLED: frozenset[State] = frozenset({_S.DONE, _S.REJECTED, _S.DISCARDED})
#: States that ask for a person.
NEEDS_A_PERSON: frozenset[State] = frozenset({_S.REJECTED, _S.OVERDUE, _S.DEAD, _S.EXPIRED, _S.HELD})


def allowed(state: State | str, move: Move) -> bool:
    """Whether `move` may be made from `state`."""
    return State(state) in MOVES[move][0]


def after(move: Move) -> State:
    """The state that `move` ends in."""
    return MOVES[move][1]


def diagram() -> str:
    """The table as a Mermaid state diagram, for the reference page."""
    lines = ["stateDiagram-v2", "    [*] --> waiting", "    [*] --> available", "    [*] --> held"]
    for move, (starts, end) in MOVES.items():
        lines += [f"    {start} --> {end}: {move}" for start in sorted(starts)]
    return "\n".join(lines) + "\n"
