"""What a document says of itself, read by element names alone: an oracle that shares no code with the hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

#: Folder of the collection → version of the AppRec that answers (HITS 1168 8.3; ebxml.md §7.4).
APPREC = {
    "dialogmelding-1.0": "1.0",
    "dialogmelding-1.1": "1.1",
    "henvisning-1.0": "1.0",
    "henvisning-1.1": "1.1",
    "henvisning-2.0": "1.1",
    "epikrise-1.1": "1.0",
    "epikrise-1.2": "1.1",
    "svarrapport-1.3": "1.0",
    "svarrapport-1.4": "1.1",
    "rekvisisjon-1.5": "1.0",
    "rekvisisjon-1.6": "1.1",
    "plo-1.5": "1.0",
    "plo-1.6": "1.1",
    "fodselsepikrise-1.3": "1.1",  # its first content is TverrfagligEpikrise 1.6
}
NAMESPACES = {
    "1.0": "http://www.kith.no/xmlstds/apprec/2004-11-21",
    "1.1": "http://www.kith.no/xmlstds/apprec/2012-02-15",
}
#: Body of a document without MsgHead → its sender, its receiver, its document id.
BODIES = {
    "ServReq": ("Requester", "ServProvider", "Id"),
    "ServRprt": ("ServProvider", "Requester", "ServProvId"),
    "ServReport": ("ServProvider", "Requester", "ServProvId"),
}
#: Older formats write a letter or nothing: how the code of list 8279 begins then.
TYPES = {"henvisning": "HENVISNING", "epikrise": "EPIKRISE", "svarrapport": "SVAR_", "rekvisisjon": "REQ_"}
Ids = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one document: what an AppRec about it must repeat."""

    msg_id: str
    document_id: str
    type_code: str  #: of list 8279, or how it begins
    issued: str
    sender: Ids = field(repr=False)
    receivers: tuple[Ids, ...] = field(repr=False)
    partial: bool = False  #: whether the type is only how the code begins

    def original_id(self, version: str) -> str:
        """MsgId; in AppRec 1.0 the document id of what has no MsgHead."""
        return self.document_id if version == "1.0" and self.document_id else self.msg_id


def of(raw: bytes, family: str) -> Facts:
    """The facts of a well-formed document."""
    root = etree.fromstring(raw)
    info = root.find("{*}MsgInfo")
    return _with_head(info) if info is not None else _bare(root, family)


def _with_head(info: etree._Element) -> Facts:
    return Facts(
        msg_id=_text(info, "MsgId"),
        document_id="",
        type_code=_value(info, "Type"),
        issued=_text(info, "GenDate"),
        sender=_organisation(info.find("{*}Sender/{*}Organisation")),
        receivers=tuple(_organisation(e.find("{*}Organisation")) for e in _all(info, "Receiver", "OtherReceiver")),
    )


def _bare(root: etree._Element, family: str) -> Facts:
    body = next(b for name in BODIES if (b := root.find(f"{{*}}{name}")) is not None)
    sender, receiver, id_name = BODIES[etree.QName(body).localname]
    written = _value(root, "Type")
    return Facts(
        msg_id=_text(root, "MsgId"),
        document_id=_text(body, id_name),
        type_code=written if len(written) > 1 else TYPES[family.partition("-")[0]],
        partial=len(written) <= 1,
        issued=_value(root, "GenDate"),
        sender=ids(body.find(f"{{*}}{sender}")),
        receivers=tuple(ids(e) for e in _all(body, receiver, "CopyDest")),
    )


def _organisation(organisation: etree._Element | None) -> Ids:
    """Organisation and unit; a person only where there is no unit, or where the person is the one with the HER-id."""
    if organisation is None:
        return frozenset()
    unit = organisation.find("{*}Organisation")
    person = next(
        (p for e in (unit, organisation) if e is not None and (p := e.find("{*}HealthcareProfessional")) is not None),
        None,
    )
    own = _idents(organisation)
    if unit is not None:
        own |= _idents(unit)
    if person is not None and (unit is None or ("HER" in _types(person) and "HER" not in _types(unit))):
        own |= _idents(person)
    return own


def _idents(element: etree._Element) -> Ids:
    found = ((_text(i, "Id"), _value(i, "TypeId")) for i in element.findall("{*}Ident"))
    return frozenset((_plain(value), kind) for value, kind in found if value)


def _types(element: etree._Element) -> set[str]:
    return {kind for _, kind in _idents(element)}


def ids(party: etree._Element | None) -> Ids:
    """Those of an HCP block, as the older formats and AppRec have it."""
    if party is None:
        return frozenset()
    return frozenset(_hcp_ids(party))


def _hcp_ids(party: etree._Element) -> Iterator[tuple[str, str]]:
    institution = party.find("{*}HCP/{*}Inst")
    parts = [party.find("{*}HCP/{*}HCProf")] if institution is None else [institution, institution.find("{*}Dept")]
    if institution is not None:
        person, unit = institution.find("{*}HCPerson"), institution.find("{*}Dept")
        own = set(_block(person)) if person is not None else set()
        below = {kind for _, kind in _block(unit)} if unit is not None else set()
        if unit is None or (any(kind == "HER" for _, kind in own) and "HER" not in below):
            parts.append(person)
    for part in parts:
        yield from _block(part)


def _block(part: etree._Element | None) -> Iterator[tuple[str, str]]:
    if part is None:
        return
    if _text(part, "Id"):
        yield _plain(_text(part, "Id")), _value(part, "TypeId")
    for more in part.findall("{*}AdditionalId"):
        if _text(more, "Id"):
            yield _plain(_text(more, "Id")), _value(more, "Type")


def _plain(value: str) -> str:
    return "".join(value.split())


def _all(parent: etree._Element, *names: str) -> Iterator[etree._Element]:
    for name in names:
        yield from parent.findall(f"{{*}}{name}")


def _text(parent: etree._Element, name: str) -> str:
    return (parent.findtext(f"{{*}}{name}") or "").strip()


def _value(parent: etree._Element, name: str) -> str:
    found = parent.find(f"{{*}}{name}")
    return (found.get("V") or "").strip() if found is not None else ""
