"""Nothing is promised before it is durable: seen from outside while a commit is held."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from ops.partner.behaviours import Sending
from ops.partner.handles import Pki
from ops.partner.wire import Wire
from tests.crash.village import DOCTOR, GOOD, PATIENCE, PHYSIO, Nursery, Village, sampled, village

ACCEPTING = "apply:received+routed before-commit"


@asynccontextmanager
async def held_at(step: str, tmp_path: Path, pki: Pki, nursery: Nursery) -> AsyncIterator[Village]:
    """A village whose hub will stand still at this step, the first time it comes to it."""
    async with village(tmp_path, pki, nursery, {"hold": step}) as here:
        await here.life.ready()
        yield here


async def still(here: Village) -> None:
    """The hub stands at its step; then it has had every chance to speak too early: it answers others meanwhile."""
    await here.life.through(here.life.held.wait())
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(f"{here.life.url}/health/live") as answer:
                assert answer.status == 200


async def asked(here: Village, path: str, headers: dict[str, str], body: bytes) -> socket.socket:
    """A request on a socket of its own."""
    url, loop = URL(here.life.url), asyncio.get_running_loop()
    connection = socket.socket()
    connection.setblocking(False)
    await loop.sock_connect(connection, (str(url.host), int(url.port or 0)))
    lines = [f"POST {path} HTTP/1.1", f"Host: {url.host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    await loop.sock_sendall(connection, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return connection


async def silent_until_durable(here: Village, connection: socket.socket) -> bytes:
    """Not a byte while the commit is held; the answer when it is done."""
    try:
        await still(here)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        here.life.release()
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(connection, 65536), PATIENCE)
    finally:
        connection.close()


def letter(here: Village) -> Wire:
    """A partner's message, sealed."""
    return here.good.sealed(sampled("epikrise", GOOD, DOCTOR).document, DOCTOR.her_id, Sending.GOOD)[1]


async def test_no_acknowledgment_leaves_before_its_message_is_durable(
    tmp_path: Path, pki: Pki, nursery: Nursery
) -> None:
    """A partner's message: silence until the commit, then the Acknowledgment."""
    async with held_at(ACCEPTING, tmp_path, pki, nursery) as here:
        written = letter(here)
        connection = await asked(here, "/ebxml", dict(written.headers), written.body)
        answer = await silent_until_durable(here, connection)
        assert answer.startswith(b"HTTP/1.1 200")


async def test_no_202_leaves_before_its_document_is_durable(tmp_path: Path, pki: Pki, nursery: Nursery) -> None:
    """A record system's document by REST."""
    async with held_at(ACCEPTING, tmp_path, pki, nursery) as here:
        body, headers = _order(here)
        connection = await asked(here, "/api/v3/messages", headers, body)
        assert (await silent_until_durable(here, connection)).startswith(b"HTTP/1.1 202")


def _order(here: Village) -> tuple[bytes, dict[str, str]]:
    sample = sampled("dialog-helsefaglig", DOCTOR, GOOD)
    document = base64.b64encode(sample.document).decode()
    order = {"senderHerId": int(DOCTOR.her_id), "receiverHerIds": [int(GOOD.her_id)], "businessDocument": document}
    headers = {"X-API-Key": here.keys[DOCTOR.system], "Content-Type": "application/json"}
    return json.dumps(order).encode(), headers


async def test_a_file_is_put_away_only_when_its_document_is_durable(tmp_path: Path, pki: Pki, nursery: Nursery) -> None:
    """It lies in the hub's own place, without a receipt, while the commit is held."""
    async with held_at(ACCEPTING, tmp_path, pki, nursery) as here:
        here.put_into_outbox(GOOD)
        await still(here)
        assert len(list(here.physio.glob(".samhub/outbox/*.xml"))) == 1
        assert list(here.physio.glob("receipts/*")) + list(here.physio.glob("outbox/taken/*")) == []
        here.life.release()
        await here.until(lambda: list(here.physio.glob("outbox/taken/*.xml")), "the file to be taken")


@pytest.mark.parametrize("step", ["claim before-commit", "keep_parcel before-commit"])
async def test_nothing_is_sent_before_the_attempt_and_its_bytes_are_durable(
    step: str, tmp_path: Path, pki: Pki, nursery: Nursery
) -> None:
    """The partner sees nothing of an attempt that a crash could make us forget, nor bytes that we could not repeat."""
    async with held_at(step, tmp_path, pki, nursery) as here:
        await here.life.through(here.hand_over(DOCTOR, GOOD))
        await still(here)
        assert here.good.received == []
        here.life.release()
        await here.until(lambda: here.good.received, "the message to be sent")


async def test_no_letter_appears_in_the_inbox_before_its_attempt_is_durable(
    tmp_path: Path, pki: Pki, nursery: Nursery
) -> None:
    """The folder of a record system is written after the claim."""
    async with held_at("claim before-commit", tmp_path, pki, nursery) as here:
        await here.life.through(here.partner_sends(PHYSIO))
        await still(here)
        assert here.office == list(here.physio.glob(".samhub/inbox/*")) == []
        here.life.release()
        await here.until(lambda: here.office, "the letter to be written")
