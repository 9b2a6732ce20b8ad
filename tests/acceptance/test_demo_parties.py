"""Who lives where in `samhub demo --messages`: every HER-id, a party's or its organisation's, is served by one hub only."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from ops.demo import folder
from tests.support.sample import Sampling


@pytest.mark.parametrize("draw", range(12))
def test_no_her_id_is_served_on_both_sides(standards: Path, draw: int) -> None:
    """Whichever of the dialogue messages are given: some name a party with its organisation, some the organisation alone."""
    everything = sorted((standards / "samples" / "dialogmelding-1.1").rglob("*.xml"))
    some = everything if draw == 0 else Sampling(False, str(draw)).some(everything, 0.1, "parties")

    members = folder.parties_of([folder.read_file(path, standards) for path in some])

    sides: dict[str, set[str]] = defaultdict(set)
    for member in members:
        for her_id in filter(None, (member.her_id, member.organisation_her_id)):
            sides[her_id].add(member.organisation)
    assert members and [her_id for her_id, where in sides.items() if len(where) > 1] == []
