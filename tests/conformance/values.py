"""Values to put into a store: each right by default and different from the one before, any field as the test asks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.events import Entry, Event, Notification, NotificationType
from hub.message import Arrival, Channel, DeliveryRecord, MessageRecord, NewMessage, Outcome, Parcel, Reached
from hub.ports import (
    Applied,
    ArrivalRecord,
    Change,
    Claim,
    DeliveryFilter,
    MoveOrder,
    ReceiptRecord,
    Store,
)
from hub.states import MOVES, TRYING, Move, State

#: The moment at which tests begin; with microseconds, since stores must keep them.
NOW = datetime(2026, 3, 2, 8, 30, 15, 123456, tzinfo=UTC)
LEASE = timedelta(minutes=2)
HERE, THERE = "http://here.invalid/ebxml", "http://there.invalid/ebxml"
NOBODY = frozenset[str]()

_numbers = itertools.count(1)


def new_id(kind: str) -> str:
    """A fresh id that says what it names."""
    return f"{kind}-{next(_numbers):06}"


def later(seconds: float) -> datetime:
    """So many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def arrival(**given: Any) -> Arrival:
    """An arrival with awkward headers and bytes that are no text."""
    number = next(_numbers)
    plain = Arrival(
        id=f"arrival-{number:06}",
        door="ebxml_http",
        received_at=NOW,
        headers={"Content-Type": 'multipart/related; boundary="ø"', "x-empty": ""},
        body=b"\x00\xff\r\n" + str(number).encode(),
        system="kommune",
        receivers=("8000102", "8000202"),
    )
    return replace(plain, **given)


def arrival_record(state: str = "accepted", **given: Any) -> ArrivalRecord:
    """An arrival with its answer; fields of the arrival itself are given as `arrival=`."""
    plain: dict[str, Any] = {
        "arrival": arrival(),
        "state": state,
        "code": "accepted",
        "because": "proven and valid",
        "answer_status": 200,
        "answer_headers": (("Content-Type", "text/xml"), ("SOAPAction", '"ebXML"')),
        "answer": b"<answer>\x00\xfe</answer>",
    }
    return ArrivalRecord(**(plain | given))


def message(**given: Any) -> MessageRecord:
    """A business message; every text has its own words, so that mixed-up columns are seen."""
    number = next(_numbers)
    plain = MessageRecord(
        id=f"message-{number:06}",
        arrival_id="",
        direction="out",
        kind="business",
        door="rest",
        received_at=NOW,
        from_her="8000202",
        to_her="8000402",
        type_code="HENVISNING",
        standard="Henvisning",
        version="1.1",
        namespace="http://www.kith.no/xmlstds/henvisning/2012-02-15",
        msg_id=f"msgid-{number}",
        document_id=f"document-{number}",
        gen_date=later(-60),
        eb_message_id=f"eb-{number}",
        conversation_id="conversation",
        cpa_id="8000202_8000402",
        service="S-HENVISNING",
        action="Henvisning",
        system="legesenter",
        original_msg_id="",
        original_type="original type",
        size=1234,
        sha256="digest of the document",
        code="accepted",
        because="gyldig, æøå",
    )
    return replace(plain, **given)


def delivery(message_id: str, **given: Any) -> DeliveryRecord:
    """A delivery that waits to be tried at NOW; in another state it has no time, unless one is given."""
    number = next(_numbers)
    state = given.get("state", State.WAITING)
    plain = DeliveryRecord(
        id=f"delivery-{number:06}",
        message_id=message_id,
        sender="8000202",
        receiver="8000402",
        channel=Channel.EBXML_HTTP,
        address=HERE,
        state=str(state),
        created_at=NOW,
        next_at=NOW if state in TRYING else None,
        give_up_at=later(345_600),
        apprec_due_at=later(3600),
        retries=7,
        retry_interval=timedelta(hours=4, microseconds=1),
        expires_at=later(7200),
        eb_message_id=f"out-{number}",
        rule="rule 1",
        code="accepted",
        because="rule 1: HER-id 8000402",
        changed_at=NOW,
    )
    return replace(plain, **given)


def entry(message_id: str = "", event: Event = Event.ROUTED, **given: Any) -> Entry:
    """A line of the journal."""
    return replace(Entry(NOW, event, "accepted", "said for a test", message_id), **given)


def receipt(message_id: str, delivery_id: str, **given: Any) -> ReceiptRecord:
    """An Acknowledgment that came in."""
    plain = ReceiptRecord(
        message_id, delivery_id, "acknowledgment", "in", NOW, True, b"<Ack>\x00</Ack>", "acknowledged"
    )
    return replace(plain, **given)


def notification(receiver: str, message_id: str = "message", **given: Any) -> Notification:
    """A word to the record system of `receiver`."""
    plain = Notification(NotificationType.NEW_MESSAGE, message_id, receiver, "8000402", NOW, "a description")
    return replace(plain, **given)


def parcel(body: bytes = b"sealed \x00\xff", **given: Any) -> Parcel:
    """Sealed bytes with headers and digests."""
    plain = Parcel(
        {"Content-Type": "multipart/related", "SOAPAction": '"ebXML"'}, body, (("", "aGVp"), ("cid:1", "aA=="))
    )
    return replace(plain, **given)


def outcome(code: str = "acknowledged", **given: Any) -> Outcome:
    """What the wire said."""
    return replace(Outcome(Reached.YES, code, "said by the wire"), **given)


def move(delivery_id: str, what: Move | str, **given: Any) -> MoveOrder:
    """A move, with a next time only where the state it ends in is tried."""
    what = Move(what)
    next_at = later(30) if MOVES[what][1] in TRYING else None
    return replace(MoveOrder(delivery_id, what, later(1), f"code {what}", f"because {what}", next_at=next_at), **given)


def accepted(
    document: bytes = b"<document/>",
    *,
    claims: tuple[Claim, ...] = (),
    record: MessageRecord | None = None,
    deliveries: tuple[DeliveryRecord, ...] | None = None,
    **given: Any,
) -> Change:
    """What accepting one message changes: message, one delivery unless others are given, and the journal's line."""
    found = record or message()
    promised = (delivery(found.id, **given),) if deliveries is None else deliveries
    return Change(
        claims=claims,
        messages=(NewMessage(found, document),),
        deliveries=promised,
        journal=(entry(found.id, arrival_id=found.arrival_id),),
    )


async def promised(store: Store, **given: Any) -> DeliveryRecord:
    """A delivery, kept in the store; fields as given."""
    change = accepted(**given)
    assert await store.apply(change) == Applied()
    return change.deliveries[0]


async def standing(store: Store, delivery_id: str) -> DeliveryRecord:
    """The delivery as it stands in the store."""
    (found,) = await store.deliveries(DeliveryFilter(ids=(delivery_id,)))
    return found


async def taken(store: Store, at: datetime = NOW, **given: Any) -> list[str]:
    """Ids of the deliveries that a claim takes up at `at`."""
    wanted: dict[str, Any] = {"limit": 100, "lease": LEASE, "skip": NOBODY, "per_address": 100}
    return [one.delivery.id for one in await store.claim(at, **(wanted | given))]
