"""XML that is built to cost or to read what it must not: refused on its raw bytes, before a parser or a key is asked."""

from __future__ import annotations

import pytest

from hub.formats import envelope_write
from tests.bad_input.answers import acknowledged, faulted, remarked
from tests.support.letters import Letter, business, swap
from tests.support.world import World

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
BOMB = "".join(f'<!ENTITY e{n} "' + f"&e{n - 1};" * 10 + '">' for n in range(1, 10))
SPACES = " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(80))
MANY = [f'n{n}="{n}"' for n in range(2500)]
XML = {"Content-Type": "text/xml", "SOAPAction": '"ebXML"'}
HOSTILE = {
    "a DOCTYPE": (f"{HEAD}<!DOCTYPE a><a/>", "xml-doctype"),
    "an entity bomb": (f'{HEAD}<!DOCTYPE a [<!ENTITY e0 "x">{BOMB}]><a>&e9;</a>', "xml-doctype"),
    "a file": (f'{HEAD}<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>', "xml-doctype"),
    "an address": (f'{HEAD}<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>', "xml-doctype"),
    "a parameter entity": (f'{HEAD}<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><a/>', "xml-doctype"),
    "an entity that nobody declared": (f"{HEAD}<a>&nbsp;</a>", "not-well-formed"),
    "absurd depth": (f"{HEAD}{'<a>' * 5000}{'</a>' * 5000}", "xml-hostile"),
    "depth just beyond the bound": (f"{HEAD}{'<a>' * 201}{'</a>' * 201}", "xml-hostile"),
    "namespaces": (f"{HEAD}<a {SPACES}/>", "xml-hostile"),
    "attributes": (f"{HEAD}<a {' '.join(MANY)}/>", "xml-hostile"),
    "attributes on one element": (f"{HEAD}<a {' '.join(MANY[:120])}/>", "xml-hostile"),
    "an envelope without end": (f"{HEAD}<a>{'x' * 1_100_000}</a>", "too-large"),
    "two roots": (f"{HEAD}<a/><b/>", "not-well-formed"),
    "version 1.1": ('<?xml version="1.1" encoding="UTF-8"?><a/>', "not-well-formed"),
    "UTF-7": ('<?xml version="1.0" encoding="UTF-7"?><a/>', "xml-encoding"),
    "an encoding behind a wall of blanks": (f'<?xml version="1.0"{" " * 500}encoding="UTF-7"?><a/>', "not-well-formed"),
    "an encoding that nobody knows": ('<?xml version="1.0" encoding="x-ukjent"?><a/>', "xml-encoding"),
}
OTHER_ALPHABETS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize(("text", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_xml_gets_a_fault_and_lies_in_quarantine(world: World, text: str, code: str) -> None:
    letter = Letter(XML, text.encode())
    told = faulted(world.post(letter), letter, code, status=413 if code == "too-large" else 500)
    assert "root:" not in told, "a file of ours was read"


@pytest.mark.parametrize("alphabet", OTHER_ALPHABETS)
def test_an_alphabet_in_which_declarations_could_hide_is_refused(world: World, alphabet: str) -> None:
    letter = Letter(XML, '<?xml version="1.0"?><!DOCTYPE a><a/>'.encode(alphabet))
    faulted(world.post(letter), letter, "xml-encoding")


def test_ebcdic_is_no_xml_here(world: World) -> None:
    """libxml2 would guess it from the first bytes, and a DOCTYPE would not look like one."""
    letter = Letter(XML, '<?xml version="1.0"?><!DOCTYPE a><a/>'.encode("cp037"))
    assert world.post(letter).kind == "fault"


NOT_EBXML = {
    "another root (86)": "<a/>",
    "SOAP 1.2 (86)": '<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope"><S:Header/><S:Body/></S:Envelope>',
    "no Header (2)": '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body/></S:Envelope>',
    "no Body (3)": '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header/></S:Envelope>',
    "no MessageHeader (4)": '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header/><S:Body/></S:Envelope>',
}


@pytest.mark.parametrize(("name", "text"), NOT_EBXML.items(), ids=NOT_EBXML.keys())
def test_xml_that_is_no_ebxml_names_the_rule_it_breaks(world: World, name: str, text: str) -> None:
    letter = Letter(XML, (HEAD + text).encode())
    told = faulted(world.post(letter), letter, "not-ebxml")
    assert name.partition("(")[2].rstrip(")") in told


def test_two_bodies_are_no_envelope(world: World) -> None:
    """What is signed and what is read must be the same one (HITS 1172 16)."""
    twice = swap("</SOAP:Body>", "</SOAP:Body><SOAP:Body></SOAP:Body>")
    letter = business(world.post_to, world.sample().document, edit=twice)
    faulted(world.post(letter), letter, "not-ebxml")


def test_two_headers_are_no_envelope(world: World) -> None:
    twice = swap("</SOAP:Header>", "</SOAP:Header><SOAP:Header></SOAP:Header>")
    letter = business(world.post_to, world.sample().document, after=twice)
    faulted(world.post(letter), letter, "not-ebxml")


def test_a_doctype_in_a_good_message_is_refused_before_its_signature_is_asked(world: World) -> None:
    doctype = swap("<SOAP:Envelope", '<!DOCTYPE a [<!ENTITY b "c">]><SOAP:Envelope')
    letter = business(world.post_to, world.sample().document, after=doctype)
    faulted(world.post(letter), letter, "xml-doctype")


def test_latin_1_is_read_acknowledged_and_remarked_upon(world: World) -> None:
    """HITS 1171 8.4; HITS 1172 68: readable, hence accepted, but not UTF-8."""
    latin = swap('encoding="UTF-8"', 'encoding="ISO-8859-1"')
    letter = business(world.post_to, world.sample().document, after=latin).changed(
        'charset="UTF-8"', 'charset="ISO-8859-1"'
    )
    remarked(world.post(letter), letter, world, "the XML encoding is not UTF-8")


def test_no_declaration_is_utf_8_and_nothing_to_speak_of(world: World) -> None:
    """HITS 1172 78 asks validators to note it; XML itself says what it means."""
    bare = swap('<?xml version="1.0" encoding="UTF-8"?>\n', "")
    letter = business(world.post_to, world.sample().document, after=bare)
    acknowledged(world.post(letter), letter, world)


def test_a_byte_order_mark_does_no_harm(world: World) -> None:
    letter = business(world.post_to, world.sample().document, after=lambda e: b"\xef\xbb\xbf" + e)
    acknowledged(world.post(letter), letter, world)


def test_a_text_full_of_markup_is_text(world: World) -> None:
    """What an envelope says is escaped when it is said again."""
    letter = business(world.post_to, world.sample().document, conversation_id="<&>\"'<!--]]>")
    said = world.post(letter)
    acknowledged(said, letter, world)
    assert said.envelope is not None and said.envelope.conversation_id == "<&>\"'<!--]]>"
    assert envelope_write.escape_text("<&>").encode() in said.reply.body
