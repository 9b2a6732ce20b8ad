"""Commands in one go to a relay that offers it (RFC 2920): fewer round trips, and every answer stays with its command."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import pytest_asyncio
from aiosmtplib.protocol import SMTPProtocol

from adapters.ebxml_smtp.pipeline import MOST, Pipelined, Stale
from adapters.ebxml_smtp.send import EbxmlSmtpSender
from adapters.ebxml_smtp.settings import RelaySettings
from hub.message import Channel, Claimed, DeliveryRecord, MessageRecord, Outcome, Parcel, Reached
from ops.serve import process
from tests.mail.servers import DROP, HANG, Authority, Relay

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BATCH = ["MAIL", "RCPT", "DATA"]
Send = Callable[..., Awaitable[Outcome]]
Sending = Callable[..., Awaitable[Send]]


@pytest_asyncio.fixture
async def relay() -> AsyncIterator[Relay]:
    async with Relay(offers=["8BITMIME", "SIZE 50000000", "PIPELINING"]) as opened:
        yield opened


async def opened(stack: AsyncExitStack, port: int, **more: Any) -> Send:
    """A sender to the relay at this port; what it gives sends one mail more. Words are settings of the relay."""
    usual = {"host": "127.0.0.1", "port": port, "tls": "off", "connections": 1, "answer_seconds": 5}
    sender = EbxmlSmtpSender(RelaySettings(**(usual | more)), lambda _: "us@a.example", lambda: NOW, _wanted)
    await stack.enter_async_context(sender)
    numbers = count()

    async def send(receiver: str = "them@b.example") -> Outcome:
        return await sender.send(_claimed(next(numbers), receiver), Parcel({"Content-Type": "text/xml"}, b"<a/>\r\n"))

    return send


@pytest_asyncio.fixture
async def sending() -> AsyncIterator[Sending]:
    async with AsyncExitStack() as stack:
        yield partial(opened, stack)


async def _wanted(_: str) -> bool:
    return True


def _claimed(number: int, receiver: str) -> Claimed:
    id_, address = f"00000000-0000-4000-8000-{number:012}", f"mailto:{receiver}"
    delivery = DeliveryRecord(id_, id_, "1", "2", Channel.EBXML_SMTP, address, "sending", NOW, None, None, None)
    return Claimed(delivery, MessageRecord(id_, id_, "out", "business", "test", NOW, "1", "2"), 1)


def verbs(relay: Relay) -> list[str]:
    """What was said to it."""
    return [command.split(" ")[0] for command in relay.commands]


# --- in one go


async def test_nothing_is_answered_before_all_three_have_come(relay: Relay, sending: Sending) -> None:
    """A relay that says nothing before DATA has come: who asks one thing at a time would wait for ever."""
    relay.manner = "together"
    send = await sending(relay.port)
    for _ in range(3):
        assert (await send()).code == "handed-over"
    assert verbs(relay) == ["EHLO", *BATCH * 3] and relay.sessions == 1  # nor is a session just used asked by RSET
    assert len(relay.taken) == 3 and "SIZE=" in relay.taken[0].sender and "BODY=8BITMIME" in relay.taken[0].sender


@pytest.mark.parametrize("why", ["not-offered", "not-wanted"])
async def test_one_thing_is_asked_at_a_time_where_it_is_not_offered_or_not_wanted(
    relay: Relay, sending: Sending, why: str
) -> None:
    if why == "not-offered":
        relay.offers.remove("PIPELINING")
    send = await sending(relay.port, pipelining=why == "not-offered", answer_seconds=1)
    for _ in range(2):
        assert (await send()).code == "handed-over"
    assert verbs(relay) == ["EHLO", *BATCH, "RSET", *BATCH]
    relay.manner = "together"
    assert (await send()).code == "timed-out"


@pytest.mark.parametrize("manner", ["each", "together", "bytes"])
async def test_answers_are_told_apart_however_they_are_cut(relay: Relay, sending: Sending, manner: Any) -> None:
    """Three in one packet, or one in fifty; with several lines each (RFC 5321 4.2.1)."""
    relay.manner = manner
    relay.usual["mail"] = "250-2.1.0 that sender\r\n250-2.1.0 is one\r\n250 2.1.0 we like"
    relay.usual["rcpt"] = "250-\r\n250 2.1.5 ok"
    relay.say["rcpt"] = ["550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", "251 will forward"]
    relay.usual["data"] = "354-go\r\n354 on"
    send = await sending(relay.port)
    refused = await send()
    assert (refused.code, refused.because) == ("mail-permanent", "the relay answered 550 5.1.1 to RCPT")
    assert [(await send()).code for _ in range(2)] == ["handed-over"] * 2
    assert len(relay.taken) == 2 and relay.sessions == 1


async def test_a_session_that_was_idle_is_asked_whether_it_lives(
    relay: Relay, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a firewall has forgotten would cost the whole time of a mail."""
    monkeypatch.setattr("adapters.ebxml_smtp.relay.JUST_NOW", 0)
    send = await sending(relay.port)
    for _ in range(2):
        assert (await send()).code == "handed-over"
    assert verbs(relay) == ["EHLO", *BATCH, "RSET", *BATCH]


# --- no


@pytest.mark.parametrize("manner", ["each", "together"])
@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("word", "code", "reached"),
    [("450 4.2.0 later", "mail-temporary", Reached.NO), ("550 5.7.1 never", "mail-permanent", Reached.YES)],
)
async def test_what_was_refused_first_is_told_and_the_session_goes_on(
    relay: Relay, sending: Sending, manner: Any, step: str, word: str, code: str, reached: Reached
) -> None:
    """Not what only follows from it: after a refused sender or receiver DATA is answered 554, or 503."""
    relay.manner = manner
    relay.say[step] = [word]
    relay.say["nobody"] = ["503 5.5.1 need RCPT"]
    send = await sending(relay.port)
    outcome = await send()
    assert (outcome.code, outcome.reached) == (code, reached)
    assert outcome.because == f"the relay answered {word[:9]} to {step.upper()}"
    assert (await send()).code == "handed-over"
    assert verbs(relay) == ["EHLO", *BATCH, "RSET", *BATCH] and relay.empty == 0


@pytest.mark.parametrize("step", ["mail", "rcpt"])
@pytest.mark.parametrize("dot", ["250 2.0.0 taken", "554 5.5.1 nobody wants it", "451 4.3.0 hm", DROP, HANG])
async def test_a_relay_that_listens_though_it_refused_gets_a_lone_dot(
    relay: Relay, sending: Sending, step: str, dot: str
) -> None:
    """And the refusal stands, whatever it says to that (RFC 2920 3.1)."""
    relay.say[step] = ["550 5.1.1 no"]
    relay.say["nobody"] = ["354 go on all the same"]
    relay.say["dot"] = [dot]
    send = await sending(relay.port, answer_seconds=0.5)
    outcome = await send()
    assert (outcome.code, outcome.reached) == ("mail-permanent", Reached.YES) and "550 5.1.1" in outcome.because
    assert relay.empty == 1 and not relay.taken
    assert (await send()).code == "handed-over"
    assert relay.sessions == (2 if dot in (DROP, HANG) else 1)


@pytest.mark.parametrize("then", [DROP, HANG])
async def test_a_refusal_is_told_also_when_the_session_ends_behind_it(
    relay: Relay, sending: Sending, then: str
) -> None:
    relay.say["rcpt"] = ["550 5.1.1 no"]
    relay.say["nobody"] = [then]
    send = await sending(relay.port, answer_seconds=0.5)
    assert (await send()).code == "mail-permanent"
    assert (await send()).code == "handed-over" and relay.sessions == 2


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    "receiver", ["a%0d%0aRCPT%20TO:c@b.example", "a%20b@b.example", "%22a%0db%22@b.example", "ø@b.example"]
)
async def test_an_address_that_fits_into_no_command_is_told_and_not_said(
    relay: Relay, sending: Sending, receiver: str, pipelining: bool
) -> None:
    """Nor would trying again help."""
    send = await sending(relay.port, pipelining=pipelining)
    outcome = await send(receiver)
    assert (outcome.code, outcome.permanent) == ("no-endpoint", True) and receiver in outcome.because
    assert not relay.commands


# --- sessions that end


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("how", [DROP, HANG, "421 4.3.2 closing"])
async def test_before_the_content_nothing_was_handed_over(relay: Relay, sending: Sending, step: str, how: str) -> None:
    relay.say[step] = [how]
    send = await sending(relay.port, answer_seconds=0.5)
    outcome = await send()
    assert outcome.reached is Reached.NO and not outcome.permanent
    assert outcome.code == {DROP: "connection-lost", HANG: "timed-out"}.get(how, "mail-temporary")
    assert (await send()).code == "handed-over" and relay.sessions == 2


@pytest.mark.parametrize("step", ["content", "dot"])
async def test_after_the_content_it_may_have_been(relay: Relay, sending: Sending, step: str) -> None:
    relay.say[step] = [DROP]
    send = await sending(relay.port)
    assert (await send()).reached is Reached.MAYBE
    assert (await send()).code == "handed-over" and relay.sessions == 2


@pytest.mark.parametrize("how", [DROP, "421 4.7.0 so much for today"])
async def test_a_kept_session_that_the_relay_gave_up_costs_only_a_new_one(
    relay: Relay, sending: Sending, how: str
) -> None:
    send = await sending(relay.port)
    assert (await send()).code == "handed-over"
    relay.say["mail"] = [how]
    assert (await send()).code == "handed-over"
    assert relay.sessions == 2 and len(relay.taken) == 2


async def test_a_kept_session_that_is_silent_is_told_and_not_waited_for_twice(relay: Relay, sending: Sending) -> None:
    send = await sending(relay.port, answer_seconds=0.5)
    assert (await send()).code == "handed-over"
    relay.say["mail"] = [HANG]
    assert (await send()).code == "timed-out" and relay.sessions == 1


@pytest.mark.parametrize("answers", [b"421 closing\r\n", b"250 ok\r\n421 closing\r\n"], ids=["mail", "rcpt"])
async def test_nothing_more_is_waited_for_behind_421(sending: Sending, answers: bytes) -> None:
    """Also where the relay forgets to hang up (RFC 5321 3.8)."""
    async with await scripted([answers]) as server:
        send = await sending(server.sockets[0].getsockname()[1], answer_seconds=30)
        async with asyncio.timeout(2):
            assert "answered 421" in (await send()).because


async def test_a_relay_of_many_words_is_listened_to_mail_after_mail(relay: Relay, sending: Sending) -> None:
    relay.usual["rcpt"] = "250 2.1.5 " + "ok " * (MOST // 12)
    send = await sending(relay.port)
    assert [(await send()).code for _ in range(6)] == ["handed-over"] * 6 and relay.sessions == 1


async def test_a_relay_that_gives_up_every_session_is_not_tried_for_ever(relay: Relay, sending: Sending) -> None:
    send = await sending(relay.port)
    assert (await send()).code == "handed-over"
    relay.usual["mail"] = DROP
    assert (await send()).code == "connection-lost" and relay.sessions == 2


async def test_a_relay_that_takes_one_mail_each_time_is_not_tried_for_ever(sending: Sending, monkeypatch: Any) -> None:
    """Others may put back a connection that is as stale for each that is tried."""
    tried = count()

    async def stale(*_: object) -> None:
        next(tried)
        raise Stale("closed by the relay before this mail")

    monkeypatch.setattr(EbxmlSmtpSender, "_mailed", stale)
    async with await scripted([]) as server:
        send = await sending(server.sockets[0].getsockname()[1], connections=3)
        outcome = await send()
    assert (outcome.code, outcome.reached, next(tried)) == ("connection-lost", Reached.NO, 4)


# --- what is no answer


async def scripted(answers: list[bytes], port: int = 0) -> asyncio.Server:
    """A server that greets, offers PIPELINING, and then writes one of these to each packet that comes."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = [b"220 ready\r\n", b"250-a.example\r\n250 PIPELINING\r\n", *answers]
        while left:
            writer.write(left.pop(0))
            if not await reader.read(65_536):
                return
        await reader.read()
        writer.close()

    return await asyncio.start_server(client, "127.0.0.1", port)


@pytest.mark.parametrize(
    ("answers", "code", "reached"),
    [
        ([b"hello\r\n250 ok\r\n354 go\r\n"], "mail-temporary", Reached.NO),
        ([b"250 ok\r\nhello\r\n354 go\r\n"], "mail-temporary", Reached.NO),
        ([b"250 ok\r\n\r\n354 go\r\n"], "mail-temporary", Reached.NO),
        ([b"250 ok\r\n" + b"2" * MOST], "mail-temporary", Reached.NO),
        ([b"250 ok\r\n" + b"250-more\r\n" * MOST], "mail-temporary", Reached.NO),
        ([b"250 ok\r\n250 ok\r\n354 go\r\n", b"hello\r\n"], "connection-lost", Reached.MAYBE),
        ([b"250 ok\r\n250 ok\r\n354 go\r\n", b"354 go\r\n"], "connection-lost", Reached.MAYBE),
    ],
    ids=["mail", "rcpt", "empty", "endless-line", "endless-answer", "dot", "dot-again"],
)
async def test_what_is_no_answer_ends_the_session(
    sending: Sending, answers: list[bytes], code: str, reached: Reached
) -> None:
    async with await scripted(answers) as server:
        send = await sending(server.sockets[0].getsockname()[1])
        outcome = await send()
    assert (outcome.code, outcome.reached) == (code, reached)


async def test_an_answer_that_came_before_the_content_is_no_answer_to_it(sending: Sending) -> None:
    """A fourth answer to three commands would have a mail taken of which the relay never said a word."""
    async with await scripted([b"250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n", b"451 4.3.0 not now\r\n"]) as server:
        send = await sending(server.sockets[0].getsockname()[1])
        assert (await send()).because == "the relay answered 451 4.3.0 to DATA"


# --- what is said before


def test_the_loop_of_a_running_hub_does_it_too(tmp_path: Path) -> None:
    """uvloop has transports of its own, under TLS as well."""
    authority = Authority.made(tmp_path, "own")

    async def sent(tls: ssl.SSLContext | None) -> list[str]:
        async with Relay(offers=["PIPELINING"], tls=tls, manner="together") as relay, AsyncExitStack() as stack:
            more = {"tls": "required" if tls else "off", "ca_file": str(authority.file)}
            send = await opened(stack, relay.port, **more)
            assert [(await send()).code for _ in range(2)] == ["handed-over"] * 2
            return verbs(relay)

    with asyncio.Runner(loop_factory=process.loop_factory()) as runner:
        assert "uvloop" in repr(runner.get_loop())
        assert runner.run(sent(None)) == ["EHLO", *BATCH * 2]
        assert runner.run(sent(authority.context("127.0.0.1"))) == ["EHLO", "STARTTLS", "EHLO", *BATCH * 2]


async def test_login_and_tls_are_asked_one_at_a_time_and_the_mail_in_one_go(
    relay: Relay, sending: Sending, tmp_path: Path
) -> None:
    authority = Authority.made(tmp_path, "own")
    relay.tls, relay.manner = authority.context("127.0.0.1"), "together"
    relay.offers.append("AUTH PLAIN")
    (tmp_path / "secret").write_text("hemmelig")
    login = {"username": "us", "password_file": str(tmp_path / "secret")}
    send = await sending(relay.port, tls="required", ca_file=str(authority.file), **login)
    assert [(await send()).code for _ in range(2)] == ["handed-over"] * 2
    assert verbs(relay) == ["EHLO", "STARTTLS", "EHLO", "AUTH", *BATCH, *BATCH]
    assert all(one.tls for one in relay.taken)


async def test_what_came_in_the_clear_is_no_answer_under_tls(sending: Sending, tmp_path: Path) -> None:
    """Answers put behind the word to STARTTLS by somebody on the line: neither the offer nor the answers hold (RFC 3207 6)."""
    authority = Authority.made(tmp_path, "own")
    context = authority.context("127.0.0.1")
    said: list[bytes] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        said.append(await reader.readline())
        writer.write(b"250-a.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n")
        said.append(await reader.readline())
        writer.write(
            b"220 go ahead\r\n250-evil.example\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"
        )
        try:
            await writer.start_tls(context)
        except (ssl.SSLError, ConnectionError):
            return
        for word in (b"250 a.example", b"550 5.7.1 not you", b"250 ok"):  # no offer: one thing at a time
            said.append(await reader.readline())
            writer.write(word + b"\r\n")
        await reader.read()

    async with await asyncio.start_server(client, "127.0.0.1", 0) as server:
        send = await sending(
            server.sockets[0].getsockname()[1], tls="required", ca_file=str(authority.file), answer_seconds=2
        )
        outcome = await send()
    assert outcome.because == "the relay answered 550 5.7.1 to MAIL"
    assert [line.split(b" ")[0].strip() for line in said] == [b"EHLO", b"STARTTLS", b"EHLO", b"MAIL", b"RSET"]


# --- what is relied upon in aiosmtplib


def test_our_names_are_none_of_the_librarys() -> None:
    """A new aiosmtplib may take a name that the protocol has for itself."""

    async def ours_and_theirs() -> tuple[set[str], set[str]]:
        return set(vars(Pipelined(aiosmtplib.SMTP()))), set(vars(SMTPProtocol()))

    ours, theirs = asyncio.run(ours_and_theirs())
    assert theirs < ours and ours - theirs == {"_answers", "_said", "_rest", "_heard", "_news", "kept"}
    assert not {name for name in vars(Pipelined) if name.startswith("_") and not name.startswith("__")} & set(
        dir(SMTPProtocol)
    )


async def test_aiosmtplib_still_drops_what_follows_an_answer() -> None:
    """The reason for a protocol of our own: when this fails, look whether the library has become able to pipeline."""
    async with await scripted([b"250 one\r\n250 two\r\n"]) as server:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.sockets[0].getsockname()[1], start_tls=False)
        await client.connect()
        await client.ehlo()
        assert client.protocol is not None
        client.protocol.write(b"NOOP\r\nNOOP\r\n")
        assert (await client.protocol.read_response(1)).message == "one"
        with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
            await client.protocol.read_response(0.1)
        client.close()


async def test_the_librarys_own_commands_go_through_the_protocol(relay: Relay) -> None:
    """Written, answered, timed out, and told when the line is gone; byte by byte, so that no other reader would do."""
    from adapters.ebxml_smtp.pipeline import pipelined

    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=relay.port, start_tls=False)
    await client.connect()
    await client.ehlo()
    pipelined(client)
    relay.manner = "bytes"
    assert isinstance(client.protocol, Pipelined) and client.is_connected
    relay.say["rset"] = ["250-2.0.0 as\r\n250 2.0.0 new", "451 4.3.0 no"]
    assert (await client.rset()).message == "2.0.0 as\n2.0.0 new"
    with pytest.raises(aiosmtplib.SMTPResponseException, match="451"):
        await client.rset()
    assert (await client.mail("a@b.example")).code == 250
    await relay.hang_up()
    for _ in range(100):
        if client.protocol is None:
            break
        await asyncio.sleep(0.01)
    assert client.protocol is None and not client.is_connected
