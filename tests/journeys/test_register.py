"""The register is read anew while the hub runs: all or nothing; and what waits goes where it says now."""

from __future__ import annotations

import re

import pytest

from hub import commands
from hub.states import Move
from ops.partner.handles import Refused
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


@pytest.fixture
def down(samhub_partner):
    """A partner that is not reached."""
    return samhub_partner(behaviour="down")


@pytest.fixture
def silent(samhub_partner):
    """A partner that takes everything and says nothing."""
    return samhub_partner(behaviour="no-acknowledgment")


@pytest.fixture
def elsewhere(samhub_partner):
    """Where one of them moves to."""
    return samhub_partner()


class Files:
    """The register's files of one hub, and the running hub's answer when they are read anew."""

    def __init__(self, hub) -> None:
        self.hub, self.reloading = hub, hub.built.reloading
        self.parties = hub.built.configuration.registry.parties
        self.routes = hub.built.configuration.registry.routes

    def change(self, old: str, new: str) -> None:
        written = self.parties.read_text("utf-8")
        assert old in written
        self.parties.write_text(written.replace(old, new), "utf-8")

    def without(self, her_id: str) -> None:
        """The party is taken out."""
        rows = re.split(r"(?m)^(?=\[\[)", self.parties.read_text("utf-8"))
        kept = [row for row in rows if f'her_id = "{her_id}"' not in row]
        assert len(kept) == len(rows) - 1
        self.parties.write_text("".join(kept), "utf-8")

    def reload(self):
        """What the node says of itself afterwards."""
        self.hub.run(self.reloading.reload())
        return self.reloading.state


@pytest.fixture
def sent(samhub_hub, samhub_samples):
    """A running hub, its files, and a document that waits for a partner."""

    def begin(partner, *others, tries: int = 1):
        hub = samhub_hub([partner, *others], times="sector")
        message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
        hub.until_tried(message_id, tries)
        return hub, Files(hub), message_id

    return begin


def test_all_mistakes_are_told_and_nothing_changes(sent, down):
    """Two files are wrong: both are named, the node is red and runs on with what it had, until they are right."""
    hub, files, _ = sent(down)
    before = files.reloading.state.revision
    good = files.parties.read_text("utf-8")
    files.change(f'her_id = "{down.her_id}"', 'her_id = "no number"')
    files.routes.write_text("[[rule]]\nname = 1\n", "utf-8")
    red = files.reload()
    assert red.revision == before and len(red.faults) >= 2
    assert any("her_id" in fault for fault in red.faults) and any("routes.toml" in fault for fault in red.faults)
    assert hub.built.kit.directory.party(down.her_id) is not None
    files.parties.write_text(good, "utf-8")
    files.routes.unlink()
    again = files.reload()
    assert (again.revision, again.faults, again.changes) == (before, (), ())


def test_what_changed_is_told(sent, down, elsewhere):
    """Parties by their HER-ids and routes by their names; and journaled, with the revision."""
    hub, files, _ = sent(down, elsewhere)
    before = files.reloading.state.revision
    files.without(elsewhere.her_id)
    files.change(f'her_id = "{down.her_id}"', f'her_id = "{down.her_id}"\nretries = 2')
    files.routes.write_text('[[rule]]\nname = "night"\n', "utf-8")
    told = files.reload()
    assert told.changes == (
        f"parties: 1 removed ({elsewhere.her_id}); 1 changed ({down.her_id})",
        "routes: 1 added (night)",
    )
    assert told.revision != before
    entry = next(e for e in hub.run(hub.built.store.journal()) if e.event == "reloaded")
    assert entry.code == "reloaded" and told.revision in entry.because and entry.actor == told.node


def test_an_attempt_under_way_ends_with_what_it_began_with(sent, down, elsewhere):
    """Its kit is that of its beginning, whole; the next one's is the new one."""
    hub, files, _ = sent(down, elsewhere)
    began = hub.built.kit.present()
    files.without(elsewhere.her_id)
    files.reload()
    assert began.directory.party(elsewhere.her_id) is not None
    assert hub.built.kit.present().directory.party(elsewhere.her_id) is None
    assert hub.built.kit.directory.party(elsewhere.her_id) is None


def test_what_waits_for_a_partner_that_moved_goes_to_where_it_is(sent, down, elsewhere):
    """At once, without waiting for its next attempt; and the move stands in its journal."""
    hub, files, message_id = sent(down, elsewhere)
    files.change(down.url, elsewhere.url)
    files.reload()
    hub.until_tried(message_id, 2)
    assert hub.delivery(message_id).address == elsewhere.url
    assert len(elsewhere.received) == 1
    assert "moved" in [e.code for e in hub.story(message_id).journal]


def test_what_was_handed_over_goes_on_to_the_new_address_at_its_time_as_the_same_bytes(sent, silent, elsewhere):
    """HITS 1171 9.6: the same message, and no sooner than is agreed."""
    hub, files, message_id = sent(silent, elsewhere)
    due = hub.delivery(message_id).next_at
    files.change(silent.url, elsewhere.url)
    files.reload()
    assert hub.delivery(message_id).next_at == due and not elsewhere.received
    hub.clock.forward(seconds=(due - hub.clock.now()).total_seconds() + 1)
    hub.until_tried(message_id, 2)
    assert elsewhere.received[0].envelope.message_id == silent.received[0].envelope.message_id


def test_a_partner_that_is_taken_out_leaves_a_dead_letter_with_its_cause(sent, down):
    """Whose turn it is: ours; when the party is there again a resend takes it there."""
    hub, files, message_id = sent(down)
    good = files.parties.read_text("utf-8")
    files.without(down.her_id)
    files.reload()
    dead = hub.until(message_id, "dead")
    assert dead.code == "partner-gone" and down.her_id in dead.because
    files.parties.write_text(good, "utf-8")
    files.reload()
    hub.run(commands.act(dead.id, Move.RESEND, "somebody", "", hub.built.kit))
    assert hub.delivery(message_id).state == "waiting"


def test_what_was_never_handed_over_is_sealed_anew_for_a_new_certificate(sent, down, samhub_pki):
    """Under the same MessageId; its bytes are other ones."""
    hub, files, message_id = sent(down)
    before = hub.delivery(message_id)
    first = hub.run(hub.built.store.parcel(before.id))
    files.change("partner/encrypt.cert.pem", "sykehus/encrypt.cert.pem")
    files.reload()
    hub.clock.forward(seconds=(before.next_at - hub.clock.now()).total_seconds() + 1)
    hub.until_tried(message_id, 2)
    after = hub.delivery(message_id)
    second = hub.run(hub.built.store.parcel(before.id))
    assert after.eb_message_id == before.eb_message_id and after.sealed_by != before.sealed_by
    assert second.body != first.body
    assert "sealed-anew" in [e.code for e in hub.story(message_id).journal]


def test_what_was_handed_over_gets_a_new_messageid_when_its_certificate_is_gone(sent, silent):
    """HITS 1171 9.7: nobody could read it any more; a new envelope around the same document."""
    hub, files, message_id = sent(silent)
    before = hub.delivery(message_id)
    files.change("partner/encrypt.cert.pem", "sykehus/encrypt.cert.pem")
    files.reload()
    hub.clock.forward(seconds=(before.next_at - hub.clock.now()).total_seconds() + 1)
    hub.until_tried(message_id, 2)
    assert hub.delivery(message_id).eb_message_id != before.eb_message_id


def test_what_was_handed_over_stays_the_same_bytes_whatever_else_is_agreed(sent, silent):
    """Compressed from now on, and fewer retries: not what was sealed before (HITS 1171 9.6)."""
    hub, files, message_id = sent(silent)
    before = hub.delivery(message_id)
    files.change(f'her_id = "{silent.her_id}"', f'her_id = "{silent.her_id}"\ncompressed = true\nretries = 0')
    files.reload()
    hub.clock.forward(seconds=(before.next_at - hub.clock.now()).total_seconds() + 1)
    hub.until_tried(message_id, 2)
    assert silent.await_received(2)[1].body == silent.received[0].body
    assert hub.delivery(message_id).retries == before.retries


def test_handed_over_again_after_it_was_given_up_it_is_promised_anew(sent, down, samhub_samples):
    """Not a 202 that nobody keeps; and where a person has ended it, a clear no."""
    hub, files, _ = sent(down)
    epj, document = hub.epj(DOCTOR.her_id), samhub_samples(receiver=down)
    message_id = epj.send(document)
    hub.until_tried(message_id)
    good = files.parties.read_text("utf-8")
    files.without(down.her_id)
    files.reload()
    dead = hub.until(message_id, "dead")
    with pytest.raises(Refused) as unknown:
        epj.send(document)
    assert unknown.value.code == "receiver-unknown"
    files.parties.write_text(good, "utf-8")
    files.reload()
    assert epj.send(document) == message_id
    assert "resent" in [e.code for e in hub.story(message_id).journal]
    assert hub.delivery(message_id).state == "waiting"
    hub.act(dead.id, "discard")
    with pytest.raises(Refused) as refused:
        epj.send(document)
    assert (refused.value.status, refused.value.code) == (409, "given-up-before")


RULE = """
[[rule]]
name = "no answers to them"
because = "their answers go by paper"
match = { kind = "apprec", direction = "out" }
then = { action = "refuse" }
"""


def test_an_apprec_that_a_rule_refuses_is_a_dead_letter_that_can_be_sent_when_the_rule_is_gone(
    samhub_hub, samhub_partner, samhub_samples
):
    """Ours to answer: where there is no way, a person sees it, and whoever waits for it gets it when there is one."""
    partner = samhub_partner()
    hub = samhub_hub([partner], routes=RULE)
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    hub.epj(DOCTOR.her_id).take_one()
    [dead] = [d for d in hub.deliveries(states=("dead",)) if d.kind == "apprec"]
    assert (dead.code, dead.receiver) == ("refused-by-rule", partner.her_id) and "paper" in dead.because
    assert partner.received == []

    files = Files(hub)
    files.routes.unlink()
    assert files.reload().faults == ()
    hub.act(dead.id, "resend")

    [apprec] = partner.await_received(1)
    assert apprec.document.kind == "apprec"
