"""Where messages come in: each door of a running hub, with somebody who hands over and hears what the door says.

A door may say yes, no, later, or that the fault is ours. Mail and the bus say no by a message of its own, and yes to what
is kept with whatever verdict; a queue and the bus say "later" by silence, while the broker keeps what is not settled.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import uuid4

import aio_pika

from adapters.amqp import wire
from adapters.folder.disk import own
from hub.ports import ArrivalFilter, ArrivalRecord
from ops.partner.aside import Aside
from ops.partner.handles import HubHandle, PartnerHandle, Refused
from ops.sector import SECTOR
from ops.servers.rabbitmq import VirtualHost
from tests.amqp.letters import Hand
from tests.conformance.letters import CONTENT
from tests.conformance.moods import MoodyStore
from tests.support.queue_system import QueueSystem

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]
#: Larger documents than this are not taken; the samples have some thousand bytes.
LIMIT = 100_000
#: So much is handed over where it is to be too large, at any door.
LARGE = 4 * LIMIT
What = Literal["good", "bad", "large"]


@dataclass(frozen=True)
class Said:
    """What a door said."""

    word: Literal["yes", "no", "later", "ours"]
    words: str


class Door(Protocol):
    """One door, and who stands before it."""

    name: str  #: as arrivals have it
    refuses: bool  #: a refusal is said here; else it goes out as a message of its own
    says_later: bool  #: else it says nothing

    def hand_over(self, what: What) -> None:
        """Begins to: a message like those before it, with a new id."""
        ...

    def again(self) -> None:
        """The same once more, where it does not come again by itself."""
        ...

    def heard(self) -> Said | None:
        """What was said to it; None while nothing has been."""
        ...

    def kept(self) -> bool:
        """Whether who handed over, or who keeps it for him, has it still: it can be handed over again."""
        ...


@dataclass
class Hall:
    """A hub with one door that is looked at."""

    hub: HubHandle
    store: MoodyStore
    door: Door

    def arrivals(self, *states: str) -> list[ArrivalRecord]:
        """What has come in at this door, and stands at one of these."""
        found = self.hub.run(self.hub.built.store.arrivals(ArrivalFilter(states=states)))
        return [one for one in found if one.arrival.door == self.door.name]


class _Asking:
    """A door at which one asks, and waits for the answer."""

    refuses = says_later = True

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2)
        self._answer: Future[Said] = Future()
        self._ask: Callable[[], Said] = lambda: Said("no", "nothing was handed over")

    def _asked(self, ask: Callable[[], Said]) -> None:
        self._ask = ask
        self.again()

    def again(self) -> None:
        """See Door.again."""
        self._answer = self._threads.submit(self._ask)

    def heard(self) -> Said | None:
        """See Door.heard."""
        return self._answer.result() if self._answer.done() else None

    def kept(self) -> bool:
        """See Door.kept: until somebody has said yes."""
        found = self.heard()
        return found is None or found.word in ("later", "ours")


class EbxmlDoor(_Asking):
    """A partner at `POST /ebxml`."""

    name = "ebxml_http"

    def __init__(self, partner: PartnerHandle, samples: Any) -> None:
        super().__init__()
        self.partner, self._samples = partner, samples
        partner.partner.huge_bytes = LARGE

    def hand_over(self, what: What) -> None:
        """See Door.hand_over."""
        how = {"good": "good", "bad": "unsigned", "large": "huge"}[what]
        _, written = self.partner.sealed(self._samples(sender=self.partner, receiver=DOCTOR), how)
        self._asked(lambda: self._said(self.partner.post(written)))

    def _said(self, sent: Any) -> Said:
        if sent.status in (500, 503):
            return Said("later" if sent.status == 503 else "ours", sent.body.decode())
        return Said("yes" if sent.kind == "acknowledgment" else "no", sent.body.decode())


class MailDoor(EbxmlDoor):
    """A partner at the hub's own mail listener."""

    name = "ebxml_smtp"
    refuses = False

    def _said(self, sent: Any) -> Said:
        word: Mapping[int, Literal["yes", "no", "later"]] = {2: "yes", 4: "later", 5: "no"}
        return Said(word[sent.status // 100], str(sent.status))


class RestDoor(_Asking):
    """A record system at the REST door."""

    name = "rest"

    def __init__(self, hub: HubHandle, partner: PartnerHandle, samples: Any) -> None:
        super().__init__()
        self._system, self._partner, self._samples = hub.epj(DOCTOR.her_id), partner, samples

    def hand_over(self, what: What) -> None:
        """See Door.hand_over."""
        document = written(what, self._samples(sender=DOCTOR, receiver=self._partner).document)
        self._asked(lambda: self._said(document))

    def _said(self, document: bytes) -> Said:
        try:
            return Said("yes", self._system.send(document, DOCTOR.her_id))
        except Refused as refused:
            word: Mapping[int, Literal["later", "ours"]] = {503: "later", 500: "ours"}
            return Said(word.get(refused.status, "no"), str(refused))


class FolderDoor:
    """A record system that puts files into its outbox."""

    name = "folder"
    refuses = says_later = True

    def __init__(self, hub: HubHandle, partner: PartnerHandle, samples: Any) -> None:
        self._hub, self._partner, self._samples = hub, partner, samples
        self._folder = hub.folder(PHYSIO.her_id)
        self._name = ""

    def hand_over(self, what: What) -> None:
        """See Door.hand_over: a file that has been whole for a while."""
        document = written(what, self._samples(sender=PHYSIO, receiver=self._partner).document)
        self._name = f"{uuid4()}"
        file = self._folder / "outbox" / f"{self._name}.xml"
        half = file.with_suffix(".half")
        half.write_bytes(document)
        os.utime(half, (0, 0))
        half.rename(file)

    def again(self) -> None:
        """See Door.again: it lies there."""

    def heard(self) -> Said | None:
        """See Door.heard: where the file is, and what the receipt says."""
        receipt = self._folder / "receipts" / f"{self._name}.txt"
        words = receipt.read_text("utf-8") if receipt.exists() else ""
        for place, word in (("taken", "yes"), ("refused", "no")):
            if (self._folder / "outbox" / place / f"{self._name}.xml").exists():
                return Said("ours" if "unforeseen" in words else word, words)  # type: ignore[arg-type]
        return Said("later", words) if words.startswith("waits") else None

    def kept(self) -> bool:
        """See Door.kept."""
        places = (self._folder / "outbox", own(self._folder, "outbox"))
        return any((place / f"{self._name}.xml").exists() for place in places)


class _OnBroker:
    """A door at a queue of a broker: while it says nothing, the broker keeps what is not settled."""

    says_later = False

    def __init__(self, broker: VirtualHost, queue: str) -> None:
        self._broker, self._queue = broker, queue

    def again(self) -> None:
        """See Door.again: the broker, or the door, asks again."""

    def kept(self) -> bool:
        """See Door.kept."""
        depth = self._broker.depth(self._queue)
        return depth.ready + depth.unacked == 1


class QueueDoor(_OnBroker):
    """A record system that publishes to its queue, and hears the answer on its other one."""

    name = "queue"
    refuses = True

    def __init__(
        self, broker: VirtualHost, system: QueueSystem, aside: Aside, partner: PartnerHandle, samples: Any
    ) -> None:
        super().__init__(broker, system.to_hub)
        self._system, self._aside, self._partner, self._samples = system, aside, partner, samples
        self._own = ""

    def hand_over(self, what: What) -> None:
        """See Door.hand_over."""
        document = written(what, self._samples(sender=DOCTOR, receiver=self._partner).document)
        self._own = self._aside.run(self._system.publish(document))

    def heard(self) -> Said | None:
        """See Door.heard: the event that answers it."""
        for event in self._system.answers(self._own):
            if event["type"] == "MessageAccepted":
                return Said("yes", str(event))
            return Said("ours" if event["code"] == "unforeseen" else "no", str(event))
        return None


class BusDoor(_OnBroker):
    """A partner that sends to our queue on the bus; the door says no more than that the broker may forget it."""

    name = "amqp_async"
    refuses = False

    def __init__(
        self, broker: VirtualHost, queue: str, hub: HubHandle, hand: Hand, partner: PartnerHandle, samples: Any
    ):
        super().__init__(broker, queue)
        self._hub, self._hand, self._partner, self._samples = hub, hand, partner, samples

    def hand_over(self, what: What) -> None:
        """See Door.hand_over."""
        sample = self._samples("dialog-helsefaglig", sender=self._partner, receiver=DOCTOR)
        certificate = self._hub.pki.certificate(DOCTOR.organisation)
        letter = self._hand.write(sample.document, DOCTOR.her_id, certificate, "DIALOG_HELSEFAGLIG")
        if what == "bad":
            letter = letter.without("subject")
        made = wire.to_publishing(letter.headers, letter.body if what != "large" else os.urandom(LARGE))
        self._hub.run(self._publish(made))

    async def _publish(self, made: wire.Publishing) -> None:
        message = aio_pika.Message(
            made.body,
            headers=dict(made.headers),
            message_id=made.message_id,
            correlation_id=made.correlation_id,
            reply_to=made.reply_to,
            content_type=made.content_type,
            delivery_mode=made.delivery_mode,
        )
        async with await aio_pika.connect(self._broker.url) as connection, connection.channel() as channel:
            await channel.default_exchange.publish(message, self._queue)

    def heard(self) -> Said | None:
        """See Door.heard."""
        depth = self._broker.depth(self._queue)
        return Said("yes", "") if (depth.ready, depth.unacked) == (0, 0) else None


def written(what: What, document: bytes) -> bytes:
    """A document as it is, or cut off, or with much behind it; what is in it must not be told to anybody."""
    if what == "bad":
        return document[: len(document) // 2] + CONTENT.encode()
    return document if what == "good" else document + b"<!--" + b"x" * LARGE + b"-->"
