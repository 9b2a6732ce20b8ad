"""One door at three places: which version is meant, in whatever case it is written, and what it demands of a request."""

from __future__ import annotations

import pytest

from tests.rest.caller import RECEIVER, SENDER, Caller
from tests.support.world import DOCTOR

#: Path, header, and the version that answers; None: neither.
MEANT = [
    ("/api/v3/messages/{id}", "3", 3),
    ("/api/v3/messages/{id}", "3.0", 3),
    ("/API/V3/Messages/{ID}", "3", 3),
    ("/api/v3/messages/{id}/", "3", 3),
    ("/api/v2/Messages/{id}", "2", 2),
    ("/Api/V2/messages/{ID}", "2", 2),
    ("/Messages/{id}", "2", 2),
    ("/messages/{id}", "3", 3),
    ("/MESSAGES/{ID}", "3", 3),
    ("/messages/{ID}", "2", 2),
    ("/api/v3/messages/{id}", "2", 2),
    ("/api/v2/messages/{id}", "3", 3),
    ("/api/v2/messages/{id}", "1", None),
    ("/api/v3/messages/{id}", "99", None),
    ("/api/v3/messages/{id}", "3, 2", None),
    ("/messages/{id}", None, None),
    ("/messages/{id}", "1", None),
    ("/messages/{id}", "2-vNext", None),
    ("/messages/{id}", " ", None),
]


@pytest.mark.parametrize(("path", "header", "number"), MEANT)
@pytest.mark.parametrize("manner", ["easy", "national"])
def test_the_version_is_chosen_by_path_and_header(
    request: pytest.FixtureRequest, manner: str, path: str, header: str | None, number: int | None
) -> None:
    """A1.4, A1.6: the header goes before the path. A version that is not served, or none at the root: 400."""
    ask: Caller = request.getfixturevalue(manner)
    own = ask.arrived()
    reply = ask("GET", path.format(id=own, ID=own.upper()), version=header)
    if number is None:
        assert reply.status == 400, reply.body
        assert reply.json()["errorCode"] == (1000 if path.startswith("/api/v2") else 1001)
        return
    assert reply.status == 200, reply.body
    assert reply.json()["id"] == own
    assert ("receiverHerIds" in reply.json()) == (number == 3)


@pytest.mark.parametrize("path", ["/api/v3/ping", "/ping", "/PING"])
def test_ping_is_answered_to_anybody(easy: Caller, path: str) -> None:
    assert easy("GET", path, headers={"X-API-Key": None}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "version", "status", "allow"),
    [
        ("GET", "/api/v3/messages", "3", 405, "POST"),
        ("PATCH", "/Messages", "2", 405, "GET, HEAD, POST"),
        ("DELETE", "/api/v2/Messages/x/read/1", "2", 405, "PUT"),
        ("GET", "/api/v2/notifications", "2", 404, None),
        ("GET", "/api/v2/ping", "2", 404, None),
        ("GET", "/api/v3/messages/x/apprec/1", "3", 404, None),
        ("GET", "/api/v3", "3", 404, None),
        ("GET", "/api/v3/messages//status", "3", 404, None),
        ("GET", "/messages/x/y/z", "3", 404, None),
    ],
)
def test_what_is_not_served_is_said_in_the_versions_own_words(
    easy: Caller, method: str, path: str, version: str, status: int, allow: str | None
) -> None:
    """A5 and A12.1: an ErrorMessage in version 2, problem details in version 3; RFC 9110 15.5.6."""
    reply = easy(method, path, version=version)
    assert (reply.status, reply.headers.get("allow")) == (status, allow)
    told = reply.json()
    if version == "2":
        assert set(told) == {"error", "errorCode", "validationErrors", "stackTrace", "requestId"}
        assert reply.headers["content-type"] == "application/json" and told["stackTrace"] is None
    else:
        assert reply.headers["content-type"] == "application/problem+json"
    assert told["errorCode"] in (0, 1000, 1001)
    assert told["requestId"] == reply.headers["x-request-id"]


# --- what national manner demands, and easy does not


def _without(name: str) -> dict[str, str | None]:
    return {name: None}


@pytest.mark.parametrize("path", ["/api/v3/messages", "/api/v2/Messages", "/messages"])
@pytest.mark.parametrize("missing", ["api-version", "nhn-source-system"])
def test_headers_that_every_call_has(easy: Caller, national: Caller, path: str, missing: str) -> None:
    """A2; before anybody asks who calls (A15.1)."""
    version = "2" if "v2" in path else "3"
    body = easy.order_2() if version == "2" else easy.order()
    known = {missing: None, "X-API-Key": "nobody's"}
    reply = national("POST", path, body, version=version, headers=known)
    assert reply.status == 400, reply.body
    assert missing in reply.json()["validationErrors"][0]
    if path != "/messages" or missing != "api-version":
        assert easy("POST", path, body, version=version, headers=_without(missing)).status in (201, 202)


@pytest.mark.parametrize(
    ("said", "national_too"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/json", True),
        ("application/problem+json", True),
        ("text/plain", False),
        ("application/xml", False),
        ("application/x-www-form-urlencoded", False),
        ("", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("version", ["3", "2"])
def test_a_body_is_said_to_be_json(
    easy: Caller, national: Caller, version: str, said: str | None, national_too: bool
) -> None:
    """A12.2: 415."""
    path = f"/api/v{version}/messages"
    body = easy.order_2() if version == "2" else easy.order()
    reply = national("POST", path, body, version=version, headers={"Content-Type": said})
    assert (reply.status != 415) == national_too, reply.body
    assert easy("POST", path, body, version=version, headers={"Content-Type": said}).status in (201, 202)


DEMANDED = {
    "no receivers": {"receiverHerIds": ...},
    "an empty list of receivers": {"receiverHerIds": []},
    "a receiver twice": {"receiverHerIds": [RECEIVER, RECEIVER]},
    "no content type": {"contentType": ...},
    "another content type": {"contentType": "text/xml"},
    "no encoding": {"contentTransferEncoding": None},
    "no type": {"messageTypeIdentificator": ...},
    "an empty type": {"messageTypeIdentificator": ""},
}


@pytest.mark.parametrize("change", DEMANDED.values(), ids=DEMANDED.keys())
def test_members_that_an_order_has(easy: Caller, national: Caller, change: dict[str, object]) -> None:
    """A7.1."""
    reply = national("POST", "/api/v3/messages", national.order(**change))
    assert (reply.status, reply.json()["errorCode"]) == (400, 1001), reply.body
    assert next(iter(change)) in reply.json()["validationErrors"][0]


def test_a_sender_is_of_level_2(easy: Caller, national: Caller) -> None:
    """A1 (level 1 is the organisation); somebody else's is still somebody else's (1202)."""
    above = int(DOCTOR.organisation_her_id)
    assert easy("POST", "/api/v3/messages", easy.order(senderHerId=above)).status == 202
    reply = national("POST", "/api/v3/messages", national.order(senderHerId=above))
    assert (reply.status, reply.json()["errorCode"]) == (400, 1001)
    reply = national("POST", "/api/v3/messages", national.order(senderHerId=RECEIVER))
    assert (reply.status, reply.json()["errorCode"]) == (403, 1202)


@pytest.mark.parametrize("query", [f"HerIds={SENDER}", f"HerIds={SENDER}&HerIds={SENDER}&Offset=0"])
def test_a_poll_says_from_where_and_each_her_id_once(easy: Caller, national: Caller, query: str) -> None:
    """A6 row 4."""
    assert easy("GET", "/api/v3/notifications", query=query).status == 200
    assert national("GET", "/api/v3/notifications", query=query).status == 400


@pytest.mark.parametrize(
    "query", ["herids={0}&offset=0", "HERIDS={0}&OFFSET=0&notificationstofetch=1", "HerIds={0}&Offset=0&x=y"]
)
def test_names_of_a_query_are_read_in_any_case(easy: Caller, query: str) -> None:
    reply = easy("GET", "/api/v3/notifications", query=query.format(SENDER))
    assert reply.status == 200 and set(reply.json()) == {"notifications"}


DECLARED = {
    b'<?xml version="1.0" encoding="UTF-8"?>': True,
    b"<?xml version='1.0' encoding='utf-8' standalone='yes'?>": True,
    b'\xef\xbb\xbf<?xml version="1.0" encoding = "utf-8"?>': True,
    b'<?xml version="1.0"?>': False,
    b"": False,
    b'<?xml version="1.0" encoding="ISO-8859-1"?>': False,
}


@pytest.mark.parametrize("declaration", DECLARED, ids=[one.decode("latin-1") or "none" for one in DECLARED])
@pytest.mark.parametrize("version", ["3", "2"])
def test_a_document_says_that_it_is_utf_8(national: Caller, version: str, declaration: bytes) -> None:
    """A5 (PostMessageRequest), A15.2."""
    plain = national.document()
    document = declaration + plain[plain.index(b"?>") + 2 :]
    body = national.order_2(document) if version == "2" else national.order(document)
    reply = national("POST", f"/api/v{version}/messages", body, version=version)
    assert (reply.status in (201, 202)) == DECLARED[declaration], reply.body
