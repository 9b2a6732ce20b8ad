"""Documents made to be dear: each about as large as asked, each aimed at one cost that grows faster than its size."""

from __future__ import annotations

from collections.abc import Callable

from hub.trust.signature import DS, SOAP
from ops.bench.material import NAMESPACE, document

_EB = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"


def attributes(size: int) -> bytes:
    """All its bytes are attributes of one element."""
    return b"<a " + b" ".join(b'x%d=""' % i for i in range(size // 9)) + b"/>"


def namespaces(size: int) -> bytes:
    """Half of it declares namespaces, the other half are elements that have all of them in scope."""
    declared = b" ".join(b'xmlns:n%d="u:%d"' % (i, i) for i in range(size // 44))
    return b"<a " + declared + b">" + b"<b/>" * (size // 8) + b"</a>"


def nested_namespaces(size: int) -> bytes:
    """New namespaces at every level."""
    levels = max(1, min(190, size // 150))
    opened = (b"<b " + b" ".join(b'xmlns:n%d_%d="u:%d"' % (i, j, j) for j in range(8)) + b">" for i in range(levels))
    return b"".join(opened) + b"<c/>" * max(0, (size - levels * 150) // 4) + b"</b>" * levels


def few_namespaces(size: int) -> bytes:
    """As many namespaces as the bound lets pass, and as many elements as fit."""
    declared = b" ".join(b'xmlns:n%d="u:%d"' % (i, i) for i in range(60))
    return b"<a " + declared + b">" + b"<b/>" * (size // 4) + b"</a>"


def deep(size: int) -> bytes:
    """Nothing but depth."""
    return b"<a>" * (size // 7) + b"</a>" * (size // 7)


def entities(size: int) -> bytes:
    """Entities of entities."""
    own = b"".join(b'<!ENTITY e%d "%s">' % (i + 1, b"&e%d;" % i * 10) for i in range(8))
    return b'<!DOCTYPE a [<!ENTITY e0 "' + b"x" * (size // 2) + b'">' + own + b"]><a>&e8;</a>"


def elements(size: int) -> bytes:
    """As many elements as fit."""
    return b"<a>" + b"<b/>" * (size // 4) + b"</a>"


def comments(size: int) -> bytes:
    """As many comments and instructions as fit."""
    return b"<a>" + b"<!----><?x?>" * (size // 12) + b"</a>"


def faults(size: int) -> bytes:
    """A known document in which nearly every element is wrong."""
    honest = document(0, dense=True)
    before, mark, after = honest.partition(f'<Dialogmelding xmlns="{NAMESPACE}">'.encode())
    return before + mark + b"<Feil/>" * (max(0, size - len(honest)) // 7) + after


def headers(size: int) -> bytes:
    """An envelope with as many header blocks as fit, each of which must be understood."""
    blocks = b'<x xmlns="u" s:mustUnderstand="1"/>' * 20 + b"<y/>" * (size // 4)
    return _envelope(b"<e:MessageHeader/>" + blocks)


def references(size: int) -> bytes:
    """An envelope whose signature refers to as much as fits."""
    many = b'<d:Reference URI=""/>' * (size // 21)
    return _envelope(b"<e:MessageHeader/><d:Signature><d:SignedInfo>" + many + b"</d:SignedInfo></d:Signature>")


def _envelope(header: bytes) -> bytes:
    scope = f'xmlns:s="{SOAP}" xmlns:e="{_EB}" xmlns:d="{DS}"'.encode()
    return b"<s:Envelope " + scope + b"><s:Header>" + header + b"</s:Header><s:Body/></s:Envelope>"


#: Name → maker; as a payload that a known partner has signed and sealed.
DOCUMENTS: dict[str, Callable[[int], bytes]] = {
    f.__name__: f
    for f in (
        attributes,
        namespaces,
        nested_namespaces,
        few_namespaces,
        deep,
        entities,
        elements,
        comments,
        faults,
    )
}
#: As the envelope of a message from anybody.
ENVELOPES = {**DOCUMENTS, headers.__name__: headers, references.__name__: references}
