"""Mail around a hub that dies: a partner that resends as mail servers do, a line that kills at a moment, a mailbox to collect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from hub.digest import sha256
from ops.demo.stage import free_ports
from ops.partner.handles import Pki
from ops.partner.mail import mail_of
from ops.partner.office import PostOffice
from ops.sector import SECTOR, write_site
from tests.crash.village import DOCTOR, GOOD, NURSING, SETTINGS, Life, Nursery, SqliteLook, Village
from tests.support.steady import SteadyMailPartner, SteadyRecordSystem

#: Whether the line is cut now: which way the bytes go (`out` from the client, `back` to it), the last of them, how many.
Moment = Callable[[str, bytes, int], bool]


class Gate:
    """A line to a mail server; when the moment comes, once, the hub is killed before the bytes go on."""

    def __init__(self, moment: Moment, kill: Callable[[], None]) -> None:
        self._moment, self._kill = moment, kill
        self.there = ("127.0.0.1", 0)
        self.port, self.fired = 0, False

    async def __aenter__(self) -> Gate:
        self._server = await asyncio.start_server(self._through, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.there)
        except OSError:
            writer.close()
            return
        pumps = (self._pump(reader, far_writer, "out"), self._pump(far_reader, writer, "back"))
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
        last, count = b"", 0
        try:
            while chunk := await source.read(8192):
                last, count = (last + chunk)[-200:], count + len(chunk)
                if not self.fired and self._moment(way, last, count):
                    self.fired = True
                    self._kill()
                target.write(chunk)
                await target.drain()
        finally:
            target.close()


class Mailbox:
    """A POP3 server with one mailbox: what is deleted is gone with QUIT, and lies there again when the session breaks."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.on: Callable[[str], None] = lambda _: None  #: told of each command before it is done
        self.port = 0

    async def __aenter__(self) -> Mailbox:
        self._server = await asyncio.start_server(self._session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, gone = list(self.mails), set[int]()
        writer.write(b"+OK\r\n")
        while line := (await reader.readline()).decode().split():
            self.on(line[0])
            if line[0] == "STAT":
                writer.write(f"+OK {len(there)} {sum(map(len, there))}\r\n".encode())
            elif line[0] == "LIST":
                sizes = "".join(f"{number} {len(mail)}\r\n" for number, mail in enumerate(there, 1))
                writer.write(f"+OK\r\n{sizes}.\r\n".encode())
            elif line[0] == "UIDL":
                names = "".join(f"{number} {sha256(mail)}\r\n" for number, mail in enumerate(there, 1))
                writer.write(f"+OK\r\n{names}.\r\n".encode())
            elif line[0] == "RETR":
                writer.write(b"+OK\r\n" + _stuffed(there[int(line[1]) - 1]) + b".\r\n")
            elif line[0] == "DELE":
                gone.add(int(line[1]) - 1)
                writer.write(b"+OK\r\n")
            elif line[0] == "QUIT":
                self.mails = [m for m in self.mails if m not in [there[n] for n in gone]]
                writer.write(b"+OK\r\n")
            else:
                writer.write(b"+OK\r\n")
        writer.close()


def _stuffed(content: bytes) -> bytes:
    return b"".join(b"." + line if line.startswith(b".") else line for line in content.splitlines(keepends=True))


@asynccontextmanager
async def mail_village(
    folder: Path,
    pki: Pki,
    nursery: Nursery,
    order: Mapping[str, Any] | None = None,
    *,
    outwards: Moment = lambda *_: False,
    inwards: Moment = lambda *_: False,
    mailbox: Mailbox | None = None,
) -> AsyncIterator[Village]:
    """A village whose partner is reached by mail. `outwards` is the moment on the line to the relay, `inwards` to the hub."""
    organisations = {m.her_id: m.organisation for m in SECTOR}
    lives: list[Life] = []
    async with AsyncExitStack() as stack:
        gates = [await stack.enter_async_context(Gate(m, lambda: lives[0].kill())) for m in (outwards, inwards)]
        office = await stack.enter_async_context(PostOffice())
        (listener,) = free_ports(1)
        gates[0].there, gates[1].there = ("127.0.0.1", office.port), ("127.0.0.1", listener)
        partner = await stack.enter_async_context(
            SteadyMailPartner(
                GOOD.her_id,
                pki.partner_keys,
                office,
                hub_url=f"smtp://127.0.0.1:{gates[1].port}",
                certificate_of=lambda her: pki.certificate(organisations[her]),
            )
        )
        said = {
            **SETTINGS,
            "relay": {"host": "127.0.0.1", "port": gates[0].port, "tls": "off", "domain": "hub.example"},
            "listener": {"host": "127.0.0.1", "port": listener},
            "mailbox": _collected(mailbox),
        }
        local = (NURSING, DOCTOR)
        manners = {m.her_id: {"mail": mail_of(m.her_id)} for m in local}
        site = write_site(folder / "site", pki.folder, local, [(GOOD, partner.url)], manners=manners, settings=said)
        life = Life(nursery, {"configuration": str(site.configuration), **(order or {})})
        lives.append(life)
        systems = {m.system: SteadyRecordSystem(lambda: life.url, site.keys[m.system], (m.her_id,)) for m in local}
        around = [asyncio.create_task(system.read()) for system in systems.values()]
        try:
            yield Village(
                folder,
                life,
                SqliteLook(folder / "site" / "data" / "samhub.db"),
                {GOOD.her_id: partner},
                systems,
                site.keys,
            )
        finally:
            await life.end()
            for task in around:
                task.cancel()
            await asyncio.gather(*around, return_exceptions=True)


def _collected(mailbox: Mailbox | None) -> dict[str, Any]:
    if mailbox is None:
        return {"protocol": "off"}
    own = {"host": "127.0.0.1", "port": mailbox.port, "username": "edi", "poll_seconds": 0.2}
    return {"protocol": "pop3", "tls": "off", **own}
