"""Message handlers that were met, by name: each is a set of manners, and any other set makes one that was not met yet.

What is here was seen on the wire (tests/interop has the bytes); docs/interop.md tells who they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Manner(StrEnum):
    """One way in which a message handler differs from the national profile."""

    MESSAGE_DATA_ONLY = "message-data-only"
    UNAUTHORIZED_WITHOUT_REFERENCE = "unauthorized-without-reference"
    UNSIGNED_SIGNALS = "unsigned-signals"
    UNSIGNED_QUESTIONS = "unsigned-questions"
    REFERS = "refers"
    FAULT_FOR_UNKNOWN = "fault-for-unknown"
    UNAUTHORIZED_FOR_UNKNOWN = "unauthorized-for-unknown"
    FAULT_WITH_200 = "fault-with-200"
    FAILS_BY_WARNING = "fails-by-warning"
    COMPARES = "compares"
    COMPARES_TYPE = "compares-type"
    SAYS_NO_PLACE = "says-no-place"
    PROVES = "proves"
    SYNC_BY_ELEMENT = "sync-by-element"
    HEARS_WHERE_AGREED = "hears-where-agreed"
    HEARS_WHERE_WRITTEN = "hears-where-written"
    ANSWERS_ERRORS = "answers-errors"
    GZIP = "gzip"
    CHAIN = "chain"
    NO_CONTENT = "no-content"
    HOST_IN_IDS = "host-in-ids"
    TIME_TO_LIVE = "time-to-live"
    OFFERS_H2C = "offers-h2c"
    PING_ASKS_RECEIPT = "ping-asks-receipt"


#: A sentence for each, for the help and the reference page.
MANNERS: dict[Manner, str] = {
    Manner.MESSAGE_DATA_ONLY: (
        "Finds the message that a receipt is about by MessageData/RefToMessageId alone; one that names none, or one that"
        " it does not know, is answered by HTTP 500 and nothing."
    ),
    Manner.UNAUTHORIZED_WITHOUT_REFERENCE: (
        "An Acknowledgment without MessageData/RefToMessageId is refused by HTTP 200 and an unsigned MessageError:"
        " SecurityFailure, Unauthorized Msg."
    ),
    Manner.UNSIGNED_SIGNALS: "Its MessageErrors, Pongs and StatusResponses are not signed.",
    Manner.UNSIGNED_QUESTIONS: "Its Pings and StatusRequests are not signed.",
    Manner.REFERS: "Its Acknowledgments have MessageData/RefToMessageId too.",
    Manner.FAULT_FOR_UNKNOWN: "An agreement that it does not know is answered by a SOAP Fault (Client), HTTP 500.",
    Manner.UNAUTHORIZED_FOR_UNKNOWN: (
        "What CPAId, Service and Action it does not know together is answered in the open exchange, also where receipts"
        " go by themselves: HTTP 200 and an unsigned MessageError, SecurityFailure, Unauthorized Msg."
    ),
    Manner.FAULT_WITH_200: "Its SOAP Faults come with HTTP 200.",
    Manner.FAILS_BY_WARNING: "Takes every ErrorList for the failure of its message, one of severity Warning too.",
    Manner.COMPARES: (
        "Compares SyncReply, DuplicateElimination, AckRequested and its signed with the agreement; what differs is refused:"
        " Inconsistent, with its place."
    ),
    Manner.COMPARES_TYPE: "Compares the type of Service, too: ValueNotRecognized at Action where it is another.",
    Manner.SAYS_NO_PLACE: "Names no place in its errors: Agreement violation, whatever differs.",
    Manner.PROVES: "Refuses what is not signed, or not by the certificate that is agreed: SecurityFailure.",
    Manner.SYNC_BY_ELEMENT: "Answers in the exchange where SyncReply is written, whatever the agreement says.",
    Manner.HEARS_WHERE_AGREED: "Reads the answer to its own request only where the agreement is synchronous.",
    Manner.HEARS_WHERE_WRITTEN: "Reads the answer to its own request only where it wrote SyncReply, and only of 2xx.",
    Manner.ANSWERS_ERRORS: "Answers a MessageError about a message that it does not know by one of its own.",
    Manner.GZIP: "Its answers are compressed.",
    Manner.CHAIN: "Writes the certificates of its authorities into KeyInfo, an X509Data each, after its own.",
    Manner.NO_CONTENT: "Says 204 where it has nothing to say.",
    Manner.HOST_IN_IDS: "Its MessageIds end with its address.",
    Manner.TIME_TO_LIVE: "Its documents have a TimeToLive.",
    Manner.OFFERS_H2C: "Offers HTTP/2 with every request (Upgrade: h2c), as Java's own client does, and sends documents in chunks.",
    Manner.PING_ASKS_RECEIPT: "Its Pings have DuplicateElimination and AckRequested where documents have them.",
}


@dataclass(frozen=True, slots=True)
class PeerKind:
    """A handler by name."""

    sentence: str
    manners: frozenset[Manner]


_EBMS_CORE = frozenset(
    {
        Manner.MESSAGE_DATA_ONLY,
        Manner.UNSIGNED_SIGNALS,
        Manner.UNSIGNED_QUESTIONS,
        Manner.REFERS,
        Manner.FAULT_FOR_UNKNOWN,
        Manner.FAILS_BY_WARNING,
        Manner.COMPARES,
        Manner.COMPARES_TYPE,
        Manner.PROVES,
        Manner.HEARS_WHERE_AGREED,
        Manner.NO_CONTENT,
        Manner.HOST_IN_IDS,
        Manner.TIME_TO_LIVE,
        Manner.OFFERS_H2C,
    }
)
_HERMES = frozenset(
    {
        Manner.UNAUTHORIZED_WITHOUT_REFERENCE,
        Manner.UNSIGNED_SIGNALS,
        Manner.UNSIGNED_QUESTIONS,
        Manner.REFERS,
        Manner.UNAUTHORIZED_FOR_UNKNOWN,
        Manner.FAULT_WITH_200,
        Manner.FAILS_BY_WARNING,
        Manner.COMPARES,
        Manner.SAYS_NO_PLACE,
        Manner.SYNC_BY_ELEMENT,
        Manner.HEARS_WHERE_WRITTEN,
        Manner.ANSWERS_ERRORS,
        Manner.GZIP,
        Manner.NO_CONTENT,
        Manner.HOST_IN_IDS,
        Manner.PING_ASKS_RECEIPT,
    }
)
#: By name: what `samhub simulate`, the demo and the pytest plug-in play.
PEERS: dict[str, PeerKind] = {
    "ebms-core": PeerKind("ebms-core and ebms-admin 2.20 of eluinstra, as they come.", _EBMS_CORE),
    "hermes": PeerKind(
        "Jentrata, successor of Hermes 2, behind a Tomcat that compresses; only partnerships for documents.", _HERMES
    ),
    "hermes-signals": PeerKind(
        "The same with partnerships for the signals: it finds its message by Acknowledgment/RefToMessageId too.",
        _HERMES - {Manner.UNAUTHORIZED_WITHOUT_REFERENCE},
    ),
    "hermes-chain": PeerKind(
        "The same with a key store that holds its authorities: what it signs has the whole chain.",
        _HERMES | {Manner.CHAIN},
    ),
}


def manners(words: Iterable[str]) -> frozenset[Manner]:
    """Those of a peer's name, or of single manners; `-name` takes one away. Raises ValueError with what there is."""
    found: set[Manner] = set()
    for word in words:
        bare = word.removeprefix("-")
        if bare in PEERS:
            named: frozenset[Manner] = PEERS[bare].manners
        elif bare in set(Manner):
            named = frozenset({Manner(bare)})
        else:
            there = ", ".join((*PEERS, *Manner))
            raise ValueError(f"no peer and no manner is called {bare}; there are: {there}")
        found = found - named if word.startswith("-") else found | named
    return frozenset(found)
