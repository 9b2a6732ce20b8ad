"""The JSON of EDI 2.0 version 2 (A5): what comes in, and what goes out with no word that its contract does not have."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, BeforeValidator, Field
from typing_extensions import TypedDict

from adapters.rest import wire
from adapters.rest.wire import In, Query, Wish, number, unique
from hub.record_systems.values import Fault, Info, Standing, Transport, TransportState

HerId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class EbXmlInfo(wire.Wishes):
    """A5 EbXmlInfo."""

    use_sender_level1_her_id: bool | None = None
    application_name: Wish = None
    application_version: Wish = None


class PostMessageRequest(In):
    """A5 row 2. All is read from the document, its sender and its receivers too."""

    business_document: wire.Base64
    content_type: Annotated[Literal["application/xml"], BeforeValidator(wire.by_name_alone)]
    content_transfer_encoding: Annotated[Literal["base64"], BeforeValidator(wire.by_name_alone)]
    eb_xml_overrides: EbXmlInfo | None = None
    receiver_her_ids_subset: list[HerId] | None = None


class PostAppRecRequest(In):
    """A5 row 7; `details` may be left out, though the contract asks for it: clients do."""

    app_rec_status: wire.AppRecWord
    app_rec_error_list: list[wire.AppRecErrorIn] | None = None
    eb_xml_overrides: EbXmlInfo | None = None


class MessagesQuery(Query):
    """A5 row 1."""

    receiver_her_ids: Annotated[list[HerId], AfterValidator(unique)] = Field(min_length=1)
    sender_her_id: HerId | None = None
    business_document_id: str | None = Field(None, max_length=100)
    include_metadata: bool = False
    messages_to_fetch: int = Field(10, ge=1, le=100)
    order_by: Literal["1", "2", "Ascending", "Descending"] = "1"


class InPath(Query):
    """A HER-id that stands in the path."""

    her_id: HerId


def transport(given: EbXmlInfo | None, application: tuple[str, str]) -> Transport:
    """As the facade has it; whose software it is, nhn-source-system says where nothing else does (A14.2)."""
    wished = given or EbXmlInfo()
    name, version = wished.application_name or "", wished.application_version or ""
    own = name or application[0], version or ("" if name else application[1])
    return wished.transport(own, sender_level_1=bool(wished.use_sender_level1_her_id))


# --- what goes out


class Message(TypedDict):
    """A5; all but the first two are metadata."""

    id: str
    receiverHerId: int | None
    contentType: NotRequired[str]
    senderHerId: NotRequired[int | None]
    businessDocumentId: NotRequired[str]
    businessDocumentGenDate: NotRequired[str | None]
    isAppRec: NotRequired[bool]


class StatusInfo(TypedDict):
    """A5 row 5."""

    receiverHerId: int | None
    transportDeliveryState: Literal["Unconfirmed", "Acknowledged", "Rejected"]
    appRecStatus: Literal["Ok", "Rejected", "OkErrorInMessagePart"] | None


class AppRecError(TypedDict):
    """A5."""

    errorCode: str
    details: str
    description: str | None
    oid: str | None


class ApprecInfo(TypedDict):
    """A5 row 6."""

    receiverHerId: int | None
    appRecStatus: Literal["Ok", "Rejected", "OkErrorInMessagePart"] | None
    appRecErrorList: list[AppRecError] | None


def listed(info: Info, receiver: str) -> Message:
    """A message as it waits for one receiver, without metadata."""
    return {"id": info.record.id, "receiverHerId": number(receiver)}


def message(info: Info, receiver: str) -> Message:
    """A message with its metadata, which are always all there, of an AppRec too."""
    record = info.record
    return {
        "id": record.id,
        "contentType": "application/xml",
        "receiverHerId": number(receiver),
        "senderHerId": number(record.from_her),
        "businessDocumentId": record.msg_id,
        "businessDocumentGenDate": record.gen_date.isoformat() if record.gen_date else None,
        "isAppRec": record.kind == "apprec",
    }


def status(standing: Standing) -> StatusInfo:
    """A5 row 5. Version 2 has no word for what was given up (A8.2).

    Of what has left the house nobody knows whether it came: unconfirmed. What never left it was not taken: rejected.
    """
    state: Any = standing.transport.value
    if standing.transport is TransportState.ABANDONED:
        state = "Unconfirmed" if standing.sent else "Rejected"
    own: Any = standing.apprec.status.value if standing.apprec else None
    return {"receiverHerId": number(standing.receiver), "transportDeliveryState": state, "appRecStatus": own}


def apprec(standing: Standing) -> ApprecInfo | None:
    """A5 row 6; None where the receiver has not answered."""
    if standing.apprec is None:
        return None
    return {
        "receiverHerId": number(standing.receiver),
        "appRecStatus": standing.apprec.status.value,
        "appRecErrorList": [_error(one) for one in standing.apprec.faults],
    }


def _error(found: Fault) -> AppRecError:
    """`details` is asked for: where the receiver wrote none of its own, the list's words."""
    return {
        "errorCode": found.code,
        "details": found.details or found.description,
        "description": found.description or None,
        "oid": found.oid or None,
    }
