"""Looks once over a document: which standards meet in it, and where long base64 stands that a schema would read slowly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lxml import etree

_Element = etree._Element

BASE64: Final = "http://www.kith.no/xmlstds/base64container"
_CONTAINER: Final = f"{{{BASE64}}}Base64Container"
_HOLDERS: Final = (
    "{*}Content",  # of a RefDoc: what stands in it is a document of its own
    # what stands in these is checked too, if it is known
    "{http://schemas.xmlsoap.org/soap/envelope/}Header",
    "{http://schemas.xmlsoap.org/soap/envelope/}Body",
    "{http://www.w3.org/2000/09/xmldsig#}Object",
    _CONTAINER,
)
#: Below it the schema is as quick as we are.
_LONG: Final = 4_000
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#: How base64 ends → letters that may stand before: those whose unused bits are zero (RFC 4648 3.5).
_LAST: Final = {b"=": b"AEIMQUYcgkosw048", b"==": b"AQgw"}


class Shape(NamedTuple):
    """Tags, each once: of the document and of those it encloses, in document order, and of what else needs a schema."""

    documents: tuple[str, ...]
    others: frozenset[str]


def survey(root: _Element) -> tuple[Shape, list[_Element]]:
    """The shape of a document, and the containers of base64 in it.

    The search runs inside lxml: Python sees only the few places where one namespace may give way to another.
    """
    documents, others, packed = [str(root.tag)], [str(child.tag) for child in root], []
    for holder in root.iter(*_HOLDERS):
        if (tag := str(holder.tag)) == _CONTAINER:
            packed.append(holder)
        elif tag.endswith("}Content") and _encloses(holder):
            documents += [str(child.tag) for child in holder]
        else:
            others += [str(child.tag) for child in holder]
    return Shape(tuple(dict.fromkeys(documents)), frozenset(others)), packed


def _encloses(holder: _Element) -> bool:
    parent = holder.getparent()
    return parent is not None and str(parent.tag).endswith("}RefDoc")


def namespace(tag: object) -> str:
    """Empty for an element without one, and for a comment."""
    name = str(tag)
    return name[1:].partition("}")[0] if name.startswith("{") else ""


Lifted = Sequence[tuple[_Element, _Element]]


def lift(packed: Sequence[_Element]) -> Lifted:
    """Long containers that are surely valid give place to short ones: a schema reads base64 four times slower than this.

    What is not surely valid stays, and is judged by the schema. Whoever lifts must `put_back`.
    """
    lifted = []
    for container in packed:
        parent = container.getparent()
        if parent is not None and _surely_valid(container):
            short = etree.Element(_CONTAINER)
            parent.replace(container, short)
            lifted.append((container, short))
    return lifted


def put_back(lifted: Lifted) -> None:
    """The document as it was."""
    for container, short in lifted:
        parent = short.getparent()
        assert parent is not None
        parent.replace(short, container)


def _surely_valid(container: _Element) -> bool:
    """Whole groups of four letters, white space anywhere but at the end of the last group, and nothing around them."""
    text = container.text or ""
    if len(text) < _LONG or len(container) or container.keys():
        return False
    written = text.encode()
    signs = written.translate(None, _LETTERS)  # in C, a byte in half a nanosecond
    padding = b"".join(signs.split()) if signs else b""
    if (len(written) - len(signs) + len(padding)) % 4:
        return False
    return not padding or (padding in _LAST and _ends(written.rstrip(), padding))


def _ends(written: bytes, padding: bytes) -> bool:
    return written.endswith(padding) and written[-len(padding) - 1] in _LAST[padding]
