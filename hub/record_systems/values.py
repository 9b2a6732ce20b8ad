"""What the facade is asked with, and what it answers with: words of its own, never those of one door's wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from hub import norwegian_reasons
from hub.codes import reason
from hub.errors import HubError
from hub.events import Notification
from hub.message import DeliveryRecord, Language, MessageRecord, Place, RecordSystem
from hub.message import Transport as Transport


@dataclass(frozen=True, slots=True)
class Caller:
    """Who has shown which record system it is; only the facade makes one."""

    system: RecordSystem
    client: str = ""  #: who of its users it is, where that is told; empty: the system itself
    limited: frozenset[str] | None = None  #: HER-ids that it may speak for at this time; None: all of the system
    until: datetime | None = None  #: when what it has shown holds no longer; None: nobody knows
    configured: bool = False  #: speaks only for HER-ids that are configured (EDI 2.0 A11.1)
    key: str = ""  #: hex SHA-256 of the API key that was shown
    certificate: str = ""  #: hex SHA-256 of the client certificate that was shown

    @property
    def id(self) -> str:
        """The record system's id."""
        return self.system.id

    @property
    def her_ids(self) -> frozenset[str]:
        """The HER-ids that it may speak for."""
        return self.system.her_ids if self.limited is None else self.system.her_ids & self.limited


#: What was decided: taken; refused for good; not now, hand it over again; or our own fault, and kept in quarantine.
Decided = Literal["taken", "refused", "later", "ours"]


@dataclass(frozen=True, slots=True)
class Said:
    """What was decided about an order, and because of what: a row of hub.codes, words, and every place at fault."""

    decided: Decided
    code: str
    because: str = ""
    message_id: str = ""  #: ours for the message that it is about, where there is one
    business_document_id: str = ""  #: MsgId of what was handed over, where it was taken
    norwegian: str = ""  #: `because` for Norwegian readers, where there is one
    places: tuple[Place, ...] = ()
    members: tuple[tuple[str, str], ...] = ()  #: of an order that cannot be read: which members, and what is wrong

    @property
    def duplicate(self) -> bool:
        """Whether it had been handed over before: it goes out once."""
        return self.code in ("duplicate", "promised-again")

    def words(self, language: Language) -> tuple[str, str]:
        """The reason in full, and what to do; codes, ids and places only, never content."""
        row = reason(self.code)
        text, hint, because = row.text, row.hint, self.because
        if language == "nb":
            text, hint = norwegian_reasons.reason(self.code)
            because = self.norwegian or self.because
        return (f"{text}: {because}" if because else text), hint


class Refused(HubError):
    """An order that is not followed."""

    def __init__(self, said: Said) -> None:
        self.said = said
        super().__init__(f"{said.code}: {said.because}")


def refused(code: str, because: str, *, message_id: str = "") -> Refused:
    """No, for good."""
    return Refused(Said("refused", code, because, message_id))


@dataclass(frozen=True, slots=True)
class Order:
    """A document to be handed over: the bytes as they are signed and kept, on whose behalf, and for whom."""

    document: bytes = field(repr=False)
    door: str
    sender: str = ""  #: HER-id; empty: as the document says
    receivers: tuple[str, ...] = ()  #: HER-ids; empty: as the document says
    facts: Mapping[str, str] = field(default_factory=dict)  #: what only the door knows, kept beside: a file's name
    arrival_id: str = ""  #: the same again for what is the same order; empty: a new one
    received_at: datetime | None = None  #: None: now
    message_type: str = ""  #: that the document is said to be (EDI 2.0 A7.2); empty: nothing is said
    transport: Transport = field(default_factory=Transport)


class TransportState(StrEnum):
    """How far the transport came (EDI 2.0 A8.2)."""

    UNCONFIRMED = "Unconfirmed"  #: no transport receipt yet
    ACKNOWLEDGED = "Acknowledged"  #: taken by the other side; lies ready for a receiver in the house
    REJECTED = "Rejected"  #: refused by the other side's message handler
    ABANDONED = "Abandoned"  #: given up


class AppRecStatus(StrEnum):
    """What an AppRec says (list 8258; EDI 2.0 A9)."""

    OK = "Ok"
    REJECTED = "Rejected"
    PARTLY = "OkErrorInMessagePart"


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of an AppRec: a code of list 8221 (or 8222, 8223), its list, the list's words and the writer's own."""

    code: str
    oid: str = ""
    description: str = field(default="", repr=False)
    details: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AppRecInfo:
    """The AppRec that came home, as the receiver wrote it."""

    status: AppRecStatus
    faults: tuple[Fault, ...] = ()
    message_id: str = ""  #: ours for the AppRec itself; empty where it is not kept as a message


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of a message at one receiver."""

    receiver: str
    transport: TransportState
    sent: bool  #: something has left the house for it, whole
    apprec: AppRecInfo | None
    state: str  #: a state of hub.states
    code: str  #: a row of hub.codes
    because: str
    changed_at: datetime | None = None

    def words(self, language: Language) -> tuple[str, str]:
        """What stands there, in words, and what to do."""
        return Said("taken", self.code, self.because).words(language)


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a message: our id for it, and how it stands at each receiver."""

    message_id: str
    receivers: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Info:
    """A message as its record system knows it."""

    record: MessageRecord
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Messages that lie ready; `more` when there are others behind them."""

    messages: tuple[Info, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many are the record system's own now, and which ids are not, each with the reason."""

    count: int
    refused: tuple[tuple[str, Said], ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """The AppRec that was made: our id for it, and its own."""

    message_id: str
    business_document_id: str


@dataclass(frozen=True, slots=True)
class Events:
    """What has happened, in order; `more` when there are others behind them."""

    events: tuple[Notification, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """An event with the message that it is about, and where that stands now."""

    event: Notification
    record: MessageRecord | None
    delivery: DeliveryRecord | None
    standing: Standing | None
    facts: Mapping[str, str] = field(default_factory=dict)  #: what its door knew when it was handed over
