"""What a sender wishes in the envelope: what can be written there, and how it is kept."""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from hub import wishes
from hub.formats import envelope_write
from hub.formats.envelope_write import SIGNAL_SERVICE, HeaderFields
from hub.message import Transport
from tests.official import Official

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TEXTS = [f.name for f in fields(Transport) if f.default == ""]
UUID = "6a5d5a3e-7b0c-4a38-9d4e-0b5f1f7a2c11"
FREE = [one for one in TEXTS if one not in ("conversation_id", "sender", "receiver")]


@pytest.mark.parametrize("own", TEXTS)
@pytest.mark.parametrize(
    "written", ["a\x00b", "a\nb", "a\tb", "\x7f", "\x85", "\u202e", "\ud800", "\ufffe", "x" * 501], ids=ascii
)
def test_what_no_envelope_can_hold_is_named(own: str, written: str) -> None:
    assert wishes.name(own) in dict(wishes.faults(replace(Transport(), **{own: written})))


@pytest.mark.parametrize(
    "written", ["1", f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID[:-1], f"{UUID}@x", UUID.replace("a", "g")]
)
def test_a_conversation_is_a_uuid(written: str) -> None:
    assert dict(wishes.faults(Transport(conversation_id=written))) == {"conversationId": "is no UUID"}
    assert not list(wishes.faults(Transport(conversation_id=UUID.upper())))


@pytest.mark.parametrize(
    "action", ["Ping", "pong", "Acknowledgment", "MessageError", "StatusRequest", "StatusResponse", "FAULT"]
)
def test_nobody_speaks_as_a_message_handler(action: str) -> None:
    """ebMS 2.0 3.1.4, 3.1.5: else a document would be taken for a receipt, by us and by its receiver."""
    assert [member for member, _ in wishes.faults(Transport(action=action))] == ["action"]
    assert [member for member, _ in wishes.faults(Transport(service=SIGNAL_SERVICE.upper()))] == ["service"]


@pytest.mark.parametrize("written", ["0", "-1", "12345678901", "\u0661", "1 2"], ids=ascii)
def test_a_party_is_a_her_id(written: str) -> None:
    told = [member for member, _ in wishes.faults(Transport(sender=written, receiver=written))]
    assert told == ["transportSenderHerId", "transportReceiverHerId"]


def test_names_are_those_of_edi_2() -> None:
    """A5 EbXmlInfo, A9.6."""
    assert [wishes.name(f.name) for f in fields(Transport)] == [
        *("cpaId", "conversationId", "service", "serviceType", "action", "senderRole", "receiverRole"),
        *("applicationName", "applicationVersion", "middlewareName", "middlewareVersion", "compressPayload"),
        *("useSenderLevel1HerId", "transportSenderHerId", "transportReceiverHerId"),
    ]


def test_what_is_kept_is_what_was_wished_and_every_envelope_is_valid(standards: Path) -> None:
    """Any letters: kept and read they are the same, and the envelope says them as they are."""
    official = Official(standards)
    dice, letters = random.Random(15), "aZ9 <>&\"'æøå\u4e00\U0001f600;=:/-_{}"
    for _ in range(300):
        told = {own: "v" + "".join(dice.choices(letters, k=dice.randint(1, 40))) for own in FREE}
        wished = wishes.tokens(Transport(**told, compress=dice.choice((None, True, False))))
        assert not list(wishes.faults(wished)) and wishes.read(wishes.written(wished)) == wished
        assert all(getattr(wished, own) == " ".join(told[own].split()) for own in FREE)
        header = HeaderFields(
            *("1", "2", wished.cpa_id, UUID, wished.service, wished.action, UUID, NOW),
            software=("Hub", "1"),
            application=(wished.application_name, wished.application_version),
            middleware=(wished.middleware_name, wished.middleware_version),
        )
        root = etree.fromstring(envelope_write.business(header, "c@x", ("", "")))
        assert official.faults(root) == []
        said = {etree.QName(e).localname: e.text or "" for e in root.iter(etree.Element)}
        assert (said["CPAId"], said["Service"], said["Action"]) == (wished.cpa_id, wished.service, wished.action)
        keys = ("MSH-system", "MSH-versjon", "fagsystem", "fagsystem-versjon", "mellomvare", "mellomvare-versjon")
        values = ("Hub", "1", *header.application, *header.middleware)
        assert json.loads(said["Description"]) == {k: v for k, v in zip(keys, values, strict=True) if v}
    assert wishes.written(Transport()) == "" and wishes.read("") == Transport()
