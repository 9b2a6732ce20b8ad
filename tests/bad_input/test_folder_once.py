"""Whatever step a hub dies at, a folder's documents come and go once: an office takes each file away at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.folder.receive import FolderDoor
from adapters.folder.send import FolderSender
from hub.message import Channel, Claimed, MessageRecord, Outcome, Reached, RecordSystem
from hub.ports import ArrivalFilter, MessageFilter
from hub.record_systems.telling import Telling
from tests.conformance.far_folder import Marked
from tests.conformance.letters import letter
from tests.support.world import DOCTOR, PARTNER, World

DISK = ("rename", "replace", "open", "unlink", "mkdir")


class Death(BaseException):
    """The process is gone."""


class DeathInThread(Exception):
    """The same, where a thread hands on what it raises."""


class Steps:
    """Counts what is done to files below a folder, before and after each; kills at one of these."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path, death: type[BaseException]) -> None:
        self.count, self.at, self.died, self._death = 0, 0, False, death
        for name in DISK:
            patch.setattr(Path, name, self._around(getattr(Path, name), folder))

    def _around(self, work: Callable[..., Any], folder: Path) -> Callable[..., Any]:
        def step(path: Path, *rest: Any, **more: Any) -> Any:
            if folder not in path.parents:
                return work(path, *rest, **more)
            self.step()
            found = work(path, *rest, **more)
            self.step()
            return found

        return step

    def step(self) -> None:
        """One of those that a process may die at."""
        self.count += 1
        if self.count == self.at:
            self.died = True
            raise self._death

    def next_life(self, at: int) -> None:
        self.count, self.at, self.died = 0, at, False


class Store(Marked):
    """Marks whose keeping is a step as well."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    async def keep_bookmark(self, name: str, value: int) -> None:
        self._steps.step()
        await super().keep_bookmark(name, value)
        self._steps.step()


class Office:
    """Takes away whatever lies in its inbox."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.got = folder, list[tuple[str, bytes]]()

    def takes(self) -> None:
        for file in sorted((self.folder / "inbox").glob("*")):
            self.got.append((file.name, file.read_bytes()))
            file.unlink()


async def named(_: MessageRecord) -> str:
    return "henvisning"


@pytest.mark.parametrize("naming", [None, named], ids=["by-type", "by-file"])
def test_each_document_comes_once_and_once_more_when_a_person_sends_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, naming: Any
) -> None:
    """Killed before and after every step; what was not told is tried again, and what has been laid there is not."""
    steps, at, died = Steps(monkeypatch, tmp_path, DeathInThread), 0, True
    while died:
        at, died = at + 1, False
        office, marks = Office(tmp_path / f"{at}"), Store(steps)
        made = letter(Channel.FOLDER, str(office.folder), b"innhold")
        expected: list[bytes] = []
        for life in range(2):
            given_up = datetime(2026, 3, 2 + life, tzinfo=UTC)
            claimed = replace(made.claimed, delivery=replace(made.claimed.delivery, give_up_at=given_up))
            expected.append(made.parcel.body)
            steps.next_life(at)
            outcomes = [_tried(marks, naming, claimed, made.parcel, steps, office) for _ in range(3)]
            died = died or steps.died
            assert outcomes[-1] is Reached.YES and [body for _, body in office.got] == expected, at
        assert list((office.folder / ".samhub" / "inbox").iterdir()) == []
        names = (office.folder / ".samhub" / "names").iterdir()
        assert [name.read_text() for name in names if name.read_text()] == []  # one that nobody owns is no loss
    assert at > 20


def _tried(marks: Store, naming: Any, claimed: Claimed, parcel: Any, steps: Steps, office: Office) -> Reached | None:
    """One attempt, that may be its process's last."""
    sender = FolderSender(marks, naming) if naming else FolderSender(marks)
    try:
        outcome: Outcome = asyncio.run(sender.send(claimed, parcel))
    except DeathInThread:
        return None
    finally:
        steps.at = 0
        office.takes()
    return outcome.reached


def test_two_answers_about_one_file_lie_beside_each_other(tmp_path: Path) -> None:
    """Nothing is written over, neither an answer nor what the office has laid there."""
    office = Office(tmp_path / "lege")
    (office.folder / "inbox").mkdir()
    (office.folder / "inbox" / "henvisning.apprec.xml").write_bytes(b"kontorets egen")
    sender = FolderSender(Marked(), named)

    async def both() -> None:
        letters = [letter(Channel.FOLDER, str(office.folder), f"{n}".encode()) for n in range(4)]
        await asyncio.gather(*(sender.send(one.claimed, one.parcel) for one in letters))

    asyncio.run(both())
    office.takes()
    names = ["henvisning.apprec.xml", *(f"henvisning-{n}.apprec.xml" for n in (2, 3, 4, 5))]
    assert sorted(name for name, _ in office.got) == sorted(names)
    assert len({body for _, body in office.got}) == 5


def test_another_folder_or_another_disk_at_its_place_gets_what_it_has_not(tmp_path: Path) -> None:
    """Nothing lies aside there, but nothing was ever laid there either."""
    marks, first, second = Marked(), Office(tmp_path / "a"), Office(tmp_path / "b")
    made = letter(Channel.FOLDER, str(first.folder), b"")
    moved = replace(made.claimed, delivery=replace(made.claimed.delivery, address=str(second.folder)))
    for claimed in (made.claimed, moved):
        asyncio.run(FolderSender(marks).send(claimed, made.parcel))
    second.folder.rename(tmp_path / "before")
    second.folder.mkdir()
    asyncio.run(FolderSender(marks).send(moved, made.parcel))
    first.takes()
    second.takes()
    assert (len(first.got), len(second.got)) == (1, 1)


def test_each_document_goes_out_once_and_has_its_receipt(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before and after every step of taking it, telling of it and putting it away."""
    steps, at = Steps(monkeypatch, tmp_path, Death), 0
    while not at or steps.died:
        at += 1
        folder = tmp_path / f"{at}"
        (folder / "outbox").mkdir(parents=True)
        system = RecordSystem("legesenter", frozenset({DOCTOR.her_id}), Channel.FOLDER, str(folder))
        sample = world.sample(sender=DOCTOR, receiver=PARTNER)
        (folder / "outbox" / "brev.xml").write_bytes(sample.document)
        steps.next_life(at)
        try:
            _swept(world, system)
        except Death:
            steps.at = 0
            _swept(world, system)
        steps.at = 0
        found = world.run(world.hub.store.messages(MessageFilter(msg_id=sample.msg_id)))
        assert len(found) == 1, at
        assert (folder / "outbox" / "taken" / "brev.xml").read_bytes() == sample.document, at
        assert (folder / "receipts" / "brev.txt").read_text().startswith(f"message {found[0].id}\naccepted: "), at
        files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.suffix != ".part"}
        assert files == {"outbox/taken/brev.xml", "receipts/brev.txt"}, at
        [kept] = world.run(world.hub.store.arrivals(ArrivalFilter(ids=(found[0].arrival_id,))))
        assert kept.arrival.headers["file"] == "brev"
    assert at > 10


def _swept(world: World, system: RecordSystem) -> None:
    """By a hub that has just begun."""
    hub = world.hub
    telling = Telling("folder-receipts", hub.store, hub.systems)
    ahead = timedelta(seconds=10)
    door = FolderDoor(hub.systems, lambda: datetime.now(UTC) + ahead, 10_000_000, lambda _: None, telling)
    for _ in range(3):
        world.run(door.sweep([system]))
