"""Version 3 as a strict client of it reads and writes, from its start to its end."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, TypeAdapter

from hub.message import Configuration
from hub.record_systems.values import Order, Transport
from tests.rest import strict
from tests.rest.caller import RECEIVER, SENDER, Caller
from tests.support.asgi import Reply
from tests.support.world import World


class Noted:
    """What the facade of a hub was told, and what it keeps."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.world, self.orders, facade = world, list[tuple[Any, Order]](), world.hub.systems
        submit = facade.submit

        async def note(caller: Any, order: Order) -> Any:
            self.orders.append((caller, order))
            return await submit(caller, order)

        patch.setattr(facade, "submit", note)

    @property
    def kept(self) -> dict[str, Configuration]:
        """Configurations of both."""
        found = self.world.run(self.world.hub.store.configurations((str(SENDER), str(RECEIVER))))
        return {one.her_id: one for one in found}


@pytest.fixture(name="door", params=["national", "easy"])
def _door(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Caller, Noted]:
    """Asks a hub of either manner, and sees what its facade is told."""
    ask: Caller = request.getfixturevalue(request.param)
    return ask, Noted(ask.world, monkeypatch)


def _read(reply: Reply, status: int, shape: Any) -> Any:
    assert reply.status == status, reply.body
    if shape is None:
        assert reply.body == b""
        return None
    return TypeAdapter(shape).validate_json(reply.body)


def test_a_client_from_its_start_to_its_end(door: tuple[Caller, Noted]) -> None:
    """Every call of a client in use, each answer read by models that demand what they need."""
    ask, noted = door
    here = {"system": "kommune"}
    _read(ask("GET", "/ping"), 200, strict.Pong)
    for system, her in (("legesenter", SENDER), ("kommune", RECEIVER)):
        body = {"configurations": [{"herId": her, "receiveNotificationChannel": "Api"}]}
        _read(ask("PUT", "/mshconfigurations", body, system=system), 204, None)
    document = ask.document()
    order = ask.order(document, applicationName=..., applicationVersion=...)  # nhn-source-system says both
    reply = ask("POST", "/messages", order)
    own = _read(reply, 202, strict.Id).id
    assert reply.headers["location"] == f"/messages/{own}"

    notes = _read(ask("GET", "/notifications", query=f"HerIds={RECEIVER}&Offset=0", **here), 200, strict.Notifications)
    [new] = [one for one in notes.notifications if one.relatedMessageId == own]
    assert (new.type, new.notificationTriggeredByHerId) == ("NewMessage", SENDER)
    assert _read(ask("GET", f"/messages/{own}", **here), 200, strict.Message).receiverHerIds == [RECEIVER]
    fetched = _read(ask("GET", f"/messages/{own}/business-document", **here), 200, strict.Document)
    assert base64.b64decode(fetched.businessDocument) == document
    for _ in range(2):
        _read(ask("PUT", f"/messages/{own}/downloaded", {"receiverHerId": RECEIVER}, **here), 204, None)
    answer = {"appRecSenderHerId": RECEIVER, "appRecStatus": "Ok", "appRecErrorList": None}
    made = _read(ask("POST", f"/messages/{own}/apprec", answer, **here), 202, strict.Id).id

    [standing] = _read(ask("GET", f"/messages/{own}/status"), 200, strict.Status).statusList
    assert (standing.transportDeliveryState, standing.sent) == ("Acknowledged", True)
    assert (standing.apprecInfo.appRecStatus, standing.apprecInfo.appRecId) == ("Ok", made)
    told = _read(ask("GET", "/notifications", query=f"HerIds={SENDER}&Offset=0"), 200, strict.Notifications)
    kinds = {one.type for one in told.notifications if one.relatedMessageId == own}
    assert kinds == {"MessageDeliveryStateUpdated", "MessageApprecInfoUpdated"}  # it never left the house
    assert len({one.notificationId for one in told.notifications}) == len(told.notifications)
    for her, system in ((SENDER, "legesenter"), (RECEIVER, "kommune")):
        _read(ask("DELETE", "/mshconfigurations", query=f"HerIds={her}", system=system), 204, None)
    assert noted.kept == {}


def test_what_is_unread_is_what_is_not_deleted(door: tuple[Caller, Noted]) -> None:
    """A6.2 b: ids are the same in both models; unknown ones and those deleted before are passed over."""
    ask, _ = door
    here: dict[str, Any] = {"query": f"HerIds={RECEIVER}&NotificationsToFetch=1000", "system": "kommune"}
    ask("POST", "/messages", ask.order())

    class Unread(BaseModel):
        unreadNotifications: list[dict[str, Any]]

    before = _read(ask("GET", "/notifications/unread", **here), 200, Unread).unreadNotifications
    polled = ask("GET", "/notifications", query=f"{here['query']}&Offset=0", system="kommune").json()["notifications"]
    assert [one["notificationId"] for one in before] == [one["notificationId"] for one in polled]
    assert all("offset" not in one for one in before)
    gone = {"notificationIds": [before[-1]["notificationId"].upper(), str(uuid4())]}
    for _ in range(2):
        _read(ask("POST", "/notifications/delete", gone, system="kommune"), 204, None)
    assert _read(ask("GET", "/notifications/unread", **here), 200, Unread).unreadNotifications == before[:-1]


def test_a_configuration_is_what_the_facade_is_told(door: tuple[Caller, Noted]) -> None:
    """A15.11, all members; capitals first or not, null as absent."""
    ask, noted = door
    whole = {
        "herId": RECEIVER,
        "receiveNotificationChannel": "Api",
        "clientLocked": True,
        "rejectMessageFilters": {"MessageFunction": ["EPIKRISE", "HENVISNING", "EPIKRISE"]},
        "receiveRefusedMessageNotices": True,
    }
    _read(ask("PUT", "/MshConfigurations", {"configurations": [whole]}, system="kommune"), 204, None)
    wanted = Configuration(str(RECEIVER), "Api", True, ("EPIKRISE", "HENVISNING"), True, "kommune")
    assert noted.kept[str(RECEIVER)] == wanted
    least = {"HerId": RECEIVER, "RejectMessageFilters": None, "ClientLocked": None}
    _read(ask("PUT", "/mshconfigurations", {"Configurations": [least]}, system="kommune"), 204, None)
    assert noted.kept[str(RECEIVER)] == Configuration(str(RECEIVER), client="kommune")


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("PUT", "/mshconfigurations", "", {}),
        ("PUT", "/mshconfigurations", "", {"configurations": [{}]}),
        ("PUT", "/mshconfigurations", "", {"configurations": [{"herId": RECEIVER}, {"herId": RECEIVER}]}),
        ("PUT", "/mshconfigurations", "", {"configurations": [{"herId": RECEIVER, "receiveNotificationChannel": "Kafka"}]}),
        ("DELETE", "/mshconfigurations", "", None),
        ("DELETE", "/mshconfigurations", f"HerIds={RECEIVER}&HerIds={RECEIVER}", None),
        ("GET", "/notifications/unread", "", None),
        ("GET", "/notifications/unread", f"HerIds={RECEIVER}&NotificationsToFetch=1001", None),
        ("GET", "/notifications/unread/stream", "HerIds=x", None),
        ("POST", "/notifications/delete", "", {"notificationIds": ["x"]}),
        ("POST", "/notifications/delete", "", {"notificationIds": [str(uuid4()) for _ in range(1001)]}),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(door: tuple[Caller, Noted], method: str, path: str, query: str, body: Any) -> None:
    reply = door[0](method, path, body, query=query, system="kommune")
    told = _read(reply, 400, strict.Problem)
    assert told.errorCode == 1001 and told.validationErrors


def test_somebody_elses_her_id_is_not_configured(door: tuple[Caller, Noted]) -> None:
    """403/1202."""
    told = _read(door[0]("PUT", "/mshconfigurations", {"configurations": [{"herId": RECEIVER}]}), 403, strict.Problem)
    assert told.errorCode == 1202


# --- what a sender wishes

WISHED = {
    "cpaId": "cpa",
    "conversationId": "conversation",
    "service": "service",
    "serviceType": "type",
    "action": "action",
    "senderRole": "one",
    "receiverRole": "other",
    "middlewareName": "Bro",
    "middlewareVersion": "2",
    "compressPayload": True,
    "transportSenderHerId": 1,
    "transportReceiverHerId": 2,
}


def test_what_a_sender_wishes_is_what_the_facade_is_told(door: tuple[Caller, Noted]) -> None:
    """A7.1, A9.6."""
    ask, noted = door
    ask("POST", "/messages", ask.order(transportMetadataOverrides=WISHED, messageTypeIdentificator="EPIKRISE"))
    caller, order = noted.orders[-1]
    assert order.message_type == "EPIKRISE"
    assert order.transport == Transport(
        "cpa", "conversation", "service", "type", "action", "one", "other", "Prøvejournal", "4.2", "Bro", "2", True,
        sender="1", receiver="2",
    )  # fmt: skip
    assert caller.configured == is_national(ask, noted)


def is_national(ask: Caller, noted: Noted) -> bool:
    """Whether the door asks for configured HER-ids: version 3 of national manner, which poll without Offset tells."""
    return ask("GET", "/notifications", query=f"HerIds={SENDER}").status == 400


#: nhn-source-system, name and version in the order → what the envelope is to say; None: refused by national manner.
APPLICATIONS = [
    ("Front, 18.0", None, None, ("Front", "18.0"), True),
    ("Front/18.0", None, None, ("Front", "18.0"), True),
    ("Front", None, None, ("Front", ""), False),
    ("Front, 18.0", "Journal", "2", ("Journal", "2"), True),
    ("Front, 18.0", "Journal", None, ("Journal", ""), False),
    ("Front, 18.0", None, "2", ("", "2"), False),
    ("Front, 18.0", "  ", "", ("Front", "18.0"), True),
    ("A/B, 1.0, beta", None, None, ("A/B", "1.0, beta"), True),
]


@pytest.mark.parametrize(("source", "name", "number", "told", "enough"), APPLICATIONS)
def test_name_and_version_of_the_application(
    door: tuple[Caller, Noted], source: str, name: str | None, number: str | None, told: tuple[str, str], enough: bool
) -> None:
    """A2.1, A14.2: the header says them where the order does not; a version is never put beside another's name."""
    ask, noted = door
    national = is_national(ask, noted)
    del noted.orders[:]
    body = ask.order(applicationName=name, applicationVersion=number)
    reply = ask("POST", "/messages", body, headers={"nhn-source-system": source})
    if national and not enough:
        assert reply.status == 400 and reply.json()["validationErrors"][0].startswith("application")
        return
    assert reply.status == 202, reply.body
    [(_, order)] = noted.orders
    assert (order.transport.application_name, order.transport.application_version) == told
