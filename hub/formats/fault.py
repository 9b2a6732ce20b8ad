"""SOAP Faults: the answer to what cannot be read or addressed (HITS 1172 4.2.2), written, and read as others write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from hub.formats import mime, xml
from hub.formats.envelope_write import escape_text
from hub.formats.words import quoted

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
#: Largest body that is looked at; what is larger is no Fault of an honest handler.
MAX_BYTES = 1_000_000
#: SOAP 1.1 codes that say that the same bytes will never do (SOAP 1.1 4.4.1); those of SOAP 1.2 have other names.
FOR_GOOD = frozenset({"Client", "VersionMismatch", "MustUnderstand"})
_ELSEWHERE = {"Sender": "Client", "Receiver": "Server"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a Fault says. `text` is fit to be shown; the detail, which may hold anything, is left out."""

    code: str  #: `Client`, `Server`, … in the words of SOAP 1.1; empty where the faultcode is none of SOAP's
    text: str

    @property
    def for_good(self) -> bool:
        """Whether it says that the same message will never do."""
        return self.code in FOR_GOOD

    @property
    def words(self) -> str:
        """Code and text."""
        return f"{self.code or 'Fault'}: {self.text}" if self.text else self.code or "Fault"


def write(code: Literal["Client", "Server"], text: str) -> bytes:
    """A Fault; `text` is for people and holds no content."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Body><SOAP:Fault>'
        f"<faultcode>SOAP:{code}</faultcode><faultstring>{escape_text(text)}</faultstring>"
        "</SOAP:Fault></SOAP:Body></SOAP:Envelope>"
    ).encode()


def answered(headers: Mapping[str, str], body: bytes) -> Fault | None:
    """The Fault in an answer: as its package says, else in the bytes themselves, whatever they are labelled as."""
    package = mime.read(headers, body) if body else None
    return read(package.root.content if isinstance(package, mime.Package) else body)


def read(body: bytes) -> Fault | None:
    """The Fault of a SOAP envelope, 1.1 or 1.2; None when there is none, or when the bytes are not within bounds."""
    if b"Fault" not in body or (SOAP.encode() not in body and SOAP12.encode() not in body):
        return None  # nearly always, and before anything is parsed
    root = xml.parse(body.strip(), xml.Bounds(MAX_BYTES))
    if isinstance(root, xml.XmlFault):
        return None
    space = etree.QName(root).namespace
    if space not in (SOAP, SOAP12) or root.tag != f"{{{space}}}Envelope":
        return None
    found = root.find(f"{{{space}}}Body/{{{space}}}Fault")
    if found is None:
        return None
    code = _named(found, "faultcode", "Code")
    if code is not None and space == SOAP12:
        code = next(_children(code, "Value"), None)
    text = _named(found, "faultstring", "Reason")
    return Fault(_code(code), quoted(" ".join("".join(text.itertext()).split()) if text is not None else ""))


def _named(parent: etree._Element, *names: str) -> etree._Element | None:
    return next((child for name in names for child in _children(parent, name)), None)


def _children(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """By local name: SOAP 1.1 has the children of Fault without a namespace, and not everybody writes them so."""
    return (child for child in parent if isinstance(child.tag, str) and etree.QName(child).localname == name)


def _code(element: etree._Element | None) -> str:
    """The faultcode as a QName: of SOAP's own namespace, or without a prefix, as some write it (SOAP 1.1 4.4).

    Dots make it narrower: `Client.Authentication` is a Client fault (SOAP 1.1 4.4.1).
    """
    if element is None:
        return ""
    prefix, colon, name = (element.text or "").strip().rpartition(":")
    if colon and element.nsmap.get(prefix) not in (SOAP, SOAP12):
        return ""
    first = name.partition(".")[0]
    return quoted(_ELSEWHERE.get(first, first), 40)
