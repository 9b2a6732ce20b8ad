"""Error reports: both generations and SOAP faults are read, whatever they come in, and ours can start no endless exchange."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.formats import amqp, amqp_report, nbfx
from hub.formats.amqp import SEALED, SOAP_FAULT, BusMessage
from hub.formats.amqp_report import Condition
from tests.unit.test_amqp_message import AT, MESSAGE

LATER = datetime(2026, 1, 31, 13, 50, tzinfo=UTC)
FAULT = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code>'
    "<s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>Prøvd</s:Text></s:Reason><s:Detail>"
    '<d:messageId xmlns:d="http://www.kith.no/xmlstds/digitaldialog/2013-10-08">469eb15c</d:messageId></s:Detail>'
    "</s:Fault></s:Body></s:Envelope>"
)


def reported(about: BusMessage = MESSAGE, data: tuple[str, ...] = ("toHerId", "Label")) -> BusMessage | None:
    return amqp_report.written(
        about, Condition.FIELD, "mangler", data=data, message_id="ny", at=LATER, queue="93238_error"
    )


def test_a_report_goes_back_with_what_every_receiver_demands() -> None:
    """nhn-amqp.md §2.3, §4.4: subject, her ids turned round, a time, and the content type of sealed ones."""
    report = reported()
    assert report is not None and amqp.missing(report) == ()
    assert amqp.headers(report) == {
        "subject": "DIALOG_INNBYGGER_EKONTAKT",
        "to": "93238_error",
        "message-id": "ny",
        "correlation-id": MESSAGE.correlation_id,
        "content-type": SEALED,
        "property:originalMessageId": MESSAGE.message_id,
        "property:receiverTimeStamp": "01/31/2026 13:50:00",
        "property:errorCondition": "transport:invalid-field-value",
        "property:errorDescription": "mangler",
        "property:errorConditionData": "toHerId;Label;",
        "property:fromHerId": "8141705",
        "property:toHerId": "93238",
        "property:cpaId": MESSAGE.cpa_id,
        "property:applicationTimeStamp": "2026-01-31T13:50:00Z",
    }


def test_a_report_about_a_message_without_subject_has_one_all_the_same() -> None:
    report = reported(replace(MESSAGE, function=""), data=())
    assert report is not None and amqp.missing(report) == ()
    assert "errorConditionData" not in amqp.read(amqp.headers(report)).properties


def test_nobody_is_told_where_nobody_is_named() -> None:
    assert reported(replace(MESSAGE, from_her="")) is None
    assert reported(replace(MESSAGE, to_her="")) is None


def test_a_fresh_report_is_read_again() -> None:
    report = reported()
    assert report is not None
    found = amqp_report.read(amqp.read(amqp.headers(report)), b"")
    assert found.form == "fresh" and found.about[0] == MESSAGE.message_id
    assert (found.condition, found.description, found.data) == (Condition.FIELD, "mangler", ("toHerId", "Label"))
    assert found.received_at == LATER and (found.from_her, found.to_her) == ("8141705", "93238")
    assert "mangler" not in repr(found)


def test_a_report_of_the_deployed_versions_is_the_message_itself_with_properties_added() -> None:
    """Up to 7.0.2: ids, subject, time and content type are those of the faulty message (nhn-amqp.md §4.4)."""
    copy = replace(
        MESSAGE,
        from_her=MESSAGE.to_her,
        to_her=MESSAGE.from_her,
        properties={
            "originalMessageId": MESSAGE.message_id,
            "errorCondition": "transport:expired-certificate",
            "errorDescription": "Invalid end date",
            "errorConditionData": "Subject: CN=x;Thumbprint: AB;",
        },
    )
    found = amqp_report.read(amqp.read(amqp.headers(copy)), b"")
    assert found.form == "copy" and found.about == (MESSAGE.message_id,)
    assert found.condition == Condition.EXPIRED_CERTIFICATE and found.data == ("Subject: CN=x", "Thumbprint: AB")
    assert found.received_at is None and found.function == MESSAGE.function


def test_an_error_without_any_field_is_taken_as_well() -> None:
    found = amqp_report.read(amqp.read({}), b"")
    assert (found.form, found.condition, found.about) == ("other", "", ())


def serialised(text: str, size: int) -> bytes:
    """As DataContractSerializer writes a string with the binary writer of .NET, in chunks of at most `size` bytes."""
    raw = text.encode()
    name = b"http://schemas.microsoft.com/2003/10/Serialization/"
    chunks = [raw[at : at + size] for at in range(0, len(raw), size)] or [b""]
    record = {True: (0x98, 1), False: (0x9A, 2)}[size < 256]
    body = b"".join(bytes([record[0]]) + len(c).to_bytes(record[1], "little") + c for c in chunks[:-1])
    last = bytes([record[0] + 1]) + len(chunks[-1]).to_bytes(record[1], "little") + chunks[-1]
    return b"\x40\x06string\x08" + bytes([len(name)]) + name + body + last


@pytest.mark.parametrize(
    "body",
    [
        FAULT.encode(),
        b"\xef\xbb\xbf" + FAULT.encode(),
        b"\r\n " + FAULT.encode(),
        serialised(FAULT, 255),
        serialised(FAULT, 60_000),
    ],
)
@pytest.mark.parametrize("subject", [SOAP_FAULT, "amqp_soap_fault", ""])
def test_a_soap_fault_is_read_in_every_form(body: bytes, subject: str) -> None:
    """XML, or .NET's binary form of a string; an AMQP string was made text on the wire (nhn-amqp.md §4.4)."""
    found = amqp_report.read(BusMessage(function=subject, application_time_stamp=AT), body)
    assert (found.form, found.condition, found.description) == ("soap-fault", "s:Sender", "Prøvd")
    assert found.about == ("469eb15c",) and found.received_at == AT


@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_body_makes_it_raise(garbage: bytes, cut: int) -> None:
    for body in (garbage, serialised(FAULT, 255)[:cut] + garbage, b"\x40\x06string" + garbage):
        amqp_report.read(BusMessage(function=SOAP_FAULT), body)
        nbfx.string(body)


def test_a_serialised_string_ends_where_it_says() -> None:
    assert nbfx.string(serialised("blåbær" * 100, 100)) == "blåbær" * 100
    assert nbfx.string(b"\x40\x06string\x98\x02ab\x01") == "ab"
    assert nbfx.string(b"\x40\x06string\x99\x09ab") is None
    assert nbfx.string(b"\x40\x06string\x08\xff\xff\xff\xff\xff\x01") is None
    assert nbfx.string(FAULT.encode()) is None
