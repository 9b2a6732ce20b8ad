"""What happens to a delivery, in order: claimed, sealed once, sent, and settled by what the other side said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hub import mailbox, promises, refusals, seal, signals
from hub.circuit import Circuits
from hub.codes import REASONS
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats.words import SAID
from hub.kit import Kit
from hub.message import BUS, SEALED, Channel, Claimed, DeliveryRecord, Outcome, Parcel, Reached
from hub.ports import Applied, Change, Conflict, MoveOrder, Sender
from hub.receipts import ONCE
from hub.retry import Again, Backoff, GiveUp, last, next_attempt, used_up
from hub.states import Move, State
from hub.verdict import Refuse, Retry


def backoff(kit: Kit) -> Backoff:
    """The waits between tries that do not reach the other side, from the settings."""
    return Backoff(
        timedelta(seconds=kit.settings.backoff_first_seconds),
        longest=timedelta(seconds=kit.settings.backoff_longest_seconds),
    )


async def attempt(claimed: Claimed, kit: Kit, senders: Mapping[Channel, Sender], circuits: Circuits) -> None:
    """One attempt, from claim to settlement. A crash anywhere leaves it claimed: it is tried again after its lease."""
    delivery, now = claimed.delivery, kit.clock.now()
    if (silent := _unanswered(delivery)) is not None:
        return await _settle(claimed, _untried(silent.code, silent.because), Move.GIVE_UP, kit)
    if delivery.expires_at is not None and delivery.expires_at <= now:
        return await _settle(
            claimed,
            _untried("time-to-live-expired", f"its TimeToLive passed before it was taken{last(delivery)}"),
            Move.EXPIRE,
            kit,
        )
    if (over := used_up(delivery, now)) is not None:
        return await _ended(claimed, _untried(over.code, over.because), kit)
    if claimed.message.action in ONCE and delivery.give_up_at is not None and delivery.give_up_at <= now:
        return await _settle(claimed, _untried("question-over", "nobody waits for it any more"), Move.DISCARD, kit)
    parcel = claimed.parcel or await _sealed(claimed, kit)
    if isinstance(parcel, Refuse):
        return await _settle(claimed, _nothing(parcel.code, parcel.because), Move.GIVE_UP, kit)
    if isinstance(parcel, Retry):
        return await _time_again(claimed, Outcome(Reached.NO, parcel.code, parcel.because), kit, circuits)
    outcome = await senders[delivery.channel].send(claimed, parcel)
    _mind(delivery.address, outcome, kit, circuits)
    await _judge(claimed, parcel, outcome, kit, circuits)
    return None


async def _ended(claimed: Claimed, outcome: Outcome, kit: Kit, handed: int | None = None) -> None:
    """Given up, for all that was agreed has been done; of a receipt this is told at the message that it is about."""
    if claimed.delivery.kind != "signal":
        return await _settle(claimed, outcome, Move.GIVE_UP, kit, handed)
    because = _with_words(outcome.because, outcome.said or claimed.delivery.said)
    told = await refusals.told_once(claimed.delivery, outcome.code, because, kit.clock.now(), kit)
    return await _settle(claimed, outcome, Move.GIVE_UP, kit, handed, also=told)


def _unanswered(delivery: DeliveryRecord) -> GiveUp | None:
    """A synchronous question that is taken up again has waited for its answer long enough (nhn-amqp.md §4.2)."""
    if delivery.channel != Channel.AMQP_SYNC or not delivery.handed_over:
        return None
    return GiveUp("sync-timed-out", f"HER-id {delivery.receiver} has not answered in time")


async def _sealed(claimed: Claimed, kit: Kit) -> Parcel | Refuse | Retry:
    """Seals, and keeps the bytes before any of them goes out: a resend is the same ebXML message (HITS 1171 9.6)."""
    document = await kit.store.document(claimed.message.id)
    if document is None:
        return Refuse("unforeseen", "its document is not in the store")
    parcel = seal.seal(claimed.message, claimed.delivery, document, kit)
    if isinstance(parcel, Refuse | Retry):
        return parcel
    return await kit.store.keep_parcel(claimed.delivery.id, parcel, claimed.delivery.eb_message_id)


def _mind(address: str, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """Any answer means that the address is reached, whatever it says: only this delivery waits because of it."""
    if outcome.reached is Reached.YES or outcome.answered:
        circuits.reached(address)
    else:
        circuits.failed(address, kit.clock.now(), kit.dice.fraction())


async def _judge(claimed: Claimed, parcel: Parcel, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """What the outcome means: a receipt settles it, a permanent failure ends it, all else is timed again."""
    if claimed.message.action in ONCE:  # who asked asks again
        taken = outcome.reached is Reached.YES and not outcome.permanent
        return await _settle(claimed, outcome, Move.FINISH if taken else Move.DISCARD, kit)
    if claimed.delivery.kind == "signal":
        return await _receipt_judged(claimed, outcome, kit, circuits)
    wanted = claimed.delivery.channel in SEALED
    if outcome.answer and wanted:
        effect = await signals.answered(claimed, parcel, outcome, kit)
        if effect is not None and effect.change.moves:
            told = replace(outcome, code=effect.code, because=effect.because)  # what the attempt came to
            return await _apply(claimed, told, effect.change, kit)
        outcome = _heard(outcome, effect)
    if outcome.code == "fetched":
        return await _with_its_system(claimed, outcome, kit)
    if outcome.permanent:
        return await _settle(claimed, outcome, Move.GIVE_UP, kit)
    if claimed.delivery.channel in BUS and outcome.reached is not Reached.NO:
        return await _on_the_bus(claimed, outcome, kit, circuits)
    if wanted and outcome.code == "handed-over" and not _receipt_agreed(claimed, kit):
        because = f"{outcome.because.partition(',')[0]}; no transport receipt is agreed"
        return await _settle(claimed, replace(outcome, because=because), signals.acknowledged_by(claimed.delivery), kit)
    return await _time_again(claimed, outcome, kit, circuits)


def _heard(outcome: Outcome, effect: signals.Effect | None) -> Outcome:
    """A receipt that cannot be taken moves nothing: why, and what it says, is what people must read.

    Its message handler has the message, whatever the status of the answer; only a status that ends it still does.
    """
    if effect is None:
        return outcome
    if outcome.permanent:
        return replace(outcome, said=effect.said)
    reached = Reached.YES if effect.said else outcome.reached
    told = replace(outcome, code=effect.code, because=effect.because, said=effect.said)
    return replace(told, reached=reached, cause=effect.cause)


async def _receipt_judged(claimed: Claimed, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """Nobody acknowledges a receipt (HIS 1037 9): what was taken, and is not refused in the answer, is done."""
    delivery, fault = claimed.delivery, outcome.code == "soap-fault"
    words = signals.refused_in(outcome, kit) if delivery.channel in SEALED else ""
    if words or (fault and outcome.permanent):
        refusal = refusals.Refusal(words or outcome.said, kit.clock.now())
        return await _apply(claimed, outcome, await refusals.of_delivery(delivery, refusal, kit), kit)
    if outcome.permanent:
        return await _ended(claimed, outcome, kit)
    if outcome.reached is Reached.YES and not fault:
        return await _settle(claimed, outcome, Move.FINISH, kit)
    if delivery.channel in BUS and outcome.reached is not Reached.NO:
        return await _on_the_bus(claimed, outcome, kit, circuits)
    return await _receipt_again(claimed, replace(outcome, reached=Reached.NO) if fault else outcome, kit, circuits)


async def _receipt_again(claimed: Claimed, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """Later; but not for ever where the partner answers by failures. What it says of it is told the first time."""
    delivery, failures = claimed.delivery, _failures(claimed.delivery, outcome)
    if outcome.answered and failures >= kit.settings.receipt_tries:
        because = f"answered {failures} times in a row by a failure; last: {outcome.because}"
        ended = replace(outcome, code="receipt-not-taken", because=because, cause=outcome.cause or outcome.code)
        return await _ended(claimed, ended, kit)
    told = Change()
    if outcome.said:
        because = _with_words(outcome.because, outcome.said)
        told = await refusals.told_once(delivery, refusals.CODE, because, kit.clock.now(), kit)
    return await _time_again(claimed, outcome, kit, circuits, told)


def _failures(delivery: DeliveryRecord, outcome: Outcome) -> int:
    """How often in a row the address has now answered that it takes this just not now."""
    if outcome.reached is not Reached.NO or outcome.counted:
        return 0
    return delivery.failures + outcome.answered


async def _on_the_bus(claimed: Claimed, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """The broker's word is all the receipt there is; a question then waits for its answer, and is asked once (§4.2, §4.3)."""
    if claimed.delivery.channel is Channel.AMQP_SYNC:
        over = kit.clock.now() + timedelta(seconds=kit.settings.sync_seconds)
        return await _settle(claimed, outcome, Move.HAND_OVER, kit, 1, over)
    if outcome.reached is Reached.YES:
        return await _settle(claimed, outcome, signals.acknowledged_by(claimed.delivery), kit)
    return await _time_again(claimed, outcome, kit, circuits)


def _receipt_agreed(claimed: Claimed, kit: Kit) -> bool:
    """Whether the agreement asks for an Acknowledgment; with `never` a hand-over is all there is (ebxml.md §5.3)."""
    return seal.agreed(claimed.message, claimed.delivery, kit, kit.clock.now()).ack_requested


async def _with_its_system(claimed: Claimed, outcome: Outcome, kit: Kit) -> None:
    """The document lies in the record system's folder or queue: acknowledged, and answered where we answer for it."""
    now, delivery = kit.clock.now(), claimed.delivery
    order = MoveOrder(delivery.id, signals.acknowledged_by(delivery), now, outcome.code, outcome.because)
    entry = Entry(now, Event.FETCHED, outcome.code, outcome.because, claimed.message.id, delivery.id)
    answered = await mailbox.handed_to_system(claimed.message, delivery, kit)
    change = Change(moves=(order,), journal=(entry,))
    done = await kit.store.settle(delivery.id, claimed.attempt, outcome, now, promises.joined(change, answered))
    if isinstance(done, Applied):
        return
    await _apply(claimed, outcome, change, kit)  # answered before, or moved meanwhile: it lies there all the same


async def _time_again(
    claimed: Claimed, outcome: Outcome, kit: Kit, circuits: Circuits, also: Change | None = None
) -> None:
    """Later, or never: the agreement's schedule decides."""
    delivery, now = claimed.delivery, kit.clock.now()
    reached = _handed(delivery.channel, outcome)
    handed = delivery.handed_over + (reached is not Reached.NO or outcome.counted)
    failures = _failures(delivery, outcome)
    waits = Reached.YES if _as_agreed(delivery, outcome) else reached
    following = next_attempt(
        replace(delivery, handed_over=handed),
        waits,
        max(circuits.failures(delivery.address), failures, 1),
        now,
        kit.dice.fraction(),
        backoff(kit),
        outcome.after,
    )
    if not isinstance(following, Again):
        why = f"{following.because}; last: {outcome.because}"
        given_up = replace(outcome, code=following.code, because=why, cause=outcome.cause or outcome.code)
        return await _ended(claimed, given_up, kit, handed)
    move = Move.TRY_AGAIN if reached is Reached.NO and delivery.state == "waiting" else Move.HAND_OVER
    return await _settle(claimed, outcome, move, kit, handed, following.at, failures=failures, also=also)


def _as_agreed(delivery: DeliveryRecord, outcome: Outcome) -> bool:
    """Whether the next try has the agreed time, though nothing was handed over: no message handler is told more often.

    So it is also where the partner has said something of it: it has had the message, and will hardly say otherwise soon.
    """
    return outcome.counted or (bool(delivery.said) and delivery.kind != "signal")


def _handed(channel: Channel, outcome: Outcome) -> Reached:
    """Whether the agreed times between hand-overs hold.

    A record system knows by its id what lies in its queue twice, and a file is replaced by the same: what may have come
    there is soon brought again.
    """
    known_again = channel in (Channel.QUEUE, Channel.FOLDER)
    return Reached.NO if known_again and outcome.reached is Reached.MAYBE else outcome.reached


EVENTS = {
    Move.EXPIRE: Event.EXPIRED,
    Move.GIVE_UP: Event.DEAD,
    Move.DISCARD: Event.DISCARDED,
    Move.TRY_AGAIN: Event.FAILED,
    Move.HAND_OVER: Event.HANDED_OVER,
    Move.FINISH: Event.DONE,
    Move.ACKNOWLEDGE: Event.HANDED_OVER,
}


async def _settle(
    claimed: Claimed,
    outcome: Outcome,
    move: Move,
    kit: Kit,
    handed: int | None = None,
    at: datetime | None = None,
    *,
    failures: int | None = None,
    also: Change | None = None,
) -> None:
    now, delivery = kit.clock.now(), claimed.delivery
    event = EVENTS[move]
    if move is Move.HAND_OVER and outcome.code not in ("handed-over", "bus-taken"):
        event = Event.FAILED
    said = outcome.said or (delivery.said if move in (Move.GIVE_UP, Move.EXPIRE) else "")
    because = _with_words(outcome.because, said)
    order = MoveOrder(
        delivery.id,
        move,
        now,
        outcome.code,
        because,
        next_at=at,
        handed_over=handed,
        failures=failures,
        said=outcome.said or None,
        cause=_cause(delivery, outcome),
    )
    text = _with_words(_again_text(outcome, at), said)
    entry = Entry(now, event, outcome.code, text, claimed.message.id, delivery.id)
    change = Change(moves=(order,), journal=(entry,), notifications=_told(claimed, move, now))
    await _apply(claimed, outcome, promises.joined(change, also or Change()), kit)


def _cause(delivery: DeliveryRecord, outcome: Outcome) -> str | None:
    """The code of what went wrong in this attempt; None keeps the one there is, where nothing was tried.

    What was handed over has overcome what went wrong before, unless a receipt has come that was not taken.
    """
    if not outcome.made:
        return None
    if REASONS[outcome.cause or outcome.code].blame == "nobody":
        return None if delivery.said else ""
    return outcome.cause or outcome.code


def _again_text(outcome: Outcome, at: datetime | None) -> str:
    return f"{outcome.because}; next at {at.isoformat(timespec='seconds')}" if at else outcome.because


def _with_words(because: str, said: str) -> str:
    """A reason, and last what the partner said of it."""
    return f"{because}{SAID}{said}" if said else because


def _told(claimed: Claimed, move: Move, now: datetime) -> tuple[Notification, ...]:
    """The sending record system learns that its message has gone out, or never will."""
    state = NotificationType.DELIVERY_STATE
    kinds = {
        Move.HAND_OVER: NotificationType.SENT_STATE,
        Move.ACKNOWLEDGE: state,
        Move.GIVE_UP: state,
        Move.EXPIRE: state,
    }
    if move not in kinds or (move is Move.HAND_OVER and claimed.delivery.state == State.SENT):
        return ()
    d = claimed.delivery
    return (Notification(kinds[move], claimed.message.id, d.sender, d.receiver, now),)


async def _apply(claimed: Claimed, outcome: Outcome, change: Change, kit: Kit) -> None:
    """Settles. If a receipt or a person moved the delivery meanwhile, theirs stands and only the attempt is noted."""
    now = kit.clock.now()
    done = await kit.store.settle(claimed.delivery.id, claimed.attempt, outcome, now, change)
    if not isinstance(done, Applied):
        stood = f"it stood at {done.state} already" if isinstance(done, Conflict) else "its receipt was here already"
        text = f"{outcome.because}; {stood}"
        entry = Entry(now, Event.SIGNAL, outcome.code, text, claimed.message.id, claimed.delivery.id)
        await kit.store.settle(claimed.delivery.id, claimed.attempt, outcome, now, Change(journal=(entry,)))


def _nothing(code: str, because: str) -> Outcome:
    return Outcome(Reached.NO, code, because, permanent=True)


def _untried(code: str, because: str) -> Outcome:
    """Settled before anything was tried: no attempt is shown for it."""
    return replace(_nothing(code, because), made=False)
