"""Orders of record systems, spoilt: problem details or an id, never a surprise, and what is taken is what was given."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.ports import ArrivalFilter
from ops.samples.make import Sample
from tests.fuzz import mutations
from tests.fuzz.mutations import Spoil
from tests.fuzz.target import shots
from tests.support.asgi import Reply
from tests.support.world import DOCTOR, PARTNER, World

JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
    max_leaves=6,
)
MEMBERS = (
    "senderHerId",
    "receiverHerIds",
    "businessDocument",
    "contentType",
    "contentTransferEncoding",
    "applicationName",
)


def order(sample: Sample) -> dict[str, Any]:
    """A good one."""
    return {
        "senderHerId": int(DOCTOR.her_id),
        "receiverHerIds": [int(PARTNER.her_id)],
        "businessDocument": base64.b64encode(sample.document).decode(),
    }


def sound(reply: Reply) -> bool:
    """Whether it was taken; else it must be problem details that say why, and whose fault it is."""
    if reply.status in (200, 202, 204, 307):  # 307: the same address without its last slash
        return reply.status != 307
    assert 400 <= reply.status < 500, reply
    told = reply.json()
    assert reply.headers["content-type"] == "application/problem+json"
    assert told["status"] == reply.status and told["code"] != "unforeseen" and told["detail"]
    return False


def handed_over(world: World, body: bytes) -> bytes | None:
    """The document that was kept as handed over; None when it was refused."""
    reply = world.rest("POST", "/messages", body)
    if not sound(reply):
        return None
    return world.run(world.hub.store.document(reply.json()["id"]))


@shots(80)
@given(spoil=mutations.anywhere())
def test_json_changed_on_the_way(world: World, spoil: Spoil) -> None:
    handed_over(world, spoil(json.dumps(order(world.sample(sender=DOCTOR, receiver=PARTNER))).encode()))


@shots(80)
@given(member=st.sampled_from(MEMBERS), value=JUNK)
def test_a_member_of_another_kind(world: World, member: str, value: Any) -> None:
    body = order(world.sample(sender=DOCTOR, receiver=PARTNER)) | {member: value}
    handed_over(world, json.dumps(body).encode())


@shots(90)
@given(
    spoil=st.one_of(mutations.anywhere(), mutations.restructured()),
    kind=st.sampled_from(("henvisning", "dialog-helsefaglig")),
)
def test_a_document_spoilt_is_refused_or_kept_as_it_is(world: World, spoil: Spoil, kind: str) -> None:
    document = spoil(world.sample(kind, sender=DOCTOR, receiver=PARTNER).document)
    body = {"senderHerId": int(DOCTOR.her_id), "businessDocument": base64.b64encode(document).decode()}
    kept = handed_over(world, json.dumps(body).encode())
    assert kept in (None, document)
    if kept is None:
        arrival = world.run(world.hub.store.arrivals(ArrivalFilter(limit=1)))[0]
        assert arrival.arrival.body == document and arrival.state == "refused"


@shots(80)
@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
    query=st.text(st.characters(max_codepoint=126), max_size=60),
)
def test_any_address(world: World, path: str, query: str) -> None:
    sound(world.rest("GET", f"/messages/{path}", query=query))
    sound(world.rest("GET", "/notifications", query=f"HerIds={query}"))


@shots(60)
@given(value=JUNK, errors=JUNK)
def test_any_apprec(world: World, value: Any, errors: Any) -> None:
    for body in (value, {"appRecSenderHerId": int(DOCTOR.her_id), "appRecStatus": value, "appRecErrorList": errors}):
        sound(world.rest("POST", "/messages/x/apprec", body))
        sound(world.rest("PUT", "/messages/x/downloaded", body))
