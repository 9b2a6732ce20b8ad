"""Nothing stays in limbo: whatever an attempt, an arrival or a deadline stumbles over ends with a code, at a person's list."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import delivery, follow_up, intake
from hub.circuit import Circuits
from hub.codes import REASONS
from hub.errors import StoreUnavailable
from hub.kit import Kit
from hub.message import Channel, Claimed, NewMessage, Outcome, Parcel, Reached
from hub.ports import ArrivalFilter, Change, DeliveryFilter
from hub.states import NEEDS_A_PERSON, SETTLED, TRYING, State
from tests.conformance import values as v
from tests.support.world import DOCTOR, PARTNER, SECRETS, World

#: What every failing step has in its words, and nobody may read.
CONTENT = SECRETS[0].decode()
LEASE, PERSIST = timedelta(seconds=30), timedelta(hours=24)


@dataclass
class Clock:
    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds()


class Stumbling:
    """Another thing, one verb of which fails: each time, or the first few times."""

    def __init__(self, inner: Any, verb: str, times: int) -> None:
        self._inner, self._verb, self._left = inner, verb, times

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == self._verb and self._left:
            self._left -= 1
            raise ZeroDivisionError(CONTENT)
        return found


class Telling:
    """A sender that says the same each time, and counts what it was given."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome, self.count = outcome, 0

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        self.count += 1
        return self._outcome


#: Where the AppRec's deadline ends it.
WATCHED = {State.SENT, State.AVAILABLE, State.ACKNOWLEDGED}
ALWAYS = 1_000_000
#: Part of what an attempt uses → its verbs; what settles the attempt itself fails only a few times: else the store is away.
STEPS = {
    "store": [
        ("document", ALWAYS),
        ("keep_parcel", ALWAYS),
        ("message", ALWAYS),
        ("deliveries", ALWAYS),
        ("settle", 3),
    ],
    "keys": [("signing_key", ALWAYS)],
    "directory": [("agreement", ALWAYS), ("bus_profile", ALWAYS), ("party", ALWAYS), ("system", ALWAYS)],
    "schemas": [("find", ALWAYS)],
    "dice": [("uuid", ALWAYS), ("fraction", 1)],
    "clock": [("now", 1), ("monotonic", 1)],
    "circuits": [("failed", ALWAYS), ("reached", ALWAYS), ("failures", 1)],
    "sender": [("send", ALWAYS), ("send", 2)],
}
EACH_STEP = [(part, *step) for part, steps in STEPS.items() for step in steps]
SAID = {
    "no": Outcome(Reached.NO, "connect-failed", "nobody there"),
    "not now": Outcome(Reached.NO, "http-temporary", "HTTP 503", answered=True),
    "nothing": Outcome(Reached.MAYBE, "timed-out", "no answer"),
    "taken": Outcome(Reached.YES, "handed-over", "HTTP 202"),
    "garbage": Outcome(Reached.YES, "unreadable-answer", "HTTP 200", answer=b"<x/>", answer_headers={}),
    "fetched": Outcome(Reached.YES, "fetched", "written"),
}
ROADS = [
    (Channel.EBXML_HTTP, "business", "Henvisning"),
    (Channel.EBXML_SMTP, "business", "Henvisning"),
    (Channel.EBXML_HTTP, "signal", "Acknowledgment"),
    (Channel.EBXML_HTTP, "signal", "Pong"),
    (Channel.AMQP, "business", "DIALOG_INNBYGGER_TIMERESERVASJON"),
    (Channel.AMQP_SYNC, "business", "DIALOG_INNBYGGER_TIMERESERVASJON"),
    (Channel.FOLDER, "business", "Henvisning"),
    (Channel.QUEUE, "business", "Henvisning"),
]


async def promised(world: World, road: tuple[Channel, str, str], clock: Clock, *, sealed: bool) -> str:
    """The address of one delivery that nobody else has."""
    channel, kind, action = road
    record = v.message(
        id=str(uuid4()), from_her=DOCTOR.her_id, to_her=PARTNER.her_id, action=action, kind=kind, eb_message_id=""
    )
    address = f"http://127.0.0.1:9/{record.id}"
    promise = v.delivery(
        record.id,
        id=str(uuid4()),
        sender=DOCTOR.her_id,
        receiver=PARTNER.her_id,
        channel=channel,
        address=address,
        kind=kind,
        created_at=clock.at,
        next_at=clock.at,
        give_up_at=clock.at + PERSIST,
        apprec_due_at=None if kind == "signal" else clock.at + PERSIST,
        expires_at=clock.at + timedelta(seconds=15) if channel is Channel.AMQP_SYNC else None,
        retry_interval=timedelta(hours=3),
        retries=5,
        eb_message_id=str(uuid4()),
        rule="built-in: answer",  # goes where its question came from: no register sends it elsewhere
    )
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    store = world.hub.kit.store
    kept = Change(messages=(NewMessage(record, document),), deliveries=(promise,), journal=(v.entry(record.id),))
    await store.apply(kept)
    if sealed:
        await store.keep_parcel(promise.id, Parcel({}, document), promise.eb_message_id)
    return address


async def weeks(address: str, kit: Kit, senders: Any, circuits: Any, clock: Clock, real: Kit) -> None:
    """All attempts and deadlines of two weeks, as a hub would make them."""
    end = clock.at + timedelta(weeks=2)
    while clock.at < end:
        for claimed in await real.store.claim(clock.at, 10, LEASE, frozenset(), 10, only=frozenset((address,))):
            assert claimed.attempt < 500, "it is tried for ever"
            with suppress(ZeroDivisionError):
                await delivery.attempt(claimed, kit, senders, circuits)
        with suppress(ZeroDivisionError):
            await follow_up.watch(replace(kit, clock=clock))
        found = await real.store.deliveries(DeliveryFilter(message_id=address.rpartition("/")[2]))
        times = [at for d in found for at in (d.next_at, d.apprec_due_at if d.state in WATCHED else None) if at]
        clock.at = max(min(times, default=end), clock.at + timedelta(milliseconds=1))


@settings(max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    road=st.sampled_from(ROADS),
    step=st.sampled_from(EACH_STEP),
    said=st.sampled_from(sorted(SAID)),
    sealed=st.booleans(),
    ours=st.integers(0, 1),
)
def test_whatever_step_of_an_attempt_fails_a_person_sees_it_in_the_end(
    world: World, road: tuple[Channel, str, str], step: tuple[str, str, int], said: str, sealed: bool, ours: int
) -> None:
    """With a code, a reason without content, and a line of the journal; and nobody is sent it more often than agreed."""
    part, verb, times = step
    real, clock = world.hub.kit, Clock(datetime.now(UTC) + timedelta(days=ours))
    sender, plain = Telling(SAID[said]), Circuits(3, delivery.backoff(world.hub.kit))
    broken: dict[str, Any] = {"sender": sender, "circuits": plain, "clock": clock}
    broken[part] = Stumbling(broken.get(part) or getattr(real, part), verb, times)
    senders = dict.fromkeys(Channel, broken.pop("sender"))
    circuits = broken.pop("circuits")
    kit = replace(real, **broken)

    async def lived() -> Any:
        address = await promised(world, road, clock, sealed=sealed)
        await weeks(address, kit, senders, circuits, clock, real)
        [found] = await real.store.deliveries(DeliveryFilter(message_id=address.rpartition("/")[2]))
        return found, await real.store.journal(found.message_id), await real.store.attempts(found.id)

    found, journal, attempts = world.run(lived())
    assert found.state in SETTLED | NEEDS_A_PERSON, found
    assert found.code in REASONS and found.because and CONTENT not in found.because, found
    told = [entry for entry in journal if entry.delivery_id == found.id]
    assert told and told[-1].code in REASONS and not any(CONTENT in entry.because for entry in told)
    assert verb == "settle" or all(a.ended_at is not None for a in attempts), "an attempt that is left to its lease"
    assert not [a for a in attempts if CONTENT in a.because]
    # six agreed hand-overs, six more in the minutes behind each, and one more where settling failed
    most = 7 * 6 + 3 if found.channel in (Channel.EBXML_HTTP, Channel.EBXML_SMTP) else 10_000
    assert sum(a.reached != Reached.NO for a in attempts) <= most


def test_what_the_store_cannot_keep_is_left_to_its_lease(world: World) -> None:
    """It is away: nothing can be settled, and what is under way is taken up again when it is back."""
    clock, real = Clock(datetime.now(UTC)), world.hub.kit

    class Away(Stumbling):
        def __getattr__(self, name: str) -> Any:
            if name == "settle":
                raise StoreUnavailable("no connection")
            return getattr(real.store, name)

    async def lived() -> Any:
        address = await promised(world, ROADS[0], clock, sealed=True)
        [claimed] = await real.store.claim(clock.at, 1, LEASE, frozenset(), 1, only=frozenset((address,)))
        kit = replace(real, store=Away(None, "", 0), clock=clock)
        with pytest.raises(StoreUnavailable):
            await delivery.attempt(
                claimed, kit, dict.fromkeys(Channel, Telling(SAID["no"])), Circuits(3, delivery.backoff(kit))
            )
        again = await real.store.claim(
            clock.at + LEASE, 1, LEASE, frozenset(), 1, only=frozenset((claimed.delivery.address,))
        )
        return claimed, again

    claimed, again = world.run(lived())
    assert [one.delivery.id for one in again] == [claimed.delivery.id] and claimed.delivery.state in TRYING


# --- what comes in


def test_an_arrival_that_nobody_can_judge_ends_in_quarantine_and_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside it another is judged each time; when PersistDuration is over a person has it, with its bytes."""
    real, clock = world.hub.kit, Clock(datetime.now(UTC))
    bad, good = v.arrival(id=str(uuid4()), received_at=clock.at), v.arrival(id=str(uuid4()), received_at=clock.at)
    judged: list[str] = []

    async def receive(arrival: Any, kit: Kit, *, late: bool = False) -> None:
        judged.append(arrival.id)
        if arrival.id == bad.id:
            raise ZeroDivisionError(CONTENT)

    monkeypatch.setattr(intake, "receive", receive)
    kit = replace(real, clock=clock)

    async def lived() -> Any:
        for one in (bad, good):
            kept = v.arrival_record("undecided", arrival=one, next_at=clock.at)
            await real.store.apply(Change(arrival=kept))
        while clock.at - bad.received_at < timedelta(weeks=1):
            with suppress(ZeroDivisionError):
                await follow_up.judge_again(kit)
            clock.at += timedelta(hours=1)
        return await real.store.arrivals(ArrivalFilter(ids=(bad.id,))), await real.store.journal(arrival_id=bad.id)

    [kept], journal = world.run(lived())
    assert (kept.state, kept.code, kept.arrival.body) == ("quarantined", "unforeseen", bad.body)
    assert "ZeroDivisionError" in kept.because and CONTENT not in kept.because
    assert journal[-1].event == "quarantined" and good.id in judged
    assert 90 < judged.count(bad.id) < 100  # each hour of 96


def test_a_deadline_that_cannot_be_told_is_told_barely(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The AppRec is missing all the same: overdue, and the next one too."""
    real, clock = world.hub.kit, Clock(datetime.now(UTC))
    sound = follow_up._missed
    first: list[str] = []

    def missed(one: Any, kit: Kit) -> Change:
        first.append(one.id)
        if one.id == first[0]:
            raise ZeroDivisionError(CONTENT)
        return sound(one, kit)

    monkeypatch.setattr(follow_up, "_missed", missed)

    async def lived() -> Any:
        addresses = [await promised(world, ROADS[0], clock, sealed=False) for _ in range(2)]
        promises = await real.store.deliveries(DeliveryFilter(states=("waiting",), limit=1000))
        waiting = [one for one in promises if one.address in addresses]
        for one in waiting:
            order = v.move(one.id, delivery.Move.HAND_OVER, next_at=clock.at + timedelta(weeks=2))
            await real.store.apply(Change(moves=(order,)))
        clock.at += PERSIST + timedelta(hours=1)
        with suppress(ZeroDivisionError):
            await follow_up.watch(replace(real, clock=clock))
        return await real.store.deliveries(DeliveryFilter(ids=tuple(one.id for one in waiting)))

    found = world.run(lived())
    assert [one.state for one in found] == ["overdue", "overdue"]
    assert {one.code for one in found} == {"unforeseen", "receipts-missing"}
    assert not any(CONTENT in one.because for one in found)
