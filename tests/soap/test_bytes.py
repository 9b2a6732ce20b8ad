"""Bytes as toolkits write them, and as none would: each is answered, each mistake by a typed fault in the sender's words."""

from __future__ import annotations

import base64
import gzip
import socket
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from lxml import etree

from tests.soap.stand import (
    DOCTORS,
    ENVELOPES,
    MEDIA,
    NAMESPACE,
    NURSES,
    PING,
    WSSE,
    Stand,
    Version,
    envelope,
    fault,
    multipart,
    submission,
)
from tests.support.asgi import Reply
from tests.support.world import NURSING

WSU = WSSE.replace("secext", "utility")
WSA = "http://www.w3.org/2005/08/addressing"


def result(reply: Reply, version: Version = "1.1") -> etree._Element:
    """The `result` of a good reply that is no MTOM."""
    assert reply.status == 200, reply.body[:500]
    assert reply.headers["content-type"] == f"{MEDIA[version]}; charset=utf-8"
    body = etree.fromstring(reply.body).find(f"{{{ENVELOPES[version]}}}Body")
    assert body is not None and len(body) == 1
    return body[0][0]


def _text(element: etree._Element, name: str) -> str:
    return element.findtext(f"{{{NAMESPACE}}}{name}") or ""


# --- MTOM, as it is read and answered


@pytest.mark.parametrize("proof", ["basic", "token"])
@pytest.mark.parametrize("version", ENVELOPES)
def test_mtom_is_answered_in_kind_with_the_same_bytes(stand: Stand, version: Version, proof: str) -> None:
    """Documents of 5 MB that end in CRLF and hold letters beyond ASCII."""
    document = stand.document().document + f"<!--{'æøå' * 800_000}-->\r\n".encode()
    header = token(stand) if proof == "token" else ""
    headers, content = multipart(document, submission(), version=version, header=header)
    sent = parts(stand.post(content, headers, plain=proof == "token"))
    own = _text(next(iter(sent)), "messageId")

    header = token(stand, NURSES) if proof == "token" else ""
    fetch = f"<h:FetchMessage><h:messageId>{own}</h:messageId></h:FetchMessage>"
    headers, content = multipart(b"unused", fetch, version=version, header=header)
    asked = stand.post(content, headers, system=NURSES, plain=proof == "token")
    fetched = parts(asked)
    assert document in fetched.values()
    plain = stand.post(envelope(fetch, version), {"Content-Type": MEDIA[version]}, system=NURSES)
    assert base64.b64decode(_text(result(plain, version), "document")) == document


def token(stand: Stand, system: str = DOCTORS, kind: str = "PasswordText", more: str = "", key: str = "") -> str:
    """A WS-Security header as WSS4J writes it."""
    name = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#" + kind
    return (
        f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" s:mustUnderstand="1">{more}<wsse:UsernameToken '
        f'wsu:Id="t"><wsse:Username>{system}</wsse:Username><wsse:Password Type="{name}">{key or stand.key(system)}'
        "</wsse:Password><wsse:Nonce>YWJj</wsse:Nonce><wsu:Created>2026-01-01T00:00:00Z</wsu:Created>"
        "</wsse:UsernameToken></wsse:Security>"
    )


def parts(reply: Reply) -> dict[etree._Element, bytes]:
    """A reply in MTOM: its result, and the bytes of each document by the element that it belongs into."""
    assert reply.status == 200, reply.body[:500]
    kind = reply.headers["content-type"]
    assert kind.startswith("multipart/related") and 'type="application/xop+xml"' in kind
    boundary = kind.partition('boundary="')[2].partition('"')[0].encode()
    found: dict[str, bytes] = {}
    for part in reply.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        own = next(line for line in head.decode().splitlines() if line.lower().startswith("content-id"))
        found[own.partition("<")[2].rstrip(">")] = content.removesuffix(b"\r\n")
    root = etree.fromstring(next(iter(found.values())))
    body = next(e for e in root if etree.QName(e).localname == "Body")
    told = {body[0][0]: b""}
    for include in root.iter("{http://www.w3.org/2004/08/xop/include}Include"):
        told[include.getparent()] = found[include.get("href", "").removeprefix("cid:")]
    return told


#: How others write what we send as multipart(): each is read.
SPELLINGS: Mapping[str, Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]]] = {
    "capitals": lambda h, b: ({"Content-Type": h["Content-Type"].replace("multipart/related", "Multipart/Related")}, b),
    "no start": lambda h, b: ({"Content-Type": h["Content-Type"].replace(' start="<root.message@client>";', "")}, b),
    "start without brackets": lambda h, b: (
        {"Content-Type": h["Content-Type"].replace('"<root.message@client>"', '"root.message@client"')},
        b,
    ),
    "root without Content-ID": lambda h, b: (
        {"Content-Type": h["Content-Type"].replace(' start="<root.message@client>";', "")},
        b.replace(b"\r\nContent-ID: <root.message@client>", b""),
    ),
    "no blanks after semicolons": lambda h, b: ({"Content-Type": h["Content-Type"].replace("; ", ";")}, b),
    "boundary without quotes": lambda h, b: (
        {"Content-Type": h["Content-Type"].replace("uuid:b", "uuidb").replace('"uuidb"', "uuidb")},
        b.replace(b"uuid:b", b"uuidb"),
    ),
    "start-info with an action": lambda h, b: (
        {
            "Content-Type": h["Content-Type"].replace(
                'start-info="text/xml"', 'start-info="text/xml; action=\\"urn:x\\""'
            )
        },
        b,
    ),
    "no line break before": lambda h, b: (h, b.removeprefix(b"\r\n")),
    "a line break behind": lambda h, b: (h, b + b"\r\n\r\n"),
    "a preamble": lambda h, b: (h, b"This is a MIME message." + b),
    "bare line feeds": lambda h, b: (h, b.replace(b"\r\n", b"\n")),
    "empty SOAPAction": lambda h, b: (h | {"SOAPAction": '""'}, b),
    "folded part header": lambda h, b: (
        h,
        b.replace(b"application/xop+xml; charset", b"application/xop+xml;\r\n charset"),
    ),
    "part in base64": lambda h, b: (
        h,
        b.replace(
            b"application/octet-stream\r\nContent-Transfer-Encoding: binary",
            b"application/octet-stream\r\nContent-Transfer-Encoding: base64",
        ),
    ),
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_every_spelling_of_a_multipart_is_read(stand: Stand, how: str) -> None:
    """As CXF, the RI, Axis2, Spring-WS and .NET write it."""
    document = stand.document().document
    content = base64.encodebytes(document) if how == "part in base64" else document.replace(b"\r\n", b"\n")
    headers, body = SPELLINGS[how](*multipart(content, submission()))
    assert _text(next(iter(parts(stand.post(body, headers)))), "duplicate") == "false"


@pytest.mark.parametrize(
    ("content_id", "href"),
    [("d%3A1@urn", "d%253A1@urn"), ("d:1@urn:x", "d%3A1@urn%3Ax"), ("d%3A1@urn", "d%3A1@urn"), ("D@c", "D@c")],
)
def test_a_cid_is_found_however_it_is_escaped(stand: Stand, content_id: str, href: str) -> None:
    """RFC 2392: percent signs on one side or on both."""
    headers, body = multipart(stand.document().document, submission(), content_id=content_id, href=href)
    reply = stand.post(body, headers)
    assert reply.status == 200 or "names no part" in fault(reply, "request").reason
    assert reply.status == 200 or href == "d%253A1@urn"


def test_a_call_without_a_document_may_come_as_multipart(stand: Stand) -> None:
    """Toolkits with MTOM switched on write every call so; it is answered in kind."""
    headers, body = multipart(b"", PING)
    assert _text(next(iter(parts(stand.post(body, headers)))), "system") == DOCTORS


def _multi(change: Callable[[bytes], bytes], kind: str = "") -> tuple[dict[str, str], bytes]:
    headers, body = multipart(b"<x/>", submission())
    return ({"Content-Type": kind} if kind else headers), change(body)


TWIN = b"\r\n--uuid:b\r\nContent-ID: <doc@client>\r\n\r\nother\r\n--uuid:b--"
#: A multipart that is none → words of its fault.
BROKEN_PARTS = {
    "cut short": (_multi(lambda b: b[:-12]), "cut short"),
    "no boundary named": (_multi(lambda b: b, "multipart/related"), "boundary"),
    "another boundary": (_multi(lambda b: b, 'multipart/related; boundary="x"'), "does not occur"),
    "an endless boundary": (_multi(lambda b: b, f'multipart/related; boundary="{"x" * 300}"'), "boundary"),
    "start names nothing": (_multi(lambda b: b.replace(b"root.message@client", b"other")), "start"),
    "two of one name": (_multi(lambda b: b.replace(b"\r\n--uuid:b--", TWIN)), "same Content-ID"),
    "a type without an end": (_multi(lambda b: b, 'multipart/related; boundary="' + ";" * 30_000), "letters"),
    "cid names nothing": (_multi(lambda b: b.replace(b"<doc@client>", b"<other>")), "names no part"),
    "href is no cid": (_multi(lambda b: b.replace(b"cid:doc@client", b"http://127.0.0.1/")), "names no part"),
    "a multipart in it": (
        _multi(lambda b: b.replace(b"application/octet-stream", b"multipart/mixed; boundary=y")),
        "multipart itself",
    ),
    "quoted-printable": (
        _multi(lambda b: b.replace(b"Encoding: binary", b"Encoding: quoted-printable")),
        "Content-Transfer-Encoding",
    ),
    "no base64": (_multi(lambda b: b.replace(b"Encoding: binary", b"Encoding: base64")), "base64"),
    "a header without an end": (_multi(lambda b: b.replace(b"\r\n\r\n", b"\r\n")), "header"),
    "a thousand parts": (
        _multi(lambda b: b.replace(b"\r\n--uuid:b--", b"\r\n--uuid:b\r\n\r\nx" * 1000 + b"\r\n--uuid:b--")),
        "parts|cut short",
    ),
    "Include not alone": (_multi(lambda b: b.replace(b"<xop:Include", b"x<xop:Include")), "alone"),
    "Include where no document is": (
        _multi(lambda b: b.replace(b"<h:senderHerId>", b'<h:senderHerId><xop:Include xmlns:xop='
                                   b'"http://www.w3.org/2004/08/xop/include" href="cid:doc@client"/>')),
        "alone|contract",
    ),
    "empty": (({"Content-Type": 'multipart/related; boundary="uuid:b"'}, b""), "does not occur"),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN_PARTS)
def test_a_multipart_that_is_none_is_said(stand: Stand, how: str) -> None:
    """Never a fault of ours, never half of it taken."""
    (headers, body), words = BROKEN_PARTS[how]
    told = fault(stand.post(body, headers))
    assert told.soap == "Client" and any(one in told.reason for one in words.split("|")), told


# --- envelopes


DEEP = "<a>" * 5_000 + "</a>" * 5_000
UNSOUND: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "not-well-formed"),
    "text": (b"hallo", "not-well-formed"),
    "half": (envelope(PING)[:-20], "not-well-formed"),
    "a DOCTYPE": (envelope(PING).replace(b"?>", b'?><!DOCTYPE x SYSTEM "http://127.0.0.1:9/x">', 1), "xml-doctype"),
    "entities": (
        envelope(PING).replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>', 1),
        "xml-doctype",
    ),
    "UTF-16": (envelope(PING).decode().replace("UTF-8", "UTF-16").encode("utf-16"), "xml-encoding"),
    "another encoding": (envelope(PING).replace(b"UTF-8", b"EBCDIC-CP-BE"), "xml-encoding"),
    "letters of another encoding": (envelope("<h:Ping>@</h:Ping>").replace(b"@", b"\xff"), "not-well-formed"),
    "too deep": (envelope(DEEP), "xml-hostile"),
    "ten thousand namespaces": (
        envelope("".join(f'<a xmlns:p{n}="urn:{n}"/>' for n in range(10_000))),
        "xml-hostile",
    ),
    "another root": (b"<html/>", "request"),
    "SOAP of tomorrow": (envelope(PING).replace(b"schemas.xmlsoap.org/soap/envelope", b"example.org/soap"), "request"),
    "no Body": (b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>', "request"),
    "an empty Body": (envelope(""), "request"),
    "two operations": (envelope(PING + PING), "request"),
    "two Bodies": (envelope(PING).replace(b"</s:Body>", b"</s:Body><s:Body/>"), "request"),
    "an operation of nobody": (envelope("<h:Format/>"), "request"),
    "a reply": (envelope("<h:PingResponse/>"), "request"),
    "no namespace": (envelope("<Ping/>"), "request"),
    "a fault": (envelope("<s:Fault><faultcode>s:Client</faultcode><faultstring>x</faultstring></s:Fault>"), "request"),
    "rpc": (envelope('<h:Ping s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><h:x/></h:Ping>'), "request"),
    "a member twice": (envelope("<h:FetchMessage>" + f"<h:messageId>{uuid4()}</h:messageId>" * 2 + "</h:FetchMessage>"), "request"),
    "a member too few": (envelope("<h:FetchMessage/>"), "request"),
    "no id": (envelope("<h:FetchMessage><h:messageId>1</h:messageId></h:FetchMessage>"), "request"),
    "a number that is none": (
        envelope("<h:ListMessages><h:herId>Testesen</h:herId></h:ListMessages>"),
        "request",
    ),
    "a number beyond": (envelope(f"<h:ListMessages><h:herId>{'9' * 5000}</h:herId></h:ListMessages>"), "request"),
    "zero": (envelope("<h:ListMessages><h:herId>0</h:herId></h:ListMessages>"), "request"),
    "1501 HER-ids": (envelope("<h:ListMessages>" + "<h:herId>1</h:herId>" * 1501 + "</h:ListMessages>"), "request"),
    "a status of nobody": (
        envelope(f"<h:SubmitAppRec><h:messageId>{uuid4()}</h:messageId><h:herId>1</h:herId><h:status>Maybe</h:status></h:SubmitAppRec>"),
        "request",
    ),
    "no base64": (envelope(submission("æ")), "request"),
    "half a base64": (envelope(submission("QUJ")), "request"),
    "elements in base64": (envelope(submission("<b>QUJD</b>")), "request"),
    "no document": (envelope(submission("")), "document-malformed"),
}  # fmt: skip


@pytest.mark.parametrize("how", UNSOUND)
@pytest.mark.parametrize("version", ENVELOPES)
def test_what_is_no_request_is_said(stand: Stand, version: Version, how: str) -> None:
    """By HTTP 500 in both versions (at 400 toolkits lose it), as the sender's mistake, with its code."""
    content, code = UNSOUND[how]
    content = content.replace(ENVELOPES["1.1"].encode(), ENVELOPES[version].encode())
    told = fault(stand.post(content, {"Content-Type": MEDIA[version]}), code)
    assert told.soap in ("Client", "Sender", "VersionMismatch") and "Testesen" not in str(told)
    assert not told.try_again and told.reason


GOOD: Mapping[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + envelope(PING),
    "no declaration": envelope(PING).partition(b"?>")[2],
    "ISO-8859-1": envelope(f"<h:Ping/><!-- {chr(230)} -->").decode().replace("UTF-8", "ISO-8859-1").encode("latin-1"),
    "comments and instructions": envelope("<!-- a --><?b c?><h:Ping><!-- d --><?e f?></h:Ping><!-- g -->"),
    "blanks": envelope("\n  \t<h:Ping>\r\n</h:Ping>\n"),
    "another prefix": envelope(f'<Ping xmlns="{NAMESPACE}"/>'),
    "an unknown header": envelope(PING, header='<x:Trace xmlns:x="urn:x">1</x:Trace>'),
    "a header for another": envelope(
        PING, header='<x:Trace xmlns:x="urn:x" s:mustUnderstand="1" s:actor="http://example.org/other"/>'
    ),
}


def test_a_namespace_may_be_declared_on_every_element(stand: Stand) -> None:
    """As some toolkits write it; a call may name so many."""
    ids = "".join(f'<n:messageId xmlns:n="{NAMESPACE}">{uuid4()}</n:messageId>' for _ in range(1_000))
    body = f"<h:ConfirmMessages><h:herId>{NURSING.her_id}</h:herId>{ids}</h:ConfirmMessages>"
    assert len(result(stand.post(envelope(body), system=NURSES)).findall(f"{{{NAMESPACE}}}refused")) == 1_000


@pytest.mark.parametrize("how", GOOD)
def test_what_is_odd_but_right_is_taken(stand: Stand, how: str) -> None:
    """XML and SOAP leave it to the writer."""
    assert _text(result(stand.post(GOOD[how])), "system") == DOCTORS


@pytest.mark.parametrize(
    "kind",
    ["text/xml", 'text/xml; charset="utf-8"', "TEXT/XML;charset=UTF-8", "application/soap+xml; action=\"urn:x\"", "application/xml"],
)  # fmt: skip
def test_the_version_is_that_of_the_envelope(stand: Stand, kind: str) -> None:
    """The Content-Type may say the other one; the reply is as the envelope was."""
    assert _text(result(stand.post(envelope(PING), {"Content-Type": kind})), "system") == DOCTORS
    reply = stand.post(envelope(PING, "1.2"), {"Content-Type": kind})
    assert _text(result(reply, "1.2"), "system") == DOCTORS


@pytest.mark.parametrize(
    "kind", ["", "application/json", "text/plain", "multipart/form-data; boundary=x", "text/xml\tx"]
)
def test_another_content_type_is_said(stand: Stand, kind: str) -> None:
    """With the two that are taken."""
    reply = stand.post(envelope(PING), {"Content-Type": kind})
    assert reply.status == 200 or "application/soap+xml" in fault(reply, "content-type").reason


# --- headers


@pytest.mark.parametrize("version", ENVELOPES)
def test_a_header_that_must_be_understood_is_a_fault_of_its_own(stand: Stand, version: Version) -> None:
    """SOAP 1.1 4.2.3, SOAP 1.2 part 1 5.2.3."""
    for written in ("1", "true") if version == "1.2" else ("1",):
        header = f'<x:Transaction xmlns:x="urn:x" s:mustUnderstand="{written}">1</x:Transaction>'
        told = fault(stand.post(envelope(PING, version, header), {"Content-Type": MEDIA[version]}))
        assert told.soap == "MustUnderstand" and "Transaction" in told.reason


def _blocks(reply: Reply) -> dict[str, str]:
    root = etree.fromstring(reply.body)
    header = next((e for e in root if etree.QName(e).localname == "Header"), ())
    return {etree.QName(e).localname: "".join(e.itertext()) for one in header for e in one.iter()}


@pytest.mark.parametrize("version", ENVELOPES)
def test_addressing_goes_back_to_who_sent_it_and_to_nobody_else(stand: Stand, version: Version) -> None:
    """In replies and in faults: clients refuse either without it, and call it an error where they sent none."""
    head = "".join(
        f'<a:{name} xmlns:a="{WSA}" s:mustUnderstand="1">{text}</a:{name}>'
        for name, text in (
            ("Action", "urn:x"),
            ("MessageID", "urn:uuid:1"),
            ("ReplyTo", f"<a:Address>{WSA}/anonymous</a:Address>"),
            ("FaultTo", f"<a:Address>{WSA}/anonymous</a:Address>"),
        )
    )
    kind = {"Content-Type": MEDIA[version]}
    good, bad = (stand.post(envelope(body, version, head), kind) for body in (PING, "<h:Nothing/>"))
    assert (good.status, bad.status) == (200, 500)
    assert {**_blocks(good), "MessageID": ""} == {
        "Action": f"{NAMESPACE}/PingResponse",
        "MessageID": "",
        "RelatesTo": "urn:uuid:1",
        "To": f"{WSA}/anonymous",
    }
    assert (_blocks(bad)["Action"], _blocks(bad)["RelatesTo"]) == (f"{NAMESPACE}/HubException", "urn:uuid:1")
    assert _blocks(stand.post(envelope(PING, version), kind)) == {}


@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
def test_a_reply_goes_nowhere_else(stand: Stand, name: str) -> None:
    """Nobody can make the hub call an address."""
    elsewhere = f'<a:{name} xmlns:a="{WSA}"><a:Address>http://127.0.0.1:9/</a:Address></a:{name}>'
    identified = f'<a:MessageID xmlns:a="{WSA}">urn:uuid:2</a:MessageID>'
    reply = stand.post(envelope(PING, header=elsewhere + identified))
    assert name in fault(reply, "request").reason
    assert _blocks(reply)["RelatesTo"] == "urn:uuid:2"


STAMP = "<wsu:Timestamp wsu:Id='s'><wsu:Created>{}</wsu:Created><wsu:Expires>{}</wsu:Expires></wsu:Timestamp>"


def test_a_timestamp_goes_back_to_who_sent_one(stand: Stand) -> None:
    """Clients that verify refuse a reply without; it stands in faults too, and never with mustUnderstand."""
    now = stand.world.clock.now()
    fresh = STAMP.format(now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), now.replace(year=now.year + 1).isoformat())
    for body, status in ((PING, 200), ("<h:Nothing/>", 500)):
        reply = stand.post(envelope(body, header=token(stand, more=fresh)), plain=True)
        assert reply.status == status
        assert _blocks(reply)["Created"] < _blocks(reply)["Expires"] and b"mustUnderstand" not in reply.body


@pytest.mark.parametrize(
    ("created", "expires", "words"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:05:00Z", "expired"),
        ("2090-01-01T00:00:00Z", "2090-01-01T00:05:00Z", "future"),
        ("i går", "i morgen", "no date"),
    ],
)
def test_a_timestamp_out_of_its_time_is_refused(stand: Stand, created: str, expires: str, words: str) -> None:
    """With what to look at."""
    reply = stand.post(envelope(PING, header=token(stand, more=STAMP.format(created, expires))), plain=True)
    assert words in fault(reply, "request").reason


# --- who calls


def test_who_names_nobody_is_challenged(stand: Stand) -> None:
    """Some toolkits send Basic only then; the body is a typed fault all the same."""
    basic = [
        {},
        {"Authorization": "Basic x"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic " + base64.b64encode(b"legesenter:feil").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"ingen:feil").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"legesenter").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()},
    ]
    for headers in basic:
        reply = stand.post(envelope(PING), headers, plain=True)
        fault(reply, "unauthorized", 401)
        assert reply.headers["www-authenticate"].startswith('Basic realm="samhub"')


@pytest.mark.parametrize("version", ENVELOPES)
def test_a_wrong_token_is_a_fault(stand: Stand, version: Version) -> None:
    """By 500: nobody asked for HTTP Basic; and a digest, which cannot be checked, is refused with words."""
    kind = {"Content-Type": MEDIA[version]}
    for header, words in (
        (token(stand, key="feil"), "names no record system"),
        (token(stand, system="ingen", key="feil"), "names no record system"),
        (token(stand, kind="PasswordDigest"), "PasswordDigest cannot be checked"),
        (token(stand).replace("Password>", "Passord>").replace("<wsse:Password ", "<wsse:Passord "), "PasswordText"),
    ):
        told = fault(stand.post(envelope(PING, version, header), kind, plain=True), "unauthorized")
        assert words in told.reason and stand.key() not in str(told)


def test_basic_and_token_of_two_systems_are_refused(stand: Stand) -> None:
    """Nobody speaks for two at once."""
    fault(stand.post(envelope(PING, header=token(stand, NURSES)), system=DOCTORS), "unauthorized")
    assert stand.post(envelope(PING, header=token(stand))).status == 200


def test_what_is_not_checked_does_not_count(stand: Stand) -> None:
    """A signature that nobody verifies would look as if it proved something."""
    signature = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'
    reply = stand.post(envelope(PING, header=token(stand, more=signature)), plain=True)
    assert "Signature" in fault(reply, "unauthorized").reason


# --- the wire


def test_compressed_requests_are_taken_within_the_bound(stand: Stand) -> None:
    """RFC 9110 8.4; what unpacks to more is refused as too large, and no more of it is unpacked."""
    for name, pack in (("gzip", gzip.compress), ("deflate", zlib.compress), ("x-gzip", gzip.compress)):
        assert stand.post(pack(envelope(PING)), {"Content-Encoding": name}).status == 200
    assert fault(stand.post(envelope(PING), {"Content-Encoding": "gzip"}), "request").soap == "Client"
    assert fault(stand.post(envelope(PING), {"Content-Encoding": "br"}), "content-coding").hint
    bomb = gzip.compress(envelope(PING) + b" " * 200_000_000)
    assert len(bomb) < 300_000
    fault(stand.post(bomb, {"Content-Encoding": "gzip"}), "too-large")


def test_a_document_that_is_too_large_is_said(stand: Stand) -> None:
    """Whole, and by the code that the register has for it."""
    fault(stand.post(envelope(submission("A" * 12_000_000))), "too-large")
    fault(stand.post(envelope(submission(base64.b64encode(b"x" * 6_100_000).decode()))), "too-large")


def test_a_request_that_breaks_off_harms_nobody(stand: Stand) -> None:
    """The next one on another connection is answered; nothing of the first is taken."""
    content = envelope(submission(base64.b64encode(stand.document().document).decode()))
    found = urlsplit(stand.door)
    head = f"POST {found.path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(content)}\r\n\r\n"
    for part in (content[:100], content[: len(content) // 2], content[:-1]):
        with socket.create_connection((found.hostname, found.port)) as line:
            line.sendall(head.encode() + part)
    assert stand.post(envelope(PING)).status == 200


@pytest.mark.parametrize("pieces", [1, 7])
def test_chunks_expect_and_keep_alive(stand: Stand, pieces: int) -> None:
    """RFC 9112 7.1, RFC 9110 10.1.1: Axis2 sends chunks always, .NET waits for 100; two requests on one connection."""
    content, found = envelope(PING), urlsplit(stand.door)
    pair = base64.b64encode(f"{DOCTORS}:{stand.key()}".encode()).decode()
    head = f"POST {found.path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nAuthorization: Basic {pair}\r\n"
    step = -(-len(content) // pieces)
    chunks = [content[i : i + step] for i in range(0, len(content), step)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    with socket.create_connection((found.hostname, found.port), timeout=10) as line:
        for _ in range(2):
            line.sendall(f"{head}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n".encode())
            assert line.recv(100).startswith(b"HTTP/1.1 100")
            line.sendall(body)
            answer = line.recv(65_536)
            while b"Envelope>" not in answer:
                answer += line.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200") and b"PingResponse" in answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_another_method_is_405(stand: Stand, method: str) -> None:
    """No SOAP is spoken by it, so plain HTTP answers."""
    import requests

    reply = requests.request(method, stand.door, timeout=10)
    assert reply.status_code == 405 and {"GET", "POST"} <= set(reply.headers["allow"].replace(",", " ").split())


def test_what_nobody_foresaw_tells_nothing_and_is_in_the_log(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, log: list[dict[str, object]]
) -> None:
    """A fault of ours, by its own code, with the request id that the log has too."""

    async def broken(*_: object) -> None:
        raise RuntimeError("hemmelig innhold")

    monkeypatch.setattr(stand.world.hub.systems, "status", broken)
    monkeypatch.setattr(stand.world.hub.systems, "message", broken)
    reply = stand.post(envelope(f"<h:GetMessageStatus><h:messageId>{uuid4()}</h:messageId></h:GetMessageStatus>"))
    told = fault(reply, "unforeseen")
    assert told.soap == "Server" and b"hemmelig" not in reply.body
    assert [one["kind"] for one in log if one["event"] == "unforeseen"] == ["RuntimeError"]
    assert "hemmelig" not in str(log)


def test_a_document_at_fault_is_told_with_every_place(stand: Stand) -> None:
    """Line, column, what is wrong, in the language that is asked for."""
    document = stand.document().document.replace(b"<MsgId>", b"<Tull/><MsgId>").replace(b"<GenDate>", b"<Gen>")
    content = envelope(submission(base64.b64encode(document).decode()))
    told = fault(stand.post(content, {"Accept-Language": "nb"}))
    assert told.places and all(where.startswith("linje ") for where, _ in told.places)


def test_while_nothing_is_taken_a_submission_may_come_again(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """tryAgain, as a fault of the server's; nothing is kept."""
    from hub.message import Answer

    async def full() -> Answer:
        return Answer(503, {}, b"", "disk-full", "no room")

    monkeypatch.setattr(stand.world.hub.systems, "_full", full)
    content = envelope(submission(base64.b64encode(stand.document().document).decode()))
    told = fault(stand.post(content), "disk-full")
    assert told.try_again and told.soap == "Server"


MINIMAL = {
    "Ping": PING,
    "GetMessageStatus": "<h:GetMessageStatus><h:messageId>{id}</h:messageId></h:GetMessageStatus>",
    "ListMessages": "<h:ListMessages><h:herId>{her}</h:herId></h:ListMessages>",
    "FetchMessage": "<h:FetchMessage><h:messageId>{id}</h:messageId></h:FetchMessage>",
    "ConfirmMessages": "<h:ConfirmMessages><h:herId>{her}</h:herId><h:messageId>{id}</h:messageId></h:ConfirmMessages>",
    "SubmitAppRec": (
        "<h:SubmitAppRec><h:messageId>{id}</h:messageId><h:herId>{her}</h:herId><h:status>Ok</h:status></h:SubmitAppRec>"
    ),
    "GetEvents": "<h:GetEvents><h:herId>{her}</h:herId><h:afterOffset>0</h:afterOffset></h:GetEvents>",
}


@pytest.mark.parametrize("proof", ["basic", "token"])
@pytest.mark.parametrize("version", ENVELOPES)
def test_every_operation_may_come_as_multipart(stand: Stand, version: Version, proof: str) -> None:
    """And is answered so; after the submission, which has a test of its own."""
    headers, content = multipart(stand.document().document, submission(), version=version)
    own = _text(next(iter(parts(stand.post(content, headers)))), "messageId")
    for name, body in MINIMAL.items():
        header = token(stand, NURSES) if proof == "token" else ""
        headers, content = multipart(b"", body.format(id=own, her=NURSING.her_id), version=version, header=header)
        told = parts(stand.post(content, headers, system=NURSES, plain=proof == "token"))
        assert etree.QName(next(iter(told)).getparent()).localname == f"{name}Response"
