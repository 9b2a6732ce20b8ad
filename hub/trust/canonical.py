"""The canonical forms that one signature asks for, out of a single pass: SignedInfo, and the envelope without its signature.

In C14N 1.0 an element is one unbroken run of bytes, and what stands before or behind it does not change with it. So the
envelope is written once; the signature's run is left out of it for the digest, and SignedInfo's run becomes a document of
its own by declaring what is in scope (C14N 1.0, 2.4). The long way of hub.trust.signature, which removes and parses again,
gives the same bytes (tests/unit/test_canonical.py); it serves whatever is not plain here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from hub.formats.xml import occurrences

#: Larger envelopes are not written before their RSA signature is proven: C14N grows with elements × namespaces².
#: Envelopes of ten attachments have fewer tags.
MAX_TAGS, MAX_NAMESPACES = 200, 24


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
    if signed_info.keys() or not _plain(raw):
        return None
    scope = _scope(signed_info)
    if scope is None:
        return None
    try:
        whole = etree.tostring(root, method="c14n", with_comments=False)
    except etree.C14NError:
        return None
    name = _name(signed_info, b"SignedInfo")
    run = _run(whole, _name(signature, b"Signature"), 0, len(whole))
    inner = _run(whole, name, *run) if run else None
    if run is None or inner is None:
        return None
    content = whole[whole.index(b">", inner[0]) : inner[1]]  # from the end of its first tag
    return Canonical(b"".join((b"<", name, scope, content)), whole[: run[0]] + whole[run[1] :])


def _plain(raw: bytes) -> bool:
    """Small, and without instructions: those belong to the canonical form, but are not in `root` (hub.formats.xml)."""
    if raw.find(b"?", raw.find(b"?>", 0, 200) + 2 if raw.startswith(b"<?xml") else 0) >= 0:
        return False
    return occurrences(raw, b"<") <= MAX_TAGS and raw.count(b"xmlns") <= MAX_NAMESPACES


def _name(element: etree._Element, local: bytes) -> bytes:
    return element.prefix.encode() + b":" + local if element.prefix else local


def _run(whole: bytes, name: bytes, after: int, before: int) -> tuple[int, int] | None:
    """Where the element of this name begins and ends, if it is the only one; `<` stands for nothing but tags here."""
    start = whole.find(b"<" + name, after, before)
    behind = start + 1 + len(name)
    if start < 0 or whole[behind : behind + 1] not in (b">", b" "):
        return None
    closing = b"</" + name + b">"
    end = whole.find(closing, behind, before) + len(closing)
    return None if end < behind or whole.find(closing, end, before) >= 0 else (start, end)


def _scope(element: etree._Element) -> bytes | None:
    """Declarations of all that is in scope, as C14N writes them; None where one would have to be escaped or is undone."""
    declared = sorted([(prefix or "", uri) for prefix, uri in element.nsmap.items()])
    written = []
    for prefix, uri in declared:
        if not uri or _NEEDS_ESCAPE.search(uri):
            return None
        written.append(f' xmlns:{prefix}="{uri}"' if prefix else f' xmlns="{uri}"')
    return "".join(written).encode()


_NEEDS_ESCAPE = re.compile(r'[&<>"\t\n\r]')
