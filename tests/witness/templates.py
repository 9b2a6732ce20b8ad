"""Envelopes with a ds:Signature still to be filled in by somebody else, of the profile's shape or another."""

from __future__ import annotations

from collections.abc import Iterable

from hub.trust.signature import C14N, DS, ENVELOPED, EXCLUSIVE, RSA_SHA256, SHA256, SOAP, XPATH

FILTER = (
    '<ds:Transform Algorithm="' + XPATH + '"><ds:XPath xmlns:{p}="' + SOAP + '">{blank}not(ancestor-or-self::node()'
    "[@{p}:actor={q}urn:oasis:names:tc:ebxml-msg:actor:nextMSH{q}]{blank}|{blank}ancestor-or-self::node()"
    "[@{p}:actor={q}http://schemas.xmlsoap.org/soap/actor/next{q}]){blank}</ds:XPath></ds:Transform>"
)


def transform(algorithm: str, inner: str = "") -> str:
    return f'<ds:Transform Algorithm="{algorithm}">{inner}</ds:Transform>'


def xpath(prefix: str = "SOAP-ENV", blank: str = "", quote: str = "&quot;") -> str:
    """The filter as senders write it: any prefix, any blanks, either quotes."""
    return FILTER.format(p=prefix, blank=blank, q=quote)


PROFILE = transform(ENVELOPED) + xpath(blank=" ") + transform(C14N)
#: Shapes that senders use, all within the profile: (transforms, CanonicalizationMethod).
TOLERATED: dict[str, tuple[str, str]] = {
    "the profile": (PROFILE, C14N),
    "other blanks, prefix and quotes": (transform(ENVELOPED) + xpath("s", "\n\t", "'") + transform(C14N), C14N),
    "no blanks": (transform(ENVELOPED) + xpath() + transform(C14N), C14N),
    "the filter first": (xpath() + transform(ENVELOPED) + transform(C14N), C14N),
    "no filter": (transform(ENVELOPED) + transform(C14N), C14N),
    "no canonicalisation named": (transform(ENVELOPED) + xpath(), C14N),
    "only enveloped": (transform(ENVELOPED), C14N),
    "exclusive": (transform(ENVELOPED) + xpath() + transform(EXCLUSIVE), EXCLUSIVE),
    "exclusive reference only": (transform(ENVELOPED) + transform(EXCLUSIVE), C14N),
}
WITH_COMMENTS = C14N + "#WithComments"
#: Shapes outside the profile, and why they are refused: (transforms, CanonicalizationMethod, reason).
OUTSIDE: dict[str, tuple[str, str, str]] = {
    "c14n 1.1": (transform(ENVELOPED) + transform("http://www.w3.org/2006/12/xml-c14n11"), C14N, "transforms"),
    "with comments": (transform(ENVELOPED) + transform(WITH_COMMENTS), C14N, "transforms"),
    "SignedInfo with comments": (PROFILE, WITH_COMMENTS, "algorithm"),
    "filter of another kind": (
        transform(ENVELOPED) + transform(XPATH, "<ds:XPath>not(ancestor-or-self::*[local-name()='Body'])</ds:XPath>"),
        C14N,
        "transforms",
    ),
    "twice canonical": (transform(ENVELOPED) + transform(C14N) + transform(EXCLUSIVE), C14N, "transforms"),
    "inclusive prefixes": (
        transform(ENVELOPED)
        + transform(EXCLUSIVE, f'<x:InclusiveNamespaces xmlns:x="{EXCLUSIVE}" PrefixList="SOAP"/>'),
        C14N,
        "transforms",
    ),
}


def template(
    envelope: bytes,
    parts: Iterable[str],
    transforms: str = PROFILE,
    method: str = C14N,
    *,
    algorithm: str = RSA_SHA256,
    digest: str = SHA256,
    key_value: bool = False,
    prefix: str = "ds",
) -> bytes:
    """`prefix` empty writes the signature in a default namespace."""
    digested = f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/>'
    references = f'<ds:Reference URI=""><ds:Transforms>{transforms}</ds:Transforms>{digested}</ds:Reference>'
    references += "".join(f'<ds:Reference URI="cid:{name}">{digested}</ds:Reference>' for name in parts)
    signature = (
        f'<ds:Signature xmlns:ds="{DS}">\n<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{method}"/>'
        f'<ds:SignatureMethod Algorithm="{algorithm}"/>{references}</ds:SignedInfo>\n<ds:SignatureValue/>'
        f"<ds:KeyInfo>{'<ds:KeyValue/>' if key_value else ''}<ds:X509Data><ds:X509Certificate/></ds:X509Data>"
        "</ds:KeyInfo></ds:Signature>"
    )
    if prefix != "ds":
        signature = signature.replace("xmlns:ds=", "xmlns=" if not prefix else f"xmlns:{prefix}=")
        signature = signature.replace("<ds:", f"<{prefix}:" if prefix else "<")
        signature = signature.replace("</ds:", f"</{prefix}:" if prefix else "</")
    return envelope.replace(b"</SOAP:Header>", signature.encode() + b"</SOAP:Header>")
