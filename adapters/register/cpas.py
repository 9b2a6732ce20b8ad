"""A folder of CPA and CPP files: read once; CPAs found by cpaid and by the two parties, CPPs by their one party."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from hub import agreements
from hub.errors import HubError
from hub.formats import cpa, xml
from hub.formats.cpa import Cpa, CpaParty, Profile

LIMIT = 5_000_000


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in a folder."""

    agreements: dict[str, Cpa] = field(default_factory=dict)  #: by cpaid
    profiles: dict[str, Profile] = field(default_factory=dict)  #: by HER-id: registered ones share their cppid
    broken: dict[str, str] = field(default_factory=dict)  #: file → why it cannot be used
    digests: dict[str, str] = field(default_factory=dict)  #: of the files of what can be used, by what people call it


def read_file(path: Path) -> Cpa | Profile | str:
    """The agreement or the profile, or why it cannot be used."""
    root = xml.parse(path.read_bytes(), xml.Bounds.for_document(LIMIT))
    if isinstance(root, xml.XmlFault):
        return root.text
    found = cpa.read_profile(root) if root.tag == cpa.PROFILE else cpa.read(root)
    return found.text if isinstance(found, cpa.CpaFault) else found


def read_folder(folder: Path) -> Folder:
    """All that can be used, and of the other files why not; of two with one cpaid the first by its name is used."""
    found, named = Folder(), dict[str, str]()
    for path in sorted(folder.glob("*.xml")) if folder.is_dir() else []:
        match read_file(path):
            case str() as why:
                found.broken[path.name] = why
            case Cpa() as agreement if agreement.unread:
                found.broken[path.name] = f"{' and '.join(agreement.unread)} is no xs:dateTime"
            case Cpa() as agreement if agreement.cpa_id in named:
                why = f"its cpaid {agreement.cpa_id} is that of {named[agreement.cpa_id]} too, which is used; take one away"
                found.broken[path.name] = why
            case one:
                _keep(one, path, found)
                named[name(one)] = path.name
    return found


def _keep(one: Cpa | Profile, path: Path, found: Folder) -> None:
    found.digests[name(one)] = sha256(path.read_bytes()).hexdigest()[:12]
    if isinstance(one, Cpa):
        found.agreements[one.cpa_id] = one
    else:
        found.profiles.update(dict.fromkeys(one.party.her_ids, one))


def bring_in(path: Path, folder: Path) -> Cpa | Profile:
    """Copies a CPA into the folder under its cpaid, a CPP under its HER-id; an older file of that name is replaced.

    Raises HubError, also where it asks for a confidentiality that cannot be kept here.
    """
    read = read_file(path)
    if isinstance(read, str):
        raise HubError(f"{path}: {read}")
    if refusing := agreements.refusing(read):
        raise HubError(f"{path}: {'; '.join(map(str, refusing))}")
    folder.mkdir(parents=True, exist_ok=True)
    called = read.cpa_id if isinstance(read, Cpa) else f"cpp_{'_'.join(read.party.her_ids)}"
    target = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', called)}.xml"
    if isinstance(read, Cpa) and (twin := _twin(read.cpa_id, target)):
        raise HubError(f"{path}: {twin} has the same cpaid {read.cpa_id}; take it away first")
    half = target.with_suffix(".part")
    half.write_bytes(path.read_bytes())
    half.replace(target)
    return read


def _twin(cpa_id: str, target: Path) -> str:
    """Another file of the folder with this cpaid."""
    others = (path for path in sorted(target.parent.glob("*.xml")) if path != target)
    return next((p.name for p in others if isinstance(one := read_file(p), Cpa) and one.cpa_id == cpa_id), "")


def in_words(found: Cpa | Profile) -> Iterable[str]:
    """What an agreement or a profile says, for people."""
    if isinstance(found, Profile):
        yield f"CPP {found.cpp_id or '(no id)'}"
    else:
        yield f"CPA {found.cpa_id}, status {found.status or '(none)'}, from {found.start or '?'} to {found.end or '?'}"
    for party in parties(found):
        ids = ", ".join(f"{kind} {value}" for kind, value in party.ids)
        yield f"  {party.name or '(no name)'}: {ids}"
        for role in party.roles:
            sends = ", ".join(b.action for b in role.can_send) or "nothing"
            receives = ", ".join(b.action for b in role.can_receive) or "nothing"
            yield f"    {role.service or role.process} {role.version} as {role.role}: sends {sends}; receives {receives}"
    for remark in agreements.judged(found):
        yield f"  {remark.severity}: {remark}"


def name(found: Cpa | Profile) -> str:
    """What people call it: its cpaid, or the HER-ids of a profile."""
    return found.cpa_id if isinstance(found, Cpa) else f"CPP of {', '.join(found.party.her_ids) or '(no HER-id)'}"


def parties(found: Cpa | Profile) -> tuple[CpaParty, ...]:
    """Both of an agreement, the one of a profile."""
    return (found.party,) if isinstance(found, Profile) else found.parties
