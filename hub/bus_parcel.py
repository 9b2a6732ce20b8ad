"""How does it go out on the national bus? Signed, then encrypted, with the fields that receivers read (nhn-amqp.md §2, §3)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from hub.formats import amqp, xml
from hub.formats.amqp import BusMessage
from hub.formats.amqp_metadata import metadata
from hub.formats.queues import QueueKind, queue_name
from hub.kit import Kit
from hub.message import Agreement, Channel, DeliveryRecord, MessageRecord, Parcel
from hub.trust import bus_certificates, cms, signed_data
from hub.trust.bus_certificates import Judged
from hub.trust.certificates import Purpose
from hub.verdict import Refuse, Retry
from hub.wishes import parties


def seal(message: MessageRecord, delivery: DeliveryRecord, document: bytes, kit: Kit) -> Parcel | Refuse | Retry:
    """The parcel for one delivery; Retry when its receiver's certificate cannot be asked about now (§3.5)."""
    if delivery.kind == "signal":  # an error report is written when it is promised, and has no body
        return Parcel(json.loads(document), b"")
    now = kit.clock.now()
    profile = agreed(message, delivery.receiver, kit, now)
    sender, receiver = parties(message, delivery.sender, delivery.receiver)
    key = kit.keys.signing_key(sender)
    if key is None:
        return Refuse("no-key", f"no signing key for HER-id {sender}; see: samhub certs check")
    if profile.fault:
        return Refuse(profile.fault, profile.because)
    if not any(map(profile.allows, message.functions)):
        return Refuse("bus-function", f"{message.action} is not agreed: {profile.because}")
    if not profile.encryption_certificate:
        return Refuse("no-certificate", f"no encryption certificate for HER-id {receiver}")
    for der, purpose in ((key.certificate_der, Purpose.SIGNING), (profile.encryption_certificate, Purpose.ENCRYPTION)):
        found = bus_certificates.judge(der, purpose, now, kit.anchors, kit.revocation)
        if not found.usable:
            return _unusable(found, purpose, kit)
    if unfit := cms.unfit(profile.encryption_certificate):
        return Refuse("unfit-certificate", f"encryption certificate of HER-id {receiver}: {unfit}")
    content = signed_data.seal(document, key, profile.encryption_certificate)
    return Parcel(amqp.headers(_fields(message, delivery, document, profile, kit)), content)


def agreed(message: MessageRecord, receiver: str, kit: Kit, at: datetime) -> Agreement:
    """The profile under which it may go to `receiver`; the one for its own function where none lets it go."""
    from_her, to_her = parties(message, message.from_her, receiver)
    found = [
        kit.directory.bus_profile(cpa_id="", from_her=from_her, to_her=to_her, function=function, at=at)
        for function in message.functions
    ]
    named = zip(found, message.functions, strict=True)
    return next((profile for profile, function in named if profile.allows(function)), found[0])


def _unusable(found: Judged, purpose: Purpose, kit: Kit) -> Refuse | Retry:
    """Both certificates must hold before anything is sent (§3.5, sending)."""
    whose = "our signing certificate" if purpose is Purpose.SIGNING else "the receiver's encryption certificate"
    if found.temporary:
        after = timedelta(seconds=kit.settings.retry_undecided_seconds)
        return Retry(found.code, f"{whose}: {found.because}", after)
    return Refuse(found.code, f"{whose}: {found.because}")


def _fields(
    message: MessageRecord, delivery: DeliveryRecord, document: bytes, profile: Agreement, kit: Kit
) -> BusMessage:
    """§2.1 and §2.2; a question carries where its answer goes and how long that is of use, an answer what it answers."""
    asks = delivery.channel == Channel.AMQP_SYNC
    from_her, to_her = parties(message, delivery.sender, delivery.receiver)
    answers = delivery.rule == "built-in: answer"
    life = timedelta(seconds=kit.settings.sync_seconds) // timedelta(milliseconds=1)
    return BusMessage(
        function=message.action,
        from_her=from_her,
        to_her=to_her,
        message_id=delivery.eb_message_id,
        correlation_id=message.conversation_id if answers else delivery.eb_message_id,
        reply_to="" if answers else _own_queue(delivery, asks, kit),
        to=queue_name(delivery.address.removeprefix("amqp:")),
        content_type=amqp.SEALED,
        cpa_id=message.transport.cpa_id or (profile.cpa_id if profile.source == "cpa" else ""),
        application_time_stamp=kit.clock.now(),
        ttl=life if asks or answers else None,
        properties=_metadata(document, message, kit),
    )


def _own_queue(delivery: DeliveryRecord, asks: bool, kit: Kit) -> str:
    """A bare queue of the same kind that belongs to the sender (§2.1)."""
    return kit.directory.bus_queue(delivery.sender, QueueKind.SYNCREPLY if asks else QueueKind.ASYNC)


def _metadata(document: bytes, message: MessageRecord, kit: Kit) -> dict[str, str]:
    """What the document says of itself, in the clear (§2.4), and which system sends (§2.2)."""
    root = xml.parse(document, xml.Bounds.for_document(kit.settings.max_message_bytes))
    found = {} if isinstance(root, xml.XmlFault) else metadata(root)
    wished, own = message.transport, (kit.settings.software_name, kit.settings.software_version)
    name, version = (wished.application_name, wished.application_version) if wished.application_name else own
    return {**found, "X-SystemIdentifier": f"{name} {version}".rstrip()}
