"""How does it go out? The document wrapped, encrypted, put into a signed envelope, and made bytes for the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hub import bus_parcel
from hub.digest import sha256
from hub.formats import envelope_write, mime
from hub.formats.envelope_write import HeaderFields
from hub.kit import Kit
from hub.message import BUS, SEALED, Agreement, Channel, DeliveryRecord, MessageRecord, Parcel, Terms
from hub.receipts import FAULT, FAULT_HEADERS, SIGNAL_HEADERS
from hub.trust import cms
from hub.trust.signature import SigningKey
from hub.trust.signing import digests, sign
from hub.verdict import Refuse, Retry

ENCRYPTED = "application/pkcs7-mime; smime-type=enveloped-data"
PLAIN = "application/xml"


def seal(message: MessageRecord, delivery: DeliveryRecord, document: bytes, kit: Kit) -> Parcel | Refuse | Retry:
    """The parcel for one delivery, or why there cannot be one (now); the same parcel serves every attempt (HITS 1171 9.6)."""
    if delivery.channel not in SEALED:
        return Parcel({}, document)
    if delivery.channel in BUS:
        return bus_parcel.seal(message, delivery, document, kit)
    if delivery.kind == "signal":
        return Parcel(_signal_headers(message), document)
    now = kit.clock.now()
    agreement = agreed(message, delivery, kit, now)
    if agreement.fault:
        return Refuse(agreement.fault, agreement.because)
    if agreement.unkept:  # rather nothing than a document in the clear (HITS 1171 6)
        return Refuse("confidentiality-not-kept", f"{agreement.because}: {agreement.unkept}")
    key = kit.keys.signing_key(delivery.sender)
    if key is None:
        return Refuse("no-key", f"no signing key for HER-id {delivery.sender}; see: samhub certs check")
    content = cms.wrap(document, as_mime=agreement.payload_form == "mime", gzip=agreement.compressed)
    del document  # a large one is let go as soon as it is in another form
    if agreement.encrypted:
        if not agreement.encryption_certificate:
            return Refuse("no-certificate", f"no encryption certificate for HER-id {delivery.receiver}")
        if unfit := cms.unfit(agreement.encryption_certificate):
            return Refuse("unfit-certificate", f"encryption certificate of HER-id {delivery.receiver}: {unfit}")
        content = cms.encrypt(content, agreement.encryption_certificate)
    header = _header(message, delivery, agreement, kit, now)
    parcel = _packed(header, message, agreement, content, key, kit, sync_reply=_sync_reply(agreement, delivery))
    made_by = made_with(agreement, delivery, kit)
    return replace(parcel, terms=Terms(agreement.ack_requested, agreement.retries, agreement.retry_interval, made_by))


def made_with(agreement: Agreement, delivery: DeliveryRecord, kit: Kit) -> str:
    """What a parcel is made with, as two digests with a dot between: of the receiver's certificate, and of all the rest."""
    key = kit.keys.signing_key(delivery.sender)
    certificate = agreement.encryption_certificate if agreement.encrypted else b""
    rest = (
        agreement.cpa_id,
        agreement.compressed,
        agreement.payload_form,
        agreement.from_role,
        agreement.to_role,
        agreement.action,
        agreement.service_type,
        agreement.from_type,
        agreement.to_type,
        agreement.ack_requested,
        agreement.ack_signed,
        agreement.duplicate_elimination,
        _sync_reply(agreement, delivery),
        sha256(key.certificate_der) if key is not None else "",
    )
    return f"{sha256(certificate)[:16]}.{sha256(repr(rest).encode())[:16]}"


def _sync_reply(agreement: Agreement, delivery: DeliveryRecord) -> bool:
    """SyncReply belongs to an exchange, which a mail has none of (ebMS 2.0 4.3; ebxml.md §1.2)."""
    return agreement.sync_reply and delivery.channel is Channel.EBXML_HTTP


def _signal_headers(message: MessageRecord) -> dict[str, str]:
    """A SOAP Fault by mail says which mail it answers (HITS 1172 4.2.2); a signed signal says so inside."""
    if message.action == FAULT:
        return {**FAULT_HEADERS, "In-Reply-To": f"<{message.original_msg_id}>"}
    return dict(SIGNAL_HEADERS)


def agreed(message: MessageRecord, delivery: DeliveryRecord, kit: Kit, now: datetime) -> Agreement:
    """The agreement for this direction, under a CPAId of our own choice."""
    return kit.directory.agreement(
        cpa_id="",
        from_her=delivery.sender,
        to_her=delivery.receiver,
        service=message.service,
        action=message.action,
        role="",
        at=now,
    )


def _header(
    message: MessageRecord, delivery: DeliveryRecord, agreement: Agreement, kit: Kit, now: datetime
) -> HeaderFields:
    sender, receiver = roles(message.service, message.action)
    return HeaderFields(
        from_her=delivery.sender,
        to_her=delivery.receiver,
        cpa_id=agreement.cpa_id or kit.directory.cpa_id(delivery.sender, delivery.receiver),
        conversation_id=message.conversation_id,
        service=message.service,
        action=agreement.action or message.action,
        message_id=delivery.eb_message_id,
        timestamp=now,
        from_role=agreement.from_role or sender,
        to_role=agreement.to_role or receiver,
        time_to_live=delivery.expires_at,
        service_type=agreement.service_type,
        from_type=agreement.from_type,
        to_type=agreement.to_type,
        software=(kit.settings.software_name, kit.settings.software_version),
    )


def roles(service: str, action: str) -> tuple[str, str]:
    """Role of From and To: the code with `sender` and `receiver`, mirrored on APPREC (HITS 1209 3)."""
    code = service.removeprefix("S-")
    own, other = f"{code}sender", f"{code}receiver"
    return (other, own) if action == "APPREC" else (own, other)


def _packed(
    header: HeaderFields,
    message: MessageRecord,
    agreement: Agreement,
    content: bytes,
    key: SigningKey,
    kit: Kit,
    *,
    sync_reply: bool,
) -> Parcel:
    payload_id, root_id, boundary = kit.dice.uuid(), kit.dice.uuid(), kit.dice.uuid()
    schema = (message.namespace, message.version)
    envelope = envelope_write.business(
        header,
        payload_id,
        schema,
        ack_requested=agreement.ack_requested,
        ack_signed=agreement.ack_signed,
        duplicate_elimination=agreement.duplicate_elimination,
        sync_reply=sync_reply,
    )
    parts = [(payload_id, content)]
    signed = sign(envelope, parts, key)
    kind = ENCRYPTED if agreement.encrypted else PLAIN
    headers, body = mime.write(signed, [(payload_id, kind, content)], root_id=root_id, boundary=boundary)
    return Parcel(headers, body, digests(envelope, parts))
