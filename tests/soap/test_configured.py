"""What a client said of its HER-ids by REST holds for who comes by SOAP, and what was turned away can be read there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from zeep.exceptions import Fault

from hub.message import Configuration
from tests.soap.stand import ENVELOPES, NURSES, Stand, Version
from tests.support.world import DOCTOR, NURSING

SENDER, RECEIVER = int(DOCTOR.her_id), int(NURSING.her_id)
PLACE = "{urn:samhandling-hub:epj:v1}HubFault"


@pytest.fixture(name="said")
def _said(stand: Stand) -> Iterator[Stand]:
    """A client of the nurses' record system has locked their HER-id, and wants no dialogues there but to be told."""
    facade, directory = stand.world.hub.systems, stand.world.hub.kit.directory
    system = directory.system(NURSES)
    assert system is not None
    client = replace(facade.at_its_place(system), client="first")
    wanted = Configuration(NURSING.her_id, locked=True, rejects=("DIALOG_HELSEFAGLIG",), refused_notices=True)
    stand.world.run(facade.configure(client, (wanted,)))
    yield stand
    stand.world.run(facade.unconfigure(client, [NURSING.her_id]))


@pytest.mark.parametrize("version", ENVELOPES)
def test_a_her_id_that_another_client_has_locked_is_locked_by_soap_too(said: Stand, version: Version) -> None:
    client = said.client(version, system=NURSES)
    calls = {
        "ListMessages": {"herId": [RECEIVER]},
        "GetEvents": {"herId": [RECEIVER], "afterOffset": 0},
        "ConfirmMessages": {"herId": RECEIVER, "messageId": ["0" * 8 + "-0000-4000-8000-" + "0" * 12]},
        "SubmitMessage": {"senderHerId": RECEIVER, "document": said.document(NURSING, DOCTOR).document},
    }
    for name, given in calls.items():
        with pytest.raises(Fault) as caught:
            getattr(client.service, name)(**given)
        told = client.get_element(PLACE).parse(caught.value.detail.find(f".//{PLACE}"), client.wsdl.types)
        assert (told.code, told.errorCode) == ("locked", 1210), name


@pytest.mark.parametrize("version", ENVELOPES)
def test_what_was_turned_away_is_an_event_that_a_strict_client_reads(said: Stand, version: Version) -> None:
    """Its sender is refused to its face; there is no message to name."""
    doctor, nurse = said.client(version), said.client(version, system=NURSES)
    with pytest.raises(Fault, match="DIALOG_HELSEFAGLIG"):
        doctor.service.SubmitMessage(senderHerId=SENDER, document=said.document().document)
    facade = said.world.hub.systems
    system = said.world.hub.kit.directory.system(NURSES)
    assert system is not None
    holder = replace(facade.at_its_place(system), client="first")
    said.world.run(facade.configure(holder, (Configuration(NURSING.her_id),)))
    told = [
        e
        for e in nurse.service.GetEvents(herId=[RECEIVER], afterOffset=0, max=1000).event
        if e.type == "RefusedMessage"
    ]
    assert told and told[-1].messageId is None and told[-1].triggeredByHerId == SENDER
