"""Reading an ebMS envelope: what it is, what it says, and every breach of the numbered rules (HITS 1172)."""

from __future__ import annotations

import inspect
import re

import pytest
from lxml import etree

from hub import codes
from hub.formats import envelope
from hub.formats.envelope import EB, SOAP, EnvelopeFault, ErrorFacts, ManifestItem, PartyId
from tests.unit.envelopes import (
    HEADER,
    NOW,
    SCHEMA,
    WRITTEN,
    Edit,
    added,
    attribute,
    read,
    read_any,
    root_of,
    text,
    without,
)

BUSINESS = WRITTEN["business"]
V = f"{{{EB}}}version"


def test_a_business_message_says_all_that_was_written() -> None:
    e = read(BUSINESS)
    assert e.kind == "business"
    assert (e.from_parties, e.to_parties) == ((PartyId("HER", "8000202"),), (PartyId("HER", "8000402"),))
    assert (e.from_role, e.to_role) == ("HENVISNINGsender", "HENVISNINGreceiver")
    assert (e.cpa_id, e.conversation_id, e.message_id) == (HEADER.cpa_id, HEADER.conversation_id, HEADER.message_id)
    assert (e.service, e.service_type, e.action) == ("S-HENVISNING", "string", "HENVISNING")
    assert e.timestamp == NOW
    assert e.duplicate_elimination and e.ack_requested and e.ack_signed and not e.sync_reply
    assert e.manifest == (ManifestItem("part@example.no", *SCHEMA),)
    assert e.findings == ()


@pytest.mark.parametrize("name", [name for name in WRITTEN if " with" not in name])
def test_each_kind_that_we_write_is_read_as_that_kind(name: str) -> None:
    found = read(WRITTEN[name])
    assert found.kind == name
    assert [f for f in found.findings if f.severity == "Error"] == []


def test_time_to_live_and_sync_reply_are_read() -> None:
    e = read(WRITTEN["business with TimeToLive and SyncReply"])
    assert (e.time_to_live, e.sync_reply, e.ref_to_message_id) == (NOW, True, "earlier")


def test_awkward_values_come_back_as_they_were() -> None:
    e = read(WRITTEN["business with awkward values"])
    assert e.conversation_id == 'a&b<c>"d"'
    assert e.cpa_id == "æøå\t1"
    assert e.manifest[0] == ManifestItem("a&b<c>\"d'@e", 'urn:a&b"c<', "1\t2")


def test_an_acknowledgment_tells_what_it_acknowledges_and_echoes() -> None:
    ack = read(WRITTEN["acknowledgment"]).acknowledgment
    assert ack is not None
    assert (ack.ref_to_message_id, ack.timestamp) == ("the-message", NOW)
    assert ack.references == (("", "http://www.w3.org/2001/04/xmlenc#sha256", "aGVp"),)


def test_an_error_list_tells_every_error() -> None:
    e = read(WRITTEN["error"])
    assert e.ref_to_message_id == "the-message"
    assert e.errors == (
        ErrorFacts("SecurityFailure", "Error", "//ds:Signature", "not signed"),
        ErrorFacts("OtherXml", "Warning", "", "<&>"),
    )


@pytest.mark.parametrize(
    ("severities", "highest"),
    [
        (["Error"], "Error"),
        (["Warning"], "Warning"),
        (["Warning", "Error"], "Error"),
        (["warning?"], "Error"),
        ([], "Error"),
    ],
)
def test_the_highest_severity_is_what_the_errors_say_not_the_attribute(severities: list[str], highest: str) -> None:
    """One big sender computes it wrongly for mixed lists (ebxml.md §1.12)."""
    lines = "".join(f'<eb:Error eb:errorCode="Unknown" eb:severity="{s}"/>' for s in severities)
    other = "Warning" if highest == "Error" else "Error"
    listed = f'<eb:ErrorList eb:highestSeverity="{other}">{lines}</eb:ErrorList>'
    assert read(WRITTEN["error"], without("ErrorList"), added("Header", listed)).highest_severity == highest


def test_a_status_response_is_about_the_message_that_was_asked_for() -> None:
    """MessageData refers to the request; what is told is in the Body."""
    e = read(WRITTEN["status_response"])
    assert (e.status, e.ref_to_message_id) == ("Processed", "the-message")
    assert read(WRITTEN["status_request"]).ref_to_message_id == "the-message"


def test_a_pong_refers_to_its_ping() -> None:
    assert read(WRITTEN["pong"]).ref_to_message_id == "the-ping"


ACK = '<eb:Acknowledgment eb:version="2.0"><eb:RefToMessageId>x</eb:RefToMessageId></eb:Acknowledgment>'
ERRORS = '<eb:ErrorList><eb:Error eb:severity="Error"/></eb:ErrorList>'
SIGNAL = text("Service", "urn:oasis:names:tc:ebxml-msg:service")


@pytest.mark.parametrize(
    ("edits", "kind"),
    [
        ([added("Header", ACK)], "contradictory"),
        ([added("Header", ERRORS)], "contradictory"),
        ([added("Header", ACK), SIGNAL, text("Action", "Acknowledgment")], "acknowledgment"),
        ([added("Header", ACK), SIGNAL, text("Action", "Acknowledgement")], "acknowledgment"),
        ([added("Header", ACK + ERRORS), without("Manifest"), SIGNAL, text("Action", "MessageError")], "error"),
        ([added("Header", ACK + ERRORS), without("Manifest"), SIGNAL, text("Action", "Ping")], "contradictory"),
        ([without("Manifest")], "empty"),
        ([without("Manifest"), text("Action", "Ping")], "empty"),
        ([without("Manifest"), text("Action", "Ping"), SIGNAL], "ping"),
        ([SIGNAL, text("Action", "Acknowledgment")], "business"),
        ([added("Body", "<eb:StatusRequest/>"), without("Manifest")], "status_request"),
    ],
)
def test_what_it_is_follows_from_what_it_holds(edits: list[Edit], kind: str) -> None:
    """HITS 1172 5.11: Service and Action decide only where the contents contradict themselves."""
    assert read(BUSINESS, *edits).kind == kind


def _named(value: str) -> Edit:
    return text("MessageId", value)


MUST = f"{{{SOAP}}}mustUnderstand"
HER = '<eb:PartyId eb:type="HER">8000999</eb:PartyId>'
#: (rule, edits of a sound business message, ebMS code, severity)
TABLE: list[tuple[str, list[Edit], str, str]] = [
    ("5", [attribute("Manifest", V, None)], "ValueNotRecognized", "Warning"),
    ("6", [without("Reference")], "OtherXml", "Error"),
    ("7, 69", [attribute("MessageHeader", MUST, None)], "OtherXml", "Warning"),
    ("7, 69", [attribute("MessageHeader", MUST, "0")], "OtherXml", "Warning"),
    ("8", [attribute("MessageHeader", V, None)], "ValueNotRecognized", "Error"),
    ("11", [without("CPAId")], "OtherXml", "Error"),
    ("11", [text("CPAId", " ")], "OtherXml", "Error"),
    ("13", [added("To", HER)], "Inconsistent", "Error"),
    ("14", [added("From", HER)], "Inconsistent", "Error"),
    ("17", [text("Timestamp", "2. mars 2026")], "OtherXml", "Error"),
    ("17", [added("MessageData", "<eb:TimeToLive>Tue Jul 10 20:01:14 HKT 2007</eb:TimeToLive>")], "OtherXml", "Error"),
    ("31", [text("PartyId", "80 00")], "ValueNotRecognized", "Error"),
    ("47", [without("Service")], "OtherXml", "Error"),
    ("48", [without("Action")], "OtherXml", "Error"),
    (
        "56",
        [
            without("From"),
            text("PartyId", "NO-1"),
            added("MessageHeader", "<eb:From>" + HER + "<eb:Role>r</eb:Role></eb:From>"),
        ],
        "ValueNotRecognized",
        "Error",
    ),
    ("60", [without("From")], "ValueNotRecognized", "Error"),
    ("60", [attribute("PartyId", f"{{{EB}}}type", "ENH")], "ValueNotRecognized", "Error"),
    ("61", [without("To")], "ValueNotRecognized", "Error"),
    ("70", [attribute("MessageHeader", V, "1.0")], "ValueNotRecognized", "Error"),
    ("74", [without("DuplicateElimination")], "OtherXml", "Warning"),
    ("75", [without("AckRequested")], "OtherXml", "Warning"),
    ("76", [without("MessageId")], "OtherXml", "Error"),
    ("77", [without("Timestamp")], "OtherXml", "Error"),
    ("94", [attribute("AckRequested", f"{{{EB}}}signed", "false")], "OtherXml", "Warning"),
    ("100", [added("Header", '<t:Trace xmlns:t="urn:t" SOAP:mustUnderstand="1"/>')], "NotSupported", "Error"),
    ("101", [without("Manifest"), added("Body", '<t:Other xmlns:t="urn:t"/>')], "NotSupported", "Error"),
    ("102", [_named("a b")], "ValueNotRecognized", "Error"),
    ("102", [_named("x" * 257)], "ValueNotRecognized", "Error"),
    ("102", [_named("løpenummer-1")], "ValueNotRecognized", "Error"),
    ("Body", [added("Body", "<eb:StatusRequest/>")], "OtherXml", "Error"),
    ("Header", [added("Header", '<eb:AckRequested eb:signed="true"/>')], "Inconsistent", "Error"),
    ("H-1037 4.2", [without("ConversationId")], "OtherXml", "Error"),
    ("MessageOrder", [added("Header", '<eb:MessageOrder eb:version="2.0"/>')], "NotSupported", "Warning"),
    ("Role", [without("Role")], "OtherXml", "Warning"),
]


@pytest.mark.parametrize(("rule", "edits", "code", "severity"), TABLE)
def test_each_breach_is_found_under_its_rule(rule: str, edits: list[Edit], code: str, severity: str) -> None:
    found = read(BUSINESS, *edits).findings
    assert [(f.rule, f.ebms_code, f.severity) for f in found] == [(rule, code, severity)]
    assert found[0].element.startswith("/") and found[0].text
    assert code in codes.EBMS


def test_the_table_above_has_every_rule_that_the_reader_knows() -> None:
    """A new finding must come with the envelope that shows it."""
    source = inspect.getsource(envelope._Reader)
    known = set(re.findall(r'_say\(\s*"([^"]+)"', source)) | set(re.findall(r'\("([\dH][^"]*)", "[A-Z]\w+", ', source))
    parties = {"60", "14", "31", "61", "13", "56"}
    assert known | parties <= {rule for rule, *_ in TABLE} | {"68"}


def test_another_encoding_than_utf8_is_accepted_with_a_warning() -> None:
    """HITS 1171 8.4; rule 68."""
    raw = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + BUSINESS
    assert [(f.rule, f.severity) for f in read(raw).findings] == [("68", "Warning")]
    assert read(b'<?xml version="1.0" encoding="utf-8"?>' + BUSINESS).findings == ()


@pytest.mark.parametrize(
    "edits",
    [
        [attribute("MessageHeader", MUST, "true")],
        [_named(" 7C1B7A52-4D4E-4F43-9D8B-1F6F4D3A0002 ")],
        [_named("20250124-114229-35564@qa.example.no")],
        [_named("autotest_tc_2_2_15")],
        [text("ConversationId", "20250124-114229-355")],
        [text("CPAId", "nav:12345")],
        [text("CPAId", "8000202_8000402_17")],
        [attribute("Service", f"{{{EB}}}type", "kithService")],
        [attribute("Service", f"{{{EB}}}type", None)],
        [attribute("AckRequested", f"{{{EB}}}signed", "1")],
        [attribute("AckRequested", f"{{{SOAP}}}actor", "urn:oasis:names:tc:ebxml-msg:actor:nextMSH")],
        [attribute("AckRequested", f"{{{SOAP}}}actor", None)],
        [added("From", '<eb:PartyId eb:type="ENH">999000029</eb:PartyId>', first=True)],
        [added("Header", '<t:Trace xmlns:t="urn:t"/>')],
        [without("Description")],
        [text("Description", '{"MSH-system": "x",}')],
    ],
)
def test_what_real_senders_write_is_no_breach(edits: list[Edit]) -> None:
    assert read(BUSINESS, *edits).findings == ()


def test_values_are_trimmed() -> None:
    e = read(BUSINESS, _named("\n  id-1 \n"), text("PartyId", " 8000202\t"), text("Action", " HENVISNING "))
    assert (e.message_id, e.from_parties[0].value, e.action) == ("id-1", "8000202", "HENVISNING")


def test_prefixes_and_places_of_declarations_do_not_matter() -> None:
    raw = BUSINESS.replace(b"SOAP:", b"s:").replace(b"xmlns:SOAP", b"xmlns:s").replace(b"eb:", b"q:")
    raw = raw.replace(b"xmlns:eb", b"xmlns:q")
    assert read(raw) == read(BUSINESS)


def test_a_comment_cannot_cut_an_identifier_short() -> None:
    """Anybody on the way may put a comment into a signed envelope without breaking the signature."""
    for value in (b"8000402", HEADER.message_id.encode(), b"HENVISNING</eb:Action"):
        cut = value[:3] + b"<!-- -->" + value[3:]
        assert read(BUSINESS.replace(value, cut, 1)) == read(BUSINESS)


@pytest.mark.parametrize(
    ("edits", "rule"),
    [
        ([without("Header")], "2, 3"),
        ([without("Body")], "2, 3"),
        ([added("Envelope", "<SOAP:Header/>", first=True)], "2, 3"),
        ([added("Envelope", "<SOAP:Body/>", first=True)], "2, 3"),
        ([without("MessageHeader")], "4"),
        ([added("Header", "<eb:MessageHeader/>", first=True)], "4"),
    ],
)
def test_what_is_no_envelope_says_why(edits: list[Edit], rule: str) -> None:
    found = read_any(BUSINESS, *edits)
    assert isinstance(found, EnvelopeFault) and found.rule == rule


def test_another_soap_version_is_no_envelope_of_ours() -> None:
    raw = BUSINESS.replace(SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope")
    found = read_any(raw)
    assert isinstance(found, EnvelopeFault) and found.rule == "86"


def test_an_envelope_of_nothing_but_a_header_is_read_without_a_fault() -> None:
    e = read(
        f'<S:Envelope xmlns:S="{SOAP}"><S:Header><MessageHeader xmlns="{EB}"/></S:Header><S:Body/></S:Envelope>'.encode()
    )
    assert e.kind == "empty"
    assert {f.rule for f in e.findings} >= {"8", "60", "61", "76", "77", "11", "47", "48"}


def test_reading_changes_nothing() -> None:
    root = root_of(BUSINESS)
    before = etree.tostring(root)
    envelope.read(root)
    assert etree.tostring(root) == before
