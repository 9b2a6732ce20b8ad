"""The folder door: what cannot be taken goes to refused/ with its reason, and one bad file keeps no other waiting."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.folder.receive import FolderDoor
from hub.message import Channel, RecordSystem
from hub.ports import ArrivalFilter, MessageFilter
from hub.record_systems.telling import Telling
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
            Telling("folder-receipts", hub.store, hub.systems),
        )

    def put(self, name: str, content: bytes, *, age: float = 10) -> Path:
        """A file that was written `age` seconds ago."""
        target = self.path / "outbox" / name
        target.write_bytes(content)
        then = (datetime.now(UTC) - timedelta(seconds=age)).timestamp()
        os.utime(target, (then, then))
        return target

    def sweep(self, *others: RecordSystem) -> int:
        """Twice: what is new is looked at again before it is taken."""
        return sum(self.world.run(self.door.sweep([*others, self.system])) for _ in range(2))

    def receipt(self, stem: str) -> str:
        return (self.path / "receipts" / f"{stem}.txt").read_text("utf-8")

    def lies_in(self, name: str) -> str:
        places = [p for p in self.path.glob(f"**/outbox/**/{name}") if p.is_file() or p.is_symlink()]
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
    assert folder.receipt("a-uleselig").startswith("waits\nno-file: ")


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
    folder.sweep(lost)
    assert folder.lies_in("god.xml") == "taken"


def test_receipts_that_cannot_be_written_are_told_once_and_keep_nobody_waiting(world: World, folder: Folder) -> None:
    """A file stands where receipts/ should be: both documents go out, and get their receipts when it is mended."""
    folder.put("a.xml", good(world))
    folder.put("b.xml", broken(world.sample(sender=DOCTOR, receiver=PARTNER), "schema"))
    (folder.path / "receipts").write_text("in the way")
    before = _kept(world)
    folder.sweep()
    folder.sweep()
    assert _kept(world) == (before[0] + 1, before[1] + 2)
    assert len(folder.told) == len(set(folder.told)) and any("a.xml" in one for one in folder.told)
    (folder.path / "receipts").unlink()
    folder.sweep()
    assert (folder.lies_in("a.xml"), folder.lies_in("b.xml")) == ("taken", "refused")
    assert folder.receipt("a").startswith("message ") and folder.receipt("b").startswith("refused\ndocument-schema: ")
    assert _kept(world) == (before[0] + 1, before[1] + 2)


def _kept(world: World) -> tuple[int, int]:
    """Messages and arrivals."""
    messages = world.run(world.hub.store.messages(MessageFilter(limit=1000)))
    return len(messages), len(world.run(world.hub.store.arrivals(ArrivalFilter(limit=1000))))


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
    folder.sweep(away)
    assert folder.lies_in("brev.xml") == "taken"
    assert folder.told == [f"{folder.path.parent / 'borte' / 'outbox'}: Input/output error"]


ONLY_XML = "ignored\nonly .xml is looked at; this file stays where it is\n"
NO_FILE = (
    "waits\nno-file: what lies in a record system's outbox is no file, but a folder or a link\n"
    "what to do: Lay the file itself there.\n"
)


def _link(at: Path) -> None:
    (at.parent.parent / "annet.xml").write_bytes(b"<a/>")
    at.symlink_to(at.parent.parent / "annet.xml")


#: What lies in outbox → how it is laid there, and the receipt that tells of it; None: nobody asks about that.
ODD: dict[str, tuple[Callable[[Path], object], str, str | None]] = {
    "skann.pdf": (lambda p: p.write_bytes(b"%PDF"), "skann.pdf", ONLY_XML),
    "uten ending": (lambda p: p.write_bytes(b"hei"), "uten ending", ONLY_XML),
    "brev.xml.part": (lambda p: p.write_bytes(b"<a"), "brev.xml.part", None),
    ".skjult.xml": (lambda p: p.write_bytes(b"<a/>"), ".skjult", None),
    "~brev.xml": (lambda p: p.write_bytes(b"<a/>"), "~brev", None),
    "arkiv": (Path.mkdir, "arkiv", None),
    "mappe.xml": (Path.mkdir, "mappe", NO_FILE),
    "lenke.xml": (_link, "lenke", NO_FILE),
    "borte.xml": (lambda p: p.symlink_to(p.with_name("finnes-ikke")), "borte", NO_FILE),
    "ror.xml": (os.mkfifo, "ror", NO_FILE),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_document_stays_and_is_told_once(folder: Folder, name: str) -> None:
    """Neither opened nor moved; the receipt is not written again where the office has taken it away, or written its own."""
    lay, stem, words = ODD[name]
    at = folder.path / "outbox" / name
    lay(at)
    then = (datetime.now(UTC) - timedelta(seconds=10)).timestamp()
    os.utime(at, (then, then), follow_symlinks=False)
    assert folder.sweep() == 0
    receipt = folder.path / "receipts" / f"{stem}.txt"
    assert (receipt.read_text("utf-8") if receipt.exists() else None) == words
    written = receipt.stat().st_mtime_ns if words else 0
    folder.sweep()
    assert (receipt.stat().st_mtime_ns if words else 0) == written
    assert os.path.lexists(at) and folder.told == []


def test_a_name_that_is_used_again_gets_a_number(world: World, folder: Folder) -> None:
    """Taken, refused, and one whose receipt alone is left: nothing is written over, each has its own receipt."""
    contents = [good(world), b"hei", good(world), good(world)]
    for content in contents:
        folder.put("brev.xml", content)
        folder.sweep()
    outbox = folder.path / "outbox"
    lies = {p.relative_to(outbox).as_posix(): p.read_bytes() for p in outbox.rglob("*.xml")}
    names = ("taken/brev.xml", "refused/brev-2.xml", "taken/brev-3.xml", "taken/brev-4.xml")
    assert lies == dict(zip(names, contents, strict=True))
    receipts = [folder.receipt(stem) for stem in ("brev", "brev-2", "brev-3", "brev-4")]
    assert len(set(receipts)) == 4 and receipts[1].startswith("refused\n")


def test_a_receipt_of_the_offices_own_is_not_written_over(world: World, folder: Folder) -> None:
    (folder.path / "receipts").mkdir()
    (folder.path / "receipts" / "brev.txt").write_text("ring legen")
    folder.put("brev.xml", good(world))
    folder.sweep()
    assert folder.receipt("brev") == "ring legen"
    assert folder.receipt("brev-2").startswith("message ") and folder.lies_in("brev-2.xml") == "taken"


NAMES = {
    "Norwegian": ("blåbær æøå.xml", "blåbær æøå"),
    "of 250 letters": ("x" * 246 + ".xml", "x" * 150),
    "of 120 letters of two bytes": ("ø" * 120 + ".xml", "ø" * 75),
    "with a line break": ("to\nlinjer.xml", "to_linjer"),
    "not of UTF-8": (os.fsdecode(b"bl\xe5.xml"), "bl\N{REPLACEMENT CHARACTER}"),
    "of one space": (" .xml", "document"),
    "hidden behind a space": (" .brev.xml", "brev"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_every_name_has_its_receipt(world: World, folder: Folder, kind: str) -> None:
    name, stem = NAMES[kind]
    folder.put(name, good(world))
    folder.sweep()
    assert folder.receipt(stem).startswith("message ") and folder.lies_in(f"{stem}.xml") == "taken"
    assert folder.told == []


def test_a_file_whose_size_still_changes_is_left_alone(world: World, folder: Folder) -> None:
    """As on a share whose server's clock is behind: old at once, and growing."""
    whole = good(world)
    for end in (200, 400, 600):
        folder.put("brev.xml", whole[:end])
        assert world.run(folder.door.sweep([folder.system])) == 0
    folder.put("brev.xml", whole)
    assert folder.sweep() == 1 and folder.lies_in("brev.xml") == "taken"


@pytest.mark.parametrize("size", [0, 700], ids=["emptied", "halved"])
def test_what_is_replaced_while_it_is_taken_is_looked_at_anew(
    world: World, folder: Folder, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The other file lies in the hub's place: read when it is whole, never half of it."""
    whole, sound = good(world), Path.rename
    folder.put("brev.xml", good(world))

    def rename(self: Path, target: Path) -> Path:
        if self.name == "brev.xml" and self.parent.name == "outbox" and ".samhub" not in self.parts:
            monkeypatch.undo()
            folder.put("brev.xml", whole[:size], age=0)
        return sound(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    folder.sweep()
    placed = folder.path / ".samhub" / "outbox" / "brev.xml"
    assert placed.read_bytes() == whole[:size]
    placed.write_bytes(whole)
    folder.ahead = timedelta(seconds=5)
    folder.sweep()
    assert folder.lies_in("brev.xml") == "taken"
    assert (folder.path / "outbox" / "taken" / "brev.xml").read_bytes() == whole
