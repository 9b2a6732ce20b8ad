"""What a simulated peer and the hub have agreed: read from the CPA that both hold, or written as one."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import quoteattr

from lxml import etree

from hub.formats.cpa import TP
from hub.formats.envelope import DS, Envelope

Often = Literal["always", "never", "perMessage"]
#: Documents that an agreement made here is about; each is answered by AppRec (HITS 1209 3).
CODES = ("DIALOG_HELSEFAGLIG", "DIALOG_FORESPORSEL", "EPIKRISE", "HENVISNING")
#: Place in the header, and what is wrong there.
Difference = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """One party of an agreement: its HER-id, its address, and what it signs with and is encrypted for (DER)."""

    her_id: str
    endpoint: str
    signing: bytes = field(repr=False)
    encryption: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Terms:
    """What concerns the wire between a peer and one party of the hub (CPPA 2.0; ebxml.md §5)."""

    cpa_id: str
    her_id: str  #: the hub's party; empty: any
    sync: bool = True  #: syncReplyMode of the documents' channel is another than none
    signals_sync: bool | None = None  #: of the signals' own channel; None: they have none, and go as documents do
    service_type: str = "string"  #: of eb:Service; empty: none
    ack: Often = "always"
    ack_signed: Often = "always"
    duplicates: Often = "always"  #: DuplicateElimination
    encrypted: bool = True
    codes: Sequence[str] = CODES
    certificates: frozenset[bytes] = field(
        default=frozenset(), repr=False
    )  #: that the hub's party signs with; empty: any

    @property
    def signals_in_exchange(self) -> bool:
        """Whether Ping, StatusRequest and their answers go in one exchange (OverrideMshActionBinding, defaultMshChannelId)."""
        return self.sync if self.signals_sync is None else self.signals_sync

    def knows(self, service: str, action: str) -> bool:
        """Whether a document may travel so."""
        code = service.removeprefix("S-")
        return service.startswith("S-") and code in self.codes and action in (code, "APPREC")

    def differences(self, e: Envelope) -> Iterator[Difference]:
        """Where the header of a document is another than agreed: place and whether it is there, in the order of the header."""
        required: tuple[tuple[str, bool, Often], ...] = (
            ("//Header/SyncReply", e.sync_reply, "always" if self.sync else "never"),
            ("//Header/MessageHeader/DuplicateElimination", e.duplicate_elimination, self.duplicates),
            ("//Header/AckRequested", e.ack_requested, self.ack),
        )
        for place, there, agreed in required:
            if agreed != "perMessage" and there != (agreed == "always"):
                yield place, "Wrong value."
        if e.ack_requested and self.ack_signed != "perMessage" and e.ack_signed != (self.ack_signed == "always"):
            yield "//Header/AckRequested/@signed", "Wrong value."

    @classmethod
    def read(cls, root: etree._Element, own_her: str) -> Terms | None:
        """Of a CPA as the peer with this HER-id has it; None where it is no party of it, or has no channel."""
        mine, other = None, None
        for info in root.iter(f"{{{TP}}}PartyInfo"):
            ids = [i.text for i in info.iterfind(f"{{{TP}}}PartyId") if _said(i, "type") == "HER"]
            mine, other = (info, other) if own_her in ids else (mine, info)
        if mine is None or other is None:
            return None
        channels = {_said(c, "channelId"): c for c in mine.iter(f"{{{TP}}}DeliveryChannel")}
        first, service = next(mine.iter(f"{{{TP}}}ChannelId"), None), next(mine.iter(f"{{{TP}}}Service"), None)
        documents = channels.get((first.text or "").strip()) if first is not None else None
        facts = documents.find(f"{{{TP}}}MessagingCharacteristics") if documents is not None else None
        if documents is None or facts is None or service is None:
            return None
        signals = channels.get(_said(mine, "defaultMshChannelId"), documents)
        return cls(
            _said(root, "cpaid"),
            next((i.text or "" for i in other.iterfind(f"{{{TP}}}PartyId") if _said(i, "type") == "HER"), ""),
            _in_exchange(documents),
            None if signals is documents else _in_exchange(signals),
            _said(service, "type"),
            _often(_said(facts, "ackRequested")),
            _often(_said(facts, "ackSignatureRequested")),
            _often(_said(facts, "duplicateElimination")),
            codes=tuple({(s.text or "").removeprefix("S-"): None for s in mine.iter(f"{{{TP}}}Service")}),
            certificates=frozenset(base64.b64decode(c.text or "") for c in other.iter(f"{{{DS}}}X509Certificate")),
        )


def _said(element: etree._Element, name: str) -> str:
    return (element.get(f"{{{TP}}}{name}") or "").strip()


def _in_exchange(channel: etree._Element) -> bool:
    facts = channel.find(f"{{{TP}}}MessagingCharacteristics")
    return facts is not None and _said(facts, "syncReplyMode") not in ("", "none")


def _often(written: str) -> Often:
    return "never" if written == "never" else "perMessage" if written == "perMessage" else "always"


# --- written


def cpa(terms: Terms, ours: Side, theirs: Side) -> str:
    """The agreement as XML: each document both ways with its AppRec, one channel for documents and, where asked, one for signals."""
    packaging = (
        '<tp:CompositeList><tp:Encapsulation tp:mimetype="application/pkcs7-mime" tp:id="e"/></tp:CompositeList>'
        if terms.encrypted
        else ""
    )
    return (
        f'<tp:CollaborationProtocolAgreement xmlns:tp="{TP}" xmlns:ds="{DS}" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' tp:cpaid={quoteattr(terms.cpa_id)} tp:version="2_0b"><tp:Status tp:value="agreed"/>'
        "<tp:Start>2020-01-01T00:00:00Z</tp:Start><tp:End>2099-01-01T00:00:00Z</tp:End>"
        f"{_party(terms, ours)}{_party(terms, theirs)}"
        f'<tp:Packaging tp:id="package">{packaging}</tp:Packaging></tp:CollaborationProtocolAgreement>'
    )


def _party(terms: Terms, side: Side) -> str:
    roles = "".join(_roles(terms, code) for code in terms.codes)
    own = terms.signals_sync is not None
    signals = _channel("signals", terms.signals_in_exchange, terms) if own else ""
    return (
        f'<tp:PartyInfo tp:partyName="{side.her_id}" tp:defaultMshPackageId="package"'
        f' tp:defaultMshChannelId="{"signals" if own else "documents"}"><tp:PartyId tp:type="HER">{side.her_id}</tp:PartyId>'
        f"{roles}{_certificate('sign', side.signing)}{_certificate('encrypt', side.encryption)}"
        f"{_channel('documents', terms.sync, terms)}{signals}"
        '<tp:Transport tp:transportId="t"><tp:TransportReceiver><tp:TransportProtocol tp:version="1.1">HTTP'
        f'</tp:TransportProtocol><tp:Endpoint tp:uri={quoteattr(side.endpoint)} tp:type="allPurpose"/></tp:TransportReceiver>'
        "</tp:Transport>"
        '<tp:DocExchange tp:docExchangeId="d"><tp:ebXMLSenderBinding tp:version="2.0"><tp:ReliableMessaging>'
        "<tp:Retries>5</tp:Retries><tp:RetryInterval>PT1S</tp:RetryInterval><tp:MessageOrderSemantics>NotGuaranteed"
        "</tp:MessageOrderSemantics></tp:ReliableMessaging><tp:PersistDuration>PT1M</tp:PersistDuration>"
        '<tp:SenderNonRepudiation><tp:SigningCertificateRef tp:certId="sign"/></tp:SenderNonRepudiation>'
        "</tp:ebXMLSenderBinding></tp:DocExchange></tp:PartyInfo>"
    )


def _roles(terms: Terms, code: str) -> str:
    """As sender of a document, which receives its AppRec, and as receiver, which sends it."""
    kind = f" tp:type={quoteattr(terms.service_type)}" if terms.service_type else ""

    def role(end: str, sends: str, receives: str) -> str:
        return (
            '<tp:CollaborationRole><tp:ProcessSpecification tp:name="Prosess" tp:version="1.1" xlink:type="simple"/>'
            f'<tp:Role tp:name="{code}{end}"/><tp:ApplicationCertificateRef tp:certId="encrypt"/>'
            f"<tp:ServiceBinding><tp:Service{kind}>S-{code}</tp:Service>"
            f"{_action('CanSend', sends)}{_action('CanReceive', receives)}</tp:ServiceBinding></tp:CollaborationRole>"
        )

    return role("sender", code, "APPREC") + role("receiver", "APPREC", code)


def _action(side: str, action: str) -> str:
    return (
        f'<tp:{side}><tp:ThisPartyActionBinding tp:id="{side}-{action}" tp:action="{action}" tp:packageId="package">'
        f"<tp:ChannelId>documents</tp:ChannelId></tp:ThisPartyActionBinding></tp:{side}>"
    )


def _channel(name: str, sync: bool, terms: Terms) -> str:
    return (
        f'<tp:DeliveryChannel tp:channelId="{name}" tp:transportId="t" tp:docExchangeId="d"><tp:MessagingCharacteristics'
        f' tp:syncReplyMode="{"mshSignalsOnly" if sync else "none"}" tp:ackRequested="{terms.ack}"'
        f' tp:ackSignatureRequested="{terms.ack_signed}"'
        f' tp:duplicateElimination="{terms.duplicates}" tp:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"/>'
        "</tp:DeliveryChannel>"
    )


def _certificate(name: str, der: bytes) -> str:
    written = base64.b64encode(der).decode()
    return (
        f'<tp:Certificate tp:certId="{name}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{written}</ds:X509Certificate>'
        "</ds:X509Data></ds:KeyInfo></tp:Certificate>"
    )
