"""Says a schema fault in plain words: which mistake it is, in the standard's own names, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from xsd.catalogue import SchemaFault


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: its kind (a key of PHRASES), and the names that its sentence needs."""

    kind: str
    names: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """What is wrong, in English."""
        return PHRASES[self.kind][0].format(**dict(self.names))

    @property
    def hint(self) -> str:
        """What to do about it, in English."""
        return PHRASES[self.kind][1].format(**dict(self.names))


#: Kind of mistake → what is wrong, and what to do. The Norwegian ones stand in hub.norwegian under the same keys.
PHRASES: dict[str, tuple[str, str]] = {
    "lacks": ("'{element}' lacks '{expected}'", "Add '{expected}'; the standard asks for it there."),
    "lacks-one-of": ("'{element}' lacks one of {expected}", "Add one of them; the standard asks for it there."),
    "misplaced": (
        "'{element}' does not belong here; '{expected}' is expected",
        "'{expected}' is missing before it, or '{element}' stands in the wrong order.",
    ),
    "misplaced-one-of": (
        "'{element}' does not belong here; one of {expected} is expected",
        "Something is missing before it, it stands in the wrong order, or its name is misspelt.",
    ),
    "too-many": (
        "'{element}' does not belong here; nothing more may follow",
        "It stands there once too often, in the wrong place, or its name is misspelt.",
    ),
    "no-attribute": ("'{element}' lacks the attribute '{attribute}'", "Add '{attribute}'."),
    "foreign-attribute": (
        "'{element}' may not have the attribute '{attribute}'",
        "Remove it, or check how its name is spelt.",
    ),
    "text-between": (
        "'{element}' has text between its elements",
        "Remove the text, or put it into the element that it belongs to.",
    ),
    "not-empty": ("'{element}' must be empty but has content", "Write its value in its attributes."),
    "no-elements": ("'{element}' holds elements but may only hold a value", "Remove the elements in it."),
    "not-a": ("the value of '{element}' is not {type}", "Write {example}."),
    "attribute-not-a": ("the attribute '{attribute}' of '{element}' is not {type}", "Write {example}."),
    "pattern": (
        "the value of '{element}' does not have the form that the standard asks for",
        "The form is {expected}.",
    ),
    "not-listed": ("the value of '{element}' is not one of those allowed", "Allowed: {expected}."),
    "too-long": ("the value of '{element}' is too long", "At most {expected} letters."),
    "too-short": ("the value of '{element}' is too short or empty", "At least {expected} letters."),
    "wrong-length": ("the value of '{element}' has the wrong length", "Exactly {expected} letters."),
    "too-many-digits": ("the value of '{element}' has too many digits", "At most {expected} digits in all."),
    "too-many-decimals": ("the value of '{element}' has too many decimals", "At most {expected} behind the point."),
    "too-small": ("the value of '{element}' is too small", "At least {expected}."),
    "too-large": ("the value of '{element}' is too large", "At most {expected}."),
    "not-above": ("the value of '{element}' is too small", "More than {expected}."),
    "not-below": ("the value of '{element}' is too large", "Less than {expected}."),
    "fixed": ("the value of '{element}' is not the one that is fixed", "It must be {expected}."),
    "unknown-root": (
        "'{element}' is not a document of a standard that is known here",
        "Check namespace and root element.",
    ),
    "unknown-content": (
        "'{element}' is not known by any schema here",
        "Check its namespace, or import the schema that it belongs to.",
    ),
    "same-id": ("the identifier of '{element}' stands there twice", "Every identifier must be its own."),
    "no-such-id": ("'{element}' refers to an identifier that is not there", "Refer to one that the document has."),
    "other": ("'{element}' is not as the schema has it", "See the standard."),
}
#: XSD type → how people call it, and an example.
TYPES = {
    "boolean": ("true or false", "true or false"),
    "dateTime": ("a date and time", "a date and time such as 2026-01-31T12:00:00"),
    "PointInTime": ("a moment", "a day or a moment, such as 2026-01-31 or 2026-01-31T12:00:00"),
    "date": ("a date", "a date such as 2026-01-31"),
    "time": ("a time of day", "a time such as 12:00:00"),
    "gYear": ("a year", "a year such as 2026"),
    "gYearMonth": ("a month", "a month such as 2026-01"),
    "duration": ("a duration", "a duration such as PT12H"),
    "integer": ("a whole number", "a whole number"),
    "int": ("a whole number", "a whole number"),
    "long": ("a whole number", "a whole number"),
    "short": ("a whole number", "a whole number"),
    "nonNegativeInteger": ("a whole number from 0", "a whole number from 0"),
    "positiveInteger": ("a whole number from 1", "a whole number from 1"),
    "decimal": ("a number", "a number with a point, such as 1.5"),
    "double": ("a number", "a number with a point, such as 1.5"),
    "float": ("a number", "a number with a point, such as 1.5"),
    "base64Binary": ("base64", "base64 without other signs"),
    "anyURI": ("an address", "an address (URI)"),
    "ID": ("an identifier", "a name without blanks that begins with a letter, used once"),
    "IDREF": ("a reference to an identifier", "an identifier that the document has"),
    "NCName": ("a name", "a name without blanks or colons"),
    "NMTOKEN": ("a word", "one word without blanks"),
    "language": ("a language", "a language such as no"),
}
_ONE = re.compile(r"Expected is \( (.+?) \)\.")
_MANY = re.compile(r"Expected is one of \( (.+?) \)\.")
_ATTRIBUTE = re.compile(r"attribute '([^']+)': ")
_NAMED = re.compile(r"The attribute '([^']+)' is (required but missing|not allowed)")
_TYPE = re.compile(r"is not a valid value of the [^']*type(?: '([^']*)')?\.")
_FACET = re.compile(r"\[facet '(\w+)'\]")

#: Facet of XML Schema → kind of mistake.
FACETS = {
    "pattern": "pattern",
    "enumeration": "not-listed",
    "maxLength": "too-long",
    "minLength": "too-short",
    "length": "wrong-length",
    "minInclusive": "too-small",
    "maxInclusive": "too-large",
    "minExclusive": "not-above",
    "maxExclusive": "not-below",
    "totalDigits": "too-many-digits",
    "fractionDigits": "too-many-decimals",
}
#: Where the validator's sentence names what is asked for: at its very end. What stands before may be the document's own
#: value, whatever is written in it, so each is read from the last place where it fits.
_QUOTED = re.compile(r".*(?:pattern|constraint) ('.*')\.", re.DOTALL)
_LISTED = re.compile(r".*an element of the set \{(.*)\}\.?", re.DOTALL)
_BOUND = re.compile(r".*(?:length of|allowed|greater than|less than) \(?'([^']*)'\)?\.", re.DOTALL)
#: The validator cuts its sentences at 64,000 bytes: in one that may be cut the end is none.
_WHOLE = 60_000


def said(fault: SchemaFault) -> Mistake:
    """The mistake behind a fault of the validator."""
    for read in _READERS:
        if (found := read(fault)) is not None:
            return found
    return _mistake("other", fault)


def _mistake(kind: str, fault: SchemaFault, **more: str) -> Mistake:
    return Mistake(kind, (("element", fault.element or "?"), *more.items()))


def _order(fault: SchemaFault) -> Mistake | None:
    if "This element is not expected" in fault.message:
        return _expecting(fault, "misplaced", "misplaced-one-of") or _mistake("too-many", fault)
    if fault.message.startswith("Missing child element"):
        return _expecting(fault, "lacks", "lacks-one-of")
    return None


def _expecting(fault: SchemaFault, one: str, many: str) -> Mistake | None:
    if found := _ONE.search(fault.message):
        return _mistake(one, fault, expected=_local(found[1]))
    if found := _MANY.search(fault.message):
        names = ", ".join(f"'{_local(name)}'" for name in found[1].split(", "))
        return _mistake(many, fault, expected=names)
    return None


def _attributes(fault: SchemaFault) -> Mistake | None:
    if found := _NAMED.search(fault.message):
        kind = "no-attribute" if found[2].startswith("required") else "foreign-attribute"
        return _mistake(kind, fault, attribute=_local(found[1]))
    return None


def _structure(fault: SchemaFault) -> Mistake | None:
    kinds = {
        "Character content is not allowed, because the content type is empty": "not-empty",
        "Character content other than whitespace is not allowed": "text-between",
        "Character content is not allowed, because the type definition is simple": "no-elements",
        "Element content is not allowed, because the content type is empty": "not-empty",
        "Element content is not allowed": "no-elements",
        "but demanded by the strict wildcard": "unknown-content",
        "No matching global element declaration available": "unknown-root",
        "No matching global declaration available": "unknown-root",
        "Duplicate key-sequence": "same-id",
        "No match found for key-sequence": "no-such-id",
    }
    kind = next((k for words, k in kinds.items() if words in fault.message), None)
    return _mistake(kind, fault) if kind else None


def _facets(fault: SchemaFault) -> Mistake | None:
    found = _FACET.search(fault.message)
    if found is None:
        return None
    kind = FACETS.get(found[1], "other")
    return _asking(kind, fault, {"pattern": _QUOTED, "not-listed": _LISTED}.get(kind, _BOUND))


def _fixed(fault: SchemaFault) -> Mistake | None:
    return _asking("fixed", fault, _QUOTED) if "fixed value constraint" in fault.message else None


def _asking(kind: str, fault: SchemaFault, end: re.Pattern[str]) -> Mistake:
    """With what the schema asks for; where that cannot be told from the value, nothing of the sentence is repeated."""
    found = end.fullmatch(fault.message) if len(fault.message) < _WHOLE else None
    if found is None:
        return _mistake("other", fault)
    return _mistake(kind, fault, expected=found[1].replace("'", "") if end is _LISTED else found[1])


def _values(fault: SchemaFault) -> Mistake | None:
    found = _TYPE.search(fault.message)
    if found is None:
        return None
    kind, example = TYPES.get(
        _local(found[1] or "").removeprefix("xs:"), ("what the standard asks for", "what the standard names")
    )
    attribute = _ATTRIBUTE.match(fault.message)
    if attribute is not None:
        return _mistake("attribute-not-a", fault, attribute=attribute[1], type=kind, example=example)
    return _mistake("not-a", fault, type=kind, example=example)


def _local(name: str) -> str:
    """A name without its namespace; `##other` wildcards keep theirs."""
    return re.sub(r"\{[^}]*\}", "", name).strip()


#: Those whose sentences hold a value go first: nothing that stands in it is taken for the validator's own words.
_READERS: tuple[Callable[[SchemaFault], Mistake | None], ...] = (
    _facets,
    _fixed,
    _values,
    _order,
    _attributes,
    _structure,
)
