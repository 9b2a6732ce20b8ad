"""Lines of size: ten parties against ten thousand (P17), and what a message in hand takes of memory (P18)."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from adapters.register.directory import FileDirectory
from adapters.register.file import PartyRow, SystemRow, written
from hub.errors import HubError
from ops.bench.harness import ROUNDS, Case, Neighbours, interleaved, process_bytes
from ops.bench.kernel import SIZE, judged, stages
from ops.bench.line import Figure, Line, Part
from ops.bench.material import LOCAL, REMOTE, Bed, document, idle_hub

MANY = 10_000
#: HER-ids of the crowd begin here.
FIRST = 8_100_000


async def parties(bed: Bed, *, rounds: int = ROUNDS, many: int = MANY) -> Line:
    """P17: what ten thousand parties cost: to load, to hold, and for every message."""
    few, crowd = _written(bed, 10), _written(bed, many)
    before = process_bytes()
    begun = time.perf_counter()
    loaded = FileDirectory(crowd, bed.folder / "none")
    seconds, each = time.perf_counter() - begun, (process_bytes() - before) / many
    messages = [bed.message(document(SIZE)) for _ in range(10)]
    async with idle_hub(bed) as hub:
        kits = {"10": replace(hub.kit, directory=FileDirectory(few, bed.folder / "none"))}
        kits[f"{many}"] = replace(hub.kit, directory=loaded)
        checks = stages()
        cases: dict[str, Case] = {
            name: partial(_each, [partial(judged, wire, kit, checks) for wire in messages])
            for name, kit in kits.items()
        }
        found = interleaved(cases, rounds=rounds)
    figures = [
        Figure("accept", found.ratio([f"{many}"], ["10"]), 1.1, 1.02),
        Figure("load", seconds, 5.0, 1.0, unit="s"),
        Figure("each", each / 1000, 16.0, 4.0, unit="kB"),
    ]
    parts = [Part("accept", found.median(f"{many}") * 1e5, found.median("10") * 1e5)]
    note = "every party with certificates of its own in memory; the floor column is ten parties"
    return Line(f"parties 10 → {many:,}: accept, time to load, memory each", figures, parts, found.neighbours, note)


def _each(cases: list[Case]) -> None:
    for case in cases:
        case()


def _written(bed: Bed, count: int) -> Path:
    """A party file with the two of the bed and `count` others, who share the remote one's certificates."""
    own, theirs = bed.certs / LOCAL.organisation, bed.certs / REMOTE.organisation
    certificates = {
        "endpoint": "http://127.0.0.1:9/ebxml",
        "signing_certificates": [theirs / "sign.cert.pem"],
        "encryption_certificate": theirs / "encrypt.cert.pem",
    }
    system = SystemRow(id=LOCAL.system, her_ids=[LOCAL.her_id])
    rows = [PartyRow(her_id=LOCAL.her_id, system=LOCAL.system, keys=own)]
    rows += [PartyRow(her_id=her_id, name=f"Nr {her_id}", **certificates) for her_id in _crowd(count)]
    target = bed.folder / f"parties-{count}.toml"
    target.write_text(written([system], rows), "utf-8")
    return target


def _crowd(count: int) -> list[str]:
    return [REMOTE.her_id, *(str(FIRST + number) for number in range(count))]


async def in_hand(bed: Bed) -> Line:
    """P18: peak of a process that accepts one message, less what it held before."""
    plan = (
        ("padded, 1 MB", 1_000_000, False, 8.0, 5.0),
        ("dense, 1 MB", 1_000_000, True, 16.0, 12.0),
        ("padded, 10 MB", 9_500_000, False, 8.0, 5.0),
    )
    figures, parts = [], []
    with Neighbours() as neighbours:
        for name, size, dense, gate, goal in plan:
            grown = await _grown(bed, size, dense=dense)
            figures.append(Figure(f"{name}, bytes for each byte", grown / size, gate, goal))
            parts.append(Part(name, grown / 1e6, None, "MB"))
    figures.append(Figure("padded, 10 MB, in all", parts[-1].ours, 100.0, 50.0, unit="MB"))
    return Line("memory of a message in hand", figures, parts, neighbours.used)


async def _grown(bed: Bed, size: int, *, dense: bool) -> int:
    files = []
    for name, content in (("small", document(5_000)), ("large", document(size, dense=dense))):
        wire = bed.message(content, "binary")
        file = bed.folder / name
        file.write_bytes(json.dumps(dict(wire.headers)).encode() + b"\n" + wire.body)
        files.append(str(file))
    words = [sys.executable, "-m", "ops.bench.child", "memory", str(bed.site.configuration), *files]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    if process.returncode:
        raise HubError("the message in hand was not accepted")
    return int(told)
