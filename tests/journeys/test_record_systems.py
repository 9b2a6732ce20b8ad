"""What a record system is told: the whole truth, and as it asks for it; the same facade stands behind every door."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from hub.digest import sha256
from hub.message import Channel
from hub.record_systems.values import AppRecStatus, Fault, Order, Refused
from ops.sector import SECTOR
from tests.soap.stand import envelope
from tests.support import asgi
from tests.support.certificates import self_signed

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]
OID = "2.16.578.1.12.4.1.1.8221"
#: Two errors as a receiver may write them: with words of its own, which may be about a person.
ERRORS = (
    f'<Status V="2" DN="Avvist"/><Error V="E35" S="{OID}" DN="Pasienten finnes ikke" OT="Hemmelig Hansen, flyttet"/>'
    f'<Error V="X99" S="{OID}" DN="Annen feil" OT="ring oss"/>'
)


def _rejected(partner: Any, received: Any) -> bytes:
    """The partner's AppRec about a message, with two errors."""
    good = partner.apprec_about(received).decode()
    return re.sub(r"<Status [^>]*/>", ERRORS, good).encode()


def test_every_error_of_an_apprec_is_told_as_the_receiver_wrote_it(samhub_hub, samhub_partner, samhub_samples, log):
    """Code, list, description and details of each, and the AppRec's own id; none of its words in journal or log."""
    hospital = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=hospital))
    hub.until(message_id, "acknowledged")

    hospital.send(_rejected(hospital, hospital.received[-1]), DOCTOR.her_id)
    hub.until(message_id, "rejected")

    [told] = epj.status(message_id)
    own = told["apprecInfo"].pop("appRecId")
    assert told["apprecInfo"] == {
        "appRecStatus": "Rejected",
        "appRecErrorList": [
            {
                "errorCode": "E35",
                "oid": OID,
                "description": "Pasienten finnes ikke",
                "details": "Hemmelig Hansen, flyttet",
            },
            {"errorCode": "X99", "oid": OID, "description": "Annen feil", "details": "ring oss"},
        ],
    }
    assert epj.call("GET", f"/messages/{own}")[1]["isAppRec"] is True
    story = hub.story(message_id)
    said = [story.deliveries[0].because, *(entry.because for entry in story.journal), *map(str, log)]
    assert "E35" in story.deliveries[0].because and "X99" in story.deliveries[0].because
    assert [words for words in said if "Hansen" in words or "ring oss" in words] == []


def test_sent_is_said_when_something_has_left(samhub_hub, samhub_partner, samhub_samples):
    """Given up without ever having been handed over: not sent. Given up after it was: sent."""
    down, mute = samhub_partner(behaviour="down"), samhub_partner(behaviour="no-acknowledgment")
    late = {"hub": {"apprec_deadline_hours": 300}}  # else one may be overdue before it is given up
    hub = samhub_hub([down, mute], manners={mute.her_id: {"retries": 0}}, settings=late)
    epj = hub.epj(DOCTOR.her_id)
    never = epj.send(samhub_samples(receiver=down))
    once = epj.send(samhub_samples(receiver=mute))
    hub.until_tried(never)
    hub.until(once, "sent")

    hub.clock.forward(hours=97)
    hub.built.worker.wake()
    for message_id in (never, once):
        hub.until(message_id, "dead")

    assert [(e["transportDeliveryState"], e["sent"]) for e in epj.status(never)] == [("Abandoned", False)]
    assert [(e["transportDeliveryState"], e["sent"]) for e in epj.status(once)] == [("Abandoned", True)]


# --- who may what, whatever the door


@pytest.fixture(name="facade")
def _facade(samhub_hub):
    """A hub with two record systems, spoken to without a door."""
    return _Facade(samhub_hub(local=[DOCTOR, PHYSIO], apprec="system"))


class _Facade:
    def __init__(self, hub: Any) -> None:
        self.hub, self.facade = hub, hub.built.systems
        directory = hub.built.kit.directory
        self.doctor, self.physio = (
            self.facade.at_its_place(directory.system(directory.party(one.her_id).system)) for one in (DOCTOR, PHYSIO)
        )

    def submit(self, document: bytes, caller: Any = None, **order: Any) -> Any:
        return self.hub.run(self.facade.submit(caller or self.doctor, Order(document, "rest", **order)))

    def refusal(self, work: Any) -> Any:
        with pytest.raises(Refused) as caught:
            self.hub.run(work)
        return caught.value.said


def test_a_local_message_from_end_to_end(facade, samhub_samples):
    """Submitted, listed, fetched, confirmed, answered; each side is told, and a duplicate says that it is one."""
    f, sample = facade, samhub_samples(sender=DOCTOR, receiver=PHYSIO)
    said = f.submit(sample.document)
    again = f.submit(sample.document)

    assert (said.decided, said.duplicate, said.business_document_id) == ("taken", False, sample.msg_id)
    assert (again.decided, again.duplicate, again.message_id) == ("taken", True, said.message_id)
    assert again.business_document_id == sample.msg_id
    listing = f.hub.run(f.facade.unread(f.physio, [PHYSIO.her_id], 10))
    assert [one.record.id for one in listing.messages] == [said.message_id] and not listing.more
    assert f.hub.run(f.facade.document(f.physio, said.message_id.upper())) == sample.document
    done = f.hub.run(f.facade.confirm(f.physio, PHYSIO.her_id, [said.message_id, "0" * 32, said.message_id]))
    assert done.count == 2 and [(one, said.code) for one, said in done.refused] == [("0" * 32, "not-found")]
    assert f.hub.run(f.facade.unread(f.physio, [PHYSIO.her_id], 10)).messages == ()
    faults = (Fault("E35", details="gjelder en annen"), Fault("VA1", "8222"))
    made = f.hub.run(f.facade.answer(f.physio, PHYSIO.her_id, said.message_id, AppRecStatus.REJECTED, faults))
    [told] = f.hub.run(f.facade.status(f.doctor, said.message_id)).receivers
    assert told.apprec is not None and told.apprec.message_id == made.message_id
    assert [(one.code, one.details) for one in told.apprec.faults] == [("E35", "gjelder en annen"), ("VA1", "")]
    assert "gjelder" not in told.because


def test_more_says_that_others_stand_behind(facade, samhub_samples):
    """Lists and events alike; the oldest come first."""
    f = facade
    sent = [f.submit(samhub_samples(sender=DOCTOR, receiver=PHYSIO).document).message_id for _ in range(3)]
    listing = f.hub.run(f.facade.unread(f.physio, [PHYSIO.her_id], 2))
    assert [one.record.id for one in listing.messages] == sent[:2] and listing.more
    events = f.hub.run(f.facade.events(f.physio, [PHYSIO.her_id], 0, 2))
    assert [one.message_id for one in events.events] == sent[:2] and events.more
    rest = f.hub.run(f.facade.events(f.physio, [PHYSIO.her_id], events.events[-1].offset, 2))
    assert [one.message_id for one in rest.events] == sent[2:] and not rest.more


def test_another_systems_messages_are_nobodys_business(facade, samhub_samples):
    """Every verb, for a caller that is neither sender nor receiver: the same refusal, and nothing moves."""
    f = facade
    own = f.submit(samhub_samples(sender=DOCTOR, receiver=DOCTOR).document).message_id
    before = f.hub.story(own)
    verbs = {
        "status": f.facade.status(f.physio, own),
        "message": f.facade.message(f.physio, own),
        "document": f.facade.document(f.physio, own),
        "answer": f.facade.answer(f.physio, PHYSIO.her_id, own, AppRecStatus.OK),
    }
    assert {name: f.refusal(work).code for name, work in verbs.items()} == dict.fromkeys(verbs, "not-concerned")
    foreign = {
        "unread": f.facade.unread(f.physio, [PHYSIO.her_id, DOCTOR.her_id], 10),
        "events": f.facade.events(f.physio, [DOCTOR.her_id], 0, 10),
        "confirm": f.facade.confirm(f.physio, DOCTOR.her_id, [own]),
        "answer for another": f.facade.answer(f.physio, DOCTOR.her_id, own, AppRecStatus.OK),
    }
    assert {n: f.refusal(w).code for n, w in foreign.items()} == dict.fromkeys(foreign, "not-your-party")
    assert [s.code for _, s in f.hub.run(f.facade.confirm(f.physio, PHYSIO.her_id, [own])).refused] == [
        "not-a-receiver"
    ]
    said = f.submit(samhub_samples(sender=DOCTOR, receiver=PHYSIO).document, f.physio, sender=DOCTOR.her_id)
    assert (said.decided, said.code) == ("refused", "not-your-party")
    assert f.hub.story(own).deliveries == before.deliveries


@pytest.mark.parametrize(
    ("status", "faults", "code"),
    [
        (AppRecStatus.OK, [Fault("E35")], "apprec-status"),
        (AppRecStatus.REJECTED, [], "apprec-status"),
        (AppRecStatus.PARTLY, [Fault("E35")], "apprec-status"),
        (AppRecStatus.REJECTED, [Fault("ZZZ")], "apprec-code"),
        (AppRecStatus.REJECTED, [Fault("e35")], "apprec-code"),
        (AppRecStatus.REJECTED, [Fault("E35"), Fault("")], "apprec-code"),
        (AppRecStatus.REJECTED, [Fault("E35", "1.2.3")], "apprec-code"),
    ],
)
def test_an_apprec_that_would_tell_its_receiver_nothing_is_refused(facade, samhub_samples, status, faults, code):
    """HIS 80415: OK has no Error, Avvist has one, and its code is one of the list; nothing is sent."""
    f = facade
    own = f.submit(samhub_samples(sender=DOCTOR, receiver=PHYSIO).document).message_id
    assert f.refusal(f.facade.answer(f.physio, PHYSIO.her_id, own, status, faults)).code == code
    assert f.hub.run(f.facade.answer(f.physio, PHYSIO.her_id, own, AppRecStatus.OK)).message_id


def test_who_answers_first_is_said(samhub_hub, samhub_samples):
    """Where the hub answers what is fetched, the refusal names the setting that would let the record system."""
    f = _Facade(samhub_hub(local=[DOCTOR, PHYSIO], apprec="hub"))
    own = f.submit(samhub_samples(sender=DOCTOR, receiver=PHYSIO).document).message_id
    f.hub.run(f.facade.fetched(f.physio, PHYSIO.her_id, own))
    said = f.refusal(f.facade.answer(f.physio, PHYSIO.her_id, own, AppRecStatus.OK))
    assert said.code == "apprec-twice" and 'apprec = "system"' in said.because


# --- mistakes of a document


def test_all_mistakes_of_a_document_are_told_at_once(facade, samhub_samples):
    """Each with line, column, rule and what to do, in both languages; so a developer mends them in one go."""
    document = samhub_samples(sender=DOCTOR, receiver=PHYSIO).document
    spoilt = re.sub(rb"<MIGversion>.*?</MIGversion>", b"", document).replace(b"<Ssn>", b"<Tull>")
    spoilt = re.sub(rb"<MsgId>[^<]*</MsgId>", b"<MsgId>12</MsgId><Tull/>", spoilt)
    said = facade.submit(spoilt)
    assert said.decided == "refused" and len(said.places) >= 2
    assert all(one.line > 0 and one.column > 0 and one.rule for one in said.places)
    for one in said.places:
        english, norwegian = one.words("en"), one.words("nb")
        assert all(english) and all(norwegian) and english[0] != norwegian[0]


@pytest.mark.parametrize(
    ("asked", "spoken"), [("nb-NO,nb;q=0.9,en;q=0.5", "nb"), ("en", "en"), ("de", "en"), ("", "en")]
)
def test_a_door_speaks_the_language_that_is_asked_for(samhub_hub, asked, spoken):
    """RFC 9110 12.5.4; places, reason and hint."""
    hub = samhub_hub(local=[DOCTOR])
    body = {"senderHerId": int(DOCTOR.her_id), "businessDocument": base64.b64encode(b"<MsgHead>\n <x>").decode()}
    status, told = hub.epj(DOCTOR.her_id).call("POST", "/messages", json=body, headers={"Accept-Language": asked})
    assert status == 400 and told["code"] == "document-malformed"
    place = told["places"][0]
    words = {"nb": "velformet", "en": "well-formed"}
    assert words[spoken] in place["text"] and place["line"] == 2 and place["hint"] and told["hint"]
    assert told["validationErrors"][0].startswith(f"{'linje' if spoken == 'nb' else 'line'} 2:")


# --- requests


def test_each_request_has_an_id_in_answer_header_and_log(samhub_hub, log, monkeypatch):
    """Who calls support reads it out; the log has a line with it."""
    hub = samhub_hub(local=[DOCTOR])

    async def broken(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(hub.built.systems, "status", broken)
    reply = hub.run(asgi.call(hub.built.app, "GET", "/api/v3/messages/x/status", key_of(hub), b""))

    told = json.loads(reply.body)
    assert told["code"] == "unforeseen" and told["requestId"] == reply.headers["x-request-id"]
    assert "RuntimeError" not in reply.body.decode()
    [line] = [one for one in log if one["event"] == "unforeseen"]
    assert line["kind"] == "RuntimeError" and "foresaw this" not in str(line)


def key_of(hub: Any) -> dict[str, str]:
    """The header that shows the doctor's record system."""
    return {"X-API-Key": hub.site.keys[hub.built.kit.directory.party(DOCTOR.her_id).system]}


def test_what_nobody_foresaw_is_kept_and_said_without_its_words(facade, samhub_samples, monkeypatch):
    """At this door as at every other: in quarantine, answered as our own fault."""
    from hub import submission

    def broken(*_: object) -> None:
        raise ValueError("Hansen")

    monkeypatch.setattr(submission, "_judged", broken)
    said = facade.submit(samhub_samples(sender=DOCTOR, receiver=PHYSIO).document)
    assert (said.decided, said.code) == ("ours", "unforeseen") and "Hansen" not in said.because


def test_a_system_that_fetches_answers_by_itself_unless_told_otherwise():
    """Whoever calls /apprec has own opinions; a folder office has none."""
    from adapters.register.file import SystemRow, system_of

    by_channel = {
        channel: system_of(SystemRow(id="x", her_ids=["1"], channel=channel, folder=folder), None, []).apprec
        for channel, folder in (("mailbox", None), ("queue", None))
    }
    assert by_channel == {Channel.MAILBOX: "system", Channel.QUEUE: "hub"}


# --- a client certificate that the site's proxy has verified


def test_a_certificate_from_the_sites_proxy_stands_for_the_key(samhub_hub):
    """By REST and by SOAP; an API key that is shown goes before it, and nobody else is believed."""
    der = self_signed()
    hub = samhub_hub(
        local=[DOCTOR, PHYSIO],
        settings={"http": {"proxies": ["127.0.0.1"], "certificate_header": "X-Client-Cert"}},
    )
    parties = hub.site.folder / "parties.toml"
    given = f'id = "{DOCTOR.system}"'
    parties.write_text(parties.read_text().replace(given, f'{given}\ncertificates_sha256 = ["{sha256(der).upper()}"]'))
    hub.restart()
    shown = {"X-Client-Cert": base64.b64encode(der).decode()}

    def called(path: str, method: str, headers: dict[str, str], body: bytes = b"", client: str = "127.0.0.1") -> Any:
        return hub.run(asgi.call(hub.built.app, method, path, headers, body, client=client))

    query = "/api/v3/messages/00000000-0000-0000-0000-000000000000/status"
    assert called(query, "GET", shown).json()["code"] == "not-found"
    assert called(query, "GET", shown, client="10.9.8.7").status == 401
    assert called(query, "GET", shown | {"X-API-Key": "feil"}).status == 401
    assert called(query, "GET", {"X-Client-Cert": base64.b64encode(self_signed()).decode()}).status == 401
    ping = envelope("<h:Ping/>")
    kind = {"Content-Type": "text/xml"}
    assert f"<h:system>{DOCTOR.system}</h:system>".encode() in called("/soap/v1", "POST", shown | kind, ping).body
    assert called("/soap/v1", "POST", shown | kind, ping, client="10.9.8.7").status == 401
