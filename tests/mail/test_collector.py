"""Collecting from a real mailbox (dovecot): what is kept is deleted, and only that; trouble passes."""

from __future__ import annotations

import asyncio
import poplib
import smtplib
import socket
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.ebxml_smtp import collect
from adapters.ebxml_smtp.mailbox import opened
from adapters.ebxml_smtp.settings import MailboxSettings
from hub.message import BEGINNING, Answer, Arrival
from hub.ports import ArrivalFilter
from ops.bench.far import Far
from ops.sector import HOSPITAL, SECTOR
from tests.mail.conftest import DOCTOR, SURGERY, MailHub, Opened, Told, mail_of
from tests.mail.dovecot import Dovecot, Mailbox
from tests.mail.servers import Authority, Relay

HERE = [m for m in SECTOR if m.system not in HOSPITAL]
THERE = [m for m in SECTOR if m.system in HOSPITAL]
PLAIN = b"From: <noen@edi.example>\r\nMessage-ID: <%d@edi.example>\r\n\r\nhei\r\n"
WAYS = [("imap", "implicit"), ("imap", "starttls"), ("imap", "off"), ("pop3", "implicit"), ("pop3", "starttls")]
Collecting = Callable[..., Awaitable[MailHub]]
Referral = Callable[..., bytes]


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="module")
def simple_dovecot() -> Iterator[Dovecot]:
    """One that cannot tell of new mail."""
    server = Dovecot("imap_capability = IMAP4rev1")
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    return dovecot.mailbox()


@pytest.fixture
def collecting(mail_hub: Opened) -> Collecting:
    """Opens the hospital's hub over a mailbox."""

    async def opened(mailbox: dict[str, Any]) -> MailHub:
        found = await mail_hub("sykehus", THERE, HERE, 0, 9, mailbox=mailbox)
        assert isinstance(found, MailHub)
        return found

    return opened


async def written(mail_hub: Opened, *documents: bytes) -> list[bytes]:
    """Real mails with these documents, as a mail server got them."""
    async with Relay() as relay:
        town = await mail_hub("kommune", HERE, THERE, 0, relay.port, hub={"retry_interval_seconds": 3600})
        for document in documents:
            await town.send(document, DOCTOR)
        await holds(lambda: len(relay.taken) >= len(documents))
        return [one.content for one in relay.taken]


async def holds(look: Callable[[], bool], seconds: float = 15) -> None:
    """Waits until it does."""
    end = asyncio.get_running_loop().time() + seconds
    while not look():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.02)


async def came(hub: MailHub, number: int, seconds: float = 15) -> None:
    """Waits until so many mails have been kept."""
    end = asyncio.get_running_loop().time() + seconds
    while len(await arrivals(hub)) < number:
        assert asyncio.get_running_loop().time() < end, len(await arrivals(hub))
        await asyncio.sleep(0.02)


async def arrivals(hub: MailHub) -> list[Any]:
    return await hub.hub.store.arrivals(ArrivalFilter(limit=1000))


# --- ways


@pytest.mark.parametrize(("protocol", "tls"), WAYS)
async def test_what_waits_is_taken_and_deleted(
    collecting: Collecting, mail_hub: Opened, mailbox: Mailbox, referral: Referral, protocol: str, tls: str
) -> None:
    document = referral()
    mailbox.put(*(await written(mail_hub, document)))
    hub = await collecting(mailbox.settings(protocol, tls))
    await came(hub, 1)
    assert await hub.take(SURGERY) == [document]
    await holds(lambda: mailbox.left() == 0)


async def test_new_mail_is_told_of_while_idling(collecting: Collecting, mailbox: Mailbox) -> None:
    """Long before the mailbox would be looked into again."""
    hub = await collecting(mailbox.settings(poll_seconds=3600))
    for number in range(1, 4):
        await asyncio.sleep(0.3)
        mailbox.put(PLAIN % number)
        await came(hub, number, 5)
        await holds(lambda: mailbox.left() == 0, 5)


async def test_a_server_that_cannot_tell_is_asked_now_and_then(collecting: Collecting, simple_dovecot: Dovecot) -> None:
    """Neither IDLE nor UIDPLUS."""
    mailbox = simple_dovecot.mailbox()
    hub = await collecting(mailbox.settings())
    for number in range(1, 3):
        mailbox.put(PLAIN % number)
        await came(hub, number)
        await holds(lambda: mailbox.left() == 0)


async def test_only_the_folder_that_is_named_is_emptied(collecting: Collecting, mailbox: Mailbox) -> None:
    mailbox.put(PLAIN % 1)
    mailbox.put(PLAIN % 2, folder="edi")
    hub = await collecting(mailbox.settings(folder="edi"))
    await holds(lambda: mailbox.left("edi") == 0)
    assert mailbox.left() == 1
    [one] = await arrivals(hub)
    assert one.arrival.headers["message-id"] == "<2@edi.example>"


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_two_hundred_mails_that_wait_are_each_taken_once(
    collecting: Collecting, mailbox: Mailbox, protocol: str
) -> None:
    mailbox.put(*(PLAIN % number for number in range(200)))
    hub = await collecting(mailbox.settings(protocol))
    await came(hub, 200, 30)
    await holds(lambda: mailbox.left() == 0)
    assert len({one.arrival.headers["message-id"] for one in await arrivals(hub)}) == 200


# --- trouble


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_what_cannot_be_kept_stays_and_is_taken_later(
    collecting: Collecting, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """A nearly full disk, and a store that does not answer."""
    hub = await collecting(mailbox.settings(protocol))
    collector = hub.hub.mail.collector
    asked = [0]

    async def full() -> Answer:
        asked[0] += 1
        return Answer(503, {}, b"", "disk-full", "")

    async def unanswered(_: Arrival) -> Answer:
        asked[0] += 1
        return Answer(503, {}, b"", "store-unavailable", "")

    for name, refusal in (("_full", full), ("_receive", unanswered)):
        with monkeypatch.context() as patched:
            patched.setattr(collector, name, refusal)
            asked[0] = 0
            mailbox.put(PLAIN % len(name))
            await holds(lambda: asked[0] >= 2)
            assert mailbox.left() == 1
        await holds(lambda: mailbox.left() == 0)
    assert len(await arrivals(hub)) == 2


@asynccontextmanager
async def cut(port: int, mark: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A line to a server that breaks the first time the client says `mark`; the port, and how many lines there were."""
    lines: list[int] = []

    async def line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(1)
        there, back = await asyncio.open_connection("127.0.0.1", port)

        async def answers() -> None:
            while data := await there.read(65536):
                writer.write(data)

        answering = asyncio.create_task(answers())
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if mark in data and len(lines) == 1:
                    break
                back.write(data)
        answering.cancel()
        back.close()
        writer.close()

    server = await asyncio.start_server(line, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], lines


@pytest.mark.parametrize(("protocol", "mark"), [("imap", b"STORE"), ("imap", b"EXPUNGE"), ("pop3", b"QUIT")])
async def test_a_line_that_breaks_between_keeping_and_deleting_costs_nothing(
    collecting: Collecting, mail_hub: Opened, mailbox: Mailbox, referral: Referral, protocol: str, mark: bytes
) -> None:
    """The mail lies there still, comes again and is known: taken once, and deleted."""
    documents = [referral(number=number) for number in range(3)]
    mailbox.put(*(await written(mail_hub, *documents)))
    settings = mailbox.settings(protocol, "off")
    async with cut(settings["port"], mark) as (port, lines):
        hub = await collecting(settings | {"port": port})
        await holds(lambda: mailbox.left() == 0)
        assert len(lines) >= 2
        assert sorted(await hub.take(SURGERY)) == sorted(documents)
        assert len(await arrivals(hub)) == 3


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_a_wrong_password_is_told_and_tried_again(
    collecting: Collecting, mailbox: Mailbox, tmp_path: Path, told: Told, protocol: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text("feil passord")
    mailbox.put(PLAIN % 1)
    hub = await collecting(mailbox.settings(protocol, password_file=str(secret)))
    await holds(lambda: "mailbox-unreadable" in str(told))
    assert f"mailbox {mailbox.user} at 127.0.0.1 ({protocol})" in str(told) and "feil" not in str(told)
    secret.write_text("hemmelig\n")
    await came(hub, 1)


async def test_a_certificate_that_does_not_hold_is_told_and_no_password_is_said(
    collecting: Collecting, mailbox: Mailbox, tmp_path: Path, told: Told
) -> None:
    stranger = Authority.made(tmp_path / "ca", "stranger")
    mailbox.put(PLAIN % 1)
    for tls in ("implicit", "starttls"):
        told.clear()
        hub = await collecting(mailbox.settings("imap", tls, ca_file=str(stranger.file), poll_seconds=60))
        await hub.hub.mail.collector.look()
        assert "its certificate does not hold" in str(told)
        assert not await arrivals(hub) and mailbox.left() == 1
        await hub.hub.mail.collector.__aexit__(None, None, None)


async def test_a_server_that_is_restarted_is_found_again(collecting: Collecting) -> None:
    server = Dovecot().start()
    try:
        mailbox = server.mailbox()
        hub = await collecting(mailbox.settings())
        mailbox.put(PLAIN % 1)
        await came(hub, 1)
        await asyncio.to_thread(server.stop)
        mailbox.put(PLAIN % 2)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)
        await came(hub, 2)
        await holds(lambda: mailbox.left() == 0)
    finally:
        await asyncio.to_thread(server.close)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_an_unreadable_mail_holds_up_nobody(
    collecting: Collecting, mail_hub: Opened, mailbox: Mailbox, referral: Referral, protocol: str
) -> None:
    """Garbage, nothing, a wrong encoding, a line of a megabyte or two: kept for a person, or left; the next is taken."""
    document = referral()
    [good] = await written(mail_hub, document)
    mailbox.put(b"\0\xff\xfe" * 1000, b"", b"Subject: =?utf-8?b?a?=\r\n\r\nx", PLAIN % 1 + b"x" * 900_000, good)
    hub = await collecting(mailbox.settings(protocol))
    await came(hub, 4)
    await holds(lambda: mailbox.left() == 0)
    assert await hub.take(SURGERY) == [document]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("lines", [26_000, 1], ids=["many-lines", "one-line"])
async def test_of_what_is_too_large_only_the_beginning_is_kept(
    mail_hub: Opened, mailbox: Mailbox, protocol: str, lines: int
) -> None:
    """Refused as at any other door; its sender, a partner, is told below ebXML; only then it is deleted."""
    head = (
        f"From: <{mail_of(DOCTOR)}>\r\nMessage-ID: <big@edi.example>\r\nContent-Type: multipart/related; boundary=b\r\n"
    )
    large = head.encode() + b"\r\n--b\r\n\r\n" + (b"x" * (2_000_000 // lines) + b"\r\n") * lines
    mailbox.put(large, PLAIN % 1)
    async with Relay() as relay, Far(mailbox.settings(protocol, "off")["port"], 0) as line:
        settings = mailbox.settings(protocol, "off") | {"port": line.port}
        more = {"mailbox": settings, "hub": {"max_message_bytes": 100_000}}
        hub = await mail_hub("sykehus", THERE, HERE, 0, relay.port, **more)
        await came(hub, 2)
        await holds(lambda: mailbox.left() == 0)
        await holds(lambda: bool(relay.taken))
        assert line.carried < 100_000 or (protocol, lines) == ("pop3", 1)  # POP3 can ask for whole lines only
    [big] = [one for one in await arrivals(hub) if one.code == "too-large"]
    assert big.state == "quarantined" and f"{len(large)} bytes" in big.because
    assert b":Fault>" in b64decode(relay.taken[0].body) and b"larger" in b64decode(relay.taken[0].body)
    whole = await hub.hub.store.arrivals(ArrivalFilter(ids=(big.arrival.id,)))
    assert 0 < len(whole[0].arrival.body) <= BEGINNING


@pytest.mark.parametrize(("protocol", "tls"), WAYS)
@pytest.mark.parametrize(
    "line", [b"y" * 60 + b"\r\n", b".\r\n", b"z" * 14_000 + b"\r\n"], ids=["usual", "dots", "long"]
)
def test_what_is_just_as_large_as_may_be_comes_whole(mailbox: Mailbox, protocol: str, tls: str, line: bytes) -> None:
    whole = PLAIN % 1 + line * (14_500 // len(line))
    mailbox.put(whole, b"X" + whole)
    session = opened(MailboxSettings.model_validate(mailbox.settings(protocol, tls)))
    try:
        first, second = session.mails(len(whole))
    finally:
        session.close()
    assert (first.raw, first.size) == (whole, 0)
    assert second.size == len(whole) + 1 and (b"X" + whole).startswith(second.raw[:100])


@contextmanager
def answering(answers: dict[str, bytes]) -> Iterator[int]:
    """A mailbox over POP3 that knows these commands only; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as client, client.makefile("rb") as heard:
                client.sendall(b"+OK\r\n")
                for command in heard:
                    client.sendall(answers.get(command.split()[0].decode(), b"-ERR unknown\r\n"))

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize(
    ("size", "top"), [(2_000_000, False), (2_000_000, True), (100, False)], ids=["no-top", "top", "told-too-small"]
)
def test_a_mailbox_that_knows_little_or_tells_a_wrong_size_fills_no_memory(size: int, top: bool) -> None:
    """TOP is optional (RFC 1939 7): then all is read and let go; the session goes on behind it either way."""
    content = PLAIN % 1 + (b"x" * 100_000 + b"\r\n") * 20
    answers = dict.fromkeys(("USER", "PASS", "DELE", "QUIT"), b"+OK\r\n")
    answers["LIST"] = b"+OK\r\n1 %d\r\n2 2\r\n.\r\n" % size
    answers["RETR"] = b"+OK\r\n" + content + b".\r\n"
    answers |= {"TOP": answers["RETR"]} if top else {}
    with answering(answers) as port:
        settings = MailboxSettings(protocol="pop3", host="127.0.0.1", port=port, tls="off", username="x")
        session = opened(settings)
        try:
            found = list(session.mails(200_000))
            session.delete(1)
        finally:
            session.close()
    assert [one.number for one in found] == [1, 2]
    assert all(one.size >= 200_000 and content.startswith(one.raw.rstrip()) for one in found)
    assert all(0 < len(one.raw) <= BEGINNING for one in found)


@pytest.mark.parametrize("more", [b"x" * 2_000_000, b"x\r\n" * 700_000], ids=["one-line", "many-lines"])
def test_a_mail_without_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    """What is read and let go has a limit too; the session is over then."""
    monkeypatch.setattr("adapters.ebxml_smtp.mailbox.DRAINED", 500_000)
    answers = dict.fromkeys(("USER", "PASS"), b"+OK\r\n") | {"LIST": b"+OK\r\n1 100\r\n.\r\n"}
    answers["RETR"] = b"+OK\r\n" + PLAIN % 1 + more
    with answering(answers) as port:
        session = opened(MailboxSettings(protocol="pop3", host="127.0.0.1", port=port, tls="off", username="x"))
        try:
            with pytest.raises(poplib.error_proto, match="without end"):
                list(session.mails(200_000))
        finally:
            session._client.close()  # type: ignore[attr-defined]


async def test_what_nobody_foresaw_leaves_its_mail_and_takes_the_next(
    collecting: Collecting, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    def surprised(raw: bytes, id_: str, at: Any, size: int) -> Arrival:
        if b"<1@" in raw:
            raise ZeroDivisionError
        return arrival_of(raw, id_, at, size)

    arrival_of = collect.arrival_of
    monkeypatch.setattr(collect, "arrival_of", surprised)
    mailbox.put(PLAIN % 1, PLAIN % 2)
    hub = await collecting(mailbox.settings())
    await came(hub, 1)
    await holds(lambda: mailbox.left() == 1)
    assert "ZeroDivisionError" in str(told)


# --- before a resend


async def test_a_receipt_that_lies_unread_is_found_before_a_resend(
    mail_hub: Opened, simple_dovecot: Dovecot, referral: Referral
) -> None:
    """The mailbox is not due for an hour; the delivery is. It is acknowledged, and goes out once (HIS 1037 H-63)."""
    mailbox = simple_dovecot.mailbox()
    async with Relay() as ours, Relay() as theirs:
        hospital = await mail_hub("sykehus", THERE, HERE, 0, theirs.port)
        settings = mailbox.settings(poll_seconds=3600)
        town = await mail_hub("kommune", HERE, THERE, 0, ours.port, mailbox=settings, hub={"retry_interval_seconds": 2})
        sent = await town.send(referral(), DOCTOR)
        await town.until(sent, "sent")

        def carried() -> None:
            with smtplib.SMTP("127.0.0.1", hospital.smtp_port, timeout=10) as client:
                client.sendmail("legesenter@edi.example", [mail_of(SURGERY)], ours.taken[0].content)

        await asyncio.to_thread(carried)
        await holds(lambda: bool(theirs.taken))
        mailbox.put(theirs.taken[0].content)  # the Acknowledgment
        story = await town.until(sent, "acknowledged")
        await holds(lambda: mailbox.left() == 0)
        assert story.deliveries[0].handed_over == 1
        await asyncio.sleep(0.3)
        assert sum(b"application/pkcs7-mime" in one.content for one in ours.taken) == 1
