"""What there is: the values that travel through the house, from an Arrival at a door to an Outcome on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

#: How a message reached us or leaves us. `local` stays inside the house: both ends are served by this hub.
Direction = Literal["in", "out", "local"]
#: What a message is to the people who follow it: a business document or the AppRec that answers one.
Kind = Literal["business", "apprec", "signal"]


#: Whether our Acknowledgments repeat the MessageId in MessageData, where HITS 1172 109 forbids it and others look for it.
Refers = Literal["auto", "always", "never"]
#: Bytes that are kept of what is too large.
BEGINNING = 65_536


class Channel(StrEnum):
    """Which adapter brings a delivery to its end."""

    EBXML_HTTP = "ebxml_http"  #: sealed, POSTed to the partner's message handler
    EBXML_SMTP = "ebxml_smtp"  #: sealed, mailed to the partner's message handler; receipts come back as mail
    AMQP = "amqp"  #: sealed, given to the national message bus for a queue of the partner; no transport receipt comes
    AMQP_SYNC = "amqp_sync"  #: the same as a question, whose answer comes at once or never
    FOLDER = "folder"  #: written into the inbox folder of a local record system
    QUEUE = "queue"  #: published to the queue of a local record system
    MAILBOX = "mailbox"  #: waits in the house until the local record system fetches it (REST)


#: Channels to another message handler: what goes there is sealed and acknowledged.
SEALED = frozenset({Channel.EBXML_HTTP, Channel.EBXML_SMTP, Channel.AMQP, Channel.AMQP_SYNC})
#: Those over the national message bus, where the broker's word is all the receipt there is (nhn-amqp.md §4.3).
BUS = frozenset({Channel.AMQP, Channel.AMQP_SYNC})
#: Scheme of an address → channel; all others are HTTP's.
SCHEMES = {"mailto": Channel.EBXML_SMTP, "amqp": Channel.AMQP, "amqps": Channel.AMQP, "amqp+sync": Channel.AMQP_SYNC}
#: Doors of the bus, one for each kind of queue.
BUS_DOOR = "amqp_"


def channel_to(endpoint: str) -> Channel:
    """The channel to a partner's message handler, by the scheme of its address."""
    return SCHEMES.get(endpoint.partition(":")[0].lower(), Channel.EBXML_HTTP)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Came in, unjudged: the bytes exactly as received and the facts that only the door knows."""

    id: str
    door: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes
    system: str | None = None  #: the record system that handed it over; None for a partner's message
    receivers: tuple[str, ...] = ()  #: HER-ids the record system asked for; empty: as the document says
    size: int = 0  #: of the whole, where the door took only its beginning because it is too large; else 0
    peer: str = ""  #: network address of who brought it, where the door knows it; kept with what is not taken
    trouble: tuple[str, str] | None = None  #: code and words, where the door knows that these are not the bytes meant

    def beginning(self) -> Arrival:
        """Enough of it to see whose it was; for what is larger than is taken, so that nobody can fill the disk."""
        return replace(self, body=self.body[:BEGINNING])


#: What people are spoken to in: English, or Norwegian bokmål.
Language = Literal["en", "nb"]


@dataclass(frozen=True, slots=True)
class Place:
    """One mistake of a document: where it is, which rule it breaks, what is wrong and what to do, in both languages.

    `line` and `column` count from 1; 0 where there is none to name. The words name elements, rules and codes, never content.
    """

    line: int
    column: int
    element: str
    rule: str
    severity: Literal["error", "warning"]
    english: tuple[str, str]  #: what is wrong, and what to do
    norwegian: tuple[str, str]

    def words(self, language: Language) -> tuple[str, str]:
        """What is wrong, and what to do."""
        return self.norwegian if language == "nb" else self.english


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a record system wants to be told what happened, and the secrets that what it is told is signed with."""

    url: str
    secrets: tuple[bytes, ...] = field(repr=False)  #: in roll-over several; each signs, the first one first


@dataclass(frozen=True, slots=True)
class RecordSystem:
    """A local record system (EPJ): which HER-ids it serves and how it is reached."""

    id: str
    her_ids: frozenset[str]
    channel: Channel
    address: str = ""  #: for the folder door its folder, for the queue door the queue that it consumes
    apprec: Literal["hub", "system"] = "hub"  #: who answers a document that was handed over: we at once, or they
    key_sha256: str = ""  #: hex SHA-256 of its API key; the key itself is never kept
    outbox: str = ""  #: for the queue door the queue that it publishes to
    certificates: frozenset[str] = frozenset()  #: hex SHA-256 of the certificates by which it may be known instead
    language: Language = "en"  #: what it is told in, where it does not ask for another
    clients: frozenset[str] = frozenset()  #: client_id of the tokens by which it may be known instead
    webhook: Webhook | None = None  #: where it is told what happened, beside what it polls; None: nowhere


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key of a record system, as it is kept: by its digest, never itself."""

    sha256: str  #: hex SHA-256
    system: str
    number: int  #: counts up for each system and is never given twice; FILE_KEY: it stands in the party file
    made_at: datetime | None = None  #: unknown of one of the party file
    expires_at: datetime | None = None  #: from then on it is refused; None: it has no end
    revoked_at: datetime | None = None
    used_at: datetime | None = None  #: when it was last shown, to the minute

    def holds(self, now: datetime) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


#: Number of the key that stands in the party file.
FILE_KEY = 0


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a record system has said of one of its HER-ids; the last that was said counts, whole (EDI 2.0 A11)."""

    her_id: str
    channel: str = "Api"  #: by which it asks for its notifications (A11.2)
    locked: bool = False  #: only `client` may speak for it (A11.4)
    rejects: tuple[str, ...] = ()  #: message functions that are not wanted there, codes of list 8279 (A11.3)
    refused_notices: bool = False  #: it is told of what was turned away (A10.4)
    client: str = ""  #: who said so: the client of its token, else the record system

    def rejected(self, *functions: str) -> str:
        """The first of these functions that is not wanted, in any case; empty when all are."""
        unwanted = {one.upper() for one in self.rejects}
        return next((one for one in functions if one.upper() in unwanted), "")


@dataclass(frozen=True, slots=True)
class Party:
    """Who takes part: a communication party (level 2), local when this hub serves it, remote otherwise."""

    her_id: str
    name: str
    organisation_her_id: str = ""
    organisation_number: str = ""
    system: str | None = None  #: id of its record system when local
    endpoint: str = ""
    signing_certificates: tuple[bytes, ...] = ()
    encryption_certificate: bytes = b""
    mail: str = ""  #: local: the address that it sends mail from and receives it at
    client: tuple[str, str] = ("", "")  #: remote: PEM files of the certificate and key that its server asks us for

    @property
    def local(self) -> bool:
        """Whether this hub serves it."""
        return self.system is not None


#: Functions of the message bus that hold this are sent and taken without being agreed (nhn-amqp.md §4.1 step 1).
UNASKED = "DIALOG_INNBYGGER_TIMERESERVASJON"


#: What a CPA may leave to each message, or agree away, in its MessagingCharacteristics (CPPA 2.0 MessagingCharacteristics).
AGREED_ELEMENTS = ("AckRequested", "AckRequested/@signed", "DuplicateElimination")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two parties have agreed for one direction, service and action; from a CPA, or from the party file."""

    cpa_id: str
    source: str  #: "cpa", "cpp" or "parties"
    from_her: str
    to_her: str
    signing_certificates: tuple[bytes, ...]  #: the sender's, any of them (roll-over)
    encryption_certificate: bytes  #: the receiver's
    endpoint: str
    signal_endpoint: str  #: where the sender takes what answers it: Acknowledgment, Pong, StatusResponse
    reply: Literal["sync", "async"] = "sync"
    ack_requested: bool = True
    duplicate_elimination: bool = True
    encrypted: bool = True
    compressed: bool = False
    payload_form: Literal["bare", "mime"] = "bare"
    allow_sha1: bool = False
    warnings: bool | None = None  #: whether a missing AckRequested is told of; None: as the hub's setting says
    free: frozenset[str] = frozenset()  #: of AGREED_ELEMENTS what is left to each message, or agreed away
    retries: int = 5
    retry_interval: timedelta = timedelta(hours=12)
    persist_duration: timedelta = timedelta(hours=96)
    from_role: str = ""
    to_role: str = ""
    action: str = ""  #: under which it travels here, where that is another than was asked for
    service_type: str = "string"  #: of eb:Service; empty: none is written
    from_type: str = "HER"  #: of the PartyIds, likewise
    to_type: str = "HER"
    ack_signed: bool = True
    sync_reply: bool = False  #: eb:SyncReply is written, where the road is HTTP
    acknowledgment_refers: Refers = "auto"
    national: bool = True  #: both parties are named by HER-ids
    time_to_live: timedelta | None = None
    unkept: str = ""  #: why the confidentiality that is agreed cannot be kept: nothing is sent under it
    functions: frozenset[str] | None = None  #: on the message bus, what may go this way, in upper case; None: anything
    error_endpoint: str = ""  #: where it takes a MessageError, when elsewhere
    fault: str = ""  #: code of hub.codes when the agreement cannot be used, with its reason
    because: str = ""

    def allows(self, function: str) -> bool:
        """Whether a message function may go this way over the bus; reservations pass unasked (nhn-amqp.md §4.1)."""
        wanted = function.upper()
        return self.functions is None or wanted in self.functions or UNASKED in wanted


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a message goes for one receiver, and because of what."""

    receiver: str
    action: Literal["deliver", "hold", "refuse"]
    channel: Channel | None
    address: str
    because: str
    rule: str
    priority: int = 5  #: 0 goes first, 9 last
    urgent: bool = False  #: what the router was told of the document
    code: str = "held-by-rule"  #: why, of what is put aside


@dataclass(frozen=True, slots=True)
class Transport:
    """What a sender wishes in the envelope (EDI 2.0 A7.1, A9.6); empty: as the standards say."""

    cpa_id: str = ""
    conversation_id: str = ""
    service: str = ""
    service_type: str = ""
    action: str = ""
    sender_role: str = ""
    receiver_role: str = ""
    application_name: str = ""
    application_version: str = ""
    middleware_name: str = ""
    middleware_version: str = ""
    compress: bool | None = None
    sender_level_1: bool = False  #: From is the sender's organisation (useSenderLevel1HerId)
    sender: str = ""  #: HER-id of From, where that is another than the sender's
    receiver: str = ""  #: likewise of To


#: Everything as the standards say.
NOTHING_WISHED = Transport()


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """A message as it is kept: what routing, receipts and people need to know; no content."""

    id: str
    arrival_id: str
    direction: Direction
    kind: Kind
    door: str
    received_at: datetime
    from_her: str
    to_her: str
    type_code: str = ""
    standard: str = ""
    version: str = ""
    namespace: str = ""
    msg_id: str = ""
    document_id: str = ""
    gen_date: datetime | None = None
    eb_message_id: str = ""
    conversation_id: str = ""
    cpa_id: str = ""
    service: str = ""
    action: str = ""
    system: str = ""
    original_msg_id: str = ""  #: of the message that an AppRec answers
    original_type: str = ""
    size: int = 0
    sha256: str = ""
    code: str = ""  #: verdict, a row of hub.codes
    because: str = ""
    transport: Transport = NOTHING_WISHED  #: what its sender wishes in the envelope

    @property
    def functions(self) -> tuple[str, ...]:
        """On the message bus, what may be agreed for it: an AppRec goes under what it answers, too (nhn-amqp.md §2.5)."""
        answers = self.kind == "apprec" and self.original_type
        return (self.action, self.original_type) if answers else (self.action,)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message about to be kept, with its document."""

    record: MessageRecord
    document: bytes


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """Our promise to bring one message to one receiver, and how far we have come."""

    id: str
    message_id: str
    sender: str
    receiver: str
    channel: Channel
    address: str
    state: str  #: a state of hub.states
    created_at: datetime
    next_at: datetime | None  #: when it is tried (again); None: nothing to try by itself
    give_up_at: datetime | None  #: PersistDuration: after this it is a dead letter
    apprec_due_at: datetime | None  #: None: no AppRec is due
    attempts: int = 0  #: tries so far, counted before each is made
    handed_over: int = 0  #: tries that reached the other side and got no transport receipt
    retries: int = 5  #: how many times more after the first hand-over
    retry_interval: timedelta = timedelta(hours=12)
    expires_at: datetime | None = None  #: eb:TimeToLive
    eb_message_id: str = ""
    kind: Kind = "business"
    priority: int = 5
    rule: str = ""
    code: str = ""
    because: str = ""
    apprec_status: str = ""  #: of list 8258: 1, 2 or 3
    apprec_code: str = ""  #: of list 8221
    changed_at: datetime | None = None
    urgent: bool = False  #: as the document asks; routing rules may look at it
    ack_requested: bool | None = None  #: whether its envelope asks for an Acknowledgment; None: not sealed yet
    sealed_by: str = ""  #: what its parcel was made with; see hub.seal
    failures: int = 0  #: answers in a row that it was not taken just now; each makes the next wait longer
    said: str = (
        ""  #: the partner's last words about it that nothing proved: they moved nothing, and stand here for people
    )
    interval_from: datetime | None = None  #: when the agreed interval under way began: at its first hand-over
    lost: int = 0  #: hand-overs within it whose answer was lost; all of them count as one
    cause: str = ""  #: code of what went wrong last, where `code` tells only how it ended


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed when a parcel was sealed: it holds for as long as the parcel does, whatever is agreed later."""

    ack_requested: bool
    retries: int
    retry_interval: timedelta
    sealed_by: str  #: digests of the receiver's certificate and of all else that it was made with


@dataclass(frozen=True, slots=True)
class Parcel:
    """Sealed and ready: exactly the bytes that go on the wire, the same on every attempt (HITS 1171 9.6)."""

    headers: Mapping[str, str]
    body: bytes
    digests: tuple[tuple[str, str], ...] = ()  #: (URI, DigestValue) that a signed Acknowledgment must echo
    terms: Terms | None = None  #: of one that has just been sealed; they are kept with its delivery
    lost: str = ""  #: why its body cannot be read, which is then empty: it must not be sent, but receipts still find it


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery taken up for one attempt, with all that the attempt needs."""

    delivery: DeliveryRecord
    message: MessageRecord
    attempt: int
    parcel: Parcel | None = None


class Reached(StrEnum):
    """How far an attempt came: the question that decides what may be done next."""

    NO = "no"  #: nothing was handed over; trying soon does no harm
    MAYBE = "maybe"  #: bytes went out, no answer came; the other side may have it
    YES = "yes"  #: the other side answered


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the wire said to one attempt, before anybody judged it."""

    reached: Reached
    code: str  #: a row of hub.codes
    because: str
    permanent: bool = False
    answer: bytes = b""
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answered: bool = False  #: the address answered, if only that it took nothing: no other delivery waits because of it
    counted: bool = False  #: one of the agreed tries, though nothing was handed over: tried again as agreed, not sooner
    after: timedelta | None = None  #: the other side asks to be left alone for so long
    said: str = ""  #: what the other side said of it, where nothing proves it; fit to be shown
    ours: bool = False  #: what was in its way lies on our side, and says nothing of the address
    cause: str = ""  #: code of what is behind it, where that is another than `code`
    made: bool = True  #: false: it was settled before anything was tried


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door says back: bytes for the wire, and the words for a person."""

    status: int  #: HTTP status
    headers: Mapping[str, str]
    body: bytes
    code: str = "accepted"
    because: str = ""
    message_id: str = ""
    norwegian: str = ""  #: `because` for Norwegian readers, where there is one
    places: tuple[Place, ...] = ()  #: every mistake of a document that was refused for what is in it
