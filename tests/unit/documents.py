"""Documents as the hub reads them, and a second reader in plain XPath that knows nothing of the first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from hub.formats import document, xml
from hub.formats.document import Document
from ops.samples.make import make
from ops.sector import SECTOR
from tests.agreement.collection import Shared, collection

MSG_ID = "5b8f3d0e-6c0f-4a5e-9a53-0f2d7a0b9c11"
AT = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
#: Kinds of the shared collection that are carried between parties.
CARRIED = (
    "apprec",
    "dialogmelding",
    "epikrise",
    "fodselsepikrise",
    "henvisning",
    "plo-1",
    "rekvisisjon",
    "svarrapport",
)


def root_of(raw: bytes) -> etree._Element:
    """Parsed as the hub parses it."""
    found = xml.parse(raw, xml.Bounds.for_document(64_000_000))
    assert not isinstance(found, xml.XmlFault), found
    return found


def read(raw: bytes) -> Document:
    """The document's facts."""
    return document.read(root_of(raw))


def made(kind: str, **more: object) -> bytes:
    """One of our own samples: from the nursing service to the doctor, a copy to the physiotherapist."""
    given = {"sender": SECTOR[0], "receiver": SECTOR[1], "copies": [SECTOR[2]], "gen_date": AT, "msg_id": MSG_ID}
    return make(kind, **{**given, **more}).document  # type: ignore[arg-type]


def valid_samples(standards: Path) -> Iterator[Shared]:
    """The official samples of carried standards that the index calls valid."""
    for shared in collection(standards):
        if shared.kind.startswith(CARRIED) and shared.outcome.startswith("valid"):
            yield shared


# --- the second reader

_SIDES = {
    "MsgHead": ("Sender/Organisation", "Receiver/Organisation"),
    "AppRec": ("Sender/HCP", "Receiver/HCP"),
    "ServReq": ("Requester/HCP", "ServProvider/HCP"),
    "ServRprt": ("ServProvider/HCP", "Requester/HCP"),
    "ServReport": ("ServProvider/HCP", "Requester/HCP"),
}


def step(path: str) -> str:
    """A path by local names alone."""
    return "/".join(f"*[local-name()='{name}']" for name in path.split("/"))


def said(element: etree._Element, path: str) -> str:
    """The text at a path of local names, an attribute after @."""
    where, _, attribute = path.partition("/@")
    found = element.xpath(f"string({step(where)}{'/@' + attribute if attribute else ''})")
    return str(found).strip()


def holder(root: etree._Element) -> etree._Element:
    """What has sender and receiver in it: MsgInfo, the AppRec, or the body of a Message."""
    if etree.QName(root).localname == "AppRec":
        return root
    names = ("MsgInfo", "ServReq", "ServRprt", "ServReport")
    return next(e for e in root.iterchildren() if etree.QName(e).localname in names)


def numbers(root: etree._Element, side: int) -> set[tuple[str, str]]:
    """Every (type, id) that stands at the sender (0) or receiver (1)."""
    inside = holder(root)
    name = etree.QName(inside).localname
    sides = _SIDES["MsgHead" if name == "MsgInfo" else name]
    found = inside.xpath(step(sides[side]))
    assert isinstance(found, list)
    pairs = set()
    for one in found[:1]:
        for element in one.iter(etree.Element):  # type: ignore[union-attr]
            kind = said(element, "TypeId/@V") or said(element, "Type/@V")
            if said(element, "Id") and etree.QName(element).localname not in ("Address", "TeleCom"):
                pairs.add((kind, said(element, "Id")))
    return pairs
