"""SOAP for record systems: one contract, document/literal wrapped, in SOAP 1.1 and 1.2 (docs/soap.md).

The contract is an XSD, `contract/v1.xsd`: WSDL, the reading and writing of values and the validation of requests and
replies come from it. The way of a request: receive (HTTP) → package (MTOM or plain) → envelope (SOAP, its headers)
→ values (XSD) → port.Operations, and back. Each mistake of a caller is one typed fault (fault).
"""
