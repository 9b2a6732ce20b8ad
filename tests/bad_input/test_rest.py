"""The REST door: what is wrong gets problem details with the error code of EDI 2.0 (A12), and nothing goes out."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from hub.ports import ArrivalFilter, DeliveryFilter
from ops.samples.make import broken
from tests.support.asgi import Reply
from tests.support.letters import business
from tests.support.world import DOCTOR, NURSING, PARTNER, STRANGER, World

SENDER = int(DOCTOR.her_id)


def order(world: World, document: bytes | None = None, **other: Any) -> dict[str, Any]:
    """A good order to send a document of the doctor's to the partner."""
    content = world.sample(sender=DOCTOR, receiver=PARTNER).document if document is None else document
    return {
        "senderHerId": SENDER,
        "receiverHerIds": [int(PARTNER.her_id)],
        "businessDocument": base64.b64encode(content).decode(),
        "contentType": "application/xml",
        "contentTransferEncoding": "base64",
    } | other


def problem(reply: Reply, status: int, error_code: int, code: str = "") -> dict[str, Any]:
    """Problem details as A12.1 has them."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    told = reply.json()
    assert (told["status"], told["errorCode"]) == (status, error_code), told
    assert {"type", "title", "detail", "instance", "timestamp"} <= told.keys()
    assert "stackTrace" not in told
    assert told["detail"]
    if code:
        assert told["code"] == code, told
    return dict(told)


def untouched(world: World, work: Callable[[], None]) -> None:
    """Does something, and sees that no delivery came of it."""
    before = world.run(world.hub.store.deliveries(DeliveryFilter(limit=10_000)))
    work()
    after = world.run(world.hub.store.deliveries(DeliveryFilter(limit=10_000)))
    assert len(after) == len(before)


# --- who calls


@pytest.mark.parametrize("key", ["", "feil", "x" * 10_000, "æøå"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/messages"), ("GET", "/notifications"), ("GET", "/messages/x")])
def test_without_a_known_key_nobody_gets_in(world: World, key: str, method: str, path: str) -> None:
    untouched(world, lambda: _is_problem(world.rest(method, path, b"{}", key=key), 401))


def _is_problem(reply: Reply, status: int) -> None:
    problem(reply, status, 0)


def test_somebody_elses_her_id_is_not_lent(world: World) -> None:
    """A12: 1202. Neither as sender, nor to read, nor to answer."""
    untouched(
        world,
        lambda: _ignore(
            problem(world.rest("POST", "/messages", order(world, senderHerId=int(NURSING.her_id))), 403, 1202)
        ),
    )
    problem(world.rest("GET", "/notifications", query=f"HerIds={NURSING.her_id}"), 403, 1202)
    problem(world.rest("PUT", "/messages/x/downloaded", {"receiverHerId": int(NURSING.her_id)}), 403, 1202)
    answer = {"appRecSenderHerId": int(NURSING.her_id), "appRecStatus": "Ok"}
    problem(world.rest("POST", "/messages/x/apprec", answer), 403, 1202)


def _ignore(_: object) -> None:
    """For a lambda whose value nobody needs."""


def test_a_document_of_somebody_elses_is_not_sent(world: World) -> None:
    """The order names an own HER-id, the document another."""
    document = world.sample(sender=NURSING, receiver=PARTNER).document
    untouched(world, lambda: _ignore(problem(world.rest("POST", "/messages", order(world, document)), 403, 1202)))


def test_somebody_elses_message_is_not_shown(world: World) -> None:
    """A12: 1201, neither sender nor receiver."""
    made = world.rest("POST", "/messages", order(world)).json()["id"]
    for path in ("", "/business-document", "/status"):
        problem(world.rest("GET", f"/messages/{made}{path}", system="kommune"), 403, 1201)


@pytest.mark.parametrize(
    "message_id",
    [
        "ukjent",
        "00000000-0000-4000-8000-000000000000",
        "..%2F..%2Fetc%2Fpasswd",
        "%00",
        "x" * 3000,
        "'; DROP TABLE messages",
    ],
)
@pytest.mark.parametrize("path", ["", "/business-document", "/status"])
def test_an_unknown_message_is_not_found(world: World, message_id: str, path: str) -> None:
    """A12: 1010."""
    problem(world.rest("GET", f"/messages/{message_id}{path}"), 404, 1010)


def test_an_unknown_path_is_not_found(world: World) -> None:
    """1010 means that a message is not in the database: no word of that here."""
    told = problem(world.rest("GET", "/hemmelig"), 404, 0, "no-such-path")
    assert told["title"] == "Not Found" and told["hint"]
    told = world.rest("PATCH", "/messages", b"{}")
    assert told.status == 405 and told.headers["allow"] == "POST"


# --- what is sent


def _lines(order: dict[str, Any], end: str) -> dict[str, Any]:
    """The document in lines of 76 letters, as .NET's InsertLineBreaks and Python's encodebytes write it."""
    plain = order["businessDocument"]
    return order | {"businessDocument": "".join(plain[at : at + 76] + end for at in range(0, len(plain), 76))}


NULLS = dict.fromkeys(
    ("contentType", "contentTransferEncoding", "messageTypeIdentificator", "applicationName", "applicationVersion")
)
#: Orders as honest clients write them (A15.6, A15.8, A15.9).
HONEST: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "lines that end in LF": lambda o: json.dumps(_lines(o, "\n")).encode(),
    "lines that end in CRLF": lambda o: json.dumps(_lines(o, "\r\n")).encode(),
    "blanks around": lambda o: json.dumps(o | {"businessDocument": f" {o['businessDocument']}\t"}).encode(),
    "null for what may be absent": lambda o: json.dumps(o | NULLS).encode(),
    "no receivers": lambda o: json.dumps(o | {"receiverHerIds": None}).encode(),
    "absent": lambda o: json.dumps({k: v for k, v in o.items() if k not in NULLS}).encode(),
    "a charset": lambda o: json.dumps(o | {"contentType": "application/xml; charset=utf-8"}).encode(),
    "another case": lambda o: json.dumps(
        o | {"contentType": "Application/XML", "contentTransferEncoding": "Base64"}
    ).encode(),
    "text/xml": lambda o: json.dumps(o | {"contentType": "text/xml"}).encode(),
    "a byte order mark": lambda o: b"\xef\xbb\xbf" + json.dumps(o).encode(),
    "capitals first": lambda o: json.dumps({k[0].upper() + k[1:]: v for k, v in o.items()}).encode(),
    "numbers as text": lambda o: json.dumps(o | {"senderHerId": str(o["senderHerId"])}).encode(),
    "members that nobody knows": lambda o: json.dumps(o | {"enda": {"mer": [1]}}).encode(),
}


@pytest.mark.parametrize("write", HONEST.values(), ids=HONEST.keys())
def test_an_order_is_taken_however_it_is_written(world: World, write: Callable[[dict[str, Any]], bytes]) -> None:
    """And the document is the one that was meant, byte for byte."""
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    told = world.rest("POST", "/messages", write(order(world, document)))
    assert told.status == 202, told.body
    assert world.run(world.hub.store.document(told.json()["id"])) == document


NO_ORDER: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"hei",
    "half of JSON": b'{"senderHerId": 80',
    "a list": b"[]",
    "null": b"null",
    "a number": b"4711",
    "no letters": bytes(range(128, 256)),
    "JSON of another alphabet": '{"senderHerId": 1}'.encode("utf-16"),
    "depth": b"[" * 100_000,
    "depth in a member": b'{"senderHerId": ' + b"[" * 50_000,
    "a number without end": b'{"senderHerId": ' + b"9" * 10_000 + b"}",
    "NaN": b'{"senderHerId": NaN}',
    "a surrogate": b'{"businessDocument": "\\ud800"}',
}


@pytest.mark.parametrize("body", NO_ORDER.values(), ids=NO_ORDER.keys())
def test_what_is_no_order_is_refused_with_the_places(world: World, body: bytes) -> None:
    """A12: 1001."""
    told = problem(world.rest("POST", "/messages", body), 400, 1001)
    assert told["validationErrors"]


WRONG_MEMBERS: dict[str, dict[str, Any]] = {
    "a HER-id of zero": {"senderHerId": 0},
    "a negative HER-id": {"senderHerId": -1},
    "a HER-id in words": {"senderHerId": "lege"},
    "a HER-id as large as the sky": {"senderHerId": 10**5000},
    "a broken HER-id": {"senderHerId": 1.5},
    "receivers that are none": {"receiverHerIds": ["x"]},
    "receivers as one": {"receiverHerIds": 8009102},
    "a receiver as large as the sky": {"receiverHerIds": [10**5000]},
    "another content type": {"contentType": "application/json"},
    "another encoding": {"contentTransferEncoding": "8bit"},
    "no document": {"businessDocument": None},
    "a document that is an object": {"businessDocument": {}},
    "a document that is not base64": {"businessDocument": "%%%"},
    "a document in half of base64": {"businessDocument": "PGE"},
    "a document with letters in it": {"businessDocument": "PGE+æ"},
}


@pytest.mark.parametrize("member", WRONG_MEMBERS.values(), ids=WRONG_MEMBERS.keys())
def test_a_wrong_member_is_named(world: World, member: dict[str, Any]) -> None:
    body = _json(order(world, b"<a/>") | member)
    untouched(world, lambda: _ignore(_names(world.rest("POST", "/messages", body), next(iter(member)))))


def _json(value: dict[str, Any]) -> bytes:
    """json.dumps writes no integers of more than 4300 digits; a caller may."""
    huge = 10**5000
    marked = {k: "@huge@" if v == huge else ["@huge@"] if v == [huge] else v for k, v in value.items()}
    return json.dumps(marked).replace('"@huge@"', "1" + "0" * 5000).encode()


def _names(reply: Reply, member: str) -> None:
    told = problem(reply, 400, 1001)
    assert any(member in place or "json_invalid" in place for place in told["validationErrors"]), told


DOCUMENTS: dict[str, tuple[Callable[[World], bytes], int, int, str]] = {
    "no bytes": (lambda _: b"", 400, 1001, "document-malformed"),
    "no XML": (lambda _: b"hei", 400, 1001, "document-malformed"),
    "half of it": (lambda w: w.sample(sender=DOCTOR, receiver=PARTNER).document[:500], 400, 1001, "document-malformed"),
    "packed": (lambda w: gzip.compress(w.sample().document), 400, 1001, "xml-encoding"),
    "a DOCTYPE": (lambda w: broken(w.sample(sender=DOCTOR, receiver=PARTNER), "doctype"), 400, 1001, "xml-doctype"),
    "absurd depth": (lambda _: b"<a>" * 1000 + b"</a>" * 1000, 400, 1001, "xml-hostile"),
    "another alphabet": (lambda w: w.sample().document.decode().encode("utf-16"), 400, 1001, "xml-encoding"),
    "another root": (lambda _: b"<html/>", 400, 1001, "document-not-a-message"),
    "no MsgId": (lambda w: broken(w.sample(sender=DOCTOR, receiver=PARTNER), "no-msgid"), 400, 1001, "document-msgid"),
    "against its schema": (
        lambda w: broken(w.sample(sender=DOCTOR, receiver=PARTNER), "schema"),
        400,
        1001,
        "document-schema",
    ),
}


@pytest.mark.parametrize(("make", "status", "error_code", "code"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_document_that_cannot_go_out_is_refused_to_its_face(
    world: World, make: Callable[[World], bytes], status: int, error_code: int, code: str
) -> None:
    """And kept, so that support can see what was sent."""
    document = make(world)
    untouched(
        world,
        lambda: _ignore(problem(world.rest("POST", "/messages", order(world, document)), status, error_code, code)),
    )
    arrival = world.run(world.hub.store.arrivals(ArrivalFilter(limit=1)))[0]
    assert (arrival.state, arrival.code) == ("refused", code)
    assert arrival.arrival.body == document and arrival.arrival.system == "legesenter"


def test_a_document_that_names_no_receiver_is_refused(world: World) -> None:
    """A12: 1200. Nobody asked for, and none in the document."""
    whole = world.sample(sender=DOCTOR, receiver=PARTNER).document
    document = whole.replace(b'<TypeId V="HER"', b'<TypeId V="LIN"').replace(b'<TypeId V="LIN"', b'<TypeId V="HER"', 2)
    body = order(world, document, receiverHerIds=[])
    untouched(world, lambda: _ignore(problem(world.rest("POST", "/messages", body), 403, 1200, "document-unaddressed")))


def test_a_receiver_that_nobody_knows_is_refused(world: World) -> None:
    from dataclasses import replace

    nobody = replace(STRANGER, her_id="8999997", organisation_her_id="8999996")
    document = world.sample(sender=DOCTOR, receiver=nobody).document
    body = order(world, document, receiverHerIds=[8999997])
    untouched(world, lambda: _ignore(problem(world.rest("POST", "/messages", body), 400, 1001, "receiver-unknown")))


def test_too_large_is_refused_without_being_read_to_its_end(new_world: Callable[..., World]) -> None:
    world = new_world(hub={"max_message_bytes": 20_000})
    untouched(
        world,
        lambda: _ignore(problem(world.rest("POST", "/messages", order(world, b"x" * 90_000)), 413, 0, "too-large")),
    )


def test_a_known_msgid_with_other_content_is_refused(world: World) -> None:
    msg_id = str(uuid4())
    first = world.sample(sender=DOCTOR, receiver=PARTNER, msg_id=msg_id, number=1).document
    assert world.rest("POST", "/messages", order(world, first)).status == 202
    second = world.sample(sender=DOCTOR, receiver=PARTNER, msg_id=msg_id, number=2).document
    untouched(
        world, lambda: _ignore(problem(world.rest("POST", "/messages", order(world, second)), 409, 1001, "id-reused"))
    )


def test_the_same_again_is_the_same_message_and_goes_out_once(world: World) -> None:
    body = order(world)
    first = world.rest("POST", "/messages", body).json()
    assert first["duplicate"] is False
    untouched(
        world,
        lambda: _ignore(
            first | {"duplicate": True} == world.rest("POST", "/messages", body).json() or pytest.fail("another id")
        ),
    )


QUERIES = ["", "HerIds=x", "HerIds=8000202&Offset=-1", "HerIds=8000202&Offset=x", "HerIds=8000202&NotificationsToFetch=0",
           "HerIds=8000202&NotificationsToFetch=1001", "HerIds=8000202&Offset=" + "9" * 30, "HerIds=" + "9" * 5000,
           "HerIds=8000202&Offset=" + "9" * 5000, "&".join(["HerIds=8000202"] * 1501)]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_notifications_asked_for_wrongly(world: World, query: str) -> None:
    problem(world.rest("GET", "/notifications", query=query), 400, 1001)


# --- AppRec


@pytest.fixture
def arrived(world: World) -> str:
    """A message that lies ready for the doctor: our id of it."""
    said = world.post(business(world.post_to, world.sample().document))
    return said.messages[0].id


def answer(world: World, message: str, status: str = "Ok", her: int = SENDER, **more: Any) -> Reply:
    """An AppRec of the doctor's."""
    return world.rest("POST", f"/messages/{message}/apprec", {"appRecSenderHerId": her, "appRecStatus": status} | more)


def test_rejected_without_a_reason_is_refused(world: World, arrived: str) -> None:
    """A9.6: appRecErrorList is required when rejected (HIS 80415: at least one Error)."""
    for more in ({}, {"appRecErrorList": []}, {"appRecErrorList": None}):
        told = problem(answer(world, arrived, "Rejected", **more), 400, 1001, "apprec-status")
        assert "8221" in told["detail"]


@pytest.mark.parametrize("status", ["OkErrorInMessagePart", "3", "Kanskje", "", None])
def test_a_status_that_cannot_be_sent(world: World, arrived: str, status: Any) -> None:
    problem(answer(world, arrived, status), 400, 1001)


@pytest.mark.parametrize("errors", [[{}], [{"errorCode": None}], ["E21"], "E21"])
def test_an_error_without_a_code(world: World, arrived: str, errors: Any) -> None:
    problem(answer(world, arrived, "Rejected", appRecErrorList=errors), 400, 1001)


def test_an_apprec_is_given_once(world: World, arrived: str) -> None:
    """HITS 1168 5.1: one for each receiver, never changed afterwards."""
    assert answer(world, arrived).status == 202
    problem(answer(world, arrived), 409, 1001, "apprec-twice")
    errors = [{"errorCode": "X99", "details": "ombestemt"}]
    problem(answer(world, arrived, "Rejected", appRecErrorList=errors), 409, 1001, "apprec-twice")


def test_an_apprec_by_who_did_not_receive_it(world: World, arrived: str) -> None:
    """A12: 1102."""
    problem(answer(world, arrived, her=8000203), 400, 1102, "not-a-receiver")


def test_an_apprec_on_an_apprec(world: World) -> None:
    """A12: 1100. The partner's AppRec about our document is fetched, and not answered."""
    sample = world.sample(sender=DOCTOR, receiver=PARTNER)
    world.rest("POST", "/messages", order(world, sample.document))
    said = world.post(
        business(world.post_to, _apprec_about(sample.document), code="DIALOG_HELSEFAGLIG", action="APPREC")
    )
    assert said.kind == "acknowledgment", said.codes
    problem(answer(world, said.messages[0].id), 400, 1100, "apprec-on-apprec")


def _apprec_about(document: bytes) -> bytes:
    from datetime import UTC, datetime

    from lxml import etree

    from hub.formats import apprec_write
    from hub.formats import document as documents

    original = documents.read(etree.fromstring(document))
    return apprec_write.write(
        original, version="1.1", apprec_id=str(uuid4()), now=datetime.now(UTC), receiver=original.receiver,
        role="PRIM", status="1", errors=(), software=("Test", "1"),
    )  # fmt: skip


def test_an_apprec_on_an_unknown_message(world: World) -> None:
    problem(answer(world, "ukjent"), 404, 1010)


def test_downloaded_by_who_did_not_receive_it(world: World, arrived: str) -> None:
    problem(world.rest("PUT", f"/messages/{arrived}/downloaded", {"receiverHerId": 8000203}), 400, 1102)
    problem(world.rest("PUT", "/messages/ukjent/downloaded", {"receiverHerId": SENDER}), 404, 1010)


def test_refusals_at_the_door_are_in_the_journal(world: World) -> None:
    """An order that cannot be read has no bytes to keep, but who asked and what was wrong is written down."""
    problem(world.rest("POST", "/messages", b"hei"), 400, 1001)
    newest = world.run(world.hub.store.journal(limit=1))[0]
    assert (newest.event, newest.code, newest.actor) == ("refused", "request", "legesenter")
