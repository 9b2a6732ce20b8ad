"""Real hubs among partners and record systems that live on: killed, hung, moved in time, filled up; then all is counted."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime

from ops.serve.run import least_offset
from ops.servers.rabbitmq import VirtualHost
from tests.blackbox.conftest import NewSite
from tests.support.site import DOCTOR, NURSING, PHYSIO, Here, Remote, process


async def both_ways(here: Here, count: int = 2) -> None:
    """Referrals out and letters in, at the same time; each insists until it is taken."""
    out = [here.doctor.hand_over(here.partner, "henvisning") for _ in range(count)]
    await asyncio.gather(*out, *(here.partner.sends(DOCTOR) for _ in range(count)))


async def test_killed_while_messages_go_both_ways(new_site: NewSite) -> None:
    """Doctor by REST and physiotherapist by folder: killed at a moment and between, everything comes once and is answered."""
    async with new_site(folders=[PHYSIO], local=[DOCTOR]) as here:
        hub = await here.hub()
        going = asyncio.create_task(both_ways(here, 4))
        await hub.kill_when(lambda: len(here.partner.received) >= 1)
        await hub.again()
        await asyncio.gather(
            going,
            here.physio.hand_over(here.partner),
            here.physio.hand_over(DOCTOR),
            here.partner.sends(PHYSIO),
        )
        hub.kill()
        await hub.again()
        await here.rest()
        counted = await here.assert_all_accounted()
    assert (hub.deaths, counted.promised, counted.apprecs) == (2, 11, 11)


async def test_a_partner_that_hangs_and_one_that_talks_nonsense(new_site: NewSite) -> None:
    """The others' messages go meanwhile; theirs come when they are well, the same bytes under the same MessageId."""
    async with new_site(partners=["good", "hang", "good"], ebxml_http={"read_seconds": 1}) as here:
        good, hanging, babbling = here.partners
        await babbling.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await here.hub()
        for partner in (hanging, babbling):
            await here.doctor.hand_over(partner)
        await here.until(lambda: hanging.contacts and babbling.contacts, "both to be asked")
        await both_ways(here)
        await here.until(lambda: here.count().came == 4, "what goes to and from the good one")
        assert len(here.count().lost) >= 2
        await hanging.behaves("good")
        await babbling.behaves("good")
        await here.rest()
        counted = await here.assert_all_accounted()
    assert (counted.promised, counted.listed) == (6, 0)
    assert good.contacts >= 2


async def test_a_clock_that_is_set_five_days_on_and_back_ends_nothing(new_site: NewSite) -> None:
    """It is told, and nobody is told that anything is overdue; what is sent meanwhile comes, what waits goes out."""
    async with new_site(
        partners=["never-apprec", "down"], hub={"persist_duration_seconds": 600, "sync_seconds": 1}
    ) as here:
        silent, absent = here.partners
        hub = await here.hub(clock=True)
        await asyncio.gather(here.doctor.hand_over(silent), here.doctor.hand_over(absent))
        await hub.until(lambda: _stands(hub, "acknowledged"), "to be acknowledged")
        hub.clock.forward(days=5)
        await hub.logged(event="clock_jumped", level="warning", code="clock-jumped")
        assert await hub.metric("samhub_events_total", event="clock_jumped") == 1
        await here.doctor.hand_over(silent)
        await hub.until(lambda: _stands(hub, "acknowledged", 2), "to be acknowledged too")
        assert (await here.samhub("receipts", "overdue", "--json")).rows == []
        assert (await here.samhub("deadletter", "list", "--json")).rows == []
        hub.clock.back(days=5)
        await absent.behaves("good")
        await here.until(lambda: here.count().came == 3, "what had waited for the one that was down")
        assert await hub.metric("samhub_events_total", event="clock_jumped") == 2
        assert [await hub.standing(state) for state in ("overdue", "dead", "expired")] == [0, 0, 0]


async def _stands(hub, state: str, count: int = 1) -> bool:
    return await hub.standing(state) == count


async def test_two_nodes_on_one_database_one_of_them_killed(new_site: NewSite, store_url: str) -> None:
    """What it had under way goes on at the other; it comes back, and its neighbour hangs."""
    async with new_site(store=store_url) as here:
        one, other = await asyncio.gather(here.hub(), here.hub())
        going = asyncio.create_task(both_ways(here, 4))
        await one.kill_when(lambda: len(here.partner.received) >= 1)
        await going
        await here.rest()
        await one.again()
        other.hang()
        assert (await other.get("/health/live", seconds=0.5))[0] == 0
        assert (await one.get("/health/ready"))[0] == 200
        other.resume()
        await both_ways(here, 1)
        await here.rest()
        await here.assert_all_accounted()


async def test_two_workers_behind_one_port(new_site: NewSite, store_url: str) -> None:
    """One dies and comes back; told to end, both do."""
    async with new_site(store=store_url) as here:
        hub = await here.hub(workers=2)
        before = hub.workers
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        await both_ways(here)
        await hub.until(lambda: len(hub.workers) == 2 and before[0] not in hub.workers, "to have two workers again")
        assert hub.log(event="worker-died")
        await here.rest()
        await here.assert_all_accounted()
        after = hub.workers
        await hub.stop()
        assert not any(_there(pid) for pid in after)


def _there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_full_disk_and_an_older_copy_put_back(new_site: NewSite) -> None:
    """Full: nothing is promised. Put back: what was taken after the copy is lost, and the count says so until it comes again."""
    async with new_site() as here:
        hub = await here.hub()
        hub.fill_disk()
        sample = here.doctor.document(here.partner)
        assert (await here.doctor.offer(sample))[0] == 503
        hub.make_room()
        await here.doctor.insist(sample)
        await here.rest()
        copy = await here.copy()
        await here.partner.behaves("down")
        later = await here.doctor.hand_over(here.partner)
        await hub.stop()
        await here.restore(copy)
        await hub.again()
        await here.partner.behaves("good")
        await here.doctor.hand_over(here.partner)
        await here.until(lambda: here.count().came == here.count().apprecs == 2, "what was taken after it was put back")
        assert here.count().lost == (f"{later.msg_id} to {here.partner.her_id} did not come",)
        await here.doctor.insist(later)
        await here.rest()
        await here.assert_all_accounted()


async def test_by_mail_and_by_queue(new_site: NewSite, vhost: VirtualHost) -> None:
    """A partner with a mail server and a record system at a broker; the hub dies between."""
    async with new_site(
        local=[NURSING], queues=[DOCTOR], partners=[Remote(by="mail"), "good"], broker=vhost.url
    ) as here:
        hub = await here.hub()
        mailing, calling = here.partners
        await asyncio.gather(here.doctor.hand_over(mailing), mailing.sends(DOCTOR), calling.sends(DOCTOR))
        hub.kill()
        await hub.again()
        await asyncio.gather(here.nursing.hand_over(DOCTOR), here.doctor.hand_over(calling))
        await here.rest()
        counted = await here.assert_all_accounted()
    assert counted.promised == 5


async def test_a_partner_moves_and_the_register_is_told(new_site: NewSite) -> None:
    """At its old place nobody listens; a hub that is begun anew finds it. Record systems answer for themselves."""
    async with new_site(apprec="system") as here:
        hub = await here.hub()
        await here.moves(here.partner)
        await hub.stop()
        await hub.again()
        await here.doctor.hand_over(here.partner)
        letter = await here.partner.sends(DOCTOR)
        await here.rest()
        await here.until(lambda: here.count().came == 2, "the letter")
        await here.doctor.answer(letter)
        await here.rest()
        counted = await here.assert_all_accounted()
    assert counted.apprecs == 2


async def test_a_second_hub_on_one_store_or_one_port_is_turned_away(new_site: NewSite) -> None:
    """In one sentence, with what to do; the first goes on, and gives offsets above any that an older store has given."""
    async with new_site(local=[NURSING, DOCTOR], partners=[]) as here:
        await here.hub()
        said = await here.samhub("serve")
        assert (said.code, said.err.count("\n")) == (1, 1) and "another hub serves it" in said.err
        other = here.written.configuration.with_name("other.toml")
        text = here.written.configuration.read_text("utf-8").replace("[store]\n", "[store]\npath = 'other.db'\n")
        other.write_text(text, "utf-8")
        said = await process.said(process.samhub("serve", "--config", str(other)), {})
        assert (said.code, said.err.count("\n")) == (2, 1) and "http.port" in said.err
        await here.nursing.hand_over(DOCTOR)
        await here.rest()
        assert min(note["offset"] for note in here.doctor.notes) > least_offset(datetime(2026, 1, 1, tzinfo=UTC))
        await here.assert_all_accounted()
