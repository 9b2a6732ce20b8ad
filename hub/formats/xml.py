"""Parses XML from outside within bounds that are looked at on the raw bytes, before the parser can be made to work hard."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lxml import etree

#: ASCII-compatible encodings, in which the bytes that are counted cannot hide → their other names, in lower case (IANA,
#: and what programs write).
_ALIASES = {
    "utf-8": "utf8 csutf8 utf-8n x-utf-8",
    "us-ascii": "ascii us csascii ansi_x3.4-1968 ansi_x3.4-1986 iso-ir-6 iso646-us iso_646.irv ibm367 cp367",
    "iso-8859-1": "iso_8859-1 iso8859-1 iso8859_1 iso88591 latin1 latin-1 latin_1 l1 iso-ir-100 ibm819 cp819 csisolatin1",
    "iso-8859-15": "iso_8859-15 iso8859-15 iso8859_15 latin9 latin-9 l9 csiso885915 csisolatin9",
    "windows-1252": "cp1252 cp-1252 windows1252 cswindows1252 x-cp1252",
}
#: Every name that is taken → the one that the parser knows.
ENCODINGS = {name: known for known, others in _ALIASES.items() for name in (known, *others.split())}
_BOM = b"\xef\xbb\xbf"
#: The whole XML declaration (XML 1.0, 2.8), so that no encoding is read by the parser that was not read here.
_DECLARATION = re.compile(
    rb"""<\?xml\s+version\s*=\s*["'](?P<version>[0-9.]{1,8})["']"""
    rb"""(?:\s+encoding\s*=\s*["'](?P<encoding>[A-Za-z][A-Za-z0-9._-]{0,39})["'])?"""
    rb"""(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>"""
)
#: To the letter, as most write it.
_USUAL_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
_BEGINS_DECLARATION = re.compile(rb"<\?xml\s")
#: Declarations in all that nobody needs to look at.
FEW_XMLNS = 64
#: Most in force at one place: two on each of the 200 elements that may lie in one another, and a head full of prefixes.
MAX_IN_FORCE = 512
#: Bytes that are read between two looks at how many are in force.
_STEP = 16_384
#: libxml2 refuses one text above this unless it is told that the document is huge.
HUGE_TEXT = 9_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an honest document stays within. The costs of canonicalising grow with namespaces × elements and attributes²."""

    max_bytes: int
    max_xmlns: int | None = 64  #: in all; None: as many as its size carries, but few in force at any place
    max_equals: int | None = 2_000
    max_depth: int = 200
    max_attributes: int = 100  #: on one element

    @classmethod
    def for_document(cls, max_bytes: int) -> Bounds:
        """For a business document: as many attributes and namespaces in all as its size carries, but few at each place.

        Honest serializers declare a namespace wherever it changes, and some on every element that has it; none is
        canonicalised here. What costs is how many are in force where an element is read.
        """
        return cls(max_bytes=max_bytes, max_xmlns=None, max_equals=None)


@dataclass(frozen=True, slots=True)
class XmlFault:
    """Why it was not parsed. `text` names places, never content."""

    reason: (
        str  #: too-large, encoding, doctype, too-many-namespaces, too-many-attributes, too-deep, not-well-formed, empty
    )
    text: str
    line: int = 0
    column: int = 0
    said: str = ""  #: what is wrong in plain words, without its place


def declared_encoding(raw: bytes) -> str:
    """The encoding of the XML declaration in lower case, by its usual name where it has several; `utf-8` without one."""
    if raw.startswith(_USUAL_DECLARATION):
        return "utf-8"
    found = _DECLARATION.match(raw[:400].removeprefix(_BOM))
    return _encoding(found) if found else "utf-8"


def _encoding(declaration: re.Match[bytes]) -> str:
    written = (declaration["encoding"] or b"utf-8").decode("ascii").lower()
    return ENCODINGS.get(written, written)


def parse(raw: bytes, bounds: Bounds) -> etree._Element | XmlFault:
    """The root element, or why not. Entities, DTDs and the network are never touched.

    Comments and processing instructions are left out, so that no text is read only as far as the first of them:
    a comment may be put into a signed envelope without breaking its signature (C14N leaves comments out).
    """
    if fault := _readable(raw, bounds):
        return fault
    equals = occurrences(raw, b"=")  # no fewer than there are attributes and namespace declarations together
    if fault := _crowded(raw, equals, bounds):
        return fault
    try:
        root = _read(raw, equals, bounds)
    except etree.XMLSyntaxError as error:
        return _syntax(error)
    except ValueError:
        return XmlFault("encoding", "the bytes do not fit the declared encoding")
    if isinstance(root, XmlFault):
        return root
    if root.getroottree().docinfo.doctype:
        return XmlFault("doctype", "a DOCTYPE is not allowed")
    # Most messages have too few attributes and tags in all to be beyond either bound.
    if equals <= bounds.max_attributes and occurrences(raw, b"<") <= bounds.max_depth:
        return root
    return _beyond(root, bounds) or root


def _read(raw: bytes, equals: int, bounds: Bounds) -> etree._Element | XmlFault:
    """Parsed at once; step by step where so many namespaces are declared that too many may be in force together."""
    huge, encoding = len(raw) > HUGE_TEXT, declared_encoding(raw)
    if bounds.max_xmlns is None and equals > FEW_XMLNS and raw.count(b"xmlns") > FEW_XMLNS:
        return _step_by_step(
            raw, etree.XMLPullParser(("start-ns", "end-ns"), huge_tree=huge, encoding=encoding, **_SAFE)
        )
    if encoding != "utf-8":  # the parser does not know every name of it
        return etree.fromstring(raw, _made(huge, encoding))
    return etree.fromstring(raw, _parser(huge))


def _step_by_step(raw: bytes, parser: etree.XMLPullParser) -> etree._Element | XmlFault:
    """The root; no further is read than to the step in which too many namespaces are in force.

    So the work is that of the document's size times MAX_IN_FORCE at most, however many are declared in all.
    """
    in_force = 0
    for start in range(0, len(raw), _STEP):
        parser.feed(raw[start : start + _STEP])
        for event, _ in parser.read_events():
            in_force += 1 if event == "start-ns" else -1
            if in_force > MAX_IN_FORCE:
                return XmlFault(
                    "too-many-namespaces", "more namespaces in force than at any place of an honest document"
                )
    return parser.close()


_SAFE: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
}


def _made(huge: bool, encoding: str) -> etree.XMLParser:
    parser: etree.XMLParser = etree.XMLParser(huge_tree=huge, encoding=encoding, **_SAFE)
    return parser


class _Parsers(threading.local):
    """A parser serves one document at a time, so every thread has its own; making one costs a tenth of a parse."""

    def __init__(self) -> None:
        self.of_size = tuple(_made(huge, "utf-8") for huge in (False, True))


_PARSERS = _Parsers()


def _parser(huge: bool) -> etree.XMLParser:
    return _PARSERS.of_size[huge]


def occurrences(raw: bytes, letter: bytes) -> int:
    """How often one letter occurs: by leaving it out, which looks for the next one in C and is eight times bytes.count."""
    return len(raw) - len(raw.replace(letter, b""))


def _readable(raw: bytes, bounds: Bounds) -> XmlFault | None:
    if len(raw) > bounds.max_bytes:
        return XmlFault("too-large", f"{len(raw)} bytes; the limit is {bounds.max_bytes}")
    if not raw or raw.isspace():
        return XmlFault("empty", "there are no bytes")
    if fault := _declaration(raw):
        return fault
    if b"!" in raw and (b"<!DOCTYPE" in raw or b"<!ENTITY" in raw):  # one letter is found 15 times faster
        return XmlFault("doctype", "a DOCTYPE or entity declaration is not allowed")
    return None


def _crowded(raw: bytes, equals: int, bounds: Bounds) -> XmlFault | None:
    if bounds.max_xmlns is not None and equals > bounds.max_xmlns and raw.count(b"xmlns") > bounds.max_xmlns:
        return XmlFault("too-many-namespaces", "more namespace declarations than any honest message has")
    if bounds.max_equals is not None and equals > bounds.max_equals:
        return XmlFault("too-many-attributes", f"more than {bounds.max_equals} attributes")
    return None


def _declaration(raw: bytes) -> XmlFault | None:
    """What is counted below must be what the parser will see: ASCII-compatible bytes, in the encoding that is declared."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in raw[:400]:
        return XmlFault("encoding", "the encoding is not UTF-8 or an ISO-8859 one")
    if raw.startswith(_USUAL_DECLARATION):
        return None
    start = raw[:400].removeprefix(_BOM)
    if start[:1] != b"<" and not start.lstrip().startswith(b"<"):
        return XmlFault("not-well-formed", "line 1, column 1: does not begin with a tag", 1, 1)
    found = _DECLARATION.match(start)
    if found is None and _BEGINS_DECLARATION.match(start):
        return XmlFault("not-well-formed", "line 1, column 1: the XML declaration cannot be read", 1, 1)
    if found is not None and found["version"] != b"1.0":  # HITS 1172 78
        return XmlFault("not-well-formed", "line 1, column 1: the XML version is not 1.0", 1, 1)
    if found is not None and _encoding(found) not in ENCODINGS:
        return XmlFault("encoding", "the encoding is not UTF-8 or an ISO-8859 one")
    return None


#: The parser's kinds of error in plain words; the Norwegian ones stand in hub.norwegian.WORDS.
SYNTAX = {
    "ERR_TAG_NAME_MISMATCH": "a start tag and an end tag have different names",
    "ERR_TAG_NOT_FINISHED": "the document ends before all elements are closed",
    "ERR_DOCUMENT_END": "there is something after the end of the document",
    "ERR_DOCUMENT_EMPTY": "the document does not begin with an element",
    "ERR_ATTRIBUTE_NOT_STARTED": "the value of an attribute is not in quotes",
    "ERR_ATTRIBUTE_WITHOUT_VALUE": "an attribute has no value",
    "ERR_ATTRIBUTE_REDEFINED": "an element has the same attribute twice",
    "ERR_UNDECLARED_ENTITY": "an entity that XML does not know (write the letter itself)",
    "ERR_ENTITYREF_SEMICOL_MISSING": "an entity lacks its semicolon",
    "ERR_NAME_REQUIRED": "a name is missing, or an & or < stands alone (write &amp; or &lt;)",
    "ERR_INVALID_CHAR": "a control character, which XML does not allow",
    "ERR_LT_IN_ATTRIBUTE": "a < in the value of an attribute (write &lt;)",
    "ERR_GT_REQUIRED": "a tag is not closed by >",
    "ERR_LTSLASH_REQUIRED": "an end tag is missing",
    "ERR_COMMENT_NOT_FINISHED": "a comment is not closed",
    "ERR_CDATA_NOT_FINISHED": "a CDATA section is not closed",
    "ERR_RESERVED_XML_NAME": "the XML declaration is not at the very beginning",
    "ERR_SPACE_REQUIRED": "a blank is missing between two attributes",
    "ERR_MISPLACED_CDATA_END": "]]> in text (write ]]&gt;)",
    "ERR_INVALID_ENCODING": "bytes that are not of the declared encoding",
    "ERR_UNSUPPORTED_ENCODING": "an encoding that is not known",
    "NS_ERR_UNDEFINED_NAMESPACE": "a prefix whose namespace is not declared",
}


def _syntax(error: etree.XMLSyntaxError) -> XmlFault:
    """libxml2's message may quote content; its kind and place are enough."""
    line, column = error.position
    kind = next((name for name, code in vars(etree.ErrorTypes).items() if code == error.code), "")
    if "depth" in str(error.msg).lower():
        return XmlFault("too-deep", f"nested too deeply at line {line}", line, column)
    words = SYNTAX.get(kind) or kind.removeprefix("ERR_").replace("_", " ").lower() or "syntax error"
    return XmlFault("not-well-formed", f"line {line}, column {column}: {words}", line, column, words)


def _beyond(root: etree._Element, bounds: Bounds) -> XmlFault | None:
    """Depth, and attributes on one element: asked in XPath, which walks in C and without recursion."""
    if _small(bounds.max_depth, bounds.max_attributes)(root):
        return None
    beyond = int(_measure(bounds.max_depth, bounds.max_attributes)(root))
    if beyond & 1:
        return XmlFault("too-deep", f"nested deeper than {bounds.max_depth}")
    if beyond & 2:
        return XmlFault("too-many-attributes", f"more than {bounds.max_attributes} attributes on one element")
    return None


@lru_cache(maxsize=32)
def _small(levels: int, attributes: int) -> etree.XPath:
    """Whether it has too few elements and attributes in all to be beyond either bound: true of most messages."""
    return etree.XPath(f"count(//*) <= {levels} and count(//@*) <= {attributes}")


@lru_cache(maxsize=32)
def _measure(levels: int, attributes: int) -> etree.XPath:
    """1 where an element lies deeper than so many levels, 2 where one has more attributes, 3 for both.

    Each step downward keeps only what has children left, so that the cost is that of the document and not of the bound.
    """
    deeper, wider = f"boolean({'/*' * (levels + 1)})", f"boolean(//@*[{attributes + 1}])"
    return etree.XPath(f"{deeper} + 2 * {wider}")
