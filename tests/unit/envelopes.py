"""Envelopes to read and to spoil: one sound example of each kind, and edits by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from lxml import etree

from hub.formats import envelope, envelope_write, xml
from hub.formats.envelope import DS, EB, SIGNAL_SERVICE, SOAP, Envelope, EnvelopeFault
from hub.formats.envelope_write import ErrorLine, HeaderFields

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HEADER = HeaderFields(
    from_her="8000202",
    to_her="8000402",
    cpa_id="8000202_8000402",
    conversation_id="7c1b7a52-4d4e-4f43-9d8b-1f6f4d3a0001",
    service="S-HENVISNING",
    action="HENVISNING",
    message_id="7c1b7a52-4d4e-4f43-9d8b-1f6f4d3a0002",
    timestamp=NOW,
    from_role="HENVISNINGsender",
    to_role="HENVISNINGreceiver",
    software=("Samhandling Hub", "0.1.0"),
)
SCHEMA = ("http://www.kith.no/xmlstds/henvisning/2012-02-15", "1.1")
REFERENCE = (
    f'<ds:Reference xmlns:ds="{DS}" URI="">'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
    "<ds:DigestValue>aGVp</ds:DigestValue></ds:Reference>"
).encode()


def signal(action: str, **more: str) -> HeaderFields:
    """The header of a signal: no roles, the ebMS service."""
    bare = replace(HEADER, from_role="", to_role="", service=SIGNAL_SERVICE, action=action)
    return replace(bare, **more)  # type: ignore[arg-type]


#: Every kind that we write, ready to be signed.
WRITTEN: dict[str, bytes] = {
    "business": envelope_write.business(HEADER, "part@example.no", SCHEMA),
    "business with TimeToLive and SyncReply": envelope_write.business(
        replace(HEADER, time_to_live=NOW, ref_to_message_id="earlier"), "part", SCHEMA, sync_reply=True
    ),
    "business without AckRequested": envelope_write.business(HEADER, "part", ("", ""), ack_requested=False),
    "business with awkward values": envelope_write.business(
        replace(HEADER, conversation_id='a&b<c>"d"\r\n', cpa_id="æøå\t1", software=('S "&" <H>', "1\n2")),
        "a&b<c>\"d'@e",
        ('urn:a&b"c<', "1\t2"),
    ),
    "acknowledgment": envelope_write.acknowledgment(signal("Acknowledgment"), "the-message", [REFERENCE]),
    "error": envelope_write.message_error(
        signal("MessageError", ref_to_message_id="the-message"),
        [
            ErrorLine("SecurityFailure", "Error", "//ds:Signature", "not signed"),
            ErrorLine("OtherXml", "Warning", "", "<&>"),
        ],
    ),
    "ping": envelope_write.ping(signal("Ping")),
    "pong": envelope_write.pong(signal("Pong", ref_to_message_id="the-ping")),
    "status_request": envelope_write.status_request(signal("StatusRequest"), "the-message"),
    "status_response": envelope_write.status_response(
        signal("StatusResponse", ref_to_message_id="the-request"), "the-message", "Processed"
    ),
}

Edit = Callable[[etree._Element], None]


def root_of(raw: bytes) -> etree._Element:
    """Parsed as the hub parses it."""
    found = xml.parse(raw, xml.Bounds(max_bytes=1_000_000))
    assert not isinstance(found, xml.XmlFault), found
    return found


def read(raw: bytes, *edits: Edit) -> Envelope:
    """The envelope's value after the edits."""
    found = read_any(raw, *edits)
    assert isinstance(found, Envelope), found
    return found


def read_any(raw: bytes, *edits: Edit) -> Envelope | EnvelopeFault:
    """The same, where it may be no envelope at all."""
    root = root_of(raw)
    for edit in edits:
        edit(root)
    return envelope.read(root)


def one(root: etree._Element, name: str) -> etree._Element:
    """The first element with this local name in the eb or SOAP namespace."""
    return next(e for e in root.iter(f"{{{EB}}}{name}", f"{{{SOAP}}}{name}"))


def without(name: str) -> Edit:
    """Takes an element out."""

    def edit(root: etree._Element) -> None:
        element = one(root, name)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return edit


def text(name: str, value: str) -> Edit:
    """Gives an element another text."""

    def edit(root: etree._Element) -> None:
        one(root, name).text = value

    return edit


def attribute(name: str, key: str, value: str | None) -> Edit:
    """Sets an attribute, or takes it away."""

    def edit(root: etree._Element) -> None:
        element = one(root, name)
        if value is None:
            del element.attrib[key]
        else:
            element.set(key, value)

    return edit


def added(parent: str, written: str, *, first: bool = False) -> Edit:
    """Puts XML into an element; the prefixes SOAP, eb, ds and xlink may be used."""

    def edit(root: etree._Element) -> None:
        scope = (
            f'<x xmlns:SOAP="{SOAP}" xmlns:eb="{EB}" xmlns:ds="{DS}" xmlns:xlink="http://www.w3.org/1999/xlink">'
            f"{written}</x>"
        )
        place = one(root, parent)
        for number, element in enumerate(list(etree.fromstring(scope))):
            place.insert(number if first else len(place), element)

    return edit
