"""What a client of version 2 in use sends, byte for byte over a socket, and what it can take (one connection, kept alive)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from pydantic import BaseModel, TypeAdapter

from tests.rest import strict
from tests.rest.caller import RECEIVER, SENDER, Caller
from tests.support.doors import Heard, answers
from tests.support.world import DOCTOR, NURSING, SECOND_DOCTOR, World

Model = TypeVar("Model", bound=BaseModel)


class Client:
    """Writes requests as the recorded client does: these headers in this order, bodies in chunks, no Content-Length."""

    def __init__(self, world: World, url: str, mount: str, system: str) -> None:
        self.world, self.mount, self.system = world, mount, system
        split = urlsplit(url)
        self.host, self.port = str(split.hostname), int(split.port or 0)

    def ask(self, *requests: tuple[str, str, Any]) -> list[Heard]:
        """Each in turn on one connection; nothing of the next is written before the last is answered."""
        return self.world.run(self._asked(requests))

    def one(self, method: str, path: str, body: Any = None) -> Heard:
        """The answer to one."""
        [heard] = self.ask((method, path, body))
        return heard

    async def _asked(self, requests: Sequence[tuple[str, str, Any]]) -> list[Heard]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        heard = []
        for method, path, body in requests:
            for piece in self._pieces(method, path, body):
                writer.write(piece)
                await writer.drain()
            heard.append(await _one(reader))
        writer.close()
        return heard

    def _pieces(self, method: str, path: str, body: Any) -> Iterator[bytes]:
        head = [
            f"{method} {self.mount}{path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            "api-version: 2",
            "nhn-source-system: fiks-nhn",
            "Authorization: DPoP abc.def.ghi",
            "DPoP: abc.def.ghi",
            f"X-API-Key: {self.world.site.keys[self.system]}",
            "Accept: application/json",
            "User-Agent: ktor-client",
        ]
        if method == "PUT":
            head += ["Content-Type: application/json", "Content-Length: 0"]
        elif body is not None:
            head += ["Content-Type: application/json", "Transfer-Encoding: chunked"]
        yield "\r\n".join([*head, "", ""]).encode()
        if body is not None:
            content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
            for at in range(0, len(content), 4088):
                piece = content[at : at + 4088]
                yield b"%x\r\n%s\r\n" % (len(piece), piece)
            yield b"0\r\n\r\n"


async def _one(reader: asyncio.StreamReader) -> Heard:
    """Reads until one answer is whole, and sees that nothing comes behind it."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    content = await reader.readexactly(length)
    [heard] = answers(head + content)
    assert "content-encoding" not in heard.headers  # nobody has asked for it
    return heard


@pytest.fixture(name="world")
def _world(served: tuple[World, str]) -> World:
    return served[0]


@pytest.fixture(name="url")
def _url(served: tuple[World, str]) -> str:
    return served[1]


#: Where a client of version 2 may have its base address.
MOUNTS = pytest.mark.parametrize("mount", ["", "/api/v2"], ids=["at the root", "below /api/v2"])


def _read(heard: Heard, status: int, shape: Any) -> Any:
    assert heard.status == status, heard
    assert heard.headers["content-type"].partition(";")[0] == "application/json"
    return TypeAdapter(shape).validate_json(heard.body)


def _uuid(heard: Heard) -> str:
    """201 with a UUID in quotes, and not a byte more."""
    assert heard.status == 201, heard
    own = json.loads(heard.body)
    assert heard.body == f'"{own}"'.encode() and len(own) == 36
    assert heard.headers["location"].endswith(f"/Messages/{own}")
    return str(own)


@MOUNTS
@pytest.mark.parametrize("first", ["read", "apprec"])
def test_a_document_from_end_to_end(world: World, url: str, mount: str, first: str) -> None:
    """Sent, listed, fetched, read and answered in either order; then the sender reads the AppRec, in all its forms."""
    doctor, nurses = Client(world, url, mount, "legesenter"), Client(world, url, mount, "kommune")
    document = Caller(world).document()
    own = _uuid(doctor.one("POST", "/Messages", Caller(world).order_2(document)))

    listed = f"/Messages?receiverHerIds={RECEIVER}&includeMetadata="
    [found] = [
        one for one in _read(nurses.one("GET", f"{listed}true"), 200, list[strict.Message2]) if str(one.id) == own
    ]
    assert (found.senderHerId, found.receiverHerId, found.isAppRec) == (SENDER, RECEIVER, False)
    assert own in [str(one.id) for one in _read(nurses.one("GET", f"{listed}false"), 200, list[strict.Listed2])]
    bare = json.loads(nurses.one("GET", f"{listed}false").body)
    assert {frozenset(one) for one in bare} == {frozenset({"id", "receiverHerId"})}
    told, fetched = nurses.ask(("GET", f"/Messages/{own}", None), ("GET", f"/Messages/{own}/business-document", None))
    assert _read(told, 200, strict.Message2) == found
    assert base64.b64decode(_read(fetched, 200, strict.Document).businessDocument) == document

    read = ("PUT", f"/Messages/{own}/read/{RECEIVER}", None)
    ok = {"appRecStatus": "Ok", "appRecErrorList": None, "ebXmlOverrides": None}
    apprec = ("POST", f"/Messages/{own}/apprec/{RECEIVER}", ok)
    both = nurses.ask(*((read, apprec) if first == "read" else (apprec, read)), read)
    assert [heard.status for heard in both] == ([204, 201, 204] if first == "read" else [201, 204, 204])
    assert [heard.body for heard in both if heard.status == 204] == [b"", b""]
    _uuid(next(heard for heard in both if heard.status == 201))
    assert own not in nurses.one("GET", f"{listed}true").body.decode()

    [standing] = _read(doctor.one("GET", f"/Messages/{own}/status"), 200, list[strict.Standing2])
    assert (standing.transportDeliveryState, standing.appRecStatus) == ("Acknowledged", "Ok")
    [info] = _read(doctor.one("GET", f"/Messages/{own}/apprec"), 200, list[strict.AppRecInfo2])
    assert (info.receiverHerId, info.appRecStatus, info.appRecErrorList) == (RECEIVER, "Ok", [])
    mine = f"/Messages?receiverHerIds={SENDER}&includeMetadata=true"
    for waiting in _read(doctor.one("GET", mine), 200, list[strict.Message2]):
        assert waiting.isAppRec
        answer = _read(doctor.one("GET", f"/Messages/{waiting.id}/business-document"), 200, strict.Document)
        assert b"AppRec" in base64.b64decode(answer.businessDocument)
        assert doctor.one("PUT", f"/Messages/{waiting.id}/read/{SENDER}").status == 204
    assert doctor.one("GET", mine).body == b"[]"


@MOUNTS
@pytest.mark.parametrize("details", [None, "", "Ikke vår"])
def test_a_rejection_as_the_client_writes_it(world: World, url: str, mount: str, details: str | None) -> None:
    """`details` may be null though the contract requires it; the sender is told every member."""
    doctor, nurses = Client(world, url, mount, "legesenter"), Client(world, url, mount, "kommune")
    own = _uuid(doctor.one("POST", "/Messages", Caller(world).order_2()))
    assert doctor.one("GET", f"/Messages/{own}/apprec").body == b"[]"
    error = {
        "errorCode": "E35",
        "details": details,
        "description": "Pasienten finnes ikke i mottakersystemet",
        "oid": "2.16.578.1.12.4.1.1.8221",
    }
    body = {"appRecStatus": "Rejected", "appRecErrorList": [error], "ebXmlOverrides": None}
    _uuid(nurses.one("POST", f"/Messages/{own}/apprec/{RECEIVER}", body))
    [info] = _read(doctor.one("GET", f"/Messages/{own}/apprec"), 200, list[strict.AppRecInfo2])
    assert info.appRecStatus == "Rejected" and info.appRecErrorList is not None
    assert [(one.errorCode, one.oid) for one in info.appRecErrorList] == [("E35", error["oid"])]
    [standing] = _read(doctor.one("GET", f"/Messages/{own}/status"), 200, list[strict.Standing2])
    assert (standing.transportDeliveryState, standing.appRecStatus) == ("Acknowledged", "Rejected")


#: What cannot be asked → the status, and the error code of version 2.
REFUSED = {
    "a stranger's message": (("GET", "/Messages/00000000-0000-4000-8000-000000000000", None), 404, 0),
    "no UUID": (("GET", "/Messages/1/status", None), 400, 1000),
    "somebody else's HER-id": (("GET", "/Messages?receiverHerIds=8000999&includeMetadata=true", None), 403, 0),
    "no HER-id": (("GET", "/Messages?includeMetadata=true", None), 400, 1000),
    "too many": (("GET", f"/Messages?receiverHerIds={SENDER}&MessagesToFetch=101", None), 400, 1000),
    "another order": (("GET", f"/Messages?receiverHerIds={SENDER}&OrderBy=3", None), 400, 1000),
    "no document": (
        ("POST", "/Messages", {"contentType": "application/xml", "contentTransferEncoding": "base64"}),
        400,
        1000,
    ),
    "read by no HER-id": (("PUT", "/Messages/00000000-0000-4000-8000-000000000000/read/0", None), 400, 1000),
}


@pytest.mark.parametrize(("asked", "status", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_has_the_versions_own_body(
    world: World, url: str, asked: tuple[str, str, Any], status: int, code: int
) -> None:
    """ErrorMessage (A5), not a problem document."""
    told = _read(Client(world, url, "/api/v2", "legesenter").one(*asked), status, strict.Error2)
    assert told.errorCode == code and told.error
    assert bool(told.validationErrors) == (code == 1000)


def test_a_large_document_comes_in_chunks(world: World, url: str) -> None:
    """A request counts by what arrives, not by a Content-Length that it does not have."""
    doctor = Client(world, url, "/api/v2", "legesenter")
    plain = Caller(world).document()
    large = plain.replace(b"</MsgInfo>", b"<!--" + b"x" * 3_000_000 + b"--></MsgInfo>", 1)
    assert len(large) > 3_000_000
    _uuid(doctor.one("POST", "/Messages", Caller(world).order_2(large)))


def test_what_is_listed_is_chosen_and_ordered_as_asked_for(world: World, url: str) -> None:
    """MessagesToFetch, OrderBy by the document's date as number or word, SenderHerId, BusinessDocumentId (A5 row 1, A15.6)."""
    ask, nurses = Caller(world), Client(world, url, "", "kommune")
    dates = [datetime(2020 + year, 1, 1, tzinfo=UTC) for year in (2, 0, 1)]
    msg_ids = [str(uuid4()) for _ in dates]
    documents = [ask.document(gen_date=at, msg_id=own) for at, own in zip(dates, msg_ids, strict=True)]
    first, second, third = [ask("POST", "/messages", ask.order_2(one), version="2").json() for one in documents]

    def listed(more: str) -> list[str]:
        path = f"/Messages?ReceiverHerIds={RECEIVER}&MessagesToFetch=100&{more}"
        return [one["id"] for one in json.loads(nurses.one("GET", path).body)]

    assert [one for one in listed(f"SenderHerId={SENDER}") if one in (first, second, third)] == [first, second, third]
    for newest in ("OrderBy=2", "orderby=Descending"):
        assert [one for one in listed(newest) if one in (first, second, third)] == [first, third, second]
    assert listed(f"BusinessDocumentId={msg_ids[1].upper()}") == [second]
    assert listed("SenderHerId=1") == listed(f"BusinessDocumentId={uuid4()}") == []
    assert len(json.loads(nurses.one("GET", f"/Messages?ReceiverHerIds={RECEIVER}&MessagesToFetch=2").body)) == 2


def test_each_receiver_has_its_own_row_until_it_has_read(world: World, url: str) -> None:
    """A15.5: of two receivers behind one record system one has read it."""
    doctor, partner = (
        Client(world, url, "/api/v2", "legesenter"),
        world.sample(sender=NURSING, receiver=DOCTOR, copies=(SECOND_DOCTOR,)),
    )
    ask = Caller(world)
    own = ask("POST", "/messages", ask.order_2(partner.document), version="2", system="kommune").json()
    second = int(SECOND_DOCTOR.her_id)
    path = f"/Messages?receiverHerIds={SENDER}&receiverHerIds={second}&MessagesToFetch=100"

    def rows() -> list[int]:
        return [one["receiverHerId"] for one in json.loads(doctor.one("GET", path).body) if one["id"] == own]

    assert sorted(rows()) == sorted([SENDER, second])
    assert doctor.one("PUT", f"/Messages/{own}/read/{SENDER}").status == 204
    assert rows() == [second]
