"""docs/promises.md, as the harness writes it from its last run."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from ops.reference.make import table
from tests.soak.hour import Found
from tests.soak.throws import THROWN
from tests.support.standards import REPO

PAGE = REPO / "docs" / "promises.md"
#: The three of the hub, in order; what a row of the table says of the whole run, and the number beside it.
PROMISES = {
    1: "Stored before anything is promised",
    2: "Nothing is green before the business receipt",
    3: "Nobody waits for somebody else's fault, and nothing stays in limbo",
}
HEAD = ("promise", "what was thrown at it", "how often", "what was counted", "count", "broken")
RUN = ("what", "value")
WHOLE = "everything together"

INTRO = """# What the promises were put through

Written by `make soak` from what it counted in its last run; `tests/unit/test_docs_promises.py` holds its shape. A hub as a
process of its own served a municipality and a doctors' office by REST and a physiotherapist by folder, and exchanged documents
with two partners over HTTP and one by mail, none of whom gives up. Faults were thrown one after another while all of that went
on. What is counted is what those around the hub wrote down (what was acknowledged to whom, what came to whom, how often,
with which bytes), and beside it only what the hub tells people: its lists, its status and its metrics. Everything is invented.

*Broken* counts what did not hold: a document that was acknowledged and neither came nor stands on a person's list, came twice
or changed, was called done too early, waited for a neighbour, or was left without an end. The seed says what was thrown when;
`make soak ARGS="--minutes 60 --seed NAME"` throws it again.
"""


def written(found: Found, version: str, day: date) -> str:
    """The page."""
    counted = found.counted
    assert counted is not None
    run = [
        ("version", version),
        ("date", day.isoformat()),
        ("seed", found.seed),
        ("minutes", f"{found.seconds / 60:.0f}"),
        ("faults thrown", sum(found.times.values())),
        ("times the hub was killed", found.deaths),
        ("documents acknowledged, once for each receiver", counted.promised),
        ("of those, with their receiver", counted.came),
        ("of those, on a person's list with a code", counted.listed),
        ("came again under their own identity, with the same bytes", counted.again),
        ("AppRecs home", counted.apprecs),
        ("Acknowledgments that partners got", found.receipts),
        ("lost", len(counted.lost)),
        ("doubled", len(counted.doubled)),
        ("changed", len(counted.changed)),
        ("from nowhere", len(counted.strange)),
        ("in limbo", found.limbo),
        ("most memory of the hub, MB", f"{max(found.memory) / 1e6:.0f}"),
        ("store at the end, MB", f"{found.disk[-1] / 1e6:.0f}"),
    ]
    text = f"{INTRO}\n## The run\n\n{table(RUN, run)}\n## The promises\n\n{table(HEAD, _rows(found))}"
    return text + "".join(["\n## What did not hold\n\n" if found.wrong else "", *(f"- {w}\n" for w in found.wrong)])


def _rows(found: Found) -> list[tuple[object, ...]]:
    counted = found.counted
    assert counted is not None
    thrown = sum(found.times.values())
    whole = {
        1: ("documents acknowledged; none lost, doubled or changed", counted.promised, len(counted.wrong)),
        2: ("AppRecs home, each given by its receiver", counted.apprecs, len(found.broken[2])),
        3: ("documents that came or stand on a list", counted.came + counted.listed, len(found.broken[3])),
    }
    rows: list[tuple[object, ...]] = []
    for number, promise in PROMISES.items():
        mine = [one for one in THROWN if one.promise == number and one.name in found.times]
        rows += [(promise, t.name, found.times[t.name], t.counted, found.seen[t.name], 0) for t in mine]
        words, count, broken = whole[number]
        rows.append((promise, WHOLE, thrown, words, count, broken + (len(found.broken[1]) if number == 1 else 0)))
    return rows


def version() -> str:
    """Of this hub."""
    found = re.search(r'^version = "([^"]+)"', Path(REPO / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found.group(1)
