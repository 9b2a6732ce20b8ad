"""A record system (EPJ) as the SOAP door meets it: the same verbs as by REST (ops.epj), spoken by zeep from the WSDL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import zeep
from zeep.exceptions import Fault, TransportError
from zeep.transports import AsyncTransport

from hub.errors import HubError
from ops.doors import SOAP

#: Seconds for one exchange.
PATIENCE = 60
#: In the contract's one fault.
HUB_FAULT = ".//{urn:samhandling-hub:epj:v1}HubFault"


class SoapRecordSystemClient:
    """One record system with its id and API key. Open it with `async with`."""

    def __init__(self, url: str, system: str, key: str) -> None:
        self._url, self._auth = url.rstrip("/") + SOAP, (system, key)
        self._client: zeep.AsyncClient | None = None

    async def __aenter__(self) -> SoapRecordSystemClient:
        self._client = await asyncio.to_thread(self._opened)  # the WSDL is read by calls that wait
        return self

    def _opened(self) -> zeep.AsyncClient:
        transport = AsyncTransport(  # type: ignore[no-untyped-call]
            client=httpx.AsyncClient(auth=self._auth, timeout=PATIENCE),
            wsdl_client=httpx.Client(auth=self._auth, timeout=PATIENCE),
        )
        try:
            return zeep.AsyncClient(f"{self._url}?wsdl", transport=transport)  # type: ignore[no-untyped-call]
        except (httpx.HTTPError, TransportError) as error:
            raise HubError(f"{self._url}: {error}; is the hub running? start it with: samhub serve") from None

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.transport.aclose()

    async def _call(self, operation: str, **values: Any) -> Any:
        assert self._client is not None, "open the client with `async with`"
        try:
            return await self._client.service[operation](**values)
        except (httpx.HTTPError, TransportError) as error:
            raise HubError(f"{self._url}: {error or type(error).__name__}") from None

    async def send(self, document: bytes, sender: str, receivers: Sequence[str] = ()) -> tuple[int, dict[str, Any]]:
        """202 and the `id` of a message taken; or 500, and `code`, `detail` and `hint` of the fault."""
        hers = [int(her) for her in receivers]
        try:
            made = await self._call("SubmitMessage", senderHerId=int(sender), receiverHerId=hers, document=document)
        except Fault as fault:
            return 500, fault_of(fault)
        return 202, {"id": made.messageId, "duplicate": made.duplicate}

    async def status(self, message_id: str) -> list[dict[str, Any]]:
        """Where each receiver's copy stands."""
        found = (await self._call("GetMessageStatus", messageId=message_id)).receiver
        return [{name: one[name] for name in ("receiverHerId", "state", "code", "because", "sent")} for one in found]

    async def notifications(self, her_ids: Sequence[str], offset: int) -> list[dict[str, Any]]:
        """What has happened since `offset`."""
        found = await self._call("GetEvents", herId=[int(her) for her in her_ids], afterOffset=offset, max=1000)
        return [
            {
                "type": one.type,
                "relatedMessageId": one.messageId,
                "notificationReceiverHerId": one.herId,
                "offset": one.offset,
            }
            for one in found.event
        ]

    async def message(self, message_id: str) -> dict[str, Any]:
        """What is known about a message."""
        found = (await self._call("FetchMessage", messageId=message_id)).message
        return {"businessDocumentId": found.businessDocumentId, "isAppRec": found.isAppRec, "id": found.messageId}

    async def fetch(self, message_id: str) -> bytes:
        """The document."""
        return bytes((await self._call("FetchMessage", messageId=message_id)).document)

    async def fetched(self, message_id: str, receiver: str) -> int:
        """Says that the document is safe with us; how many were confirmed."""
        done = await self._call("ConfirmMessages", herId=int(receiver), messageId=[message_id])
        return int(done.confirmed)

    async def answer(self, message_id: str, receiver: str, errors: Sequence[tuple[str, str]] = ()) -> int:
        """An AppRec: positive without errors, else rejected; 202, or 500 where it is not taken."""
        given = [{"code": code, "details": details} for code, details in errors]
        status = "Rejected" if errors else "Ok"
        try:
            await self._call("SubmitAppRec", messageId=message_id, herId=int(receiver), status=status, error=given)
        except Fault:
            return 500
        return 202


def fault_of(fault: Fault) -> dict[str, Any]:
    """The contract's fault as plain values: code, detail (its reason) and hint."""
    found = fault.detail.find(HUB_FAULT) if fault.detail is not None else None
    if found is None:
        return {"code": "soap-fault", "detail": str(fault.message), "hint": ""}
    texts = {child.tag.rpartition("}")[2]: child.text or "" for child in found}
    return {"code": texts.get("code", ""), "detail": texts.get("reason", ""), "hint": texts.get("hint", "")}
