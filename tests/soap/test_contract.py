"""The contract: as it was published, described by WSDLs that strict readers take, and by the rules of Basic Profile 1.1."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
import requests
import zeep
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.soap import contract, values
from adapters.soap.contract import XS, Member
from adapters.soap.wsdl import WSDL, wsdl
from hub.events import NotificationType
from hub.record_systems.values import AppRecStatus, TransportState
from tests.soap.stand import ENVELOPES, Stand, Version

V1 = contract.version_1()
W, SOAP = (
    f"{{{WSDL}}}",
    {"1.1": "{http://schemas.xmlsoap.org/wsdl/soap/}", "1.2": "{http://schemas.xmlsoap.org/wsdl/soap12/}"},
)
#: SHA-256 over what clients were generated from: every type, element, order and cardinality of version 1, without its words.
PUBLISHED = "e861911d4417aa923818266fd60eef59e2cf5802d47b14352fe34b56084fdb7e"
#: The operations of that day; others may have come.
OPERATIONS = (
    "Ping",
    "SubmitMessage",
    "GetMessageStatus",
    "ListMessages",
    "FetchMessage",
    "ConfirmMessages",
    "SubmitAppRec",
    "GetEvents",
)


def _published() -> bytes:
    """Canonical, without documentation, and without what later operations have brought."""
    root = deepcopy(V1.root)
    for words in list(root.iter(f"{XS}annotation")):
        words.getparent().remove(words)
    known = {name for one in OPERATIONS for name in (one, f"{one}Response", f"{one}Result")}
    for child in list(root):
        name = child.get("name", "")
        later = name.removesuffix("Response").removesuffix("Result")
        if child.tag != f"{XS}simpleType" and later in V1.operations and name not in known:
            root.remove(child)
    for element in root.iter():
        element.text = element.tail = None
    return bytes(etree.tostring(root, method="c14n2"))


def test_version_1_is_as_it_was_published() -> None:
    """Clients break on a new member in the middle and at the end, and read a new enumeration value as nothing at all."""
    assert hashlib.sha256(_published()).hexdigest() == PUBLISHED


@pytest.mark.parametrize(
    "change",
    [
        lambda r: etree.SubElement(
            r.find(f"{XS}complexType[@name='PingResult']/{XS}sequence"), f"{XS}element", name="x"
        ),
        lambda r: r.find(f".//{XS}enumeration").set("value", "Other"),
        lambda r: r.find(f".//{XS}element[@name='tryAgain']").set("minOccurs", "0"),
    ],
)
def test_the_comparison_sees_a_change(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    """Else it would hold nothing."""
    before = _published()
    changed = deepcopy(V1.root)
    change(changed)
    monkeypatch.setattr("tests.soap.test_contract.V1", contract.read(etree.tostring(changed)))
    assert _published() != before


@pytest.mark.parametrize(
    ("kind", "words"),
    [("EventType", NotificationType), ("TransportDeliveryState", TransportState), ("AppRecStatus", AppRecStatus)],
)
def test_the_contract_has_a_word_for_all_that_may_be_told(kind: str, words: type[StrEnum]) -> None:
    """A value that it lacks would make the whole reply a fault of ours."""
    told = V1.root.findall(f"{XS}simpleType[@name='{kind}']//{XS}enumeration")
    assert {str(word) for word in words} <= {one.get("value") for one in told}


def test_every_type_and_member_has_its_words() -> None:
    """They become the documentation of what toolkits generate."""
    bare = [
        element.get("name")
        for element in V1.root.iter(f"{XS}element", f"{XS}complexType", f"{XS}simpleType")
        if element.get("name") not in (None, "result") and element.find(f"{XS}annotation/{XS}documentation") is None
    ]
    assert bare == []


def test_every_result_has_two_members_at_least() -> None:
    """zeep unwraps a type with one member: its users' code would change when a second comes."""
    assert [name for name in V1.types if name.endswith("Result") and len(V1.types[name]) < 2] == []


@pytest.mark.parametrize("version", ENVELOPES)
def test_the_wsdl_is_read_by_a_strict_reader(stand: Stand, version: Version) -> None:
    """One service, one port, every operation; served at `?wsdl`, `?WSDL`, `?wsdl=12`."""
    client = zeep.Client(f"{stand.door}?wsdl{'=12' if version == '1.2' else ''}", settings=zeep.Settings(strict=True))
    [service] = client.wsdl.services.values()
    [port] = service.ports.values()
    assert list(port.binding._operations) == list(OPERATIONS)
    assert port.binding_options["address"] == stand.door
    assert requests.get(f"{stand.door}?WSDL", timeout=10).content == stand.wsdl("1.1")
    assert requests.get(f"{stand.door}?xsd", timeout=10).content == V1.raw
    assert "?wsdl" in requests.get(stand.door, timeout=10).text


def test_the_address_is_never_taken_from_a_request(stand: Stand) -> None:
    """Host is the caller's word (RFC 9110 7.2)."""
    answer = requests.get(f"{stand.door}?wsdl", headers={"Host": "evil.example"}, timeout=10)
    assert b"evil.example" not in answer.content and stand.door.encode() in answer.content


# --- WS-I Basic Profile 1.1


def broken(raw: bytes) -> Iterator[str]:
    """The rules that a WSDL breaks, by number: those that concern document/literal without imports."""
    root = etree.fromstring(raw)
    soap = SOAP["1.2" if SOAP["1.2"][1:-1].encode() in raw else "1.1"]
    yield from _of_messages(root)
    ports = root.findall(f"{W}portType/{W}operation")
    yield from _of_port_type(root, ports)
    for binding in root.findall(f"{W}binding"):
        yield from _of_binding(root, binding, ports, soap)
    for port in root.findall(f"{W}service/{W}port"):
        address = port.find(f"{soap}address")
        if address is None or not (address.get("location") or "").startswith("http"):
            yield "R2711"


def _local(name: str | None) -> str:
    return (name or "").rpartition(":")[2]


def _twice(root: Any, tag: str) -> bool:
    names = [one.get("name") for one in root.findall(tag)]
    return len(set(names)) != len(names)


def _of_messages(root: Any) -> Iterator[str]:
    schema = root.find(f"{W}types/{XS}schema")
    if not schema.get("targetNamespace"):
        yield "R2105"
    if root[0].tag not in (f"{W}types", f"{W}documentation"):
        yield "R2023"
    if any(_twice(root, f"{W}{kind}") for kind in ("message", "portType", "binding", "service")):
        yield "R2028"
    elements = {e.get("name") for e in schema.findall(f"{XS}element")}
    for message in root.findall(f"{W}message"):
        found = message.findall(f"{W}part")
        if len(found) > 1:
            yield "R2201"
        if any(p.get("type") or _local(p.get("element")) not in elements for p in found):
            yield "R2204"


def _of_port_type(root: Any, operations: list[Any]) -> Iterator[str]:
    if _twice(root, f"{W}portType/{W}operation"):
        yield "R2304"
    messages = {m.get("name") for m in root.findall(f"{W}message")}
    for operation in operations:
        if operation.find(f"{W}input") is None:
            yield "R2303"
        if any(one.get("message") and _local(one.get("message")) not in messages for one in operation):
            yield "R2101"


def _of_binding(root: Any, binding: Any, ports: list[Any], soap: str) -> Iterator[str]:
    own = binding.find(f"{soap}binding")
    if own is None:
        yield "R2401"
        return
    if own.get("transport") != "http://schemas.xmlsoap.org/soap/http":
        yield "R2702"
    bound = binding.findall(f"{W}operation")
    if [o.get("name") for o in bound] != [o.get("name") for o in ports]:
        yield "R2718"
        return
    first = []
    for operation, port in zip(bound, ports, strict=True):
        yield from _of_operation(operation, port, own, soap)
        message = _local(port.find(f"{W}input").get("message"))
        first += [p.get("element") for p in root.findall(f"{W}message[@name='{message}']/{W}part")]
    if len(set(first)) != len(first):
        yield "R2710"


def _of_operation(operation: Any, port: Any, binding: Any, soap: str) -> Iterator[str]:
    own = operation.find(f"{soap}operation")
    if {binding.get("style", "document"), own.get("style", "document")} != {"document"}:
        yield "R2705"
    if not own.get("soapAction"):
        yield "R2745"
    bodies, faults = list(operation.iter(f"{soap}body")), operation.findall(f"{W}fault")
    inner = [fault.find(f"{soap}fault") for fault in faults]
    if any(one is not None and one.get("use") != "literal" for one in (*bodies, *inner)):
        yield "R2706"
    if any(body.get("namespace") is not None for body in bodies):
        yield "R2716"
    if any(i is None or i.get("name") != f.get("name") for f, i in zip(faults, inner, strict=True)):
        yield "R2721"
    if {f.get("name") for f in faults} != {f.get("name") for f in port.findall(f"{W}fault")}:
        yield "R2740"


@pytest.mark.parametrize("version", ENVELOPES)
def test_the_wsdl_keeps_the_basic_profile(stand: Stand, version: Version) -> None:
    """Twenty rules, none broken."""
    assert list(broken(stand.wsdl(version))) == []


#: A rule → what breaks it in a WSDL 1.1.
SPOILT = {
    "R2706": (b'use="literal"', b'use="encoded"'),
    "R2721": (b'<soap:fault name="HubException"', b'<soap:fault name="Other"'),
    "R2702": (b"http://schemas.xmlsoap.org/soap/http", b"http://schemas.xmlsoap.org/soap/smtp"),
    "R2745": (b'soapAction="urn:samhandling-hub:epj:v1/Ping"', b'soapAction=""'),
    "R2204": (b'element="h:Ping"', b'type="h:PingResult"'),
    "R2101": (b'message="h:PingReply"', b'message="h:Nothing"'),
    "R2710": (b'element="h:FetchMessage"', b'element="h:GetMessageStatus"'),
    "R2705": (b'style="document"', b'style="rpc"'),
    "R2711": (b'location="http', b'location="mailto:http'),
    "R2716": (b'<soap:body use="literal"', b'<soap:body namespace="urn:x" use="literal"'),
    "R2028": (b'message name="PingReply"', b'message name="PingRequest"'),
    "R2740": (b'<wsdl:fault name="HubException">', b'<wsdl:fault name="Other">'),
}


@pytest.mark.parametrize("rule", SPOILT)
def test_a_spoilt_wsdl_breaks_its_rule(rule: str) -> None:
    """So the rules are looked at, each for itself."""
    good = wsdl(V1, "http://127.0.0.1/soap/v1", "1.1")
    old, new = SPOILT[rule]
    assert good.count(old) >= 1
    assert rule in list(broken(good.replace(old, new)))


# --- values


def _value(member: Member) -> st.SearchStrategy[Any]:
    text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "int": st.integers(1, 2**31 - 1),
        "long": st.integers(0, 2**63 - 1),
        "boolean": st.booleans(),
        "string": text,
        "base64Binary": st.binary(max_size=200),
        "dateTime": st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    }
    restricted = {"messageId": st.uuids().map(str), "appRecMessageId": st.uuids().map(str)}
    if member.name in restricted:
        one = restricted[member.name]
    elif member.name in ("transportDeliveryState", "status", "type"):
        one = st.sampled_from(
            {"transportDeliveryState": ["Abandoned"], "status": ["Ok"], "type": ["NewMessage"]}[member.name]
        )
    else:
        one = _values(V1.types[member.kind]) if member.kind in V1.types else kinds[member.kind]
    if member.many:
        return st.lists(one, min_size=0 if member.optional else 1, max_size=3)
    return st.none() | one if member.optional else one


def _values(members: tuple[Member, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({member.name: _value(member) for member in members})


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=20)
@given(data=st.data())
def test_what_is_written_is_read_again(name: str, data: st.DataObject) -> None:
    """Every request of the contract, by its own schema."""
    given_values = data.draw(_values(V1.elements[name]))
    read = etree.fromstring(values.Written(V1).element(name, given_values).content())
    assert values.request(read, V1, {}) == (name, given_values)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=20)
@given(data=st.data())
def test_every_reply_that_can_be_written_is_as_agreed(name: str, data: st.DataObject) -> None:
    """What the facade may answer is valid by the contract."""
    made = values.Written(V1).element(f"{name}Response", data.draw(_values(V1.elements[f"{name}Response"])))
    made.as_agreed()
    element = etree.fromstring(made.content())
    assert V1.schema.validate(element), V1.schema.error_log


def test_a_reply_that_breaks_the_contract_is_none() -> None:
    """It would be a riddle to whoever reads it: a fault of ours instead."""
    with pytest.raises(ValueError, match="PingResponse"):
        values.Written(V1).element("PingResponse", {"result": {"system": "x"}}).as_agreed()
