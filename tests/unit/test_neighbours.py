"""Who gets a place beside what is under way: rules as plain functions, for any order of beginnings, ends and hangs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.neighbours import (
    LATELY,
    MANY,
    Kind,
    Limits,
    Neighbours,
    Place,
    Room,
    Standing,
    Use,
    fits,
    host,
    is_local,
    may_leave,
)
from hub.settings import Settings

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HERE = "https://here.invalid/ebxml"


@pytest.mark.parametrize(
    ("address", "neighbour", "local"),
    [
        ("http://Here.invalid:8080/a?b", "http:here.invalid:8080", False),
        ("http://here.invalid:8080/other", "http:here.invalid:8080", False),
        ("https://user:word@here.invalid/a", "https:here.invalid", False),
        ("http://here.invalid?a=/b", "http:here.invalid", False),
        ("mailto:a@one.invalid", "mailto:", False),
        ("mailto:b@other.invalid", "mailto:", False),
        ("amqp:bus.invalid/E/queue", "amqp:bus.invalid", False),
        ("amqp+sync:bus.invalid/E/queue", "amqp+sync:bus.invalid/E/queue", False),
        ("systems/kommune/inbox", "systems/kommune/inbox", True),
        ("epj.inbox", "epj.inbox", True),
        ("", "", True),
    ],
)
def test_what_is_one_neighbour(address: str, neighbour: str, local: bool) -> None:
    """Paths of one host; all mail, for one relay takes it; queues of one broker; a system of our own is itself."""
    assert (host(address), is_local(address)) == (neighbour, local)


# --- the places

Story = list[tuple[str, int, int]]
STORIES = st.lists(
    st.tuples(st.sampled_from(["begin", "begin", "begin", "hang", "end"]), st.integers(0, 8), st.integers(0, 30)),
    max_size=250,
)
KINDS, STANDINGS = list(Kind), list(Standing)


def played(story: Story, limits: Limits) -> tuple[Use, list[Place]]:
    """Each begins if it may; the one that is meant hangs, or ends."""
    use, under_way = Use(), list[Place]()
    for what, which, number in story:
        if what == "begin":
            place = Place(f"{number}", f"host {number // 2}", KINDS[which % 3], STANDINGS[which // 3])
            if fits(use, place, limits, limits.per_address, limits.per_host):
                use.add(place)
                under_way.append(place)
        elif under_way:
            place = under_way.pop(number % len(under_way))
            if what == "hang" and not place.hanging and may_leave(use, place, limits):
                use.end(place)
                hanging = replace(place, hanging=True)
                use.add(hanging)
                under_way.append(hanging)
            elif what == "hang":
                under_way.append(place)
            else:
                use.end(place)
    return use, under_way


LIMITS = st.builds(Limits, st.integers(1, 80), st.integers(1, 4), st.integers(1, 16), st.integers(0, 40))


@given(STORIES, LIMITS)
def test_what_is_under_way_has_bounds(story: Story, limits: Limits) -> None:
    """In all, for each standing and each host; and what is counted is what is there."""
    use, under_way = played(story, limits)
    holding = [one for one in under_way if not one.hanging]
    assert use.at_once == len(holding) <= limits.at_once
    assert use.hanging == len(under_way) - len(holding) <= limits.hanging
    assert use.probes_hanging <= limits.hanging // 2
    assert use.doubtful <= limits.doubtful
    assert use.new <= max(limits.at_once // 2, 1) + limits.reserve // 2
    assert all(count <= limits.per_host for count in use.answering_at.values())
    assert all(count <= limits.per_address for count in use.to.values())
    for one in list(under_way):
        use.end(one)
    assert use == Use()


@given(STORIES, LIMITS)
def test_the_reserves_are_free_for_whom_they_are_kept(story: Story, limits: Limits) -> None:
    """Whatever else is under way or hangs: an urgent message and a local one find a place, as long as few are under way."""
    use, _ = played(story, limits)
    for kind in (Kind.URGENT, Kind.LOCAL):
        if use.kinds[kind] < limits.reserve:
            assert fits(use, Place("another", "another", kind, Standing.ANSWERING), limits, 1, 1)


@given(STORIES, LIMITS)
def test_who_answers_has_its_share_whatever_the_others_do(story: Story, limits: Limits) -> None:
    """The new and the doubtful leave most of what is outside of the reserves, and all but a few when many hang."""
    healthy = {Standing.ANSWERING}
    use, under_way = played(story, limits)
    answering = sum(one.standing in healthy and not one.hanging for one in under_way)
    others = limits.new(0) + limits.reserve // 2 + limits.doubtful
    if answering < limits.at_once - 2 * limits.reserve - others:
        assert fits(use, Place("another", "another", Kind.ORDINARY, Standing.ANSWERING), limits, 1, 1)


def test_a_thousand_silent_hosts_leave_most_places_to_who_answers() -> None:
    """All of them new, then all of them probed, and each hangs: the places of the others are there all the time."""
    limits, use = Limits(64, 4, 16, 1_000), Use()
    for standing in (Standing.NEW, Standing.DOUBTFUL):
        most = 0
        for number in range(1_000):
            place = Place("", f"silent {number}", Kind.ORDINARY, standing)
            if fits(use, place, limits, 1_000, 4):
                use.add(place)
            most = max(most, use.at_once)
        assert most <= 32
        use = Use(hanging=500)
    healthy = [Place("", f"host {n}", Kind.ORDINARY, Standing.ANSWERING) for n in range(100)]
    for place in healthy:
        if fits(use, place, limits, 1_000, 16):
            use.add(place)
    assert use.at_once == 48  # all that is outside of the reserves


def test_the_more_hang_the_fewer_new_ones_are_tried() -> None:
    limits = Limits(64, 4, 16, 1_000)
    assert [limits.new(hanging) for hanging in (0, 4, 16, 17, 1_000)] == [32, 28, 16, 15, 4]
    assert Limits(1, 1, 1, 0).new(0) == Limits(1, 1, 1, 0).doubtful == 1


def test_no_more_hang_than_half_of_the_open_files() -> None:
    assert Limits.of(Settings(), 1_024).hanging == 512
    assert Limits.of(Settings(hanging_at_once=7), 65_536).hanging == 7


# --- who is what


def test_who_has_answered_lately_is_known_to_answer_and_later_is_new_again() -> None:
    known = Neighbours()
    assert known.standing(HERE, NOW) is Standing.NEW
    known.answered(HERE, NOW)
    moment = timedelta(microseconds=1)
    found = [known.standing(HERE, NOW + after) for after in (timedelta(0), LATELY - moment, LATELY, -moment)]
    assert found == [Standing.ANSWERING, Standing.ANSWERING, Standing.NEW, Standing.NEW]


def test_who_misses_a_try_is_doubtful_until_it_answers() -> None:
    known = Neighbours()
    known.answered(HERE, NOW)
    known.missed(HERE)
    assert known.standing(HERE, NOW) is Standing.DOUBTFUL
    known.answered(HERE, NOW)
    assert known.standing(HERE, NOW) is Standing.ANSWERING


def test_an_answer_to_another_meanwhile_counts_for_more_than_one_that_hangs() -> None:
    """A partner that answers slowly, several at once, is not taken for one that is silent."""
    known = Neighbours()
    known.answered(HERE, NOW)
    known.missed(HERE, since=NOW - timedelta(seconds=1))
    assert known.standing(HERE, NOW) is Standing.ANSWERING
    known.missed(HERE, since=NOW + timedelta(seconds=1))
    assert known.standing(HERE, NOW) is Standing.DOUBTFUL


def test_a_path_that_answers_is_not_judged_by_another_of_its_host_and_a_new_one_is() -> None:
    known = Neighbours()
    known.answered(HERE, NOW)
    known.missed("https://here.invalid/silent")
    assert known.standing(HERE, NOW) is Standing.ANSWERING
    assert known.standing("https://here.invalid/new", NOW) is Standing.DOUBTFUL
    assert known.standing("https://there.invalid/new", NOW) is Standing.NEW


def test_when_many_paths_miss_the_whole_host_is_doubtful_until_one_answers() -> None:
    known, limits = Neighbours(), Limits(64, 4, 16, 9)
    known.answered(HERE, NOW)
    for number in range(MANY):
        known.missed(f"https://here.invalid/{number}")
    assert known.standing(HERE, NOW) is Standing.DOUBTFUL
    assert known.at_host(host(HERE), NOW, limits) == 4
    known.answered("https://here.invalid/other", NOW)
    assert known.standing(HERE, NOW) is Standing.ANSWERING
    assert known.at_host(host(HERE), NOW, limits) == 16


def test_an_address_gets_one_at_a_time_until_it_has_answered() -> None:
    known, limits = Neighbours(), Limits(64, 4, 16, 9)
    assert known.at_address(HERE, NOW, limits) == 1
    known.answered(HERE, NOW)
    assert known.at_address(HERE, NOW, limits) == 4 == known.at_address("systems/kommune", NOW, limits)


def test_a_system_of_our_own_that_hangs_is_doubtful_as_anybody() -> None:
    known = Neighbours()
    known.missed("systems/kommune/inbox")
    assert known.standing("systems/kommune/inbox", NOW) is Standing.DOUBTFUL
    assert known.standing("systems/other/inbox", NOW) is Standing.ANSWERING


def test_a_thousand_paths_of_one_host_are_one_neighbour() -> None:
    """However many of them wait: no more than one host may have."""
    known, limits = Neighbours(), Limits(64, 4, 16, 1_000)
    room, begun = Room(Use(), limits, known, NOW), 0
    for number in range(1_000):
        place = room.place(f"http://silent.invalid/{number}", 5)
        if room.fits(room.use, place):
            room.use.add(place)
            begun += 1
    assert begun == 4


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=80))
def test_those_that_are_well_and_quiet_are_forgotten_and_nobody_else(story: list[tuple[bool, int]]) -> None:
    known, plain = Neighbours(), Neighbours()
    for answered, number in story:
        for one in (known, plain):
            address = f"http://{number}.invalid"
            one.answered(address, NOW) if answered else one.missed(address)
    known._forget_the_quiet(known._addresses, NOW + LATELY)
    after = [one.standing(f"http://{n}.invalid", NOW + LATELY) for n in range(41) for one in (known, plain)]
    assert after[::2] == after[1::2]
