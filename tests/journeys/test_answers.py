"""What a partner's answer says is read whatever it is wrapped in, and what it says is heard: document, receipt, every road."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ops.cli.app import app
from ops.sector import SECTOR
from tests.support.answers import (
    CODINGS,
    acknowledgment,
    answering,
    error,
    next_try,
    nothing,
    page,
    soap,
    unsigned_acknowledgment,
    unsigned_error,
    warning,
)

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR

# --- a proven receipt counts whatever is around it

STATUSES = [200, 201, 203, 206, 299, 302, 400, 403, 404, 429, 500, 503, 599]
PROVEN = {
    acknowledgment: ("acknowledged", "acknowledged"),
    warning: ("acknowledged", "accepted-with-warning"),
    error: ("rejected", "message-error"),
}


@pytest.mark.parametrize("said", PROVEN, ids=lambda f: f.__name__)
def test_a_proven_receipt_is_the_answer_whatever_the_status(said, samhub_hub, samhub_partner, samhub_samples, answers):
    """ebMS 2.0 B.2.3; each status with the next coding, chunked or not."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector")
    epj, codings = hub.epj(DOCTOR.her_id), ["", *CODINGS]
    for number, status in enumerate(STATUSES):
        answers.document = answering(status, said, codings[number % len(codings)], chunked=number % 2 == 0)
        message_id = epj.send(samhub_samples(receiver=partner))
        state, code = PROVEN[said]
        found = hub.until(message_id, state)
        assert (found.code, found.attempts, found.said) == (code, 1, ""), status


@pytest.mark.parametrize("coding", CODINGS)
def test_a_refusal_is_read_in_every_coding(coding, samhub_hub, samhub_partner, samhub_samples, answers):
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector")
    answers.document = answering(200, error, coding)
    assert (
        "Unauthorized Msg"
        in hub.until(hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner)), "rejected").because
    )


# --- what is not proven moves nothing, and is heard

#: status, what is in the body → state, how far the try came, code, and what stands beside the delivery.
UNPROVEN = {
    (200, unsigned_error): (
        "sent",
        "yes",
        "receipt-unproven",
        "SecurityFailure //eb:MessageHeader: Unauthorized Msg (unsigned)",
    ),
    (500, unsigned_error): (
        "sent",
        "yes",
        "receipt-unproven",
        "SecurityFailure //eb:MessageHeader: Unauthorized Msg (unsigned)",
    ),
    (404, unsigned_error): (
        "sent",
        "yes",
        "receipt-unproven",
        "SecurityFailure //eb:MessageHeader: Unauthorized Msg (unsigned)",
    ),
    (400, unsigned_error): (
        "dead",
        "yes",
        "http-permanent",
        "SecurityFailure //eb:MessageHeader: Unauthorized Msg (unsigned)",
    ),
    (200, unsigned_acknowledgment): ("sent", "yes", "receipt-unproven", "Acknowledgment (unsigned)"),
    (503, unsigned_acknowledgment): ("sent", "yes", "receipt-unproven", "Acknowledgment (unsigned)"),
    (500, soap("Server")): ("sent", "yes", "soap-fault", "Server: no such thing"),
    (200, soap("Server")): ("sent", "yes", "soap-fault", "Server: no such thing"),
    (500, soap("Client")): ("dead", "yes", "soap-fault", "Client: no such thing"),
    (500, soap("Server", "HttpClient</")): ("sent", "yes", "soap-fault", "Server: HttpClient</"),
    (503, soap("Server")): ("waiting", "no", "http-temporary", ""),
    (500, page): ("waiting", "no", "http-temporary", ""),
    (598, nothing): ("waiting", "no", "http-temporary", ""),
    (404, page): ("waiting", "no", "http-not-there", ""),
    (308, nothing): ("waiting", "no", "http-redirect", ""),
    (403, page): ("dead", "yes", "http-permanent", ""),
    (200, page): ("sent", "yes", "unreadable-answer", ""),
    (205, nothing): ("sent", "yes", "handed-over", ""),
}


def test_what_is_not_proven_moves_nothing_and_stands_with_the_delivery(
    samhub_hub, samhub_partner, samhub_samples, answers
):
    """The status says whether it is tried again; the words say why."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    for (status, said), (state, reached, code, words) in UNPROVEN.items():
        answers.document = answering(status, said)
        message_id = epj.send(samhub_samples(receiver=partner))
        hub.until_tried(message_id)
        found, case = hub.delivery(message_id), (status, getattr(said, "__name__", said))
        assert (found.state, found.code, found.said) == (state, code, words), case
        assert hub.story(message_id).attempts[0].reached == reached, case
        told = hub.story(message_id).journal[-1].because
        assert words in told and "Testesen" not in told, case


@pytest.mark.parametrize("status", [200, 500])
def test_an_unsigned_refusal_slows_the_resends_and_is_the_last_cause(
    status, samhub_hub, samhub_partner, samhub_samples, answers
):
    """Handed over as often as agreed, twelve hours apart; the dead letter says what the partner said each time."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: {"retries": 2}})
    answers.document = answering(status, unsigned_error)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    for count in (2, 3, 4):
        assert 11.9 < (hub.delivery(message_id).next_at - hub.clock.now()).total_seconds() / 3600 < 14.5
        next_try(hub, message_id, count)

    dead = hub.until(message_id, "dead")

    assert dead.code == "retries-exhausted" and len(partner.received) == 3
    assert dead.because == (
        "handed over 3 times without a transport receipt; the agreement allows 2 retries; the partner said: "
        "SecurityFailure //eb:MessageHeader: Unauthorized Msg (unsigned)"
    )


def test_words_that_come_by_themselves_are_heard_too(samhub_hub, samhub_partner, samhub_samples, answers, log):
    """Unsigned, while the exchange said 503: no retry each minute any more, and the words stand in every list."""
    partner = samhub_partner(behaviour="unavailable")
    hub = samhub_hub([partner], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    partner.refuse(partner.received[0], signed=False)
    words = "SecurityFailure //eb:MessageHeader: simulated refusal (unsigned)"

    found = hub.delivery(message_id)
    assert (found.state, found.said, found.handed_over) == ("waiting", words, 0)
    assert hub.story(message_id).journal[-1].because.endswith(f"; the partner said: {words}")
    next_try(hub, message_id, 2)
    assert (hub.delivery(message_id).next_at - hub.clock.now()).total_seconds() > 11 * 3600
    assert log and "simulated refusal" not in str(log)  # words of others stand with the message, never in the log

    partner.behave("good")
    hub.clock.forward(hours=15)
    assert hub.until(message_id, "done").said == ""


def test_every_list_shows_what_the_partner_said(samhub_hub, samhub_partner, samhub_samples, answers):
    """trace, show, explain, delivery list and the dead letters, for people and as JSON."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: {"retries": 0}})
    answers.document = answering(200, unsigned_error)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    next_try(hub, message_id, 2)
    hub.until(message_id, "dead")
    words, config = "Unauthorized Msg (unsigned)", ["--config", str(hub.site.configuration)]

    def shown(*command: str) -> str:
        return " ".join(CliRunner().invoke(app, [*command, *config]).stdout.split())

    for what in ("trace", "show", "explain"):
        assert words in shown("message", what, message_id), what
        assert words in shown("message", what, message_id, "--json"), what
    for what in (["delivery", "list"], ["deadletter", "list"]):
        assert json.loads(shown(*what, "--json"))["said"].endswith(words)
        assert "Unauthorized" in shown(*what)


def test_a_resend_by_a_person_begins_anew(samhub_hub, samhub_partner, samhub_samples, answers):
    """Old words and old failures are forgotten: it goes out at once, and soon again where that fails."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector")
    answers.document = answering(500, soap("Client"))
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    dead = hub.until(message_id, "dead")
    assert dead.said == "Client: no such thing"
    answers.document = answering(503, nothing)

    hub.act(dead.id, "resend")
    hub.until_tried(message_id, 2)

    found = hub.delivery(message_id)
    assert (found.state, found.said, found.failures) == ("waiting", "", 1)
    assert (found.next_at - hub.clock.now()).total_seconds() < 25


# --- how long to wait


@pytest.mark.parametrize(("asked", "low", "high"), [("600", 590, 620), ("90000", 3_500, 3_700), ("1", 15, 25)])
def test_who_asks_to_be_left_alone_is_left_alone_for_at_most_an_hour(
    asked, low, high, samhub_hub, samhub_partner, samhub_samples, answers
):
    """RFC 9110 10.2.3; never sooner than we would have come anyway."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector")
    answers.document = answering(503, nothing, **{"Retry-After": asked})
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    assert low < (hub.delivery(message_id).next_at - hub.clock.now()).total_seconds() < high


@pytest.mark.parametrize(("status", "code"), [(404, "http-not-there"), (307, "http-redirect")])
def test_what_is_not_there_is_tried_as_agreed_and_then_ends_with_what_was_said(
    status, code, samhub_hub, samhub_partner, samhub_samples, answers
):
    """Servers that are moved or rolled out answer so, and it passes; nobody is told that it was sent."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: {"retries": 1}})
    epj = hub.epj(DOCTOR.her_id)
    answers.document = answering(status, nothing, Location="https://ny.example.no/ebxml?token=hemmelig")
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    found = hub.delivery(message_id)
    assert (found.state, found.code, found.handed_over) == ("waiting", code, 1)
    assert epj.told(message_id) == []
    next_try(hub, message_id, 2)
    next_try(hub, message_id, 3)

    dead = hub.until(message_id, "dead")
    assert dead.code == "retries-exhausted" and len(partner.received) == 2
    assert dead.because.startswith("tried 2 times without a transport receipt") and f"HTTP {status}" in dead.because
    if status == 307:
        assert "https://ny.example.no/ebxml" in dead.because and "hemmelig" not in dead.because


def test_what_is_there_again_is_delivered_and_then_told_as_sent(samhub_hub, samhub_partner, samhub_samples, answers):
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    answers.document = answering(404, page)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    answers.document = None

    next_try(hub, message_id, 2)

    assert hub.delivery(message_id).state == "sent"
    assert epj.told(message_id) == ["MessageSentStateUpdated"]
