"""What the kernel needs from outside, in its own words: each verb of a store is one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from hub.events import Entry, Notification
from hub.message import (
    Agreement,
    ApiKey,
    Arrival,
    Channel,
    Claimed,
    Configuration,
    Decision,
    DeliveryRecord,
    MessageRecord,
    NewMessage,
    Outcome,
    Parcel,
    Party,
    RecordSystem,
)
from hub.neighbours import Room
from hub.states import Move

ArrivalState = Literal["accepted", "refused", "quarantined", "undecided"]


@dataclass(frozen=True, slots=True)
class ArrivalFacts:
    """Whose an arrival is and what it is, as far as it could be read; nothing of it need be proven."""

    from_her: str = ""
    to_her: str = ""
    type_code: str = ""  #: of the document; while that could not be read, the action under which it travels
    msg_id: str = ""
    eb_message_id: str = ""
    conversation_id: str = ""
    peer: str = ""  #: network address of who brought what was not taken


@dataclass(frozen=True, slots=True)
class ArrivalRecord:
    """An arrival as it is kept, with what was decided about it and what was answered."""

    arrival: Arrival
    state: ArrivalState
    code: str
    because: str
    answer_status: int = 0
    answer_headers: tuple[tuple[str, str], ...] = ()
    answer: bytes = b""
    next_at: datetime | None = None  #: undecided: when it is judged again
    facts: ArrivalFacts = ArrivalFacts()
    discarded_at: datetime | None = None  #: when a person put it away


@dataclass(frozen=True, slots=True)
class Claim:
    """A right that only one change can ever take: a MessageId, a MsgId at a system, one AppRec per receiver.

    `digest` tells a genuine repetition from another content under the same id (HITS 1172 5.8.2).
    """

    key: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class MoveOrder:
    """One move of one delivery, guarded: the store refuses the whole change if the move is not allowed from where it is."""

    delivery_id: str
    move: Move
    at: datetime
    code: str
    because: str
    next_at: datetime | None = None  #: set as given, None clears it
    handed_over: int | None = None
    apprec_status: str | None = None
    apprec_code: str | None = None
    eb_message_id: str | None = None  #: a new one: the parcel is made anew
    give_up_at: datetime | None = None  #: None keeps it
    expires_at: datetime | None = None  #: None keeps it
    apprec_due_at: datetime | None = None  #: None keeps it
    failures: int | None = None  #: None keeps them
    said: str | None = None  #: the partner's words; None keeps them, empty forgets them
    interval_from: datetime | None = None  #: None keeps it
    lost: int | None = None  #: None keeps it
    cause: str | None = (
        None  #: see DeliveryRecord; None keeps it while the delivery is open, and forgets it when it is not
    )
    channel: Channel | None = None  #: another way, to `address`; None keeps both
    address: str | None = None
    rule: str | None = None  #: that decided so; None keeps it


@dataclass(frozen=True, slots=True)
class Word:
    """What a partner said of a delivery that nothing proved: it is written down beside it, and moves nothing."""

    delivery_id: str
    said: str
    cause: str | None = None  #: code of why it moves nothing; None keeps the one there is


@dataclass(frozen=True, slots=True)
class ReceiptRecord:
    """Evidence: a receipt that came or went, with its bytes."""

    message_id: str
    delivery_id: str
    kind: Literal["acknowledgment", "message_error", "apprec"]
    direction: Literal["in", "out"]
    at: datetime
    proven: bool  #: its signature was verified and the echoed digests are ours
    body: bytes
    code: str = ""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Something that a partner's proven messages have shown of it; the newest counts."""

    her_id: str
    fact: str  #: a name of hub.learnt
    value: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What happened, as one value: applied whole, or not at all."""

    arrival: ArrivalRecord | None = None
    claims: tuple[Claim, ...] = ()
    messages: tuple[NewMessage, ...] = ()
    deliveries: tuple[DeliveryRecord, ...] = ()
    moves: tuple[MoveOrder, ...] = ()
    receipts: tuple[ReceiptRecord, ...] = ()
    notifications: tuple[Notification, ...] = ()
    journal: tuple[Entry, ...] = ()
    words: tuple[Word, ...] = ()
    learnt: tuple[Learnt, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """The change is durable."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim was taken before, by `arrival_id` with `digest`; nothing of the change was kept."""

    key: str
    digest: str
    arrival_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A move is not allowed from `state`; nothing of the change was kept."""

    delivery_id: str
    state: str


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages; empty fields do not matter. Newest first.

    A MsgId or MessageId that is a UUID is compared as one, however it is spelt; so it is in every filter.
    """

    ids: tuple[str, ...] = ()
    msg_id: str = ""
    document_id: str = ""
    eb_message_id: str = ""
    conversation_id: str = ""
    from_her: str = ""
    to_her: str = ""
    type_code: str = ""  #: in any case
    kind: str = ""
    direction: str = ""
    system: str = ""
    since: datetime | None = None
    until: datetime | None = None  #: before it
    limit: int = 100


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; empty fields do not matter. Oldest first, unless the newest are asked for."""

    ids: tuple[str, ...] = ()
    message_id: str = ""
    message_ids: tuple[str, ...] = ()
    eb_message_id: str = ""
    msg_id: str = ""  #: of the message: MsgId, or document id (AppRec 1.0 refers to that one)
    states: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    channel: str = ""
    type_code: str = ""  #: of the message, in any case
    since: datetime | None = None  #: promised then or later
    until: datetime | None = None  #: promised before
    newest: bool = False  #: the newest first
    limit: int = 100


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try: recorded before it was made, completed after."""

    delivery_id: str
    number: int
    started_at: datetime
    ended_at: datetime | None
    reached: str
    code: str
    because: str


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A process that serves this store, and the register that it runs: parties, agreements, routes, keys, certificates."""

    node: str
    revision: str  #: a digest of what was read
    since: datetime  #: when it was read
    seen: datetime  #: when the process last said that it lives
    answered: int = 0  #: the last order to read anew that it has followed, or could not
    changes: tuple[str, ...] = ()  #: what was other than before when it was read
    faults: tuple[str, ...] = ()  #: why it could not take what lies there now; it runs on with what it had


@dataclass(frozen=True, slots=True)
class ArrivalFilter:
    """Which arrivals; empty fields do not matter. Newest first."""

    ids: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    code: str = ""
    from_her: str = ""
    to_her: str = ""
    type_code: str = ""  #: in any case
    discarded: bool | None = None  #: those that a person put away, or those that none did; None: both
    since: datetime | None = None
    until: datetime | None = None  #: before it
    bare: bool = False  #: without their bytes
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Known:
    """Something that the store knows under an id."""

    what: Literal["message", "delivery", "arrival"]
    id: str  #: ours
    name: str  #: which of its ids fits: a column
    value: str  #: that id, as it is kept


@dataclass(frozen=True, slots=True)
class Lane:
    """An address with deliveries that wait to be taken up: enough to say who works on what next."""

    address: str
    priority: int  #: of the most urgent one


@dataclass(frozen=True, slots=True)
class CircuitRecord:
    """An address that is left alone, but for one probe now and then, until it answers."""

    address: str
    failures: int  #: tries in a row that did not reach it
    since: datetime  #: when the circuit opened
    until: datetime  #: when it is probed next
    cause: str  #: code of the last failure


@dataclass(frozen=True, slots=True)
class HookLane:
    """How far a record system has been told over its webhook, and since when it has not been.

    Its lane without a name is of all that is new. What is tried apart from that, lest it holds others up, has the id of its
    message as name; what of all messages was given up has the name `behind` (hub.record_systems.webhooks).
    """

    system: str
    lane: str
    told: int  #: the offset of the last event that it has been told of, or that is told by another lane
    ends: int | None = None  #: the last offset that is its own; None: it goes on
    tries: int = 0  #: in a row and in vain, of the event that is next
    since: datetime | None = None  #: when the first of these was
    next_at: datetime | None = None  #: when the next is
    code: str = ""  #: what the last one met
    because: str = ""
    given_up_at: datetime | None = None  #: it waits for a person


class Store(Protocol):
    """The durable memory. Several nodes may share one: what a verb promises holds across all of them.

    When a verb that writes returns, what it wrote survives the loss of power."""

    async def apply(self, change: Change) -> Applied | Taken | Conflict:
        """Makes a change durable, whole or not at all. Claims are looked at first, then moves."""
        ...

    async def claim(
        self,
        now: datetime,
        limit: int,
        lease: timedelta,
        skip: frozenset[str],
        per_address: int,
        *,
        single: frozenset[str] = frozenset(),
        only: frozenset[str] | None = None,
        by: datetime | None = None,
        room: Room | None = None,
    ) -> list[Claimed]:
        """Takes up at most `limit` due deliveries (state in TRYING, next_at ≤ now), most urgent first, then oldest due.

        Records an attempt for each and sets its next_at to now + lease before returning, so that a crash only delays it.
        Addresses in `skip` are left alone. At most `per_address` of one address are under way at once, one for those in
        `single`, where it goes to another delivery each time: to the one that has been tried least. What any node has
        claimed counts until it is settled or its lease has run out. With `only`, no other addresses than these are
        looked at, however many are due. Leases run by a clock of their own: `by` is now by that clock, which is the same for
        all nodes and does not jump; without it, it is `now`.

        With `room` each that is taken has a place there: whatever waits for those that have none hides nobody. Of those that
        have not answered lately the oldest and the newest take turns.
        """
        ...

    async def lanes(self, now: datetime, limit: int) -> list[Lane]:
        """At most `limit` addresses with deliveries that are due, those with the most urgent first; nothing is changed."""
        ...

    async def extend(self, delivery_ids: Sequence[str], until: datetime) -> None:
        """Lengthens the leases of attempts under way, for as long as their node lives; what was settled is left alone.

        `until` is by the clock of leases; see `claim`.
        """
        ...

    async def pull_back(
        self,
        now: datetime,
        by: datetime,
        lease: timedelta,
        longest: timedelta,
        arrivals: timedelta,
        soon: timedelta | None = None,
    ) -> int:
        """Mends times that another clock has set; how many.

        A due time is no further ahead than `longest` or the delivery's own RetryInterval, stretched (hub.retry.Backoff): else
        it is due after `soon` (`longest` unless told), and no sooner than agreed where it was handed over. That of an
        undecided arrival is no further ahead than `arrivals`; a lease that has run out (`by`, see `claim`) leaves what it
        was on due now, and none lasts longer than `lease`.
        """
        ...

    async def clock(self) -> datetime | None:
        """Now, by the clock that all who share the store share with it; None where one process has it for itself."""
        ...

    async def keep_parcel(self, delivery_id: str, parcel: Parcel, eb_message_id: str) -> Parcel:
        """Keeps the sealed bytes, so that every later attempt sends the same; returns those that are kept: the first."""
        ...

    async def settle(
        self, delivery_id: str, attempt: int, outcome: Outcome, at: datetime, change: Change
    ) -> Applied | Taken | Conflict:
        """Completes an attempt with its outcome and applies what follows from it, in one transaction."""
        ...

    async def undecided(self, now: datetime, limit: int, lease: timedelta) -> list[Arrival]:
        """Arrivals to be judged again; each gets next_at = now + lease. A change with the same arrival id replaces its state."""
        ...

    async def missing_apprecs(self, now: datetime, limit: int) -> list[DeliveryRecord]:
        """Deliveries whose AppRec should have been home by `now`, from states that the move MISS allows."""
        ...

    async def earlier(self, key: str) -> tuple[Taken, ArrivalRecord | None] | None:
        """Who took a claim, and the answer that its arrival got."""
        ...

    async def message(self, message_id: str) -> MessageRecord | None:
        """One message."""
        ...

    async def document(self, message_id: str) -> bytes | None:
        """The document of a message, byte for byte."""
        ...

    async def messages(self, wanted: MessageFilter) -> list[MessageRecord]:
        """Messages that fit, newest first."""
        ...

    async def deliveries(self, wanted: DeliveryFilter) -> list[DeliveryRecord]:
        """Deliveries that fit, oldest first."""
        ...

    async def attempts(self, delivery_id: str) -> list[AttemptRecord]:
        """The tries of a delivery, in order."""
        ...

    async def receipts(self, message_id: str) -> list[ReceiptRecord]:
        """The evidence about a message, in order."""
        ...

    async def journal(self, message_id: str = "", arrival_id: str = "", limit: int = 1000) -> list[Entry]:
        """What was said about a message or an arrival, in order; without either the newest entries."""
        ...

    async def arrivals(self, wanted: ArrivalFilter) -> list[ArrivalRecord]:
        """Arrivals that fit, newest first."""
        ...

    async def count(self, wanted: MessageFilter | DeliveryFilter | ArrivalFilter) -> int:
        """How many fit, whatever the limit."""
        ...

    async def known(self, beginning: str, limit: int) -> list[Known]:
        """At most `limit` of each kind with an id that begins so, by every id that a message, delivery or arrival has.

        `beginning` is written as hub.ids.plain writes it. Arrivals that were taken are found by their messages.
        """
        ...

    async def refusals(self) -> dict[tuple[str, str], int]:
        """How many arrivals that were not taken and not put away there are, by state and code."""
        ...

    async def parcel(self, delivery_id: str) -> Parcel | None:
        """The sealed bytes of a delivery, if it has been sealed."""
        ...

    async def notifications(self, receivers: Sequence[str], offset: int, limit: int) -> list[Notification]:
        """Notifications to any of `receivers` with a greater offset, in order."""
        ...

    async def undeleted(self, receivers: Sequence[str], limit: int) -> list[Notification]:
        """The oldest notifications to any of `receivers` that were not deleted, in order."""
        ...

    async def delete_notifications(self, receivers: Sequence[str], offsets: Sequence[int], at: datetime) -> int:
        """Marks those of `receivers` as deleted; they stay for who reads by offset. How many were not before."""
        ...

    async def claim_proof(self, digest: str, now: datetime, until: datetime) -> bool:
        """Whether a proof is shown for the first time; it is remembered until then, by all who share the store.

        What this writes need not survive the loss of power: it opens no more than the seconds of a proof's life.
        """
        ...

    async def configurations(self, her_ids: Sequence[str]) -> list[Configuration]:
        """Those of these HER-ids; all where none is named."""
        ...

    async def configure(
        self, kept: Sequence[Configuration], removed: Sequence[str], client: str, journal: Sequence[Entry]
    ) -> str:
        """Keeps some, each in place of what there was, and removes others; whole, or not at all.

        The HER-id for which nothing is changed since another client has locked it; empty when it is done.
        """
        ...

    async def newest_offset(self, receivers: Sequence[str]) -> int:
        """The greatest offset that a notification to any of `receivers` has; 0 where there is none."""
        ...

    async def counts(self) -> dict[str, int]:
        """How many deliveries stand in each state, and how many arrivals (key `arrival:<state>`)."""
        ...

    async def lead(self, duty: str, node: str, now: datetime, term: timedelta) -> bool:
        """Whether `node` has this duty until now + term: it is free, was its already, or its holder's term has passed."""
        ...

    async def bookmark(self, name: str) -> int:
        """How far somebody has come who reads in order; 0 at the beginning."""
        ...

    async def keep_bookmark(self, name: str, value: int) -> None:
        """Moves a bookmark forward; a smaller value than the kept one changes nothing."""
        ...

    async def tell_node(self, node: NodeRecord) -> None:
        """What a node says of itself, in place of what it said before; those not heard of for a day are forgotten."""
        ...

    async def forget_node(self, node: str) -> None:
        """It has ended."""
        ...

    async def nodes(self) -> list[NodeRecord]:
        """Every node that has said something of itself, by name."""
        ...

    async def keep_circuits(
        self, kept: Sequence[CircuitRecord], closed: Sequence[str], journal: Sequence[Entry]
    ) -> None:
        """Keeps circuits that are open, each in place of what was known of it, forgets those of `closed`, and journals it."""
        ...

    async def circuits(self) -> list[CircuitRecord]:
        """All that are open, those that opened first in front."""
        ...

    async def keep_hooks(
        self, kept: Sequence[HookLane], dropped: Sequence[tuple[str, str]], journal: Sequence[Entry] = ()
    ) -> None:
        """Forgets lanes of webhooks (system, name), keeps others, each in place of what was known of it, and journals it.

        One that was told less far than what is kept of it changes nothing.
        """
        ...

    async def hooks(self) -> list[HookLane]:
        """Every lane of every webhook, by system and name."""
        ...

    async def learnt(self) -> list[Learnt]:
        """All that is known of partners by what they did: one for each partner and fact."""
        ...

    async def writable(self) -> bool:
        """Whether new messages may be taken: the store answers and its disk has room to spare."""
        ...

    async def proven(self, seconds: float) -> bool:
        """Whether a write has succeeded within so many seconds, or does when it is tried now."""
        ...

    def room(self) -> tuple[int, int] | None:
        """Bytes that are free on its disk, and how many must stay so; None where that cannot be known."""
        ...

    def unwritable(self) -> str:
        """Why not, in words with figures; empty while it is writable."""
        ...


class Directory(Protocol):
    """Who is who, and what is agreed; in memory, replaced whole on change."""

    def party(self, her_id: str) -> Party | None:
        """The party with this HER-id, local or remote."""
        ...

    def parties(self) -> Sequence[Party]:
        """All of them."""
        ...

    def system(self, system_id: str) -> RecordSystem | None:
        """A local record system."""
        ...

    def systems(self) -> Sequence[RecordSystem]:
        """All local record systems."""
        ...

    def by_key(self, sha256: str) -> tuple[RecordSystem, ApiKey] | None:
        """Whose API key has this hex SHA-256, and what is known of the key; whether it still holds the clock says."""
        ...

    def by_certificate(self, sha256: str) -> RecordSystem | None:
        """Whose client certificate has this hex SHA-256."""
        ...

    def by_client(self, client_id: str) -> RecordSystem | None:
        """Who is known by tokens of this client."""
        ...

    def organisation_numbers(self, her_id: str) -> frozenset[str]:
        """Of the organisations that a HER-id of this hub, of level 2 or 1, belongs to; none where no number is known."""
        ...

    def agreement(
        self, *, cpa_id: str, from_her: str, to_her: str, service: str, action: str, role: str, at: datetime
    ) -> Agreement:
        """What is agreed for this direction. `cpa_id` empty: ours to choose (sending).

        What cannot be used comes back with `fault` set, never as None: the reason is part of the answer.
        """
        ...

    def bus_profile(self, *, cpa_id: str, from_her: str, to_her: str, function: str, at: datetime) -> Agreement:
        """What is known of the other party on the message bus, for this direction (nhn-amqp.md §3.4).

        By the CPA that the message names, one between the two, the other's CPP, or its registered certificates: `source`
        says which, and only the first two have a `cpa_id`. `endpoint` is the receiver's registered queue, as
        `amqp:host/EXCHANGE/QUEUE`, or `amqp+sync:…` where the function is a synchronous question. An empty function is one
        that is not known yet: ask `allows` of the answer when it is.
        """
        ...

    def known_as(self, cpa_id: str, kind: str, number: str) -> bool:
        """Whether a CPA has a party with this PartyId: by its value, and by its type where both have one (ebMS 2.0 3.1.1)."""
        ...

    def bus_queue(self, her_id: str, kind: str) -> str:
        """The bare name of a party's queue on the message bus, empty when none is known (nhn-amqp.md §1.3).

        `kind`: async, sync, syncreply or error (hub.formats.queues.QueueKind).
        """
        ...

    def cpa_id(self, from_her: str, to_her: str) -> str:
        """The CPAId we write: that of a valid CPA, else lowest_highest HER-id (HIS 1037 6.2.1)."""
        ...


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What a routing rule may look at."""

    direction: str
    sender: str
    receiver: str
    receiver_local: bool
    receiver_known: bool
    type_code: str
    version: str
    namespace: str
    service: str
    action: str
    size: int
    at: datetime
    kind: str
    system: str = ""
    endpoint: str = ""
    urgent: bool = False


class Router(Protocol):
    """Says where a message goes, and because of what."""

    def decide(self, facts: RouteFacts) -> Decision:
        """One decision for one receiver; always one, if only to refuse."""
        ...


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> datetime:
        """Now, aware, UTC: the clock on the wall, which somebody may set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment: only their differences mean something, and nobody can set them."""
        ...


class Dice(Protocol):
    """Chance, handed in."""

    def uuid(self) -> str:
        """A fresh identifier, lower-case UUID."""
        ...

    def fraction(self) -> float:
        """Uniform in [0, 1)."""
        ...


class Standard(Protocol):
    """A row of the schema catalogue, as far as the kernel asks."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def apprec(self) -> str: ...


class Dispatch(Protocol):
    """Spreads lanes over the nodes that share a store. It only says who works on what next: the store stays the truth."""

    @property
    def connected(self) -> bool:
        """Whether offers get through; while they do not, every node looks into the store by itself."""
        ...

    def offer(self, lanes: Sequence[Lane]) -> None:
        """Puts lanes up for whichever node is free, without waiting; what is lost on the way the sweep offers again."""
        ...

    async def serve(self, work: Callable[[str], Awaitable[None]]) -> None:
        """Gives every lane that is offered to us to `work`, several at once, until cancelled.

        An offer is ours until its work returns; if this node dies before, another node gets it.
        """
        ...


class Sender(Protocol):
    """An adapter that brings a parcel to its address."""

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """One attempt; never raises for what the wire or the other side does."""
        ...
