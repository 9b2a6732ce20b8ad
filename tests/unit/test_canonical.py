"""Both canonical forms out of one pass are those of the long way, or there are none."""

from __future__ import annotations

import random

import pytest
from lxml import etree

from hub.formats import xml
from hub.trust import signature
from hub.trust.canonical import Canonical, in_one_pass
from hub.trust.signature import DS, SOAP

_INFO = '<{p}SignedInfo{more}><{p}Reference URI=""><{p}DigestValue>YQ==</{p}DigestValue></{p}Reference></{p}SignedInfo>'
_SIGNATURE = "<{p}Signature{declared}>" + _INFO + "<{p}SignatureValue>YQ==</{p}SignatureValue></{p}Signature>"
_ENVELOPE = (
    '<S:Envelope xmlns:S="{soap}" xmlns:b="urn:b" xmlns:a="urn:a"{root}><S:Header a:x="1" b:x="2">{before}{signature}'
    '{after}</S:Header><S:Body><c xmlns="urn:c">{text}<d xmlns=""/></c></S:Body></S:Envelope>'
)


def envelope(prefix: str = "ds:", *, declared_above: bool = False, **parts: str) -> bytes:
    """An envelope with a signature whose namespace is declared on it or on the root."""
    name = f"xmlns:{prefix.rstrip(':')}" if prefix else "xmlns"
    declared = f' {name}="{DS}"'
    signed = _SIGNATURE.format(p=prefix, declared="" if declared_above else declared, more=parts.pop("signed_info", ""))
    given = {"root": declared if declared_above else "", "before": "", "after": "", "text": "x &lt;ds:Signature&gt; y"}
    return _ENVELOPE.format(soap=SOAP, signature=signed, **(given | parts)).encode()


def both(raw: bytes) -> tuple[Canonical | None, Canonical]:
    """What one pass makes of it, and what the long way makes of it."""
    root = xml.parse(raw, xml.Bounds(1_000_000))
    assert isinstance(root, etree._Element)
    found = next(root.iter(f"{{{DS}}}Signature"))
    info = found[0]
    once = in_one_pass(raw, root, found, info)
    long_way = signature._canonical_envelope(raw, signature._Transforms(exclusive=False, filtered=False))
    return once, Canonical(signature._canonical_part(info, signature.C14N), long_way)


PLAIN = {
    "a prefix of its own": envelope(),
    "its prefix declared above": envelope(declared_above=True),
    "the default namespace": envelope(""),
    "another prefix": envelope("dsig:"),
    "comments": envelope(before="<!-- a > b -->", text="x<!-- <ds:Signature> -->y", after="<!---->"),
    "text and blanks around it": envelope(before="\n  ", after="\n tail \r\n"),
    "an XML declaration": b'<?xml version="1.0" encoding="UTF-8"?>\n' + envelope(),
    "CDATA": envelope(text="<![CDATA[</ds:Signature> & <a>]]>"),
    "brackets in values": envelope(before='<h q="a &gt; &lt;ds:Signature&gt; b"/>'),
    "letters outside ASCII": envelope(text="æøå 漢"),
    "a block with a longer name": envelope(after='<ds:Signatures xmlns:ds="urn:other"/>'),
}


@pytest.mark.parametrize("raw", PLAIN.values(), ids=PLAIN)
def test_one_pass_gives_the_bytes_of_the_long_way(raw: bytes) -> None:
    once, long_way = both(raw)
    assert once == long_way


OTHERS = {
    "an instruction": envelope(before="<?x y?>"),
    "an attribute on SignedInfo": envelope(signed_info=' Id="a"'),
    "another element written alike before it": envelope(before='<ds:Signature xmlns:ds="urn:other"/>'),
    "another element written alike behind it": envelope(after='<ds:Signature xmlns:ds="urn:other"/>'),
    "a longer name written alike before it": envelope(before='<ds:Signatures xmlns:ds="urn:other"/>'),
    "a namespace name to be escaped": envelope(root=' xmlns:e="urn:a&amp;b"'),
    "too many elements": envelope(after="<e/>" * 200),
    "too many namespaces": envelope(root="".join(f' xmlns:n{i}="urn:{i}"' for i in range(25))),
}


@pytest.mark.parametrize("raw", OTHERS.values(), ids=OTHERS)
def test_what_is_not_plain_goes_the_long_way(raw: bytes) -> None:
    once, _ = both(raw)
    assert once is None


@pytest.mark.parametrize("seed", range(200))
def test_whatever_stands_around_the_signature_it_is_never_another_form(seed: int) -> None:
    """Blocks, namespaces, comments and blanks put together at random: the same bytes as the long way, or none."""
    dice = random.Random(seed)
    pieces = (
        "<!-- c -->",
        " text ",
        "<e/>",
        '<f xmlns="urn:f"><g xmlns=""/></f>',
        '<ds:h xmlns:ds="urn:ds"/>',
        '<a:i b:j="1" a:j="2"/>',
        "<?p?>",
        "&#13;",
        '<k xmlns:ds="urn:k" ds:l="m"/>',
        "<![CDATA[<]]>",
    )
    some = ["".join(dice.choices(pieces, k=dice.randrange(4))) for _ in range(3)]
    raw = envelope(
        dice.choice(("ds:", "", "x:")),
        declared_above=dice.random() < 0.4,
        before=some[0],
        after=some[1],
        text=some[2],
        signed_info=dice.choice(("", "", ' xmlns:q="urn:q"')),
    )
    once, long_way = both(raw)
    assert once is None or once == long_way
