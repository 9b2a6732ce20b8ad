"""A SOAP Fault is read by its faultcode, as a QName, and its words are fit to be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.formats import fault
from hub.formats.fault import SOAP, SOAP12, Fault
from hub.formats.words import LONGEST, SAID, quoted, unsaid


def written(code: str, text: str = "no", *, more: str = "", detail: str = "") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" {more}><s:Body><s:Fault><faultcode>{code}</faultcode>'
        f"<faultstring>{text}</faultstring>{detail}</s:Fault></s:Body></s:Envelope>"
    ).encode()


#: faultcode → what it says, and whether for good.
CODES = {
    "s:Client": ("Client", True),
    "s:Server": ("Server", False),
    " \n s:Client \t": ("Client", True),
    "Client": ("Client", True),
    "Server": ("Server", False),
    "s:Client.Authentication": ("Client", True),
    "s:Server.Client": ("Server", False),
    "s:MustUnderstand": ("MustUnderstand", True),
    "s:VersionMismatch": ("VersionMismatch", True),
    "s:Receiver": ("Server", False),
    "o:Client": ("", False),
    "unbound:Client": ("", False),
    "s:HttpClient": ("HttpClient", False),
    "s:client": ("client", False),
    "": ("", False),
}


@pytest.mark.parametrize("code", CODES)
def test_the_faultcode_is_a_qname(code: str) -> None:
    found = fault.read(written(code, more='xmlns:o="urn:other"'))
    assert found is not None and (found.code, found.for_good) == CODES[code]


@pytest.mark.parametrize(
    "text", ["HttpClient failed", "&lt;faultcode>s:Client&lt;/faultcode>", "Client</", "soap:Client"]
)
def test_words_make_no_code(text: str) -> None:
    """A Server fault about a client of its own, as one is written in the wild."""
    found = fault.read(written("s:Server", text.replace("</", "&lt;/")))
    assert found is not None and found.code == "Server"


def test_prefixes_are_as_the_writer_likes() -> None:
    for prefix in ("SOAP-ENV", "soapenv", "env"):
        body = written("x").replace(b"<s:", f"<{prefix}:".encode()).replace(b"</s:", f"</{prefix}:".encode())
        body = body.replace(b"xmlns:s=", f"xmlns:{prefix}=".encode()).replace(b">x<", f">{prefix}:Client<".encode())
        assert fault.read(body) == Fault("Client", "no")


def test_soap_1_2_is_understood() -> None:
    for code, expected in (("Sender", "Client"), ("Receiver", "Server")):
        body = (
            f'<e:Envelope xmlns:e="{SOAP12}"><e:Body><e:Fault><e:Code><e:Value>e:{code}</e:Value></e:Code>'
            "<e:Reason><e:Text>not so</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>"
        )
        assert fault.read(body.encode()) == Fault(expected, "not so")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Fault> http://schemas.xmlsoap.org/soap/envelope/</html>",
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body/></s:Envelope><!-- Fault -->'.encode(),
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><Fault/></s:Body></s:Envelope>'.encode(),
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><x><s:Fault/></x></s:Body></s:Envelope>'.encode(),
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + written("s:Client"),
        written("s:Client")[:-4],
        written("s:Client", detail="<a>" * 300 + "</a>" * 300),
        written("s:Client") + b" " * 2_000_000 + b"<!-- -->",
    ],
)
def test_what_is_no_fault_or_not_within_bounds_is_none(body: bytes) -> None:
    assert fault.read(body) is None


def test_what_we_write_is_read() -> None:
    for code in ("Client", "Server"):
        assert fault.read(fault.write(code, "said <so> & thus")) == Fault(code, "said <so> & thus")


def test_in_an_answer_it_is_found_whatever_it_is_labelled_as() -> None:
    body = written("s:Client")
    package = b"--b\r\nContent-Type: text/xml\r\n\r\n" + body + b"\r\n--b--\r\n"
    for headers, content in (
        ({"Content-Type": "text/xml; charset=utf-8"}, body),
        ({"Content-Type": "application/soap+xml"}, body),
        ({"Content-Type": "text/html"}, body),
        ({}, body),
        ({}, b"\r\n" + body),
        ({"Content-Type": 'multipart/related; boundary="b"'}, package),
    ):
        assert fault.answered(headers, content) == Fault("Client", "no")


def test_the_detail_is_never_quoted_and_words_are_short_clean_and_nobodys() -> None:
    """The detail may hold a whole document; a number of a person is left out."""
    text = "Ola 01815000036 &#x202e;gal&#x85;\nto " + "x" * 5_000
    found = fault.read(written("s:Server", text, detail="<detail>Testesen</detail>"))
    assert found is not None
    assert found.text.startswith("Ola (a number) gal to x") and found.text.endswith("…")
    assert len(found.text) == LONGEST and "Testesen" not in found.words


@given(st.text(), st.integers(1, 300))
def test_a_quotation_is_one_short_printable_line(text: str, longest: int) -> None:
    found = quoted(text, longest)
    assert len(found) <= longest and (found.isprintable() or not found)
    assert quoted(found, longest) == found


def test_ids_and_her_ids_are_no_persons_numbers() -> None:
    text = "8000102_8000202 for 12345678-0000-4000-8000-123456789012, org 999000053, HER-id 80001"
    assert quoted(text) == text


def test_what_the_partner_said_can_be_left_out() -> None:
    assert unsaid(f"handed over 3 times{SAID}Ola{SAID}Kari") == "handed over 3 times"
