"""Functions of the bus in CPAs and CPPs: every real one is read, in older files by action and in newer ones by process."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.formats import bus_functions, cpa, xml
from hub.formats.bus_functions import binding, functions, kind
from hub.formats.cpa import Binding, Channel, CollaborationRole, Cpa, CpaFault, CpaParty, Profile
from hub.formats.queues import QueueKind

APPREC, EKONTAKT = "APPREC", "DIALOG_INNBYGGER_EKONTAKT"


def read(path: Path) -> Cpa | Profile | CpaFault:
    root = xml.parse(path.read_bytes(), xml.Bounds.for_document(5_000_000))
    assert not isinstance(root, xml.XmlFault), root
    return cpa.read_profile(root) if root.tag == cpa.PROFILE else cpa.read(root)


def profile(path: Path) -> Profile:
    found = read(path)
    assert isinstance(found, Profile), found
    return found


def test_every_real_profile_is_read(standards: Path) -> None:
    count = 0
    for path in sorted((standards / "cpa").glob("helsenorge*/CPP_*.xml")):
        if path.name == "CPP_94867.xml":  # an empty answer of the register, under the same name
            found = read(path)
            assert isinstance(found, CpaFault) and found.text
            continue
        count += 1
        found = profile(path)
        assert found.cpp_id == "db5342ce-2e56-47b6-b4dc-054969f96f6f"  # all of them: only the HER-id tells them apart
        assert len(found.party.her_ids) == 1 and len(found.party.certificates) == 2
        known = functions(found.party, sending=False)
        assert {EKONTAKT, APPREC, "DIALOG_INNBYGGER_TIMERESERVASJON"} <= known
    assert count == 7


def test_what_a_party_only_gets_receipts_for_it_cannot_receive(standards: Path) -> None:
    template = profile(standards / "cpa/sarepta/AMQP-mal-sender.xml").party
    assert binding(template, "DIALOG_INNBYGGER_AVTALEUTSENDING", sending=True) is not None
    assert binding(template, "DIALOG_INNBYGGER_AVTALEUTSENDING", sending=False) is None
    assert "DIALOG_INNBYGGER_AVTALEUTSENDING" in functions(template, sending=True) - functions(template, sending=False)


@pytest.mark.parametrize("name", ["CppTemplate.xml", "CPP-NHN-PartyA-Rubbelogbit_v6.xml", "nav_cpp.046.xml"])
def test_profiles_for_http_and_mail_have_no_functions_of_the_bus(standards: Path, name: str) -> None:
    party = profile(standards / "cpa/sarepta" / name).party
    assert sum(len(role.can_send) for role in party.roles) > 10
    assert functions(party, sending=True) == functions(party, sending=False) == frozenset()


def test_every_function_that_is_listed_is_found(standards: Path) -> None:
    for name in ("AMQP-mal-sender.xml", "AMQP-mal-reciever.xml"):
        party = profile(standards / "cpa/sarepta" / name).party
        for sending in (True, False):
            known = functions(party, sending=sending)
            assert len(known) > 25 and all(binding(party, function, sending=sending) for function in known)


def test_in_older_files_the_action_is_the_function_in_newer_ones_a_verb(standards: Path) -> None:
    """nhn-amqp.md §4.1 step 1, §5.2: the process has the function's name, in any case."""
    template = profile(standards / "cpa/sarepta/AMQP-mal-sender.xml").party
    send, receive = functions(template, sending=True), functions(template, sending=False)
    assert {"FORESPORSEL", "DIALOG_INNBYGGER_MELDINGSFORMIDLING"} <= send | receive
    verb = binding(template, "DIALOG_INNBYGGER_BEHANDLEROVERSIKT", sending=True)
    assert verb is not None and verb.action != verb.action.upper()
    older = binding(template, "dialog_innbygger_ekontakt", sending=True)
    assert older is not None and older.action.upper() == EKONTAKT


def test_a_receipt_is_found_by_its_action_alone(standards: Path) -> None:
    party = profile(standards / "cpa/helsenorge/CPP_Rest_93238.xml").party
    for spelt in ("APPREC", "Apprec"):
        found = binding(party, spelt, sending=False)
        assert found is not None and found.action.upper() == APPREC
    assert binding(party, "DIALOG_HELSEFAGLIG", sending=False) is None
    assert binding(party, "", sending=False) is None


def test_sync_or_async_is_seen_in_the_channel(standards: Path) -> None:
    found = read(standards / "cpa/helsenorge/CPA_93253.xml")
    assert isinstance(found, Cpa)
    [doctor] = [p for p in found.parties if p.is_her("93253")]
    kinds = {f: kind(b) for f in functions(doctor, sending=False) if (b := binding(doctor, f, sending=False))}
    assert {f for f, k in kinds.items() if k is QueueKind.SYNC} == {"DIALOG_INNBYGGER_TEST"}
    assert len(kinds) == 8
    template = profile(standards / "cpa/sarepta/AMQP-mal-sender.xml").party
    asked = binding(template, "DIALOG_INNBYGGER_BEHANDLEROVERSIKT", sending=False)
    assert asked is not None and kind(asked) is QueueKind.SYNC and asked.action == "Hent"


def over(channel: Channel) -> Binding:
    return Binding("A", None, (channel,))


@pytest.mark.parametrize(
    ("channel", "meant"),
    [
        (Channel("c", endpoints=("h/EX/1_sync",), protocol="AMQP"), "sync"),
        (Channel("AMQPSync_c", endpoints=("h/EX/1_async",), protocol="AMQP"), "async"),
        (Channel("AMQPSync_c", endpoints=("sync:fqdn/namespace/queue_name",), protocol="AMQP"), "sync"),
        (Channel("asyncAMQPChannelC1", protocol="AMQP"), "async"),
        (Channel("syncAMQPChannelC2", protocol="AMQP"), "sync"),
        (Channel("c", protocol="AMQP"), "async"),
    ],
)
def test_a_queue_says_more_than_the_name_of_its_channel(channel: Channel, meant: str) -> None:
    assert bus_functions.kind(over(channel)) == meant


def test_what_is_agreed_over_another_transport_is_not_agreed_for_the_bus() -> None:
    http = Channel("c", endpoints=("https://h/",), protocol="HTTP")
    role = CollaborationRole("P", "1", "u", "r", "S", b"", (), (over(http),))
    party = CpaParty("n", (("HER", "1"),), (role,), None)
    assert functions(party, sending=False) == frozenset() and binding(party, "P", sending=False) is None
