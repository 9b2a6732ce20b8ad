"""What a record system does with the messages that lie ready for it: fetches them, and answers them by AppRec."""

from __future__ import annotations

from hub import notices, promises, removed, signals
from hub.errors import NotAllowed, NotFound
from hub.events import Entry, Event
from hub.formats import document as documents
from hub.formats import xml
from hub.formats.apprec import AppRecError
from hub.formats.document import Document
from hub.kit import Kit
from hub.message import NOTHING_WISHED, DeliveryRecord, MessageRecord, RecordSystem, Transport
from hub.ports import Change, Conflict, DeliveryFilter, MoveOrder, Taken
from hub.states import allowed


async def delivery_for(message_id: str, her_id: str, kit: Kit) -> tuple[MessageRecord, DeliveryRecord]:
    """The message and its delivery to `her_id`. Raises NotFound, or NotAllowed when it was not a receiver."""
    message = await kit.store.message(message_id)
    if message is None:
        raise NotFound(f"message {message_id} is not known here")
    found = await kit.store.deliveries(DeliveryFilter(message_id=message_id, receivers=(her_id,)))
    if not found:
        raise NotAllowed("not-a-receiver", f"HER-id {her_id} was not a receiver of message {message_id}")
    return message, found[0]


async def fetched(message_id: str, her_id: str, system: RecordSystem, kit: Kit) -> None:
    """The record system has the document and will keep it (EDI 2.0 A9.2); said twice, it counts once.

    Where the hub answers for this record system, its positive AppRec is made and promised in the same transaction.
    """
    message, delivery = await delivery_for(message_id, her_id, kit)
    move = signals.acknowledged_by(delivery)
    if not allowed(delivery.state, move):
        return
    now = kit.clock.now()
    order = MoveOrder(delivery.id, move, now, "fetched", f"fetched by {system.id}")
    entry = Entry(now, Event.FETCHED, "fetched", f"fetched by {system.id}", message.id, delivery.id, actor=system.id)
    change = Change(moves=(order,), journal=(entry,), notifications=notices.of_move(delivery, order, kit))
    if system.apprec == "hub" and message.kind == "business":
        with_apprec = promises.joined(change, await _own_apprec(message, delivery, (), kit))
        if not isinstance(await kit.store.apply(with_apprec), Taken):
            return
    await kit.store.apply(change)  # answered before: fetched it is all the same


async def answer(
    message_id: str,
    her_id: str,
    errors: tuple[AppRecError, ...],
    system: RecordSystem,
    kit: Kit,
    wished: Transport = NOTHING_WISHED,
) -> str:
    """The record system's AppRec for a message it received: positive without errors, else Avvist. Returns its id.

    It travels as is `wished` (EDI 2.0 A9.6).

    Raises NotAllowed: AppRec on an AppRec (EDI 2.0 1100), not a receiver (1102), or answered already (HITS 1168 5.1).
    """
    message, delivery = await delivery_for(message_id, her_id, kit)
    if message.kind == "apprec":
        raise NotAllowed("apprec-on-apprec", "an AppRec is never answered by an AppRec")
    change = await _own_apprec(message, delivery, errors, kit, wished)
    if not change.messages:
        raise NotAllowed("apprec-on-apprec", f"{message.type_code} is not answered by AppRec")
    text = f"answered by {system.id}"
    entry = Entry(kit.clock.now(), Event.APPREC_SENT, "done", text, message.id, delivery.id, actor=system.id)
    done = await kit.store.apply(promises.joined(change, Change(journal=(entry,))))
    if isinstance(done, Taken | Conflict):
        raise NotAllowed("apprec-twice", f"HER-id {her_id} has answered message {message_id} already")
    return change.messages[0].record.id


async def handed_to_system(message: MessageRecord, delivery: DeliveryRecord, kit: Kit) -> Change:
    """What follows when a document lies in a record system's folder or queue: its positive AppRec, where we answer for it."""
    party = kit.directory.party(delivery.receiver)
    system = kit.directory.system(party.system or "") if party else None
    if message.kind != "business" or system is None or system.apprec != "hub":
        return Change()
    return await _own_apprec(message, delivery, (), kit)


async def _own_apprec(
    message: MessageRecord,
    delivery: DeliveryRecord,
    errors: tuple[AppRecError, ...],
    kit: Kit,
    wished: Transport = NOTHING_WISHED,
) -> Change:
    """The AppRec made, and our own delivery settled by it: both sides of the house tell the same.

    A document that came in once for several receivers of one record system is answered once for each of them
    (HITS 1168 5.4).
    """
    document = await _document(message, kit)
    now = kit.clock.now()
    made = [
        promises.apprec(message, document, her_id, errors, kit, now, wished)
        for her_id in promises.answerers(message, delivery.receiver, document, kit)
    ]
    parts = [one for one in made if one is not None]
    if not parts:
        return Change()
    own = next(one for part in parts for one in part.messages)  # that of `delivery.receiver`, which answers first
    return promises.joined(*parts, promises.settled(delivery, errors, own.document, now))


async def _document(message: MessageRecord, kit: Kit) -> Document:
    raw = await kit.store.document(message.id)
    if raw is None:
        told = removed.why(message.id, await kit.store.deliveries(DeliveryFilter(message_id=message.id)))
        raise NotFound(f"{told}; send the AppRec as a document of your own")
    root = xml.parse(raw, xml.Bounds.for_document(kit.settings.max_message_bytes))
    if isinstance(root, xml.XmlFault):
        raise NotFound(f"the document of message {message.id} is not here any more")
    return documents.read(root)
