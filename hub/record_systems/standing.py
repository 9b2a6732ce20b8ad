"""What became of a message, receiver by receiver: from the deliveries, and from the receipts that are kept as evidence."""

from __future__ import annotations

from collections.abc import Sequence

from hub.formats import apprec as apprecs
from hub.formats import xml
from hub.kit import Kit
from hub.message import DeliveryRecord, MessageRecord
from hub.ports import MessageFilter, ReceiptRecord
from hub.record_systems.values import AppRecInfo, AppRecStatus, Fault, Standing, TransportState
from hub.states import State
from hub.unfetched import NOT_FETCHED

#: Of list 8258.
_STATUS = {"1": AppRecStatus.OK, "2": AppRecStatus.REJECTED, "3": AppRecStatus.PARTLY}
#: Where a delivery stands → how far the transport came (EDI 2.0 A8.2). What waits in a mailbox here is available to its
#: receiver: acknowledged.
_TRANSPORT = {
    State.WAITING: TransportState.UNCONFIRMED,
    State.SENT: TransportState.UNCONFIRMED,
    State.HELD: TransportState.UNCONFIRMED,
    State.DEAD: TransportState.ABANDONED,
    State.EXPIRED: TransportState.ABANDONED,
    State.DISCARDED: TransportState.ABANDONED,
}
#: States that nothing reaches before it has left the house.
_LEFT = frozenset({State.SENT, State.AVAILABLE, State.ACKNOWLEDGED, State.DONE, State.REJECTED})


async def of(message: MessageRecord, deliveries: Sequence[DeliveryRecord], kit: Kit) -> tuple[Standing, ...]:
    """One for each delivery, in their order."""
    receipts = [one for one in await kit.store.receipts(message.id) if one.kind == "apprec"]
    return tuple([await _of(one, [r for r in receipts if r.delivery_id == one.id], kit) for one in deliveries])


async def _of(delivery: DeliveryRecord, receipts: list[ReceiptRecord], kit: Kit) -> Standing:
    return Standing(
        delivery.receiver,
        transport(delivery),
        await _sent(delivery, kit),
        await _apprec(delivery, receipts, kit),
        delivery.state,
        delivery.code,
        delivery.because,
        delivery.changed_at,
    )


def transport(delivery: DeliveryRecord) -> TransportState:
    """See _TRANSPORT; a MessageError refuses at transport level, an AppRec does not."""
    if delivery.state == State.REJECTED and not delivery.apprec_status:
        return TransportState.REJECTED
    if delivery.state == State.OVERDUE and delivery.code == "receipts-missing":
        return TransportState.UNCONFIRMED
    return _TRANSPORT.get(State(delivery.state), TransportState.ACKNOWLEDGED)


async def _sent(delivery: DeliveryRecord, kit: Kit) -> bool:
    """Whether it was handed over whole, if only once: of what ended without a receipt the attempts tell."""
    if delivery.handed_over > 0 or State(delivery.state) in _LEFT:
        return True
    if delivery.state == State.OVERDUE and delivery.code != "receipts-missing":
        return True
    if delivery.code == NOT_FETCHED:
        return True  # it lay ready for its receiver
    if delivery.attempts == 0:
        return False
    return any(one.reached == "yes" for one in await kit.store.attempts(delivery.id))


async def _apprec(delivery: DeliveryRecord, receipts: list[ReceiptRecord], kit: Kit) -> AppRecInfo | None:
    """As the receiver wrote it; of one whose bytes are not kept, what stands at the delivery."""
    if delivery.apprec_status not in _STATUS:
        return None
    status = _STATUS[delivery.apprec_status]
    found = _read(receipts[-1].body, kit) if receipts else None
    if found is None:
        return AppRecInfo(status, (Fault(delivery.apprec_code),) if delivery.apprec_code else ())
    faults = tuple(Fault(e.code, e.system, e.text, e.other_text) for e in found.errors)
    wanted = MessageFilter(msg_id=found.id, from_her=delivery.receiver, kind="apprec", limit=1)
    own = await kit.store.messages(wanted) if found.id else []
    return AppRecInfo(status, faults, own[0].id if own else "")


def _read(body: bytes, kit: Kit) -> apprecs.AppRec | None:
    root = xml.parse(body, xml.Bounds.for_document(kit.settings.max_message_bytes))
    return None if isinstance(root, xml.XmlFault) else apprecs.read(root)
