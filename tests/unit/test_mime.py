"""The MIME package as senders really write it (ebxml.md §2), beside Python's own email package."""

from __future__ import annotations

import base64
import email
import email.policy
import quopri
import re
from email.message import Message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.formats import mime
from hub.formats.mime import MimeFault, Package
from tests.unit.packages import ENVELOPE, PAYLOAD, RELATED, ROOT, package

CONTENT = bytes(range(256))
ENCODED = base64.b64encode(CONTENT)


def read(body: bytes, content_type: str = RELATED, **headers: str) -> Package | MimeFault:
    return mime.read({"Content-Type": content_type, **headers}, body)


def taken(body: bytes, content_type: str = RELATED, **headers: str) -> Package:
    found = read(body, content_type, **headers)
    assert isinstance(found, Package), found
    return found


def rule(body: bytes, content_type: str = RELATED, **headers: str) -> str:
    found = read(body, content_type, **headers)
    assert isinstance(found, MimeFault), found
    return found.rule


def with_header(headers: tuple[tuple[str, str], ...], name: str, value: str | None) -> tuple[tuple[str, str], ...]:
    kept = tuple(h for h in headers if h[0].lower() != name.lower())
    return kept if value is None else (*kept, (name, value))


def test_the_usual_package_gives_the_envelope_and_its_payload() -> None:
    found = taken(package((ROOT, ENVELOPE), (PAYLOAD, ENCODED)))
    assert (found.root.content_id, found.root.content) == ("root", ENVELOPE)
    (part,) = found.attachments
    assert (part.content_id, part.content_type, part.content) == ("part", "application/pkcs7-mime", CONTENT)
    assert part.parameters == {"smime-type": "enveloped-data"}
    assert part.raw == ENCODED


@pytest.mark.parametrize("name", ["8bit", "8BIT", "binary", "7bit", None])
def test_bytes_are_as_they_stand_in_plain_transfer_encodings(name: str | None) -> None:
    headers = with_header(PAYLOAD, "Content-Transfer-Encoding", name)
    assert (
        taken(package((ROOT, ENVELOPE), (headers, b"\x00\xe6\r\n\xf8"))).attachments[0].content == b"\x00\xe6\r\n\xf8"
    )


@pytest.mark.parametrize("name", ["base64", "Base64", "BASE64 "])
def test_base64_is_decoded_with_the_line_breaks_that_senders_write(name: str) -> None:
    headers = with_header(PAYLOAD, "Content-Transfer-Encoding", name)
    for written in (base64.encodebytes(CONTENT), ENCODED + b"\r\n\r\n", b"  " + ENCODED, ENCODED.rstrip(b"=")):
        assert taken(package((ROOT, ENVELOPE), (headers, written))).attachments[0].content == CONTENT


def test_quoted_printable_is_decoded_soft_line_breaks_included() -> None:
    headers = with_header(PAYLOAD, "Content-Transfer-Encoding", "Quoted-Printable")
    body = package((ROOT, ENVELOPE), (headers, b"<a b=3D=22=C3=A6=22>=\r\n</a>"))
    assert taken(body).attachments[0].content == '<a b="æ"></a>'.encode()


def test_content_encoding_is_a_synonym_as_the_framework_misprints_it() -> None:
    headers = with_header(
        with_header(PAYLOAD, "Content-Transfer-Encoding", None), "Content-Encoding", "base64"
    )  # HIS 1037 8.1
    assert taken(package((ROOT, ENVELOPE), (headers, ENCODED))).attachments[0].content == CONTENT


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "identity", "br", "gzip, deflate", "base64", ""])
def test_content_encoding_of_the_whole_is_http_s_and_no_transfer_encoding(coding: str) -> None:
    """RFC 9110 8.4: whoever took the body from the wire has unpacked it; the header may still say how it came."""
    said = {"Content-Encoding": coding}
    assert taken(ENVELOPE, "text/xml", **said).root.content == ENVELOPE
    whole = package((ROOT, ENVELOPE), (PAYLOAD, ENCODED))
    assert taken(whole, **said).attachments[0].content == CONTENT


def test_the_envelope_itself_may_be_encoded() -> None:
    root = with_header(ROOT, "Content-Transfer-Encoding", "base64")
    assert taken(package((root, base64.b64encode(ENVELOPE)))).root.content == ENVELOPE


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("<part>", "part"),
        ("part", "part"),
        (" < part > ", "part"),
        ("<att-5b1@ebms.example.no>", "att-5b1@ebms.example.no"),
        ("<soappart-0fbf@qa.example.no>", "soappart-0fbf@qa.example.no"),
        ("<del%20en@example.no>", "del en@example.no"),
        ("<20250124-114229-355@example.no>", "20250124-114229-355@example.no"),
    ],
)
def test_content_ids_lose_brackets_and_blanks(written: str, bare: str) -> None:
    found = taken(package((ROOT, ENVELOPE), (with_header(PAYLOAD, "Content-ID", written), ENCODED)))
    assert found.attachments[0].content_id == bare


@pytest.mark.parametrize("href", ["cid:a@b", "cid:a%40b", " cid:a@b ", "a@b", "<a@b>", "CID:a@b"])
def test_a_cid_url_names_the_same_part_however_it_is_written(href: str) -> None:
    """RFC 2392: a cid URL is the Content-ID, percent-encoded where need be; the scheme is in any case."""
    assert mime.bare_id(href) == mime.bare_id("<a@b>") == "a@b"


#: Content-ID as the header has it, and cid URLs that name it (RFC 2392, its erratum 454, and what senders write).
NAMED: list[tuple[str, str]] = [
    ("<payload@test>", "cid:<payload@test>"),
    ("<payload@test>", "cid:%3Cpayload@test%3E"),
    ("<payload@test>", "CID:payload%40test"),
    ("<payload@test> (vedlegg)", "cid:payload@test"),
    ("(vedlegg) <payload@test>", "cid:payload@test"),
    ("payload@test (et (lite) vedlegg)", "cid:payload@test"),
    ("<50%25-x@test>", "cid:50%2525-x@test"),
    ("<50%25-x@test>", "cid:50%25-x@test"),
    ("<50%-x@test>", "cid:50%25-x@test"),
    ("<a%40b@test>", "cid:a%2540b%40test"),
    ("<a%40b@test>", "cid:a%40b@test"),
    ("<bl\u00e5@test>".encode().decode("latin-1"), "cid:bl%C3%A5@test"),
    ("<bl\u00e5@test>".encode().decode("latin-1"), "cid:bl\u00e5@test"),
    ("<a/b@test>", "cid:a%2Fb@test"),
    ("<a+b@test>", "cid:a%2Bb@test"),
]


@pytest.mark.parametrize(("written", "href"), NAMED, ids=[f"{n:02}" for n in range(len(NAMED))])
def test_a_part_is_found_by_every_way_to_write_its_name(written: str, href: str) -> None:
    assert mime.bare_id(href) == mime.bare_id(written)


def test_two_names_that_are_one_are_refused() -> None:
    """Nobody may choose which part was signed and which is read."""
    twice = [(with_header(PAYLOAD, "Content-ID", name), ENCODED) for name in ("<a%40b>", "<a@b>")]
    found = mime.read({"Content-Type": RELATED}, package((ROOT, ENVELOPE), *twice))
    assert isinstance(found, MimeFault) and found.rule == "27"


WRITTEN_TYPES = [
    'multipart/related; boundary="{b}"; type="text/xml; charset=UTF-8"',
    'multipart/related; boundary="{b}"; type=" text/xml "',
    "multipart/related; boundary=\"{b}\"; type='text/xml'",
    'multipart/related (laget av "msh" (3)); boundary="{b}"; type="text/xml"',
    'multipart/related; (x) boundary="{b}" (y); type="text/xml"',
    'multipart/related; boundary*0="{first}"; boundary*1="{rest}"; type="text/xml"',
    'multipart/related; boundary*1="{rest}"; boundary*0="{first}"; type="text/xml"',
    "multipart/related; boundary*=us-ascii''{b}; type=\"text/xml\"",
    "multipart/related; boundary*0*=utf-8'no'{first}; boundary*1={rest}; type=\"text/xml\"",
    'multipart/related; boundary="{b}"; boundary*=us-ascii\'\'another; type="text/xml"',
    'MULTIPART/Related; Boundary="{b}"; Type="TEXT/XML"',
]


@pytest.mark.parametrize("written", WRITTEN_TYPES)
def test_a_content_type_is_read_as_the_standards_let_it_be_written(written: str) -> None:
    """RFC 822 comments, RFC 2231 parameters in pieces and with a character set, quotes where others have none."""
    boundary = str(mime.content_type(RELATED)[1]["boundary"])
    value = written.format(b=boundary, first=boundary[:2], rest=boundary[2:])
    found = mime.read({"Content-Type": value}, package((ROOT, ENVELOPE), (PAYLOAD, ENCODED)))
    assert not isinstance(found, MimeFault), found
    assert len(found.attachments) == 1


@pytest.mark.parametrize(
    "written", ["base64 (RFC 2045)", '"base64"', "'base64'", "base64;", "BASE64 ; x=y", "(a) base64"]
)
def test_a_transfer_encoding_is_read_so_too(written: str) -> None:
    coded = with_header(PAYLOAD, "Content-Transfer-Encoding", written)
    assert taken(package((ROOT, ENVELOPE), (coded, ENCODED))).attachments[0].content != ENCODED


@pytest.mark.parametrize("kind", ["text/xml (soap)", 'text/xml; charset="utf-8" (x)', "text/xml;charset=utf8"])
def test_the_root_may_have_comments(kind: str) -> None:
    assert taken(package((with_header(ROOT, "Content-Type", kind), ENVELOPE), (PAYLOAD, ENCODED)))


@pytest.mark.parametrize(
    "value", ["a" + "(" * 9_000, "(" * 9_000 + ")" * 9_000, "\\" * 9_000, '"' * 9_001, "a*0*=" * 3_000]
)
def test_no_header_makes_it_slow_or_raise(value: str) -> None:
    mime.content_type(value)
    mime.bare_id(value)


def test_a_signal_is_one_part_without_multipart() -> None:
    found = taken(ENVELOPE, 'text/xml; charset="UTF-8"')
    assert (found.root.content, found.attachments) == (ENVELOPE, ())


def test_a_signal_may_be_base64_with_a_content_id() -> None:
    headers = {"Content-Transfer-Encoding": "base64", "Content-ID": "<soappart@example.no>"}
    found = taken(base64.encodebytes(ENVELOPE), "text/xml", **headers)
    assert (found.root.content, found.root.content_id) == (ENVELOPE, "soappart@example.no")


def test_a_signal_may_be_wrapped_in_a_multipart_of_one() -> None:
    found = taken(package((ROOT, ENVELOPE)))
    assert (found.root.content, found.attachments) == (ENVELOPE, ())


def test_header_names_come_in_any_case() -> None:
    assert isinstance(mime.read({"cOnTeNt-TyPe": "TEXT/XML"}, ENVELOPE), Package)
    root = tuple((name.upper(), value) for name, value in ROOT)
    assert taken(package((root, ENVELOPE))).root.content_id == "root"


def test_a_preamble_and_an_epilogue_are_passed_over() -> None:
    body = package((ROOT, ENVELOPE), preamble=b"This is a multi-part message in MIME format.")
    assert taken(body + b"the end\r\n--b\r\n\r\nno part\r\n").root.content == ENVELOPE


def test_lines_may_end_in_lf_alone() -> None:
    found = taken(package((ROOT, ENVELOPE), (PAYLOAD, ENCODED), line=b"\n"))
    assert (found.root.content, found.attachments[0].content) == (ENVELOPE, CONTENT)


def test_folded_headers_are_one_line() -> None:
    headers = with_header(
        PAYLOAD, "Content-Type", "application/pkcs7-mime;\r\n\tsmime-type=enveloped-data;\r\n name=a.p7m"
    )
    found = taken(package((ROOT, ENVELOPE), (headers, ENCODED))).attachments[0]
    assert found.parameters == {"smime-type": "enveloped-data", "name": "a.p7m"}


def test_the_top_header_may_be_folded_and_one_semicolon_short() -> None:
    """So it stands in the official example of HITS 1210."""
    kind = 'multipart/related;\r\n type="text/xml";\r\n charset="utf-8";\r\n start="<root>"\r\n boundary="b";'
    assert taken(package((ROOT, ENVELOPE), (PAYLOAD, ENCODED)), kind).root.content_id == "root"


def test_file_names_in_raw_utf8_do_not_end_a_header_line() -> None:
    """Å is C3 85 in UTF-8, and 85 is a line end to some."""
    headers = with_header(PAYLOAD, "Content-Disposition", 'attachment; filename="Årsrapport.p7m: x"')
    found = taken(package((ROOT, ENVELOPE), (headers, ENCODED))).attachments[0]
    assert set(found.headers) == {name.lower() for name, _ in headers}


@pytest.mark.parametrize("kind", ['multipart/related; boundary="b"', "multipart/related; boundary=b; type=text/xml"])
def test_without_start_the_first_part_is_the_envelope(kind: str) -> None:
    assert taken(package((ROOT, ENVELOPE), (PAYLOAD, ENCODED)), kind).root.content_id == "root"


def test_start_chooses_the_envelope_wherever_it_stands() -> None:
    found = taken(package((PAYLOAD, ENCODED), (ROOT, ENVELOPE)))
    assert (found.root.content_id, [p.content_id for p in found.attachments]) == ("root", ["part"])


def test_a_line_that_only_begins_like_the_boundary_is_content() -> None:
    inner = b"--bb\r\n--b-\r\n--b--x\r\n --b\r\nx--b"
    headers = with_header(PAYLOAD, "Content-Transfer-Encoding", "binary")
    found = taken(package((ROOT, ENVELOPE), (headers, inner), (with_header(PAYLOAD, "Content-ID", "<3>"), ENCODED)))
    assert [p.content for p in found.attachments] == [inner, CONTENT]


def test_a_body_that_begins_with_a_look_alike_still_finds_its_boundary() -> None:
    assert taken(b"--bb\r\n" + package((ROOT, ENVELOPE))).root.content == ENVELOPE


def test_blanks_behind_a_boundary_are_allowed() -> None:
    body = package((ROOT, ENVELOPE), (PAYLOAD, ENCODED)).replace(b"--b\r\n", b"--b \t\r\n").replace(b"--b--", b"--b-- ")
    assert len(taken(body).attachments) == 1


@pytest.mark.parametrize("blank", [b"\r\n\r\n", b"\n\n", b"\n\r\n", b"\r\n\n"])
@pytest.mark.parametrize("rest", [b"", b"\r\n", b"\n", b"\n\n", b"\r\n\r\n", b" x"])
def test_headers_end_at_the_first_blank_line_whatever_its_line_ends_and_what_follows(blank: bytes, rest: bytes) -> None:
    content = rest + ENVELOPE
    body = b"--b\r\nContent-Type: application/xml" + blank + content + b"\r\n--b--"
    assert taken(body, "multipart/related; boundary=b").root.content == content


def test_content_keeps_its_own_last_line_end() -> None:
    headers = with_header(PAYLOAD, "Content-Transfer-Encoding", "binary")
    for content in (b"x\r\n", b"x\n", b"\r\n", b"", b"x\r\n\r\n"):
        assert taken(package((ROOT, ENVELOPE), (headers, content))).attachments[0].content == content


@pytest.mark.parametrize(
    ("body", "kind", "wanted"),
    [
        (ENVELOPE, "", "252"),
        (ENVELOPE, "text/plain", "252"),
        (ENVELOPE, "application/json", "66"),
        (package((ROOT, ENVELOPE)), "multipart/mixed; boundary=b", "66"),
        (package((ROOT, ENVELOPE)), "multipart/related", "66"),
        (package((ROOT, ENVELOPE)), f"multipart/related; boundary={'b' * 201}", "66"),
        (package((ROOT, ENVELOPE)), "multipart/related; boundary=b; type=text/html", "253"),
        (package((ROOT, ENVELOPE)), "multipart/related; boundary=other", "67"),
        (package((ROOT, ENVELOPE), closed=False), RELATED, "67"),
        (package((ROOT, ENVELOPE), (PAYLOAD, ENCODED))[:-20], RELATED, "67"),
        (b"--b--\r\n", RELATED, "67"),
        (b"--b\r\n--b--\r\n", RELATED, "67"),
        (package((((("X-Long", "x" * 20_000)),), ENVELOPE)), RELATED, "67"),
        (
            package((ROOT, ENVELOPE), *((with_header(PAYLOAD, "Content-ID", str(n)), b"") for n in range(60))),
            RELATED,
            "67",
        ),
        (package((ROOT, ENVELOPE), (PAYLOAD, ENCODED), (PAYLOAD, ENCODED)), RELATED, "27"),
        (package((with_header(ROOT, "Content-ID", "<other>"), ENVELOPE)), RELATED, "start"),
        (package((with_header(ROOT, "Content-Type", "text/plain"), ENVELOPE)), RELATED, "67, 255"),
        (package((with_header(ROOT, "Content-Type", None), ENVELOPE)), RELATED, "67, 255"),
        (package((with_header(ROOT, "Content-Type", "text/xml; charset=iso-8859-1"), ENVELOPE)), RELATED, "256"),
        (package((with_header(ROOT, "Content-Type", "text/xml; charset=no-such"), ENVELOPE)), RELATED, "256"),
        (package((with_header(ROOT, "Content-Transfer-Encoding", "x-uuencode"), ENVELOPE)), RELATED, "258"),
        (package((ROOT, ENVELOPE), (PAYLOAD, b"QUJDR")), RELATED, "258"),
    ],
)
def test_each_broken_rule_is_named(body: bytes, kind: str, wanted: str) -> None:
    assert rule(body, kind) == wanted


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"UTF-8"', "us-ascii", ""])
def test_the_charset_of_the_envelope_is_that_of_its_xml(charset: str) -> None:
    assert taken(b'<?xml version="1.0" encoding="UTF-8"?><e/>', f"text/xml; charset={charset}").attachments == ()
    latin = b'<?xml version="1.0" encoding="ISO-8859-1"?><e/>'
    assert taken(latin, "text/xml; charset=latin1").root.content == latin


def test_a_part_without_headers_is_only_its_content() -> None:
    assert taken(package((ROOT, ENVELOPE), ((), b"text"))).attachments[0].content == b"text"


@pytest.mark.parametrize("transfer", ["binary", "base64"])
def test_what_we_write_we_read_again(transfer: str) -> None:
    written = mime.write(
        ENVELOPE,
        [("part", "application/pkcs7-mime; smime-type=enveloped-data", CONTENT), ("2", "application/xml", b"")],
        root_id="root@example.no",
        boundary="x-1",
        transfer=transfer,  # type: ignore[arg-type]
    )
    found = mime.read(*written)
    assert isinstance(found, Package)
    assert (found.root.content, found.root.content_id) == (ENVELOPE, "root@example.no")
    assert [(p.content_id, p.content) for p in found.attachments] == [("part", CONTENT), ("2", b"")]


def test_what_we_write_others_read() -> None:
    headers, body = mime.write(ENVELOPE, [("part", "application/pkcs7-mime", CONTENT)], root_id="root", boundary="x")
    root, part = _by_email(headers, body)
    assert (root["Content-ID"], root.get_content_type(), root.get_payload(decode=True)) == (
        "<root>",
        "text/xml",
        ENVELOPE,
    )
    assert part.get_payload(decode=True) == CONTENT
    assert headers["SOAPAction"] == '"ebXML"' and headers["MIME-Version"] == "1.0"


def test_a_signal_of_ours_goes_as_one_part() -> None:
    headers, body = mime.write(ENVELOPE, [], root_id="root", boundary="x")
    assert (headers["Content-Type"], body) == ('text/xml; charset="UTF-8"', ENVELOPE)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"Content-Type: application/xml\r\n\r\n<a/>", b"<a/>"),
        (b"Content-Type: application/xml\nContent-Transfer-Encoding: base64\n\nPGEvPg==\n", b"<a/>"),
        (b"content-type: text/xml;\r\n charset=utf-8\r\nContent-ID: <x>\r\n\r\n<a/>\r\n", b"<a/>\r\n"),
        (b"Content-Type: application/xml\r\nContent-Transfer-Encoding: binary\r\n\r\n<a/>\r", b"<a/>\r"),
    ],
)
def test_an_entity_that_stands_alone_is_read_to_its_last_byte(content: bytes, wanted: bytes) -> None:
    part = mime.entity(content)
    assert not isinstance(part, MimeFault) and part.content == wanted


def test_an_entity_without_a_content_type_is_none() -> None:
    part = mime.entity(b"X-Other: 1\r\n\r\n<a/>")
    assert isinstance(part, MimeFault) and part.rule == "264"


# --- beside Python's email package, which knows nothing of us


def _by_email(headers: dict[str, str], body: bytes) -> list[Message]:
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.compat32)
    return list(message.get_payload())  # type: ignore[arg-type]


_WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=20)
_CONTENT = st.binary(max_size=200) | st.lists(
    st.sampled_from([b"--", b"--b", b"b", b"\r\n", b"\n", b"<a/>", b" ", b"="]), max_size=12
).map(b"".join)


def _encoded(name: str, content: bytes) -> bytes:
    if name == "base64":
        return base64.encodebytes(content)
    return quopri.encodestring(content) if name == "quoted-printable" else content


@given(
    st.lists(
        st.tuples(_WORDS, st.sampled_from(["8bit", "Binary", "base64", "quoted-printable"]), _CONTENT), max_size=4
    ),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"", b"preamble", b"--not-it", b"two\r\nlines"]),
)
def test_every_part_is_what_pythons_email_package_makes_of_it(
    parts: list[tuple[str, str, bytes]], line: bytes, preamble: bytes
) -> None:
    boundary = "=_boundary_0"
    written = [(ROOT, ENVELOPE)]
    for number, (name, transfer, content) in enumerate(parts):
        headers = (
            ("Content-Type", "application/x"),
            ("Content-ID", f"<{name}@{number}>"),
            ("Content-Transfer-Encoding", transfer),
        )
        written.append((headers, _encoded(transfer, content)))
    body = package(*written, boundary=boundary, line=line, preamble=preamble)
    kind = f'multipart/related; type="text/xml"; boundary="{boundary}"'
    found = taken(body, kind)
    theirs = _by_email({"Content-Type": kind}, body)
    ours = [found.root, *found.attachments]
    assert [f"<{p.content_id}>" for p in ours] == [m["Content-ID"] for m in theirs]
    assert [p.content_type for p in ours] == [m.get_content_type() for m in theirs]
    assert [p.content for p in ours] == [m.get_payload(decode=True) for m in theirs]


@given(
    st.dictionaries(st.sampled_from(["Content-Type", "Content-ID", "Content-Transfer-Encoding"]), st.text(max_size=60)),
    st.binary(max_size=300),
)
def test_no_headers_and_bytes_make_it_raise(headers: dict[str, str], body: bytes) -> None:
    mime.read(headers, body)


@given(st.text(max_size=80), st.binary(max_size=300).map(lambda b: b"--b\r\n" + b))
def test_no_package_makes_it_raise(parameters: str, body: bytes) -> None:
    mime.read({"Content-Type": f"multipart/related; boundary=b; {parameters}"}, body)


_WORDS = st.text('ab;= \t"\\<>æ', max_size=12)
_PARAMETERS = st.lists(
    st.tuples(st.sampled_from([";", "; ", ";\t ", " ", " ;", ""]), st.sampled_from(["a", "B*", "a b", ""]), _WORDS),
    max_size=4,
)


@settings(max_examples=500)
@given(kind=st.sampled_from(["text/xml", " Multipart/Related ", "", "a=b", 'a"b"']), parameters=_PARAMETERS, end=_WORDS)
def test_parameters_in_quotes_are_read_as_all_others(
    kind: str, parameters: list[tuple[str, str, str]], end: str
) -> None:
    value = kind + "".join(f'{before}{name}="{word}"' for before, name, word in parameters) + end
    found = {name.lower(): mime._unquoted(word) for name, word in mime._PARAMETER.findall(value)}
    assert mime._content_type(value) == (value.partition(";")[0].strip().lower(), found)


@pytest.mark.parametrize("value", ["multipart/related;{}", "multipart/related; a{}b=c", 'a/b; c="d"{}', "a/b;{};{}"])
def test_a_header_of_blanks_is_read_in_one_pass(value: str) -> None:
    """Ten times as many cost ten times as much, not a hundred: such a header, from anybody, would hold the hub for hours."""
    kind, _ = mime._content_type(value.replace("{}", " " * 1_000_000))
    assert kind == value.partition(";")[0]


@settings(max_examples=500)
@given(st.text('ab;= \t"\\<>', max_size=40))
def test_where_a_parameter_begins_among_blanks_makes_no_difference(value: str) -> None:
    anywhere = mime._PARAMETER.pattern.replace(mime._BEGUN, r"[;\s]\s*", 1)
    assert re.findall(anywhere, value) == mime._PARAMETER.findall(value)
