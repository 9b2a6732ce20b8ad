"""SOAP 1.1 Faults: the answer to what cannot be read or addressed (HITS 1172 4.2.2)."""

from __future__ import annotations

import re
from typing import Literal

from hub.formats.envelope_write import escape_text


def write(code: Literal["Client", "Server"], text: str) -> bytes:
    """A Fault; `text` is for people and holds no content."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Body><SOAP:Fault>'
        f"<faultcode>SOAP:{code}</faultcode><faultstring>{escape_text(text)}</faultstring>"
        "</SOAP:Fault></SOAP:Body></SOAP:Envelope>"
    ).encode()


_CODE = re.compile(rb"<(?:[\w.-]+:)?faultcode[^>]*>\s*(?:[\w.-]+:)?(\w+)")


def read(body: bytes) -> str | None:
    """The faultcode's last word (`Client`, `Server`, …) of a SOAP 1.1 Fault; None when there is no Fault in the bytes."""
    if b"schemas.xmlsoap.org/soap/envelope" not in body or b"Fault>" not in body:
        return None
    found = _CODE.search(body)
    return found.group(1).decode("ascii", "replace") if found else ""
