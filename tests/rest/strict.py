"""What clients in use can read: members that must be there, words that must be known; what is unknown is passed over."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Answer = Literal["Ok", "Rejected", "OkErrorInMessagePart"]
#: Base64 in one line.
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


# --- version 3: nullable means that it may be null or absent


class Pong(_Strict):
    response: str
    timestampUtc: datetime | None = None


class Id(_Strict):
    id: UUID


class Message(_Strict):
    id: UUID
    senderHerId: int | None = None
    receiverHerIds: list[int] | None = None
    businessDocumentId: str | None = None
    businessDocumentGenDate: datetime | None = None
    businessDocumentMsgType: str | None = None
    contentType: str | None = None


class Document(_Strict):
    businessDocument: Base64
    contentType: Literal["application/xml"]
    contentTransferEncoding: Literal["base64"]


class AppRecError(_Strict):
    errorCode: str | None
    details: str | None
    description: str | None = None
    oid: str | None = None


class AppRecInfo(_Strict):
    appRecStatus: Answer | None = None
    appRecErrorList: list[AppRecError] | None = None
    appRecId: UUID | None = None


class Standing(_Strict):
    receiverHerId: int
    transportDeliveryState: Literal["Unconfirmed", "Acknowledged", "Rejected", "Abandoned"]
    sent: bool
    apprecInfo: AppRecInfo | None = None


class Status(_Strict):
    statusList: list[Standing]


class Notification(_Strict):
    notificationId: UUID
    relatedMessageId: UUID | None = None
    type: Literal[
        "NewMessage",
        "RefusedMessage",
        "MessageSentStateUpdated",
        "MessageDeliveryStateUpdated",
        "MessageApprecInfoUpdated",
    ]
    notificationReceiverHerId: int
    notificationTriggeredByHerId: int | None = None
    description: str | None = None
    createdAt: datetime | None = None
    offset: int


class Notifications(_Strict):
    notifications: list[Notification]


class Problem(_Strict):
    type: str
    title: str
    status: int
    detail: str
    instance: str
    errorCode: int
    requestId: UUID
    timestamp: datetime
    validationErrors: list[str] | None = None


# --- version 2: with metadata all of it, in any message; without it none is looked for


class Listed2(_Strict):
    id: UUID
    receiverHerId: int


class Message2(Listed2):
    contentType: str
    senderHerId: int
    businessDocumentId: str
    businessDocumentGenDate: datetime | None = None
    isAppRec: bool


class Standing2(BaseModel):
    """No word beside the contract's."""

    model_config = ConfigDict(extra="forbid")

    receiverHerId: int
    transportDeliveryState: Literal["Unconfirmed", "Acknowledged", "Rejected"]
    appRecStatus: Answer | None


class AppRecError2(_Strict):
    errorCode: str
    details: Annotated[str, Field(min_length=0)]
    description: str | None = None
    oid: str | None = None


class AppRecInfo2(_Strict):
    receiverHerId: int
    appRecStatus: Answer | None
    appRecErrorList: list[AppRecError2] | None


class Error2(BaseModel):
    """As the stored contract has it."""

    model_config = ConfigDict(extra="forbid")

    error: str | None
    errorCode: int
    validationErrors: list[str] | None
    stackTrace: None
    requestId: UUID
