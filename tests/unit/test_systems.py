"""`samhub system`: a record system added to the party file, and its key; what a person wrote there stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.register.file import SystemRow, read
from hub.digest import sha256
from hub.errors import ConfigurationError
from ops.systems import added, given_key

FILE = """# Ours; do not touch this line.
[[system]]
id = "one"
her_ids = ["1"]
api_key_sha256 = "aa"

[[system]]
id = "two"   # by folder
her_ids = ["2"]
channel = "folder"
folder = "systems/two"

[[party]]
her_id = "1"
system = "one"

[[party]]
her_id = "3"
name = "Remote"
endpoint = "http://partner.invalid"
"""


@pytest.fixture(name="parties")
def _parties(tmp_path: Path) -> Path:
    target = tmp_path / "parties.toml"
    target.write_text(FILE)
    return target


def test_a_system_is_added_behind_what_is_there(parties: Path) -> None:
    """Its places are made, its key's digest kept, and every line of the file is as it was."""
    added(parties, SystemRow(id="office", her_ids=["1"], channel="folder", folder=Path("o"), api_key_sha256="bb"))

    assert parties.read_text().startswith(FILE.rstrip())
    assert read(parties).systems["office"].key_sha256 == "bb"
    assert {p.name for p in (parties.parent / "o").iterdir()} == {"inbox", "outbox", "receipts"}
    assert [p.name for p in parties.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (SystemRow(id="one", her_ids=["1"]), "a system one already"),
        (SystemRow(id="new", her_ids=["9"]), "HER-id 9 is no party"),
        (SystemRow(id="new", her_ids=["1"], channel="folder"), "folder is missing"),
        (SystemRow(id="new", her_ids=["1"], api_key_sha256="AA"), "the same API key"),
        (SystemRow(id="new", her_ids=["1"], channel="queue", to_hub="q", from_hub="q"), "queue q"),
    ],
)
def test_what_would_not_read_changes_nothing(parties: Path, row: SystemRow, words: str) -> None:
    """Told in words, with the file as it was and nothing beside it."""
    with pytest.raises(ConfigurationError) as caught:
        added(parties, row)
    assert words in str(caught.value) and str(parties) in str(caught.value)
    assert parties.read_text() == FILE and [p.name for p in parties.parent.iterdir()] == ["parties.toml"]


@pytest.mark.parametrize("system", ["one", "two"])
def test_a_new_key_takes_the_place_of_the_old_one(parties: Path, system: str) -> None:
    """Whether it had one or not; nobody else's changes, and all else stays as it was written."""
    given_key(parties, system, "hemmelig")

    found = read(parties).systems
    other = "two" if system == "one" else "one"
    assert found[system].key_sha256 == sha256(b"hemmelig")
    assert found[other].key_sha256 == ("aa" if other == "one" else "")
    kept = [line for line in FILE.splitlines() if "api_key" not in line]
    assert [line for line in parties.read_text().splitlines() if "api_key" not in line and line] == [
        k for k in kept if k
    ]
    assert "hemmelig" not in parties.read_text()


def test_a_system_that_is_not_there_gets_no_key(parties: Path) -> None:
    """And is not made by it."""
    with pytest.raises(ConfigurationError, match="no system three"):
        given_key(parties, "three", "x")
    assert parties.read_text() == FILE
