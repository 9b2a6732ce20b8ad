"""What people do: hold, release, resend, discard; each is journaled with who did it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hub import following, neighbours, notices, removed
from hub.errors import NotAllowed, NotFound
from hub.events import Entry, Event
from hub.formats import address as addresses
from hub.formats import mail
from hub.kit import Kit
from hub.message import SEALED, Channel, DeliveryRecord
from hub.ports import ArrivalFilter, ArrivalRecord, ArrivalState, Change, Conflict, DeliveryFilter, MoveOrder
from hub.states import Move, State, allowed

EVENTS = {
    Move.HOLD: (Event.HELD, "held"),
    Move.RELEASE: (Event.RELEASED, "released"),
    Move.RESEND: (Event.RESENT, "resent"),
    Move.DISCARD: (Event.DISCARDED, "discarded"),
}
#: Statuses of an AppRec after which only a corrected document helps: it was refused, or a part of it (HIS 80415 3.2).
ANSWERED = frozenset({"2", "3"})


async def act(delivery_id: str, move: Move, actor: str, why: str, kit: Kit) -> DeliveryRecord:
    """Makes one of a person's moves and returns the delivery as it then stands.

    Raises NotFound, or NotAllowed when the move is not possible from where the delivery stands.
    """
    delivery = await _movable(delivery_id, move, kit)
    order, entry = await ordered(delivery, move, actor, why, kit)
    told = notices.of_move(delivery, order, kit)
    done = await kit.store.apply(Change(moves=(order,), journal=(entry,), notifications=told))
    if isinstance(done, Conflict):
        raise _not_from(delivery, done.state, move)
    return (await kit.store.deliveries(DeliveryFilter(ids=(delivery_id,))))[0]


async def foreseen(delivery_id: str, move: Move, kit: Kit) -> tuple[DeliveryRecord, str]:
    """The delivery, and where it would go; nothing is changed. Raises as `act` does."""
    delivery = await _movable(delivery_id, move, kit)
    order, _ = await ordered(delivery, move, "", "", kit)
    return delivery, (order.address or order.channel or delivery.address or delivery.channel)


async def _movable(delivery_id: str, move: Move, kit: Kit) -> DeliveryRecord:
    found = await kit.store.deliveries(DeliveryFilter(ids=(delivery_id,)))
    if not found:
        raise NotFound(f"delivery {delivery_id} is not known here; see: samhub delivery list")
    delivery = found[0]
    if move is Move.RESEND and delivery.apprec_status in ANSWERED:
        text = "the receiver answered by a negative AppRec: correct the document and send it with a new MsgId"
        raise NotAllowed("not-from-here", text)
    if not possible(delivery, move):
        raise _not_from(delivery, delivery.state, move)
    if move is Move.RESEND and await removed.is_removed(delivery.message_id, kit.store):
        every = await kit.store.deliveries(DeliveryFilter(message_id=delivery.message_id))
        raise NotAllowed(removed.REMOVED, removed.why(delivery.message_id, every))
    return delivery


async def judge_again(arrival_id: str, actor: str, why: str, kit: Kit) -> ArrivalRecord:
    """Has what was not taken judged once more, by the running hub and soon; returns it as it then stands.

    What the partner was told stays told (see README.md, "Judged again by a person"). Raises NotFound or NotAllowed.
    """
    record = await _arrival(arrival_id, kit)
    if words := unjudgeable(record):
        raise NotAllowed("not-from-here", f"arrival {arrival_id} cannot be judged again: {words}")
    now, because = kit.clock.now(), why or f"judged again by {actor}"
    entry = Entry(now, Event.JUDGED_AGAIN, "judged-again", because, arrival_id=arrival_id, actor=actor)
    undecided = replace(record, state="undecided", next_at=now)
    await kit.store.apply(Change(arrival=undecided, journal=(entry,)))
    return undecided


def unjudgeable(record: ArrivalRecord) -> str:
    """Why an arrival cannot be judged again, in words; empty when it can."""
    arrival = record.arrival
    if record.state == "accepted":
        return "it was taken"
    if record.discarded_at is not None:
        return f"it was put away {record.discarded_at:%Y-%m-%d}"
    if arrival.system is not None:
        return f"{arrival.system} was told so to its face, and hands it over again when it is mended"
    if record.facts.type_code in ("Ping", "StatusRequest"):
        return f"nobody waits for the answer to a {record.facts.type_code} any more"
    if record.code == "too-large" or not arrival.body:
        return "not all of its bytes are kept; the sender must send it again"
    if arrival.door == Channel.EBXML_SMTP and mail.read(arrival.body).headers.get("from"):
        return "it is a whole mail, and no message was found in it; export it, or ask the sender to send it again"
    return ""


async def discard_arrival(arrival_id: str, actor: str, why: str, kit: Kit) -> ArrivalRecord:
    """Puts away what was not taken: it is kept, and on no list of what somebody must look at.

    Raises NotFound, or NotAllowed without a reason, for what was taken and for what is put away.
    """
    record = await _arrival(arrival_id, kit)
    if not why.strip():
        raise NotAllowed("not-from-here", "say why it is put away: the journal keeps it")
    if record.state == "accepted" or record.discarded_at is not None:
        stands = "was taken" if record.state == "accepted" else "is put away already"
        raise NotAllowed("not-from-here", f"arrival {arrival_id} {stands}")
    now = kit.clock.now()
    entry = Entry(now, Event.DISCARDED, "discarded", why, arrival_id=arrival_id, actor=actor)
    state: ArrivalState = "refused" if record.state == "undecided" else record.state
    away = replace(record, state=state, next_at=None, discarded_at=now)
    await kit.store.apply(Change(arrival=away, journal=(entry,)))
    return away


async def _arrival(arrival_id: str, kit: Kit) -> ArrivalRecord:
    found = await kit.store.arrivals(ArrivalFilter(ids=(arrival_id,)))
    if not found:
        raise NotFound(f"arrival {arrival_id} is not known here; see: samhub arrival list")
    return found[0]


def possible(delivery: DeliveryRecord, move: Move) -> bool:
    """Whether a person may make this move from where the delivery stands."""
    if move is Move.RESEND and delivery.apprec_status in ANSWERED:
        return False
    return allowed(delivery.state, move)


def _not_from(delivery: DeliveryRecord, state: str, move: Move) -> NotAllowed:
    return NotAllowed("not-from-here", f"delivery {delivery.id} stands at {state}; {move} is not possible from there")


async def ordered(delivery: DeliveryRecord, move: Move, actor: str, why: str, kit: Kit) -> tuple[MoveOrder, Entry]:
    """The move with all that it brings, and its line in the journal; what goes again goes where the register says now."""
    message = await kit.store.message(delivery.message_id) if move in (Move.RESEND, Move.RELEASE) else None
    moved = following.anew(delivery, message, kit) if message is not None else None
    order, entry = _ordered(delivery, move, actor, why, kit, moved.channel if moved else delivery.channel)
    if moved is None:
        return order, entry
    where = f"{entry.because}; {moved.because}"
    order = replace(order, channel=moved.channel, address=moved.address, rule=moved.rule, because=where)
    return order, replace(entry, because=where)


def _ordered(
    delivery: DeliveryRecord, move: Move, actor: str, why: str, kit: Kit, channel: Channel
) -> tuple[MoveOrder, Entry]:
    event, code = EVENTS[move]
    now, because = kit.clock.now(), why or f"{code} by {actor}"
    again = move in (Move.RESEND, Move.RELEASE)
    offer = again and channel is Channel.MAILBOX  # nobody brings it: it lies ready
    life = _life_anew(delivery, now) if again else None
    # A new envelope, a new MessageId (HITS 1171 9.7), so too where the one that was sealed has expired; a receipt was
    # written for the message that it answers, and stays.
    refused = move is Move.RESEND and delivery.state == State.REJECTED
    anew = delivery.kind != "signal" and (refused or (life is not None and delivery.eb_message_id != ""))
    lost = again and delivery.code == "content-lost"  # what was sealed may be what is lost: it is sealed anew
    anew = anew or (channel is not delivery.channel and channel in SEALED) or (lost and delivery.kind != "signal")
    order = MoveOrder(
        delivery.id,
        Move.OFFER if offer else move,
        now,
        code,
        because,
        next_at=now if again and not offer else None,
        handed_over=0 if again else None,
        eb_message_id=kit.dice.uuid() if anew else delivery.eb_message_id if lost else None,
        give_up_at=now + timedelta(seconds=kit.settings.persist_duration_seconds) if again else None,
        apprec_due_at=_due_anew(delivery, now, kit) if again else None,
        failures=0 if again else None,
        said="" if again else None,
        cause="" if again else None,
        expires_at=life,
    )
    return order, Entry(now, event, code, because, delivery.message_id, delivery.id, actor=actor)


def _life_anew(delivery: DeliveryRecord, now: datetime) -> datetime | None:
    """As long a TimeToLive as it had, where that has passed; a synchronous question is over for good."""
    if delivery.expires_at is None or delivery.expires_at > now or delivery.channel is Channel.AMQP_SYNC:
        return None
    return now + (delivery.expires_at - delivery.created_at)


def _due_anew(delivery: DeliveryRecord, now: datetime, kit: Kit) -> datetime | None:
    """An AppRec that could not come before it was sent again has its time from now; None keeps what is still to come."""
    if delivery.apprec_due_at is None or delivery.apprec_due_at > now:
        return None
    return now + timedelta(hours=kit.settings.apprec_deadline_hours)


async def reset_circuits(wanted: str, actor: str, why: str, kit: Kit) -> list[str]:
    """Closes the circuit of an address, or all of a host, and returns the addresses. Raises NotFound."""
    found = [one.address for one in await kit.store.circuits() if wanted in _names(one.address)]
    if not found:
        raise NotFound(f"{wanted} is not left alone; see: samhub circuit list")
    now, because = kit.clock.now(), f": {why}" if why else ""
    shown = [addresses.shown(address) for address in found]
    journal = [Entry(now, Event.CIRCUIT, "circuit-reset", f"{one}{because}", actor=actor) for one in shown]
    await kit.store.keep_circuits([], found, journal)
    return shown


def _names(address: str) -> set[str]:
    """What a person may call it."""
    server = neighbours.host(address)
    return {address, server, addresses.shown(address), addresses.shown(server), server.partition(":")[2]}
