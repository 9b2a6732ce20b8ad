"""The canonical forms that one signature asks for, out of a single pass: SignedInfo, and the envelope without its signature.

In C14N 1.0 an element is one unbroken run of bytes, and what stands before or behind it does not change with it. So the
envelope is written once; the signature's run is left out of it for the digest, and SignedInfo's run becomes a document of
its own by declaring what is in scope (C14N 1.0, 2.4). The long way of hub.trust.signature, which removes and parses again,
gives the same bytes (tests/unit/test_canonical.py); it serves whatever is not plain here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

#: Larger envelopes are not written before their RSA signature is proven: C14N grows with elements × namespaces².
MAX_ELEMENTS, MAX_NAMESPACES = 200, 24


@dataclass(frozen=True, slots=True)
class Canonical:
    """Both forms."""

    signed_info: bytes
    envelope: bytes  #: without the signature


def in_one_pass(
    raw: bytes, root: etree._Element, signature: etree._Element, signed_info: etree._Element
) -> Canonical | None:
    """Both forms in C14N 1.0 without comments; None where the long way must be gone.

    `raw` and `root` are the same envelope, read with or without its comments; `signed_info` is the only SignedInfo of
    `signature`, the only Signature in it.
    """
    name, inner_name = _name(signature), _name(signed_info)
    scope = _scope(signed_info)
    if scope is None or signed_info.attrib or not _plain(raw, root):
        return None
    try:
        whole = etree.tostring(root, method="c14n", with_comments=False)
    except etree.C14NError:
        return None
    run = _run(whole, name, 0, len(whole))
    inner = _run(whole, inner_name, *run) if run else None
    if run is None or inner is None:
        return None
    content = whole[whole.index(b">", inner[0]) : inner[1]]  # from the end of its first tag
    return Canonical(b"<" + inner_name.encode() + scope + content, whole[: run[0]] + whole[run[1] :])


_ELEMENTS = etree.XPath("count(//*)")


def _plain(raw: bytes, root: etree._Element) -> bool:
    """Small, and without instructions: those belong to the canonical form, but are not in `root` (hub.formats.xml)."""
    if raw.find(b"?", raw.find(b"?>", 0, 200) + 2 if raw.startswith(b"<?xml") else 0) >= 0:
        return False
    return raw.count(b"xmlns") <= MAX_NAMESPACES and int(_ELEMENTS(root)) <= MAX_ELEMENTS


def _name(element: etree._Element) -> str:
    local = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


def _run(whole: bytes, name: str, after: int, before: int) -> tuple[int, int] | None:
    """Where the element of this name begins and ends, if it is the only one; `<` stands for nothing but tags here."""
    start = whole.find(f"<{name}".encode(), after, before)
    behind = start + 1 + len(name.encode())
    if start < 0 or whole[behind : behind + 1] not in (b">", b" "):
        return None
    closing = f"</{name}>".encode()
    end = whole.find(closing, behind, before) + len(closing)
    return None if end < behind or whole.find(closing, end, before) >= 0 else (start, end)


def _scope(element: etree._Element) -> bytes | None:
    """Declarations of all that is in scope, as C14N writes them; None where one would have to be escaped or is undone."""
    declared = sorted((prefix or "", uri) for prefix, uri in element.nsmap.items())
    if any(not uri or not _NEEDS_ESCAPE.isdisjoint(uri) for _, uri in declared):
        return None
    return "".join(f' xmlns:{p}="{uri}"' if p else f' xmlns="{uri}"' for p, uri in declared).encode()


_NEEDS_ESCAPE = frozenset('&<>"\t\n\r')
