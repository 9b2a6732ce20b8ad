"""What of an agreement is not followed is told: of every real one, and of each element written otherwise by hand."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from hub import agreements
from hub.agreements import Remark, judged, refusing
from hub.formats import cpa, xml
from hub.formats.cpa import TP, Cpa, CpaFault, Profile
from tests.support.agreements import Side, agreement
from tests.unit.keys import certificate, elliptic_certificate
from tests.unit.test_cpa_certificates import ENCRYPTS, ROOT, SIGNS, pem

#: How many CPAs and CPPs are shared, and how many of them are empty answers of the register.
ALL, EMPTY = 65, 2


def read(raw: bytes) -> Cpa | Profile | CpaFault:
    root = xml.parse(raw, xml.Bounds.for_document(64_000_000))
    assert not isinstance(root, xml.XmlFault), root
    return cpa.read_profile(root) if root.tag == cpa.PROFILE else cpa.read(root)


def shared(standards: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((standards / "cpa").rglob("*.xml")):
        yield str(path.relative_to(standards / "cpa")), path.read_bytes()
    for path in sorted((standards / "samples").rglob("*.xml")):
        if b"CollaborationProtocol" in (raw := path.read_bytes())[:4_000]:
            yield path.name, raw


class _Written:
    """The second reader: what stands in a CPA, in plain XPath."""

    def __init__(self, raw: bytes) -> None:
        self.root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, huge_tree=True))

    def any(self, path: str) -> bool:
        return bool(self.root.xpath(path, namespaces={"tp": TP, "ds": cpa_ds()}))


def cpa_ds() -> str:
    return "http://www.w3.org/2000/09/xmldsig#"


#: Element → the XPath that is true of an agreement of which it must be told, over channels and actions that are used.
_USED = "[@tp:channelId = //tp:ChannelId/text() or @tp:channelId = //@tp:defaultMshChannelId]"
_SENDER = f"//tp:DocExchange[@tp:docExchangeId = //tp:DeliveryChannel{_USED}/@tp:docExchangeId]/tp:ebXMLSenderBinding"
_MODES = f"//tp:DeliveryChannel{_USED}/tp:MessagingCharacteristics"
_SHA1 = "contains(translate(., 'SHA-', 'sha'), 'sha1') or contains(@tp:w3c, 'sha1')"
ODD = {
    "PartyId": "//tp:PartyInfo[not(tp:PartyId[@tp:type = 'HER'])]",
    "syncReplyMode": f"{_MODES}[@tp:syncReplyMode != 'none' and @tp:syncReplyMode != 'mshSignalsOnly']",
    "ackSignatureRequested": f"{_MODES}[@tp:ackSignatureRequested = 'never' and not(@tp:ackRequested = 'never')]",
    "isNonRepudiationRequired": "//tp:BusinessTransactionCharacteristics[@tp:isNonRepudiationRequired = 'false']",
    "SenderNonRepudiation": f"//tp:DeliveryChannel{_USED}[not(@tp:docExchangeId = "
    "//tp:DocExchange[.//tp:SenderNonRepudiation]/@tp:docExchangeId)]",
    "HashFunction": f"{_SENDER}/tp:SenderNonRepudiation/tp:HashFunction[{_SHA1}]",
    "SignatureAlgorithm": f"{_SENDER}/tp:SenderNonRepudiation/tp:SignatureAlgorithm[{_SHA1}]",
    "MessageOrderSemantics": f"{_SENDER}//tp:MessageOrderSemantics[normalize-space() = 'Guaranteed']",
    "DigitalEnvelopeProtocol": "//tp:DigitalEnvelopeProtocol[normalize-space() = 'XMLENC']",
}


def test_every_real_agreement_is_judged_and_each_odd_element_of_it_told(standards: Path) -> None:
    """No exception; and nothing is told of what is not there."""
    count, empty = 0, 0
    for name, raw in shared(standards):
        count += 1
        found = read(raw)
        if isinstance(found, CpaFault):
            empty += 1
            continue
        written, told = _Written(raw), {remark.element for remark in judged(found)}
        wanted = {element for element, path in ODD.items() if written.any(path)}
        assert told & set(ODD) == wanted, name
        assert all(str(remark) and remark.text for remark in judged(found))
    assert (count, empty) == (ALL, EMPTY)


#: Folder of the shared agreements → what is told of all its agreements together, by severity.
TOLD: dict[str, dict[str, set[str]]] = {
    "ebms-core": {
        "refused": {"DigitalEnvelopeProtocol"},
        "unused": {"PartyId"},
        "otherwise": {
            "Encapsulation", "HashFunction", "SignatureAlgorithm", "SenderNonRepudiation", "SigningCertificateRef",
            "ackSignatureRequested", "isConfidential", "isNonRepudiationRequired", "syncReplyMode",
        },
    },
    "hermes": {
        "unused": {"PartyId"},
        "otherwise": {
            "Certificate", "HashFunction", "SignatureAlgorithm", "SenderNonRepudiation", "SigningCertificateRef",
            "MessageOrderSemantics", "ackSignatureRequested", "isNonRepudiationRequired",
        },
    },
    "nav-ebxml-processor": {"otherwise": {"syncReplyMode"}},
    "nav-ebxml-processor-history": {"otherwise": {"syncReplyMode"}},
    "sarepta": {
        "otherwise": {
            "ApplicationCertificateRef", "Certificate", "Endpoint", "HashFunction", "SignatureAlgorithm",
            "SigningCertificateRef", "ackSignatureRequested", "syncReplyMode",
        }
    },
}  # fmt: skip


@pytest.mark.parametrize("folder", TOLD)
def test_what_is_told_of_a_collection_is_known(standards: Path, folder: str) -> None:
    told: dict[str, set[str]] = {}
    for path in sorted((standards / "cpa" / folder).glob("*.xml")):
        found = read(path.read_bytes())
        for remark in [] if isinstance(found, CpaFault) else judged(found):
            told.setdefault(remark.severity, set()).add(remark.element)
    assert told == TOLD[folder]


REFUSED = {"cpa-cv-https.xml", "cpaStubEBF.rm.https.signed.encrypted.xml"}


def test_of_all_real_ones_those_that_ask_for_xml_encryption_are_refused_and_no_other(standards: Path) -> None:
    found = {Path(name).name: read(raw) for name, raw in shared(standards)}
    assert {name for name, one in found.items() if not isinstance(one, CpaFault) and refusing(one)} == REFUSED


# --- by hand

SIDES = Side("8009102", certificate(), certificate()), Side("8000202", certificate(), certificate())


def plain() -> str:
    """One of which only that is told which every short agreement lacks: nothing."""
    return agreement("nav:ren:1", *SIDES)


def swap(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return edit


def told(text: str) -> list[Remark]:
    found = read(text.encode())
    assert isinstance(found, Cpa), found
    return list(judged(found))


def test_of_a_usual_agreement_nothing_is_told() -> None:
    assert told(plain()) == []


CHARACTERISTICS = 'tp:ackRequested="always" tp:duplicateElimination="always"'
ORDER = "<tp:MessageOrderSemantics>{}</tp:MessageOrderSemantics></tp:ReliableMessaging>"
BY_HAND: dict[str, tuple[Callable[[str], str], str, str, str]] = {
    "no HER-id, a number": (swap('tp:type="HER"', 'tp:type="urn:x"'), "PartyId", "otherwise", "if the party file has"),
    "no type": (swap(' tp:type="HER"', ""), "PartyId", "otherwise", "if the party file has"),
    "no number": (swap('tp:type="HER">8009102', 'tp:type="HERMES">abc'), "PartyId", "unused", "nothing goes under it"),
    "a number with zeroes": (swap('"HER">8009102', '"oin">0008009102'), "PartyId", "unused", "nothing goes under it"),
    "signalsOnly": (swap("mshSignalsOnly", "signalsOnly"), "syncReplyMode", "otherwise", "as mshSignalsOnly"),
    "responseOnly": (swap("mshSignalsOnly", "responseOnly"), "syncReplyMode", "otherwise", "as mshSignalsOnly"),
    "signalsAndResponse": (
        swap("mshSignalsOnly", "signalsAndResponse"), "syncReplyMode", "otherwise", "as mshSignalsOnly"
    ),
    "unsigned receipts": (
        swap(CHARACTERISTICS, CHARACTERISTICS + ' tp:ackSignatureRequested="never"'),
        "ackSignatureRequested", "otherwise", "unsigned ones are not taken",
    ),
    "next handler": (
        swap(CHARACTERISTICS, CHARACTERISTICS + ' tp:actor="urn:oasis:names:tc:ebxml-msg:actor:nextMSH"'),
        "actor", "otherwise", "toPartyMSH",
    ),
    "unsigned channel": (
        swap('<tp:SenderNonRepudiation><tp:SigningCertificateRef tp:certId="sign"/></tp:SenderNonRepudiation>', ""),
        "SenderNonRepudiation", "otherwise", "signed all the same",
    ),
    "unsigned action": (
        swap("<tp:ChannelId>", '<tp:BusinessTransactionCharacteristics tp:isNonRepudiationRequired="false"/>'
             "<tp:ChannelId>"),
        "isNonRepudiationRequired", "otherwise", "signed all the same",
    ),
    "SHA-1": (
        swap("<tp:SigningCertificateRef", "<tp:HashFunction> SHA1 </tp:HashFunction><tp:SigningCertificateRef"),
        "HashFunction", "otherwise", "allow_sha1",
    ),
    "MD5": (
        swap("<tp:SigningCertificateRef", "<tp:HashFunction>MD5</tp:HashFunction><tp:SigningCertificateRef"),
        "HashFunction", "otherwise", "is refused",
    ),
    "DSA": (
        swap("<tp:SigningCertificateRef", "<tp:SignatureAlgorithm tp:w3c='http://www.w3.org/2000/09/xmldsig#dsa-sha1'"
             ">x</tp:SignatureAlgorithm><tp:SigningCertificateRef"),
        "SignatureAlgorithm", "otherwise", "allow_sha1",
    ),
    "guaranteed order": (
        swap("</tp:ReliableMessaging>", ORDER.format("Guaranteed")),
        "MessageOrderSemantics", "otherwise", "without MessageOrder",
    ),
    "a transport that is none": (
        swap("<tp:TransportReceiver>", "<tp:TransportReceiver><tp:TransportProtocol>FTP</tp:TransportProtocol>"),
        "TransportProtocol", "otherwise", "no way by FTP",
    ),
    "a beginning in another writing": (
        swap("2020-01-01T00:00:00Z", "01.01.2020"), "Start", "refused", "it is not used"
    ),
    "something else around it": (
        swap('<tp:Encapsulation', '<tp:Encapsulation tp:mimetype="application/zip"/><tp:Encapsulation'),
        "Encapsulation", "otherwise", "application/zip is not made here",
    ),
    "transient without TLS": (
        swap("<tp:ChannelId>", '<tp:BusinessTransactionCharacteristics tp:isConfidential="transient"/><tp:ChannelId>'),
        "isConfidential", "otherwise", "no TLS of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "element", "severity", "words"), BY_HAND.values(), ids=BY_HAND.keys())
def test_an_element_that_is_not_followed_is_told_with_what_happens_then(
    edit: Callable[[str], str], element: str, severity: str, words: str
) -> None:
    found = [r for r in told(edit(plain())) if r.element == element]
    assert found and found[0].severity == severity and words in found[0].text


WRONG: dict[str, tuple[str, str]] = {
    "words": ("hemmelig", "is no certificate"),
    "nothing": ("", "is no certificate"),
    "PEM": (pem(SIGNS), "written as PEM"),
    "an authority's": (base64.b64encode(ROOT).decode(), "an authority's certificate only"),
    "for encryption": (base64.b64encode(ENCRYPTS).decode(), "is not for signing"),
    "elliptic": (base64.b64encode(elliptic_certificate()).decode(), "its key is not RSA"),
}


@pytest.mark.parametrize(("written", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_certificate_that_is_of_no_use_is_told(written: str, words: str) -> None:
    right = base64.b64encode(certificate()).decode()
    text = plain().replace(f"<ds:X509Certificate>{right}<", f"<ds:X509Certificate>{written}<", 1)
    found = [r for r in told(text) if r.element == "SigningCertificateRef"]
    assert found and words in found[0].text and "8009102: sign" in found[0].where


def test_a_reference_to_no_certificate_is_told() -> None:
    text = plain().replace(
        '<tp:ApplicationCertificateRef tp:certId="crypt"/>', '<tp:ApplicationCertificateRef tp:certId="x"/>'
    )
    found = [r for r in told(text) if r.element == "ApplicationCertificateRef"]
    assert found and found[0].text.startswith("there is no such certificate")


def test_what_is_alike_in_many_places_is_said_once_and_some_are_named() -> None:
    remark = Remark("x", "otherwise", "why", ("a", "b", "c", "d", "e"))
    assert str(remark) == "x (a, b, c and 2 more): why"
    assert agreements.SHOWN == 3
