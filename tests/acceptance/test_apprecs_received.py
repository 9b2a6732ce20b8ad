"""Every shared AppRec comes home to the message that it answers, however its sender writes and sends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from ops.sector import SECTOR
from tests.official_index import rows

DOCTOR = SECTOR[1]
#: Sample → where the delivery stands then, with status of list 8258 and the first code; a status nobody knows is for a person.
SHAPES: dict[str, tuple[str, str, str]] = {
    "apprec-1.0/helsenorge/MetadataTests_Apprec10.xml": ("done", "1", ""),
    "apprec-1.0/ks-fiks/all-data.xml": ("done", "1", ""),
    "apprec-1.0/ks-fiks/example-avvist.xml": ("rejected", "2", "E21"),
    "apprec-1.0/ks-fiks/example-ok.xml": ("done", "1", ""),
    "apprec-1.0/sarepta-history/AppRec-v1-eksempel-avvist.xml": ("rejected", "2", "E30"),
    "apprec-1.0/sarepta-history/AppRec-v1-eksempel-ok.xml": ("done", "1", ""),
    "apprec-1.0/sarepta-history/AppRec-v1-eksempel-ok~2641dd.xml": ("done", "1", ""),
    "apprec-1.0/sarepta-history/AppRec-v1-eksempel-ok~29670b.xml": ("done", "1", ""),
    "apprec-1.0/sarepta/apprec-eksempel.xml": ("rejected", "3", "53"),
    "apprec-1.1/helsenorge/MetadataTests_Apprec11.xml": ("done", "1", ""),
    "apprec-1.1/ks-fiks/all-data.xml": ("done", "1", ""),
    "apprec-1.1/ks-fiks/unknown-status.xml": ("overdue", "", ""),
}
NO = "apprec-1.0/ks-fiks/example-avvist.xml"
each_shape = pytest.mark.parametrize("name", SHAPES)


def _read(standards: Path, name: str) -> tuple[bytes, str]:
    """The AppRec, and the id of what it answers."""
    raw = (standards / "samples" / name).read_bytes()
    return raw, etree.fromstring(raw).findtext("{*}OriginalMsgId/{*}Id") or ""


@pytest.fixture
def sent(samhub_hub, samhub_partner, samhub_samples):
    """Hands a referral over under a MsgId, or with a document id, and waits until the partner has acknowledged it."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")

    def send(msg_id: str = "", document_id: str = ""):
        referral = samhub_samples("henvisning", receiver=partner, msg_id=msg_id)
        written = etree.fromstring(referral.document).findtext("{*}ServReq/{*}Id") or ""
        body = referral.document.replace(written.encode(), (document_id or written).encode())
        message_id = hub.epj(DOCTOR.her_id).send(body, sender=DOCTOR.her_id)
        hub.until(message_id, "acknowledged")
        return message_id

    return hub, partner, send


def test_every_valid_shared_apprec_is_in_the_table(standards: Path) -> None:
    """None forgotten."""
    kept = (r.file.removeprefix("samples/") for r in rows(standards) if r.outcome == "valid")
    assert set(SHAPES) == {name for name in kept if name.startswith("apprec-")}


@each_shape
def test_an_apprec_comes_home_late_twice_and_under_an_ordinary_action(standards: Path, sent, name: str) -> None:
    """As NAV sends it (ebxml.md §1.8): known by its root, taken after 96 hours, settled and handed on once, as it came."""
    hub, partner, send = sent
    raw, original = _read(standards, name)
    epj, message_id = hub.epj(DOCTOR.her_id), send(original)
    hub.clock.forward(hours=97)
    hub.until(message_id, "overdue")
    ordinary = {"service": "ForesporselFraSaksbehandler", "action": "Svar"}

    answers = [partner.send(raw, DOCTOR.her_id, **ordinary) for _ in range(2)]

    assert [a.kind for a in answers] == ["acknowledgment"] * 2
    state, status, code = SHAPES[name]
    delivery = hub.until(message_id, state)
    assert (delivery.apprec_status, delivery.apprec_code) == (status, code)
    assert [h.document for h in epj.take()] == [raw]
    assert [e for e in hub.events(message_id) if e.startswith("apprec")] == [
        {"rejected": "apprec_negative", "overdue": "apprec_unclear"}.get(state, "apprec_ok")
    ]


@each_shape
def test_an_apprec_that_names_the_document_id_comes_home(standards: Path, sent, name: str) -> None:
    """AppRec 1.0 refers to ServReq/Id of a referral; looked for in both columns, since some write it in 1.1 too."""
    hub, partner, send = sent
    raw, original = _read(standards, name)
    message_id = send(document_id=original)

    partner.send(raw, DOCTOR.her_id)

    assert hub.until(message_id, SHAPES[name][0]).apprec_status == SHAPES[name][1]


@each_shape
def test_an_apprec_about_what_nobody_knows_is_handed_on_and_told(standards: Path, sent, name: str) -> None:
    """It may be another system's: acknowledged, journaled as unmatched, and it settles nothing."""
    hub, partner, send = sent
    raw, _ = _read(standards, name)
    message_id = send()

    answer = partner.send(raw, DOCTOR.her_id)

    assert answer.kind == "acknowledgment"
    assert "apprec_unmatched" in hub.events(answer.message_id)
    assert hub.delivery(message_id).state == "acknowledged"
    assert hub.epj(DOCTOR.her_id).take_one().document == raw


@pytest.mark.parametrize("swapped", [False, True], ids=["as it should be", "V and S swapped"])
def test_the_code_of_a_no_is_read_either_way(standards: Path, sent, swapped: bool) -> None:
    """NAV's applications have written the OID in V and the code in S (ebxml.md §7.4)."""
    hub, partner, send = sent
    raw, original = _read(standards, NO)
    right = b'V="E21" S="2.16.578.1.12.4.1.1.8221"'
    other = b'V="2.16.578.1.12.4.1.1.8221" S="E21"'
    raw = _ordered(raw, right)
    message_id = send(original)

    partner.send(raw.replace(right, other) if swapped else raw, DOCTOR.her_id)

    delivery = hub.until(message_id, "rejected")
    assert delivery.apprec_code == "E21" and "Mottaker finnes ikke" in delivery.because


def _ordered(raw: bytes, error: bytes) -> bytes:
    """The sample with the attributes of its Error in the order that is looked for."""
    root = etree.fromstring(raw)
    element = root.find("{*}Error")
    assert element is not None
    rest = {name: str(element.get(name)) for name in ("DN", "OT") if element.get(name)}
    values = dict(part.split("=") for part in error.decode().split(" "))
    element.attrib.clear()
    element.attrib.update({name: value.strip('"') for name, value in values.items()} | rest)
    written = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    assert error in written
    return written


def test_an_apprec_that_breaks_its_schema_settles_nothing(standards: Path, sent) -> None:
    """Kept and told, never answered, and the message goes on waiting."""
    hub, partner, send = sent
    message_id = send()
    raw, _ = _read(standards, "apprec-1.0/ks-fiks/unknown-migversion.xml")

    answer = partner.send(raw, DOCTOR.her_id)

    assert answer.kind == "acknowledgment"
    assert "refused" in hub.events(answer.message_id)
    assert hub.delivery(message_id).state == "acknowledged"
