"""Other verifiers of XML signatures, beside ours: python-xmlsec, which we depend on, and signxml, where it is installed."""

from __future__ import annotations

from collections.abc import Callable

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lxml import etree

from hub.formats import xml
from hub.trust import signature
from hub.trust.signature import DS, SOAP, SigningKey
from ops.bench.floors import parsed

_TEMPLATE = f"""<S:Envelope xmlns:S="{SOAP}" xmlns:ds="{DS}"><S:Header><ds:Signature><ds:SignedInfo>\
<ds:CanonicalizationMethod Algorithm="{signature.C14N}"/><ds:SignatureMethod Algorithm="{signature.RSA_SHA256}"/>\
<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="{signature.ENVELOPED}"/>\
<ds:Transform Algorithm="{signature.C14N}"/></ds:Transforms><ds:DigestMethod Algorithm="{signature.SHA256}"/>\
<ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo>\
</ds:Signature></S:Header><S:Body></S:Body></S:Envelope>"""


def signed_envelope(key: SigningKey, document: bytes) -> bytes:
    """An envelope around a document, signed by python-xmlsec in the one shape that all three verify."""
    root = parsed(_TEMPLATE.encode())
    root[1].append(parsed(document))
    context = xmlsec.SignatureContext()
    private = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context.key = xmlsec.Key.from_memory(private, xmlsec.constants.KeyDataFormatPem)
    certificate = x509.load_der_x509_certificate(key.certificate_der).public_bytes(Encoding.PEM)
    context.key.load_cert_from_memory(certificate, xmlsec.constants.KeyDataFormatCertPem)
    context.sign(root[0][0])
    return etree.tostring(root)


def ours(raw: bytes) -> None:
    """Parse and verify by our own profile."""
    root = xml.parse(raw, xml.Bounds(max_bytes=1_000_000))
    assert isinstance(root, etree._Element)
    found = signature.verify(raw, root, {}, signature.SignaturePolicy())
    assert isinstance(found, signature.Verified), found


def by_xmlsec(raw: bytes, key: SigningKey) -> Callable[[], object]:
    """Parse and verify by python-xmlsec, with the key at hand."""
    public = key.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    loaded = xmlsec.Key.from_memory(public, xmlsec.constants.KeyDataFormatPem)

    def verified() -> None:
        context = xmlsec.SignatureContext()
        context.key = loaded
        context.verify(parsed(raw)[0][0])

    return verified


def by_signxml(raw: bytes, key: SigningKey) -> Callable[[], object] | None:
    """Verify by signxml, which parses for itself; None where it is not installed (it is a development dependency)."""
    try:
        from signxml import SignatureConfiguration, XMLVerifier  # type: ignore[attr-defined]
    except ImportError:
        return None
    certificate = x509.load_der_x509_certificate(key.certificate_der)
    config = SignatureConfiguration(location=f"./{{{SOAP}}}Header/")

    def verified() -> None:
        XMLVerifier().verify(raw, x509_cert=certificate, expect_config=config)

    return verified
