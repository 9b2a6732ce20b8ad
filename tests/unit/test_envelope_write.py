"""Envelopes of ours: canonical as they stand, in the schema's order, and safe for any value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.formats import envelope_write, fault
from hub.formats.envelope import EB, SOAP
from hub.formats.envelope_write import ErrorLine, escape_attribute, escape_text
from tests.official import Official
from tests.unit.envelopes import HEADER, SCHEMA, WRITTEN, read, signal

#: Children of eb:MessageHeader in the order of the schema.
ORDER = [
    "From",
    "To",
    "CPAId",
    "ConversationId",
    "Service",
    "Action",
    "MessageData",
    "DuplicateElimination",
    "Description",
]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_equals_its_own_canonical_form(name: str) -> None:
    """So that signing needs no parser: the bytes are the bytes that are digested."""
    assert etree.tostring(etree.fromstring(WRITTEN[name]), method="c14n", with_comments=False) == WRITTEN[name]


@pytest.mark.parametrize("name", WRITTEN)
def test_header_elements_stand_in_the_order_of_the_schema(name: str) -> None:
    header = etree.fromstring(WRITTEN[name]).find(f"{{{SOAP}}}Header/{{{EB}}}MessageHeader")
    assert header is not None
    names = [etree.QName(child).localname for child in header]
    assert names == [n for n in ORDER if n in names] and names[:7] == ORDER[:7]


@pytest.mark.parametrize("name", [n for n in WRITTEN if "awkward" not in n])
def test_the_official_schema_has_nothing_against_it(standards: Path, name: str) -> None:
    assert Official(standards).faults(etree.fromstring(WRITTEN[name])) == []


def test_a_signal_has_no_roles_no_duplicate_elimination_and_an_empty_body() -> None:
    """HIS 1037 4.2."""
    for name in ("acknowledgment", "error", "pong"):
        root = etree.fromstring(WRITTEN[name])
        assert root.find(f".//{{{EB}}}Role") is None
        assert root.find(f".//{{{EB}}}DuplicateElimination") is None
        body = root.find(f"{{{SOAP}}}Body")
        assert body is not None and len(body) == 0


def test_an_acknowledgment_has_no_reference_in_its_message_data() -> None:
    """HITS 1172 109; a MessageError must have one (122)."""
    for name, wanted in (("acknowledgment", 0), ("error", 1)):
        data = etree.fromstring(WRITTEN[name]).find(f".//{{{EB}}}MessageData")
        assert data is not None and len(data.findall(f"{{{EB}}}RefToMessageId")) == wanted


@pytest.mark.parametrize(
    ("severities", "highest"), [(["Warning"], "Warning"), (["Warning", "Error"], "Error"), (["Error"], "Error")]
)
def test_the_highest_severity_is_error_if_any_is(severities: list[str], highest: str) -> None:
    lines = [ErrorLine("Unknown", severity, "", "x") for severity in severities]
    listed = etree.fromstring(envelope_write.message_error(signal("MessageError"), lines)).find(f".//{{{EB}}}ErrorList")
    assert listed is not None and listed.get(f"{{{EB}}}highestSeverity") == highest


def test_a_schema_is_named_only_where_both_namespace_and_version_are_known() -> None:
    """An empty eb:version is what makes one big sender's messages invalid."""
    for known in (("urn:x", ""), ("", "1.1"), ("", "")):
        root = etree.fromstring(envelope_write.business(HEADER, "part", known))
        assert root.find(f".//{{{EB}}}Schema") is None
    assert etree.fromstring(envelope_write.business(HEADER, "part", SCHEMA)).find(f".//{{{EB}}}Schema") is not None


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_value_is_written_canonically_and_read_back_where_xml_can_hold_it(value: str, cid: str) -> None:
    fields = replace(HEADER, conversation_id=value, cpa_id=value, service=value, action=value, software=(value, value))
    raw = envelope_write.business(fields, cid, (value, value))
    assert etree.tostring(etree.fromstring(raw), method="c14n", with_comments=False) == raw
    kept = envelope_write._FORBIDDEN.sub("\ufffd", value).strip(" \t\r\n")
    assert read(raw).conversation_id.strip() == kept.strip()


def test_escaping_is_that_of_c14n() -> None:
    assert escape_text("a&<>\r\n\t\"'") == "a&amp;&lt;&gt;&#xD;\n\t\"'"
    assert escape_attribute("a&<>\r\n\t\"'") == "a&amp;&lt;>&#xD;&#xA;&#x9;&quot;'"
    assert escape_text("\x00\ud800\ufffe") == escape_attribute("\x00\ud800\ufffe") == "\ufffd" * 3


@pytest.mark.parametrize("code", ["Client", "Server"])
def test_a_soap_fault_is_valid_and_says_its_text(standards: Path, code: str) -> None:
    root = etree.fromstring(fault.write(code, "rule <17> & more"))  # type: ignore[arg-type]
    assert root.findtext(".//faultcode") == f"SOAP:{code}"
    assert root.findtext(".//faultstring") == "rule <17> & more"
    assert Official(standards).faults(root) == []
