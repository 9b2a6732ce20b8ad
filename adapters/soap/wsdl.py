"""The WSDL 1.1 of a contract: document/literal wrapped, its schema inline, one port, one fault for all, every action said.

One port for each WSDL: toolkits that find two ask their users for an endpoint's name, or leave both out.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Literal

from lxml import etree

from adapters.soap.contract import Contract

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP = {"1.1": "http://schemas.xmlsoap.org/wsdl/soap/", "1.2": "http://schemas.xmlsoap.org/wsdl/soap12/"}
#: WS-Addressing 1.0 Metadata, 4.4: what wsa:Action a message has.
ACTION = "{http://www.w3.org/2007/05/addressing/metadata}Action"
FAULT = "HubException"
PORT_TYPE, BINDING, SERVICE = "RecordSystem", "RecordSystemBinding", "SamhandlingHub"
Version = Literal["1.1", "1.2"]


def wsdl(contract: Contract, address: str, version: Version) -> bytes:
    """The document; `address` is where clients find the door from outside."""
    spaces = {
        "wsdl": WSDL,
        "soap": SOAP[version],
        "wsam": ACTION[1:].partition("}")[0],
        "h": contract.namespace,
    }
    root = etree.Element(_tag("definitions"), {"name": SERVICE, "targetNamespace": contract.namespace}, nsmap=spaces)
    _add(root, "types").append(deepcopy(contract.root))
    _message(root, FAULT, "fault", "HubFault")
    for name in contract.operations:
        _message(root, f"{name}Request", "parameters", name)
        _message(root, f"{name}Reply", "parameters", f"{name}Response")
    _port_type(root, contract)
    _binding(root, contract, version)
    port = _add(_add(root, "service", name=SERVICE), "port", name=f"{PORT_TYPE}Port", binding=f"h:{BINDING}")
    etree.SubElement(port, f"{{{SOAP[version]}}}address", {"location": address})
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _message(root: etree._Element, name: str, part: str, element: str) -> None:
    _add(_add(root, "message", name=name), "part", name=part, element=f"h:{element}")


def _port_type(root: etree._Element, contract: Contract) -> None:
    port_type = _add(root, "portType", name=PORT_TYPE)
    for name, purpose in contract.operations.items():
        operation = _add(port_type, "operation", name=name)
        if purpose:
            _add(operation, "documentation").text = purpose
        for kind, message, action in (("input", "Request", name), ("output", "Reply", f"{name}Response")):
            _add(operation, kind, message=f"h:{name}{message}").set(ACTION, contract.action(action))
        _add(operation, "fault", name=FAULT, message=f"h:{FAULT}").set(ACTION, contract.action(FAULT))


def _binding(root: etree._Element, contract: Contract, version: Version) -> None:
    soap = f"{{{SOAP[version]}}}"
    binding = _add(root, "binding", name=BINDING, type=f"h:{PORT_TYPE}")
    transport = "http://schemas.xmlsoap.org/soap/http"
    etree.SubElement(binding, f"{soap}binding", {"style": "document", "transport": transport})
    for name in contract.operations:
        operation = _add(binding, "operation", name=name)
        etree.SubElement(operation, f"{soap}operation", {"soapAction": contract.action(name), "style": "document"})
        for kind in ("input", "output"):
            etree.SubElement(_add(operation, kind), f"{soap}body", {"use": "literal"})
        fault = _add(operation, "fault", name=FAULT)
        etree.SubElement(fault, f"{soap}fault", {"name": FAULT, "use": "literal"})


def _add(parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, _tag(tag), attributes)


def _tag(name: str) -> str:
    return f"{{{WSDL}}}{name}"
