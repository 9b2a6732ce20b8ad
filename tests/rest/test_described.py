"""The description that the door serves is the whole truth: every route, every status, every body; and no other host."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rest.caller import RECEIVER, SENDER, Caller
from tests.rest.schema import faults, values
from tests.support.asgi import Reply

VERSIONS = (3, 2)
MANNERS = ("easy", "national")


def described(ask: Caller, version: int) -> dict[str, Any]:
    """What the hub says of itself, to anybody."""
    reply = ask("GET", f"/api/v{version}/openapi.json", version=None, headers={"X-API-Key": None})
    assert reply.status == 200 and reply.headers["content-type"] == "application/json"
    return dict(reply.json())


def as_described(reply: Reply, operation: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
    """Its status stands there, and its body is as it is said to be."""
    told = operation["responses"].get(str(reply.status))
    assert told is not None, f"{operation['operationId']}: {reply.status} {reply.body!r}"
    if "content" not in told:
        assert reply.body == b""
        return
    [(media, content)] = told["content"].items()
    assert reply.headers["content-type"].partition(";")[0] == media
    value = reply.json() if media.endswith("json") else reply.body.decode()
    assert list(faults(value, content["schema"], whole)) == []


def operations(whole: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and what is said of it."""
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manner", MANNERS)
def test_every_route_is_described_and_nothing_else(request: pytest.FixtureRequest, manner: str, version: int) -> None:
    """By the router itself: what is not described is 404 or 405."""
    ask: Caller = request.getfixturevalue(manner)
    whole = described(ask, version)
    told = {(path, method) for path, method, _ in operations(whole)}
    for path in {path for path, _ in told}:
        own = re.sub(r"\{\w+\}", "1", path)
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            reply = ask(method, f"/api/v{version}{own}", {}, version=str(version))
            served = reply.status != 405
            assert served == ((path, method) in told), (method, path, reply.status)
    ids = [operation["operationId"] for _, _, operation in operations(whole)]
    assert len(ids) == len(set(ids)) > 7
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(whole)))
    assert named <= set(whole["components"]["schemas"])


@pytest.mark.parametrize("version", VERSIONS)
def test_what_must_be_there_is_said_to_be(easy: Caller, national: Caller, version: int) -> None:
    """Headers, required members of bodies and of queries: in each manner those that it demands."""
    for ask, demanded in ((easy, False), (national, True)):
        whole = described(ask, version)
        for path, method, operation in operations(whole):
            needed = {one["name"]: one["required"] for one in operation["parameters"] if one["in"] == "header"}
            assert needed == {"api-version": demanded, "nhn-source-system": demanded}
            for name, required in needed.items():
                if required:
                    own = f"/api/v{version}{re.sub(r'{[a-zA-Z]+}', '1', path)}"
                    as_described(
                        reply := ask(method, own, {}, version=str(version), headers={name: None}), operation, whole
                    )
                    assert reply.status == 400


def good(ask: Caller, version: int, path: str, method: str, own: str) -> tuple[str, str, Any]:
    """Path, query and body of an honest request about the message `own`, which waits for the nurses."""
    here = path.format(id=own, herId=RECEIVER)
    after = f"HerIds={RECEIVER}&Offset=0"
    queries = {
        "/notifications": after,
        "/notifications/stream": after,
        "/notifications/unread": after,
        "/notifications/unread/stream": after,
        "/mshconfigurations": f"HerIds={RECEIVER}" if method == "DELETE" else "",
        "/messages": f"ReceiverHerIds={RECEIVER}" if method == "GET" else "",
    }
    bodies: dict[tuple[int, str], Any] = {
        (3, "/messages"): ask.order(),
        (2, "/messages"): ask.order_2(),
        (3, "/messages/{id}/apprec"): {"appRecSenderHerId": RECEIVER, "appRecStatus": "Ok"},
        (2, "/messages/{id}/apprec/{herId}"): {"appRecStatus": "Ok"},
        (3, "/messages/{id}/downloaded"): {"receiverHerId": RECEIVER},
        (3, "/mshconfigurations"): {"configurations": [{"herId": RECEIVER}]},
        (3, "/notifications/delete"): {"notificationIds": []},
    }
    return here, queries.get(path, ""), bodies.get((version, path)) if method not in ("GET", "DELETE") else None


#: How a request is spoilt → what it is answered.
SPOILT: dict[str, tuple[dict[str, Any], int]] = {
    "as it should be": ({}, 200),
    "by nobody": ({"headers": {"X-API-Key": None}}, 401),
    "of another version": ({"version": "9"}, 400),
    "about nothing": ({"own": "00000000-0000-4000-8000-000000000000"}, 404),
    "by who has no part in it": ({"system": "sykehus"}, 403),
    "no JSON": ({"body": b"hei"}, 400),
    "too large": ({"body": b'{"a": "' + b"x" * 200_000 + b'"}'}, 413),
    "not said to be JSON": ({"headers": {"Content-Type": "text/plain"}}, 415),
    "packed in an unknown way": ({"headers": {"Content-Encoding": "zopfli"}}, 415),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("spoilt", SPOILT)
def test_every_answer_is_as_described(request: pytest.FixtureRequest, manner: str, version: int, spoilt: str) -> None:
    """Each endpoint is asked well, and in each of these wrong ways that may concern it."""
    ask: Caller = request.getfixturevalue(manner)
    change, wanted = SPOILT[spoilt]
    if (manner, spoilt) == ("easy", "not said to be JSON"):
        wanted = 200
    whole = described(ask, version)
    seen = set()
    for path, method, operation in operations(whole):
        ask.say_all()  # one of them takes it back
        own = change.get("own") or ask("POST", "/api/v3/messages", ask.order()).json()["id"]
        here, query, body = good(ask, version, path, method, own)
        more = {name: value for name, value in change.items() if name in ("headers", "version")}
        sends = (method, path) == ("POST", "/messages")
        system = "legesenter" if sends else "kommune"
        if "body" in change and "requestBody" in operation:
            body = change["body"]
        if change.get("system"):
            system = "kommune" if sends else "legesenter"
            if "{id}" in path and method == "GET":
                continue  # its sender may look
        reply = ask(
            method, f"/api/v{version}{here}", body, query=query, system=system, **({"version": str(version)} | more)
        )
        as_described(reply, operation, whole)
        seen.add(reply.status if reply.status > 299 else 200)
    assert wanted in seen, seen


# --- whatever is asked


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manner", MANNERS)
def test_nothing_that_is_asked_is_answered_otherwise(request: pytest.FixtureRequest, manner: str, version: int) -> None:
    """Requests made from the description, fitting or nearly: no fault of ours, and no answer that does not stand there."""
    ask: Caller = request.getfixturevalue(manner)
    whole = described(ask, version)
    own = ask("POST", "/api/v3/messages", ask.order()).json()["id"]
    document = base64.b64encode(ask.document()).decode()
    numbers = st.one_of(st.sampled_from((SENDER, RECEIVER, 1)), st.integers(-1, 2**70))

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def asked(data: st.DataObject) -> None:
        path, method, operation = data.draw(st.sampled_from(list(operations(whole))))
        at = {"id": data.draw(st.sampled_from((own, own.upper(), "x", "%00"))), "herId": data.draw(numbers)}
        query = [
            (one["name"], str(item))
            for one in operation["parameters"]
            if one["in"] == "query" and (one["required"] or data.draw(st.booleans()))
            for value in [data.draw(values(one["schema"], whole, numbers))]
            for item in (value if isinstance(value, list) else [value])
        ]
        body = None
        if "requestBody" in operation:
            body = data.draw(values(operation["requestBody"]["content"]["application/json"]["schema"], whole, numbers))
            if isinstance(body, dict) and data.draw(st.booleans()) and "businessDocument" in body:
                body["businessDocument"] = document
        system = data.draw(st.sampled_from(("legesenter", "kommune")))
        reply = ask(
            method,
            f"/api/v{version}{path.format(**at)}",
            body,
            query=urlencode(query),
            version=str(version),
            system=system,
        )
        assert reply.status < 500
        as_described(reply, operation, whole)

    asked()


# --- the page


@pytest.mark.parametrize("version", VERSIONS)
def test_the_page_asks_no_other_host(easy: Caller, version: int) -> None:
    """Its script and its looks are the hub's own, and the policy forbids any other."""
    for name in ("docs", "docs.js", "docs.css", "DOCS"):
        reply = easy("GET", f"/api/v{version}/{name}", version=None, headers={"X-API-Key": None})
        assert reply.status == 200
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert not re.search(
            rb"https?:|//[a-z]|@VERSION@|<script>|\son\w+=|style=", reply.body.replace(b"// Shows", b"")
        )
    page = easy("GET", f"/api/v{version}/docs", version=None).body.decode()
    for link in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert easy("GET", link, version=None).status == 200, link
