"""The watchdog counts looks, never time: a loop hangs that did not turn though the watchdog did, again and again."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from ops.serve.stacks import stacks
from ops.serve.watchdog import LATE, LOOKS, Looks

#: A look on time, and one that was held up: by sleep, by a stopped process, by a busy neighbour, by the interpreter.
ON_TIME, HELD_UP = 1.0, 3600.0


def test_a_loop_that_never_turns_hangs_after_its_time() -> None:
    """Not a look earlier."""
    looks = Looks(10)
    told = [looks.hangs(ON_TIME, turned=False) for _ in range(LOOKS)]
    assert told == [False] * (LOOKS - 1) + [True]


@given(st.lists(st.sampled_from([(ON_TIME, False), (ON_TIME, True), (HELD_UP, False), (HELD_UP, True)]), max_size=60))
def test_it_hangs_only_after_as_many_looks_on_time_without_a_turn(looked: list[tuple[float, bool]]) -> None:
    """Whatever came before: a machine that slept, a process that was stopped, or a single turn, and it begins anew."""
    looks, in_vain = Looks(10), 0
    for since, turned in looked:
        in_vain = in_vain + 1 if since == ON_TIME and not turned else 0
        assert looks.hangs(since, turned=turned) == (in_vain >= LOOKS)


def test_with_a_short_time_a_look_may_be_a_moment_late() -> None:
    """What is allowed to a busy machine does not shrink with the setting."""
    looks = Looks(0.5)
    told = [looks.hangs(0.05 + LATE, turned=False) for _ in range(LOOKS)]
    assert told[-1]
    assert not looks.hangs(0.05 + LATE + 0.1, turned=False)


async def test_the_stacks_name_threads_and_tasks_and_no_values() -> None:
    """Lines of code are told; what stands in a variable may be a patient."""
    secret = "".join(["13", "116900216"])
    task = asyncio.create_task(asyncio.sleep(60), name=f"one of {len(secret)}")
    await asyncio.sleep(0)
    told = stacks([asyncio.get_running_loop()])
    task.cancel()
    assert "thread MainThread" in told and "task one of 11" in told
    assert secret not in told
