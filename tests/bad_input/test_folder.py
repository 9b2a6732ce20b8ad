"""The folder door: what cannot be taken goes to refused/ with its reason, and one bad file keeps no other waiting."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.folder.receive import FolderDoor
from hub.message import Channel, RecordSystem
from hub.ports import ArrivalFilter
from ops.samples.make import broken
from tests.support.world import DOCTOR, NURSING, PARTNER, World


class Folder:
    """The doctor's record system, by folder, swept by hand."""

    def __init__(self, world: World, path: Path) -> None:
        self.world, self.path, self.ahead = world, path, timedelta()
        (path / "outbox").mkdir(parents=True)
        hub = world.hub
        self.system = RecordSystem("legesenter", frozenset({DOCTOR.her_id}), Channel.FOLDER, str(path))

        self.told: list[str] = []
        self.door = FolderDoor(
            hub.systems,
            lambda: datetime.now(UTC) + self.ahead,
            hub.kit.settings.max_message_bytes,
            self.told.append,
        )

    def put(self, name: str, content: bytes, *, age: float = 10) -> Path:
        """A file that was written `age` seconds ago."""
        target = self.path / "outbox" / name
        target.write_bytes(content)
        then = (datetime.now(UTC) - timedelta(seconds=age)).timestamp()
        os.utime(target, (then, then))
        return target

    def sweep(self) -> int:
        return self.world.run(self.door.sweep([self.system]))

    def receipt(self, stem: str) -> str:
        return (self.path / "receipts" / f"{stem}.txt").read_text("utf-8")

    def lies_in(self, name: str) -> str:
        places = [p for p in (self.path / "outbox").rglob(name) if p.is_file() or p.is_symlink()]
        assert len(places) == 1, places
        return places[0].parent.name


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Folder:
    return Folder(world, tmp_path / "lege")


def good(world: World) -> bytes:
    return world.sample(sender=DOCTOR, receiver=PARTNER).document


def test_a_good_file_is_taken_and_its_receipt_says_so(world: World, folder: Folder) -> None:
    folder.put("brev.xml", good(world))
    folder.sweep()
    assert folder.lies_in("brev.xml") == "taken"
    assert folder.receipt("brev").startswith("message ")


WRONG: dict[str, tuple[Callable[[World], bytes], str]] = {
    "nothing": (lambda _: b"", "document-malformed"),
    "text": (lambda _: b"hei", "document-malformed"),
    "half a document": (lambda w: good(w)[:700], "document-malformed"),
    "letters of another alphabet than declared": (
        lambda w: good(w).replace("ø".encode(), b"\xf8"),
        "document-malformed",
    ),
    "UTF-16": (lambda w: good(w).decode().encode("utf-16"), "xml-encoding"),
    "a DOCTYPE": (lambda w: broken(w.sample(sender=DOCTOR, receiver=PARTNER), "doctype"), "xml-doctype"),
    "another kind of document": (lambda _: b"<html/>", "document-not-a-message"),
    "against its schema": (lambda w: broken(w.sample(sender=DOCTOR, receiver=PARTNER), "schema"), "document-schema"),
    "no MsgId": (lambda w: broken(w.sample(sender=DOCTOR, receiver=PARTNER), "no-msgid"), "document-msgid"),
    "somebody else's": (lambda w: w.sample(sender=NURSING, receiver=PARTNER).document, "not-your-party"),
}


@pytest.mark.parametrize(("make", "code"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_put_aside_with_its_reason(
    world: World, folder: Folder, make: Callable[[World], bytes], code: str
) -> None:
    content = make(world)
    folder.put("feil.xml", content)
    folder.sweep()
    assert folder.lies_in("feil.xml") == "refused"
    assert folder.receipt("feil").startswith(f"refused\n{code}: ")
    assert (folder.path / "outbox" / "refused" / "feil.xml").read_bytes() == content
    arrival = world.run(world.hub.store.arrivals(ArrivalFilter(limit=1)))[0]
    assert (arrival.state, arrival.code, arrival.arrival.body) == ("refused", code, content)


def test_a_file_that_is_still_being_written_is_left_alone(world: World, folder: Folder) -> None:
    """Half of it, a moment old: it is looked at when it has been quiet for a second."""
    whole = good(world)
    folder.put("brev.xml", whole[:700], age=0)
    assert folder.sweep() == 0
    assert folder.lies_in("brev.xml") == "outbox"
    folder.put("brev.xml", whole)
    assert folder.sweep() == 1
    assert folder.lies_in("brev.xml") == "taken"


@pytest.mark.parametrize("name", ["brev.part", "brev.tmp", ".brev.xml.swp", "les-meg.txt"])
def test_other_files_are_not_looked_at(world: World, folder: Folder, name: str) -> None:
    folder.put(name, good(world))
    assert folder.sweep() == 0
    assert folder.lies_in(name) == "outbox"


def test_a_name_in_capitals_is_a_file_like_any_other(world: World, folder: Folder) -> None:
    folder.put("BREV.XML", good(world))
    assert folder.sweep() == 1
    assert folder.lies_in("BREV.XML") == "taken"


def test_a_file_that_cannot_be_read_waits_and_keeps_no_other_waiting(
    new_world: Callable[..., World], tmp_path: Path
) -> None:
    """Its receipt says why; it is tried again at every sweep."""
    world = new_world()
    folder = Folder(world, tmp_path / "lege")
    (folder.path / "outbox" / "a-uleselig.xml").symlink_to("/proc/self/mem")
    folder.put("b-god.xml", good(world))
    folder.ahead = timedelta(hours=1)  # what the system itself makes is as young as this process
    folder.sweep()
    assert folder.lies_in("b-god.xml") == "taken"
    assert folder.lies_in("a-uleselig.xml") == "outbox"
    assert folder.receipt("a-uleselig").startswith("waits\nfile-unreadable: ")


def test_a_folder_named_like_a_file_is_no_file(world: World, folder: Folder) -> None:
    (folder.path / "outbox" / "mappe.xml").mkdir()
    folder.put("god.xml", good(world))
    assert folder.sweep() == 1
    assert folder.lies_in("god.xml") == "taken"


def test_a_link_that_leads_nowhere_is_no_file(folder: Folder) -> None:
    (folder.path / "outbox" / "borte.xml").symlink_to(folder.path / "finnes-ikke")
    assert folder.sweep() == 0


def test_a_file_larger_than_is_taken_is_not_read_to_its_end(new_world: Callable[..., World], tmp_path: Path) -> None:
    """Told by its size; only its beginning is kept."""
    world = new_world(hub={"max_message_bytes": 100_000})
    folder = Folder(world, tmp_path / "stor")
    folder.put("stor.xml", b"<a>" + b"x" * 50_000_000 + b"</a>")
    folder.sweep()
    assert folder.lies_in("stor.xml") == "refused"
    assert folder.receipt("stor").startswith("refused\ntoo-large: ")
    arrival = world.run(world.hub.store.arrivals(ArrivalFilter(limit=1)))[0]
    assert arrival.code == "too-large" and len(arrival.arrival.body) <= 65_536


def test_a_system_without_its_folder_stops_nobody(world: World, folder: Folder) -> None:
    lost = RecordSystem("borte", frozenset({NURSING.her_id}), Channel.FOLDER, "/finnes/ikke")
    folder.put("god.xml", good(world))
    world.run(folder.door.sweep([lost, folder.system]))
    assert folder.lies_in("god.xml") == "taken"


def test_one_file_that_cannot_be_put_away_holds_no_other_up_and_is_told_once(world: World, folder: Folder) -> None:
    """Its receipt cannot be written: told for as long as it lasts, and taken when it is mended."""
    folder.put("a.xml", good(world))
    folder.put("b.xml", good(world))
    (folder.path / "receipts" / "a.txt").mkdir(parents=True)
    folder.sweep()
    folder.sweep()
    assert (folder.lies_in("a.xml"), folder.lies_in("b.xml")) == ("outbox", "taken")
    assert len(folder.told) == 1 and "a.xml" in folder.told[0]
    (folder.path / "receipts" / "a.txt").rmdir()
    folder.sweep()
    assert folder.lies_in("a.xml") == "taken"


def test_one_folder_that_cannot_be_read_holds_no_other_up(
    world: World, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a share whose server is away."""
    away = RecordSystem("borte", frozenset({NURSING.her_id}), Channel.FOLDER, str(folder.path.parent / "borte"))
    sound = Path.is_dir

    def is_dir(self: Path) -> bool:
        if "borte" in self.parts:
            raise OSError(5, "Input/output error")
        return sound(self)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    folder.put("brev.xml", good(world))
    world.run(folder.door.sweep([away, folder.system]))
    assert folder.lies_in("brev.xml") == "taken"
    assert folder.told == [f"{folder.path.parent / 'borte' / 'outbox'}: Input/output error"]
