"""A CPA as short as it may be: one process, one direction, one channel."""

from __future__ import annotations

import base64
from dataclasses import dataclass

TP = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"


@dataclass(frozen=True, slots=True)
class Side:
    """A party of the CPA: its HER-id, and what it signs with and is encrypted for (DER)."""

    her_id: str
    signing: bytes
    encryption: bytes


def agreement(
    cpa_id: str,
    sender: Side,
    receiver: Side,
    *,
    code: str = "DIALOG_HELSEFAGLIG",
    start: str = "2020-01-01T00:00:00Z",
    end: str = "2099-01-01T00:00:00Z",
    reply: str = "mshSignalsOnly",
    retries: str = "4",
    interval: str = "PT720M",
    twice: bool = False,
) -> str:
    """`sender` may send messages of type `code` to `receiver`; with `twice` the receiver has that action two times."""
    sends = _action("CanSend", code)
    receives = _action("CanReceive", code) * (2 if twice else 1)
    channel = (reply, retries, interval)
    return (
        f'<tp:CollaborationProtocolAgreement xmlns:tp="{TP}" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' tp:cpaid="{cpa_id}" tp:version="2_0b"><tp:Status tp:value="proposed"/><tp:Start>{start}</tp:Start>'
        f"<tp:End>{end}</tp:End>{_party(sender, f'{code}sender', f'S-{code}', sends, channel)}"
        f"{_party(receiver, f'{code}receiver', f'S-{code}', receives, channel)}"
        '<tp:Packaging tp:id="hidden"><tp:CompositeList>'
        '<tp:Encapsulation tp:mimetype="application/pkcs7-mime" tp:id="e"/></tp:CompositeList></tp:Packaging>'
        "</tp:CollaborationProtocolAgreement>"
    )


def _action(side: str, code: str) -> str:
    return (
        f'<tp:{side}><tp:ThisPartyActionBinding tp:id="a" tp:action="{code}" tp:packageId="hidden">'
        f"<tp:ChannelId>channel</tp:ChannelId></tp:ThisPartyActionBinding></tp:{side}>"
    )


def _party(side: Side, role: str, service: str, actions: str, channel: tuple[str, str, str]) -> str:
    reply, retries, interval = channel
    return (
        f'<tp:PartyInfo tp:partyName="{side.her_id}" tp:defaultMshChannelId="channel" tp:defaultMshPackageId="hidden">'
        f'<tp:PartyId tp:type="HER">{side.her_id}</tp:PartyId><tp:CollaborationRole>'
        f'<tp:ProcessSpecification tp:name="Prosess" tp:version="1.1" tp:uuid="u"/><tp:Role tp:name="{role}"/>'
        f'<tp:ApplicationCertificateRef tp:certId="crypt"/><tp:ServiceBinding><tp:Service>{service}</tp:Service>{actions}'
        f"</tp:ServiceBinding></tp:CollaborationRole>{_certificate('sign', side.signing)}{_certificate('crypt', side.encryption)}"
        '<tp:DeliveryChannel tp:channelId="channel" tp:transportId="t" tp:docExchangeId="d">'
        f'<tp:MessagingCharacteristics tp:syncReplyMode="{reply}" tp:ackRequested="always" tp:duplicateElimination="always"/>'
        '</tp:DeliveryChannel><tp:Transport tp:transportId="t"><tp:TransportReceiver>'
        '<tp:Endpoint tp:uri="http://127.0.0.1:9/ebxml" tp:type="allPurpose"/></tp:TransportReceiver></tp:Transport>'
        '<tp:DocExchange tp:docExchangeId="d"><tp:ebXMLSenderBinding tp:version="2.0"><tp:ReliableMessaging>'
        f"<tp:Retries>{retries}</tp:Retries><tp:RetryInterval>{interval}</tp:RetryInterval></tp:ReliableMessaging>"
        "<tp:PersistDuration>P4D</tp:PersistDuration><tp:SenderNonRepudiation>"
        '<tp:SigningCertificateRef tp:certId="sign"/></tp:SenderNonRepudiation></tp:ebXMLSenderBinding></tp:DocExchange>'
        "</tp:PartyInfo>"
    )


def _certificate(name: str, der: bytes) -> str:
    written = base64.b64encode(der).decode()
    return (
        f'<tp:Certificate tp:certId="{name}"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
        f"<ds:X509Certificate>{written}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></tp:Certificate>"
    )
