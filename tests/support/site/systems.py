"""Record systems outside the hub's processes, by REST, folder or queue: they hand over, fetch, and write down what they saw."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hub.errors import HubError
from ops.epj import RecordSystemClient
from ops.partner.partner import Partner
from ops.samples.make import Sample
from ops.sector import Member
from tests.support.documents import sampled
from tests.support.queue_system import QueueSystem
from tests.support.site.tally import Answered, Ledger, Promised, digest, write_down
from tests.support.steady import PAUSE, SteadyQueueSystem, SteadyRecordSystem

#: Whoever may get a document.
Receiver = Member | Partner


class _System:
    """What all of them share: documents that it wants taken, and those that it was told are."""

    def __init__(self, members: Sequence[Member], apprec: str) -> None:
        """`members` are the parties that it serves; it sends as the first unless told. `apprec`: who answers, hub or system."""
        self.members, self.member, self.apprec = list(members), members[0], apprec
        self.refused: list[str] = []  #: answers that it could not understand as "later"
        self.wanted: dict[str, Promised] = {}  #: MsgId → what it began to hand over
        self.ids: dict[str, str] = {}  #: MsgId → the hub's id, once it was told that the hub has the document
        self.given: list[Answered] = []  #: AppRecs that it gave itself
        self.takes = True  #: whether it fetches what lies ready

    def document(self, receiver: Receiver, kind: str = "dialog-helsefaglig", **more: Any) -> Sample:
        """A fresh document to a party or partner; `more` is for ops.samples.make (`copies`, `padding`, `urgent`)."""
        copies = [_member(one) for one in more.pop("copies", ())]
        sender = more.pop("sender", self.member)
        sample = sampled(kind, sender, _member(receiver), copies=copies, **more)
        receivers = (sample.to_her, *(one.her_id for one in copies))
        self.wanted[sample.msg_id] = Promised(sample.msg_id, sample.from_her, receivers, digest(sample.document))
        return sample

    async def hand_over(self, receiver: Receiver, kind: str = "dialog-helsefaglig", **more: Any) -> Sample:
        """Hands a fresh document over until it is told that the hub has it; see `document`."""
        return await self.insist(self.document(receiver, kind, **more))

    async def insist(self, sample: Sample) -> Sample:
        """The same for one that is made already, or was handed over before."""
        self.ids[sample.msg_id] = await self._handed_over(sample)
        return sample

    async def _handed_over(self, sample: Sample) -> str:
        raise NotImplementedError

    def ledger(self) -> Ledger:
        """What it has written down."""
        promised = [p for m, p in self.wanted.items() if m in self.ids]
        found = Ledger(promised, [p for m, p in self.wanted.items() if m not in self.ids], given=list(self.given))
        found.answered_for = {m.her_id for m in self.members} if self.apprec == "hub" else set()
        return found

    async def live(self) -> None:
        """Takes what is new, for ever."""
        raise NotImplementedError


def _member(receiver: Receiver) -> Member:
    return receiver if isinstance(receiver, Member) else receiver.member  # type: ignore[attr-defined]


class RestSystem(_System):
    """By REST. It goes to any hub that serves, and never gives up."""

    def __init__(self, members: Sequence[Member], apprec: str, url: Callable[[], str], key: str) -> None:
        super().__init__(members, apprec)
        self._url, self._key = url, key
        ids = dict.fromkeys(her for m in members for her in (m.organisation_her_id, m.her_id))
        self._steady = SteadyRecordSystem(url, key, list(ids), patience=20)
        self.refused = self._steady.refused

    @property
    def notes(self) -> list[dict[str, Any]]:
        """Every notification that it took, in order."""
        return self._steady.notes

    def client(self) -> RecordSystemClient:
        """Any call of its own: `async with here.doctor.client() as client: …`."""
        return RecordSystemClient(self._url(), self._key)

    async def offer(self, sample: Sample) -> tuple[int, dict[str, Any]]:
        """Hands over once: HTTP status and answer; 0 where nobody answered."""
        try:
            async with self.client() as client:
                status, answer = await client.send(sample.document, sample.from_her)
        except (HubError, OSError, TimeoutError, ValueError) as error:
            return 0, {"detail": str(error)}
        if status == 202:
            self.ids[sample.msg_id] = str(answer["id"])
        return status, answer

    async def status(self, sample: Sample) -> list[dict[str, Any]]:
        """What the hub says of a document, for each receiver."""
        async with self.client() as client:
            return await client.status(self.ids[sample.msg_id])

    async def answer(self, sample: Sample, *errors: tuple[str, str]) -> None:
        """Answers a document that it has fetched, where it does so itself; `errors` are (code, details), none: OK."""
        by_id = {our: content for our, content in self._steady.kept.items() if content == sample.document}
        async with self.client() as client:
            status = await client.answer(next(iter(by_id)), sample.to_her, errors)
        assert status == 202, f"the AppRec about {sample.msg_id} was not taken: {status}"
        self.given.append(Answered(sample.msg_id, sample.to_her, "", ""))

    async def _handed_over(self, sample: Sample) -> str:
        return await self._steady.hand_over(sample)

    async def live(self) -> None:
        """See _System."""
        await self._steady.read(lambda: self.takes)

    def ledger(self) -> Ledger:
        """See _System; each notification of a new message is one arrival, whatever message it names."""
        found = super().ledger()
        for note in self.notes:
            if note["type"] == "NewMessage":
                message_id = str(note["relatedMessageId"])
                receiver = str(note["notificationReceiverHerId"])
                write_down(found, self._steady.kept[message_id], f"{message_id} at {note['offset']}", receiver)
        return found


class FolderSystem(_System):
    """By folder. It takes files out of its inbox as they come, and reads its receipts."""

    def __init__(self, members: Sequence[Member], apprec: str, folder: Path) -> None:
        super().__init__(members, apprec)
        self.folder = folder
        self.files: list[tuple[str, bytes]] = []  #: name and content of each file that it took, in order

    def put(self, sample: Sample, name: str = "", *, settled: bool = True) -> Path:
        """Writes a document into its outbox, whole at once; `settled`: as if written long ago, so that it may be taken."""
        outbox = self.folder / "outbox"
        outbox.mkdir(parents=True, exist_ok=True)
        half, file = outbox / f"{sample.msg_id}.half", outbox / (name or f"{sample.msg_id}.xml")
        half.write_bytes(sample.document)
        if settled:
            os.utime(half, (1e9, 1e9))
        return half.rename(file)

    def receipt(self, file: Path) -> str:
        """What the hub says of a file; empty where it has said nothing."""
        said = self.folder / "receipts" / f"{file.stem}.txt"
        return said.read_text("utf-8") if said.is_file() else ""

    async def _handed_over(self, sample: Sample) -> str:
        file = self.put(sample)
        while not (told := re.match(r"message (\S+)", self.receipt(file))):
            if self.receipt(file).startswith("refused"):
                self.refused.append(self.receipt(file))
                raise AssertionError(self.receipt(file))
            await asyncio.sleep(PAUSE)
        return told.group(1)

    async def live(self) -> None:
        """See _System."""
        while True:
            self._look()
            await asyncio.sleep(PAUSE)

    def _look(self) -> None:
        for file in sorted((self.folder / "inbox").glob("*.xml")) if self.takes else ():
            self.files.append((file.name, file.read_bytes()))
            file.unlink()

    def ledger(self) -> Ledger:
        """See _System; every file that it found is one arrival, also where it had the same name as one taken away before."""
        found = super().ledger()
        for number, (name, content) in enumerate(self.files):
            write_down(found, content, f"{name} ({number})", self.member.her_id)
        return found


class BusSystem(_System):
    """By its two queues at a broker: publishes until the hub has answered, and drops what it has seen by its message_id."""

    def __init__(self, members: Sequence[Member], apprec: str, url: str, names: str) -> None:
        """`names` is what the names of its queues begin with."""
        super().__init__(members, apprec)
        self.at = QueueSystem(url, f"{names}.to-hub", f"{names}.from-hub")
        self._steady = SteadyQueueSystem(self.at)
        self.refused = self._steady.refused

    async def _handed_over(self, sample: Sample) -> str:
        return await self._steady.hand_over(sample)

    async def live(self) -> None:
        """See _System."""
        async with self.at:
            await asyncio.Event().wait()

    def ledger(self) -> Ledger:
        """See _System; the broker may bring a message twice, under one message_id."""
        found = super().ledger()
        for came in self.at.documents:
            write_down(found, came.body, came.message_id, self.member.her_id)
        return found


System = RestSystem | FolderSystem | BusSystem
