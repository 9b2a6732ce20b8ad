"""Signs envelopes of our own: templates that are canonical as they stand, so that signing needs no parser (ebxml.md §3)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from hub.formats.envelope_write import escape_attribute
from hub.trust.signature import C14N, DS, EB, ENVELOPED, FILTER, RSA_SHA256, SHA256, SOAP, XPATH, SigningKey

_SCOPE = f' xmlns:SOAP="{SOAP}" xmlns:ds="{DS}" xmlns:eb="{EB}" xmlns:xlink="http://www.w3.org/1999/xlink"'
_ROOT_TRANSFORMS = (
    f'<ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"></ds:Transform>'
    f'<ds:Transform Algorithm="{XPATH}"><ds:XPath xmlns:SOAP-ENV="{SOAP}">'
    f"{FILTER}"
    f'</ds:XPath></ds:Transform><ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms>'
)
_SYNC_REPLY = re.compile(rb"<eb:SyncReply [^>]*></eb:SyncReply>")


def sign(envelope: bytes, parts: Sequence[tuple[str, bytes]], key: SigningKey) -> bytes:
    """The envelope with its signature as last child of the SOAP Header (HIS 1037 6.2.3), RSA-SHA256.

    `envelope` is in C14N form without XML declaration (hub.formats.envelope_write), declares exactly SOAP, eb and xlink
    on its root, and has one `</SOAP:Header>`. `parts` are (Content-ID, bytes as they will be read after MIME decoding).
    """
    references = _written_reference("", _ROOT_TRANSFORMS, _SYNC_REPLY.sub(b"", envelope))
    references += "".join(_written_reference(f"cid:{cid}", "", content) for cid, content in parts)
    inner = (
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{RSA_SHA256}"></ds:SignatureMethod>{references}</ds:SignedInfo>'
    )
    canonical = f"<ds:SignedInfo{_SCOPE}>{inner}".encode()
    value = base64.b64encode(key.private_key.sign(canonical, PKCS1v15(), hashes.SHA256())).decode()
    certificate = base64.b64encode(key.certificate_der).decode()
    signature = (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>{inner}<ds:SignatureValue>{value}</ds:SignatureValue>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "</ds:Signature>"
    )
    before, mark, after = envelope.partition(b"</SOAP:Header>")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + before + signature.encode() + mark + after


def digests(envelope: bytes, parts: Sequence[tuple[str, bytes]]) -> tuple[tuple[str, str], ...]:
    """(URI, DigestValue) as `sign` writes them: what a signed Acknowledgment must echo."""
    own = ("", _digest(_SYNC_REPLY.sub(b"", envelope)))
    return (own, *((f"cid:{cid}", _digest(content)) for cid, content in parts))


def _written_reference(uri: str, transforms: str, content: bytes) -> str:
    return (
        f'<ds:Reference URI="{escape_attribute(uri)}">{transforms}<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{_digest(content)}</ds:DigestValue></ds:Reference>"
    )


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
