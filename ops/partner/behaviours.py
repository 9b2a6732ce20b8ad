"""The names of all misbehaviour: what a partner does with what it gets, and how it can send."""

from __future__ import annotations

from enum import StrEnum


class Receiving(StrEnum):
    """What a partner does with a message that it gets."""

    GOOD = "good"
    DOWN = "down"
    SLOW = "slow"
    HALF_RESPONSE = "half-response"
    GARBAGE = "garbage"
    EMPTY_ENVELOPE = "empty-envelope"
    UNAVAILABLE = "unavailable"
    FORBIDDEN = "forbidden"
    SOAP_FAULT = "soap-fault"
    WRONG_SIGNATURE = "wrong-signature"
    SIGNS_OTHER = "signs-other"
    WRONG_DIGEST = "wrong-digest"
    REVOKED_CERTIFICATE = "revoked-certificate"
    NO_ACKNOWLEDGMENT = "no-acknowledgment"
    LATE_ACKNOWLEDGMENT = "late-acknowledgment"
    MESSAGE_ERROR = "message-error"
    WARNING = "warning"
    NEGATIVE_APPREC = "negative-apprec"
    LATE_APPREC = "late-apprec"
    NEVER_APPREC = "never-apprec"
    TWO_APPRECS = "two-apprecs"
    CONTRADICTING_APPRECS = "contradicting-apprecs"


class ByMail(StrEnum):
    """What the mail server of a partner that is reached by mail does besides."""

    BOUNCE_NOW = "bounce-now"
    BOUNCE_LATER = "bounce-later"
    GREYLIST = "greylist"
    DROP_MID_DATA = "drop-mid-data"
    ACCEPT_AND_LOSE = "accept-and-lose"
    REORDER = "reorder"
    DELIVER_TWICE = "deliver-twice"


class Sending(StrEnum):
    """How a partner sends a message of its own."""

    GOOD = "good"
    DUPLICATE = "duplicate"
    REUSED_ID = "reused-id"
    SAME_DOCUMENT = "same-document"
    WRONG_SIGNATURE = "wrong-signature"
    SIGNS_OTHER = "signs-other"
    REVOKED_CERTIFICATE = "revoked-certificate"
    EXPIRED_CERTIFICATE = "expired-certificate"
    UNKNOWN_ISSUER = "unknown-issuer"
    WRONG_PURPOSE = "wrong-purpose"
    WRONG_RECEIVER = "wrong-receiver"
    WRONG_KEY = "wrong-key"
    UNSIGNED = "unsigned"
    HUGE = "huge"
    GARBAGE = "garbage"
    HALF_REQUEST = "half-request"
    EXPIRED = "expired"
    DOCTYPE = "doctype"
    NO_ACK_REQUEST = "no-ack-request"


#: A sentence for each, for the help and the reference page; apart, since some names are the same on both sides.
RECEIVING: dict[Receiving, str] = {
    Receiving.GOOD: "Acknowledges, and answers by a positive AppRec.",
    Receiving.DOWN: "Listens no more: connections are refused.",
    Receiving.SLOW: "Answers well, but only after some seconds.",
    Receiving.HALF_RESPONSE: "Sends half of its answer and cuts the connection.",
    Receiving.GARBAGE: "Answers 200 with bytes that mean nothing.",
    Receiving.EMPTY_ENVELOPE: "Answers 200 with an envelope that has no ebXML header.",
    Receiving.UNAVAILABLE: "Answers 503.",
    Receiving.FORBIDDEN: "Answers 403.",
    Receiving.SOAP_FAULT: "Answers by a SOAP Fault (Client).",
    Receiving.WRONG_SIGNATURE: "Acknowledges with a signature value that does not fit.",
    Receiving.SIGNS_OTHER: "Signs one Acknowledgment and sends another.",
    Receiving.WRONG_DIGEST: "Acknowledges, proven, but echoes another digest than it got.",
    Receiving.REVOKED_CERTIFICATE: "Signs its Acknowledgment with a revoked certificate.",
    Receiving.NO_ACKNOWLEDGMENT: "Takes the message and says nothing: 200 and an empty body.",
    Receiving.LATE_ACKNOWLEDGMENT: "Says nothing at first; its Acknowledgment comes by itself later.",
    Receiving.MESSAGE_ERROR: "Refuses by a signed MessageError (SecurityFailure).",
    Receiving.WARNING: "Accepts by a signed MessageError of severity Warning, and answers by AppRec.",
    Receiving.NEGATIVE_APPREC: "Acknowledges, and answers by a negative AppRec (E21).",
    Receiving.LATE_APPREC: "Acknowledges; its AppRec comes after the deadline.",
    Receiving.NEVER_APPREC: "Acknowledges, and never sends an AppRec.",
    Receiving.TWO_APPRECS: "Acknowledges, and sends its AppRec twice.",
    Receiving.CONTRADICTING_APPRECS: "Acknowledges; sends a positive and then a negative AppRec.",
}
BY_MAIL: dict[ByMail, str] = {
    ByMail.BOUNCE_NOW: "Refuses the mail at once: 550 to RCPT.",
    ByMail.BOUNCE_LATER: "Takes the mail; a delivery status notification says later that it failed.",
    ByMail.GREYLIST: "Puts off the first mails (451) for some seconds, then answers well.",
    ByMail.DROP_MID_DATA: "Breaks the connection in the middle of each mail.",
    ByMail.ACCEPT_AND_LOSE: "Takes the mail, and nobody ever hears of it again.",
    ByMail.REORDER: "Answers well, but what it sends is held back and comes in the other order: AppRec before Acknowledgment.",
    ByMail.DELIVER_TWICE: "Answers well, and all that it sends arrives twice.",
}
#: What has no counterpart in mail.
HTTP_ONLY = frozenset({Receiving.DOWN, Receiving.HALF_RESPONSE, Receiving.UNAVAILABLE, Receiving.FORBIDDEN})
SENDING: dict[Sending, str] = {
    Sending.GOOD: "Signed, encrypted, as agreed.",
    Sending.DUPLICATE: "The same bytes twice.",
    Sending.REUSED_ID: "Another document under the MessageId of an earlier one.",
    Sending.SAME_DOCUMENT: "The same document in two envelopes.",
    Sending.WRONG_SIGNATURE: "A signature value that does not fit.",
    Sending.SIGNS_OTHER: "Signs one envelope and sends another.",
    Sending.REVOKED_CERTIFICATE: "Signed with a revoked certificate.",
    Sending.EXPIRED_CERTIFICATE: "Signed with an expired certificate.",
    Sending.UNKNOWN_ISSUER: "Signed with a certificate of an authority nobody knows.",
    Sending.WRONG_PURPOSE: "Signed with a certificate that is for encryption.",
    Sending.WRONG_RECEIVER: "To a HER-id that the hub does not serve.",
    Sending.WRONG_KEY: "Encrypted for somebody else.",
    Sending.UNSIGNED: "Without a signature.",
    Sending.HUGE: "Larger than the hub takes.",
    Sending.GARBAGE: "Bytes that mean nothing.",
    Sending.HALF_REQUEST: "Half of the request, then the connection is cut.",
    Sending.EXPIRED: "Its TimeToLive has passed.",
    Sending.DOCTYPE: "An envelope with a DOCTYPE and an entity.",
    Sending.NO_ACK_REQUEST: "Without AckRequested: taken, and answered by a Warning.",
}
