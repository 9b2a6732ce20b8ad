"""What waits follows the register: asked again where a delivery goes and whose certificates hold, at each attempt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from hub import notices, promises, seal
from hub.events import Entry, Event
from hub.kit import Kit
from hub.message import (
    BUS,
    SEALED,
    Channel,
    Claimed,
    Decision,
    DeliveryRecord,
    MessageRecord,
    Outcome,
    Reached,
)
from hub.ports import Applied, Change, DeliveryFilter, MoveOrder
from hub.receipts import ONCE
from hub.states import Move, State

#: Rules that no table decides: an answer goes where its question came from.
STRAIGHT = frozenset({"built-in: answer"})
#: So many deliveries are looked through at once when the register has changed; the others follow at their attempt.
SWEPT = 10_000


@dataclass(frozen=True, slots=True)
class Same:
    """It goes where it went."""


@dataclass(frozen=True, slots=True)
class Moved:
    """It goes another way."""

    channel: Channel
    address: str
    rule: str
    because: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule that was not there when it was promised puts it aside."""

    rule: str
    because: str


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no way any more: a person's turn."""

    code: str
    because: str


Way = Same | Moved | Kept | Gone


def way(delivery: DeliveryRecord, decision: Decision, *, known: bool) -> Way:
    """Where a delivery goes, by what was promised and what the router decides now; `known`: its receiver is registered.

    What may have been handed over stays the same message on the same kind of road (ebMS 2.0 6.5.4, HITS 1171 9.6): it
    follows its receiver to another address there, and rules that were made since do not catch it.
    """
    if decision.action == "refuse":
        if not known or decision.rule.startswith("built-in"):
            return Gone("partner-gone", decision.because)
        return Same() if delivery.handed_over else Gone("refused-by-rule", decision.because)
    if decision.action == "hold" and not delivery.handed_over and decision.rule != delivery.rule:
        return Kept(decision.rule, decision.because)
    channel = decision.channel or Channel.MAILBOX
    if (channel, decision.address) == (delivery.channel, delivery.address):
        return Same()
    if Channel.AMQP_SYNC in (channel, delivery.channel) and channel is not delivery.channel:
        return Same()  # a question is not made of a message that waits
    if delivery.handed_over and channel is not delivery.channel:
        return Same()
    return Moved(channel, decision.address, decision.rule, decision.because)


def asked(delivery: DeliveryRecord, message: MessageRecord, kit: Kit) -> Way:
    """The same, with the router asked; receipts and answers go back where what they answer came from."""
    if delivery.kind == "signal" or message.action in ONCE or delivery.rule in STRAIGHT:
        return Same()
    now = kit.clock.now()
    decision = kit.router.decide(promises.facts(message, delivery.receiver, kit, urgent=delivery.urgent, at=now))
    return way(delivery, decision, known=kit.directory.party(delivery.receiver) is not None)


async def as_registered(claimed: Claimed, kit: Kit) -> Claimed | None:
    """The attempt as it shall be made now; None where none is made, and what follows from that is kept."""
    match asked(claimed.delivery, claimed.message, kit):
        case Same():
            return await _sealed_as_registered(claimed, kit)
        case Moved() as moved if moved.channel is not Channel.MAILBOX:
            order, entry = _moved(claimed.delivery, moved, kit, claimed.delivery.next_at)
            if not isinstance(await kit.store.apply(Change(moves=(order,), journal=(entry,))), Applied):
                await _not_made(claimed, entry, Change(), kit)  # a receipt or a person has moved it meanwhile
                return None
            now = replace(
                claimed.delivery,
                channel=moved.channel,
                address=moved.address,
                rule=moved.rule,
                eb_message_id=order.eb_message_id or claimed.delivery.eb_message_id,
            )
            return replace(claimed, delivery=now, parcel=None if order.eb_message_id else claimed.parcel)
        case found:
            change = _change(claimed.delivery, found, kit)
            await _not_made(claimed, change.journal[0], change, kit)
            return None


async def _not_made(claimed: Claimed, why: Entry, change: Change, kit: Kit) -> None:
    """Settled without an attempt. If a receipt or a person moved it meanwhile, theirs stands."""
    outcome = Outcome(Reached.NO, why.code, why.because, made=False)
    settle, now = kit.store.settle, kit.clock.now()
    if not isinstance(await settle(claimed.delivery.id, claimed.attempt, outcome, now, change), Applied):
        await settle(claimed.delivery.id, claimed.attempt, outcome, now, Change())


async def sweep(kit: Kit, receivers: frozenset[str] | None = None) -> int:
    """After the register has changed: what waits goes where it says now, at once. Returns how many go another way."""
    states = (State.WAITING, State.SENT, State.AVAILABLE)
    wanted = DeliveryFilter(states=states, receivers=tuple(sorted(receivers or ())), limit=SWEPT)
    number = 0
    for delivery in await kit.store.deliveries(wanted):
        message = await kit.store.message(delivery.message_id)
        if message is None or isinstance(found := asked(delivery, message, kit), Same):
            continue
        if delivery.state == State.AVAILABLE and not isinstance(found, Moved):
            continue  # whoever it lies ready for has not lost it
        number += isinstance(await kit.store.apply(_change(delivery, found, kit)), Applied)
    return number


def anew(delivery: DeliveryRecord, message: MessageRecord, kit: Kit) -> Moved | None:
    """The way of what a person lets go or sends again, where it is another one now; no rule puts it aside again."""
    found = asked(replace(delivery, handed_over=0), message, kit)
    if isinstance(found, Kept):
        found = asked(replace(delivery, handed_over=0, rule=found.rule), message, kit)
    return found if isinstance(found, Moved) else None


# --- what is kept of it


def _change(delivery: DeliveryRecord, found: Way, kit: Kit) -> Change:
    now = kit.clock.now()
    match found:
        case Moved():
            at = delivery.next_at if delivery.handed_over else now
            order, entry = _moved(delivery, found, kit, at)
            return Change(moves=(order,), journal=(entry,), notifications=notices.of_move(delivery, order, kit))
        case Kept():
            order = MoveOrder(delivery.id, Move.HOLD, now, "held-by-rule", found.because, rule=found.rule)
            entry = Entry(now, Event.HELD, order.code, found.because, delivery.message_id, delivery.id)
            return Change(moves=(order,), journal=(entry,), notifications=notices.of_move(delivery, order, kit))
        case Gone():
            order = MoveOrder(delivery.id, Move.GIVE_UP, now, found.code, found.because)
            entry = Entry(now, Event.DEAD, found.code, found.because, delivery.message_id, delivery.id)
            return Change(moves=(order,), journal=(entry,), notifications=notices.of_move(delivery, order, kit))
        case _:
            return Change()


def _moved(delivery: DeliveryRecord, found: Moved, kit: Kit, at: datetime | None) -> tuple[MoveOrder, Entry]:
    now, because = kit.clock.now(), f"{found.because}; before: {delivery.address or delivery.channel}"
    offer = found.channel is Channel.MAILBOX
    sent = delivery.state == State.SENT
    order = MoveOrder(
        delivery.id,
        Move.OFFER if offer else Move.HAND_OVER if sent else Move.REROUTE,
        now,
        delivery.code if sent else "moved",
        delivery.because if sent else because,
        next_at=None if offer else at or now,
        eb_message_id=_id_there(delivery, found.channel, kit),
        channel=found.channel,
        address=found.address,
        rule=found.rule,
    )
    return order, Entry(now, Event.FOLLOWED, "moved", because, delivery.message_id, delivery.id)


def _id_there(delivery: DeliveryRecord, channel: Channel, kit: Kit) -> str | None:
    """The MessageId under which it is sealed for another kind of road; None keeps what is sealed already."""
    if channel is delivery.channel:
        return None
    return (delivery.eb_message_id or kit.dice.uuid()) if channel in SEALED else None


# --- whose certificates


async def _sealed_as_registered(claimed: Claimed, kit: Kit) -> Claimed:
    """With the parcel that was sealed, unless the register says otherwise now.

    What was never handed over is sealed anew under its MessageId. What may have come stays the same ebXML message, byte
    for byte (HITS 1171 9.6); only where the certificate that it is encrypted for is no longer the receiver's nobody could
    read it: then it is a new envelope under a new MessageId around the same document and MsgId (9.7).
    """
    delivery = claimed.delivery
    if claimed.parcel is not None and claimed.parcel.lost:
        return await _sealed_again(claimed, kit)
    if claimed.parcel is None or not delivery.sealed_by or delivery.channel in BUS:
        return claimed
    agreement = seal.agreed(claimed.message, delivery, kit, kit.clock.now())
    if agreement.fault or agreement.unkept:
        return claimed if delivery.handed_over else replace(claimed, parcel=None)
    made, now = delivery.sealed_by, seal.made_with(agreement, claimed.message, delivery, kit)
    handed = delivery.handed_over > 0 or await _perhaps_handed(claimed, kit) if made != now else False
    if made == now or (handed and made.partition(".")[0] == now.partition(".")[0]):
        return claimed
    return await _anew(claimed, f"by {agreement.because}", kit.dice.uuid() if handed else delivery.eb_message_id, kit)


async def _sealed_again(claimed: Claimed, kit: Kit) -> Claimed:
    """What was sealed cannot be read any more: nobody has had it, so it may be other bytes; else a person decides."""
    if claimed.delivery.handed_over or await _perhaps_handed(claimed, kit):
        return claimed
    return await _anew(claimed, "what was sealed could not be read", claimed.delivery.eb_message_id, kit)


async def _perhaps_handed(claimed: Claimed, kit: Kit) -> bool:
    """Whether an attempt of which nobody knows how it ended may have handed it over."""
    before = [one for one in await kit.store.attempts(claimed.delivery.id) if one.number < claimed.attempt]
    return any(one.ended_at is None or one.reached != Reached.NO for one in before)


async def _anew(claimed: Claimed, why: str, eb_message_id: str, kit: Kit) -> Claimed:
    now, delivery = kit.clock.now(), claimed.delivery
    because = f"{why}; MessageId {eb_message_id}"
    move = Move.HAND_OVER if delivery.state == State.SENT else Move.REROUTE
    order = MoveOrder(
        delivery.id,
        move,
        now,
        delivery.code,
        delivery.because,
        next_at=delivery.next_at,
        eb_message_id=eb_message_id,
        address=delivery.address,
    )
    entry = Entry(now, Event.FOLLOWED, "sealed-anew", because, delivery.message_id, delivery.id)
    await kit.store.apply(Change(moves=(order,), journal=(entry,)))
    return replace(claimed, delivery=replace(delivery, eb_message_id=eb_message_id), parcel=None)


def as_sealed(claimed: Claimed) -> Claimed:
    """With what was agreed when it was sealed, which was kept with its parcel."""
    if claimed.parcel is None or (terms := claimed.parcel.terms) is None:
        return claimed
    fixed = replace(
        claimed.delivery,
        ack_requested=terms.ack_requested,
        retries=terms.retries,
        retry_interval=terms.retry_interval,
        sealed_by=terms.sealed_by,
    )
    return replace(claimed, delivery=fixed)
