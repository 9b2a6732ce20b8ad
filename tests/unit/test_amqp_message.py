"""A message of the bus: read from text and written to it, tolerant where the library is, with all that is missing told at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.formats import amqp, queues, xml
from hub.formats import document as documents
from hub.formats.amqp import BLIND, PROPERTY, SEALED, BusMessage
from hub.formats.amqp_metadata import metadata
from hub.formats.queues import QueueAddress, QueueKind

AT = datetime(2026, 1, 31, 13, 45, 10, tzinfo=UTC)
MESSAGE = BusMessage(
    function="DIALOG_INNBYGGER_EKONTAKT",
    from_her="93238",
    to_her="8141705",
    message_id="469eb15c-8e40-4720-9e0f-d83fcc4470e8",
    correlation_id="469eb15c-8e40-4720-9e0f-d83fcc4470e8",
    reply_to="93238_async",
    to="8141703_async",
    content_type=SEALED,
    cpa_id="49391409-e528-4919-b4a3-9ccdab72c8c1",
    application_time_stamp=AT,
    enqueued_time=AT,
    ttl=15_000,
    properties={"X-SystemIdentifier": "EPJ"},
)


def root(raw: bytes) -> etree._Element:
    found = xml.parse(raw, xml.Bounds.for_document(1_000_000))
    assert not isinstance(found, xml.XmlFault)
    return found


def test_every_field_goes_where_the_profile_has_it() -> None:
    """nhn-amqp.md §2.1, §2.2: her ids and times are strings in application properties."""
    assert amqp.headers(MESSAGE) == {
        "subject": "DIALOG_INNBYGGER_EKONTAKT",
        "to": "8141703_async",
        "reply-to": "93238_async",
        "message-id": "469eb15c-8e40-4720-9e0f-d83fcc4470e8",
        "correlation-id": "469eb15c-8e40-4720-9e0f-d83fcc4470e8",
        "content-type": "application/pkcs7-mime; smime-type=signed-and-enveloped-data",
        "ttl": "15000",
        "property:X-SystemIdentifier": "EPJ",
        "property:fromHerId": "93238",
        "property:toHerId": "8141705",
        "property:applicationTimeStamp": "2026-01-31T13:45:10Z",
        "property:cpaId": "49391409-e528-4919-b4a3-9ccdab72c8c1",
        "property:enqueuedTimeUtc": "2026-01-31T13:45:10",
    }


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="/", exclude_categories=("Z", "C")), min_size=1)
_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)


@given(
    st.builds(
        BusMessage,
        function=_WORDS,
        from_her=st.integers(1, amqp.INT_MAX).map(str),
        to_her=st.integers(1, amqp.INT_MAX).map(str),
        message_id=st.uuids().map(str),
        reply_to=_WORDS,
        to=_WORDS,
        content_type=_WORDS,
        application_time_stamp=_TIMES,
        enqueued_time=st.none() | _TIMES,
        ttl=st.none() | st.integers(0, 2**32),
        properties=st.dictionaries(_WORDS.map("X-".__add__), _WORDS, max_size=3),
    )
)
def test_what_is_written_is_read_again(message: BusMessage) -> None:
    written = amqp.headers(message)
    found = amqp.read(written)
    assert amqp.headers(found) == written
    assert (found.function, found.from_her, found.ttl) == (message.function, message.from_her, message.ttl)
    assert found.application_time_stamp == message.application_time_stamp
    assert message.properties.items() <= found.properties.items()


@given(st.dictionaries(st.sampled_from([*amqp.headers(MESSAGE), BLIND]), st.text()))
def test_no_text_makes_it_raise(headers: dict[str, str]) -> None:
    amqp.missing(amqp.read(headers))


def test_missing_fields_are_told_all_together_and_the_subject_is_called_label() -> None:
    """nhn-amqp.md §4.4."""
    assert amqp.missing(MESSAGE) == ()
    all_of_them = ("toHerId", "fromHerId", "Label", "applicationTimeStamp", "ContentType")
    assert amqp.missing(amqp.read({})) == all_of_them


@pytest.mark.parametrize("written", ["", "0", "-5", "abc", "1.5", "9999999999", "٤٢", "12 3"])
def test_a_her_id_that_is_no_positive_number_is_missing(written: str) -> None:
    """Here the library loses its way (§2.2: a format fault, redelivered for ever); we tell the sender."""
    found = amqp.read({**amqp.headers(MESSAGE), f"{PROPERTY}toHerId": written})
    assert amqp.missing(found) == ("toHerId",)


@pytest.mark.parametrize("written", ["93238", " 93238", "+93238", "0093238"])
def test_a_her_id_is_a_plain_number_however_it_is_spelt(written: str) -> None:
    assert amqp.her_id(written) == "93238"


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31T13:45:10Z",
        "2026-01-31T13:45:10",
        "2026-01-31 13:45:10",
        "2026-01-31T13:45:10.0000000Z",
        "2026-01-31T14:45:10+01:00",
        "2026-01-31T14:45:10.0000000 +01:00",
        "01/31/2026 13:45:10",
        "01/31/2026 01:45:10 PM",
        "01/31/2026 13:45:10 +00:00",
        "Sat, 31 Jan 2026 13:45:10 GMT",
    ],
)
def test_times_are_read_in_every_form_that_dotnet_writes(written: str) -> None:
    assert amqp.instant(written) == AT


@pytest.mark.parametrize("written", ["", "soon", "0001-01-01T00:00:00Z", "01/01/0001 00:00:00", "2026-13-01", "1" * 99])
def test_a_time_that_cannot_be_read_or_is_the_first_of_all_is_missing(written: str) -> None:
    assert amqp.instant(written) is None
    found = amqp.read({**amqp.headers(MESSAGE), f"{PROPERTY}applicationTimeStamp": written})
    assert amqp.missing(found) == ("applicationTimeStamp",)


def test_addresses_are_cut_to_the_queue_and_a_uuid_loses_the_brokers_prefix() -> None:
    """nhn-amqp.md §2.1: the published profile writes whole addresses, the library bare names."""
    found = amqp.read(
        {
            "to": "tb.test.nhn.no/NHNTESTServiceBus/1_async",
            "reply-to": "/queue/2_async",
            "message-id": "urn:uuid:469eb15c-8e40-4720-9e0f-d83fcc4470e8",
        }
    )
    assert (found.to, found.reply_to, found.message_id) == ("1_async", "2_async", MESSAGE.message_id)


def test_a_uuid_is_the_same_in_every_spelling() -> None:
    assert amqp.same_id("469EB15C8E4047209E0FD83FCC4470E8", "{469eb15c-8e40-4720-9e0f-d83fcc4470e8}")
    assert amqp.same_id("a", " a ") and not amqp.same_id("a", "A") and not amqp.same_id("", "")


def test_the_function_is_looked_for_where_a_blind_wire_leaves_it() -> None:
    """nhn-amqp.md §1.4: subject, else the sender's metadata, else the document."""
    written = amqp.headers(MESSAGE)
    blind = {name: value for name, value in written.items() if name != "subject"} | {BLIND: "1"}
    assert amqp.missing(amqp.read(blind)) == ()
    assert amqp.read(blind | {f"{PROPERTY}X-MessageInfo-Type": "DIALOG_HELSEFAGLIG"}).function == "DIALOG_HELSEFAGLIG"
    apprec = root(b'<AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"/>')
    assert amqp.with_function(amqp.read(blind), documents.read(apprec)).function == "APPREC"
    assert amqp.with_function(amqp.read(written), documents.read(apprec)) == amqp.read(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (SEALED, "sealed"),
        ("Application/PKCS7-mime;smime-type=enveloped-data", "sealed"),
        ("application/octet-stream", "sealed"),
        ("Text/Plain", "plain"),
        ("text/plain; charset=utf-8", "plain"),
        ("application/soap+xml", "soap"),
        ("APPLICATION/SOAP+XML;action=x", "soap"),
    ],
)
def test_content_types_are_known_however_they_are_spelt(written: str, meant: str) -> None:
    assert amqp.protection(written) == meant


def test_the_time_of_sending_is_that_of_each_attempt() -> None:
    later = datetime(2026, 2, 1, tzinfo=UTC)
    again = amqp.enqueued(amqp.headers(MESSAGE), later)
    assert amqp.read(again).enqueued_time == later and amqp.read(again).application_time_stamp == AT


# --- queues (nhn-amqp.md §1.2, §1.3)


def test_a_registered_address_has_three_parts() -> None:
    found = queues.address("tb.test.nhn.no/NHNTESTServiceBus/8141703_async")
    assert found == QueueAddress("8141703_async", "NHNTESTServiceBus", "tb.test.nhn.no")
    assert str(found) == "tb.test.nhn.no/NHNTESTServiceBus/8141703_async"
    assert queues.address(" amqps://h:5671/EX/q ") == QueueAddress("q", "EX", "h:5671")
    assert queues.address("async:fqdn/namespace/queue_name") == QueueAddress("queue_name", "namespace", "fqdn")
    assert queues.address("q") == QueueAddress("q") and str(QueueAddress("q")) == "q"
    assert [queues.address(none) for none in ("", "host/EX/", "a b/c")] == [None] * 3


def test_links_are_addressed_in_each_syntax() -> None:
    to = QueueAddress("8141703 async", "E/X")
    assert [queues.target(QueueAddress("q", "EX"), s) for s in ("v1", "v2", "plain")] == [
        "/exchange/EX/q",
        "/exchanges/EX/q",
        "q",
    ]
    assert queues.target(to, "v2") == "/exchanges/E%2FX/8141703%20async"
    assert [queues.target(QueueAddress("q"), s) for s in ("v1", "v2", "plain")] == ["q", "/queues/q", "q"]
    assert [queues.source("q", s) for s in ("v1", "v2", "plain")] == ["/amq/queue/q", "/queues/q", "q"]


def test_each_kind_of_queue_has_its_type_in_the_register() -> None:
    assert {
        "E_SB_ASYNC": QueueKind.ASYNC,
        "E_SB_SYNC": QueueKind.SYNC,
        "E_SB_SYNCREPLY": QueueKind.SYNCREPLY,
        "E_SB_ERROR": QueueKind.ERROR,
    } == queues.REGISTERED


# --- metadata (nhn-amqp.md §2.4)


@pytest.mark.parametrize(
    ("file", "namespace", "msg_id", "levels"),
    [
        (
            "apprec-1.0/helsenorge/MetadataTests_Apprec10.xml",
            "http://www.kith.no/xmlstds/apprec/2004-11-21",
            "A76D8934-D4BA-4A22-8F5D-5DF5E3FC5756",
            ("59", "90998", "56704", "258521"),
        ),
        (
            "apprec-1.1/helsenorge/MetadataTests_Apprec11.xml",
            "http://www.kith.no/xmlstds/apprec/2012-02-15",
            "C829A5F9-5BBF-4376-A37F-ADE4B399916C",
            ("56704", "258521", "59", "90998"),
        ),
    ],
)
def test_metadata_of_a_receipt(
    standards: Path, file: str, namespace: str, msg_id: str, levels: tuple[str, str, str, str]
) -> None:
    assert metadata(root((standards / "samples" / file).read_bytes())) == {
        "X-MessageInfo-SchemaNamespace": namespace,
        "X-MessageInfo-Type": "APPREC",
        "X-MessageInfo-MsgId": msg_id,
        "X-MessageInfo-OriginalMsgId": "de1a95c0-4d0c-11e7-9598-0800200c9a66",
        "X-MessageInfo-OriginalMsgType": "DIALOG_HELSEFAGLIG",
        "X-Sender-Lvl1Id": levels[0],
        "X-Sender-Lvl2Id": levels[1],
        "X-Receiver-Lvl1Id": levels[2],
        "X-Receiver-Lvl2Id": levels[3],
    }


def test_metadata_of_a_message(standards: Path) -> None:
    path = standards / "samples/dialogmelding-1.1/helsenorge/Helsenorge_Message.xml"
    assert metadata(root(path.read_bytes())) == {
        "X-MessageInfo-Type": "DIALOG_INNBYGGER_EKONTAKT",
        "X-MessageInfo-MsgId": "8325fcba-89a9-11e3-baa8-0800200c9a66",
        "X-MessageInfo-SchemaNamespace": "http://www.kith.no/xmlstds/dialog/2013-01-23",
        "X-Sender-Lvl2Id": "109989",
        "X-Receiver-Lvl1Id": "109989",
        "X-Receiver-Lvl2Id": "91095",
        "X-AttachmentInfo-Count": "0",
        "X-AttachmentInfo-TotalSizeInBytes": "0",
        "X-AttachmentInfo-HasExternalReference": "False",
    }


def test_attachments_are_counted_by_their_text_and_others_tell_their_namespace() -> None:
    document = root(
        b'<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo><ConversationRef>'
        b"<RefToParent>p</RefToParent><RefToConversation>c</RefToConversation></ConversationRef></MsgInfo><Document/>"
        b'<Document><RefDoc><Content><Base64Container xmlns="http://www.kith.no/xmlstds/base64container">AAAA'
        b"</Base64Container></Content></RefDoc></Document><Document><RefDoc><FileReference>x</FileReference></RefDoc>"
        b"</Document></MsgHead>"
    )
    assert metadata(document) == {
        "X-MessageInfo-RefToParent": "p",
        "X-MessageInfo-RefToConversation": "c",
        "X-AttachmentInfo-Count": "2",
        "X-AttachmentInfo-TotalSizeInBytes": "4",
        "X-AttachmentInfo-HasExternalReference": "True",
    }
    assert metadata(root(b'<a xmlns="urn:a"/>')) == {"X-MessageInfo-SchemaNamespace": "urn:a"}
    assert metadata(root(b"<a/>")) == {}
