"""A real mail server (postfix) between two hubs: messages, receipts, bounces and waiting are its own, not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ops.bench.far import Far
from ops.demo.stage import free_ports
from ops.sector import HOSPITAL, SECTOR
from tests.mail.conftest import DOCTOR, SURGERY, MailHub, Opened, mail_of
from tests.mail.postfix import Postfix
from tests.mail.servers import Authority
from tests.mail.test_pipelining import opened

HERE = [m for m in SECTOR if m.system not in HOSPITAL]
THERE = [m for m in SECTOR if m.system in HOSPITAL]
Referral = Callable[..., bytes]
Between = Callable[..., Any]


@pytest_asyncio.fixture
async def between() -> AsyncIterator[Between]:
    """Starts a postfix that knows the way to a listener of the municipality and one of the hospital, by their ports."""
    started: list[Postfix] = []

    async def opened(town: int, hospital: int, more: str = "") -> Postfix:
        ways = {mail_of(m): town for m in HERE} | {mail_of(m): hospital for m in THERE}
        started.append(await asyncio.to_thread(Postfix, ways, more))
        return await asyncio.to_thread(started[-1].start)

    yield opened
    for one in started:
        await asyncio.to_thread(one.close)


async def test_a_referral_and_its_receipts_go_through_a_real_mail_server(
    mail_hub: Opened, between: Between, referral: Referral
) -> None:
    """Out, Acknowledgment home, AppRec home; and a large one, whose bytes are the same on the other side."""
    one, two = free_ports(2)
    postfix = await between(one, two)
    town: MailHub = await mail_hub("kommune", HERE, THERE, one, postfix.port)
    hospital: MailHub = await mail_hub("sykehus", THERE, HERE, two, postfix.port)
    documents = [referral(), referral(number=2, padding=700_000)]
    sent = [await town.send(document, DOCTOR) for document in documents]
    for message in sent:
        await town.until(message, "acknowledged", 20)
    assert sorted(await hospital.take(SURGERY)) == sorted(documents)
    for message in sent:
        story = await town.until(message, "done", 20)
        assert story.deliveries[0].apprec_status == "1" and story.receipts[0].proven
        assert story.deliveries[0].handed_over == 1
    log = postfix.log()
    assert "status=sent (250 2.0.0 kept)" in log and "status=bounced" not in log


async def test_a_real_bounce_settles_the_delivery_it_speaks_of(
    mail_hub: Opened, between: Between, referral: Referral
) -> None:
    """The hospital's listener does not know the address: postfix took the mail, and says so afterwards (RFC 3464)."""
    one, two = free_ports(2)
    postfix = await between(one, two)
    town: MailHub = await mail_hub("kommune", HERE, THERE, one, postfix.port, hub={"retry_interval_seconds": 3600})
    await mail_hub("fremmed", HERE[:1], [], two, 9)  # a listener that serves others
    sent = await town.send(referral(), DOCTOR)
    story = await town.until(sent, "dead", 20)
    [delivery] = story.deliveries
    assert delivery.code == "mail-bounced" and "5.1.1" in delivery.because
    assert delivery.handed_over == 1
    assert "status=bounced" in postfix.log() and "sender non-delivery notification" in postfix.log()


async def test_a_listener_that_is_down_costs_time_and_nothing_else(
    mail_hub: Opened, between: Between, referral: Referral
) -> None:
    """Postfix queues, says after a while that it does (DELAY), and delivers once when the hospital is there."""
    one, two = free_ports(2)
    postfix = await between(one, two, "delay_warning_time = 1s")
    town: MailHub = await mail_hub("kommune", HERE, THERE, one, postfix.port, hub={"retry_interval_seconds": 3600})
    document = referral()
    sent = await town.send(document, DOCTOR)
    await town.until(sent, "sent")
    for _ in range(1000):
        story = await town.story(sent)
        if any(entry.code == "mail-delayed" for entry in story.journal):
            break
        await asyncio.sleep(0.02)
    assert [e.because for e in story.journal if e.code == "mail-delayed"] == ["a mail server reports delayed: 4.4.1"]
    assert story.deliveries[0].state == "sent"  # the schedule goes on
    hospital: MailHub = await mail_hub("sykehus", THERE, HERE, two, postfix.port)
    await town.until(sent, "acknowledged", 20)
    assert await hospital.take(SURGERY) == [document]
    story = await town.until(sent, "done", 20)
    assert story.deliveries[0].handed_over == 1


#: Hangs up on who asks several things at once where none may.
STRICT = """
smtpd_forbid_unauth_pipelining = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
"""


@pytest.mark.parametrize("tls", ["off", "required"])
@pytest.mark.parametrize(("pipelining", "first", "each"), [(True, 3, 2), (False, 5, 5)])
async def test_a_real_mail_server_is_asked_in_one_go(
    between: Between, tmp_path: Path, tls: str, pipelining: bool, first: int, each: int
) -> None:
    """Postfix offers PIPELINING: two round trips for a mail instead of five. Its refusals are told as ever."""
    authority = Authority.made(tmp_path, "own")
    certificate, key = authority.issue("127.0.0.1")
    postfix = await between(9, 9, STRICT.format(certificate=certificate, key=key))
    async with Far(postfix.port, 0.002) as far, AsyncExitStack() as stack:
        send = await opened(stack, far.port, tls=tls, ca_file=str(authority.file), pipelining=pipelining)
        assert (await send(mail_of(SURGERY))).code == "handed-over"
        handshake = 3 if tls == "required" else 0  # STARTTLS, hello, EHLO
        assert far.round_trips == first + handshake
        assert (await send(mail_of(SURGERY))).code == "handed-over"
        assert far.round_trips == first + handshake + each
        refused = await send("them@b.example")
        assert refused.because == "the relay answered 550 5.1.2 to RCPT" and refused.permanent
        assert (await send(mail_of(SURGERY))).code == "handed-over"
    log = postfix.log()
    assert log.count("reject: RCPT from") == 1 and "pipelining" not in log, log  # it never found it improper
