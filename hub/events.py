"""What can be said about a message: the entries of the journal, each with its sentence; nothing else is journaled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Event(StrEnum):
    """Everything the journal knows how to say."""

    RECEIVED = "received"  #: arrived at a door and was accepted
    REFUSED = "refused"  #: arrived and was refused for good
    QUARANTINED = "quarantined"  #: could not be read; the bytes are kept
    UNDECIDED = "undecided"  #: could not be judged now; will be judged again
    JUDGED_AGAIN = "judged_again"  #: a person asked that what was not taken be judged once more
    DUPLICATE = "duplicate"  #: came again; the same answer was given, nothing delivered
    REUSED = "reused"  #: a known MessageId or MsgId came with other content: an alarm
    ROUTED = "routed"  #: a receiver and a channel were chosen
    ATTEMPTED = "attempted"  #: a try is about to be made
    HANDED_OVER = "handed_over"  #: the other side took the bytes; no transport receipt yet
    FAILED = "failed"  #: a try failed and another is timed
    ACKNOWLEDGED = "acknowledged"  #: the transport receipt is home
    ACCEPTED_WITH_WARNING = "accepted_with_warning"  #: ErrorList with severity Warning: accepted
    MESSAGE_ERROR = "message_error"  #: the partner's message handler refused it
    RECEIPT_REFUSED = "receipt_refused"  #: the partner does not take a receipt of ours: a person must talk to it
    FETCHED = "fetched"  #: the local record system has it
    APPREC_SENT = "apprec_sent"  #: we, or our record system, answered by AppRec
    APPREC_OK = "apprec_ok"  #: a positive AppRec is home
    APPREC_NEGATIVE = "apprec_negative"  #: a negative AppRec is home, or one that refuses a part
    APPREC_UNCLEAR = (
        "apprec_unclear"  #: an AppRec that does not say clearly what became of the message: a person must ask
    )
    APPREC_UNMATCHED = "apprec_unmatched"  #: an AppRec for a message we do not know
    OVERDUE = "overdue"  #: no AppRec within its time
    DEAD = "dead"  #: given up
    EXPIRED = "expired"  #: its TimeToLive passed, or it was not fetched in time
    HELD = "held"  #: put aside
    RELEASED = "released"  #: let go by a person
    RESENT = "resent"  #: sent again by a person
    DISCARDED = "discarded"  #: given up, or put away, by a person, or the answer to a question that could not be brought at once
    DONE = "done"  #: finished without an AppRec being due
    SIGNAL = "signal"  #: a transport receipt that changed nothing (late, repeated or unknown)
    PINGED = "pinged"  #: answered a Ping or a StatusRequest
    RELOADED = "reloaded"  #: the register was read anew: what changed, or why it stays as it was
    FOLLOWED = "followed"  #: it goes another way now, as the register says
    ASKED = "asked"  #: a person asked the partner what became of it (StatusRequest)
    CLOCK_JUMPED = "clock_jumped"  #: the clock of this machine was set, or it slept: for a while nothing is ended by it
    CONFIGURED = "configured"  #: a record system has said what holds for a HER-id, or that nothing does
    CIRCUIT = "circuit"  #: an address is left alone, answers again, or a person has it tried at once
    WEBHOOK_GIVEN_UP = "webhook_given_up"  #: a record system could not be told over its webhook: it waits for a person
    WEBHOOK = "webhook"  #: a person has a record system told again over its webhook, or not
    PURGED = "purged"  #: what was settled long ago was removed, as the settings say: how much of what
    SYSTEM = "system"  #: a person brought in a record system, took it away, or made or ended its API keys
    TOLD = "told"  #: a partner answered: a Pong, or a StatusResponse; moves nothing


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal. `because` is for people: ids, codes and times, never content."""

    at: datetime
    event: Event
    code: str
    because: str
    message_id: str = ""
    delivery_id: str = ""
    arrival_id: str = ""
    actor: str = "hub"  #: the person or system that acted, where one did


#: What a record system is told (EDI 2.0 v3, A10.2).
class NotificationType(StrEnum):
    """The notification types of EDI 2.0 v3."""

    NEW_MESSAGE = "NewMessage"
    SENT_STATE = "MessageSentStateUpdated"
    DELIVERY_STATE = "MessageDeliveryStateUpdated"
    APPREC_INFO = "MessageApprecInfoUpdated"
    REFUSED = "RefusedMessage"  #: addressed to it, and turned away: there is no document to fetch


@dataclass(frozen=True, slots=True)
class Notification:
    """A word to a record system about one of its messages; `offset` is given by the store and only grows."""

    type: NotificationType
    message_id: str
    receiver: str  #: HER-id told
    triggered_by: str
    at: datetime
    description: str = ""
    offset: int = 0

    @property
    def id(self) -> str:
        """A UUID of its own, always the same (EDI 2.0 A10.1)."""
        return str(UUID(int=_OURS | self.offset))


#: Version 8 of RFC 9562, and the first letters of ours; the rest is the offset, of which no two are alike in a store.
_OURS = (0x5A4D << 112) | (0x8 << 76) | (0x2 << 62)


def offset_of(notification_id: str) -> int | None:
    """The offset of a notification's id; None of what cannot be one, however it is spelt."""
    try:
        number = UUID(notification_id).int
    except ValueError:
        return None
    offset = number & ((1 << 62) - 1)
    return offset if number == _OURS | offset else None
