"""The door as its clients see it: its WSDL, zeep on both of its versions, and bytes as other toolkits write them."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
import zeep
from lxml import etree
from requests.auth import HTTPBasicAuth
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from adapters.soap.contract import version_1
from adapters.soap.envelope import SOAP_11, SOAP_12
from tests.support.asgi import Reply
from tests.support.world import DOCTOR, NURSING, World

NAMESPACE = "urn:samhandling-hub:epj:v1"
Version = Literal["1.1", "1.2"]
Proof = Literal["basic", "token"]
ENVELOPES: Mapping[Version, str] = {"1.1": SOAP_11, "1.2": SOAP_12}
MEDIA: Mapping[Version, str] = {"1.1": "text/xml", "1.2": "application/soap+xml"}
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
#: The record systems: id, HER-id, and whom it writes to.
DOCTORS, NURSES = "legesenter", "kommune"


@dataclass
class Stand:
    """A hub that serves at a port."""

    world: World
    url: str

    @property
    def door(self) -> str:
        """Where the contract is served."""
        return f"{self.url}/soap/v1"

    def key(self, system: str = DOCTORS) -> str:
        """The API key of a record system."""
        return self.world.site.keys[system]

    @cached_property
    def _descriptions(self) -> dict[Version, bytes]:
        return {
            v: requests.get(f"{self.door}?wsdl{'=12' if v == '1.2' else ''}", timeout=10).content for v in ENVELOPES
        }

    def wsdl(self, version: Version) -> bytes:
        """As it is given."""
        return self._descriptions[version]

    def client(self, version: Version = "1.1", proof: Proof = "basic", system: str = DOCTORS, key: str = "") -> Any:
        """zeep, strict, with its service of that version."""
        session, own = requests.Session(), key or self.key(system)
        wsse = UsernameToken(system, own) if proof == "token" else None
        if proof == "basic":
            session.auth = HTTPBasicAuth(system, own)
        where = f"{self.door}?wsdl{'=12' if version == '1.2' else ''}"
        return zeep.Client(where, transport=Transport(session=session, timeout=20), wsse=wsse)

    def document(self, sender: Any = DOCTOR, receiver: Any = NURSING) -> Any:
        """One that the doctor's office sends to the nurses, both served here."""
        return self.world.sample(sender=sender, receiver=receiver)

    def post(
        self, content: bytes, headers: Mapping[str, str] | None = None, *, system: str = DOCTORS, plain: bool = False
    ) -> Reply:
        """Bytes as they are; with Basic unless `plain`. A reply that does not come in ten seconds fails."""
        found = urlsplit(self.door)
        connection = http.client.HTTPConnection(found.hostname or "", found.port, timeout=10)
        given = {"Content-Type": "text/xml; charset=utf-8"}
        if not plain:
            pair = f"{system}:{self.key(system)}".encode()
            given["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        try:
            connection.request("POST", found.path, content, given | dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


def envelope(body: str, version: Version = "1.1", header: str = "") -> bytes:
    """SOAP around what stands in its Body; prefix `h` is the contract's."""
    space = ENVELOPES[version]
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{space}" xmlns:h="{NAMESPACE}">{head}'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


PING = "<h:Ping/>"


@dataclass(frozen=True)
class Told:
    """A HubFault, read."""

    soap: str
    code: str
    reason: str
    hint: str
    try_again: bool
    error_code: int
    request_id: str
    places: tuple[tuple[str, str], ...]


def fault(reply: Reply, code: str = "", status: int = 500) -> Told:
    """The typed fault in a reply, which must be one: by the right status, valid by the contract, without a trace."""
    assert reply.status == status, (reply.status, reply.body[:600])
    for trace in (b"Traceback", b'File "', b".py", b"lxml", b"Exception:"):
        assert trace not in reply.body, reply.body[:600]
    root = etree.fromstring(reply.body)
    soap = etree.QName(root).namespace
    version = next(v for v, space in ENVELOPES.items() if space == soap)
    assert reply.headers["content-type"] == f"{MEDIA[version]}; charset=utf-8"
    found = root.find(f"{{{soap}}}Body/{{{soap}}}Fault")
    assert found is not None
    said = found.findtext("faultcode") if version == "1.1" else found.findtext(f"{{{soap}}}Code/{{{soap}}}Value")
    detail = found.find("detail" if version == "1.1" else f"{{{soap}}}Detail")
    own = detail.find(f"{{{NAMESPACE}}}HubFault")
    assert version_1().schema.validate(own), version_1().schema.error_log
    text = {etree.QName(e).localname: e.text or "" for e in own if len(e) == 0}
    places = tuple((p[0].text or "", p[1].text or "") for p in own.findall(f"{{{NAMESPACE}}}place"))
    told = Told(
        (said or "").partition(":")[2],
        text["code"],
        text["reason"],
        text.get("hint", ""),
        text["tryAgain"] == "true",
        int(text["errorCode"]),
        text["requestId"],
        places,
    )
    assert reply.headers["x-request-id"] == told.request_id
    if code:
        assert told.code == code, told
    return told


def multipart(
    document: bytes,
    body: str,
    *,
    version: Version = "1.1",
    content_id: str = "doc@client",
    href: str = "doc@client",
    header: str = "",
) -> tuple[dict[str, str], bytes]:
    """An MTOM request as CXF writes it; `{document}` in the body becomes the xop:Include."""
    include = f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{href}"/>'
    root = envelope(body.replace("{document}", include), version, header)
    parts = [
        b'\r\n--uuid:b\r\nContent-Type: application/xop+xml; charset=UTF-8; type="' + MEDIA[version].encode() + b'"\r\n'
        b"Content-Transfer-Encoding: binary\r\nContent-ID: <root.message@client>\r\n\r\n",
        root,
        b"\r\n--uuid:b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n"
        b"Content-ID: <" + content_id.encode() + b">\r\n\r\n",
        document,
        b"\r\n--uuid:b--",
    ]
    kind = (
        'multipart/related; type="application/xop+xml"; boundary="uuid:b"; start="<root.message@client>"; '
        f'start-info="{MEDIA[version]}"'
    )
    return {"Content-Type": kind}, b"".join(parts)


def submission(document: str = "{document}", receiver: str = NURSING.her_id) -> str:
    """SubmitMessage of the doctor's; `document` as it is to stand there."""
    return (
        f"<h:SubmitMessage><h:senderHerId>{DOCTOR.her_id}</h:senderHerId><h:receiverHerId>{receiver}</h:receiverHerId>"
        f"<h:document>{document}</h:document></h:SubmitMessage>"
    )
