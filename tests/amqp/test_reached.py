"""A broker that is reached, but not well: whatever it does while we log in, it is told in words, and nothing stands still."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pamqp import commands
from pamqp.base import Frame
from pamqp.frame import marshal

from adapters.amqp import way091
from adapters.amqp.line import Delivery, Trouble
from adapters.amqp.settings import AmqpSettings
from ops.demo.stage import free_ports

Fault = Callable[[asyncio.StreamWriter], Awaitable[None]]
SAID: tuple[Frame, ...] = (
    commands.Connection.Start(server_properties={"capabilities": {}}, mechanisms="PLAIN", locales="en_US"),
    commands.Connection.Tune(2047, 131072, 60),
    commands.Connection.OpenOk(),
)
CUT, CLOSED = "the line was cut while it was being opened", "the line was closed while it was being opened"


async def resets(writer: asyncio.StreamWriter) -> None:
    """RST, as a load balancer, a firewall or a broker that is killed does."""
    line: socket.socket = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def closes(writer: asyncio.StreamWriter) -> None:
    """FIN."""
    writer.close()


async def hangs(_: asyncio.StreamWriter) -> None:
    """Says no more."""
    await asyncio.sleep(60)


async def speaks_otherwise(writer: asyncio.StreamWriter) -> None:
    """Some other server stands behind this port."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 500)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def broker(step: int, fault: Fault) -> AsyncIterator[int]:
    """Answers so many steps of a login, then does its worst; gives its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in SAID[:step]:
            await reader.read(4096)
            writer.write(marshal(said, 0))
        await reader.read(4096)
        await fault(writer)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def told(tmp_path: Path, port: int, scheme: str = "amqp", host: str = "127.0.0.1") -> str:
    """What is said of a connection to this port."""
    (tmp_path / "password").write_text("secret")
    settings = AmqpSettings(
        url=f"{scheme}://{host}:{port}/BUS",
        username="us",
        password_file=tmp_path / "password",
        connect_seconds=1,
        close_seconds=0.2,
    )

    async def take(_queue: str, _delivery: Delivery) -> None:
        raise AssertionError("nothing can come")

    with pytest.raises(Trouble) as trouble:
        await way091.opened(settings, (), take)
    return str(trouble.value)


@pytest.mark.parametrize("step", range(len(SAID)))
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (resets, f"no connection: {CUT} (ConnectionResetError)"),
        (closes, f"no connection: {CLOSED} (IncompleteReadError)"),
        (hangs, "no connection: no answer in time (TimeoutError)"),
    ],
)
async def test_it_breaks_off_a_login_at_any_step(tmp_path: Path, step: int, fault: Fault, words: str) -> None:
    """The library's causes then form a circle, where the line was reset: to walk it would hold the loop for ever."""
    async with broker(step, fault) as port:
        assert await told(tmp_path, port) == words


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (resets, f"no connection: {CUT} (ConnectionResetError)"),
        (closes, f"no connection: {CUT} (ConnectionResetError)"),
        (hangs, "no connection: no answer in time (TimeoutError)"),
        (speaks_otherwise, "no connection: TLS does not come about"),
    ],
)
async def test_it_breaks_off_before_tls_is_there(tmp_path: Path, fault: Fault, words: str) -> None:
    """The same beneath TLS."""
    async with broker(0, fault) as port:
        assert (await told(tmp_path, port, "amqps")).startswith(words)


async def test_nobody_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such port, no such name."""
    (port,) = free_ports(1)
    assert await told(tmp_path, port) == "no connection: nobody listens there (ConnectionRefusedError)"

    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    assert await told(tmp_path, port, host="bus.invalid") == "no connection: its name is not known (gaierror)"


async def test_something_else_is_there(tmp_path: Path) -> None:
    """The words are the kind of error that the library has for it, when nothing lies behind."""
    async with broker(0, speaks_otherwise) as port:
        assert (await told(tmp_path, port)).startswith("no connection")
