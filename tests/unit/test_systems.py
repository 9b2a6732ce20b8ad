"""Record systems that are made by command, beside those of the party file: whose key is whose, and what each act changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.register.directory import FileDirectory
from adapters.register.file import SystemRow, read
from adapters.register.made import joined
from hub.errors import NotFound
from hub.message import FILE_KEY, ApiKey
from hub.record_systems import keys
from hub.record_systems.kept import Kept, SystemRecord
from hub.record_systems.keys import Act
from hub.record_systems.uses import APART, Uses
from tests.support.certificates import self_signed

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACT = Act(NOW, "kari", "tapt")
CERTIFICATE = self_signed()
FILE = """
[[system]]
id = "one"
her_ids = ["1"]
api_key_sha256 = "aa"
certificates_sha256 = ["c1"]

[[system]]
id = "two"
her_ids = ["2"]
channel = "folder"
folder = "systems/two"

[[party]]
her_id = "1"
system = "one"

[[party]]
her_id = "2"
keys = "keys/2"

[[party]]
her_id = "3"
endpoint = "http://partner.invalid"
keys = "keys/3"
"""


@pytest.fixture(name="parties")
def _parties(tmp_path: Path) -> Path:
    target = tmp_path / "parties.toml"
    target.write_text(FILE)
    for her_id in "23":
        (tmp_path / "keys" / her_id).mkdir(parents=True)
        (tmp_path / "keys" / her_id / "encrypt.cert.pem").write_bytes(CERTIFICATE)
    return target


def record(her_ids: list[str], name: str = "new", hours: float = 0, **more: object) -> SystemRecord:
    """As the command keeps it."""
    row = SystemRow(id=name, her_ids=her_ids, **more)  # type: ignore[arg-type]
    return SystemRecord(name, row.model_dump_json(exclude_defaults=True), NOW + hours * HOUR)


# --- beside the party file


def test_a_party_that_is_left_open_is_served_by_whoever_was_made_first(parties: Path) -> None:
    """What has an address or a system of its own in the file stays as it is, whoever lists it."""
    both = Kept(1, (record(["1", "2", "3"], "late", 1), record(["2"], "early")))
    for kept, serves in ((Kept(), None), (both, "early"), (replace(both, systems=both.systems[:1]), "late")):
        whole, mistakes = joined(read(parties), kept)
        assert mistakes == []
        assert [whole.parties[her].system for her in ("1", "2", "3")] == ["one", serves, None]
        assert set(whole.systems) == {"one", "two", *(one.id for one in kept.systems)}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (record(["2"], "one"), "system one stands in the party file and was made by command too"),
        (record(["2"], certificates_sha256=["C1"]), "certificate c1 is of one already"),
        (record(["2"], channel="folder", folder=Path("systems/two")), "systems/two is used by two already"),
        (record(["2"], channel="queue", to_hub="q", from_hub="q2"), "queue q is used by other already"),
        (SystemRecord("new", '{"id": "new", "her_ids": ["2"], "fax": "1"}', NOW), "cannot be read: fax"),
    ],
)
def test_what_cannot_stand_beside_the_others_is_told_and_left_out(
    parties: Path, made: SystemRecord, words: str
) -> None:
    """The others are in force, and what the file says stands."""
    queue = record(["2"], "other", -1, channel="queue", to_hub="q", from_hub="q1")
    before = joined(read(parties), Kept(1, (queue,)))[0]
    whole, mistakes = joined(read(parties), Kept(1, (queue, made)))
    assert [m for m in mistakes if words in m] == mistakes != []
    assert whole == before


def test_a_directory_with_other_systems_leaves_the_one_before_as_it_was(parties: Path) -> None:
    """Whoever works with it ends with what it began with; parties become local, and are no more, with their system."""
    empty = FileDirectory(parties, parties.parent / "none")
    full = empty.with_kept(Kept(1, (record(["2"]),), (ApiKey("bb", "new", 1, NOW),)))
    for directory, serves in ((empty, None), (full, "new"), (full.with_kept(Kept()), None)):
        party, system = directory.party("2"), directory.system("new")
        assert party is not None and (party.system, party.local) == (serves, serves is not None)
        assert (system.id if system else None) == serves
        assert bool(directory.by_key("bb")) == bool(serves) and directory.waiting() == ([] if serves else ["2"])
    changed = {key for key in dict(full.facts()) if dict(full.facts())[key] != dict(empty.facts()).get(key)}
    assert changed == {("parties", "2"), ("record systems", "new")}


# --- whose key is whose

ROWS = {
    "nothing is kept": ((), True),
    "it ends later": ((ApiKey("aa", "one", FILE_KEY, expires_at=NOW + HOUR),), True),
    "it ended just now": ((ApiKey("aa", "one", FILE_KEY, expires_at=NOW),), False),
    "it was taken away": ((ApiKey("aa", "one", FILE_KEY, revoked_at=NOW),), False),
    "it was taken away when it was another's": ((ApiKey("aa", "gone", FILE_KEY, revoked_at=NOW),), False),
    "another of the file was taken away": ((ApiKey("zz", "one", FILE_KEY, revoked_at=NOW),), True),
}


@pytest.mark.parametrize("case", list(ROWS))
def test_a_key_of_the_file_holds_until_it_is_taken_out_there_or_a_command_ends_it(parties: Path, case: str) -> None:
    """And what is kept of it opens nothing once it is taken out."""
    rows, holds = ROWS[case]
    found = FileDirectory(parties, parties.parent / "none", kept=Kept(1, (), rows)).by_key("aa")
    assert found is not None and found[0].id == "one" and found[1].number == FILE_KEY and found[1].holds(NOW) is holds
    parties.write_text(FILE.replace('api_key_sha256 = "aa"\n', ""))
    assert FileDirectory(parties, parties.parent / "none", kept=Kept(1, (), rows)).by_key("aa") is None


def test_several_keys_of_a_system_of_the_file_and_none_of_one_that_is_gone(parties: Path) -> None:
    """A key of the store may belong to a system of the file; one whose system is not there opens nothing."""
    rows = tuple(ApiKey(digest, system, 1, NOW) for digest, system in (("b1", "one"), ("b2", "two"), ("b3", "gone")))
    directory = FileDirectory(parties, parties.parent / "none", kept=Kept(1, (), rows))
    found = [(one[0].id if (one := directory.by_key(digest)) else None) for digest in ("aa", "b1", "b2", "b3")]
    assert found == ["one", "one", "two", None]
    known = directory.by_certificate("c1")
    assert known is not None and known.id == "one" and directory.by_certificate("") is None


# --- what each act changes

KEYS = st.lists(
    st.tuples(st.sampled_from([None, -2, -1, 0, 1, 30]), st.sampled_from([None, -1, 0])), min_size=0, max_size=5
).map(
    lambda ends: [
        ApiKey(f"k{n}", "office", n, NOW - 9 * HOUR, *(None if h is None else NOW + h * HOUR for h in two))
        for n, two in enumerate(ends)
    ]
)


@given(KEYS, st.sampled_from([0, 1, 24 * 14]))
def test_a_new_key_stands_beside_the_old_ones_which_end(before: list[ApiKey], hours: int) -> None:
    """Each at the end of the time that is kept or at its own, whichever is sooner; what had ended stays as it was."""
    change = keys.rotated(before, "office", "new", hours * HOUR, None, ACT)
    new, *others = change.keys
    assert new.holds(NOW + 9999 * HOUR) and new.number > max((k.number for k in before), default=0)
    assert [k.sha256 for k in others] == [k.sha256 for k in before if k.holds(NOW)]
    for old, now in zip([k for k in before if k.holds(NOW)], others, strict=True):
        assert now.expires_at == min(old.expires_at or NOW + hours * HOUR, NOW + hours * HOUR)
        assert now.holds(NOW) is (hours > 0) and not now.holds(NOW + hours * HOUR)
    _journaled(change, "key-made")


@given(KEYS, st.none() | st.integers(0, 6))
def test_what_is_taken_away_holds_no_more(before: list[ApiKey], number: int | None) -> None:
    """The one that is named or all; said twice, nothing changes."""
    if number is not None and number >= len(before):
        with pytest.raises(NotFound):
            keys.revoked(before, "office", number, ACT)
        return
    change = keys.revoked(before, "office", number, ACT)
    after = {k.sha256: k for k in (*before, *change.keys)}
    for key in before:
        chosen = number in (None, key.number)
        assert after[key.sha256].holds(NOW) is (key.holds(NOW) and not chosen)
    assert keys.revoked(list(after.values()), "office", number, ACT) == keys.KeptChange()
    if change.keys:
        _journaled(change, "key-revoked")


def _journaled(change: keys.KeptChange, code: str) -> None:
    [entry] = change.journal
    assert (entry.code, entry.actor) == (code, "kari") and entry.because.endswith(": tapt")
    assert not any(key.sha256 in entry.because.split() for key in change.keys)


# --- when keys were last used


def test_use_is_told_once_a_minute_for_each_key_however_often_it_is_shown() -> None:
    """The first at once; the last of a minute when that is over; none twice; again where it could not be kept."""
    uses, told = Uses(), list[tuple[int, dict[str, int]]]()
    keys_ = [ApiKey(name, "office", n, NOW) for n, name in enumerate("ab", 1)]
    for second in range(200):
        now = NOW + timedelta(seconds=second)
        if second < 130:
            uses.note(keys_[0], now)
        if second == 10:
            uses.note(keys_[1], now)
        due = uses.due(now)
        if due and second != 10:  # then the store did not answer
            uses.keep(due, now)
            told.append((second, {key.sha256: (at - NOW).seconds for key, at in due.items()}))
    assert told == [(0, {"a": 0}), (11, {"b": 10}), (60, {"a": 60}), (120, {"a": 120}), (180, {"a": 129})]


def test_a_clock_that_was_set_back_does_not_keep_use_from_being_told() -> None:
    """What was told in the future is told again now."""
    uses, key = Uses(), ApiKey("a", "office", 1, NOW)
    for at in (NOW, NOW - 9 * APART, NOW - 8 * APART):
        uses.note(key, at)
        if due := uses.due(at):
            uses.keep(due, at)
    assert uses.due(NOW) == {}
