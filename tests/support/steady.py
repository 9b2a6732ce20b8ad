"""Those who meet a hub that dies: a partner and record systems that do not give up, as real ones do not."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from aiohttp import web

from hub.errors import HubError
from ops.epj import RecordSystemClient
from ops.partner.behaviours import Sending
from ops.partner.mail import MailPartner
from ops.partner.partner import Partner
from ops.partner.wire import Received, Wire
from ops.samples.make import Sample
from tests.support.queue_system import QueueSystem

#: Between two tries, in seconds.
PAUSE = 0.03


class SteadyPartner(Partner):
    """Resends the same bytes until they are acknowledged, and answers a document once, however often it comes."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.refused: list[str] = []  #: answers that it could not understand as "later"
        self.answers_when: Callable[[str], object] = lambda _: True  #: asked with the MessageId, before each AppRec
        self.takes_when: Callable[[], object] = lambda: True  #: asked before each message is answered at all
        self.receipts_when: Callable[[], object] = lambda: True  #: asked before each receipt that comes by itself
        self._with_apprec: set[str] = set()
        self._receipts = 0  #: of its own, on their way

    async def _good(self, request: web.Request, received: Received) -> web.StreamResponse:
        while not self.takes_when():
            await asyncio.sleep(PAUSE)
        return await super()._good(request, received)

    async def insist(self, document: bytes, to_her: str, **said: str) -> None:
        """Sends one message until its Acknowledgment is here; an answer that says no is written down."""
        await self.insist_on(*self.sealed(document, to_her, Sending.GOOD, **said))

    async def insist_on(self, message_id: str, written: Wire) -> None:
        """The same for a message that is sealed already."""
        while not self.refused:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                answer = await self.post(written, message_id=message_id)
                if answer.kind == "acknowledgment":
                    return
                if answer.status != 503:
                    self.refused.append(f"{answer.status} {answer.kind}: {answer.body.decode()}")
            await asyncio.sleep(PAUSE)

    async def post_later(self, written: Wire, after: float) -> None:
        """Its receipt, until the hub has it."""
        self._receipts += 1
        await asyncio.sleep(after)
        while not self.receipts_when():
            await asyncio.sleep(PAUSE)
        status = 0
        while status != 200:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                status = (await self.post(written)).status
            await asyncio.sleep(PAUSE)
        self._receipts -= 1

    def apprecs(self, received: Received, *statuses: str, after: float = 0) -> None:
        """Once, however often it comes: it may have been broken off before it could be answered."""
        if received.envelope.message_id not in self._with_apprec:
            self._with_apprec.add(received.envelope.message_id)
            super().apprecs(received, *statuses, after=after)

    async def _send_apprecs(self, received: Received, statuses: Sequence[str], after: float) -> None:
        await asyncio.sleep(after)
        while self._receipts or not self.answers_when(received.envelope.message_id):
            await asyncio.sleep(PAUSE)
        for status in statuses:
            e = received.envelope
            said = {"conversation_id": e.conversation_id, "service": e.service}
            document = self.apprec_about(received, status)
            self.gives(document)
            await self.insist(document, received.from_her, **said)
            self.gave(document)

    def gives(self, document: bytes) -> None:
        """Is told of an AppRec of its own before it goes out: it may be home before its Acknowledgment has come, as by mail."""

    def gave(self, document: bytes) -> None:
        """Is told when an AppRec of its own has been acknowledged."""


class SteadyMailPartner(SteadyPartner, MailPartner):
    """Its mail server tries until the hub's says 250; it sends the same message in a new mail until it is acknowledged."""

    async def insist(self, document: bytes, to_her: str, **said: str) -> None:
        """Sends one message until its Acknowledgment has come, as mail."""
        message_id, written = self.sealed(document, to_her, Sending.GOOD, **said)
        while not self._acknowledged(message_id):
            await self.post(written)
            end = asyncio.get_running_loop().time() + 2
            while not self._acknowledged(message_id) and asyncio.get_running_loop().time() < end:
                await asyncio.sleep(PAUSE)

    def _acknowledged(self, message_id: str) -> bool:
        found = (s.envelope.acknowledgment for s in self.signals)
        return any(a is not None and a.ref_to_message_id == message_id for a in found)

    async def hand_over(self, content: bytes, sender: str = "") -> str:
        """Until it is taken."""
        while (answer := await super().hand_over(content, sender))[:1] != "2":
            await asyncio.sleep(PAUSE)
        return answer


class SteadyRecordSystem:
    """Hands over until it is told 202, and fetches what lies ready until it has said so."""

    def __init__(self, url: Callable[[], str], key: str, her_ids: Sequence[str], patience: float = 300) -> None:
        """`patience` is how long it waits for a hub that takes the connection and says nothing, in seconds."""
        self._url, self._key, self._her_ids, self._patience = url, key, her_ids, patience
        self.new: Counter[str] = Counter()  #: how often each message was announced
        self.refused: list[str] = []  #: answers that it could not understand as "later"
        self.kept: dict[str, bytes] = {}  #: our id → the document, when fetched and marked as fetched
        self.notes: list[dict[str, Any]] = []  #: everything it was told, in order, as often as it was told
        self._offset = 0

    async def hand_over(self, sample: Sample) -> str:
        """The hub's id of a document, once it is taken."""
        while True:
            with contextlib.suppress(HubError, OSError, TimeoutError, ValueError):
                async with asyncio.timeout(self._patience), RecordSystemClient(self._url(), self._key) as client:
                    status, answer = await client.send(sample.document, sample.from_her)
                    if status == 202:
                        return str(answer["id"])
                    assert status == 503, answer
            await asyncio.sleep(PAUSE)

    async def read(self, takes: Callable[[], object] = lambda: True) -> None:
        """Takes what is new, for ever, but for the time in which `takes` says no."""
        while True:
            if not takes():
                await asyncio.sleep(PAUSE)
                continue
            with contextlib.suppress(HubError, OSError, TimeoutError, ValueError):
                async with asyncio.timeout(self._patience), RecordSystemClient(self._url(), self._key) as client:
                    await self._take(client)
            await asyncio.sleep(PAUSE)

    async def _take(self, client: RecordSystemClient) -> None:
        for note in await client.notifications(self._her_ids, self._offset):
            message_id = str(note["relatedMessageId"])
            if note["type"] == "NewMessage":
                document = await client.fetch(message_id)
                status = await client.fetched(message_id, str(note["notificationReceiverHerId"]))
                if status != 204:
                    self.refused += [f"{status} for {message_id}"] if status != 503 else []
                    return  # again from here
                self.new[message_id] += 1
                self.kept[message_id] = document
            self.notes.append(note)
            self._offset = note["offset"]


class SteadyQueueSystem(SteadyRecordSystem):
    """Publishes until the hub has answered, and keeps what lies in its queue, each message_id once."""

    def __init__(self, at: QueueSystem) -> None:
        super().__init__(lambda: "", "", ())
        self.at = at

    async def hand_over(self, sample: Sample) -> str:
        """The hub's id of a document, once it has said so."""
        own = await self.at.publish(sample.document)
        while not (said := self.at.answers(own)):
            await asyncio.sleep(PAUSE)
        assert said[0]["type"] == "MessageAccepted", said
        return str(said[0]["relatedMessageId"])

    async def read(self, takes: Callable[[], object] = lambda: True) -> None:
        """Takes what comes, for ever; from its queue it takes always."""
        while True:
            self.kept = {d.message_id: d.body for d in self.at.documents}
            self.new = Counter(list(self.kept))
            await asyncio.sleep(PAUSE)

    def told(self) -> dict[str, Counter[str]]:
        """Of each document that was sent, how often each event came, doubles dropped."""
        found: dict[str, Counter[str]] = {}
        for event in self.at.events:
            if event.get("businessDocumentId"):
                found.setdefault(event["businessDocumentId"], Counter())[event["type"]] += 1
        return found
