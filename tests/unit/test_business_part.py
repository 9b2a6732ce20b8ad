"""Which of the documents in a MsgHead is the business part: wherever it stands, and honestly none where there is none."""

from __future__ import annotations

import base64
from itertools import permutations

import pytest

from hub.formats import amqp_metadata, document
from ops.samples.content import note
from tests.unit.documents import root_of
from xsd.catalogue import Catalogue

HEAD = "http://www.kith.no/xmlstds/msghead/2006-05-24"
DIALOG = "http://www.kith.no/xmlstds/dialog/2013-01-23"
LETTER = "http://www.kith.no/xmlstds/epikrise/2012-02-15"
STRANGE = "urn:example:strange"
DIALOGUE = note("2013-01-23")("2026-01-05T08:30:00")
BOX = '<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">{}</b:Base64Container>'
PAPER = BOX.format(base64.b64encode(b"%PDF-1.4").decode())
APPREC = '<AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"/>'


def part(content: str, kind: str = "XML", held: str = "<Content>{}</Content>") -> str:
    return f'<Document><RefDoc><MsgType V="{kind}"/>{held.format(content)}</RefDoc></Document>'


def head(*parts: str) -> str:
    return f'<MsgHead xmlns="{HEAD}"><MsgInfo><MsgId>m</MsgId></MsgInfo>{"".join(parts)}</MsgHead>'


def element(namespace: str) -> str:
    return f'<X xmlns="{namespace}"/>'


ATTACHMENT, TALK = part(PAPER, "A"), part(DIALOGUE)
#: What a MsgHead holds, the namespace of its business part, and how many attachments it has besides.
SHAPES: dict[str, tuple[tuple[str, ...], str, int]] = {
    "usual": ((TALK,), DIALOG, 0),
    "attachment last": ((TALK, ATTACHMENT), DIALOG, 1),
    "attachment first": ((ATTACHMENT, TALK), DIALOG, 1),
    "between attachments": ((ATTACHMENT, TALK, ATTACHMENT), DIALOG, 2),
    "an attachment that says it is XML, first": ((part(PAPER), TALK), DIALOG, 1),
    "XML as an attachment, first": ((part(element(LETTER), "A"), TALK), DIALOG, 1),
    "two business parts": ((part(element(LETTER)), TALK), LETTER, 1),
    "a strange one before": ((part(element(STRANGE)), TALK), STRANGE, 1),
    "called an attachment, but alone": ((part(DIALOGUE, "A"),), DIALOG, 0),
    "an empty box beside it": ((part(BOX.format("") + DIALOGUE),), DIALOG, 0),
    "a MsgHead within": ((part(head(TALK)),), DIALOG, 0),
    "a MsgHead within, its attachment first": ((part(head(ATTACHMENT, TALK)),), DIALOG, 0),
    "a MsgHead within, beside an attachment": ((ATTACHMENT, part(head(TALK))), DIALOG, 1),
    "a MsgHead in a MsgHead within": ((part(head(part(head(TALK)))),), DIALOG, 0),
    "a whole MsgHead as an attachment": ((part(head(part(element(LETTER)))), part(DIALOGUE, "A")), LETTER, 1),
    "an attached MsgHead, then the business part": ((part(head(part(element(LETTER))), "A"), TALK), DIALOG, 1),
    "a MsgHead without documents, then one": ((part(head()), TALK), DIALOG, 1),
    "a signature first": ((part(element("http://www.w3.org/2000/09/xmldsig#")), TALK), DIALOG, 1),
    "a reference first": ((part("", "REF", "<FileReference>f</FileReference>"), TALK), DIALOG, 1),
    "no namespace first": ((part("<x xmlns=''/>"), TALK), DIALOG, 1),
    "none: attachments only": ((ATTACHMENT, ATTACHMENT), "", 2),
    "none: packed as base64": ((part(BOX.format(base64.b64encode(DIALOGUE.encode()).decode())),), "", 1),
    "none: an AppRec": ((part(APPREC),), "", 1),
    "none: an AppRec in a MsgHead within": ((part(head(part(APPREC))),), "", 1),
    "none: a MsgHead within of attachments": ((part(head(ATTACHMENT)),), "", 1),
    "none: a reference": ((part("", "XML", "<FileReference>f</FileReference>"),), "", 1),
    "none: no document at all": ((), "", 0),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_business_part_of_all_decides(shape: str) -> None:
    parts, namespace, attachments = SHAPES[shape]
    root = root_of(head(*parts).encode())
    found = document.read(root)
    assert (found.namespace, found.attachments) == (namespace, attachments)
    assert amqp_metadata.metadata(root).get(amqp_metadata.NAMESPACE, "") == namespace


@pytest.mark.parametrize("inside", [TALK, part(head(TALK)), part(head(ATTACHMENT, TALK))], ids=["plain", "in", "in-2"])
def test_where_attachments_stand_changes_nothing(inside: str) -> None:
    """Every order of one business part and three attachments, one of them XML."""
    others = (ATTACHMENT, part("", "REF", "<FileReference>f</FileReference>"), part(element(LETTER), "A"))
    found = {document.read(root_of(head(*order).encode())).namespace for order in permutations((inside, *others))}
    assert found == {DIALOG}


def test_what_is_no_document_is_what_the_catalogue_calls_none() -> None:
    """Heads, receipts, envelopes and building blocks; a new row of the index must be told of here."""
    known = {s.namespace for s in Catalogue.load().standards() if s.kind != "document"}
    assert known | {""} == document.NO_DOCUMENT
