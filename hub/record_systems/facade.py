"""The verbs of record systems, for a caller with its HER-ids: the only thing behind REST, SOAP, folder and queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Protocol

from hub import ids, mailbox, removed, submission, taking, wishes
from hub.codes import reason
from hub.errors import NotAllowed, NotFound, StoreUnavailable
from hub.events import Entry, Event, Notification, offset_of
from hub.kit import Kit
from hub.message import (
    NOTHING_WISHED,
    Answer,
    Arrival,
    Channel,
    Configuration,
    DeliveryRecord,
    MessageRecord,
    Transport,
)
from hub.ports import ArrivalFilter, Change, DeliveryFilter, MessageFilter
from hub.record_systems import answering, configuring, standing
from hub.record_systems.callers import Callers
from hub.record_systems.values import (
    Answered,
    AppRecStatus,
    Caller,
    Confirmed,
    Decided,
    Events,
    Fault,
    Happened,
    Info,
    Listing,
    Order,
    Refused,
    Said,
    Status,
    refused,
)
from hub.states import State

#: So many HER-ids can be asked about at once, and so many things are told at once (EDI 2.0 A6.4).
MOST_HER_IDS, MOST = 1500, 1000
#: The largest offset there can be.
LARGEST = 2**63 - 1
#: Receivers of one message that are looked at.
MOST_RECEIVERS = 1000


class HandOver(Protocol):
    """Weighs a document that a record system handed over; answers whatever happens (hub.submission.submit, guarded)."""

    def __call__(self, arrival: Arrival, /) -> Awaitable[Answer]: ...


class TurnAway(Protocol):
    """Keeps what cannot be weighed, with the reason (hub.submission.turn_away, guarded)."""

    def __call__(self, arrival: Arrival, code: str, because: str, /) -> Awaitable[Answer]: ...


class RecordSystems(Callers):
    """One for the whole hub. Every verb but `submit` raises Refused; all raise StoreUnavailable while nothing can be read."""

    def __init__(
        self,
        kit: Kit,
        hand_over: HandOver,
        turn_away: TurnAway,
        full: Callable[[], Awaitable[Answer | None]],
        wake: Callable[[], None],
    ) -> None:
        """`full` answers while nothing new may be taken; `wake` is called when something new may have to go out."""
        super().__init__(kit)
        self._hand_over, self._turn_away, self._full, self._wake = hand_over, turn_away, full, wake

    def of_level_2(self, her_id: str) -> bool:
        """Whether it is the HER-id of a communication party that sends and receives, and not of an organisation above it."""
        return self._kit.directory.party(her_id) is not None

    # --- what holds for its HER-ids

    async def configure(self, caller: Caller, wanted: Sequence[Configuration]) -> None:
        """Says what holds for some of its HER-ids, in place of what was said before; all or nothing (EDI 2.0 A11)."""
        kept = configuring.checked(caller, wanted)
        await self._said(caller, kept, ())

    async def unconfigure(self, caller: Caller, her_ids: Sequence[str]) -> None:
        """Nothing holds for these any more, and no lock; of those of which nothing was said that is so already."""
        await self._said(caller, (), tuple(dict.fromkeys(her_ids)))

    async def _said(self, caller: Caller, kept: tuple[Configuration, ...], removed: tuple[str, ...]) -> None:
        hers = [*(one.her_id for one in kept), *removed]
        if not 1 <= len(hers) <= MOST_HER_IDS:
            raise refused("request", f"1 to {MOST_HER_IDS} HER-ids")
        await self._owns(replace(caller, configured=False), *hers)
        journal = configuring.told(caller, kept, removed, self._kit)
        locked = await self._kit.store.configure(kept, removed, configuring.holder(caller), journal)
        self._kit.filters.forget()
        if locked:
            raise refused("locked", f"HER-id {locked}")

    async def configurations(self, caller: Caller, her_ids: Sequence[str]) -> tuple[Configuration, ...]:
        """What was said of these, of which something was."""
        await self._owns(replace(caller, configured=False), *her_ids)
        return tuple(await self._kit.store.configurations(her_ids)) if her_ids else ()

    # --- out

    async def busy(self) -> Said | None:
        """Why nothing new may be taken now: asked before a document is read; None while all is well."""
        answer = await self._full()
        return _said(answer) if answer is not None else None

    async def submit(self, caller: Caller, order: Order) -> Said:
        """Takes a document to its receivers. What is decided is said, also when it is no: nothing is raised.

        The same document again gets the same message id, says that it is a duplicate and goes out once.
        """
        if (busy := await self.busy()) is not None:
            return busy
        try:
            return await self._submitted(caller, order)
        except StoreUnavailable as error:
            return unavailable(error)

    async def _submitted(self, caller: Caller, order: Order) -> Said:
        known = await self._configured()
        if order.sender and (said := _no(caller, order.sender, known)) is not None:
            return await self.unreadable(caller, said)
        if (said := _unwritable(order.transport) or _barred_wish(caller, order.transport, known)) is not None:
            return await self.unreadable(caller, said)
        answer = await self._hand_over(self._arrival(caller, order, configuring.free(caller, known)))
        if answer.status >= 300:
            return _said(answer)
        record = await self._kit.store.message(answer.message_id)
        return replace(_said(answer), business_document_id=record.msg_id if record is not None else "")

    async def turn_away(self, caller: Caller, order: Order, code: str, because: str) -> Said:
        """Keeps a document that its door cannot hand over as an order, with the reason, and says so."""
        return _said(await self._turn_away(self._arrival(caller, order), code, because))

    async def unreadable(self, caller: Caller, said: Said) -> Said:
        """Journals an order that is not weighed: it leaves no message to look at, but who gave it is known.

        The answer is the same where it cannot be journaled.
        """
        entry = Entry(self._kit.clock.now(), Event.REFUSED, said.code, said.because, actor=caller.id)
        with suppress(StoreUnavailable):
            await self._kit.store.apply(Change(journal=(entry,)))
        return said

    def _arrival(self, caller: Caller, order: Order, free: frozenset[str] | None = None) -> Arrival:
        """`free`: HER-ids that it may speak for now; None where nothing is sent for any."""
        told = {
            submission.SENDER: order.sender,
            submission.MESSAGE_TYPE: order.message_type,
            submission.TRANSPORT: wishes.written(wishes.tokens(order.transport)),
        }
        facts = {**order.facts, **{fact: value for fact, value in told.items() if value}}
        if free is not None and free != caller.system.her_ids:
            facts[submission.MAY] = " ".join(sorted(free))
        at = order.received_at or self._kit.clock.now()
        own = order.arrival_id or self._kit.dice.uuid()
        return Arrival(own, order.door, at, facts, order.document, caller.id, order.receivers)

    async def status(self, caller: Caller, message_id: str) -> Status:
        """What became of a message at each receiver, with all that their AppRecs say."""
        record, deliveries = await self._concerned(caller, message_id)
        return Status(record.id, await standing.of(record, deliveries, self._kit))

    async def handed_over_as(self, caller: Caller, message_id: str) -> Mapping[str, str]:
        """What the caller's own door knew of a message when it was first handed over there; nothing of another's."""
        record, _ = await self._concerned(caller, message_id)
        return await self._facts(record) if record.system == caller.id else {}

    # --- in

    async def message(self, caller: Caller, message_id: str) -> Info:
        """What is known about a message that was sent by or to the caller."""
        record, deliveries = await self._concerned(caller, message_id)
        return Info(record, tuple(d.receiver for d in deliveries))

    async def document(self, caller: Caller, message_id: str) -> bytes:
        """Its document, byte for byte; of what was turned away by a filter there is none to fetch (EDI 2.0 A10.4)."""
        record, deliveries = await self._concerned(caller, message_id)
        if record.code == taking.FILTERED:
            raise refused("not-found", f"message {record.id} was turned away, its document cannot be fetched")
        content = await self._kit.store.document(record.id)
        if content is None:
            raise refused("not-found", removed.why(record.id, deliveries))
        return content

    async def unread(
        self,
        caller: Caller,
        her_ids: Sequence[str],
        most: int,
        *,
        sender: str = "",
        business_document_id: str = "",
        descending: bool = False,
    ) -> Listing:
        """Messages that lie ready for these HER-ids and are not confirmed, the oldest first.

        Of one sender, and with one MsgId, where these are given. With `descending` the newest first by the document's date
        (EDI 2.0 A5 row 1), of the thousand that came last.
        """
        await self._asks_for(caller, her_ids, most)
        wanted = DeliveryFilter(
            states=(State.AVAILABLE,),
            receivers=tuple(her_ids),
            senders=(sender,) if sender else (),
            msg_id=business_document_id,
            newest=descending,
            limit=MOST_RECEIVERS if descending else most + 1,
        )
        found = await self._kit.store.deliveries(wanted)
        order = tuple(dict.fromkeys(d.message_id for d in (found if descending else found[:most])))
        if descending and order:
            records = await self._kit.store.messages(MessageFilter(ids=order, limit=len(order)))
            records.sort(key=lambda one: one.gen_date or one.received_at, reverse=True)
            order = tuple(one.id for one in records)
        infos = await self._infos(order[:most])
        return Listing(tuple(infos[own] for own in order[:most] if own in infos), len(found) > most)

    async def _infos(self, message_ids: tuple[str, ...]) -> dict[str, Info]:
        if not message_ids:
            return {}
        records = await self._kit.store.messages(MessageFilter(ids=message_ids, limit=len(message_ids)))
        wanted = DeliveryFilter(message_ids=message_ids, limit=MOST_RECEIVERS)
        receivers: dict[str, list[str]] = {}
        for one in await self._kit.store.deliveries(wanted):
            receivers.setdefault(one.message_id, []).append(one.receiver)
        return {r.id: Info(r, tuple(receivers.get(r.id, (r.to_her,)))) for r in records}

    async def confirm(self, caller: Caller, her_id: str, message_ids: Sequence[str]) -> Confirmed:
        """The record system has these safely: they are listed no more. One that cannot be confirmed fails no other."""
        await self._owns(caller, her_id)
        if not 1 <= len(message_ids) <= MOST:
            raise refused("request", f"1 to {MOST} messages can be confirmed at once")
        failed: list[tuple[str, Said]] = []
        for written in message_ids:
            try:
                await self.fetched(caller, her_id, written)
            except Refused as error:
                failed.append((written, error.said))
        return Confirmed(len(message_ids) - len(failed), tuple(failed))

    async def fetched(self, caller: Caller, her_id: str, message_id: str) -> None:
        """The record system has this one safely; said twice, it counts once (EDI 2.0 A9.2)."""
        await self._owns(caller, her_id)
        with _refusing(message_id):
            await mailbox.fetched(_own(message_id), her_id, caller.system, self._kit.present())
        self._wake()

    async def answer(
        self,
        caller: Caller,
        her_id: str,
        message_id: str,
        status: AppRecStatus,
        faults: Iterable[Fault] = (),
        transport: Transport = NOTHING_WISHED,
    ) -> Answered:
        """The caller's AppRec about a message it received, made and sent by the hub as is wished (EDI 2.0 A9.6)."""
        await self._owns(caller, her_id)
        errors = answering.errors(status, tuple(faults))
        if (said := _unwritable(transport) or _barred_wish(caller, transport, await self._configured())) is not None:
            raise Refused(said)
        record, _ = await self._concerned(caller, message_id)
        wished = wishes.tokens(transport)
        try:
            with _refusing(message_id):
                made = await mailbox.answer(record.id, her_id, errors, caller.system, self._kit.present(), wished)
        except Refused as error:
            if error.said.code != "apprec-twice":
                raise
            text = answering.twice(record, her_id, caller.system)
            raise refused("apprec-twice", text, message_id=record.id) from None
        self._wake()
        own = await self._kit.store.message(made)
        return Answered(made, own.msg_id if own is not None else "")

    # --- what has happened

    async def events(self, caller: Caller, her_ids: Sequence[str], after: int, most: int) -> Events:
        """What has happened after an offset, the oldest first."""
        await self._asks_for(caller, her_ids, most)
        if not 0 <= after <= LARGEST:
            raise refused("request", "an offset is a number from 0")
        found = await self._kit.store.notifications(list(her_ids), after, most + 1)
        return Events(tuple(found[:most]), len(found) > most)

    async def undeleted(self, caller: Caller, her_ids: Sequence[str], most: int) -> Events:
        """What has happened and was not deleted, the oldest first, for who keeps no offset (EDI 2.0 A6.2)."""
        await self._asks_for(caller, her_ids, most)
        found = await self._kit.store.undeleted(list(her_ids), most + 1)
        return Events(tuple(found[:most]), len(found) > most)

    async def delete(self, caller: Caller, notification_ids: Sequence[str]) -> None:
        """These were dealt with; who reads by offset still gets them. Those of others, or deleted before, are passed over."""
        if not 1 <= len(notification_ids) <= MOST or len(set(notification_ids)) < len(notification_ids):
            raise refused("request", f"1 to {MOST} notifications can be deleted at once, each named once")
        offsets = [offset for one in notification_ids if (offset := offset_of(one))]
        hers = sorted(configuring.free(caller, await self._configured()))
        if offsets and hers:
            await self._kit.store.delete_notifications(hers, offsets, self._kit.clock.now())

    async def happened(self, event: Notification) -> Happened:
        """An event with the message that it is about, and where that stands now at whom it is about."""
        record = await self._kit.store.message(event.message_id)
        if record is None:
            return Happened(event, None, None, None)
        other = event.triggered_by if event.triggered_by and event.receiver == record.from_her else event.receiver
        wanted = DeliveryFilter(message_id=event.message_id, receivers=(other,), limit=1)
        found = await self._kit.store.deliveries(wanted)
        stands = await standing.of(record, found, self._kit)
        facts = await self._facts(record)
        return Happened(event, record, found[0] if found else None, stands[0] if stands else None, facts)

    async def answered(self, apprec: MessageRecord) -> Mapping[str, str]:
        """What the folder door knew of the document that an AppRec answers, when that was handed over there."""
        if apprec.kind != "apprec" or not apprec.original_msg_id:
            return {}
        wanted = MessageFilter(msg_id=apprec.original_msg_id, from_her=apprec.to_her, limit=1)
        found = await self._kit.store.messages(wanted)
        if not found or found[0].door != Channel.FOLDER:
            return {}
        return await self._facts(found[0])

    async def _facts(self, record: MessageRecord) -> Mapping[str, str]:
        kept = await self._kit.store.arrivals(ArrivalFilter(ids=(record.arrival_id,), bare=True, limit=1))
        return kept[0].arrival.headers if kept and record.system else {}

    # --- who may what

    async def _asks_for(self, caller: Caller, her_ids: Sequence[str], most: int) -> None:
        if not 1 <= len(her_ids) <= MOST_HER_IDS or not 1 <= most <= MOST:
            raise refused("request", f"1 to {MOST_HER_IDS} HER-ids, and 1 to {MOST} at a time")
        await self._owns(caller, *her_ids)

    async def _owns(self, caller: Caller, *her_ids: str) -> None:
        known = await self._configured()
        for her_id in her_ids:
            if (said := _no(caller, her_id, known)) is not None:
                raise Refused(said)

    async def _configured(self) -> Mapping[str, Configuration]:
        return await self._kit.filters.now(self._kit.store)

    async def _concerned(self, caller: Caller, message_id: str) -> tuple[MessageRecord, list[DeliveryRecord]]:
        """The message, if the caller serves its sender or one of its receivers (EDI 2.0 A12: 1201)."""
        own = _own(message_id)
        record = await self._kit.store.message(own)
        if record is None:
            raise refused("not-found", f"message {own[:60]} is not known here")
        deliveries = await self._kit.store.deliveries(DeliveryFilter(message_id=own, limit=MOST_RECEIVERS))
        concerned = {record.from_her, record.to_her, *(d.receiver for d in deliveries)}
        if not concerned & caller.her_ids:
            raise refused("not-concerned", "the record system serves neither its sender nor a receiver of it")
        if (said := configuring.hers(caller, concerned & caller.her_ids, await self._configured())) is not None:
            raise Refused(said)
        return record, deliveries


@contextmanager
def _refusing(message_id: str) -> Iterator[None]:
    """What the kernel does not find or allow is said as a refusal."""
    try:
        yield
    except NotFound as error:
        raise refused("not-found", str(error), message_id=message_id) from None
    except NotAllowed as error:
        raise refused(error.code, str(error), message_id=message_id) from None


def _no(caller: Caller, her_id: str, known: Mapping[str, Configuration]) -> Said | None:
    """Why the caller may not speak for a HER-id now."""
    if her_id not in caller.her_ids:
        return Said("refused", "not-your-party", f"HER-id {her_id} is not served by {caller.id}")
    return configuring.barred(caller, her_id, known)


def _barred_wish(caller: Caller, wished: Transport, known: Mapping[str, Configuration]) -> Said | None:
    """Why it may not send as the HER-id that it wishes in the envelope; hub.wishes sees whether that is a party of its."""
    if wished.sender and (caller.limited is not None or wished.sender in caller.her_ids):
        return _no(caller, wished.sender, known)
    return None


def unavailable(error: StoreUnavailable) -> Said:
    """What is said while nothing can be kept or read: not now."""
    return Said("later", "store-unavailable", str(error))


def _unwritable(wished: Transport) -> Said | None:
    """Why wishes cannot be written into an envelope; None where they can."""
    members = tuple(wishes.faults(wished))
    if not members:
        return None
    return Said("refused", "request", "; ".join(f"{member} {what}" for member, what in members), members=members)


def _said(answer: Answer) -> Said:
    decided: Decided = "taken" if answer.status < 300 else "refused"
    if reason(answer.code).blame == "us" and answer.status >= 500:
        decided = "later" if answer.status == 503 else "ours"
    return Said(
        decided,
        answer.code,
        answer.because,
        answer.message_id,
        norwegian=answer.norwegian,
        places=answer.places,
    )


def _own(message_id: str) -> str:
    """Our id that is asked for: a UUID, however it is spelt."""
    return ids.hyphenated(ids.plain(message_id)) if ids.is_uuid(message_id) else message_id
