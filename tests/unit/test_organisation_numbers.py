"""Which organisations a HER-id of ours belongs to: what a token that names organisations is held to, with each call."""

from __future__ import annotations

from adapters.register.directory import _numbers
from hub.message import Party

OURS = Party("8000202", "GP", "8000201", "999000029", "epj")
ALSO = Party("8000203", "Lab", "8000201", "999000029", "epj")
OTHER = Party("8000204", "Branch", "8000201", "999000053", "epj")
FAR = Party("8000402", "Hospital", "8000401", "999000045", endpoint="https://msh.example/")
BARE = Party("8000302", "Physio", "8000301", "", "epj")


def test_a_her_id_has_the_numbers_of_its_parties_and_an_organisation_those_of_all_below_it() -> None:
    """Of parties elsewhere, and of those without a number, nothing is known: nobody may speak for them by a number."""
    found = _numbers([OURS, ALSO, OTHER, FAR, BARE])
    assert found == {
        "8000202": {"999000029"},
        "8000203": {"999000029"},
        "8000204": {"999000053"},
        "8000201": {"999000029", "999000053"},
    }
