"""A partner that is down, slow or wrong opens its circuit and slows nobody else; told by order and count, never by time."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from ops.cli.app import app
from ops.partner.aside import eventually
from ops.sector import SECTOR
from tests.support import asgi

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


def test_after_three_failures_a_partner_is_left_alone(samhub_hub, samhub_partner, samhub_samples):
    """Its other messages are not tried meanwhile, whatever is due; after the wait one try is let through."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner], times="sector", settings={"hub": {"per_partner": 1}})
    epj = hub.epj(DOCTOR.her_id)
    ids = [epj.send(samhub_samples(receiver=partner)) for _ in range(5)]
    eventually(lambda: [hub.delivery(i).code for i in ids].count("connect-failed") >= 3)

    hub.act(hub.delivery(ids[-1]).id, "discard")  # something happens, and wakes the worker
    for _ in range(3):
        hub.watched()
    assert [hub.delivery(i).attempts for i in ids] == [1, 1, 1, 0, 0]

    hub.clock.forward(seconds=30)
    eventually(lambda: sum(hub.delivery(i).attempts for i in ids) == 4)
    assert hub.delivery(ids[3]).attempts == 1  # the one that has not had its turn
    partner.behave("good")
    hub.clock.forward(hours=1)
    for message_id in ids[:-1]:
        hub.until(message_id, "done")


def test_a_partner_that_answers_is_there_whatever_it_answers(samhub_hub, samhub_partner, samhub_samples):
    """HTTP 503 to everything: each delivery waits for itself, longer each time, and none because of another."""
    partner = samhub_partner(behaviour="unavailable")
    hub = samhub_hub([partner], times="sector", settings={"hub": {"per_partner": 1}})
    epj = hub.epj(DOCTOR.her_id)
    ids = [epj.send(samhub_samples(receiver=partner)) for _ in range(5)]

    eventually(lambda: [hub.delivery(i).failures for i in ids] == [1] * 5)

    waits = [(hub.delivery(i).next_at - hub.clock.now()).total_seconds() for i in ids]
    assert all(15 < wait <= 24 for wait in waits)
    hub.clock.forward(seconds=25)
    eventually(lambda: [hub.delivery(i).failures for i in ids] == [2] * 5)
    waits = [(hub.delivery(i).next_at - hub.clock.now()).total_seconds() for i in ids]
    assert all(35 < wait <= 48 for wait in waits)
    assert {(d.state, d.handed_over, d.code) for d in map(hub.delivery, ids)} == {("waiting", 0, "http-temporary")}


def test_a_partner_that_is_back_gets_everything_that_waited(samhub_hub, samhub_partner, samhub_samples):
    """The first answer closes the circuit; the rest follows without anybody doing anything."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    ids = [epj.send(samhub_samples(receiver=partner)) for _ in range(12)]
    eventually(lambda: any(hub.delivery(i).code == "connect-failed" for i in ids))

    partner.behave("good")

    for message_id in ids:
        hub.until(message_id, "done")
    assert len({r.envelope.message_id for r in partner.received}) == 12


def test_others_are_served_while_one_partner_is_down_and_another_does_not_answer(
    samhub_hub, samhub_partner, samhub_samples
):
    """Forty messages for the dead and the silent stand in front; every message for the living goes out all the same."""
    dead, stuck = samhub_partner(behaviour="down"), samhub_partner(behaviour="slow", slow_seconds=30)
    living = [samhub_partner() for _ in range(3)]
    hub = samhub_hub([dead, stuck, *living], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    behind = [epj.send(samhub_samples(receiver=who)) for _ in range(20) for who in (dead, stuck)]

    ids = [epj.send(samhub_samples(receiver=who)) for _ in range(8) for who in living]

    for message_id in ids:
        hub.until(message_id, "done")
    assert not any(hub.delivery(i).state == "done" for i in behind)
    assert len(stuck.received) <= 4  # per_partner: no more of our tries are tied up by one that does not answer


def test_each_partner_gets_no_more_tries_at_once_than_the_setting_says(samhub_hub, samhub_partner, samhub_samples):
    """Four at once by default; the others wait their turn."""
    slow = samhub_partner(behaviour="slow", slow_seconds=0.3)
    hub = samhub_hub([slow])
    epj = hub.epj(DOCTOR.her_id)
    ids = [epj.send(samhub_samples(receiver=slow)) for _ in range(10)]

    for message_id in ids:
        hub.until(message_id, "done")

    assert 2 <= slow.partner.most_at_once <= 4


def test_people_see_who_is_left_alone_and_have_it_tried_at_once(samhub_hub, samhub_partner, samhub_samples):
    """By command and metric; the hub that runs hears of it, and what waits follows when the partner answers."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub(
        [partner], times="sector", settings={"hub": {"circuit_failures": 1}, "work": {"sweep_seconds": 0.05}}
    )
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    [known] = eventually(lambda: hub.run(hub.built.store.circuits()))
    assert (known.failures, known.cause) == (1, "connect-failed") and known.until > known.since
    assert b"samhub_circuits_open 1.0" in hub.run(asgi.call(hub.built.app, "GET", "/metrics", {})).body

    partner.behave("good")
    assert hub.delivery(message_id).state == "waiting"
    [listed] = map(json.loads, command(hub, "list", "--json"))
    assert listed["address"] == known.address and listed["cause"] == "connect-failed"
    assert command(hub, "reset", known.address.split("/")[2], "--why", "they called") == [
        f"{known.address}: tried at once"
    ]
    assert command(hub, "list") == ["no address is left alone"]
    hub.clock.forward(seconds=25)  # the delivery's own back-off, which is no matter of its address
    hub.until(message_id, "done")
    found = [(e.code, e.because) for e in hub.run(hub.built.store.journal(limit=50)) if e.event == "circuit"]
    assert [code for code, _ in found] == ["circuit-opened", "circuit-reset"]
    assert found[1][1].endswith(": they called")
    assert command(hub, "reset", "nobody.invalid", code=1) == []


def command(hub, *words, code=0):
    """What `samhub circuit` says."""
    done = CliRunner().invoke(app, ["circuit", *words, "--config", str(hub.site.folder)])
    assert done.exit_code == code, done.output
    return done.stdout.splitlines()
