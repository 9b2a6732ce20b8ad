"""Base64 that is long is read beside the schema: nothing may be valid or invalid for that."""

from __future__ import annotations

import base64

import pytest
from lxml import etree

from xsd.catalogue import Catalogue
from xsd.ground import own
from xsd.survey import BASE64, Shape, lift, put_back, survey

REPORT = "http://www.kith.no/xmlstds/msghead/2006-05-24"
BYTES = bytes(range(256)) * 24
WHOLE, ONE, TWO = (base64.b64encode(BYTES[:n]).decode() for n in (6_000, 6_002, 6_001))
LINES = base64.encodebytes(BYTES[:6_001]).decode()
WRITTEN = {
    "whole groups": WHOLE,
    "one sign of padding": ONE,
    "two signs of padding": TWO,
    "in lines": LINES,
    "with blanks around": f"\n  {TWO}\n  ",
    "padding apart": f"{TWO[:-1]} =",
    "blank before the padding": f"{TWO[:-2]} ==",
    "a letter short": WHOLE[:-1],
    "a letter more": f"{WHOLE}A",
    "padding missing": TWO[:-2],
    "half of the padding": TWO[:-1],
    "padding that is too long": f"{TWO}=",
    "padding where none belongs": f"{WHOLE}=",
    "four signs of padding": f"{WHOLE}====",
    "padding in the middle": f"{TWO}{WHOLE}",
    "unused bits set, two signs": f"{TWO[:-3]}B==",
    "unused bits set, one sign": f"{ONE[:-2]}B=",
    "a sign of another alphabet": f"{WHOLE[:100]}-_{WHOLE[102:]}",
    "a letter that is not ASCII": f"{WHOLE[:100]}å{WHOLE[101:]}",
    "a full-width letter": f"{WHOLE[:100]}Ａ{WHOLE[101:]}",
    "a no-break space": f"{WHOLE[:100]}\u00a0{WHOLE[100:]}",
}
SURE = ("whole groups", "one sign of padding", "two signs of padding", "in lines", "with blanks around")


def container(text: str, attribute: str = "", inside: str = "") -> etree._Element:
    """Content of a RefDoc with a container in it, and white space around."""
    held = f'<b:Base64Container xmlns:b="{BASE64}"{attribute}>{text}{inside}</b:Base64Container>'
    return etree.fromstring(f'<m:Content xmlns:m="{REPORT}">\n  {held}\n</m:Content>')


@pytest.mark.parametrize("name", WRITTEN)
def test_what_the_schema_refuses_is_never_lifted(name: str) -> None:
    """What is lifted is valid by the schema itself; all that people write correctly is lifted."""
    schema = etree.XMLSchema(etree.fromstring(own("base64container/1.0/base64container.xsd")))
    content = container(WRITTEN[name])
    alone = etree.fromstring(etree.tostring(content[0], with_tail=False))
    lifted = lift(survey(content)[1])
    assert schema.validate(alone) or not lifted
    assert bool(lifted) == (name in SURE)


@pytest.mark.parametrize(("attribute", "inside"), [(' a="1"', ""), ("", "<x/>")])
def test_what_holds_more_than_text_is_left_to_the_schema(attribute: str, inside: str) -> None:
    """An attribute or an element in a container is a fault that only the schema can tell."""
    assert not lift(survey(container(WHOLE, attribute, inside))[1])


def test_the_document_is_put_back_as_it_was() -> None:
    """Content, white space and order."""
    content = container(LINES)
    content.append(etree.fromstring(etree.tostring(content[0])))
    before = etree.tostring(content, method="c14n")
    lifted = lift(survey(content)[1])
    assert len(lifted) == 2 and len(etree.tostring(content)) < 1_000
    put_back(lifted)
    assert etree.tostring(content, method="c14n") == before


def test_faults_around_long_base64_are_found_and_the_base64_stays() -> None:
    """A container may be lifted while something else in the document is wrong."""
    catalogue = Catalogue.load()
    root = etree.fromstring(f'<MsgHead xmlns="{REPORT}"><Document><RefDoc/></Document></MsgHead>')
    root[0][0].append(container(WHOLE))
    before = etree.tostring(root, method="c14n")
    found = catalogue.check(root)
    assert found.faults and found.faults == catalogue.validate(root)
    assert etree.tostring(root, method="c14n") == before


def test_a_shape_names_documents_in_their_order_and_everything_once() -> None:
    """The first is the document itself; what stands in Content outside a RefDoc is no document."""
    inside = "<RefDoc><Content><x:A xmlns:x='urn:a'/><x:A xmlns:x='urn:a'/></Content></RefDoc>"
    root = etree.fromstring(f"<M xmlns='urn:m'>{inside}<Content><y:B xmlns:y='urn:b'/></Content>{inside}</M>")
    shape, packed = survey(root)
    assert shape == Shape(("{urn:m}M", "{urn:a}A"), frozenset({"{urn:m}RefDoc", "{urn:m}Content", "{urn:b}B"}))
    assert packed == []
