"""CPAs whose signals have channels of their own: the partner's in full, ours as short as may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.agreements import TP, Side, _certificate

CODE = "DIALOG_HELSEFAGLIG"


@dataclass(frozen=True, slots=True)
class Carrier:
    """A delivery channel: syncReplyMode (None: the attribute is left out), and what it signs with (DER; None: says nothing)."""

    mode: str | None = "none"
    signing: bytes | None = None
    characteristics: str = 'tp:ackRequested="always" tp:ackSignatureRequested="always" tp:duplicateElimination="always"'
    address: str = ""  #: else http://127.0.0.1:9/ and the channel's id


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of one side: that of its documents, of its signals, and of single signals by action."""

    action: Carrier = field(default_factory=Carrier)
    default: Carrier | None = None  #: None: there is no defaultMshChannelId
    overrides: Mapping[str, Carrier] = field(default_factory=dict)


def cpa(cpa_id: str, partner: Side, ours: Side, channels: Channels, own: Channels | None = None) -> str:
    """Both may send and receive documents of one kind; the partner's signals go as `channels` says."""
    return (
        f'<tp:CollaborationProtocolAgreement xmlns:tp="{TP}" tp:cpaid="{cpa_id}" tp:version="2_0b">'
        '<tp:Status tp:value="agreed"/><tp:Start>2020-01-01T00:00:00Z</tp:Start><tp:End>2099-01-01T00:00:00Z</tp:End>'
        f"{_party(partner, channels)}{_party(ours, own or Channels(default=Carrier()))}"
        '<tp:Packaging tp:id="hidden"><tp:CompositeList>'
        '<tp:Encapsulation tp:mimetype="application/pkcs7-mime" tp:id="e"/></tp:CompositeList></tp:Packaging>'
        "</tp:CollaborationProtocolAgreement>"
    )


def _party(side: Side, channels: Channels) -> str:
    named = {"action": channels.action, **channels.overrides}
    if channels.default is not None:
        named["default"] = channels.default
    default = ' tp:defaultMshChannelId="default"' if channels.default is not None else ""
    overrides = "".join(
        f'<tp:OverrideMshActionBinding tp:action="{action}" tp:channelId="{action}"/>' for action in channels.overrides
    )
    roles = "".join(_role(f"{CODE}{what}", can) for what, can in (("sender", "CanSend"), ("receiver", "CanReceive")))
    written = "".join(_channel(name, carrier, side) for name, carrier in named.items())
    return (
        f'<tp:PartyInfo tp:partyName="{side.her_id}"{default}><tp:PartyId tp:type="HER">{side.her_id}</tp:PartyId>'
        f"{roles}{_certificate('crypt', side.encryption)}{_certificate('sign', side.signing)}{written}{overrides}</tp:PartyInfo>"
    )


def _role(role: str, can: str) -> str:
    return (
        '<tp:CollaborationRole><tp:ProcessSpecification tp:name="Prosess" tp:version="1.1" tp:uuid="u"/>'
        f'<tp:Role tp:name="{role}"/><tp:ApplicationCertificateRef tp:certId="crypt"/><tp:ServiceBinding>'
        f'<tp:Service>S-{CODE}</tp:Service><tp:{can}><tp:ThisPartyActionBinding tp:id="a" tp:action="{CODE}" '
        f'tp:packageId="hidden"><tp:ChannelId>action</tp:ChannelId></tp:ThisPartyActionBinding></tp:{can}>'
        "</tp:ServiceBinding></tp:CollaborationRole>"
    )


def _channel(name: str, carrier: Carrier, side: Side) -> str:
    mode = "" if carrier.mode is None else f' tp:syncReplyMode="{carrier.mode}"'
    certificate = "" if carrier.signing is None else _certificate(f"sign-{name}", carrier.signing)
    named = f"sign-{name}" if carrier.signing is not None else "sign"
    address = carrier.address or f"http://127.0.0.1:9/{side.her_id}/{name}"
    return (
        f'{certificate}<tp:DeliveryChannel tp:channelId="{name}" tp:transportId="t-{name}" tp:docExchangeId="d-{name}">'
        f"<tp:MessagingCharacteristics{mode} {carrier.characteristics}/></tp:DeliveryChannel>"
        f'<tp:Transport tp:transportId="t-{name}"><tp:TransportReceiver><tp:Endpoint tp:uri="{address}" '
        'tp:type="allPurpose"/></tp:TransportReceiver></tp:Transport>'
        f'<tp:DocExchange tp:docExchangeId="d-{name}"><tp:ebXMLSenderBinding tp:version="2.0"><tp:SenderNonRepudiation>'
        f'<tp:SigningCertificateRef tp:certId="{named}"/></tp:SenderNonRepudiation></tp:ebXMLSenderBinding></tp:DocExchange>'
    )
