"""What happens to a delivery, in order: claimed, sealed once, sent, and settled by what hub.judgement makes of the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub import following, judgement, mailbox, notices, promises, refusals, removed, seal, signals
from hub.checks.inspection import LARGE
from hub.circuit import Circuits
from hub.clock import Jumped
from hub.codes import reason
from hub.errors import ContentLost, StoreUnavailable, bare
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats.words import SAID
from hub.judgement import UNFORESEEN, Judgement, Receipt, Road, Terms, Turn, What, When
from hub.kit import Kit
from hub.message import Channel, Claimed, DeliveryRecord, Outcome, Parcel, Reached
from hub.ports import Applied, Change, Conflict, MoveOrder, Sender
from hub.receipts import ONCE
from hub.retry import Backoff
from hub.states import Move, State
from hub.verdict import Refuse, Retry

#: The code of what cannot be brought because the bytes that are kept of it are missing or damaged.
LOST = "content-lost"
#: What a sender says when another message handler has taken something and answered by nothing; else it said something.
TAKEN = "handed-over"


def backoff(kit: Kit) -> Backoff:
    """The waits between tries that the agreement does not fix, from the settings."""
    return Backoff(
        timedelta(seconds=kit.settings.backoff_first_seconds),
        longest=timedelta(seconds=kit.settings.backoff_longest_seconds),
        lost=tuple(timedelta(minutes=minutes) for minutes in kit.settings.lost_answer_minutes),
    )


def terms(kit: Kit) -> Terms:
    """What the table of judgements must know of the settings."""
    return Terms(backoff(kit), timedelta(seconds=kit.settings.sync_seconds), kit.settings.receipt_tries)


@dataclass(slots=True)
class _Far:
    """How far an attempt has come: what it stumbles over is judged by that."""

    claimed: Claimed  #: as it is made, once the register was asked
    reached: Reached = Reached.NO
    code: str = ""  #: of the outcome, when there is one


async def attempt(claimed: Claimed, kit: Kit, senders: Mapping[Channel, Sender], circuits: Circuits) -> None:
    """One attempt, from claim to settlement.

    Whatever it stumbles over is settled as an outcome of our own fault, and then raised to be told. Only what takes the
    process or the store away leaves it claimed: it is tried again after its lease.
    """
    far = _Far(claimed)
    try:
        await _tried(claimed, far, kit, senders, circuits)
    except ContentLost as lost:
        await _lost(far, lost, kit)
    except StoreUnavailable:
        raise
    except Exception as error:
        await _stumbled(far, error, kit, circuits)
        raise


async def _tried(claimed: Claimed, far: _Far, kit: Kit, senders: Mapping[Channel, Sender], circuits: Circuits) -> None:
    delivery = claimed.delivery
    if (over := judgement.before(delivery, _what(claimed), kit.clock.now())) is not None:
        if isinstance(jumped := kit.clock_watch.now(kit.clock), Jumped):
            return await _put_off(claimed, jumped, kit)
        outcome = Outcome(Reached.NO, over.code, over.because, permanent=True, made=False)
        return await _follow(claimed, outcome, over, kit)
    if (due := await following.as_registered(claimed, kit)) is None:
        return None
    claimed = far.claimed = due
    parcel = claimed.parcel or await _sealed(claimed, kit)
    if isinstance(parcel, Parcel) and parcel.lost:
        raise ContentLost(f"what was sealed: {parcel.lost}")
    if isinstance(parcel, Refuse | Retry):
        refused = isinstance(parcel, Refuse)
        outcome = Outcome(Reached.NO, parcel.code, parcel.because, permanent=refused, ours=True)
        return await _judged(claimed, outcome, Receipt.MISSING, kit, circuits)
    claimed = far.claimed = following.as_sealed(replace(claimed, parcel=parcel))
    far.reached = Reached.MAYBE
    outcome = await senders[claimed.delivery.channel].send(claimed, parcel)
    far.reached, far.code = Reached.NO if outcome.reached is Reached.NO else Reached.MAYBE, outcome.code
    _mind(claimed.delivery.address, outcome, kit, circuits)
    await _weighed(claimed, parcel, outcome, kit, circuits)
    return None


async def _put_off(claimed: Claimed, jumped: Jumped, kit: Kit) -> None:
    """Neither tried nor ended, since the clock has jumped; looked at again when it has stood, or at the next agreed time."""
    delivery, now = claimed.delivery, kit.clock.now()
    at = now + min(jumped.left(kit.clock.monotonic()), max(delivery.retry_interval, backoff(kit).longest))
    move = Move.TRY_AGAIN if delivery.state == State.WAITING else Move.HAND_OVER
    because = f"the clock jumped; its time is up at {now:%Y-%m-%d %H:%M} if that stands"
    found = Judgement(move, "clock-jumped", because, Turn.HUB, at=at)
    order = MoveOrder(delivery.id, move, now, delivery.code, delivery.because, next_at=at)
    entry = Entry(now, Event.FAILED, found.code, _again_text(found), claimed.message.id, delivery.id)
    outcome = Outcome(Reached.NO, found.code, because, made=False)
    await _apply(claimed, outcome, Change(moves=(order,), journal=(entry,)), kit)


async def _lost(far: _Far, lost: ContentLost, kit: Kit) -> None:
    """What it needs cannot be read here: our fault, which no further attempt mends; a person has it, or who sent it."""
    outcome = Outcome(far.reached, LOST, str(lost), permanent=True, ours=True)
    met = judgement.met_by(far.claimed.delivery, outcome, _what(far.claimed), Receipt.MISSING)
    row = judgement.row_of(met)
    await _settle(far.claimed, outcome, Judgement(row.moves[0], LOST, str(lost), row.turn), kit)


async def _stumbled(far: _Far, error: Exception, kit: Kit, circuits: Circuits) -> None:
    """What nobody foresaw ends as an outcome too: tried by back-off where nothing had gone out, else as agreed."""
    claimed, behind = far.claimed, f" behind {far.code}" if far.code else ""
    outcome = Outcome(far.reached, UNFORESEEN, f"{bare(error)}{behind}", ours=True)
    met = judgement.met_by(claimed.delivery, outcome, _what(claimed), Receipt.MISSING)
    await _settle(claimed, outcome, _judgement(claimed, outcome, met, kit, circuits), kit)


async def _sealed(claimed: Claimed, kit: Kit) -> Parcel | Refuse | Retry:
    """Seals, and keeps the bytes before any of them goes out: a resend is the same ebXML message (HITS 1171 9.6)."""
    document = await kit.store.document(claimed.message.id)
    if document is None:
        return Refuse(removed.REMOVED, f"the document of message {claimed.message.id} was removed by the purge")
    held = [document]
    del document  # the one who seals it may let it go

    def sealed() -> Parcel | Refuse | Retry:
        return seal.seal(claimed.message, claimed.delivery, held.pop(), kit)

    parcel = sealed() if claimed.message.size <= LARGE else await kit.work(sealed)
    if isinstance(parcel, Refuse | Retry):
        return parcel
    return await kit.store.keep_parcel(claimed.delivery.id, parcel, claimed.delivery.eb_message_id)


def _mind(address: str, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """Any answer means that the address is reached, whatever it says: only this delivery waits because of it."""
    if outcome.reached is Reached.YES or outcome.answered:
        circuits.reached(address, kit.clock.now())
    elif not outcome.ours:
        circuits.failed(address, kit.clock.now(), kit.dice.fraction(), outcome.code)


# --- what came home, put into the words of the table


def _what(claimed: Claimed) -> What:
    if claimed.message.action in ONCE:
        return What.ONCE
    return What.SIGNAL if claimed.delivery.kind == "signal" else What.DOCUMENT


async def _weighed(claimed: Claimed, parcel: Parcel, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """Looks for a receipt in the answer; one that settles the delivery by itself does so, all else is judged."""
    what, road = _what(claimed), judgement.ROADS[claimed.delivery.channel]
    receipt = Receipt.MISSING if road is Road.SEALED else Receipt.NONE_DUE
    if road is Road.SEALED and what is What.SIGNAL:
        return await _signal_weighed(claimed, outcome, kit, circuits)
    if road is Road.SEALED and what is What.DOCUMENT:
        if outcome.answer:
            effect = await signals.answered(claimed, parcel, outcome, kit)
            if effect is not None and effect.change.moves:
                told = replace(outcome, code=effect.code, because=effect.because)  # what the attempt came to
                return await _apply(claimed, told, effect.change, kit)
            outcome = _heard(outcome, effect)
        if outcome.code == TAKEN and not _receipt_agreed(claimed, kit):
            because = f"{outcome.because.partition(',')[0]}; no transport receipt is agreed"
            receipt, outcome = Receipt.NONE_DUE, replace(outcome, because=because)
    return await _judged(claimed, outcome, receipt, kit, circuits)


async def _signal_weighed(claimed: Claimed, outcome: Outcome, kit: Kit, circuits: Circuits) -> None:
    """A receipt of ours: nobody acknowledges it (HIS 1037 9), but the answer may refuse it, or be a failure."""
    fault = outcome.code == "soap-fault"
    words = signals.refused_in(outcome, kit)
    if words or (fault and outcome.permanent):
        refusal = refusals.Refusal(words or outcome.said, kit.clock.now())
        return await _apply(claimed, outcome, await refusals.of_delivery(claimed.delivery, refusal, kit), kit)
    if fault:
        return await _judged(claimed, replace(outcome, reached=Reached.NO), Receipt.MISSING, kit, circuits)
    return await _judged(claimed, outcome, Receipt.NONE_DUE, kit, circuits)


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


def _receipt_agreed(claimed: Claimed, kit: Kit) -> bool:
    """Whether the agreement asks for an Acknowledgment; with `never` a hand-over is all there is (ebxml.md §5.3).

    As it was when it was sealed; what was sealed before that was kept is judged by what is agreed now.
    """
    if (kept := claimed.delivery.ack_requested) is not None:
        return kept
    return seal.agreed(claimed.message, claimed.delivery, kit, kit.clock.now()).ack_requested


# --- what follows


async def _judged(claimed: Claimed, outcome: Outcome, receipt: Receipt, kit: Kit, circuits: Circuits) -> None:
    met = judgement.met_by(claimed.delivery, outcome, _what(claimed), receipt)
    if met.road is Road.HOUSE and met.reached is Reached.YES and not met.permanent and met.what is What.DOCUMENT:
        return await _with_its_system(claimed, outcome, kit)
    found = _judgement(claimed, outcome, met, kit, circuits)
    return await _follow(claimed, outcome, found, kit)


def _judgement(claimed: Claimed, outcome: Outcome, met: judgement.Met, kit: Kit, circuits: Circuits) -> Judgement:
    delivery = claimed.delivery
    if isinstance(kit.clock_watch.now(kit.clock), Jumped):  # nothing is ended by it
        delivery = replace(delivery, give_up_at=None)
    return judgement.judge(
        delivery,
        outcome,
        met,
        kit.clock.now(),
        line_failures=circuits.failures(delivery.address),
        dice=kit.dice.fraction(),
        terms=terms(kit),
    )


async def _follow(claimed: Claimed, outcome: Outcome, found: Judgement, kit: Kit) -> None:
    """Settled; of a receipt that is given up, or spoken of, this is told at the message that it is about, once."""
    given_up = found.move is Move.GIVE_UP and not (outcome.ours and outcome.permanent)
    also = Change()
    if _what(claimed) is What.SIGNAL and (given_up or (found.when is not When.NEVER and outcome.said)):
        code = found.code if given_up else refusals.CODE
        said = outcome.said or (claimed.delivery.said if given_up else "")
        because = _with_words(found.because, said)
        also = await refusals.told_once(claimed.delivery, code, because, kit.clock.now(), kit)
    return await _settle(claimed, outcome, found, kit, also)


async def _with_its_system(claimed: Claimed, outcome: Outcome, kit: Kit) -> None:
    """The document lies in the record system's folder or queue: acknowledged, and answered where we answer for it."""
    now, delivery = kit.clock.now(), claimed.delivery
    order = MoveOrder(delivery.id, signals.acknowledged_by(delivery), now, outcome.code, outcome.because)
    entry = Entry(now, Event.FETCHED, outcome.code, outcome.because, claimed.message.id, delivery.id)
    told = notices.of_move(delivery, order, kit)
    answered = await mailbox.handed_to_system(claimed.message, delivery, kit)
    change = Change(moves=(order,), journal=(entry,), notifications=told)
    done = await kit.store.settle(delivery.id, claimed.attempt, outcome, now, promises.joined(change, answered))
    if isinstance(done, Applied):
        return
    await _apply(claimed, outcome, change, kit)  # answered before, or moved meanwhile: it lies there all the same


EVENTS = {
    Move.EXPIRE: Event.EXPIRED,
    Move.GIVE_UP: Event.DEAD,
    Move.DISCARD: Event.DISCARDED,
    Move.TRY_AGAIN: Event.FAILED,
    Move.HAND_OVER: Event.HANDED_OVER,
    Move.FINISH: Event.DONE,
    Move.ACKNOWLEDGE: Event.HANDED_OVER,
}


async def _settle(claimed: Claimed, outcome: Outcome, found: Judgement, kit: Kit, also: Change | None = None) -> None:
    now, delivery, move = kit.clock.now(), claimed.delivery, found.move
    event = EVENTS[move]
    if move is Move.HAND_OVER and outcome.code not in (TAKEN, "bus-taken"):
        event = Event.FAILED
    said = outcome.said or (delivery.said if move in (Move.GIVE_UP, Move.EXPIRE) else "")
    order = MoveOrder(
        delivery.id,
        move,
        now,
        found.code,
        _with_words(found.because, said),
        next_at=found.at,
        handed_over=found.handed_over,
        failures=found.failures,
        said=outcome.said or None,
        interval_from=found.interval_from,
        lost=found.lost,
        cause=_cause(delivery, outcome),
    )
    text = _with_words(_again_text(found), said)
    entry = Entry(now, event, found.code, text, claimed.message.id, delivery.id)
    change = Change(moves=(order,), journal=(entry,), notifications=_told(claimed, outcome, found, now))
    tried = replace(outcome, code=found.code, because=found.because)
    await _apply(claimed, tried, promises.joined(change, also or Change()), kit)


def _cause(delivery: DeliveryRecord, outcome: Outcome) -> str | None:
    """The code of what went wrong in this attempt; None keeps the one there is, where nothing was tried.

    What was handed over has overcome what went wrong before, unless a receipt has come that was not taken.
    """
    if not outcome.made:
        return None
    if reason(outcome.cause or outcome.code).blame == "nobody":
        return None if delivery.said else ""
    return outcome.cause or outcome.code


def _again_text(found: Judgement) -> str:
    if found.at is None:
        return found.because
    again = "the answer was lost, asked again at" if found.when is When.LOST else "next at"
    return f"{found.because}; {again} {found.at.isoformat(timespec='seconds')}"


def _with_words(because: str, said: str) -> str:
    """A reason, and last what the partner said of it."""
    return f"{because}{SAID}{said}" if said else because


def _told(claimed: Claimed, outcome: Outcome, found: Judgement, now: datetime) -> tuple[Notification, ...]:
    """The sending record system learns that its message has gone out whole, or never will."""
    state = NotificationType.DELIVERY_STATE
    kinds = {
        Move.HAND_OVER: NotificationType.SENT_STATE,
        Move.ACKNOWLEDGE: state,
        Move.FINISH: state,
        Move.DISCARD: state,
        Move.GIVE_UP: state,
        Move.EXPIRE: state,
    }
    d = claimed.delivery
    before = d.state == State.SENT and d.code != UNFORESEEN
    if d.kind == "signal" or found.move not in kinds or (found.move is Move.HAND_OVER and (before or outcome.ours)):
        return ()
    return (Notification(kinds[found.move], claimed.message.id, d.sender, d.receiver, now),)


async def _apply(claimed: Claimed, outcome: Outcome, change: Change, kit: Kit) -> None:
    """Settles. If a receipt or a person moved the delivery meanwhile, theirs stands and only the attempt is noted."""
    now = kit.clock.now()
    done = await kit.store.settle(claimed.delivery.id, claimed.attempt, outcome, now, change)
    if not isinstance(done, Applied):
        stood = f"it stood at {done.state} already" if isinstance(done, Conflict) else "its receipt was here already"
        text = f"{outcome.because}; {stood}"
        entry = Entry(now, Event.SIGNAL, outcome.code, text, claimed.message.id, claimed.delivery.id)
        await kit.store.settle(claimed.delivery.id, claimed.attempt, outcome, now, Change(journal=(entry,)))
