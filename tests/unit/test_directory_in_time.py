"""Which of several agreements between two parties holds at an hour, and what is told of those that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest

from adapters.register import cpas
from adapters.register.directory import FileDirectory
from hub.errors import HubError
from hub.message import Agreement
from tests.support.agreements import Side, agreement

OURS, THEIRS = Side("8000202", b"s", b"e"), Side("8009102", b"S", b"E")
PARTIES = """
[[party]]
her_id = "8000202"
endpoint = "http://ours.invalid/ebxml"
[[party]]
her_id = "8009102"
endpoint = "http://theirs.invalid/ebxml"
"""
#: Id → when it holds.
YEARS = {
    "ended": ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    "held": ("2021-01-01T00:00:00Z", "2099-01-01T00:00:00Z"),
    "renewed": ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"),
    "coming": ("2030-01-01T00:00:00Z", "2099-01-01T00:00:00Z"),
}


def place(folder: Path, *named: tuple[str, str]) -> FileDirectory:
    """A party file, and agreements by (file, id)."""
    (folder / "parties.toml").write_text(PARTIES, "utf-8")
    (folder / "agreements").mkdir()
    for file, cpa_id in named:
        start, end = YEARS[cpa_id]
        text = agreement(cpa_id, OURS, THEIRS, start=start, end=end)
        (folder / "agreements" / f"{file}.xml").write_text(text, "utf-8")
    return FileDirectory(folder / "parties.toml", folder / "agreements")


def between(directory: FileDirectory, year: int, cpa_id: str = "") -> Agreement:
    return directory.agreement(
        cpa_id=cpa_id,
        from_her=OURS.her_id,
        to_her=THEIRS.her_id,
        service="S-DIALOG_HELSEFAGLIG",
        action="DIALOG_HELSEFAGLIG",
        role="",
        at=datetime(year, 6, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("order", list(permutations(YEARS)), ids="-".join)
def test_the_one_in_force_holds_the_newest_of_several_whatever_their_files_are_called(order, tmp_path):
    """An ended one hides none, and one that is to come neither."""
    directory = place(tmp_path, *((str(number), cpa_id) for number, cpa_id in enumerate(order)))
    wanted = {2019: "", 2020: "ended", 2022: "held", 2026: "renewed", 2031: "coming"}
    found = {year: between(directory, year) for year in wanted}
    assert {year: one.cpa_id if one.source == "cpa" else "" for year, one in found.items()} == wanted
    assert not any(one.fault for one in found.values())


def test_one_that_a_message_names_and_that_has_ended_says_so(tmp_path):
    assert between(place(tmp_path, ("1", "ended"), ("2", "held")), 2026, "ended").fault == "cpa-expired"


def test_two_files_with_one_id_are_told(tmp_path):
    """The first by its name is used; a third cannot be imported beside it."""
    directory = place(tmp_path, ("1", "held"), ("2", "held"))
    assert list(directory.broken) == ["2.xml"] and "1.xml" in directory.broken["2.xml"]
    assert between(directory, 2026).cpa_id == "held"
    with pytest.raises(HubError, match=r"1\.xml has the same cpaid held"):
        cpas.bring_in(tmp_path / "agreements" / "2.xml", tmp_path / "agreements")


@pytest.mark.parametrize("element", ["Start", "End"])
def test_one_whose_dates_are_none_is_not_used_and_told(element, tmp_path):
    directory = place(tmp_path, ("1", "held"))
    file = tmp_path / "agreements" / "1.xml"
    text = file.read_text("utf-8").replace(f"<tp:{element}>20", f"<tp:{element}>21.10.20")
    file.write_text(text, "utf-8")
    directory.reload()
    assert f"{element} is no xs:dateTime" in directory.broken["1.xml"]
    assert between(directory, 2026).source == "parties"
    assert between(directory, 2026, "held").fault == "cpa-unknown"
    with pytest.raises(HubError, match="no xs:dateTime"):
        cpas.bring_in(file, tmp_path / "elsewhere")
