"""A simulated record system: it fetches what lies ready for it, keeps it, and answers where it answers itself.

By REST or by SOAP: the demo has both among its parties, and `samhub simulate --system` plays one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from typing import Any, Literal, Protocol

from zeep.exceptions import Fault

from hub.errors import HubError
from ops.epj import RecordSystemClient
from ops.epj_soap import SoapRecordSystemClient

By = Literal["rest", "soap"]


class Client(Protocol):
    """What a record system can do, whichever door it uses."""

    async def __aenter__(self) -> Any: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def send(self, document: bytes, sender: str, receivers: Sequence[str] = ()) -> tuple[int, dict[str, Any]]: ...
    async def status(self, message_id: str) -> list[dict[str, Any]]: ...
    async def notifications(self, her_ids: Sequence[str], offset: int) -> list[dict[str, Any]]: ...
    async def message(self, message_id: str) -> dict[str, Any]: ...
    async def fetch(self, message_id: str) -> bytes: ...
    async def fetched(self, message_id: str, receiver: str) -> int: ...
    async def answer(self, message_id: str, receiver: str, errors: Sequence[tuple[str, str]] = ()) -> int: ...


def client(by: By, url: str, system: str, key: str) -> Client:
    """A client of the hub at `url` for a record system."""
    return SoapRecordSystemClient(url, system, key) if by == "soap" else RecordSystemClient(url, key)


class RecordSystem:
    """Polls its notifications. Documents whose MsgId stands in `rejects` are answered by a negative AppRec."""

    def __init__(self, own: Client, her_ids: Sequence[str], *, answers: bool, poll: float = 0.1) -> None:
        """`answers`: it writes its AppRecs itself; else the hub does."""
        self._client = own
        self.her_ids, self.answers, self._poll = list(her_ids), answers, poll
        self.rejects: set[str] = set()
        self.kept: list[str] = []  #: MsgId of every document, each time it was handed to us
        self._offset = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> RecordSystem:
        await self._client.__aenter__()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._client.__aexit__()

    async def send(self, document: bytes, sender: str, receivers: Collection[str]) -> tuple[int, dict[str, Any]]:
        """Hands a document over: 202 with the message's `id`, or what is wrong."""
        return await self._client.send(document, sender, list(receivers))

    async def status(self, message_id: str) -> list[dict[str, Any]]:
        """What became of a message at each receiver."""
        return await self._client.status(message_id)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(HubError, OSError, TimeoutError, Fault):
                await self._look()
            await asyncio.sleep(self._poll)

    async def _look(self) -> None:
        for start in range(0, len(self.her_ids), 1000):
            for note in await self._client.notifications(self.her_ids[start : start + 1000], self._offset):
                if note["type"] == "NewMessage":
                    await self._take(note["relatedMessageId"], str(note["notificationReceiverHerId"]))
                self._offset = max(self._offset, note["offset"])

    async def _take(self, message_id: str, receiver: str) -> None:
        about = await self._client.message(message_id)
        await self._client.fetch(message_id)
        self.kept.append(str(about.get("businessDocumentId", "")))
        await self._client.fetched(message_id, receiver)
        if self.answers and not about.get("isAppRec"):
            errors = [("E35", "oppdiktet avvisning")] if about.get("businessDocumentId") in self.rejects else []
            await self._client.answer(message_id, receiver, errors)
