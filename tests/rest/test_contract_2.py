"""Version 2 against the stored contract of NHN and the stored examples of a client's tests: neither more words nor fewer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.rest import version_2, wire_2
from adapters.rest.table import Endpoint
from hub.message import MessageRecord
from hub.record_systems.values import AppRecInfo, AppRecStatus, Fault, Info, Standing, Transport, TransportState
from tests.rest.caller import RECEIVER, Caller


@pytest.fixture(scope="module", name="contract")
def _contract(standards: Path) -> dict[str, Any]:
    return dict(json.loads((standards / "wsdl/ks-fiks/msh-api-v2.json").read_text("utf-8")))


@pytest.fixture(name="stored")
def _stored(standards: Path) -> Any:
    return lambda name: json.loads((standards / f"samples/msh-api/ks-fiks/{name}.json").read_text("utf-8"))


def faults(value: Any, schema: Mapping[str, Any], contract: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """What OpenAPI 3.0 says against a value, of as much of it as the contract uses."""
    if "$ref" in schema:
        schema = contract["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if value is None:
        yield from () if schema.get("nullable") else (f"{at} is null",)
        return
    for part in schema.get("allOf", ()):
        yield from faults(value, part, contract, at)
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    if (kind := schema.get("type")) is not None and not isinstance(value, kinds[kind]):
        yield f"{at} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is {value!r}"
    if schema.get("format") == "uuid":
        UUID(value)
    for number, one in enumerate(value if isinstance(value, list) else ()):
        yield from faults(one, schema["items"], contract, f"{at}[{number}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{at} lacks {name}" for name in schema.get("required", ()) if name not in value)
        for name, one in value.items():
            if name in known:
                yield from faults(one, known[name], contract, f"{at}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{at} has {name}"


def _rows() -> list[Endpoint]:
    return list(version_2.version().endpoints)


def test_every_endpoint_of_the_contract_is_there(contract: dict[str, Any]) -> None:
    """By method and path, whatever its parameters are called, and with the status of its success."""

    def shape(path: str) -> tuple[str, ...]:
        return tuple("{}" if part.startswith("{") else part.lower() for part in path.split("/"))

    theirs = {
        (method.upper(), shape(path), next(int(code) for code in row["responses"] if code < "300"))
        for path, methods in contract["paths"].items()
        for method, row in methods.items()
    }
    assert {(row.method, shape(row.path), row.status) for row in _rows()} == theirs


def test_queries_and_bodies_have_the_contracts_members(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    for model in (wire_2.PostMessageRequest, wire_2.PostAppRecRequest, wire_2.EbXmlInfo):
        ours = {field.alias for field in model.model_fields.values()}
        assert ours == set(schemas[model.__name__]["properties"]), model
    asked = contract["paths"]["/Messages"]["get"]["parameters"]
    theirs = {one["name"]: bool(one.get("required")) for one in asked if one["in"] == "query"}
    ours_too = {str(field.alias): field.is_required() for field in wire_2.MessagesQuery.model_fields.values()}
    assert ours_too == theirs


@pytest.mark.parametrize("metadata", ["true", "false"])
def test_every_answer_is_the_contracts(easy: Caller, contract: dict[str, Any], metadata: str) -> None:
    """And every refusal."""
    own = easy("POST", "/api/v2/Messages", easy.order_2(), version="2").json()
    easy("POST", f"/api/v2/Messages/{own}/apprec/{RECEIVER}", {"appRecStatus": 1}, version="2", system="kommune")
    asked = [
        ("/Messages", "kommune", f"ReceiverHerIds={RECEIVER}&IncludeMetadata={metadata}", "200"),
        ("/Messages", "kommune", "", "400"),
        ("/Messages", "kommune", "ReceiverHerIds=1", "403"),
        ("/Messages/{id}", "legesenter", "", "200"),
        ("/Messages/{id}/status", "legesenter", "", "200"),
        ("/Messages/{id}/apprec", "legesenter", "", "200"),
        ("/Messages/{id}/business-document", "kommune", "", "200"),
    ]
    for path, system, query, status in asked:
        reply = easy("GET", f"/api/v2{path.format(id=own)}", version="2", system=system, query=query)
        assert str(reply.status) == status, reply.body
        schema = contract["paths"][path]["get"]["responses"][status]["content"]["application/json"]["schema"]
        assert list(faults(reply.json(), schema, contract)) == [], path


#: A state of version 3, whether something left the house → the word of version 2.
STATES = [
    (TransportState.UNCONFIRMED, False, "Unconfirmed"),
    (TransportState.UNCONFIRMED, True, "Unconfirmed"),
    (TransportState.ACKNOWLEDGED, True, "Acknowledged"),
    (TransportState.REJECTED, True, "Rejected"),
    (TransportState.ABANDONED, False, "Rejected"),
    (TransportState.ABANDONED, True, "Unconfirmed"),
]


def test_every_state_has_a_word() -> None:
    assert {one for one, _, _ in STATES} == set(TransportState)


@pytest.mark.parametrize(("state", "sent", "word"), STATES)
def test_no_state_is_said_that_the_contract_does_not_know(
    contract: dict[str, Any], state: TransportState, sent: bool, word: str
) -> None:
    told = wire_2.status(_standing(state, sent=sent))
    assert told["transportDeliveryState"] == word
    assert list(faults(told, {"$ref": "#/StatusInfo"}, contract)) == []


def _standing(
    state: TransportState, receiver: str = "8094866", apprec: AppRecInfo | None = None, *, sent: bool = True
) -> Standing:
    return Standing(receiver, state, sent, apprec, "sent", "accepted", "")


@pytest.mark.parametrize("name", ["get-status", "get-status-acked"])
def test_a_stored_status_is_said_in_the_same_words(stored: Any, name: str) -> None:
    for theirs in stored(name):
        status = theirs["appRecStatus"]
        info = AppRecInfo(AppRecStatus(status)) if status else None
        own = _standing(TransportState(theirs["transportDeliveryState"]), str(theirs["receiverHerId"]), info)
        assert wire_2.status(own) == theirs


@pytest.mark.parametrize("which", ["multi", "ok", "okerrorinmessagepart", "rejected"])
def test_stored_apprecs_are_said_in_the_same_words(stored: Any, which: str) -> None:
    """Null and absent mean the same (A15.8)."""
    for theirs in stored(f"get-apprecinfo-{which}"):
        errors = tuple(Fault(e["errorCode"], details=e["details"]) for e in theirs["appRecErrorList"])
        info = AppRecInfo(AppRecStatus(theirs["appRecStatus"]), errors)
        told = wire_2.apprec(_standing(TransportState.ACKNOWLEDGED, str(theirs["receiverHerId"]), info))
        assert json.loads(json.dumps(told), object_hook=_said) == theirs


def _said(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("name", ["get-message-response", "get-message-apprec-response"])
def test_a_stored_message_is_told_in_the_same_words(stored: Any, name: str) -> None:
    """The date with its zone, which the stored ones leave to the reader (A15.3)."""
    theirs = stored(name)
    kind = "apprec" if theirs["isAppRec"] else "document"
    at = datetime.fromisoformat(theirs["businessDocumentGenDate"][:26]).replace(tzinfo=UTC)
    sender, receiver = str(theirs["senderHerId"]), str(theirs["receiverHerId"])
    record = MessageRecord(theirs["id"], "", "in", kind, "rest", at, sender, receiver, gen_date=at)
    record = replace(record, msg_id=theirs["businessDocumentId"])
    told = wire_2.message(Info(record, (record.to_her,)), record.to_her)
    assert told | {"businessDocumentGenDate": theirs["businessDocumentGenDate"]} == theirs
    assert datetime.fromisoformat(str(told["businessDocumentGenDate"])) == at


@pytest.mark.parametrize("name", ["get-business-document-response", "get-business-document-apprec-response"])
def test_a_stored_document_is_handed_on_in_the_same_words(stored: Any, name: str) -> None:
    from adapters.rest import wire

    theirs = stored(name)
    assert wire.business_document(base64.b64decode(theirs["businessDocument"])) == theirs


# --- what a sender wishes


def test_what_a_sender_wishes_is_what_the_facade_is_told() -> None:
    """Every member of EbXmlInfo; name and version of the application come from the header where nothing else is said."""
    given = {
        "cpaId": "cpa",
        "conversationId": "conversation",
        "service": "service",
        "serviceType": "type",
        "action": "action",
        "senderRole": "one",
        "receiverRole": "other",
        "useSenderLevel1HerId": True,
        "applicationName": "Journal",
        "applicationVersion": "1",
        "middlewareName": "Bro",
        "middlewareVersion": "2",
        "compressPayload": False,
    }
    whole = Transport(
        "cpa", "conversation", "service", "type", "action", "one", "other", "Journal", "1", "Bro", "2", False, True
    )  # fmt: skip
    assert wire_2.transport(wire_2.EbXmlInfo.model_validate(given), ("x", "y")) == whole
    of_header = Transport(application_name="Front", application_version="18")
    nothing = wire_2.EbXmlInfo.model_validate(dict.fromkeys(given))
    for left_out in (None, nothing):
        assert wire_2.transport(left_out, ("Front", "18")) == of_header
    named = wire_2.EbXmlInfo(applicationName="Journal")
    assert wire_2.transport(named, ("Front", "18")) == Transport(application_name="Journal")
