"""A folder of CPA files: read once, found by cpaid and by the two parties."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from hub.errors import HubError
from hub.formats import cpa, xml
from hub.formats.cpa import Cpa

LIMIT = 5_000_000


def read_file(path: Path) -> Cpa | str:
    """The agreement, or why it cannot be used."""
    root = xml.parse(path.read_bytes(), xml.Bounds.for_document(LIMIT))
    if isinstance(root, xml.XmlFault):
        return root.text
    found = cpa.read(root)
    return found.text if isinstance(found, cpa.CpaFault) else found


def read_folder(folder: Path) -> tuple[dict[str, Cpa], dict[str, str]]:
    """CPAs by cpaid, and for files that cannot be used their reason."""
    found: dict[str, Cpa] = {}
    broken: dict[str, str] = {}
    for path in sorted(folder.glob("*.xml")) if folder.is_dir() else []:
        read = read_file(path)
        if isinstance(read, str):
            broken[path.name] = read
        else:
            found[read.cpa_id] = read
    return found, broken


def bring_in(path: Path, folder: Path) -> Cpa:
    """Copies a CPA into the folder under its cpaid; an older file of the same cpaid is replaced. Raises HubError."""
    read = read_file(path)
    if isinstance(read, str):
        raise HubError(f"{path}: {read}")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', read.cpa_id)}.xml"
    half = target.with_suffix(".part")
    half.write_bytes(path.read_bytes())
    half.replace(target)
    return read


def in_words(found: Cpa) -> Iterable[str]:
    """What an agreement says, for people."""
    yield f"CPA {found.cpa_id}, status {found.status or '(none)'}, from {found.start or '?'} to {found.end or '?'}"
    for party in found.parties:
        ids = ", ".join(f"{kind} {value}" for kind, value in party.ids)
        yield f"  {party.name or '(no name)'}: {ids}"
        for role in party.roles:
            sends = ", ".join(b.action for b in role.can_send) or "nothing"
            receives = ", ".join(b.action for b in role.can_receive) or "nothing"
            yield f"    {role.service or role.process} {role.version} as {role.role}: sends {sends}; receives {receives}"
