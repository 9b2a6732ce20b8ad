"""What cannot be read as a MIME package gets a SOAP Fault, and its bytes lie in quarantine (HITS 1172 5.5; design.md)."""

from __future__ import annotations

import pytest

from tests.bad_input.answers import acknowledged, faulted
from tests.support.letters import Letter, business, swap
from tests.support.world import Said, World

RELATED = 'multipart/related; type="text/xml"; boundary="b"; start="<a>"'
ENVELOPE = "Content-ID: <a>\r\nContent-Type: text/xml\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<x/>"
UNREADABLE = {
    "bytes that mean nothing": Letter({"Content-Type": "text/xml"}, bytes(range(1, 256)) * 4),
    "an empty body": Letter({"Content-Type": "text/xml"}, b""),
    "only blanks": Letter({"Content-Type": "text/xml"}, b" \r\n \t"),
    "a line of text": Letter({"Content-Type": "text/xml"}, b"hei"),
    "half an envelope": Letter({"Content-Type": "text/xml"}, b'<S:Envelope xmlns:S="urn:x"><S:Header>'),
    "JSON": Letter({"Content-Type": "text/xml"}, b'{"a": 1}'),
}
NO_PACKAGE = {
    "no Content-Type (252)": (Letter({}, b"<x/>"), "252"),
    "text/plain (252)": (Letter({"Content-Type": "text/plain"}, b"<x/>"), "252"),
    "a form (66)": (Letter({"Content-Type": "application/x-www-form-urlencoded"}, b"a=b"), "66"),
    "JSON (66)": (Letter({"Content-Type": "application/json"}, b"{}"), "66"),
    "multipart/mixed (66)": (Letter({"Content-Type": 'multipart/mixed; boundary="b"'}, b"--b--"), "66"),
    "no boundary (66)": (Letter({"Content-Type": 'multipart/related; type="text/xml"'}, b"--b--"), "66"),
    "an empty boundary (66)": (Letter({"Content-Type": 'multipart/related; boundary=""'}, b"----"), "66"),
    "an endless boundary (66)": (Letter({"Content-Type": f'multipart/related; boundary="{"b" * 5000}"'}, b"x"), "66"),
    "a boundary that does not occur (67)": (Letter({"Content-Type": RELATED}, b"--c\r\n\r\nx\r\n--c--"), "67"),
    "no part (67)": (Letter({"Content-Type": RELATED}, b"--b--\r\n"), "67"),
    "no closing boundary (67)": (Letter({"Content-Type": RELATED}, f"--b\r\n{ENVELOPE}".encode()), "67"),
    "a part without end of headers (67)": (Letter({"Content-Type": RELATED}, b"--b\r\nContent-ID: <a>\r\n--b--"), "67"),
    "endless part headers (67)": (
        Letter({"Content-Type": RELATED}, b"--b\r\nX: " + b"x" * 40_000 + b"\r\n\r\n<x/>\r\n--b--"),
        "67",
    ),
    "too many parts (67)": (
        Letter(
            {"Content-Type": RELATED},
            b"".join(b"--b\r\nContent-ID: <%d>\r\n\r\nx\r\n" % n for n in range(99)) + b"--b--",
        ),
        "67",
    ),
    "no text/xml part (67, 255)": (
        Letter({"Content-Type": RELATED}, b"--b\r\nContent-ID: <a>\r\nContent-Type: image/png\r\n\r\nx\r\n--b--"),
        "67",
    ),
    "a type parameter of another kind (253)": (
        Letter({"Content-Type": RELATED.replace("text/xml", "image/png")}, f"--b\r\n{ENVELOPE}\r\n--b--".encode()),
        "253",
    ),
    "start names no part": (
        Letter({"Content-Type": RELATED.replace("<a>", "<z>")}, f"--b\r\n{ENVELOPE}\r\n--b--".encode()),
        "start",
    ),
    "an unknown transfer encoding (258)": (
        Letter({"Content-Type": RELATED}, f"--b\r\n{ENVELOPE}\r\n--b--".replace("8bit", "x-uuencode").encode()),
        "258",
    ),
    "two parts of one Content-ID (27)": (
        Letter({"Content-Type": RELATED}, f"--b\r\n{ENVELOPE}\r\n--b\r\n{ENVELOPE}\r\n--b--".encode()),
        "27",
    ),
    "charset and XML contradict each other (256)": (
        Letter({"Content-Type": 'text/xml; charset="ISO-8859-1"'}, b'<?xml version="1.0" encoding="UTF-8"?><x/>'),
        "256",
    ),
}


@pytest.mark.parametrize("letter", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_xml_gets_a_fault_that_says_so(world: World, letter: Letter) -> None:
    faulted(world.post(letter), letter, "not-well-formed")


@pytest.mark.parametrize(("letter", "rule"), NO_PACKAGE.values(), ids=NO_PACKAGE.keys())
def test_what_is_no_package_gets_a_fault_that_names_the_rule(world: World, letter: Letter, rule: str) -> None:
    assert rule in faulted(world.post(letter), letter, "mime")


def test_a_message_cut_short_is_no_package(world: World) -> None:
    """Half of the body under its whole Content-Type, as a proxy that gave up would send it on."""
    whole = business(world.post_to, world.sample().document)
    letter = Letter(whole.headers, whole.body[: len(whole.body) // 2])
    assert "closing boundary" in faulted(world.post(letter), letter, "mime")


def test_a_message_swallowed_by_another_content_type_is_no_package(world: World) -> None:
    letter = business(world.post_to, world.sample().document).under(content_type="text/xml")
    faulted(world.post(letter), letter, "not-well-formed")


def test_another_soap_action_is_for_another_service(world: World) -> None:
    """HITS 1172 51: what names another service is not read as ebXML."""
    letter = business(world.post_to, world.sample().document).under(soapaction='"urn:annet"')
    assert "51" in faulted(world.post(letter), letter, "mime")


@pytest.mark.parametrize("value", ["ebXML", '"ebxml"', "'ebXML'", '""', None])
def test_soap_action_is_taken_in_any_case_with_or_without_quotes_or_not_at_all(world: World, value: str | None) -> None:
    """Real senders write it so (ebxml.md §2.1), and one big receiver never looks (HITS 1172 22)."""
    letter = business(world.post_to, world.sample().document).under(soapaction=value)
    acknowledged(world.post(letter), letter, world)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_taken_and_says_so(world: World, method: str) -> None:
    said = world.post(Letter({}, b""), method=method)
    assert said.reply.status == 405
    assert said.reply.headers["allow"] == "POST"
    assert said.arrival is None


@pytest.mark.parametrize("path", ["/", "/ebxml/annet", "/EBXML", "/ebxml/../etc/passwd", "/soap"])
def test_an_unknown_path_is_not_found_and_nothing_is_kept(world: World, path: str) -> None:
    said = world.post(Letter({"Content-Type": "text/xml"}, b"<x/>"), path=path)
    assert said.reply.status == 404
    assert said.arrival is None


def test_too_large_is_refused_by_size_and_only_its_beginning_is_kept(new_world) -> None:  # type: ignore[no-untyped-def]
    """Nobody can fill the disk with what is not taken; the first bytes are kept, so that people see whose it was."""
    world = new_world(hub={"max_message_bytes": 200_000})
    whole = business(world.post_to, world.sample().document, payload=b"x" * 400_000)
    said: Said = world.post(whole)
    assert (said.kind, said.reply.status) == ("fault", 413)
    assert said.arrival is not None and (said.arrival.state, said.arrival.code) == ("quarantined", "too-large")
    assert whole.body.startswith(said.arrival.arrival.body)
    assert len(said.arrival.arrival.body) <= 65_536
    assert "200000" in said.arrival.because and not said.deliveries


def test_parts_that_nobody_mentions_do_not_hide_in_a_good_message(world: World) -> None:
    """A part that neither Manifest nor signature knows: the whole is refused (ebxml.md §3.2 item 7)."""
    extra = ("extra@test", "application/xml", b"<skjult/>")
    letter = business(world.post_to, world.sample().document, unsigned_parts=[extra])
    said = world.post(letter)
    assert (said.kind, said.error.code) == ("error", "SecurityFailure")
    assert said.arrival is not None and said.arrival.code == "signature-coverage"


def test_a_good_message_is_good(world: World) -> None:
    """The yardstick of this folder: what is not spoilt is acknowledged, and lies ready byte for byte."""
    letter = business(world.post_to, world.sample().document)
    acknowledged(world.post(letter), letter, world)


def test_a_preamble_and_an_epilogue_are_legal(world: World) -> None:
    whole = business(world.post_to, world.sample().document)
    letter = Letter(
        whole.headers,
        b"This is a multi-part message.\r\n\r\n" + whole.body + b"epilog",
        whole.message_id,
        whole.document,
    )
    acknowledged(world.post(letter), letter, world)


def test_the_parts_may_come_in_another_order(world: World) -> None:
    """`start` names the root wherever it stands (ebxml.md §10 item 63)."""
    whole = business(world.post_to, world.sample().document)
    boundary = whole.headers["Content-Type"].partition('boundary="')[2].partition('"')[0].encode()
    _, first, second, end = whole.body.split(b"--" + boundary)
    letter = Letter(whole.headers, (b"--" + boundary).join((b"", second, first, end)), whole.message_id, whole.document)
    acknowledged(world.post(letter), letter, world)


def test_base64_that_is_none_is_named(world: World) -> None:
    letter = business(world.post_to, world.sample().document)
    broken = Letter(
        letter.headers, swap("Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: base64")(letter.body)
    )
    faulted(world.post(broken), broken, "not-well-formed")
