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
from adapters.soap.wsdl import FAULT
from hub.formats import xml

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
KINDS = {SOAP_11: "text/xml", SOAP_12: "application/soap+xml"}
#: Elements, namespaces and attributes of an envelope: the documents in it are base64, so it is small.
BOUNDS = {"max_depth": 60, "max_xmlns": 200, "max_equals": 10_000}
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
    root = xml.parse(found.envelope, xml.Bounds(max_bytes=most, **BOUNDS))
    if isinstance(root, xml.XmlFault):
        code = _XML.get(root.reason, "xml-hostile")
        places = (Place(f"line {root.line}:{root.column}", root.said or root.text),) if root.line else ()
        raise Refused(
            code, f"the envelope cannot be read: {root.text}", "Send well-formed XML in UTF-8.", places=places
        )
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in KINDS:
        text = "the root is an Envelope neither of SOAP 1.1 nor of SOAP 1.2"
        raise Refused("request", text, "See ?wsdl for SOAP 1.1, ?wsdl=12 for 1.2.", soap="VersionMismatch")
    exchange.soap = str(name.namespace)
    return _body(root, exchange, now)


def _body(root: etree._Element, exchange: Exchange, now: datetime) -> etree._Element:
    soap = exchange.soap
    bodies = root.findall(f"{{{soap}}}Body")
    if len(bodies) != 1 or len(root.findall(f"{{{soap}}}Header")) > 1:
        raise Refused("request", "an Envelope has one Body, and at most one Header before it")
    headers.read(root.find(f"{{{soap}}}Header"), soap, exchange.asked, now)
    if len(bodies[0]) != 1:
        text = f"the Body holds {len(bodies[0])} elements; it holds the one of an operation"
        raise Refused("request", text, "Document/literal wrapped: see ?wsdl.")
    return bodies[0][0]


def asked(element: etree._Element, found: Package, contract: Contract) -> tuple[str, dict[str, Any]]:
    """The operation and its values."""
    return values.request(element, contract, package.documents(element, found.parts))


def reply(
    exchange: Exchange, contract: Contract, name: str, result: Mapping[str, Any], now: datetime
) -> tuple[str, bytes]:
    """Content-Type and bytes; in MTOM where the request was. Raises ValueError where the contract would be broken."""
    response = f"{name}Response"
    attached: dict[str, bytes] | None = {} if exchange.mtom else None
    root, body = _begun(exchange, contract.action(response), contract, now)
    made = etree.SubElement(body, contract.tag(response))
    values.write(made, contract.elements[response], {"result": result}, contract, attached)
    _as_agreed(made, contract)
    envelope = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    kind = KINDS[exchange.soap]
    if attached is None:
        return f"{kind}; charset=utf-8", envelope
    return package.written(envelope, kind, attached)


def _as_agreed(made: etree._Element, contract: Contract) -> None:
    """A reply is held to the contract as a request is; documents, which the schema would decode again, are left out."""
    shown = made
    if next(made.iter(*contract.binaries), None) is not None:
        shown = _without_documents(made, contract)
    if not contract.schema.validate(shown):
        error = contract.schema.error_log[0]
        raise ValueError(f"{etree.QName(made).localname}: {error.path} breaks the contract")


def _without_documents(made: etree._Element, contract: Contract) -> etree._Element:
    copied = etree.Element(made.tag, nsmap=made.nsmap)
    tags = frozenset(contract.binaries)
    waiting = [(made, copied)]
    while waiting:
        source, target = waiting.pop()
        for child in source:
            own = etree.SubElement(target, child.tag)
            if child.tag not in tags:
                own.text = child.text
                waiting.append((child, own))
    return copied


def fault(
    exchange: Exchange, contract: Contract, refused: Refused, request_id: str, now: datetime
) -> tuple[str, bytes]:
    """Content-Type and bytes of the contract's one fault, never in MTOM."""
    root, body = _begun(exchange, contract.action(FAULT), contract, now)
    made = etree.SubElement(body, f"{{{exchange.soap}}}Fault")
    detail = (_fault_11 if exchange.soap == SOAP_11 else _fault_12)(made, refused)
    told = {
        "code": refused.code,
        "reason": refused.reason,
        "hint": refused.hint or None,
        "tryAgain": refused.try_again,
        "errorCode": refused.error_code,
        "requestId": request_id,
        "place": [{"where": one.where, "what": one.what} for one in refused.places],
    }
    values.write(
        etree.SubElement(detail, contract.tag("HubFault")), contract.elements["HubFault"], told, contract, None
    )
    return f"{KINDS[exchange.soap]}; charset=utf-8", etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _fault_11(made: etree._Element, refused: Refused) -> etree._Element:
    """SOAP 1.1, 4.4: the children have no namespace."""
    code = refused.soap or ("Client" if refused.client_fault else "Server")
    etree.SubElement(made, "faultcode").text = f"soap:{code}"
    etree.SubElement(made, "faultstring").text = values.text(refused.reason)
    return etree.SubElement(made, "detail")


def _fault_12(made: etree._Element, refused: Refused) -> etree._Element:
    """SOAP 1.2 part 1, 5.4."""
    code = refused.soap or ("Sender" if refused.client_fault else "Receiver")
    etree.SubElement(etree.SubElement(made, f"{{{SOAP_12}}}Code"), f"{{{SOAP_12}}}Value").text = f"soap:{code}"
    reason = etree.SubElement(etree.SubElement(made, f"{{{SOAP_12}}}Reason"), f"{{{SOAP_12}}}Text")
    reason.text = values.text(refused.reason)
    reason.set("{http://www.w3.org/XML/1998/namespace}lang", refused.language)
    return etree.SubElement(made, f"{{{SOAP_12}}}Detail")


def _begun(exchange: Exchange, action: str, contract: Contract, now: datetime) -> tuple[etree._Element, etree._Element]:
    soap = exchange.soap
    root = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap, "h": contract.namespace})
    headers.written(root, soap, exchange.asked, action, now)
    return root, etree.SubElement(root, f"{{{soap}}}Body")
