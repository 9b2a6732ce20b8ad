"""What an HTTP answer means before a receipt is looked for in it: every status, with every kind of body."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ebxml_http.wire import outcome
from hub import codes
from hub.formats import fault
from hub.formats.words import SAID
from hub.message import Outcome, Reached

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MOST = 10_000
PAGE = b"<html>fault http://schemas.xmlsoap.org/soap/envelope/ Fault></html>"
XML = {"Content-Type": "text/xml"}


def said(status: int, body: bytes = b"", **headers: str) -> Outcome:
    given = {name.replace("_", "-"): value for name, value in headers.items()} or XML
    return outcome(status, given, body, MOST, NOW)


def meaning(found: Outcome) -> tuple[str, str, bool, bool]:
    return found.reached, found.code, found.permanent, found.counted


#: Statuses → how far it came, code, for good, counted as agreed.
MEANINGS = {
    (200, 201, 202, 203, 204, 205, 206, 207, 226, 299): ("yes", "handed-over", False, False),
    (408, 425, 429): ("no", "http-temporary", False, False),
    (500, 501, 502, 503, 504, 505, 507, 508, 509, 511, 520, 525, 530, 598, 599, 600, 999): (
        "no",
        "http-temporary",
        False,
        False,
    ),
    (300, 301, 302, 303, 304, 307, 308, 399): ("no", "http-redirect", False, True),
    (404, 409, 421, 423): ("no", "http-not-there", False, True),
    (400, 401, 402, 403, 405, 406, 407, 410, 413, 415, 422, 440, 451, 499): ("yes", "http-permanent", True, False),
}


@pytest.mark.parametrize(("status", "expected"), [(s, m) for group, m in MEANINGS.items() for s in group])
def test_a_status_counts_as_the_first_of_its_class_unless_it_says_more(
    status: int, expected: tuple[str, str, bool, bool]
) -> None:
    """RFC 9110 15. An empty answer and one with a page are the same, but for 2xx."""
    assert meaning(said(status)) == expected
    page = "unreadable-answer" if status < 300 else expected[1]
    assert meaning(said(status, PAGE)) == (expected[0], page, *expected[2:])


@given(st.integers(100, 999), st.sampled_from([b"", PAGE, b" \r\n", bytes(range(256)), fault.write("Server", "x")]))
def test_every_answer_reaches_the_address_and_says_what_was_said(status: int, body: bytes) -> None:
    found = said(status, body)
    assert found.answered and found.code in codes.REASONS and f"HTTP {status}" in found.because
    assert found.answer == (body if body.strip() else b"")


@pytest.mark.parametrize("status", [200, 202, 400, 404, 500, 307])
@pytest.mark.parametrize("code", ["Client", "Server"])
def test_a_fault_is_judged_by_its_code_and_its_words_are_kept(status: int, code: str) -> None:
    found = said(status, fault.write(code, "HttpClient is missing"))  # type: ignore[arg-type]
    assert meaning(found) == ("yes", "soap-fault", code == "Client", False)
    assert found.said == f"{code}: HttpClient is missing" and SAID not in found.because


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_down_for_a_while_is_that_whatever_else_it_says(status: int) -> None:
    """As our own door says it when the disk is full; the words are read all the same."""
    found = said(status, fault.write("Server", "the disk is full"))
    assert meaning(found) == ("no", "http-temporary", False, False)
    assert found.because.endswith(f"{SAID}Server: the disk is full")
    assert said(status, fault.write("Client", "no such thing")).permanent


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_coding_comes_off_with_its_header(status: int) -> None:
    found = said(status, gzip.compress(b"<receipt/>"), content_encoding="gzip", Content_Type="text/xml")
    assert found.answer == b"<receipt/>" and dict(found.answer_headers) == XML


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content_Encoding": "gzip"}, b"no gzip"),
        ({"Content_Encoding": "br"}, b"x"),
        ({"Content_Encoding": "gzip"}, gzip.compress(bytes(1_000_000))),
        ({"Content_Type": "text/xml"}, b"x" * (MOST + 1)),
    ],
)
def test_what_cannot_be_unpacked_or_is_too_large_is_told_and_judged_by_its_status(
    headers: dict[str, str], body: bytes
) -> None:
    good, bad = said(200, body, **headers), said(503, body, **headers)
    assert (good.reached, good.code, good.answer) == (Reached.YES, "unreadable-answer", b"")
    assert (bad.reached, bad.code) == (Reached.NO, "http-temporary")
    assert good.because.partition(", ")[2] == bad.because.partition(", ")[2] != ""


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://msh.example.no/ebxml/", ", to https://msh.example.no/ebxml/"),
        ("/ebxml/", ", to /ebxml/"),
        ("https://bruker:hemmelig@msh.example.no/x?token=hemmelig#y", ", to https://msh.example.no/x"),
        ("http://a\r\nX-Evil: 1", ", to http://a X-Evil: 1"),
        ("http://[::bad", ", to an address that cannot be read"),
        ("", ", and it does not say where to"),
    ],
)
def test_a_redirect_names_where_it_points(location: str, words: str) -> None:
    found = said(307, b"", Location=location)
    assert found.because == f"HTTP 307{words}"
    assert len(said(301, b"", Location="http://x/" + "y" * 9_000).because) < 250


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 30 Nov 2026 12:10:00 GMT", 600),
        ("Mon, 30 Nov 2026 11:10:00 GMT", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("9" * 400, 10**8),
        ("", None),
    ],
)
def test_how_long_to_wait_is_read_in_both_forms(value: str, seconds: int | None) -> None:
    """RFC 9110 10.2.3."""
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert said(503, b"", Retry_After=value).after == said(429, b"", Retry_After=value).after == expected
    assert said(500, b"", Retry_After=value).after is None
