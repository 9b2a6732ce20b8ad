"""The benchmark as a program: which lines it has, how it tells them, and that a line measures what it says. No times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from hub.verdict import Pass
from ops.bench import doors, hostile, kernel, material
from ops.bench.harness import Rounds, interleaved
from ops.bench.line import Figure, Line
from ops.bench.run import LINES, measure, names
from tests.support.standards import REPO

#: What design.md asks of `samhub bench`: the lines that a user's machine can measure.
ASKED = {"P4", "P5", "P6", "P7", "P8", "P9", "P11", *(f"P{n}" for n in range(14, 22))}


def test_every_line_of_the_design_is_there() -> None:
    assert set(names()) >= ASKED


def test_the_page_of_the_kernel_tells_of_every_line() -> None:
    page = (REPO / "hub" / "README.md").read_text("utf-8")
    told = set(re.findall(r"\bP\d+\b", page))
    assert {name for name in names() if name.startswith("P")} <= told


async def test_json_is_one_object_with_a_value_gate_and_goal_for_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = Line("a thing ÷ another", [Figure("near", 1.3, 1.4, 1.15), Figure("far", 0.2, 1.4, 1.15)], note="a note")
    LINES["P-test"] = lambda *_: _measured(line)
    try:
        assert await measure(("P-test",), as_json=True)
    finally:
        del LINES["P-test"]
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["P-test"]
    assert {"what", "value", "gate", "goal", "met"} <= set(told["P-test"])
    assert (told["P-test"]["value"], told["P-test"]["met"]) == (1.3, True)
    assert [figure["name"] for figure in told["P-test"]["figures"]] == ["near", "far"]


async def _measured(line: Line) -> Line:
    return line


async def test_a_missed_gate_is_told_and_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    LINES["P-test"] = lambda *_: _measured(Line("a thing", [Figure("one", 2.0, 1.4, 1.15)]))
    try:
        assert not await measure(("P-test",), as_json=False)
    finally:
        del LINES["P-test"]
    told = capsys.readouterr().out
    assert "missed" in told and "gate ≤ 1.4" in told


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("low is good", 1.4, 1.4, 1.0), True),
        (Figure("low is good", 1.5, 1.4, 1.0), False),
        (Figure("high is good", 45.0, 45.0, 60.0, at_most=False), True),
        (Figure("high is good", 44.0, 45.0, 60.0, at_most=False), False),
    ],
)
def test_a_gate_is_inclusive_in_its_direction(figure: Figure, met: bool) -> None:
    assert figure.met is met


def test_the_figure_nearest_its_gate_stands_in_front() -> None:
    figures = [Figure("easy", 10.0, 100.0, 50.0), Figure("hard", 30.0, 60.0, 75.0, at_most=False)]
    assert Line("two", figures).plain(noisy=1.0)["value"] == 30.0


def test_a_noisy_machine_is_told() -> None:
    told = Line("one", [Figure("x", 1.0, 1.0, 1.0)], neighbours=1.7).plain(noisy=0.6)
    assert told["noisy"] == 1.7


def test_a_ratio_is_taken_round_by_round() -> None:
    """A round that was slow for both does not count; medians of each would say 2, 6 and 4."""
    rounds = Rounds({"ours": (2.0, 20.0, 6.0), "floor": (1.0, 10.0, 2.0)}, 0.0)
    assert rounds.ratio(["ours"], ["floor"]) == 2.0


def test_what_was_undisturbed_is_the_edge_of_the_quickest_tenth() -> None:
    rounds = Rounds({"ours": tuple(float(n) for n in range(30, 0, -1))}, 0.0)
    assert rounds.undisturbed("ours") == 4.0


def test_every_case_runs_in_every_round() -> None:
    calls = {"a": 0, "b": 0}

    def count(name: str) -> None:
        calls[name] += 1

    found = interleaved({"a": lambda: count("a"), "b": lambda: count("b")}, rounds=3, batch=0.0001)
    assert {len(seconds) for seconds in found.seconds.values()} == {3}
    assert min(calls.values()) >= 3


@pytest.fixture(scope="module")
def bed() -> Iterator[material.Bed]:
    """Keys take a while to make, so they are made once."""
    with material.bed() as found:
        yield found


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("size", [5_000, 20_000])
async def test_a_measured_message_is_one_that_the_hub_accepts(bed: material.Bed, size: int, dense: bool) -> None:
    document = material.document(size, dense=dense)
    assert abs(len(document) - size) < 300
    async with material.idle_hub(bed) as hub:
        inspection, verdict = material.inspected(bed.message(document), hub.kit)
    assert isinstance(verdict, Pass)
    assert inspection.raw == document


@pytest.mark.parametrize("name", hostile.ENVELOPES)
def test_a_hostile_document_is_about_as_large_as_asked(name: str) -> None:
    assert 0.5 < len(hostile.ENVELOPES[name](20_000)) / 20_000 < 1.5


async def test_two_lines_in_short(bed: material.Bed) -> None:
    """P11 and P20 with the smallest of rounds: they come to figures beside their gates."""
    async with material.idle_hub(bed) as hub:
        split = kernel.split(bed, rounds=1, batch=0.001)
        worst = kernel.worst(hub.kit, sizes=(2_000,), rounds=1, batch=0.0005)
    assert [figure.name for figure in split.figures] == ["20 kB", "1 MB"]
    assert all(figure.value > 0 for figure in (*split.figures, *worst.figures))
    assert len(worst.parts) == 1 + len(hostile.DOCUMENTS) + len(hostile.ENVELOPES)


async def test_the_line_of_the_doors_in_short(bed: material.Bed) -> None:
    """Both connections get the right answer each time, else it raises."""
    line = await doors.beside(bed, rounds=4)
    assert [figure.name.split()[0] for figure in line.figures] == ["ebXML", "REST"]
    assert all(part.ours > 0 and part.floor for part in line.parts)
