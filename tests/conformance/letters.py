"""Letters to send over any transport, and what is found of them at its far side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.message import Channel, Claimed, Parcel
from tests.conformance import values as v

#: What must not be told to anybody: it stands in every parcel, and far sides say it back where they have words.
CONTENT = "innhold-fra-journalen"
#: Of whatever login a transport has.
PASSWORD = "hemmelig/ord"
#: In these tests a connection may take so long to come about, and an answer so long to come.
CONNECT, ANSWER = 1.5, 1.5


@dataclass(frozen=True)
class Letter:
    """One delivery, claimed, with its parcel."""

    claimed: Claimed
    parcel: Parcel
    id: str  #: under which the far side knows a second one


@dataclass(frozen=True)
class Got:
    """What lies at the far side."""

    id: str
    body: bytes


def letter(
    channel: Channel, address: str, content: bytes, headers: Callable[[str], Mapping[str, str]] | None = None
) -> Letter:
    """One whose parcel has CONTENT and `content` in it; `headers` are those of its id."""
    message = v.message()
    delivery = v.delivery(message.id, channel=channel, address=address)
    own = headers(delivery.eb_message_id) if headers else {}
    return Letter(Claimed(delivery, message, 1), Parcel(own, CONTENT.encode() + content), delivery.eb_message_id)


def enveloped(channel: Channel, address: str, content: bytes) -> Letter:
    """One that is known by what stands in its bytes, as the MessageId of ebXML does."""
    headers = {"Content-Type": "application/octet-stream", "SOAPAction": '"ebXML"'}
    made = letter(channel, address, content, lambda _: headers)
    body = f"<MessageId>{made.id}</MessageId>".encode() + made.parcel.body
    return Letter(made.claimed, Parcel(headers, body), made.id)


def opened(body: bytes) -> Got:
    """What came, under the id that stands in it."""
    return Got(body.partition(b"<MessageId>")[2].partition(b"</MessageId>")[0].decode("ascii"), body)
