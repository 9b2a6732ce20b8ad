"""Sending through a relay that misbehaves: what it says is told, nothing is lost, nothing is sent twice too early."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.formats import mail, mime
from hub.insights import Story
from ops.partner.aside import MovableClock
from ops.sector import HOSPITAL, SECTOR
from tests.mail.conftest import DOCTOR, SURGERY, MailHub, Opened
from tests.mail.servers import DROP, HANG, Authority, Relay

HERE = [m for m in SECTOR if m.system not in HOSPITAL]
THERE = [m for m in SECTOR if m.system in HOSPITAL]
Town = Callable[..., Any]
Referral = Callable[..., bytes]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"), "own")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest_asyncio.fixture(params=[False, True], ids=["one-by-one", "pipelined"])
async def relay(request: pytest.FixtureRequest) -> AsyncIterator[Relay]:
    """Whatever it does, it comes to the same whether it takes commands in one go (RFC 2920) or not."""
    async with Relay() as opened:
        if request.param:
            opened.offers.append("PIPELINING")
        yield opened


@pytest.fixture
def town(mail_hub: Opened, relay: Relay) -> Town:
    """Opens the municipality's hub before the relay; words are settings of the relay, `hub` are those of the hub."""

    async def opened(hub: dict[str, Any] | None = None, **of_relay: Any) -> MailHub:
        found = await mail_hub("kommune", HERE, THERE, 0, relay.port, relay=of_relay, hub=hub or {})
        assert isinstance(found, MailHub)
        return found

    return opened


async def tried(hub: MailHub, message_id: str, code: str, seconds: float = 10) -> Story:
    """The story once an attempt has ended with `code`."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        found = await hub.story(message_id)
        if any(entry.code == code for entry in found.journal):
            return await hub.story(message_id)  # read again: its parts are read one after another
        assert asyncio.get_running_loop().time() < end, [(e.event, e.code, e.because) for e in found.journal]
        await asyncio.sleep(0.02)


def said(story: Story, code: str) -> str:
    """The words beside a code in the journal."""
    return next(entry.because for entry in story.journal if entry.code == code)


# --- TLS


async def test_a_session_is_protected_where_the_relay_offers_it(
    town: Town, relay: Relay, referral: Referral, authority: Authority
) -> None:
    relay.tls = authority.context("127.0.0.1")
    hub = await town(tls="opportunistic", ca_file=str(authority.file))
    await tried(hub, await hub.send(referral(), DOCTOR), "handed-over")
    assert [one.tls for one in relay.taken] == [True]
    assert [c.split()[0] for c in relay.commands] == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"]


async def test_a_session_stays_clear_where_nothing_is_offered_or_wanted(
    town: Town, relay: Relay, referral: Referral
) -> None:
    hub = await town(tls="opportunistic")
    await tried(hub, await hub.send(referral(), DOCTOR), "handed-over")
    assert [one.tls for one in relay.taken] == [False]


async def test_off_does_not_ask_for_it(town: Town, relay: Relay, referral: Referral, authority: Authority) -> None:
    relay.tls = authority.context("127.0.0.1")
    hub = await town(tls="off")
    await tried(hub, await hub.send(referral(), DOCTOR), "handed-over")
    assert [one.tls for one in relay.taken] == [False] and "STARTTLS" not in relay.commands


@pytest.mark.parametrize("policy", ["required", "opportunistic"])
@pytest.mark.parametrize(
    ("names", "known", "why"),
    [(["127.0.0.1"], False, "certificate"), (["other.example"], True, "mismatch")],
    ids=["unknown-authority", "wrong-name"],
)
async def test_nothing_goes_out_over_a_session_whose_certificate_does_not_hold(
    town: Town,
    relay: Relay,
    referral: Referral,
    authority: Authority,
    stranger: Authority,
    policy: str,
    names: list[str],
    known: bool,
    why: str,
) -> None:
    """Neither unchecked nor, after the handshake failed, in the clear: the operator is told, and it is tried again."""
    relay.tls = (authority if known else stranger).context(*names)
    hub = await town(tls=policy, ca_file=str(authority.file))
    story = await tried(hub, await hub.send(referral(), DOCTOR), "mail-tls")
    assert "its certificate does not hold" in said(story, "mail-tls") and why in said(story, "mail-tls")
    assert story.deliveries[0].state == "waiting" and story.deliveries[0].handed_over == 0
    assert not any(command.startswith("MAIL") for command in relay.commands) and not relay.taken


async def test_what_is_demanded_and_not_offered_is_told(town: Town, relay: Relay, referral: Referral) -> None:
    hub = await town(tls="required")
    story = await tried(hub, await hub.send(referral(), DOCTOR), "mail-tls")
    assert "STARTTLS is not offered" in said(story, "mail-tls") and not relay.taken


async def test_starttls_that_is_offered_and_then_refused_does_not_fall_back(
    town: Town, relay: Relay, referral: Referral, authority: Authority
) -> None:
    relay.tls = authority.context("127.0.0.1")
    relay.say["starttls"] = ["454 4.7.0 TLS not available due to temporary reason"]
    hub = await town(tls="opportunistic", ca_file=str(authority.file))
    sent = await hub.send(referral(), DOCTOR)
    await tried(hub, sent, "mail-tls")
    await tried(hub, sent, "handed-over")  # the next time it was available
    assert [one.tls for one in relay.taken] == [True]


# --- login


async def test_a_login_is_said_under_tls_only(
    town: Town, relay: Relay, referral: Referral, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hemmelig\n")
    relay.offers.append("AUTH PLAIN")
    hub = await town(tls="opportunistic", username="kommune", password_file=str(tmp_path / "secret"))
    story = await tried(hub, await hub.send(referral(), DOCTOR), "mail-tls")
    assert "our password is not said in the clear" in said(story, "mail-tls")
    assert not any(command.startswith("AUTH") for command in relay.commands)


async def test_a_good_login_sends_and_a_refused_one_is_told_and_tried_again(
    town: Town, relay: Relay, referral: Referral, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hemmelig\n")
    relay.tls = authority.context("127.0.0.1")
    relay.offers.append("AUTH PLAIN")
    relay.say["auth"] = ["535 5.7.8 hemmelig is wrong"]
    hub = await town(
        tls="required", ca_file=str(authority.file), username="kommune", password_file=str(tmp_path / "secret")
    )
    sent = await hub.send(referral(), DOCTOR)
    story = await tried(hub, sent, "mail-login")
    assert "535" in said(story, "mail-login") and "hemmelig" not in said(story, "mail-login")
    await tried(hub, sent, "handed-over")
    assert "AUTH PLAIN AGtvbW11bmUAaGVtbWVsaWc=" in relay.commands


async def test_a_relay_without_login_is_told(
    town: Town, relay: Relay, referral: Referral, authority: Authority
) -> None:
    relay.tls = authority.context("127.0.0.1")
    hub = await town(tls="required", ca_file=str(authority.file), username="kommune")
    story = await tried(hub, await hub.send(referral(), DOCTOR), "mail-login")
    assert "no way to log in" in said(story, "mail-login")


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("530 5.7.0 Must issue a STARTTLS command first", "mail-tls"),
        ("530 5.7.0 Authentication required", "mail-login"),
    ],
)
async def test_what_the_relay_wants_of_us_is_no_verdict_on_the_mail(
    town: Town, relay: Relay, referral: Referral, word: str, code: str
) -> None:
    """A setting that is missing here must not make a dead letter of every message."""
    relay.say["mail"] = [word]
    hub = await town()
    sent = await hub.send(referral(), DOCTOR)
    await tried(hub, sent, code)
    await tried(hub, sent, "handed-over")


# --- what is offered


async def test_a_mail_that_is_too_large_is_not_even_begun(town: Town, relay: Relay, referral: Referral) -> None:
    relay.offers[:] = ["8BITMIME", "SIZE 2000"]
    hub = await town()
    story = await hub.until(await hub.send(referral(), DOCTOR), "dead")
    assert "2000 (RFC 1870)" in said(story, "mail-too-large")
    assert [c.split()[0] for c in relay.commands] == ["EHLO"] and relay.sessions == 1


async def test_eight_bit_goes_as_it_is_only_where_it_is_taken(
    town: Town, relay: Relay, referral: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without 8BITMIME everything is base64, and what the parts hold is the same."""
    relay.offers[:] = []
    hub = await town()
    sent = await hub.send(referral(), DOCTOR)
    await tried(hub, sent, "handed-over")
    [plain] = relay.taken
    assert plain.content.isascii() and "BODY=" not in plain.sender and "SIZE=" not in plain.sender
    parcel = await hub.hub.store.parcel((await hub.story(sent)).deliveries[0].id)
    assert parcel is not None
    ours, theirs = mime.read(parcel.headers, parcel.body), mime.read(plain.head, plain.body)
    assert isinstance(ours, mime.Package) and isinstance(theirs, mime.Package)
    assert [p.content for p in (ours.root, *ours.attachments)] == [
        p.content for p in (theirs.root, *theirs.attachments)
    ]
    assert theirs.root.headers["content-transfer-encoding"] == "base64"


async def test_no_line_is_longer_than_smtp_takes(town: Town, relay: Relay, referral: Referral) -> None:
    """Also with 8BITMIME: an envelope is one long line (RFC 5321 4.5.3.1.6)."""
    hub = await town()
    await tried(hub, await hub.send(referral(padding=100_000), DOCTOR), "handed-over")
    [one] = relay.taken
    assert max(len(line) for line in one.content.split(b"\r\n")) <= 998
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", one.content) is None
    size = re.search(r"SIZE=(\d+)", one.sender)
    assert size is not None and int(size.group(1)) == len(one.content)


async def test_notifications_are_asked_for_under_the_deliverys_id(town: Town, relay: Relay, referral: Referral) -> None:
    relay.offers.append("DSN")
    hub = await town()
    sent = await hub.send(referral(), DOCTOR)
    story = await tried(hub, sent, "handed-over")
    [one] = relay.taken
    assert f" RET=HDRS ENVID={story.deliveries[0].id}" in one.sender
    assert " NOTIFY=FAILURE,DELAY ORCPT=rfc822;sykehus@edi.example" in one.receiver


async def test_no_notification_is_asked_of_a_relay_that_knows_none(
    town: Town, relay: Relay, referral: Referral
) -> None:
    hub = await town()
    await tried(hub, await hub.send(referral(), DOCTOR), "handed-over")
    assert "ENVID" not in relay.taken[0].sender and "NOTIFY" not in relay.taken[0].receiver


# --- no, and not now


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
async def test_not_now_is_told_with_its_code_and_tried_again(
    town: Town, relay: Relay, referral: Referral, step: str
) -> None:
    """Greylisting too: put off first, then taken, and delivered once; no RetryInterval is used up."""
    relay.say[step] = ["450 4.2.0 Greylisted, see sykehus@edi.example"]
    hub = await town(hub={"retry_interval_seconds": 3600})
    sent = await hub.send(referral(), DOCTOR)
    story = await tried(hub, sent, "mail-temporary")
    where = {"mail": "MAIL", "rcpt": "RCPT"}.get(step, "DATA")
    assert f"answered 450 4.2.0 to {where}" in said(story, "mail-temporary")
    assert "@" not in said(story, "mail-temporary")  # the relay's own words stay out
    story = await tried(hub, sent, "handed-over")
    assert story.deliveries[0].handed_over == 1 and len(relay.taken) == 1
    assert relay.sessions == 1  # the session went on after RSET


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
async def test_never_is_a_dead_letter_with_its_code(town: Town, relay: Relay, referral: Referral, step: str) -> None:
    relay.say[step] = ["550 5.1.1 no such user"]
    hub = await town()
    sent = await hub.send(referral(), DOCTOR)
    story = await hub.until(sent, "dead")
    assert story.deliveries[0].code == "mail-permanent" and "550 5.1.1" in story.deliveries[0].because
    assert not relay.taken
    other = await hub.send(referral(number=2), DOCTOR)  # the relay is none the worse for it
    await tried(hub, other, "handed-over")


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("552 5.3.4 message too big", "mail-too-large"),
        ("552 size", "mail-too-large"),
        ("552 5.2.2 mailbox full", "mail-permanent"),
        ("554 5.7.1 no", "mail-permanent"),
    ],
)
async def test_why_never_is_told_apart(town: Town, relay: Relay, referral: Referral, word: str, code: str) -> None:
    relay.say["dot"] = [word]
    hub = await town()
    story = await hub.until(await hub.send(referral(), DOCTOR), "dead")
    assert story.deliveries[0].code == code


@pytest.mark.parametrize("step", ["connect", "ehlo"])
async def test_a_relay_that_does_not_want_us_kills_no_letter(
    town: Town, relay: Relay, referral: Referral, step: str
) -> None:
    relay.say[step] = ["554 5.7.1 not from your address"]
    if step == "ehlo":
        relay.say["helo"] = ["554 5.7.1 not from your address"]
    hub = await town()
    sent = await hub.send(referral(), DOCTOR)
    story = await tried(hub, sent, "connect-failed")
    assert "554" in said(story, "connect-failed")
    await tried(hub, sent, "handed-over")


async def test_an_old_relay_that_knows_no_ehlo_is_greeted_the_old_way(
    town: Town, relay: Relay, referral: Referral
) -> None:
    relay.say["ehlo"] = ["502 5.5.1 unknown"]
    hub = await town()
    await tried(hub, await hub.send(referral(), DOCTOR), "handed-over")
    assert relay.commands[1].startswith("HELO") and relay.taken[0].content.isascii()


# --- connections


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("how", ["421 4.3.2 closing down", DROP], ids=["421", "dropped"])
async def test_a_session_that_ends_before_the_mail_is_begun_hands_over_nothing(
    town: Town, relay: Relay, referral: Referral, step: str, how: str
) -> None:
    relay.say[step] = [how]
    hub = await town(hub={"retry_interval_seconds": 3600})
    sent = await hub.send(referral(), DOCTOR)
    story = await tried(hub, sent, "mail-temporary" if how.startswith("421") else "connection-lost")
    story = await tried(hub, sent, "handed-over")
    assert story.deliveries[0].handed_over == 1 and len(relay.taken) == 1 and relay.sessions == 2


@pytest.mark.parametrize("step", ["content", "dot"])
async def test_a_session_that_ends_later_may_have_handed_it_over(
    town: Town, relay: Relay, referral: Referral, step: str
) -> None:
    """Counted as handed over, and sent again at RetryInterval: the same ebXML bytes, a new Message-ID and Date (H-67)."""
    relay.say[step] = [DROP]
    hub = await town(hub={"retry_interval_seconds": 2})
    sent = await hub.send(referral(), DOCTOR)
    story = await tried(hub, sent, "connection-lost")
    [delivery] = story.deliveries
    assert (delivery.state, delivery.handed_over) == ("sent", 1)
    before = len(relay.taken)
    assert before == (1 if step == "dot" else 0)
    story = await tried(hub, sent, "handed-over")
    assert story.deliveries[0].handed_over == 2
    first, again = (await hub.hub.store.attempts(delivery.id))[:2]
    assert (again.started_at - first.started_at).total_seconds() >= 2
    if step == "dot":
        one, two = relay.taken
        assert one.body == two.body and b"eb:MessageId" in mime_root(two)
        assert one.head["message-id"] != two.head["message-id"] and one.head["date"] != two.head["date"]
        assert mail.delivery_of(one.head["message-id"]) == mail.delivery_of(two.head["message-id"]) == delivery.id


def mime_root(taken: Any) -> bytes:
    """The envelope in a mail."""
    read = mime.read(taken.head, taken.body)
    assert isinstance(read, mime.Package)
    return read.root.content


async def test_the_national_schedule_holds_where_nothing_is_agreed(
    mail_hub: Opened, relay: Relay, referral: Referral
) -> None:
    """No receipt ever comes: at most five resends, at least twelve hours apart, and 72 hours in all (H-61)."""
    clock = MovableClock()
    usual = {"retries": 5, "retry_interval_seconds": 43_200, "persist_duration_seconds": 345_600}
    hub = await mail_hub("kommune", HERE, THERE, 0, relay.port, clock=clock, hub={**usual, "apprec_deadline_hours": 96})
    sent = await hub.send(referral(), DOCTOR)
    began = (await tried(hub, sent, "handed-over")).deliveries[0].created_at
    times = []
    while (delivery := (await hub.story(sent)).deliveries[0]).state == "sent":
        if delivery.handed_over > len(times):
            times.append(delivery.changed_at)
            assert delivery.next_at is not None
            clock.forward(seconds=(delivery.next_at - clock.now()).total_seconds() + 1)
        await asyncio.sleep(0.02)
    assert delivery.state == "dead" and delivery.code in ("retries-exhausted", "persist-duration-over")
    assert 5 <= len(times) <= 6 and len(relay.taken) == len(times)
    assert all((late - early).total_seconds() >= 12 * 3600 for early, late in pairwise(times))
    assert 71 <= (delivery.changed_at - began).total_seconds() / 3600 <= 72.1
    assert len({one.body for one in relay.taken}) == 1 and len({one.head["message-id"] for one in relay.taken}) > 4


async def test_what_is_neither_yes_nor_no_after_the_mail_counts_as_maybe(
    town: Town, relay: Relay, referral: Referral
) -> None:
    relay.say["dot"] = ["hello there"]
    hub = await town(hub={"retry_interval_seconds": 3600})
    story = await tried(hub, await hub.send(referral(), DOCTOR), "connection-lost")
    assert story.deliveries[0].handed_over == 1


async def test_a_relay_that_says_nothing_is_not_waited_for_longer_than_the_setting(
    town: Town, relay: Relay, referral: Referral
) -> None:
    relay.say["rcpt"] = [HANG]
    hub = await town(answer_seconds=0.5)
    sent = await hub.send(referral(), DOCTOR)
    story = await tried(hub, sent, "timed-out")
    assert story.deliveries[0].handed_over == 0
    await tried(hub, sent, "handed-over")


async def test_an_idle_connection_that_the_relay_closed_costs_nothing(
    town: Town, relay: Relay, referral: Referral
) -> None:
    hub = await town(hub={"retry_interval_seconds": 3600})
    for number in range(3):
        sent = await hub.send(referral(number=number), DOCTOR)
        story = await tried(hub, sent, "handed-over")
        assert len(await hub.hub.store.attempts(story.deliveries[0].id)) == 1
        await relay.hang_up()
    assert relay.sessions == 3 and len(relay.taken) == 3


async def test_a_relay_that_closes_after_so_many_mails_costs_nothing(
    town: Town, relay: Relay, referral: Referral
) -> None:
    """They say 421 to whatever comes next, and only then."""
    relay.most = 1
    hub = await town(connections=1, hub={"retry_interval_seconds": 3600})
    for number in range(2):
        story = await tried(hub, await hub.send(referral(number=number), DOCTOR), "handed-over")
        assert len(await hub.hub.store.attempts(story.deliveries[0].id)) == 1
    assert relay.sessions == 2


async def test_connections_are_used_again(town: Town, relay: Relay, referral: Referral) -> None:
    hub = await town(connections=3)
    sent = [await hub.send(referral(number=number), DOCTOR) for number in range(20)]
    for one in sent:
        await tried(hub, one, "handed-over")
    assert len({one.head["message-id"] for one in relay.taken}) >= 20
    assert relay.sessions <= 3


async def test_a_relay_that_hangs_slows_nobody_else(
    mail_hub: Opened, relay: Relay, referral: Referral, samhub_samples: Any
) -> None:
    """Forty mails wait for a relay that says nothing; a message to a partner by HTTP goes out meanwhile."""
    relay.usual["connect"] = HANG
    async with AsyncExitStack() as stack:
        heard = asyncio.Event()

        async def partner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            heard.set()
            writer.write(b"HTTP/1.1 503 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()

        server = await stack.enter_async_context(await asyncio.start_server(partner, "127.0.0.1", 0))
        http = server.sockets[0].getsockname()[1]
        hub = await mail_hub(
            "kommune",
            HERE,
            THERE[:1],
            0,
            relay.port,
            relay={"connect_seconds": 1},
            hub={"at_once": 8, "per_partner": 8},
            also=[(THERE[1], f"http://127.0.0.1:{http}/ebxml")],
        )
        mails = [await hub.send(referral(number=number), DOCTOR) for number in range(40)]
        await tried(hub, mails[0], "timed-out")
        document = samhub_samples("henvisning", sender=DOCTOR, receiver=THERE[1]).document
        await hub.send(document, DOCTOR)
        await asyncio.wait_for(heard.wait(), 5)
        assert not relay.taken and SURGERY in THERE
