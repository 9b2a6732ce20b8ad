"""The JSON of EDI 2.0 v3: what comes in, checked by pydantic, and what goes out, as plain functions."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from hub.events import Notification
from hub.formats.lifted import Lifted, members
from hub.message import DeliveryRecord, MessageRecord
from hub.states import State

HerId = Annotated[int, Field(ge=1)]


class _In(BaseModel):
    """Unknown members are ignored, absent and null mean the same (A15.8); names may begin with a capital, as .NET's do."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _said(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {f"{name[:1].lower()}{name[1:]}": value for name, value in given.items() if value is not None}


def _by_name_alone(given: Any) -> Any:
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


def _lifted(written: Any, found: ValidationInfo) -> Any:
    return found.context.meant(written) if isinstance(found.context, Lifted) and isinstance(written, str) else written


#: The member that is lifted out of a large body.
DOCUMENTS = members("businessDocument")
_BLANKS = dict.fromkeys(map(ord, " \t\r\n"))


class PostMessage(_In):
    """A7.1. Without receivers they are read from the document, the primary one and every copy."""

    sender_her_id: HerId
    receiver_her_ids: list[HerId] = Field(default=[])
    business_document: Annotated[str | bytes, BeforeValidator(_lifted)]  #: bytes: was lifted out of a large body
    content_type: Annotated[Literal["application/xml", "text/xml"], BeforeValidator(_by_name_alone)] = "application/xml"
    content_transfer_encoding: Annotated[Literal["base64"], BeforeValidator(_by_name_alone)] = "base64"
    message_type_identificator: str | None = None
    application_name: str | None = None
    application_version: str | None = None


class AppRecErrorIn(_In):
    """A5 AppRecError."""

    error_code: str
    details: str | None = None
    description: str | None = None
    oid: str | None = None


class PostAppRec(_In):
    """A9.6; status as word or number (A15.6)."""

    app_rec_sender_her_id: HerId
    app_rec_status: Literal["Ok", "Rejected", "1", "2", 1, 2]
    app_rec_error_list: list[AppRecErrorIn] | None = None

    @property
    def rejected(self) -> bool:
        """Avvist."""
        return str(self.app_rec_status) in ("Rejected", "2")


class PutDownloaded(_In):
    """A6 row 11."""

    receiver_her_id: HerId


STATUS = {"1": "Ok", "2": "Rejected", "3": "OkErrorInMessagePart"}


def message(record: MessageRecord, receivers: list[str]) -> dict[str, Any]:
    """A6 row 7."""
    return {
        "id": record.id,
        "senderHerId": number(record.from_her),
        "receiverHerIds": [number(her) for her in receivers],
        "businessDocumentId": record.msg_id,
        "businessDocumentGenDate": record.gen_date.isoformat() if record.gen_date else None,
        "businessDocumentMsgType": record.type_code,
        "contentType": "application/xml",
        "isAppRec": record.kind == "apprec",
    }


def transport_state(delivery: DeliveryRecord) -> str:
    """A8.2. What waits in a mailbox here is available to its receiver: acknowledged."""
    if delivery.state in (State.DEAD, State.EXPIRED, State.DISCARDED):
        return "Abandoned"
    if delivery.state == State.REJECTED and not delivery.apprec_status:
        return "Rejected"
    if delivery.state in (State.WAITING, State.SENT, State.HELD):
        return "Unconfirmed"
    if delivery.state == State.OVERDUE and delivery.code == "receipts-missing":
        return "Unconfirmed"
    return "Acknowledged"


def status(delivery: DeliveryRecord) -> dict[str, Any]:
    """A8.1, with our own state, code and reason beside."""
    entry: dict[str, Any] = {
        "receiverHerId": number(delivery.receiver),
        "transportDeliveryState": transport_state(delivery),
        "sent": delivery.handed_over > 0 or delivery.state not in (State.WAITING, State.HELD),
        "apprecInfo": None,
        "state": delivery.state,
        "code": delivery.code,
        "because": delivery.because,
    }
    if delivery.apprec_status:
        errors = [{"errorCode": delivery.apprec_code, "details": delivery.because}] if delivery.apprec_code else []
        entry["apprecInfo"] = {"appRecStatus": STATUS.get(delivery.apprec_status), "appRecErrorList": errors}
    return entry


def notification(note: Notification) -> dict[str, Any]:
    """A10.1."""
    return {
        "relatedMessageId": note.message_id,
        "type": str(note.type),
        "notificationReceiverHerId": number(note.receiver),
        "notificationTriggeredByHerId": number(note.triggered_by) if note.triggered_by else None,
        "description": note.description or None,
        "createdAt": note.at.isoformat(),
        "offset": note.offset,
    }


def number(her_id: str) -> int | None:
    """A HER-id as JSON has it."""
    return int(her_id) if her_id.isdigit() else None
