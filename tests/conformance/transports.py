"""Who keeps hub.ports.Sender: each opens its sender, and has a far side of real sockets, mails, files or queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from hub.ports import Sender
from ops.servers.rabbitmq import VirtualHost
from tests.conformance.far_broker import BusTransport, QueueTransport
from tests.conformance.far_folder import FolderTransport
from tests.conformance.far_mail import MailTransport
from tests.conformance.far_partner import EBMS_CORE, HERMES, HttpTransport
from tests.conformance.letters import Got, Letter


class Transport(Protocol):
    """A far side, there while open (`async with`) and willing at first; it does what it was told last."""

    @property
    def final(self) -> bool:
        """Whether the far side has a word for never; where it is a place of our own, an operator mends it."""
        ...

    @property
    def says_later(self) -> bool:
        """Whether the far side has a word for not now; else it says nothing."""
        ...

    async def __aenter__(self) -> object: ...
    async def __aexit__(self, *_: object) -> None: ...

    def open(self) -> AbstractAsyncContextManager[Sender]:
        """A sender to it, with short times."""
        ...

    def letter(self, content: bytes = b"") -> Letter:
        """One to the far side, with `content` in its parcel."""
        ...

    def lost_letter(self) -> Letter:
        """One to an address that names nothing."""
        ...

    async def take(self) -> None:
        """It is there, and takes what comes."""
        ...

    async def gone(self) -> None:
        """It is not there."""
        ...

    async def never(self) -> None:
        """It refuses, and says why."""
        ...

    async def later(self) -> None:
        """It cannot take anything now."""
        ...

    async def dies(self) -> None:
        """It takes what comes, and is lost before it says so."""
        ...

    async def silent(self) -> None:
        """It takes what comes, and says nothing until it is told something else."""
        ...

    async def got(self) -> list[Got]:
        """All that it has, each as often as it is there."""
        ...


#: A place for files, and a broker for who asks for one.
Made = Callable[[Path, Callable[[], VirtualHost]], Transport]

#: Every transport that must keep the promises; a new one is one line more.
TRANSPORTS: Mapping[str, Made] = {
    "ebxml_http": lambda _, __: HttpTransport(),
    "ebxml_http ebms-core": lambda _, __: HttpTransport(EBMS_CORE),
    "ebxml_http hermes": lambda _, __: HttpTransport(HERMES),
    "ebxml_smtp": lambda folder, _: MailTransport(folder),
    "ebxml_smtp pipelined": lambda folder, _: MailTransport(folder, "PIPELINING"),
    "folder": lambda folder, _: FolderTransport(),
    "queue": lambda folder, broker: QueueTransport(folder, broker()),
    "amqp 0.9.1": lambda folder, broker: BusTransport("0.9.1", folder, broker()),
    "amqp 1.0": lambda folder, broker: BusTransport("1.0", folder, broker()),
}
