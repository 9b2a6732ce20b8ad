"""The JSON of EDI 2.0 v3: what comes in, checked by pydantic, and what goes out, as plain functions."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_pascal
from typing_extensions import TypedDict

from hub.events import Notification
from hub.formats.lifted import Lifted, members
from hub.message import Configuration, Language
from hub.record_systems.facade import LARGEST, MOST, MOST_HER_IDS
from hub.record_systems.values import AppRecInfo, AppRecStatus, Fault, Info, Standing, Transport

HerId = Annotated[int, Field(ge=1)]
#: What a sender may wish in an envelope; blanks around it are nobody's.
Wish = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] | None


class Query(BaseModel):
    """What stands behind the question mark; names as EDI 2.0 writes them, and taken in any case (A6.4)."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_pascal, populate_by_name=True)


class In(BaseModel):
    """Unknown members are ignored, absent and null mean the same (A15.8); names may begin with a capital, as .NET's do."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _said(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {f"{name[:1].lower()}{name[1:]}": value for name, value in given.items() if value is not None}


def unique(given: list[Any]) -> list[Any]:
    """Raises ValueError where one stands there twice."""
    if len(set(given)) < len(given):
        raise ValueError("one stands there twice")
    return given


def by_name_alone(given: Any) -> Any:
    """A media type or an encoding without its parameters, in any case (RFC 9110 8.3.1)."""
    return given.partition(";")[0].strip().lower() if isinstance(given, str) else given


def document(written: str | bytes) -> bytes | None:
    """The bytes of a businessDocument: base64, in one line or many (RFC 4648 3.3 leaves that to us); None where it is none.

    A long one was decoded while it came.
    """
    if isinstance(written, bytes):
        return written
    try:
        return base64.b64decode(written, validate=True)
    except ValueError:  # binascii.Error is one; letters outside ASCII are another
        pass
    try:
        return base64.b64decode(written.translate(_BLANKS), validate=True)
    except ValueError:
        return None


def lifted(written: Any, found: ValidationInfo) -> Any:
    return found.context.meant(written) if isinstance(found.context, Lifted) and isinstance(written, str) else written


#: A document; as bytes where it was lifted out of a large body.
Base64 = Annotated[
    str | bytes, BeforeValidator(lifted), WithJsonSchema({"type": "string", "contentEncoding": "base64"})
]
#: The member that is lifted out of a large body.
DOCUMENTS = members("businessDocument")
_BLANKS = dict.fromkeys(map(ord, " \t\r\n"))


class Wishes(In):
    """What both versions let a sender wish in the envelope; what it leaves out is made as the standards say."""

    cpa_id: Wish = None
    conversation_id: Wish = None
    service: Wish = None
    service_type: Wish = None
    action: Wish = None
    sender_role: Wish = None
    receiver_role: Wish = None
    middleware_name: Wish = None
    middleware_version: Wish = None
    compress_payload: bool | None = None

    def transport(self, application: tuple[str, str], **more: Any) -> Transport:
        """As the facade has it, with name and version of the application, and what one version alone has."""
        return Transport(
            cpa_id=self.cpa_id or "",
            conversation_id=self.conversation_id or "",
            service=self.service or "",
            service_type=self.service_type or "",
            action=self.action or "",
            sender_role=self.sender_role or "",
            receiver_role=self.receiver_role or "",
            application_name=application[0],
            application_version=application[1],
            middleware_name=self.middleware_name or "",
            middleware_version=self.middleware_version or "",
            compress=self.compress_payload,
            **more,
        )


class TransportMetadata(Wishes):
    """A7.1, A9.6."""

    transport_sender_her_id: HerId | None = None
    transport_receiver_her_id: HerId | None = None


def transport(given: TransportMetadata | None, application: tuple[str, str]) -> Transport:
    """As the facade has it, with name and version of the application."""
    wished = given or TransportMetadata()
    sender, receiver = (str(her or "") for her in (wished.transport_sender_her_id, wished.transport_receiver_her_id))
    return wished.transport(application, sender=sender, receiver=receiver)


class EasyPostMessage(In):
    """A7.1, as much of it as cannot be done without. Without receivers they are read from the document."""

    sender_her_id: HerId
    receiver_her_ids: list[HerId] = Field(default=[])
    business_document: Base64
    content_type: Annotated[Literal["application/xml", "text/xml"], BeforeValidator(by_name_alone)] = "application/xml"
    content_transfer_encoding: Annotated[Literal["base64"], BeforeValidator(by_name_alone)] = "base64"
    message_type_identificator: str | None = None
    application_name: Wish = None
    application_version: Wish = None
    transport_metadata_overrides: TransportMetadata | None = None


class PostMessage(EasyPostMessage):
    """A7.1. Name and version of the application may stand in nhn-source-system instead (A2.1)."""

    receiver_her_ids: Annotated[list[HerId], AfterValidator(unique)] = Field(min_length=1)
    content_type: Annotated[Literal["application/xml"], BeforeValidator(by_name_alone)]
    content_transfer_encoding: Annotated[Literal["base64"], BeforeValidator(by_name_alone)]
    message_type_identificator: str = Field(min_length=1, max_length=100)


class AppRecErrorIn(In):
    """A5 AppRecError."""

    error_code: str
    details: str | None = None
    description: str | None = None
    oid: str | None = None


def fault(given: AppRecErrorIn) -> Fault:
    """As the facade has it."""
    return Fault(given.error_code, given.oid or "", given.description or "", given.details or "")


#: A15.6.
STATUS = {"1": AppRecStatus.OK, "2": AppRecStatus.REJECTED, "3": AppRecStatus.PARTLY}
#: A status as word or number.
AppRecWord = Literal["Ok", "Rejected", "OkErrorInMessagePart", "1", "2", "3", 1, 2, 3]


def apprec_status(said: AppRecWord) -> AppRecStatus:
    """By its word or its number."""
    return STATUS.get(str(said)) or AppRecStatus(str(said))


class PostAppRec(In):
    """A9.6; status as word or number (A15.6)."""

    app_rec_sender_her_id: HerId
    app_rec_status: AppRecWord
    app_rec_error_list: list[AppRecErrorIn] | None = None
    application_name: Wish = None
    application_version: Wish = None
    transport_metadata_overrides: TransportMetadata | None = None


class PutDownloaded(In):
    """A6 row 11."""

    receiver_her_id: HerId


class EasyNotificationsQuery(Query):
    """A6 row 4; without Offset from the first."""

    her_ids: list[HerId] = Field(min_length=1, max_length=MOST_HER_IDS)
    offset: int = Field(0, ge=0, le=LARGEST)
    notifications_to_fetch: int = Field(100, ge=1, le=MOST)


class NotificationsQuery(EasyNotificationsQuery):
    """A6 row 4."""

    her_ids: Annotated[list[HerId], AfterValidator(unique)] = Field(min_length=1, max_length=MOST_HER_IDS)
    offset: int = Field(ge=0, le=LARGEST)


class StreamQuery(Query):
    """A6 row 5; without Offset from now."""

    her_ids: Annotated[list[HerId], AfterValidator(unique)] = Field(min_length=1, max_length=MOST_HER_IDS)
    offset: int | None = Field(None, ge=0, le=LARGEST)


class Filters(In):
    """A11.3."""

    message_function: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field([], max_length=1000)


class ConfigurationIn(In):
    """A11.2; `ApiPolling` is what the same was called before."""

    her_id: HerId
    receive_notification_channel: Literal["Api", "ApiPolling"] = "Api"
    client_locked: bool = False
    reject_message_filters: Filters | None = None
    receive_refused_message_notices: bool = False


def configuration(given: ConfigurationIn) -> Configuration:
    """As the facade has it."""
    filters = given.reject_message_filters or Filters()
    rejects = tuple(dict.fromkeys(filters.message_function))
    return Configuration(str(given.her_id), "Api", given.client_locked, rejects, given.receive_refused_message_notices)


def _each_once(given: list[ConfigurationIn]) -> list[ConfigurationIn]:
    unique([one.her_id for one in given])
    return given


class PutConfigurations(In):
    """A6 row 2: all of them, or none."""

    configurations: Annotated[list[ConfigurationIn], AfterValidator(_each_once)] = Field(max_length=MOST_HER_IDS)


class HerIdsQuery(Query):
    """A6 row 3."""

    her_ids: Annotated[list[HerId], AfterValidator(unique)] = Field(min_length=1, max_length=MOST_HER_IDS)


class UnreadQuery(HerIdsQuery):
    """A6 row 12."""

    notifications_to_fetch: int = Field(100, ge=1, le=MOST)


class PostDelete(In):
    """A6 row 14."""

    notification_ids: Annotated[list[UUID], AfterValidator(unique)] = Field(max_length=MOST)


# --- what goes out


class Pong(TypedDict):
    """A6 row 1."""

    response: str
    timestampUtc: str


class Sent(TypedDict):
    """A7.3, with the document's own id, and whether it came before, beside."""

    id: str
    businessDocumentId: str
    duplicate: bool


class Made(TypedDict):
    """A6 row 10: the AppRec's id, and its own."""

    id: str
    businessDocumentId: str


class Message(TypedDict):
    """A6 row 7."""

    id: str
    senderHerId: int | None
    receiverHerIds: list[int | None]
    businessDocumentId: str
    businessDocumentGenDate: str | None
    businessDocumentMsgType: str
    contentType: str
    isAppRec: bool


class Document(TypedDict):
    """A6 row 8."""

    businessDocument: str
    contentType: str
    contentTransferEncoding: str


class AppRecError(TypedDict):
    """A5, as the receiver wrote it."""

    errorCode: str
    details: str | None
    description: str | None
    oid: str | None


class ApprecInfo(TypedDict):
    """A8.1."""

    appRecStatus: Literal["Ok", "Rejected", "OkErrorInMessagePart"]
    appRecErrorList: list[AppRecError]
    appRecId: str | None


class StatusInfo(TypedDict):
    """A8.1, with our own state, code, reason and what to do beside."""

    receiverHerId: int | None
    transportDeliveryState: Literal["Unconfirmed", "Acknowledged", "Rejected", "Abandoned"]
    sent: bool
    apprecInfo: ApprecInfo | None
    state: str
    code: str
    because: str
    text: str
    hint: str


class StatusList(TypedDict):
    """A6 row 9."""

    statusList: list[StatusInfo]


class Note(TypedDict):
    """A10.1."""

    notificationId: str
    relatedMessageId: str | None
    type: str
    notificationReceiverHerId: int | None
    notificationTriggeredByHerId: int | None
    description: str | None
    createdAt: str
    offset: int


class UnreadNote(TypedDict):
    """A10.1, the variant without offset."""

    notificationId: str
    relatedMessageId: str | None
    type: str
    notificationReceiverHerId: int | None
    notificationTriggeredByHerId: int | None
    description: str | None
    createdAt: str


class UnreadNotifications(TypedDict):
    """A6 row 12."""

    unreadNotifications: list[UnreadNote]


class Notifications(TypedDict):
    """A6 row 4."""

    notifications: list[Note]


def business_document(content: bytes) -> Document:
    """A6 row 8; base64 in one line."""
    encoded = base64.b64encode(content).decode()
    return {"businessDocument": encoded, "contentType": "application/xml", "contentTransferEncoding": "base64"}


def message(info: Info) -> Message:
    """A6 row 7."""
    record = info.record
    return {
        "id": record.id,
        "senderHerId": number(record.from_her),
        "receiverHerIds": [number(her) for her in info.receivers],
        "businessDocumentId": record.msg_id,
        "businessDocumentGenDate": record.gen_date.isoformat() if record.gen_date else None,
        "businessDocumentMsgType": record.type_code,
        "contentType": "application/xml",
        "isAppRec": record.kind == "apprec",
    }


def status(standing: Standing, language: Language) -> StatusInfo:
    """A8.1, with our own state, code, reason and what to do beside."""
    text, hint = standing.words(language)
    return {
        "receiverHerId": number(standing.receiver),
        "transportDeliveryState": standing.transport.value,
        "sent": standing.sent,
        "apprecInfo": _apprec(standing.apprec) if standing.apprec else None,
        "state": standing.state,
        "code": standing.code,
        "because": standing.because,
        "text": text,
        "hint": hint,
    }


def _apprec(found: AppRecInfo) -> ApprecInfo:
    """A5 AppRecError: one for each Error, as the receiver wrote it."""
    errors: list[AppRecError] = [
        {"errorCode": f.code, "details": f.details or None, "description": f.description or None, "oid": f.oid or None}
        for f in found.faults
    ]
    return {"appRecStatus": found.status.value, "appRecErrorList": errors, "appRecId": found.message_id or None}


def notification(note: Notification) -> Note:
    """A10.1."""
    return {**unread(note), "offset": note.offset}


def unread(note: Notification) -> UnreadNote:
    """A10.1, without offset."""
    return {
        "notificationId": note.id,
        "relatedMessageId": note.message_id or None,
        "type": str(note.type),
        "notificationReceiverHerId": number(note.receiver),
        "notificationTriggeredByHerId": number(note.triggered_by) if note.triggered_by else None,
        "description": note.description or None,
        "createdAt": note.at.isoformat(),
    }


def number(her_id: str) -> int | None:
    """A HER-id as JSON has it."""
    return int(her_id) if her_id.isdigit() else None
