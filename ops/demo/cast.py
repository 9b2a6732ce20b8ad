"""The record systems of the demo: each fetches what lies ready for it, keeps it, and answers where it answers itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence

from hub.errors import HubError
from ops.epj import RecordSystemClient


class RecordSystem:
    """Polls its notifications. Documents whose MsgId stands in `rejects` are answered by a negative AppRec."""

    def __init__(self, url: str, key: str, her_ids: Sequence[str], *, answers: bool, poll: float = 0.1) -> None:
        self._client = RecordSystemClient(url, key)
        self._her_ids, self._answers, self._poll = list(her_ids), answers, poll
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

    async def send(self, document: bytes, sender: str, receivers: Collection[str]) -> tuple[int, dict[str, object]]:
        """Hands a document over."""
        return await self._client.send(document, sender, list(receivers))

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(HubError, OSError, TimeoutError):
                await self._look()
            await asyncio.sleep(self._poll)

    async def _look(self) -> None:
        for start in range(0, len(self._her_ids), 1000):
            for note in await self._client.notifications(self._her_ids[start : start + 1000], self._offset):
                if note["type"] == "NewMessage":
                    await self._take(note["relatedMessageId"], str(note["notificationReceiverHerId"]))
                self._offset = max(self._offset, note["offset"])

    async def _take(self, message_id: str, receiver: str) -> None:
        about = await self._client.message(message_id)
        await self._client.fetch(message_id)
        self.kept.append(str(about.get("businessDocumentId", "")))
        await self._client.fetched(message_id, receiver)
        if self._answers and not about.get("isAppRec"):
            errors = [("E35", "oppdiktet avvisning")] if about.get("businessDocumentId") in self.rejects else []
            await self._client.answer(message_id, receiver, errors)
