"""Mail as it really is: what a mail is, whom it came from, what a bounce says, and where the package lies in it."""

from __future__ import annotations

import base64
import quopri

import pytest

from hub.formats import mail
from hub.formats.mail import Recipient

BOUNCE = b"""\
From: MAILER-DAEMON@relay.example
To: post@solvik.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="grense"

--grense
Content-Type: text/plain

This is the mail system. I'm sorry.
--grense
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example
Original-Envelope-Id: 305d481b-0eb9-430f-a8a6-f5f87abe4ebb

Original-Recipient: rfc822;edi@fjordby.example
Final-Recipient: rfc822; edi@fjordby.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--grense
Content-Type: text/rfc822-headers

From: post@solvik.example
Message-ID: <305d481b.1@solvik.example>

--grense--
"""


def test_a_bounce_says_which_message_failed_where_and_why() -> None:
    found = mail.read(BOUNCE)
    assert mail.kind(found) == "report"
    said = mail.report(found)
    assert said.envelope_id == "305d481b-0eb9-430f-a8a6-f5f87abe4ebb"
    assert said.message_id == "305d481b.1@solvik.example"
    assert said.recipients == (Recipient("edi@fjordby.example", "failed", "5.1.1", "550 5.1.1 User unknown"),)


def test_a_bounce_with_other_line_ends_says_the_same() -> None:
    assert mail.report(mail.read(BOUNCE.replace(b"\n", b"\r\n"))) == mail.report(mail.read(BOUNCE))


def test_a_bounce_that_says_nothing_is_still_a_bounce() -> None:
    found = mail.read(b'Content-Type: multipart/report; boundary="x"\r\n\r\nnothing')
    assert mail.kind(found) == "report"
    assert mail.report(found).recipients == ()


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ('Content-Type: multipart/related; type="text/xml"; boundary=x', "ebxml"),
        ("Content-Type: text/xml", "ebxml"),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=x", "read-receipt"),
        ("Content-Type: text/plain\r\nAuto-Submitted: auto-replied", "auto-reply"),
        ("Content-Type: text/plain\r\nAuto-Submitted: no", "ebxml"),
        ("Content-Type: text/plain\r\nPrecedence: auto_reply", "auto-reply"),
        ("Content-Type: text/plain\r\nX-Autoreply: yes", "auto-reply"),
        ("Content-Type: application/ms-tnef; name=winmail.dat", "tnef"),
        ('SOAPAction: "ebXML"\r\nX-Auto-Response-Suppress: All\r\nContent-Type: text/xml', "ebxml"),
    ],
)
def test_what_a_mail_is_stands_in_its_header(headers: str, kind: str) -> None:
    assert mail.kind(mail.read(f"{headers}\r\n\r\nx".encode())) == kind


def test_folded_and_encoded_fields_are_read() -> None:
    raw = b"Subject: =?utf-8?q?Henvisning_om_=C3=B8yet?=\r\nContent-Type: text/xml;\r\n charset=utf-8\r\n\r\nx"
    found = mail.read(raw)
    assert found.headers["subject"] == "Henvisning om øyet"
    assert found.headers["content-type"] == "text/xml; charset=utf-8"


def test_a_field_that_is_wrongly_encoded_stays_as_it_was() -> None:
    for word in ("=?utf-8?b?a?=", "=?ukjent?q?a?=", "=?utf-8?q?"):
        assert mail.read(f"Subject: {word}\n\nx".encode()).headers["subject"] == word
    assert mail.read(b"Subject: \xff =?utf-8?b?a?=\n\nx").headers["subject"] == "\ufffd =?utf-8?b?a?="


def test_a_huge_header_is_cut_and_the_body_is_not() -> None:
    huge = b"".join(b"X-%d: y\r\n" % n for n in range(20_000))
    found = mail.read(b"From: a@b.example\r\n" + huge + b"\r\nbody")
    assert found.headers["from"] == "a@b.example" and "x-19999" not in found.headers and found.body == b"body"


def test_the_first_of_a_field_counts_and_nonsense_is_no_field() -> None:
    found = mail.read(b"From: a@b.example\nFrom: c@d.example\nwithout colon\n name: x\n\nbody")
    assert found.headers["from"].startswith("a@b.example")
    assert found.body == b"body"


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("Solvik <EDI@Solvik.example>", "edi@solvik.example"),
        ("mailto:edi@solvik.example", "edi@solvik.example"),
        ("mailto://edi@solvik.example", "edi@solvik.example"),
        ("<edi@solvik.example>", "edi@solvik.example"),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_an_address_is_found_however_it_is_written(field: str, address: str) -> None:
    assert mail.address(field) == address


def test_an_answer_goes_to_reply_to_before_from_before_sender() -> None:
    fields = [("sender", "s@x.example"), ("from", "f@x.example"), ("reply-to", "r@x.example")]
    for count in (1, 2, 3):
        head = "".join(f"{name}: <{value}>\n" for name, value in fields[:count])
        assert mail.read(f"{head}\nx".encode()).answer_to == fields[count - 1][1]


INNER = b'Content-Type: multipart/related; type="text/xml"; boundary="indre"\r\n\r\n--indre\r\n\r\nx\r\n--indre--\r\n'


def _wrapped(inner: bytes, boundary: str = "ytre") -> bytes:
    edge = f"--{boundary}".encode()
    head = f'From: a@b.example\r\nContent-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'.encode()
    note = b"\r\nContent-Type: text/plain\r\n\r\nScanned: nothing was found.\r\n"
    return head + edge + note + edge + b"\r\n" + inner + b"\r\n" + edge + b"--\r\n"


def test_a_package_that_a_scanner_has_wrapped_is_found() -> None:
    found = mail.package(mail.read(_wrapped(INNER)))
    assert found.headers["content-type"].startswith("multipart/related")
    assert found.headers["from"] == "a@b.example"
    assert found.body.startswith(b"--indre")


def test_a_package_wrapped_twice_is_found() -> None:
    found = mail.package(mail.read(_wrapped(_wrapped(INNER), "ytterst")))
    assert found.headers["content-type"].startswith("multipart/related")


def test_a_mail_without_a_package_stays_as_it_is() -> None:
    plain = mail.read(_wrapped(b"Content-Type: text/plain\r\n\r\nhello"))
    assert mail.package(plain) == plain
    assert mail.package(mail.read(b"Content-Type: text/plain\r\n\r\nhello")).body == b"hello"


def test_nesting_has_an_end() -> None:
    raw = INNER
    for n in range(20):
        raw = _wrapped(raw, f"b{n}")
    outer = mail.read(raw)
    assert mail.package(outer) == outer


def test_what_stands_in_brackets_comes_before_a_name_that_looks_like_an_address() -> None:
    assert mail.address('"edi@solvik.example" <edi@fjordby.example>') == "edi@fjordby.example"
    assert mail.address("<mailto:edi@solvik.example>") == "edi@solvik.example"


def test_a_field_holds_what_other_programs_take_for_a_line_end() -> None:
    found = mail.read("Subject: a\x0cFrom: x@y.example\x85To: z@y.example\r\n\r\n".encode())
    assert set(found.headers) == {"subject"}


def test_a_report_and_a_winmail_that_were_wrapped_are_known_for_what_they_are() -> None:
    assert mail.kind(mail.package(mail.read(_wrapped(BOUNCE.replace(b"\n", b"\r\n"))))) == "report"
    packed = b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\nx"
    assert mail.kind(mail.package(mail.read(_wrapped(packed)))) == "tnef"


def test_an_answer_says_which_delivery_it_answers() -> None:
    own = "305d481b-0eb9-430f-a8a6-f5f87abe4ebb"
    for fields in (f"In-Reply-To: <{own}.3@x.example>", f"In-Reply-To: <other@y>\nReferences: <a@b>\n <{own}.1@x>"):
        assert mail.read(f"{fields}\n\nx".encode()).answers == own
    assert mail.read(b"In-Reply-To: <other@y>\n\nx").answers == ""


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_status_under_a_transfer_encoding_is_read(encoding: str) -> None:
    start, end = BOUNCE.index(b"Reporting-MTA"), BOUNCE.index(b"\n--grense\nContent-Type: text/rfc822")
    encode = base64.encodebytes if encoding == "base64" else quopri.encodestring
    said = f"Content-Transfer-Encoding: {encoding}\n\n".encode() + encode(BOUNCE[start:end])
    assert mail.report(mail.read(BOUNCE[: start - 1] + said + BOUNCE[end:])) == mail.report(mail.read(BOUNCE))


def test_a_base64_that_is_cut_says_nothing_and_stops_nothing() -> None:
    raw = b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n"
    raw += b"Content-Transfer-Encoding: base64\n\nQUJDR\n--x--\n"
    assert mail.report(mail.read(raw)).recipients == ()
