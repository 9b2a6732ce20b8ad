"""What must hold whatever is posted: an answer in time, nobody surprised, nothing lost, nothing delivered that was not signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, currently_in_test_context, event, seed, settings

from hub.formats.envelope_write import HeaderFields
from hub.message import MessageRecord
from hub.ports import ArrivalFilter, ArrivalRecord, DeliveryFilter, MessageFilter, Store
from ops.assemble import Hub
from tests.support import asgi
from tests.support.asgi import Reply
from tests.support.letters import Letter
from tests.support.sample import this_run
from tests.support.world import World, decent

#: No answer may take longer, on the slowest of machines.
SECONDS = 20
#: Statuses that the ebXML door may answer with; 500 only with a Fault that blames the sender.
STATUSES = frozenset({200, 202, 413, 500})
#: What was signed → the column that it is kept in.
COLUMNS = {
    name: {"message_id": "eb_message_id"}.get(name, name)
    for name in ("message_id", "from_her", "to_her", "cpa_id", "conversation_id", "service", "action")
}


#: Of the examples, where a run takes a sample.
SHARE = 0.4
Test = TypeVar("Test", bound=Callable[..., object])


def shots(count: int) -> Callable[[Test], Test]:
    """So many examples, the same on every machine and every day; in a sample fewer, others for each seed."""
    checks = [
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ]
    sampling = this_run()
    how = settings(
        max_examples=sampling.count(count, SHARE),
        derandomize=sampling.all,
        deadline=None,
        database=None,
        suppress_health_check=checks,
    )
    if sampling.all:
        return how
    return lambda test: seed(sampling.seed)(how(test))


def survives(world: World, letter: Letter, signed: bytes | None, header: HeaderFields | None = None) -> str:
    """Posts it and looks at what became of it; returns the code it was kept under.

    `signed` is the document that was signed, if any: the only one that may be handed on; `header` is what was signed with
    it, where it was spoilt afterwards: the only words that may be believed.
    """
    code = world.run(_survives(world.hub, letter, signed, header), SECONDS)
    if currently_in_test_context():
        event(code)  # pytest --hypothesis-show-statistics tells how much of each there was
    return code


async def _survives(hub: Hub, letter: Letter, signed: bytes | None, header: HeaderFields | None) -> str:
    store = hub.kit.store
    before, last = await _newest(store), await store.journal(limit=1)
    reply = await asgi.call(hub.app, "POST", "/ebxml", letter.headers, letter.body)
    decent(reply, b"")
    assert reply.status in STATUSES, reply
    assert reply.status != 500 or b"<faultcode>SOAP:Client<" in reply.body, reply.body
    entry = (await store.journal(limit=1))[0]
    assert last != [entry], "nothing was written down about it"
    arrival = await _newest(store)
    if arrival is None or (before is not None and arrival.arrival.id == before.arrival.id):
        assert entry.code in ("duplicate", "done"), entry  # a repetition, or a Ping answered
        return entry.code
    assert arrival.code != "unforeseen", arrival.because
    assert arrival.arrival.body == letter.body or arrival.code == "too-large", "other bytes are kept than came"
    await _nothing_lost(store, arrival, reply, signed, header)
    return arrival.code


async def _newest(store: Store) -> ArrivalRecord | None:
    return next(iter(await store.arrivals(ArrivalFilter(limit=1))), None)


async def _nothing_lost(
    store: Store, arrival: ArrivalRecord, reply: Reply, signed: bytes | None, header: HeaderFields | None
) -> None:
    """Acknowledged means kept as it was signed, and on its way; refused means that nothing of it is."""
    kept = [m for m in await store.messages(MessageFilter(limit=20)) if m.arrival_id == arrival.arrival.id]
    business = [m for m in kept if m.kind == "business"]
    positive = b"<eb:Acknowledgment " in reply.body or b'eb:highestSeverity="Warning"' in reply.body
    if not positive:
        assert not business, "refused or undecided, and yet handed on"
        return
    assert arrival.state == "accepted"
    assert [m.direction for m in business] == ["in"]
    assert signed is not None, "acknowledged, and nobody had signed it"
    assert await store.document(business[0].id) == signed, "another document than was signed"
    if header is not None:
        believed = {name: getattr(business[0], column) for name, column in COLUMNS.items()}
        assert believed == {name: getattr(header, name) for name in COLUMNS}, "other words than were signed"
    await _on_its_way(store, business[0], kept)


async def _on_its_way(store: Store, message: MessageRecord, kept: list[MessageRecord]) -> None:
    """Ready for its receiver, or refused by an AppRec that waits to go out, or known as a copy."""
    if message.code == "business-duplicate":
        return
    own = await store.deliveries(DeliveryFilter(message_id=message.id))
    answers = [m for m in kept if m.kind == "apprec"]
    assert [d.state for d in own] == ["available"] or (not own and answers), (message.code, message.because)
