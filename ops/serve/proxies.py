"""What the site's own proxies say of a client: the certificate that it has proven to them in the TLS handshake.

A proxy that ends TLS for the hub verifies the client's certificate and hands it on in a header. That is believed when the
connection comes from one of `http.proxies`, and from nobody else: anybody can write a header.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import Scope

from hub.digest import sha256
from ops.config import HttpSettings

#: Bytes of a header that is looked at; a certificate has two or three thousand.
LONGEST = 20_000
_PEM = b"-----BEGIN CERTIFICATE-----"


def certificates(settings: HttpSettings) -> Callable[[Scope], str]:
    """Tells the SHA-256 of the certificate that a request's client has proven to a proxy; empty where there is none."""
    networks = [ip_network(one, strict=False) for one in settings.proxies]
    wanted = settings.certificate_header.lower().encode("latin-1")
    if not networks or not wanted:
        return lambda _: ""

    def proven(scope: Scope) -> str:
        given = [value for name, value in scope["headers"] if name == wanted]
        client = scope.get("client")
        if len(given) != 1 or not client or not _within(client[0], networks):
            return ""
        return fingerprint(given[0])

    return proven


def _within(address: str, networks: list[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks if network.version == found.version)


def fingerprint(written: bytes) -> str:
    """Hex SHA-256 of a certificate as proxies write it: PEM with percent signs (nginx), PEM in one line, or base64 of DER.

    Empty for what is none.
    """
    if not written or len(written) > LONGEST:
        return ""
    plain = unquote_to_bytes(written)
    try:
        if plain.lstrip().startswith(_PEM):
            body = plain.partition(_PEM)[2].partition(b"-----END")[0]
            der = base64.b64decode(bytes(body.translate(None, b" \t\r\n")), validate=True)
        else:
            der = base64.b64decode(written.strip().strip(b":"), validate=True)  # RFC 9440 puts colons around it
        return sha256(x509.load_der_x509_certificate(der).public_bytes(Encoding.DER))
    except (binascii.Error, ValueError):
        return ""
