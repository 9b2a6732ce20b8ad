"""The hub's own listener, spoken to by smtplib and swaks: what it refuses, what it puts off, and when it says 250."""

from __future__ import annotations

import asyncio
import shutil
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hub.errors import StoreUnavailable
from hub.message import BEGINNING, Answer
from hub.ports import ArrivalFilter, ArrivalRecord
from ops.sector import HOSPITAL, SECTOR
from tests.mail.conftest import DOCTOR, SURGERY, MailHub, Opened, Told, mail_of
from tests.mail.servers import Authority, Relay

HERE = [m for m in SECTOR if m.system not in HOSPITAL]
THERE = [m for m in SECTOR if m.system in HOSPITAL]
OURS = mail_of(SURGERY)
SENDER = "noen@edi.example"
PLAIN = b"From: <noen@edi.example>\r\nSubject: hei\r\nMessage-ID: <%d@edi.example>\r\n\r\nhei\r\n"
Result = TypeVar("Result")
Hospital = Callable[..., Awaitable[MailHub]]


@pytest.fixture
def hospital(mail_hub: Opened) -> Hospital:
    """Opens the hospital's hub; words are settings of the listener, `more` other sections and `on_step`."""

    async def opened(more: dict[str, Any] | None = None, **listener: Any) -> MailHub:
        found = await mail_hub("sykehus", THERE, HERE, 0, 9, listener=listener, **(more or {}))
        assert isinstance(found, MailHub)
        return found

    return opened


async def aside(work: Callable[[], Result]) -> Result:
    """smtplib waits on its socket; the hub runs on the loop."""
    return await asyncio.to_thread(work)


def client(hub: MailHub) -> smtplib.SMTP:
    """A conversation that has said EHLO."""
    found = smtplib.SMTP("127.0.0.1", hub.smtp_port, local_hostname="prove.example", timeout=10)
    found.ehlo()
    return found


async def kept(hub: MailHub) -> list[ArrivalRecord]:
    """Everything that came, newest first."""
    return await hub.hub.store.arrivals(ArrivalFilter(limit=1000))


async def letter(hub_of_sender: MailHub, relay: Relay, document: bytes) -> bytes:
    """A real mail from the municipality's hub, as its relay got it."""
    await hub_of_sender.send(document, DOCTOR)
    for _ in range(500):
        if relay.taken:
            return relay.taken[0].content
        await asyncio.sleep(0.01)
    raise AssertionError("no mail came")


# --- refused and put off


async def test_nothing_is_relayed_and_nobody_is_made_up(hospital: Hospital) -> None:
    hub = await hospital()

    def talk() -> list[tuple[int, bytes]]:
        with client(hub) as c:
            c.mail(SENDER)
            names = [
                "legesenter@edi.example",
                "sykehus@annet.example",
                "sykehus%annet.example@edi.example",
                "postmaster@annet.example",
            ]
            return [c.rcpt(name) for name in names] + [c.rcpt(OURS), c.rcpt(OURS.upper())]

    *refused, ours, loud = await aside(talk)
    assert [code for code, _ in refused] == [550] * 4 and all(b"5.1.1" in word for _, word in refused)
    assert ours[0] == loud[0] == 250


@pytest.mark.parametrize("name", ["postmaster", "Postmaster", "POSTMASTER@edi.example", "postmaster@sykehus.example"])
async def test_the_postmaster_takes_mail_and_a_person_finds_it(hospital: Hospital, name: str) -> None:
    """As of every host, and of every domain that it serves (RFC 5321 4.5.1): in quarantine, once, answered by nothing."""
    hub = await hospital({"hub": {"max_message_bytes": 200_000}})
    mail = PLAIN % 1 + (b"Noe er galt med eposten deres.\r\n" * 5_000)

    def talk() -> list[int]:
        with client(hub) as c:
            codes = []
            for content in (mail, mail, PLAIN % 2 + b"x\r\n" * 200_000):
                c.mail("<>"), c.rcpt(f"<{name}>")
                codes.append(c.data(content)[0])
            return codes

    assert await aside(talk) == [250, 250, 552]
    [one] = await kept(hub)
    assert (one.state, one.code) == ("quarantined", "mail-postmaster") and f"{len(mail)} bytes" in one.because
    assert one.arrival.body == mail[:BEGINNING]


async def test_a_mail_to_a_party_and_the_postmaster_is_the_partys(hospital: Hospital) -> None:
    hub = await hospital()

    def talk() -> int:
        with client(hub) as c:
            c.mail(SENDER), c.rcpt("<postmaster>"), c.rcpt(OURS)
            return c.data(PLAIN % 1)[0]

    assert await aside(talk) == 250
    assert [one.code for one in await kept(hub)] == ["mime"]


async def test_who_writes_to_the_postmaster_has_no_more_than_a_fair_share(hospital: Hospital) -> None:
    hub = await hospital(per_minute=2)

    def talk() -> list[int]:
        with client(hub) as c:
            codes = []
            for number in range(3):
                codes.append(c.mail("<>")[0])
                if codes[-1] == 250:
                    c.rcpt("<postmaster>"), c.data(PLAIN % number)
            return codes

    assert await aside(talk) == [250, 250, 450]
    assert len(await kept(hub)) == 2


async def test_a_mail_that_is_too_large_is_refused_before_and_after(hospital: Hospital) -> None:
    hub = await hospital({"hub": {"max_message_bytes": 10_000}})

    def announced() -> int:
        with client(hub) as c:
            return c.mail(SENDER, ["SIZE=20000"])[0]

    def simply_sent() -> tuple[int, int]:
        with client(hub) as c:
            c.mail(SENDER), c.rcpt(OURS)
            large = c.data(PLAIN % 1 + b"x" * 60 + b"\r\n" + (b"y" * 60 + b"\r\n") * 400)[0]
            c.mail(SENDER), c.rcpt(OURS)
            return large, c.data(PLAIN % 2)[0]

    assert await aside(announced) == 552
    assert await aside(simply_sent) == (552, 250)
    assert len(await kept(hub)) == 1


async def test_who_sends_too_much_is_put_off(hospital: Hospital) -> None:
    hub = await hospital(per_minute=3)

    def talk() -> list[int]:
        with client(hub) as c:
            codes = []
            for _ in range(4):
                codes.append(c.mail(SENDER)[0])
                c.rset()
            return codes

    assert await aside(talk) == [250, 250, 250, 450]


async def test_a_connection_too_many_is_told_so_and_places_come_free_again(hospital: Hospital) -> None:
    hub = await hospital(at_once=2)

    def talk() -> tuple[int, int]:
        first, second = client(hub), client(hub)
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            client(hub)
        first.quit()
        for _ in range(100):
            with suppress(smtplib.SMTPConnectError), client(hub) as third:
                code = third.noop()[0]
                second.quit()
                return refused.value.smtp_code, code
        raise AssertionError("no place came free")

    assert await aside(talk) == (421, 250)


async def test_tls_sessions_count_once_and_leave_no_trace(hospital: Hospital, tmp_path: Path) -> None:
    """STARTTLS puts another transport under the conversation; the place of each must still come free."""
    authority = Authority.made(tmp_path / "ca", "own")
    certificate, key = authority.issue("127.0.0.1")
    hub = await hospital(at_once=2, tls="offered", certificate=str(certificate), key=str(key))
    context = ssl.create_default_context(cafile=str(authority.file))

    def talk() -> list[int]:
        codes = []
        for number in range(6):
            with client(hub) as c:
                c.starttls(context=context)
                c.ehlo()
                assert not c.has_extn("auth")  # nobody has a login here
                c.mail(SENDER), c.rcpt(OURS)
                codes.append(c.data(PLAIN % number)[0])
        with client(hub) as c, pytest.raises(ssl.SSLCertVerificationError):
            c.starttls(context=ssl.create_default_context())  # a client that does not trust us
        return codes

    with suppress(smtplib.SMTPServerDisconnected):
        assert await aside(talk) == [250] * 6
    assert len(await kept(hub)) == 6
    for _ in range(200):
        if not hub.hub.mail.listener.open:
            break
        await asyncio.sleep(0.01)
    assert not hub.hub.mail.listener.open


async def test_a_renewed_certificate_is_shown_without_a_restart(hospital: Hospital, tmp_path: Path, told: Told) -> None:
    """And one that does not fit its key, as while the two are being replaced, or that is gone, changes nothing."""
    authority = Authority.made(tmp_path / "ca", "own")
    pairs = [tuple(file.read_bytes() for file in authority.issue("127.0.0.1")) for _ in range(2)]
    certificate, key = files = authority.issue("127.0.0.1")
    for file, content in zip(files, pairs[0], strict=True):
        file.write_bytes(content)
    hub = await hospital(tls="required", certificate=str(certificate), key=str(key))

    def shown() -> bytes | None:
        with client(hub) as c:
            c.starttls(context=ssl.create_default_context(cafile=str(authority.file)))
            assert isinstance(c.sock, ssl.SSLSocket)
            return c.sock.getpeercert(binary_form=True)

    old, new = (ssl.PEM_cert_to_DER_cert(one.decode()) for one, _ in pairs)
    assert await aside(shown) == old
    certificate.write_bytes(pairs[1][0])  # not yet its key
    assert await aside(shown) == old
    key.write_bytes(pairs[1][1])
    assert await aside(shown) == new
    assert [one["event"] for one in told if one["log_level"] == "warning"] == ["listener-certificate"]
    certificate.unlink()
    for _ in range(2):
        assert await aside(shown) == new
    assert str(told).count("listener-certificate") == 2  # once for each change


async def test_no_mail_before_tls_where_it_is_demanded(hospital: Hospital, tmp_path: Path) -> None:
    authority = Authority.made(tmp_path / "ca", "own")
    certificate, key = authority.issue("127.0.0.1")
    hub = await hospital(tls="required", certificate=str(certificate), key=str(key))

    def talk() -> tuple[int, int]:
        with client(hub) as c:
            before = c.mail(SENDER)[0]
            c.starttls(context=ssl.create_default_context(cafile=str(authority.file)))
            c.ehlo()
            return before, c.mail(SENDER)[0]

    assert await aside(talk) == (530, 250)


async def test_what_is_said_before_tls_is_forgotten(hospital: Hospital, tmp_path: Path) -> None:
    """A command that somebody has put behind STARTTLS in the clear is not heard under TLS (RFC 3207 4.2)."""
    authority = Authority.made(tmp_path / "ca", "own")
    certificate, key = authority.issue("127.0.0.1")
    hub = await hospital(tls="offered", certificate=str(certificate), key=str(key))

    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", hub.smtp_port), 10) as plain:
            plain.sendall(b"EHLO x\r\n")
            until(plain, b"250 HELP\r\n")
            plain.sendall(b"STARTTLS\r\nMAIL FROM:<ond@edi.example>\r\n")
            until(plain, b"start TLS\r\n")
            context = ssl.create_default_context(cafile=str(authority.file))
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                secure.sendall(f"EHLO x\r\nRCPT TO:<{OURS}>\r\nNOOP\r\n".encode())
                return until(secure, b"250 OK\r\n")

    assert b"503 Error: need MAIL command" in await aside(talk)


async def test_a_full_disk_puts_off_and_a_store_that_does_not_answer_too(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = await hospital()

    def talk() -> tuple[int, bytes]:
        with client(hub) as c:
            code, word = c.mail(SENDER)
            if code != 250:
                return code, word
            c.rcpt(OURS)
            return c.data(PLAIN % 1)

    listener = hub.hub.mail.listener

    async def full() -> Answer:
        return Answer(503, {}, b"", "disk-full", "")

    with monkeypatch.context() as patched:
        patched.setattr(listener, "_full", full)
        assert (await aside(talk))[0] == 452

    async def broken(*_: object) -> None:
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(hub.hub.store._writer, "do", broken)
        code, word = await aside(talk)
        assert code == 451 and b"no answer" not in word
    assert (await aside(talk))[0] == 250
    assert len(await kept(hub)) == 1


async def test_what_nobody_foresaw_is_told_inside_and_put_off_outside(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = await hospital()

    async def surprise() -> None:
        raise ZeroDivisionError("hemmelig")

    monkeypatch.setattr(hub.hub.mail.listener, "_full", surprise)

    def talk() -> tuple[int, bytes]:
        with client(hub) as c:
            return c.mail(SENDER)

    code, word = await aside(talk)
    assert code == 451 and b"Zero" not in word
    assert "ZeroDivisionError" in str(told) and "hemmelig" not in str(told)
    assert "hemmelig" not in "".join(capsys.readouterr())


async def test_vrfy_and_expn_give_nothing_away(hospital: Hospital) -> None:
    hub = await hospital()

    def talk() -> tuple[set[tuple[int, bytes]], set[int]]:
        with client(hub) as c:
            names = [OURS, "ukjent@edi.example"]
            return {c.docmd("VRFY", name) for name in names}, {c.expn(name)[0] for name in names}

    verified, expanded = await aside(talk)
    assert len(verified) == 1 and expanded == {502}


# --- on the wire


def until(line: socket.socket, mark: bytes) -> bytes:
    """What is said up to `mark`."""
    got = b""
    while mark not in got:
        chunk = line.recv(1000)
        assert chunk, got
        got += chunk
    return got


def raw(hub: MailHub, data: bytes) -> bytes:
    """A conversation byte by byte, all in one write (RFC 2920); what the listener said until it or we were done."""
    start = f"EHLO x\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode()
    with socket.create_connection(("127.0.0.1", hub.smtp_port), 10) as line:
        line.sendall(start + data + b"QUIT\r\n")
        got = b""
        while chunk := line.recv(65536):
            got += chunk
        return got


@pytest.mark.parametrize(
    "ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"], ids=["LF.LF", "LF.CRLF", "CRLF.LF", "CR.CR"]
)
async def test_no_mail_is_smuggled_behind_another_ending(hospital: Hospital, ending: bytes) -> None:
    """Only CRLF.CRLF ends a mail (RFC 5321 4.1.1.4)."""
    hub = await hospital()
    hidden = f"MAIL FROM:<ond@edi.example>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode() + PLAIN % 2
    said = await aside(lambda: raw(hub, PLAIN % 1 + ending + hidden + b"\r\n.\r\n"))
    assert said.count(b"354") == 1 and said.count(b"250 2.0.0 kept") == 1
    [one] = await kept(hub)
    assert hidden in one.arrival.body


async def test_a_line_of_any_length_arrives_whole(hospital: Hospital) -> None:
    """Some write a whole envelope in one line; cutting it would spoil its signature."""
    hub = await hospital()
    said = await aside(lambda: raw(hub, PLAIN % 1 + b"x" * 500_000 + b"\r\n.\r\n"))
    assert b"250 2.0.0 kept" in said
    [one] = await kept(hub)
    assert one.arrival.body.endswith(b"x" * 500_000 + b"\r\n")


async def test_dots_at_the_start_of_lines_come_through(hospital: Hospital) -> None:
    hub = await hospital()
    await aside(lambda: raw(hub, PLAIN % 1 + b"..\r\n..to\r\n...\r\n.\r\n"))
    [one] = await kept(hub)
    assert one.arrival.body == b"hei\r\n.\r\n.to\r\n..\r\n"


async def test_a_mail_with_a_huge_header_is_kept(hospital: Hospital) -> None:
    hub = await hospital()
    header = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 70) for n in range(20_000))
    said = await aside(lambda: raw(hub, header + PLAIN % 1 + b".\r\n"))
    assert b"250 2.0.0 kept" in said
    [one] = await kept(hub)
    assert one.state == "quarantined" and one.arrival.body == b"hei\r\n" and len(one.arrival.headers) < 2000


async def test_garbage_and_half_a_mail_leave_nothing(hospital: Hospital) -> None:
    hub = await hospital()

    def talk() -> None:
        for start in (
            b"\x16\x03\x01\x02\x00\x01\x00" * 50,
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\0\r\n\xff\xfe\r\n",
        ):
            with socket.create_connection(("127.0.0.1", hub.smtp_port), 10) as line:
                line.sendall(start)
                line.recv(1000)
        start = f"EHLO x\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode()
        for half in (start, start + PLAIN % 1, start + PLAIN % 1 + b"\r\n."):
            with socket.create_connection(("127.0.0.1", hub.smtp_port), 10) as line:
                line.sendall(half)
                line.recv(1000)
        with client(hub) as c:
            c.mail(SENDER), c.rcpt(OURS)
            assert c.data(PLAIN % 7)[0] == 250

    await aside(talk)
    [one] = await kept(hub)
    assert one.arrival.headers["message-id"] == "<7@edi.example>"


async def test_a_slow_client_holds_up_nobody_and_is_let_go(hospital: Hospital) -> None:
    hub = await hospital(idle_seconds=1)

    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", hub.smtp_port), 10) as slow:
            slow.sendall(f"EHLO x\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\nFrom".encode())
            for number in range(10):
                with client(hub) as c:
                    c.mail(SENDER), c.rcpt(OURS)
                    assert c.data(PLAIN % number)[0] == 250
            got = b""
            while chunk := slow.recv(1000):
                got += chunk
            return got

    assert b"kept" not in await aside(talk)
    assert len(await kept(hub)) == 10


async def test_250_comes_after_the_mail_is_durable(hospital: Hospital) -> None:
    """The store stands still before its commit: so long there is no answer; and then there is."""
    let_go, holding = threading.Event(), threading.Event()
    closed = [False]

    def step(name: str) -> None:
        if closed[0] and name == "before-commit":
            holding.set()
            let_go.wait(10)

    hub = await hospital({"on_step": step})

    def talk() -> tuple[bytes, bytes]:
        with socket.create_connection(("127.0.0.1", hub.smtp_port), 10) as line:
            line.sendall(f"EHLO x\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode())
            got = b""
            while b"354" not in got:
                got += line.recv(1000)
            closed[0] = True
            line.sendall(PLAIN % 1 + b"\r\n.\r\n")
            assert holding.wait(5)
            line.settimeout(0.3)
            try:
                early = line.recv(1000)
            except TimeoutError:
                early = b""
            closed[0] = False
            let_go.set()
            line.settimeout(10)
            return early, line.recv(1000)

    early, late = await aside(talk)
    assert early == b"" and late.startswith(b"250 2.0.0 kept")
    assert len(await kept(hub)) == 1


async def test_a_hub_that_stops_says_so_to_who_waits(mail_hub: Opened) -> None:
    """An idle client holds up nobody, and is told to come again."""
    hub = await mail_hub("sykehus", THERE, HERE, 0, 9)
    listener = hub.hub.mail.listener

    def connected() -> smtplib.SMTP:
        return client(hub)

    c = await aside(connected)
    await asyncio.wait_for(listener.__aexit__(None, None, None), 3)
    assert (await aside(c.getreply))[0] == 421


# --- whole ways


async def test_a_mail_to_several_is_kept_once_and_taken_once(
    hospital: Hospital, mail_hub: Opened, referral: Callable[..., bytes]
) -> None:
    document = referral()
    async with Relay() as relay:
        town = await mail_hub("kommune", HERE, THERE, 0, relay.port)
        mail = await letter(town, relay, document)
    hub = await hospital()

    def talk() -> None:
        with client(hub) as c:
            c.sendmail("legesenter@edi.example", [mail_of(m) for m in THERE], mail)
            c.sendmail("legesenter@edi.example", [OURS], mail)  # and once more: the same mail

    await aside(talk)
    assert await hub.take(SURGERY) == [document]
    assert len(await kept(hub)) == 1


async def test_swaks_sends_a_mail_as_its_own_and_is_taken(
    hospital: Hospital, mail_hub: Opened, referral: Callable[..., bytes], tmp_path: Path
) -> None:
    """Another program than those we are made with."""
    swaks = shutil.which("swaks")
    assert swaks, "swaks is missing: apt-get install swaks"
    document = referral()
    async with Relay() as relay:
        town = await mail_hub("kommune", HERE, THERE, 0, relay.port)
        mail = await letter(town, relay, document)
    (tmp_path / "mail").write_bytes(mail.replace(b"\r\n", b"\n"))
    hub = await hospital()

    def send(to: str) -> subprocess.CompletedProcess[str]:
        command = [swaks, "--server", f"127.0.0.1:{hub.smtp_port}", "--from", "legesenter@edi.example", "--to", to]
        data = ["--data", f"@{tmp_path / 'mail'}", "--timeout", "10", "--pipeline"]
        return subprocess.run([*command, *data], capture_output=True, text=True, timeout=30, check=False)

    taken = await aside(lambda: send(OURS))
    assert taken.returncode == 0 and "250 2.0.0 kept" in taken.stdout, taken.stdout + taken.stderr
    elsewhere = await aside(lambda: send("noen@annet.example"))
    assert elsewhere.returncode != 0 and "550 5.1.1" in elsewhere.stdout
    assert await hub.take(SURGERY) == [document]
