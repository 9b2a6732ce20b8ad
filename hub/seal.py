"""How does it go out? The document wrapped, encrypted, put into a signed envelope, and made bytes for the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hub import bus_parcel, wishes
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
    if contradiction := wishes.against(message, agreement):
        return Refuse("against-agreement", contradiction)
    sender, receiver = wishes.own_parties(message, delivery)
    key = kit.keys.signing_key(sender)
    if key is None:
        return Refuse("no-key", f"no signing key for HER-id {sender}; see: samhub certs check")
    wished = message.transport.compress
    gzip = agreement.compressed if wished is None else wished
    content = cms.wrap(document, as_mime=agreement.payload_form == "mime", gzip=gzip)
    del document  # a large one is let go as soon as it is in another form
    if agreement.encrypted:
        if not agreement.encryption_certificate:
            return Refuse("no-certificate", f"no encryption certificate for HER-id {receiver}")
        if unfit := cms.unfit(agreement.encryption_certificate):
            return Refuse("unfit-certificate", f"encryption certificate of HER-id {receiver}: {unfit}")
        content = cms.encrypt(content, agreement.encryption_certificate)
    header = _header(message, delivery, agreement, kit, now)
    parcel = _packed(header, message, agreement, content, key, kit, sync_reply=_sync_reply(agreement, delivery))
    made_by = made_with(agreement, message, delivery, kit)
    return replace(parcel, terms=Terms(agreement.ack_requested, agreement.retries, agreement.retry_interval, made_by))


def made_with(agreement: Agreement, message: MessageRecord, delivery: DeliveryRecord, kit: Kit) -> str:
    """What a parcel is made with, as two digests with a dot between: of the receiver's certificate, and of all the rest."""
    key = kit.keys.signing_key(wishes.own_parties(message, delivery)[0])
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
    """The agreement for this direction, under a CPAId of our own choice where its sender wishes none."""
    return wishes.agreed(message, delivery.sender, delivery.receiver, kit, now)


def _header(
    message: MessageRecord, delivery: DeliveryRecord, agreement: Agreement, kit: Kit, now: datetime
) -> HeaderFields:
    wished = message.transport
    from_her, to_her = wishes.own_parties(message, delivery)
    sender, receiver = _own_roles(message)
    return HeaderFields(
        from_her=from_her,
        to_her=to_her,
        cpa_id=wished.cpa_id or agreement.cpa_id or kit.directory.cpa_id(from_her, to_her),
        conversation_id=message.conversation_id,
        service=message.service,
        action=agreement.action or message.action,
        message_id=delivery.eb_message_id,
        timestamp=now,
        from_role=wished.sender_role or agreement.from_role or sender,
        to_role=wished.receiver_role or agreement.to_role or receiver,
        time_to_live=delivery.expires_at,
        service_type=wished.service_type or agreement.service_type,
        from_type=agreement.from_type,
        to_type=agreement.to_type,
        software=(kit.settings.software_name, kit.settings.software_version),
        application=(wished.application_name, wished.application_version),
        middleware=(wished.middleware_name, wished.middleware_version),
    )


def _own_roles(message: MessageRecord) -> tuple[str, str]:
    """Those of its document, also where it travels under a service or an action that is wished."""
    code = message.original_type or message.type_code
    service = f"S-{code}" if message.transport.service else message.service
    return roles(service, "APPREC" if message.kind == "apprec" else message.action)


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
