"""What a document or a partner chose never becomes more than one header field, one name, one value: at every place that writes them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header

import pamqp.encode
import pytest

from adapters.amqp import sections
from adapters.amqp import wire as amqp_wire
from adapters.ebxml_smtp import wire as mail_wire
from adapters.folder import send as folder_send
from adapters.queue import wire as queue_wire
from hub.formats import amqp, amqp_metadata, mail
from hub.formats.envelope_write import escape_attribute
from hub.formats.words import quoted
from hub.message import Channel, Claimed, DeliveryRecord, MessageRecord, Parcel
from tests.unit.documents import made, root_of

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
#: Types as they were seen, and as somebody who means harm writes them.
WRITTEN = {
    "usual": "DIALOG_HELSEFAGLIG",
    "letters": "Legeerklæring ved arbeidsuførhet",
    "dash": "DIALOG–NOTAT",
    "CRLF": "EPIKRISE\r\nBcc: noen@example.invalid",
    "LF": "EPIKRISE\nX-Injected: ja",
    "CR": "EPIKRISE\rX-Injected: ja",
    "a body": "EPIKRISE\r\n\r\nHei",
    "folding": "EPIKRISE\r\n X-Injected: ja",
    "tab": "EPI\tKRISE",
    "separators": "EPI\u2028KRISE\u2029X\x85Y\x0bZ",
    "emoji": "EPIKRISE \U0001f600",
    "encoded word": "=?utf-8?q?EPIKRISE?=",
    "long": "E" * 1_200,
    "long words": "Legeerklæring " * 200,
    "controls": "E\x7fK\x1bZ",
    "right to left": "E\u202eK",
    "colon": "a: b",
    "path": "../../etc/passwd",
    "empty": "",
    "blank": "  ",
    "dot": ".",
    "a person's number": "13116900216",
}


def written() -> Iterator[str]:
    """The table, and texts of letters that mean something to some header."""
    yield from WRITTEN.values()
    dice = random.Random(18)
    letters = "\r\n\t\0\x0b\x0c\x85\u2028 :;=?<>\"'\\/.,()@æøå\U0001f600ABCabc019-_"
    for _ in range(300):
        yield "".join(dice.choices(letters, k=dice.randint(1, 90)))


def claimed(text: str) -> Claimed:
    message = MessageRecord("m", "a", "out", "business", "rest", NOW, "1", "2", text, action=text, msg_id=text)
    message = replace(message, standard=text, version=text, original_msg_id=text, conversation_id=text)
    delivery = DeliveryRecord("d", "m", "1", "2", Channel.FOLDER, "", "waiting", NOW, NOW, None, None)
    return Claimed(delivery, message, 1)


def mailed(subject: str, **headers: str) -> bytes:
    return mail_wire.mail(
        Parcel({"Content-Type": "text/xml", **headers}, b"<a/>"),
        sender="a@b.example",
        receiver="c@d.example",
        own_id="x@y",
        now=NOW,
        subject=subject,
        eight_bit=True,
    )


OURS = {"Subject", "From", "To", "Date", "Message-ID", "Content-Type", "MIME-Version", "Content-Transfer-Encoding"}


def test_a_mail_has_our_fields_and_no_others() -> None:
    for text in written():
        raw = mailed(text, **{"In-Reply-To": f"<{text}>"})
        read = message_from_bytes(raw)
        assert sorted(read.keys()) == sorted((*OURS, "In-Reply-To")), repr(text)
        assert read.get_payload(decode=True) == b"<a/>"
        head = raw.split(b"\r\n\r\n")[0]
        assert head.isascii() and all(len(line) <= mail_wire.LONGEST_LINE for line in head.split(b"\r\n"))


def test_its_subject_says_what_was_written() -> None:
    """As another reads it, and as our own reader does."""
    for text in written():
        raw, meant = mailed(text), quoted(text, 120) or "ebXML"
        unfolded = str(message_from_bytes(raw)["Subject"]).replace("\r\n", "")
        assert str(make_header(decode_header(unfolded))) == meant, repr(text)
        assert mail.read(raw).headers["subject"] == meant


def test_a_national_identity_number_is_in_no_subject() -> None:
    assert b"13116900216" not in mailed("Om 13116900216")


def test_a_file_has_a_name_that_every_disk_takes() -> None:
    for text in written():
        name = folder_send._name(claimed(text))
        assert name.isascii() and "/" not in name and not name.startswith(".")
        assert len(name) < 200 and name.isprintable() and " " not in name


def test_a_message_of_the_bus_is_written_whole_by_both_ways() -> None:
    """Values of AMQP have a length before them, and hold any letter; what no broker takes is left out."""
    for text in written():
        document = made("dialog-svar").decode().replace('V="DIALOG_SVAR"', f'V="{escape_attribute(text)}"', 1)
        properties = amqp_metadata.metadata(root_of(document.encode()))
        fields = amqp.headers(amqp.BusMessage(function="F", from_her="1", to_her="2", properties=properties))
        own = amqp_wire.to_sections(fields, b"").application_properties
        kept = str(root_of(document.encode()).find(".//{*}Type").get("V")).strip()  # type: ignore[union-attr]
        assert own.get(amqp.TYPE, "") == (kept if len(kept) <= amqp_metadata.LONGEST else "")
        published = amqp_wire.to_publishing(fields, b"")
        back = sections.application_properties(bytes(published.headers[amqp_wire.APPLICATION_PROPERTIES]))
        assert isinstance(back, dict) and back.get(amqp.TYPE, "") == own.get(amqp.TYPE, "")
        assert len(pamqp.encode.field_table(dict(published.headers))) < 20_000


def test_a_message_on_a_queue_has_the_headers_that_the_page_names() -> None:
    names = {
        "sender",
        "receiver",
        "kind",
        "msg-id",
        "message-type",
        "standard",
        "version",
        "original-msg-id",
        "delivery-id",
    }
    for text in written():
        headers = queue_wire.document(claimed(text), b"").headers
        assert set(headers) <= names
        assert len(pamqp.encode.field_table(dict(headers))) < 20_000


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_field_is_cut_and_never_broken(text: str) -> None:
    """The line of every field of a mail, whatever its value."""
    field = mail_wire._field("In-Reply-To", text)
    assert field.endswith("\r\n") and field.count("\r") == field.count("\n") == 1
    assert "\x00" not in field and field.isascii()
