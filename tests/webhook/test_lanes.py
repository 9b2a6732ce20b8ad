"""What is told, in which order, when again and until when: by the rules, over a real store, with a clock that is handed in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.store.sqlite import SqliteStore
from hub.errors import ContentLost, NotFound, StoreUnavailable
from hub.events import Event
from hub.message import Outcome, Reached
from hub.record_systems import webhooks
from hub.record_systems.webhooks import APART, BEHIND, NEW, READ, TOLD
from tests.webhook.receivers import AWAY, GONE, REFUSED, TAKEN, Receiver, refusing, scripted

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest_asyncio.fixture
async def epj(tmp_path: Path) -> AsyncIterator[Receiver]:
    """A record system that is told already, and takes everything."""
    store = await SqliteStore.open(tmp_path / "store.db", min_free_bytes=0)
    made = Receiver(store)
    await made.turn()
    yield made
    assert await store.check() == []
    await store.close()


async def test_it_is_told_in_order_and_once(epj: Receiver) -> None:
    await epj.happens("a", "b", "a", "c", "a")
    await epj.turn()
    await epj.turn()
    epj.restarts()
    await epj.turn()
    assert epj.told() == ["a", "b", "a", "c", "a"]
    assert [note.offset for note in epj.taken] == sorted(note.offset for note in epj.taken)


async def test_what_is_about_no_message_is_told_like_all_else(epj: Receiver) -> None:
    """A document of the house that was turned away has none; each such event keeps its order by itself."""
    await epj.happens("a", "", "", "a")
    await epj.turn()
    assert epj.told() == ["a", "", "", "a"]
    epj.answers = lambda note: TAKEN if note.message_id else REFUSED
    await epj.happens("", "b", "", "b")
    await epj.passes(30 * MINUTE, MINUTE)
    assert epj.told()[4:] == ["b", "b"], "those that are refused hold nobody"
    epj.answers = lambda _: TAKEN
    await epj.passes(40 * MINUTE, MINUTE)
    assert sorted(epj.told()[4:]) == ["", "", "b", "b"]


async def test_who_is_told_for_the_first_time_is_told_what_happens_from_now_on(epj: Receiver) -> None:
    """What was before it has polled; a year of it would come at once."""
    late = Receiver(epj.store, system=replace(epj.system, id="late"))
    await epj.happens("before")
    await late.turn()
    await epj.happens("after")
    await late.turn()
    assert late.told() == ["after"]


async def test_after_more_than_is_read_at_once_all_is_told(epj: Receiver) -> None:
    wanted = [f"m{n % 7}" for n in range(READ + TOLD + 3)]
    await epj.happens(*wanted)
    await epj.turn()
    assert epj.told() == wanted


@pytest.mark.parametrize("restarted", [False, True], ids=["as it runs", "with restarts in between"])
async def test_what_is_not_taken_is_tried_again_later_each_time(epj: Receiver, restarted: bool) -> None:
    """After 1, 2, 4 … 30 minutes and a little; what it waits for is in the store."""
    await epj.happens("a")
    epj.answers = lambda _: AWAY
    waits = []
    for _ in range(8):
        await epj.turn()
        lane = await epj.lane(NEW)
        assert lane.next_at is not None
        waits.append((lane.next_at - epj.clock.now()) / MINUTE)
        epj.clock.passes(lane.next_at - epj.clock.now() - timedelta(seconds=1))
        before = len(epj.asked)
        await epj.turn()
        assert len(epj.asked) == before, "not before its time"
        epj.clock.passes(timedelta(seconds=1))
        if restarted:
            epj.restarts()
    assert waits == [pytest.approx(1.1 * m) for m in (1, 2, 4, 8, 16, 30, 30, 30)]
    epj.answers = lambda _: TAKEN
    await epj.turn()
    assert epj.told() == ["a"] and await epj.lane(NEW) == replace(
        await epj.lane(NEW), tries=0, since=None, next_at=None, code="", because=""
    )


@pytest.mark.parametrize(("asked", "minutes"), [(None, 1.1), (30, 1.1), (1800, 30), (3600, 60), (86_400, 60)], ids=str)
async def test_a_receiver_that_asks_for_it_is_left_alone_up_to_an_hour(
    epj: Receiver, asked: float | None, minutes: float
) -> None:
    after = None if asked is None else timedelta(seconds=asked)
    epj.answers = scripted([Outcome(Reached.NO, "http-temporary", "HTTP 503", after=after)])
    await epj.happens("a")
    await epj.turn()
    next_at = (await epj.lane(NEW)).next_at
    assert next_at is not None and (next_at - epj.clock.now()) / MINUTE == pytest.approx(minutes)


@pytest.mark.parametrize("by", [REFUSED, AWAY], ids=["refused", "no answer to it"])
async def test_a_message_that_is_not_taken_holds_the_others_for_minutes_only(epj: Receiver, by: Outcome) -> None:
    """Whatever is in its way; its own events wait for each other, and all come in order once it is taken."""
    epj.answers = refusing("bad", by=by)
    await epj.happens("good", "bad", "bad", "other", "good", "bad")
    await epj.passes(10 * MINUTE, MINUTE)
    assert epj.told() == ["good", "other", "good"]
    await epj.happens("bad", "new")
    await epj.turn()
    assert epj.told()[3:] == ["new"]
    assert [lane.lane for lane in await epj.lanes()] == [NEW, "bad"]
    epj.answers = lambda _: TAKEN
    epj.restarts()
    await epj.passes(HOUR)
    assert epj.told()[4:] == ["bad"] * 4 and epj.doubles() == 0
    assert [note.offset for note in epj.taken[4:]] == sorted(note.offset for note in epj.taken[4:])
    assert [lane.lane for lane in await epj.lanes()] == [NEW]


async def test_a_receiver_that_is_away_is_asked_seldom_and_gets_all_in_order(epj: Receiver) -> None:
    """No event goes its own way because of it: they come as they happened."""
    epj.answers = lambda _: AWAY
    wanted = [f"m{n % 5}" for n in range(30)]
    await epj.happens(*wanted)
    await epj.passes(20 * HOUR)
    assert [lane.lane for lane in await epj.lanes()] == [NEW]
    assert len(epj.asked) < 120
    epj.answers = lambda _: TAKEN
    await epj.passes(HOUR)
    assert epj.told() == wanted


async def test_a_receiver_that_is_away_for_a_week_makes_no_store_grow(epj: Receiver) -> None:
    """What has had a day is given up, as one thing; what is younger when it is back is told, and then, if wanted, the rest."""
    epj.answers = lambda _: AWAY
    for hour in range(7 * 24):
        await epj.happens(f"m{hour}")
        await epj.passes(HOUR, HOUR / 2)
    assert [lane.lane for lane in await epj.lanes()] == [NEW, BEHIND]
    entries = [entry for entry in await epj.store.journal() if entry.event is Event.WEBHOOK_GIVEN_UP]
    assert [entry.code for entry in entries] == ["webhook-given-up"]
    epj.answers = lambda _: TAKEN
    await epj.passes(HOUR)
    first = int(epj.told()[0][1:])
    assert 7 * 24 - 27 <= first <= 7 * 24 - 23 and len(epj.taken) == 7 * 24 - first
    await webhooks.retry("epj", "", "somebody", "it is back", epj.kit)
    await epj.turn()
    assert epj.told()[-first:] == [f"m{hour}" for hour in range(first)]
    assert epj.doubles() == 0 and [lane.lane for lane in await epj.lanes()] == [NEW]


async def test_a_message_that_is_never_taken_is_given_up_and_waits_for_a_person(epj: Receiver) -> None:
    """Its later events wait with it; a person has all of it told, in order, or none."""
    epj.answers = refusing("bad")
    await epj.happens("bad", "good")
    await epj.passes(23 * HOUR)
    assert (await epj.lane("bad")).given_up_at is None
    await epj.passes(2 * HOUR)
    lane = await epj.lane("bad")
    assert lane.given_up_at is not None and lane.code == "http-permanent"
    entry = (await epj.store.journal("bad"))[-1]
    assert (entry.event, entry.code) == (Event.WEBHOOK_GIVEN_UP, "webhook-given-up") and "HTTP 400" in entry.because
    asked = len(epj.asked)
    await epj.happens("bad")
    await epj.passes(DAY, HOUR)
    assert len(epj.asked) == asked
    epj.answers = lambda _: TAKEN
    assert len(await webhooks.retry("epj", "bad", "somebody", "", epj.kit)) == 1
    await epj.turn()
    assert epj.told() == ["good", "bad", "bad"]


async def test_what_a_person_discards_is_told_no_more_and_what_follows_is(epj: Receiver) -> None:
    epj.answers = refusing("bad")
    await epj.happens("bad", "good")
    with pytest.raises(NotFound):
        await webhooks.discard("epj", "", "somebody", "", epj.kit)
    await epj.passes(25 * HOUR)
    await webhooks.discard("epj", "", "somebody", "polled", epj.kit)
    epj.answers = lambda _: TAKEN
    await epj.happens("bad")
    await epj.turn()
    assert epj.told() == ["good", "bad"] and [lane.lane for lane in await epj.lanes()] == [NEW]
    with pytest.raises(NotFound):
        await webhooks.retry("epj", "", "somebody", "", epj.kit)


async def test_more_messages_than_may_go_their_own_way_are_given_up_and_hold_nobody(epj: Receiver) -> None:
    """However many a receiver refuses, the rows are bounded, and what it takes it gets."""
    bad = [f"bad{n}" for n in range(APART + 5)]
    epj.answers = refusing(*bad)
    wanted = []
    for one in bad:
        await epj.happens(one, f"after {one}")
        wanted.append(f"after {one}")
        await epj.passes(5 * MINUTE, MINUTE)
    await epj.passes(10 * MINUTE, MINUTE)
    assert epj.told() == wanted
    lanes = await epj.lanes()
    assert len(lanes) == APART + 2
    given_up = [lane for lane in lanes if lane.given_up_at]
    assert [lane.lane for lane in given_up] == [BEHIND] and "20 messages" in given_up[0].because


async def test_what_is_refused_again_when_a_person_has_it_told_stays_given_up(epj: Receiver) -> None:
    """Also where no more may go their own way: nothing is lost on the way."""
    bad = [f"bad{n}" for n in range(APART + 2)]
    epj.answers = refusing(*bad)
    for one in bad:
        await epj.happens(one, f"after {one}")
        await epj.passes(5 * MINUTE, MINUTE)
    await epj.passes(10 * MINUTE, MINUTE)
    assert (await epj.lane(BEHIND)).given_up_at is not None
    await webhooks.retry("epj", BEHIND, "somebody", "", epj.kit)
    await epj.passes(25 * HOUR, 20 * MINUTE)
    assert (await epj.lane(BEHIND)).given_up_at is not None
    epj.answers = lambda _: TAKEN
    await webhooks.retry("epj", "", "somebody", "", epj.kit)
    await epj.turn()
    assert set(bad) < set(epj.told()) and [lane.lane for lane in await epj.lanes()] == [NEW]


async def test_410_stops_all_of_it_until_a_person_says_so(epj: Receiver) -> None:
    """Nothing is lost meanwhile, and nothing grows: it is told from where it stopped."""
    epj.answers = lambda _: GONE
    await epj.happens("a")
    await epj.turn()
    epj.answers = lambda _: TAKEN
    await epj.happens("b")
    await epj.passes(3 * DAY, HOUR)
    assert len(epj.asked) == 1
    (lane,) = await epj.lanes()
    assert lane.given_up_at is not None and "410" in lane.because
    assert [e.code for e in await epj.store.journal() if e.event is Event.WEBHOOK_GIVEN_UP] == ["webhook-given-up"]
    await webhooks.retry("epj", "", "somebody", "", epj.kit)
    await epj.turn()
    assert epj.told() == ["a", "b"]


async def test_the_time_that_the_hub_was_down_counts_for_nothing(epj: Receiver) -> None:
    """An event is tried before it is given up, and has its day from then on."""
    await epj.happens("a")
    epj.clock.passes(3 * DAY)
    epj.answers = scripted([AWAY, AWAY])
    await epj.turn()
    await epj.passes(HOUR)
    assert epj.told() == ["a"] and len(await epj.lanes()) == 1


async def test_by_a_clock_that_jumped_nothing_is_given_up(epj: Receiver) -> None:
    """Until it has stood for a while; and what another clock put far ahead is tried now."""
    epj.answers = lambda _: AWAY
    await epj.happens("a")
    await epj.turn()
    epj.clock.passes(MINUTE * 2, ahead=10 * DAY)
    await epj.turn()
    assert [lane.lane for lane in await epj.lanes()] == [NEW] and len(epj.asked) == 2
    epj.clock.passes(MINUTE, ahead=-10 * DAY)
    epj.answers = lambda _: TAKEN
    await epj.turn()
    assert epj.told() == ["a"]


async def test_of_what_a_crash_had_told_no_more_comes_again_than_was_promised(epj: Receiver) -> None:
    """How far it came is kept every so many events, and where it is broken off in good order at once."""
    await epj.happens(*[f"m{n}" for n in range(3 * TOLD)])
    keep = epj.store.keep_hooks

    async def dead(*_: Any) -> None:
        raise StoreUnavailable("the process is gone")

    def ends(note: Any) -> Outcome:
        if len(epj.taken) == 2 * TOLD - 1:
            epj.store.keep_hooks = dead  # type: ignore[method-assign]
        return TAKEN

    epj.answers = ends
    with pytest.raises(StoreUnavailable):
        await epj.turn()
    epj.store.keep_hooks, epj.answers = keep, lambda _: TAKEN  # type: ignore[method-assign]
    epj.restarts()
    await epj.turn()
    assert 0 < epj.doubles() <= TOLD
    assert list(dict.fromkeys(epj.told())) == [f"m{n}" for n in range(3 * TOLD)]


async def test_what_is_broken_off_in_good_order_comes_once(epj: Receiver) -> None:
    await epj.happens(*[f"m{n}" for n in range(TOLD)])

    def stops(note: Any) -> Outcome:
        if len(epj.taken) == 7:
            raise asyncio.CancelledError
        return TAKEN

    epj.answers = stops
    with pytest.raises(asyncio.CancelledError):
        await epj.turn()
    epj.answers = lambda _: TAKEN
    epj.restarts()
    await epj.turn()
    assert epj.told() == [f"m{n}" for n in range(TOLD)]


@pytest.mark.parametrize("error", [ContentLost("damaged"), ValueError("unforeseen")], ids=["damaged", "unforeseen"])
async def test_an_event_of_which_nothing_can_be_read_holds_nobody(epj: Receiver, error: Exception) -> None:
    """It is told as far as it is known, and what nobody foresaw is raised when those behind it are told."""
    happened = epj.webhooks._facade.happened

    async def damaged(note: Any) -> Any:
        if note.message_id == "bad":
            raise error
        return await happened(note)

    epj.webhooks._facade.happened = damaged  # type: ignore[method-assign]
    await epj.happens("bad", "good")
    try:
        await epj.turn()
    except ValueError as raised:
        assert raised is error
    await epj.turn()
    assert epj.told() == ["bad", "good"]


MESSAGES = ("a", "b", "c", "d")
STEPS = st.lists(
    st.one_of(
        st.sampled_from(MESSAGES),
        st.sampled_from(["restart", "hour", "minute", "day", "retry"]),
        st.frozensets(st.sampled_from(MESSAGES)),
        st.just(None),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_whatever_happens_nothing_is_lost_and_each_message_is_in_order(
    steps: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An event was taken once, or is still ahead, or stands in a lane that a person sees; those of a message are in order,
    but for what was given up and is told again because a person wants it."""
    store = await SqliteStore.open(tmp_path_factory.mktemp("lanes") / "store.db", min_free_bytes=0)
    epj, retried = Receiver(store), False
    await epj.turn()
    for step in steps:
        match step:
            case "restart":
                epj.restarts()
            case "minute" | "hour" | "day":
                time = {"minute": MINUTE, "hour": HOUR, "day": 25 * HOUR}[step]
                await epj.passes(time, max(HOUR / 4, time / 10))
            case "retry":
                with contextlib.suppress(NotFound):
                    retried |= bool(await webhooks.retry("epj", "", "somebody", "", epj.kit))
            case None:
                epj.answers = lambda _: AWAY
            case frozenset():
                epj.answers = refusing(*step)
            case _:
                await epj.happens(step)
        await epj.turn()
    told: dict[str, list[int]] = {}
    for note in epj.taken:
        told.setdefault(note.message_id, []).append(note.offset)
    lanes = {lane.lane: lane for lane in await epj.lanes()}
    behind = lanes.get(BEHIND)
    for note in await store.notifications(sorted(epj.system.her_ids), 0, 1000):
        known = note.offset in told.get(note.message_id, []) or note.offset > lanes[NEW].told
        known |= note.message_id in lanes and note.offset > lanes[note.message_id].told
        known |= behind is not None and behind.told < note.offset <= (behind.ends or 0)
        assert known, note
    if not retried:
        assert epj.doubles() == 0
        assert all(offsets == sorted(offsets) for offsets in told.values())
    assert len(lanes) <= 2 + len(MESSAGES)
    await store.close()
