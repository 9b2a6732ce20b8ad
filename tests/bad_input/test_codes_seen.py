"""Every code of the register, driven to its end on every road: whatever ends with it stands on a person's list, and in a metric.

The real intake with a check that says the code, the real delivery with a sender that says it, the real sweeps by a clock that
is moved, and the real commands and metrics: nothing here knows where a code belongs but by looking.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from hub import commands, delivery, follow_up, intake, seen, submission
from hub.checks import chain
from hub.checks.inspection import Check, Inspection
from hub.circuit import Circuits
from hub.codes import REASONS
from hub.formats import apprec_write, envelope_write, xml
from hub.formats import document as documents
from hub.formats.apprec import AppRecError
from hub.kit import Kit
from hub.message import Arrival, Channel, Claimed, DeliveryRecord, NewMessage, Outcome, Parcel, Reached
from hub.ports import Change, DeliveryFilter, MessageFilter
from hub.seen import METRICS, Seen
from hub.states import Move
from hub.verdict import Hold, Refuse, Retry, Verdict
from ops.cli.app import app
from tests.conformance import values as v
from tests.support import asgi, letters
from tests.support.world import DOCTOR, PARTNER, World

LEASE, PERSIST = timedelta(seconds=30), timedelta(hours=1)


@dataclass
class Clock:
    """The time is what a test says."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds()


class Sender:
    """Says the same each time."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        return self._outcome


@dataclass
class Bench:
    """A hub, and how each kind of thing is brought to its end in it."""

    world: World
    patch: pytest.MonkeyPatch

    @property
    def kit(self) -> Kit:
        """The hub's own."""
        return self.world.hub.kit

    # --- what comes in

    def says(self, where: str, verdict: Verdict) -> None:
        """From now on a check of this chain says so, behind those that are there."""

        def check(inspection: Inspection, kit: Kit) -> Verdict:
            return verdict

        whole: tuple[Check, ...] = SOUND[where]
        self.patch.setattr(chain, where, (*whole, check) if where in ("DOCUMENT",) else (check,))

    async def comes(self, where: str, verdict: Verdict, letter: letters.Letter) -> str:
        """A partner's message, judged so; the arrival's id."""
        self.says(where, verdict)
        arrival = Arrival(str(uuid4()), "ebxml_http", datetime.now(UTC), dict(letter.headers), letter.body)
        await intake.receive(arrival, self.kit)
        self.patch.setattr(chain, where, SOUND[where])
        return arrival.id

    async def handed_over(self, verdict: Refuse) -> str:
        """A record system's document, refused so; the arrival's id."""
        self.says("SUBMISSION", verdict)
        arrival = Arrival(str(uuid4()), "rest", datetime.now(UTC), {}, b"<x/>", system="legesenter")
        await submission.submit(arrival, self.kit)
        return arrival.id

    def letter(self, kind: str = "dialog-helsefaglig") -> letters.Letter:
        """A whole message of the partner's."""
        return letters.business(self.world.post_to, self.world.sample(kind).document)

    def answer(self, msg_id: str = "", status: str = "1", *errors: AppRecError) -> letters.Letter:
        """An AppRec of the partner's, about a MsgId that may be known here; without a status one that nobody knows."""
        about = self.world.sample(sender=DOCTOR, receiver=PARTNER, msg_id=msg_id or str(uuid4()))
        asked = documents.read(xml.parse(about.document, BOUNDS))
        body = apprec_write.write(
            asked,
            version="1.0",
            apprec_id=str(uuid4()),
            now=datetime.now(UTC),
            receiver=asked.receiver,
            role="PRIM",
            status=status or "1",
            errors=errors,
            software=("Test", "1"),
        )
        body = body if status else letters.swap('<Status V="1"', '<Status V="7"')(body)
        return letters.business(self.world.post_to, body, code="APPREC")

    # --- what goes out

    async def promised(self, clock: Clock, channel: Channel, **more: Any) -> str:
        """A delivery to an address that nobody else has, sealed; the message's id."""
        record = v.message(
            id=str(uuid4()), msg_id=str(uuid4()), from_her=DOCTOR.her_id, to_her=PARTNER.her_id, eb_message_id=""
        )
        given = {"give_up_at": clock.at + PERSIST, "apprec_due_at": clock.at + 4 * PERSIST, "expires_at": None}
        given |= {"retries": 5, "retry_interval": timedelta(minutes=10)} | more
        promise = v.delivery(
            record.id,
            id=str(uuid4()),
            sender=DOCTOR.her_id,
            receiver=PARTNER.her_id,
            channel=channel,
            address=f"http://127.0.0.1:9/{record.id}",
            created_at=clock.at,
            next_at=clock.at,
            eb_message_id=str(uuid4()),
            rule="built-in: answer",  # goes where its question came from: no register sends it elsewhere
            **given,
        )
        kept = Change(messages=(NewMessage(record, b"<x/>"),), deliveries=(promise,), journal=(v.entry(record.id),))
        await self.kit.store.apply(kept)
        await self.kit.store.keep_parcel(promise.id, Parcel({}, b"sealed"), promise.eb_message_id)
        return record.id

    async def tried(self, message_id: str, outcome: Outcome, clock: Clock) -> None:
        """One attempt, if one is due."""
        kit, mine = replace(self.kit, clock=clock), frozenset((f"http://127.0.0.1:9/{message_id}",))
        for claimed in await kit.store.claim(clock.at, 1, LEASE, frozenset(), 1, only=mine):
            circuits = Circuits(1000, delivery.backoff(kit))
            await delivery.attempt(claimed, kit, dict.fromkeys(Channel, Sender(outcome)), circuits)

    async def one(self, message_id: str) -> str:
        """The delivery of a message."""
        return (await self.promise(message_id)).id

    async def promise(self, message_id: str) -> DeliveryRecord:
        """The same, as it stands."""
        [found] = await self.kit.store.deliveries(DeliveryFilter(message_id=message_id))
        return found

    # --- what people see

    def listed(self, where: Seen) -> dict[str, dict[str, Any]]:
        """What the command shows, by the ids of arrivals and deliveries."""
        words = where.value.split()[1:]
        file = str(self.world.site.configuration)
        done = CliRunner().invoke(app, [*words, "--json", "--limit", "100000", "--config", file])
        assert done.exit_code in (0, 1), done.output
        return {row["id"]: row for row in map(json.loads, done.stdout.splitlines())}

    def metrics(self) -> str:
        """As a machine reads them."""
        return self.world.run(asgi.call(self.world.hub.app, "GET", "/metrics", {}, b"")).body.decode()


BOUNDS = xml.Bounds(1_000_000)
SOUND = {name: getattr(chain, name) for name in ("READING", "TRANSPORT", "DOCUMENT", "SUBMISSION", "SIGNAL")}


# --- the roads


async def unreadable(bench: Bench, codes: list[str]) -> dict[str, str]:
    """It cannot even be read."""
    letter = bench.letter()
    return {code: await bench.comes("READING", Refuse(code, "as the test says"), letter) for code in codes}


async def refused(bench: Bench, codes: list[str]) -> dict[str, str]:
    """Its envelope, signature or payload is refused by a MessageError."""
    letter = bench.letter()
    return {code: await bench.comes("TRANSPORT", Refuse(code, "as the test says"), letter) for code in codes}


async def not_now(bench: Bench, codes: list[str]) -> dict[str, str]:
    """Something of ours could not be asked."""
    letter = bench.letter()
    return {code: await bench.comes("TRANSPORT", Retry(code, "as the test says"), letter) for code in codes}


async def to_its_face(bench: Bench, codes: list[str]) -> dict[str, str]:
    """A record system hands it over, and is told no."""
    return {code: await bench.handed_over(Refuse(code, "as the test says")) for code in codes}


async def answers_nothing(bench: Bench, codes: list[str]) -> dict[str, str]:
    """A document that is refused, and that nobody may answer: an AppRec (HITS 1168 Fig. 1)."""
    return {code: await bench.comes("DOCUMENT", Refuse(code, "as the test says"), bench.answer()) for code in codes}


async def put_aside(bench: Bench, codes: list[str]) -> dict[str, str]:
    """A document that a check holds."""
    found = {}
    for code in codes:
        arrival = await bench.comes("DOCUMENT", Hold(code, "as the test says"), bench.letter())
        kept = await bench.kit.store.messages(MessageFilter(limit=1))
        assert kept[0].arrival_id == arrival and kept[0].code == code
        found[code] = await bench.one(kept[0].id)
    return found


async def for_good(bench: Bench, codes: list[str]) -> dict[str, str]:
    """A sender is told that it will never be taken."""
    found = {}
    for code in codes:
        message = await bench.promised(clock := Clock(), Channel.EBXML_HTTP)
        await bench.tried(message, Outcome(Reached.YES, code, "as the test says", permanent=True), clock)
        found[code] = await bench.one(message)
    return found


async def until_time_is_up(bench: Bench, codes: list[str]) -> dict[str, str]:
    """It is told the same at each try, until PersistDuration has passed."""
    found = {}
    for code in codes:
        message = await bench.promised(clock := Clock(), Channel.EBXML_HTTP)
        for _ in range(2):
            await bench.tried(message, Outcome(Reached.NO, code, "as the test says", answered=True), clock)
            clock.at += PERSIST
        found[code] = await bench.one(message)
    return found


async def never_answered(bench: Bench, codes: list[str]) -> dict[str, str]:
    """Handed over, with the same strange answer each time; its AppRec's deadline comes first."""
    ids, clock = {}, Clock()
    for code in codes:
        message = await bench.promised(clock, Channel.EBXML_HTTP, apprec_due_at=clock.at + PERSIST / 2)
        await bench.tried(message, Outcome(Reached.MAYBE, code, "as the test says"), clock)
        ids[code] = await bench.one(message)
    clock.at += PERSIST
    await follow_up.watch(replace(bench.kit, clock=clock), limit=10_000)
    return ids


#: What a document is judged by: codes that have a name of their own in list 8221.
OF_DOCUMENTS = tuple(code for code, row in REASONS.items() if row.apprec not in ("", "X99"))


@dataclass(frozen=True)
class Road:
    """How something ends, and what stands then."""

    drive: Callable[[Bench, list[str]], Awaitable[dict[str, str]]]
    where: Seen
    states: tuple[str, ...]
    codes: tuple[str, ...] = tuple(REASONS)


ROADS = {
    "cannot be read": Road(unreadable, Seen.ARRIVALS, ("quarantined",)),
    "is refused": Road(refused, Seen.ARRIVALS, ("refused",)),
    "cannot be judged now": Road(not_now, Seen.ARRIVALS, ("undecided",)),
    "is refused to a record system's face": Road(to_its_face, Seen.ARRIVALS, ("refused",)),
    "is refused, and may not be answered": Road(answers_nothing, Seen.ARRIVALS, ("refused",), OF_DOCUMENTS),
    "is put aside": Road(put_aside, Seen.HELD, ("held",), OF_DOCUMENTS),
    "will never be taken": Road(for_good, Seen.DEAD, ("dead",)),
    "is tried until time is up": Road(until_time_is_up, Seen.DEAD, ("dead",)),
    "is never answered": Road(never_answered, Seen.OVERDUE, ("overdue",)),
}


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory, keys: Any, aside: Any) -> Iterator[World]:
    """A hub of this module's own: thousands of things end in it."""
    made = World(tmp_path_factory.mktemp("codes"), keys, aside)
    yield made
    made.close()


@pytest.mark.parametrize("road", ROADS)
def test_whatever_ends_with_a_code_stands_on_a_persons_list(
    hall: World, monkeypatch: pytest.MonkeyPatch, road: str
) -> None:
    """All codes, on each road that they may come by; with the reason, what to do, and a metric that counts it."""
    bench, going = Bench(hall, monkeypatch), ROADS[road]
    ids = hall.run(going.drive(bench, list(going.codes)), 120)
    rows, metrics = bench.listed(going.where), bench.metrics()

    assert [code for code, own in ids.items() if own not in rows] == []
    for code, own in ids.items():
        row = rows[own]
        assert row["state"] in going.states and row["code"] in REASONS and row["because"], row
        if REASONS[code].blame != "nobody":  # which is no cause
            assert code in (row["code"], row.get("cause")), row
            assert row["what_to_do"] == REASONS[row.get("cause") or row["code"]].hint, row
        assert counted(metrics, going.where, row["state"], row["code"]) > 0, code


def counted(text: str, where: Seen, state: str, code: str) -> float:
    """What the metric of a list says of this state, and of this code where it tells codes apart."""
    found = re.findall(rf"^{METRICS[where]}{{(.*)}} (\S+)$", text, re.MULTILINE)
    of_code = {f'code="{code}"'} if METRICS[where] == "samhub_arrivals_open" else set()
    wanted = {f'state="{state}"'} | of_code
    return sum(float(number) for labels, number in found if wanted <= set(labels.split(",")))


# --- codes that have a way of their own to the end


NOBODY = Outcome(Reached.NO, "connect-failed", "nobody there")
SILENT = Outcome(Reached.YES, "handed-over", "HTTP 202")
TAKEN = Outcome(Reached.YES, "fetched", "it lies there")


async def _twice(bench: Bench, outcome: Outcome, channel: Channel = Channel.EBXML_HTTP, **given: Any) -> str:
    """Tried, and looked at again when all agreed time has passed; then the deadlines are looked through."""
    message = await bench.promised(clock := Clock(), channel, **given)
    await bench.tried(message, outcome, clock)
    clock.at += PERSIST * 2
    await bench.tried(message, outcome, clock)
    clock.at += PERSIST * 3
    await follow_up.watch(replace(bench.kit, clock=clock), limit=10_000)
    return await bench.one(message)


async def _answered(bench: Bench, status: str, *errors: AppRecError) -> str:
    """Its AppRec comes in, as from any partner."""
    message = await bench.promised(Clock(), Channel.EBXML_HTTP)
    kept = await bench.kit.store.message(message)
    assert kept is not None
    letter = bench.answer(kept.msg_id, status, *errors)
    arrival = Arrival(str(uuid4()), "ebxml_http", datetime.now(UTC), dict(letter.headers), letter.body)
    await intake.receive(arrival, bench.kit)
    return await bench.one(message)


async def _error(bench: Bench) -> str:
    """A signed MessageError comes by itself."""
    message = await bench.promised(clock := Clock(), Channel.EBXML_HTTP)
    await bench.tried(message, SILENT, clock)
    header = {"ref_to_message_id": (await bench.promise(message)).eb_message_id}
    line = envelope_write.ErrorLine("Inconsistent", "Error", "not so", "//x")
    letter = letters.signal(
        bench.world.post_to, lambda h: envelope_write.message_error(h, [line]), "MessageError", **header
    )
    arrival = Arrival(str(uuid4()), "ebxml_http", datetime.now(UTC), dict(letter.headers), letter.body)
    await intake.receive(arrival, bench.kit)
    return await bench.one(message)


async def _held(bench: Bench) -> str:
    own = await bench.one(await bench.promised(Clock(), Channel.EBXML_HTTP))
    await commands.act(own, Move.HOLD, "a person", "not today", bench.kit)
    return own


FLAW = AppRecError("E10", apprec_write.APPREC_OID, "Ugyldig meldingsidentifikator", "")
#: Code → how it comes to that by the real thing.
OWN: dict[str, Callable[[Bench], Awaitable[str]]] = {
    "retries-exhausted": lambda b: _twice(b, SILENT, retries=0, give_up_at=Clock().at + 9 * PERSIST),
    "persist-duration-over": lambda b: _twice(b, NOBODY),
    "time-to-live-expired": lambda b: _twice(b, NOBODY, expires_at=Clock().at + PERSIST),
    "sync-timed-out": lambda b: _twice(b, Outcome(Reached.YES, "bus-taken", "taken"), Channel.AMQP_SYNC),
    "apprec-missing": lambda b: _twice(b, TAKEN, Channel.FOLDER),
    "receipts-missing": lambda b: _twice(b, SILENT, give_up_at=Clock().at + 99 * PERSIST),
    "apprec-negative": lambda b: _answered(b, "2", FLAW),
    "apprec-partly": lambda b: _answered(b, "3", FLAW),
    "apprec-unclear": lambda b: _answered(b, ""),
    "message-error": _error,
    "held": _held,
}


def test_what_ends_by_a_rule_of_its_own_stands_where_the_register_says(
    hall: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deadlines, used-up retries, receipts and AppRecs that came home, and what a person put aside."""
    bench = Bench(hall, monkeypatch)

    async def all_of_them() -> dict[str, str]:
        return {code: await drive(bench) for code, drive in OWN.items()}

    ids, metrics = hall.run(all_of_them(), 60), bench.metrics()
    rows = {where: bench.listed(where) for code in OWN for where in seen.seen(code) if where in METRICS}
    for code, own in ids.items():
        found = {where: rows[where][own] for where in seen.seen(code) if own in rows.get(where, {})}
        assert found, f"{code} stands on no list where it is said to be: {hall.run(_promised(bench, own))}"
        for where, row in found.items():
            assert row["code"] == code and row["because"] and counted(metrics, where, row["state"], code) > 0, row


async def _promised(bench: Bench, own: str) -> DeliveryRecord:
    [found] = await bench.kit.store.deliveries(DeliveryFilter(ids=(own,)))
    return found
