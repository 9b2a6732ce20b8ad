"""The JSON of EDI 2.0 v3: what comes in, checked by pydantic, and what goes out, as plain functions."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from hub.events import Notification
from hub.formats.lifted import Lifted, members
from hub.message import Language
from hub.record_systems.values import AppRecInfo, AppRecStatus, Info, Standing

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


#: A15.6.
STATUS = {"1": AppRecStatus.OK, "2": AppRecStatus.REJECTED, "3": AppRecStatus.PARTLY}


class PostAppRec(_In):
    """A9.6; status as word or number (A15.6)."""

    app_rec_sender_her_id: HerId
    app_rec_status: Literal["Ok", "Rejected", "OkErrorInMessagePart", "1", "2", "3", 1, 2, 3]
    app_rec_error_list: list[AppRecErrorIn] | None = None

    @property
    def status(self) -> AppRecStatus:
        """By its word or its number."""
        return STATUS.get(str(self.app_rec_status)) or AppRecStatus(str(self.app_rec_status))


class PutDownloaded(_In):
    """A6 row 11."""

    receiver_her_id: HerId


def message(info: Info) -> dict[str, Any]:
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


def status(standing: Standing, language: Language) -> dict[str, Any]:
    """A8.1, with our own state, code, reason and what to do beside."""
    text, hint = standing.words(language)
    return {
        "receiverHerId": number(standing.receiver),
        "transportDeliveryState": str(standing.transport),
        "sent": standing.sent,
        "apprecInfo": _apprec(standing.apprec) if standing.apprec else None,
        "state": standing.state,
        "code": standing.code,
        "because": standing.because,
        "text": text,
        "hint": hint,
    }


def _apprec(found: AppRecInfo) -> dict[str, Any]:
    """A5 AppRecError: one for each Error, as the receiver wrote it."""
    errors = [
        {"errorCode": f.code, "details": f.details or None, "description": f.description or None, "oid": f.oid or None}
        for f in found.faults
    ]
    return {"appRecStatus": str(found.status), "appRecErrorList": errors, "appRecId": found.message_id or None}


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
