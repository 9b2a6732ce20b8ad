"""The collection's own list of samples with the verdict that each must get."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One sample or CPA: where it lies, and what the official schema says of it."""

    file: str
    path: Path
    kind: str
    encoding: str
    outcome: str  #: its first word or words: valid, INVALID, NOT WELL-FORMED, or what else the list says
    notes: str


def rows(standards: Path) -> Iterator[Row]:
    """Every file of the list that is there."""
    with (standards / "index.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            path = standards / row["file"]
            if path.exists():
                outcome = row["xsd_outcome"].partition(":")[0]
                yield Row(row["file"], path, row["kind"], row["encoding"], outcome, row["notes"])
