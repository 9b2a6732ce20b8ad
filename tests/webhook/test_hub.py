"""A hub that runs tells its record systems over real connections: who hangs costs the others nothing, and people see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from ops.cli.app import app
from ops.partner.aside import Aside, eventually
from ops.partner.handles import HubHandle
from ops.sector import SECTOR
from tests.support import asgi
from tests.webhook.servers import Far, hangs, says, serving

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]
SECRET = "0123456789abcdef" * 2


@dataclass
class House:
    """A hub with two record systems, each with its webhook."""

    hub: HubHandle
    doctor: Far
    physio: Far
    hospital: Any
    answers: dict[str, Any]  #: by record system: a behaviour of tests.webhook.servers

    def tries(self) -> list[int]:
        """In vain, of each record system."""
        return [lane.tries for lane in self.hub.run(self.hub.built.store.hooks())]

    def samhub(self, *args: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*args, "--config", str(self.hub.site.configuration)])
        return done.exit_code, done.output


@pytest.fixture
def house(samhub_hub: Any, samhub_partner: Any, _samhub_aside: Aside) -> Iterator[House]:
    hospital = samhub_partner()
    hub = samhub_hub([hospital], local=[DOCTOR, PHYSIO], times="sector")
    hub.stop()
    answers: dict[str, Any] = {DOCTOR.system: says(204), PHYSIO.system: says(204)}
    with ExitStack() as stack:

        def listens(system: str) -> Far:
            async def as_told(request: web.Request, far: Far) -> web.StreamResponse:
                answer: web.StreamResponse = await answers[system](request, far)
                return answer

            far, leave = _samhub_aside.enter(serving(as_told))
            stack.callback(leave)
            return far

        found = {system: listens(system) for system in answers}
        parties = hub.site.folder / "parties.toml"
        text = parties.read_text()
        for system, far in found.items():
            secret = hub.site.folder / "keys" / f"{system}.webhook"
            secret.write_text(SECRET)
            secret.chmod(0o600)
            hook = f'webhook = "{far.url}/hook"\nwebhook_secret_file = "keys/{system}.webhook"\n'
            text = text.replace(f'[[system]]\nid = "{system}"\n', f'[[system]]\nid = "{system}"\n{hook}')
        parties.write_text(text)
        hub.start(webhook={"poll_seconds": 0.02, "answer_seconds": 60}, work={"sweep_seconds": 0.05})
        eventually(lambda: len(hub.run(hub.built.store.hooks())) == 2, 10, "both are told from now on")
        yield House(hub, found[DOCTOR.system], found[PHYSIO.system], hospital, answers)
        hub.stop()


Send = Callable[..., Any]


def test_it_is_told_of_what_it_sent_and_of_what_came(house: House, samhub_samples: Send) -> None:
    """What polling tells, in the same order, under the same offsets."""
    epj = house.hub.epj(DOCTOR.her_id)
    sent = epj.send(samhub_samples(receiver=house.hospital))
    house.hub.until(sent, "done")
    house.hospital.send(samhub_samples(sender=house.hospital), DOCTOR.her_id)
    eventually(lambda: any(n["type"] == "NewMessage" for n in epj.notifications()), 10, "a new message")
    polled = epj.notifications()
    eventually(lambda: len(house.doctor.requests) >= len(polled), 10, "all that is polled")
    bodies = [json.loads(body) for _, body in house.doctor.requests]
    assert [(b["offset"], b["type"], b["messageId"]) for b in bodies] == [
        (n["offset"], n["type"], n["relatedMessageId"]) for n in polled
    ]
    assert house.physio.requests == []


def test_who_hangs_holds_up_nobody_else(house: House, samhub_samples: Send) -> None:
    """While its request is open, the other is told, and what both send and get goes on."""
    house.answers[DOCTOR.system] = hangs
    doctor, physio = house.hub.epj(DOCTOR.her_id), house.hub.epj(PHYSIO.her_id)
    first = doctor.send(samhub_samples(receiver=house.hospital))
    eventually(lambda: house.doctor.requests, 10, "it hangs")
    for _ in range(3):
        doctor.send(samhub_samples(receiver=PHYSIO))
    house.hub.until(first, "done")
    eventually(lambda: len(house.physio.requests) == 3, 10, "the other is told")
    assert len(physio.take()) == 3 and len(house.doctor.requests) == 1


def test_what_was_not_taken_survives_a_restart_and_comes_once(house: House, samhub_samples: Send) -> None:
    """In order, when its time has come."""
    house.answers[DOCTOR.system] = says(503)
    epj = house.hub.epj(DOCTOR.her_id)
    sent = epj.send(samhub_samples(receiver=house.hospital))
    house.hub.until(sent, "done")
    eventually(lambda: house.tries() == [0, 1], 10, "the first try, and that it was in vain")
    house.hub.restart()
    house.answers[DOCTOR.system] = says(200)
    polled = house.hub.epj(DOCTOR.her_id).notifications()
    before = len(house.doctor.requests)
    assert before == 1, "not before its time"
    house.hub.clock.forward(minutes=2)
    eventually(lambda: len(house.doctor.requests) == before + len(polled), 10, "all of it")
    offsets = [json.loads(body)["offset"] for _, body in house.doctor.requests]
    assert offsets == [offsets[0], *(n["offset"] for n in polled)]
    eventually(lambda: house.tries() == [0, 0], 10, "all is well")


def test_a_person_sees_what_was_given_up_and_has_it_told(house: House, samhub_samples: Send) -> None:
    """By the list, the journal and a metric; while the hub runs."""
    house.answers[PHYSIO.system] = says(410)
    house.hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=PHYSIO))
    look = b'samhub_webhooks{state="given-up"} 1.0'
    hub = house.hub
    eventually(lambda: look in hub.run(asgi.call(hub.built.app, "GET", "/metrics", {})).body, 10, "the metric")
    code, text = house.samhub("webhook", "list")
    assert code == 0 and "stopped" in text and PHYSIO.system in text and "410" in text and DOCTOR.system not in text
    assert house.samhub("webhook", "list", "--all")[1].count("\n") == 3
    assert house.samhub("webhook", "retry", DOCTOR.system)[0] == 1
    house.answers[PHYSIO.system] = says(204)
    code, text = house.samhub("webhook", "retry", PHYSIO.system, "--why", "mended")
    assert code == 0 and "told at once" in text
    eventually(lambda: len(house.physio.requests) == 2, 10, "it is told")
    told = [
        (e.code, e.actor != "hub") for e in hub.run(hub.built.store.journal(limit=50)) if e.code.startswith("webhook")
    ]
    assert told == [("webhook-given-up", False), ("webhook-retried", True)]
    assert house.samhub("webhook", "list") == (0, "nothing waits to be told\n")
    assert house.samhub("webhook", "discard", PHYSIO.system)[0] == 1
