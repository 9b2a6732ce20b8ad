"""Any folder of messages: parties, keys and agreements are made for every sender and receiver found, and each file is run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from hub.digest import sha256
from hub.formats import document as documents
from hub.formats import xml
from hub.formats.document import Address, Document, Ident, Named
from ops.demo import judge
from ops.demo.stage import House, free_ports, house, settled
from ops.demo.told import Teller
from ops.sector import Member, make_keys

LIMIT = 64_000_000
#: Seconds until an AppRec is missing; it ends the wait only where nothing else moves (PATIENCE), so a slow machine may be slow.
DEADLINE, PATIENCE = 300.0, 30.0
#: How many documents are handed over at once.
AT_ONCE = 16
HERE, THERE = "her", "der"
#: Who sends and who receives what names nobody by HER-id, as older formats may.
SENDER, RECEIVER = "8999998", "8999999"


@dataclass(frozen=True, slots=True)
class File:
    """One file, read as far as it can be."""

    name: str
    content: bytes = field(repr=False)
    document: Document | None


async def play_folder(source: Path, folder: Path, teller: Teller, *, strict: bool = False) -> dict[str, object]:
    """Runs every *.xml below `source`; files that use a MsgId again with other content are run in hubs begun anew.

    What breaks only a content rule is passed and remarked, or refused when `strict`.
    """
    files = (
        [read_file(path, source) for path in sorted(source.rglob("*.xml")) if path.is_file()]
        if source.is_dir()
        else [read_file(source, source)]
    )
    members = parties_of(files)
    await asyncio.to_thread(make_keys, folder / "certs", members or [_member("8000102", "8000101", HERE)])
    broken: list[str] = []
    rounds = list(_rounds(files))
    for number, some in enumerate(rounds):
        place = folder / f"runde-{number + 1}"
        broken += await _play(some, members, place, folder / "certs", teller, "refuse" if strict else "warn")
    unnamed = sum(1 for m in members if m.her_id in (SENDER, RECEIVER))
    more: dict[str, object] = {"files": len(files), "parties": len(members), "rounds": len(rounds)}
    more |= {"stand_ins": unnamed} if unnamed else {}
    return {**more, "broken": "; ".join(broken)} if broken else more


def read_file(path: Path, source: Path) -> File:
    """One file, named as below `source`; its document is None where nothing can be read."""
    content = path.read_bytes()
    root = xml.parse(content, xml.Bounds.for_document(LIMIT))
    document = None if isinstance(root, xml.XmlFault) else documents.read(root)
    name = str(path.relative_to(source)) if source.is_dir() else path.name
    return File(name, content, document if document and document.kind != "other" else None)


def _rounds(files: Sequence[File]) -> Iterator[list[File]]:
    """As few rounds as need be, so that no MsgId comes twice with other content in one (HIS 80601: it is unique)."""
    waiting = list(files)
    while waiting:
        taken: dict[str, str] = {}
        now: list[File] = []
        later: list[File] = []
        for file in waiting:
            key = file.document.msg_id if file.document else ""
            digest = sha256(file.content)
            fits = not key or taken.setdefault(key, digest) == digest
            (now if fits else later).append(file)
        yield now
        waiting = later


def parties_of(files: Sequence[File]) -> list[Member]:
    """Every communication party once: who sends first is served here, the others there, with all of its organisation."""
    found: dict[str, Member] = {}
    sides: dict[str, str] = {}
    for file in files:
        if file.document is None:
            continue
        sender, receivers = _parties(file.document)
        _note(found, sides, sender, HERE)
        for address in receivers:
            _note(found, sides, address, THERE)
    return list(found.values())


def _parties(document: Document) -> tuple[Address, list[Address]]:
    """Sender and receivers; a stand-in for a sender or primary receiver to whom the document gives no HER-id."""
    sender = document.sender if document.sender.her_id else _stand_in(SENDER)
    primary = document.receiver if document.receiver.her_id else _stand_in(RECEIVER)
    return sender, [primary, *(copy for copy in document.copies if copy.her_id)]


def _stand_in(her_id: str) -> Address:
    return Address(Named(f"HER-id {her_id}", (Ident(her_id, "HER"),)))


def _note(found: dict[str, Member], sides: dict[str, str], address: Address, otherwise: str) -> None:
    """An organisation's HER-id, which some write alone, is served by one hub only."""
    side = next((sides[her_id] for her_id in address.her_ids if her_id in sides), otherwise)
    for her_id in address.her_ids:
        sides.setdefault(her_id, side)
    if address.her_id and address.her_id not in found:
        first = address.her_ids[0] if address.her_ids[0] != address.her_id else ""
        found[address.her_id] = _member(address.her_id, first, side)


def _member(her_id: str, organisation: str, side: str) -> Member:
    stands_in = her_id in (
        SENDER,
        RECEIVER,
    )  # at a system of its own: no document names it, so none is answered for it elsewhere
    system = f"{side}-stedfortreder" if stands_in else side
    return Member(her_id, f"HER-id {her_id}", organisation, side, "999000061", system)


async def _play(
    files: Sequence[File], members: Sequence[Member], folder: Path, certs: Path, teller: Teller, content_rules: str
) -> list[str]:
    ports = dict(zip((HERE, THERE), free_ports(2), strict=True))
    async with AsyncExitStack() as stack:
        houses: dict[str, House] = {}
        for side, other in ((HERE, THERE), (THERE, HERE)):
            local = [m for m in members if m.organisation == side]
            remote = [(m, f"http://127.0.0.1:{ports[other]}/ebxml") for m in members if m.organisation == other]
            if not local:  # somebody must be at home: a hub without any party of its own makes no sense
                local = [_member(SENDER if side == HERE else RECEIVER, "", side)]
                make_keys(certs, [*local]) if not (certs / side).exists() else None
            entered = house(
                folder / side,
                certs,
                ports[side],
                local,
                remote,
                apprec="hub",
                deadline_seconds=DEADLINE,
                content_rules=content_rules,
            )
            houses[side] = await stack.enter_async_context(entered)
        await _run(files, houses, teller)
        return [*await houses[HERE].hub.store.check(), *await houses[THERE].hub.store.check()]


async def _run(files: Sequence[File], houses: dict[str, House], teller: Teller) -> None:
    """Handed over a few at a time, told in the order of their names once nothing is under way."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(file: File) -> tuple[House, int, dict[str, object]]:
        async with limit:
            return await _handed(file, houses)

    handed = await asyncio.gather(*(one(file) for file in files))
    await settled(list(houses.values()), PATIENCE)
    for file, (own, status, answer) in zip(files, handed, strict=True):
        if status == 202:
            teller.tell(await judge.sent(own, file.name, str(answer["id"])))
        else:
            code, because = str(answer.get("code", "request")), str(answer.get("detail", ""))
            teller.tell(judge.refused(file.name, _facts(file), code, because))


async def _handed(file: File, houses: dict[str, House]) -> tuple[House, int, dict[str, object]]:
    """Through the REST door of whoever serves the sender; what cannot be read goes in at the first house's door."""
    sender, asked = "", list[str]()
    if file.document is not None:
        party, receivers = _parties(file.document)
        sender = party.her_id
        asked = [] if file.document.receiver.her_id else [address.her_id for address in receivers]
    own = next((h for h in houses.values() if sender and h.serving(sender)), houses[HERE])
    system = own.serving(sender) if sender else None
    if system is None:
        system = next(iter(own.systems.values()))
        sender = sorted(next(iter(own.hub.directory.systems())).her_ids)[0]
    status, answer = await system.send(file.content, sender, asked)
    return own, status, answer


def _facts(file: File) -> tuple[str, str, str, str, str]:
    d = file.document
    return (d.type_code, "", d.msg_id, d.sender.her_id, d.receiver.her_id) if d else ("", "", "", "", "")
