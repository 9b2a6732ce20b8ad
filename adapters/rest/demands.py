"""What a request must say of itself before anything in it is looked at (EDI 2.0 A2, A15.1)."""

from __future__ import annotations

import re

from starlette.datastructures import Headers

from adapters.rest.problems import Problem, unreadable
from hub.record_systems.values import Said

#: Media types that hold JSON (A2): application/json, text/json, application/*+json.
_JSON = re.compile(r"(?:application|text)/json|application/[a-z0-9!#$&^_.-]+\+json")
#: An XML declaration that says UTF-8, on the document's first line (A5, PostMessageRequest).
_UTF_8 = re.compile(
    rb"""(?:\xef\xbb\xbf)?<\?xml[ \t\r\n][^?>]{0,200}?encoding[ \t\r\n]{0,20}=[ \t\r\n]{0,20}["']utf-8["']""",
    re.IGNORECASE,
)
#: A name is cut here: it goes into envelopes.
_LONGEST = 100


def version(headers: Headers, *, served: tuple[int, ...], by_path: int | None, needed: bool) -> int:
    """Which version is asked for: the header chooses, and goes before the path (A1.4), which counts where nothing is said.

    Raises Problem where it is `needed` and is not there, or is none of those `served`.
    """
    said = {one.strip() for one in ",".join(headers.getlist("api-version")).split(",")} - {""}
    if not said and by_path is not None and not needed:
        return by_path
    known = {form: number for number in served for form in (str(number), f"{number}.0")}
    found = {known.get(one) for one in said}
    number = found.pop() if len(found) == 1 else None
    if number is None:
        fits = " or ".join(map(str, served))
        what = "says otherwise" if said else "is missing"
        raise unreadable(f"header api-version {what}; {fits} is served here", ("api-version", fits), code="api-version")
    return number


def application(headers: Headers, *, needed: bool) -> tuple[str, str]:
    """Name and version of the caller's software (A2.1): "name, version" or "name/version". Raises Problem where `needed`."""
    said = headers.get("nhn-source-system", "").strip()
    if needed and not said:
        text = "header nhn-source-system is missing: name and version of the record system"
        raise unreadable(text, ("nhn-source-system", "missing"), code="source-system")
    name, _, number = said.partition("," if "," in said else "/")
    return name.strip()[:_LONGEST], number.strip()[:_LONGEST]


def json_declared(headers: Headers) -> None:
    """Raises Problem (415) where the body is not said to be JSON (A12.2)."""
    said = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(said):
        raise Problem(
            Said("refused", "media-type", f"Content-Type is {said[:60] or 'missing'!s}; it is application/json")
        )


def utf_8_declared(document: bytes) -> None:
    """Raises Problem where a document does not say that it is UTF-8 (A5, A15.2)."""
    if not _UTF_8.match(document):
        raise unreadable(
            "the XML declaration does not say UTF-8", ("businessDocument", "encoding"), code="xml-encoding"
        )
