"""SOAP 1.1 and 1.2 around the contract: a request taken out of its envelope, a reply or a fault put into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml import etree

from adapters.soap import headers, package, values
from adapters.soap.contract import Contract
from adapters.soap.headers import Asked
from adapters.soap.package import Package
from adapters.soap.port import Place, Refused
from adapters.soap.values import Meant, Written
from adapters.soap.wsdl import FAULT
from hub.formats import xml
from hub.formats.envelope_write import escape_text

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
KINDS = {SOAP_11: "text/xml", SOAP_12: "application/soap+xml"}
#: Depth and attributes of an envelope: the documents in it are base64, so it is small. Some toolkits declare the namespace
#: on every element, of which 1,500 HER-ids are as many; how many are in force at one place is bounded all the same.
DEEPEST, MOST_EQUALS = 60, 10_000
#: XmlFault reasons → a code of the register.
_XML = {
    "not-well-formed": "not-well-formed",
    "empty": "not-well-formed",
    "doctype": "xml-doctype",
    "encoding": "xml-encoding",
}


@dataclass(slots=True)
class Exchange:
    """One request and what a reply to it must know; filled as it is read, so that a fault fits as far as it was read."""

    soap: str = SOAP_11
    asked: Asked = field(default_factory=Asked)
    mtom: bool = False


def opened(found: Package, exchange: Exchange, now: datetime, most: int) -> etree._Element:
    """The one element in the Body. Raises Refused for what is no SOAP, or asks for what is not done here."""
    exchange.mtom = found.mtom
    root = xml.parse(found.envelope, xml.Bounds(most, None, MOST_EQUALS, DEEPEST))
    if isinstance(root, xml.XmlFault):
        code = _XML.get(root.reason, "xml-hostile")
        places = (Place(f"line {root.line}:{root.column}", root.said or root.text),) if root.line else ()
        raise Refused(
            code, f"the envelope cannot be read: {root.text}", "Send well-formed XML in UTF-8.", places=places
        )
    space, _, name = str(root.tag).rpartition("}")
    if name != "Envelope" or space[1:] not in KINDS:
        text = "the root is an Envelope neither of SOAP 1.1 nor of SOAP 1.2"
        raise Refused("request", text, "See ?wsdl for SOAP 1.1, ?wsdl=12 for 1.2.", soap="VersionMismatch")
    exchange.soap = space[1:]
    return _body(root, exchange, now)


def _body(root: etree._Element, exchange: Exchange, now: datetime) -> etree._Element:
    space = f"{{{exchange.soap}}}"
    names = [str(child.tag) for child in root]
    if names.count(f"{space}Body") != 1 or names.count(f"{space}Header") > 1:
        raise Refused("request", "an Envelope has one Body, and at most one Header before it")
    if f"{space}Header" in names:
        headers.read(root[names.index(f"{space}Header")], exchange.soap, exchange.asked, now)
    body = root[names.index(f"{space}Body")]
    if len(body) != 1:
        text = f"the Body holds {len(body)} elements; it holds the one of an operation"
        raise Refused("request", text, "Document/literal wrapped: see ?wsdl.")
    return body[0]


def asked(element: etree._Element, found: Package, contract: Contract, meant: Meant) -> tuple[str, dict[str, Any]]:
    """The operation and its values; `meant` knows the texts that were lifted out."""
    return values.request(element, contract, package.documents(element, found.parts) if found.mtom else {}, meant)


def reply(
    exchange: Exchange, contract: Contract, name: str, result: Mapping[str, Any], now: datetime
) -> tuple[str, bytes]:
    """Content-Type and bytes; in MTOM where the request was. Raises ValueError where the contract would be broken."""
    response = f"{name}Response"
    made = Written(contract, {} if exchange.mtom else None).element(response, {"result": result})
    made.as_agreed()
    content = _enveloped(exchange, contract.action(response), made.content(), now)
    kind = KINDS[exchange.soap]
    if made.attached is None:
        return f"{kind}; charset=utf-8", content
    return package.written(content, kind, made.attached)


def fault(
    exchange: Exchange, contract: Contract, refused: Refused, request_id: str, now: datetime
) -> tuple[str, bytes]:
    """Content-Type and bytes of the contract's one fault, never in MTOM."""
    told = {
        "code": refused.code,
        "reason": refused.reason,
        "hint": refused.hint or None,
        "tryAgain": refused.try_again,
        "errorCode": refused.error_code,
        "requestId": request_id,
        "place": [{"where": one.where, "what": one.what} for one in refused.places],
    }
    detail = Written(contract).element("HubFault", told).content()
    made = (_fault_11 if exchange.soap == SOAP_11 else _fault_12)(refused, detail)
    return f"{KINDS[exchange.soap]}; charset=utf-8", _enveloped(exchange, contract.action(FAULT), made, now)


def _fault_11(refused: Refused, detail: bytes) -> bytes:
    """SOAP 1.1, 4.4: the children have no namespace."""
    code = refused.soap or ("Client" if refused.client_fault else "Server")
    said = escape_text(values.text(refused.reason))
    head = f"<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{said}</faultstring><detail>"
    return b"".join((head.encode(), detail, b"</detail></soap:Fault>"))


def _fault_12(refused: Refused, detail: bytes) -> bytes:
    """SOAP 1.2 part 1, 5.4."""
    code = refused.soap or ("Sender" if refused.client_fault else "Receiver")
    said = escape_text(values.text(refused.reason))
    reason = f'<soap:Reason><soap:Text xml:lang="{refused.language}">{said}</soap:Text></soap:Reason>'
    head = f"<soap:Fault><soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>{reason}<soap:Detail>"
    return b"".join((head.encode(), detail, b"</soap:Detail></soap:Fault>"))


def _enveloped(exchange: Exchange, action: str, body: bytes, now: datetime) -> bytes:
    head = headers.written(exchange.soap, exchange.asked, action, now)
    begun = f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{exchange.soap}">'
    return b"".join((begun.encode(), head, b"<soap:Body>", body, b"</soap:Body></soap:Envelope>"))
