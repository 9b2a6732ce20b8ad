"""Programs and libraries that are not ours, asked about a signed envelope: empty when it verifies, else their word."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import xmlsec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lxml import etree
from signxml import SignatureConfiguration, XMLVerifier
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException

from hub.trust.signature import SigningKey

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
DS = "http://www.w3.org/2000/09/xmldsig#"
_STANDARD_FILTER = (
    "not(ancestor-or-self::node()[@S:actor='urn:oasis:names:tc:ebxml-msg:actor:nextMSH']"
    "|ancestor-or-self::node()[@S:actor='http://schemas.xmlsoap.org/soap/actor/next'])"
)


def parsed(raw: bytes) -> etree._Element:
    """Hardened, but else as it stands, comments included."""
    return etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def python_xmlsec(raw: bytes, parts: Mapping[str, bytes]) -> str:
    """python-xmlsec, behind an honest look at what is signed: one signature, the whole envelope, every part, no more."""
    try:
        root = parsed(raw)
        signature = _honest(root, parts)
        public = x509.load_der_x509_certificate(_certificate(signature)).public_key()
        written = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(written, xmlsec.constants.KeyDataFormatPem)
        with _resolving(parts):
            context.verify(signature)
    except (etree.XMLSyntaxError, xmlsec.Error, ValueError, UnsupportedAlgorithm) as error:
        return str(error) or type(error).__name__
    return ""


def _honest(root: etree._Element, parts: Mapping[str, bytes]) -> etree._Element:
    found = list(root.iter(f"{{{DS}}}Signature"))
    if len(found) != 1 or found[0].getparent() is not root.find(f"{{{SOAP}}}Header"):
        raise ValueError("not one signature in the header")
    references = found[0].findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    uris = [r.get("URI") for r in references]
    if sorted("?" if u is None else unquote(u) for u in uris) != sorted(["", *(f"cid:{name}" for name in parts)]):
        raise ValueError(f"signed is {uris}")
    for reference in references:
        for expression in reference.iter(f"{{{DS}}}XPath"):
            prefixes = [f"@{p}:actor" for p, uri in expression.nsmap.items() if uri == SOAP]
            told = "".join(expression.itertext())
            for prefix in prefixes:
                told = told.replace(prefix, "@S:actor")
            if re.sub(r"\s*([|()\[\]=]|::)\s*", r"\1", told).replace('"', "'").strip() != _STANDARD_FILTER:
                raise ValueError("another filter")
    for block in root.iter(etree.Element):
        if (block.get(f"{{{SOAP}}}actor") or "").endswith(("actor:nextMSH", "actor/next")):
            _left_out(block)
    return found[0]


def _left_out(block: etree._Element) -> None:
    """What the filter leaves out must not be what a reader uses."""
    parent = block.getparent()
    if parent is None or parent.tag != f"{{{SOAP}}}Header":
        raise ValueError("a part of a block is left out")
    if etree.QName(block).localname in ("MessageHeader", "Acknowledgment", "ErrorList", "Signature", "MessageOrder"):
        raise ValueError("a block that is used is left out")


def _certificate(signature: etree._Element) -> bytes:
    written = signature.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if len(written) != 1:
        raise ValueError(f"{len(written)} certificates")
    return base64.b64decode("".join(written[0].itertext()))


@contextmanager
def _resolving(parts: Mapping[str, bytes]) -> Iterator[None]:
    """cid: by the parts at hand, and nothing from files or the network (dependencies' rules of python-xmlsec)."""

    def match(uri: object) -> bool:
        return _name(uri) in parts

    def opened(uri: object) -> BytesIO:
        return BytesIO(parts[_name(uri)])

    def read(content: BytesIO, buffer: memoryview) -> int:
        return content.readinto(buffer)

    xmlsec.cleanup_callbacks()
    xmlsec.register_callbacks(match, opened, read, lambda _: None)
    try:
        yield
    finally:
        xmlsec.cleanup_callbacks()


def _name(uri: object) -> str:
    text = uri.decode() if isinstance(uri, bytes) else str(uri)
    return unquote(text.removeprefix("cid:")) if text.startswith("cid:") else "\0"


def sign_by_python_xmlsec(template: bytes, parts: Mapping[str, bytes], key: SigningKey) -> bytes:
    """Fills in the ds:Signature that stands in the template."""
    root = parsed(template)
    signature = root.find(f"{{{SOAP}}}Header/{{{DS}}}Signature")
    private = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(private, xmlsec.constants.KeyDataFormatPem)
    certificate = x509.load_der_x509_certificate(key.certificate_der).public_bytes(Encoding.PEM)
    context.key.load_cert_from_memory(certificate, xmlsec.constants.KeyDataFormatCertPem)
    with _resolving(parts):
        context.sign(signature)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def signxml(raw: bytes, parts: Mapping[str, bytes]) -> str:
    """signxml; it passes over the XPath filter, so only envelopes without blocks for the next node can verify."""
    try:
        root = parsed(raw)
        signature = root.find(f"{{{SOAP}}}Header/{{{DS}}}Signature")
        certificate = x509.load_der_x509_certificate(_certificate(signature)) if signature is not None else None
        config = SignatureConfiguration(
            location=f"./{{{SOAP}}}Header/",
            expect_references=len(parts) + 1,
            signature_methods=frozenset(SignatureMethod),
            digest_algorithms=frozenset(DigestAlgorithm),
            verification_time=certificate.not_valid_before_utc + timedelta(days=1) if certificate else None,
        )
        XMLVerifier().verify(
            root,
            x509_cert=certificate,
            uri_resolver=lambda uri: parts.get(_name(uri)),
            expect_config=config,
        )
    except (etree.LxmlError, SignXMLException, ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        return str(error) or type(error).__name__
    return ""


def xmlsec1(folder: Path, raw: bytes, parts: Mapping[str, bytes]) -> str:
    """The command line program, with a file for each part; its own report must name every reference as verified."""
    target = folder / "envelope.xml"
    target.write_bytes(raw)
    signature = parsed(raw).find(f"{{{SOAP}}}Header/{{{DS}}}Signature")
    assert signature is not None
    (folder / "certificate.der").write_bytes(_certificate(signature))
    command = ["xmlsec1", "--verify", "--print-debug", "--enabled-key-data", "key-name,rsa"]
    command += ["--pubkey-cert-der", str(folder / "certificate.der"), *_mapped(folder, parts), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    verified = len(re.findall(r"== Status: succeeded", done.stdout))
    if done.returncode or verified != len(parts) + 2:  # each Reference, and the signature itself
        return f"exit {done.returncode}, {verified} succeeded: {done.stdout[-500:]}{done.stderr[-500:]}"
    return ""


def sign_by_xmlsec1(folder: Path, template: bytes, parts: Mapping[str, bytes], key: SigningKey) -> bytes:
    """Fills in the ds:Signature of the template with the command line program."""
    (folder / "template.xml").write_bytes(template)
    private = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(private)
    certificate = x509.load_der_x509_certificate(key.certificate_der).public_bytes(Encoding.PEM)
    (folder / "certificate.pem").write_bytes(certificate)
    command = ["xmlsec1", "--sign", "--output", str(folder / "signed.xml")]
    command += ["--privkey-pem", f"{folder / 'key.pem'},{folder / 'certificate.pem'}", *_mapped(folder, parts)]
    done = subprocess.run([*command, str(folder / "template.xml")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return (folder / "signed.xml").read_bytes()


def _mapped(folder: Path, parts: Mapping[str, bytes]) -> Iterator[str]:
    for number, (name, content) in enumerate(parts.items()):
        (folder / f"part-{number}").write_bytes(content)
        yield from (f"--url-map:cid:{name}", str(folder / f"part-{number}"))
