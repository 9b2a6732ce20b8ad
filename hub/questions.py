"""Synchronous questions on the national bus, both ways: asked, answered at once, or over (nhn-amqp.md §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.checks.inspection import Inspection
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats import amqp
from hub.formats.document import Document
from hub.kit import Kit
from hub.message import BUS_DOOR, Channel, Decision, DeliveryRecord, MessageRecord
from hub.ports import ArrivalFilter, Change, Claim, DeliveryFilter, MessageFilter, MoveOrder
from hub.states import Move, allowed
from hub.verdict import Refuse

DOOR = f"{BUS_DOOR}sync"


# --- what others ask us


def asked(inspection: Inspection, change: Change, kit: Kit) -> Change:
    """A question's deliveries end when its answer would come too late, and no AppRec is due: the answer is the receipt."""
    over = inspection.now + lifetime(inspection, kit)
    return replace(change, deliveries=tuple(_ending(d, over) for d in change.deliveries))


def _ending(delivery: DeliveryRecord, over: datetime) -> DeliveryRecord:
    return delivery if delivery.kind == "signal" else replace(delivery, expires_at=over, apprec_due_at=None)


def lifetime(inspection: Inspection, kit: Kit) -> timedelta:
    """How long the asker waits: what it said of the message's life, never longer than is usual here."""
    assert inspection.bus is not None
    usual = timedelta(seconds=kit.settings.sync_seconds)
    ttl = inspection.bus.ttl
    return min(usual, timedelta(milliseconds=ttl)) if ttl else usual


@dataclass(frozen=True, slots=True)
class Question:
    """A question that waits for its answer from a record system of ours."""

    message: MessageRecord
    reply_to: str
    correlation_id: str
    over: datetime

    def record(self, answer: MessageRecord) -> MessageRecord:
        """The answer as it is kept: it travels under the question's function and correlation id (§4.2)."""
        return replace(
            answer,
            conversation_id=self.correlation_id,
            service=self.message.service,
            action=self.message.action,
            original_msg_id=self.message.msg_id,
        )

    def decision(self) -> Decision:
        """Straight to the queue that the asker reads; no rule is asked where an answer goes."""
        because = f"answers {self.message.msg_id}, which HER-id {self.message.from_her} asked"
        address = f"amqp:{self.reply_to}"
        return Decision(self.message.from_her, "deliver", Channel.AMQP, address, because, "built-in: answer", 0)

    def only(self, change: Change) -> Change:
        """The same, once: answered in time or not at all, and no AppRec is due."""
        made = tuple(replace(d, expires_at=self.over, apprec_due_at=None) for d in change.deliveries)
        return replace(change, deliveries=made, claims=(*change.claims, Claim(f"answered:{self.message.id}")))


async def answering(document: Document, receivers: tuple[str, ...], sender: str, kit: Kit) -> Question | None:
    """The question that a document answers: its ConversationRef/RefToParent names it, and both parties are the same."""
    parent = document.conversation_ref[0]
    if not parent or len(receivers) != 1:
        return None
    wanted = MessageFilter(msg_id=parent, from_her=receivers[0], to_her=sender, limit=10)
    message = next((m for m in await kit.store.messages(wanted) if m.door == DOOR and m.direction == "in"), None)
    if message is None:
        return None
    arrivals = await kit.store.arrivals(ArrivalFilter(ids=(message.arrival_id,)))
    waiting = await kit.store.deliveries(DeliveryFilter(message_id=message.id))
    if not arrivals or not waiting or waiting[0].expires_at is None:
        return None
    bus = amqp.read(arrivals[0].arrival.headers)
    return Question(message, bus.reply_to, bus.correlation_id or bus.message_id, waiting[0].expires_at)


def too_late(question: Question, now: datetime) -> Refuse | None:
    """The asker has been told that no answer came."""
    if now <= question.over:
        return None
    return Refuse("sync-over", f"{question.message.msg_id} waited for its answer until {question.over.isoformat()}")


# --- what we ask others


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An answer that belongs to nothing that waits, and what is said about it where it might have belonged."""

    verdict: Refuse
    journal: tuple[Entry, ...] = ()


async def answered(inspection: Inspection, kit: Kit) -> DeliveryRecord | Mismatch:
    """The question of ours that this answers: known, asked of this HER-id, and still waiting (§4.2)."""
    assert inspection.bus is not None
    asked_as = inspection.bus.correlation_id
    found = await kit.store.deliveries(DeliveryFilter(eb_message_id=asked_as)) if asked_as else []
    ours = next((d for d in found if d.channel == Channel.AMQP_SYNC), None)
    if ours is None:
        return Mismatch(Refuse("sync-unknown", f"correlation-id {asked_as or '(none)'} is of no question of ours"))
    if (inspection.sender, inspection.receiver) != (ours.receiver, ours.sender):
        text = (
            f"HER-id {inspection.sender} answers HER-id {inspection.receiver} what was asked of HER-id {ours.receiver}"
        )
        verdict = Refuse("sync-stranger", text, rule="§4.2", data=(ours.receiver, inspection.sender))
        return Mismatch(verdict, (_noted(inspection, Event.SIGNAL, "sync-stranger", text, ours),))
    if not allowed(ours.state, Move.HAND_OVER):
        text = f"an answer came when the question stood at {ours.state} already"
        return Mismatch(Refuse("sync-late", text), (_noted(inspection, Event.SIGNAL, "sync-late", text, ours),))
    return ours


def settled(inspection: Inspection, delivery: DeliveryRecord, usable: bool) -> Change:
    """The question has its answer, or one that cannot be used: it will not get another."""
    move, code, text = Move.FINISH, "done", "answered"
    if not usable:
        move, code, text = Move.GIVE_UP, "sync-unusable", "answered by what cannot be used"
    event = Event.DONE if usable else Event.DEAD
    told = Notification(
        NotificationType.DELIVERY_STATE, delivery.message_id, delivery.sender, delivery.receiver, inspection.now
    )
    return Change(
        moves=(MoveOrder(delivery.id, move, inspection.now, code, text),),
        notifications=(told,),
        journal=(_noted(inspection, event, code, text, delivery),),
    )


def _noted(inspection: Inspection, event: Event, code: str, text: str, delivery: DeliveryRecord) -> Entry:
    return Entry(inspection.now, event, code, text, delivery.message_id, delivery.id, inspection.arrival.id)
