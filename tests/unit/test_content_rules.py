"""Every content rule: a good document keeps it, and the smallest spoilt one breaks it, at its place."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from hub.checks.content.chain import RULES
from hub.checks.content.rule import Finding, Subject, examine
from hub.formats import document as documents
from hub.formats import envelope as envelopes
from hub.formats import envelope_write
from hub.formats.envelope_write import HeaderFields
from ops.samples.make import KINDS, make
from ops.sector import SECTOR
from xsd.catalogue import Catalogue

SCHEMAS = Catalogue.load()
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOWN, DOCTOR, PHYSIO, SURGERY, LAB = SECTOR
MSG_ID = "3f6c1d2e-0000-4000-8000-00000000a001"


def _sample(kind: str, **more: Any) -> str:
    made = make(kind, sender=DOCTOR, receiver=SURGERY, gen_date=AT, msg_id=MSG_ID, **more)
    return made.document.decode()


def _examined(text: str, **more: Any) -> tuple[Finding, ...]:
    root = etree.fromstring(text.encode())
    document = documents.read(root)
    subject = Subject(root, document, SCHEMAS.find(document.namespace), AT, len(text.encode()))
    return examine(replace(subject, **more), RULES)


def _spoilt(kind: str, *changes: tuple[str, str], **more: Any) -> str:
    text = _sample(kind, **more)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_our_own_documents_keep_every_rule(kind: str) -> None:
    answers = kind == "dialog-svar"  # an answer in the sample set stands alone
    expected = ["SAM-02"] if answers else []
    assert [f.rule.id for f in _examined(_sample(kind))] == expected


DIALOG, REFERRAL, PLO = "dialog-helsefaglig", "henvisning", "plo-medisinske"
ATTACHMENT = {"attachment": True}
REF = "<ConversationRef><RefToParent>{}</RefToParent><RefToConversation>{}</RefToConversation></ConversationRef>"
#: rule, kind of document, what is changed in it, the element that is named.
BROKEN: list[tuple[str, str, list[tuple[str, str]], str, dict[str, Any]]] = [
    ("HODE-01", DIALOG, [(MSG_ID, "42")], "MsgId", {}),
    ("HODE-01", REFERRAL, [(MSG_ID, "42")], "MsgId", {}),
    ("HODE-01", DIALOG, [(f"<MsgId>{MSG_ID}</MsgId>", "")], "MsgInfo", {}),
    ("HODE-02", DIALOG, [("2026-03-02T13:00:00</GenDate>", "2026-03-09T13:00:00</GenDate>")], "GenDate", {}),
    ("HODE-03", DIALOG, [("v1.2 2006-05-24", "v1.1")], "MIGversion", {}),
    ("HODE-04", DIALOG, [('V="DIALOG_HELSEFAGLIG"', 'V="BREV"')], "Type", {}),
    ("HODE-05", PLO, [('V="MEDISINSKE_OPPLYSNINGER"', 'V="EPIKRISE"')], "Type", {}),
    ("HODE-05", REFERRAL, [('V="HENVISNING"', 'V="EPIKRISE"')], "Type", {}),
    ("HODE-07", DIALOG, [(f"{MSG_ID}</MsgId>", f'{MSG_ID}</MsgId><ProcessingStatus V="T"/>')], "ProcessingStatus", {}),
    ("SAM-01", DIALOG, [("<Sender>", f"{REF.format(MSG_ID, MSG_ID)}<Sender>")], "ConversationRef", {}),
    ("SAM-02", "dialog-svar", [], "MsgInfo", {}),
    ("SAM-03", DIALOG, [("<Sender>", f"{REF.format('a', '')}<Sender>")], "ConversationRef", {}),
    ("END-01", REFERRAL, [('<ServType V="N"', '<ServType V="A"')], "ServType", {}),
    ("END-02", PLO, [("<Forsendelsesstatus V=\"", "<Forsendelsesstatus V=\"M\" S=\"")], "Forsendelsesstatus", {}),
    ("ADR-03", DIALOG, [("<Id>8000202</Id>", "<Id></Id>")], "Sender", {}),
    ("ADR-04", DIALOG, [("<OrganisationName>Fjordby sykehus</OrganisationName>", "<OrganisationName/>")], "Receiver", {}),
    ("ADR-05", DIALOG, [("<Id>8000302</Id>", "<Id>8000402</Id>")], "OtherReceiver", {"copies": (PHYSIO,)}),
    ("ADR-06", DIALOG, [(".9051", ".9999")], "Ident", {}),
    ("ADR-07", DIALOG, [('<Id>8000201</Id><TypeId V="HER"', '<Id>123456789</Id><TypeId V="ENH"')], "MsgInfo", {}),
    ("PAS-01", PLO, [("<FamilyName>Testesen</FamilyName><GivenName>Prøve</GivenName>", "")], "Patient", {}),
    ("PAS-01", PLO, [("<Id>01815000036</Id>", "<Id>adhd</Id>")], "Patient", {}),
    ("PAS-01", REFERRAL, [("<OffId>01815000036</OffId>", ""), ('<Sex V="2" DN="Kvinne"/>', "")], "Patient", {}),
    ("PAS-02", PLO, [("<Id>01815000036</Id>", "<Id>01815000037</Id>")], "Ident", {}),
    ("VED-01", DIALOG, [("<MimeType>application/pdf</MimeType>", "")], "RefDoc", ATTACHMENT),
    ("VED-03", DIALOG, [("application/pdf", "text/xml")], "RefDoc", ATTACHMENT),
    ("VED-04", DIALOG, [("application/pdf", "application/msword")], "MimeType", ATTACHMENT),
    ("VED-06", DIALOG, [("<Description>Vedlegg</Description>", '<Description>V</Description><Compression V="GZ"/>')],
     "Compression", ATTACHMENT),
    ("KODE-01", DIALOG, [("<Sender>", '<RequestedPriority V="X"/><Sender>')], "RequestedPriority", {}),
    ("KODE-02", DIALOG, [('<MsgType V="A"', '<MsgType V="B"')], "MsgType", ATTACHMENT),
    ("KODE-03", DIALOG, [('<RoleReceiver V="COP"', '<RoleReceiver V="XXX"')], "RoleReceiver", {"copies": (PHYSIO,)}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "kind", "changes", "element", "more"), BROKEN, ids=[f"{b[0]}-{n}" for n, b in enumerate(BROKEN)]
)
def test_a_broken_rule_is_found_at_its_place(
    rule: str, kind: str, changes: list[tuple[str, str]], element: str, more: dict[str, Any]
) -> None:
    found = [f for f in _examined(_spoilt(kind, *changes, **more)) if f.rule.id == rule]
    assert found and found[0].element == element
    assert found[0].line >= 1 and found[0].text


def test_a_document_that_says_xml_must_hold_one() -> None:
    text = _sample(DIALOG)
    start, end = text.index("<Content>"), text.index("</Content>") + len("</Content>")
    assert "HODE-06" in [f.rule.id for f in _examined(text[:start] + text[end:])]


def test_an_attachment_must_hold_or_name_something() -> None:
    text = _sample(DIALOG, attachment=True)
    start, end = text.rindex("<Content>"), text.rindex("</Content>") + len("</Content>")
    assert "VED-02" in [f.rule.id for f in _examined(text[:start] + text[end:])]


def test_a_cancellation_names_what_it_cancels() -> None:
    text = _spoilt(REFERRAL, ('<ServType V="N"', '<ServType V="C"'))
    start, end = text.index("<Id>"), text.index("</Id>") + len("</Id>")
    assert "END-03" in [f.rule.id for f in _examined(text[:start] + text[end:])]
    assert "END-03" not in [f.rule.id for f in _examined(text)]


def test_a_document_larger_than_recommended_is_remarked() -> None:
    assert "VED-05" in [f.rule.id for f in _examined(_sample(DIALOG), size=20_000_000)]


def test_older_formats_may_have_any_msg_id() -> None:
    text = _spoilt(REFERRAL, (MSG_ID, "brev-42"), ("henvisning/2012-02-15", "henvisning/2005-07-08"))
    assert [f.rule.id for f in _examined(text) if f.rule.id.startswith("HODE-0")] == ["HODE-08"]


# --- what refuses, and what never does


def test_an_emergency_referral_is_never_refused_for_its_patient() -> None:
    missing = ("<OffId>01815000036</OffId>", ""), ('<Sex V="2" DN="Kvinne"/>', "")
    urgent = _spoilt(REFERRAL, *missing, ('<Priority V="3"', '<Priority V="0"'))
    assert "PAS-01" not in [f.rule.id for f in _examined(urgent)]


@pytest.mark.parametrize(
    "identified",
    [
        ("<Id>01815000036</Id>", "<Id>018150 00036</Id>"),
        ('V="FNR" DN="Fødselsnummer"', 'V="DNR" DN="D-nummer"'),
        ('V="FNR" DN="Fødselsnummer"', 'V="FHN" DN="Felles hjelpenummer"'),
        ("<GivenName>Prøve</GivenName>", ""),
    ],
)
def test_a_patient_with_a_name_and_a_number_is_identified(identified: tuple[str, str]) -> None:
    assert "PAS-01" not in [f.rule.id for f in _examined(_spoilt(PLO, identified))]


def test_a_patient_with_a_name_a_birth_date_and_a_sex_is_identified() -> None:
    text = _sample(PLO)
    start, end = text.index("<Ident><Id>01815000036"), text.index("</Ident></Patient>") + len("</Ident>")
    born = '<DateOfBirth>1950-01-01</DateOfBirth><Sex V="2" DN="Kvinne"/>'
    assert "PAS-01" in [f.rule.id for f in _examined(text[:start] + text[end:])]
    assert "PAS-01" not in [f.rule.id for f in _examined(text[:start] + born + text[end:])]


def test_a_patient_that_stands_in_a_dialogue_must_be_identified() -> None:
    """A dialogue need not be about a patient; one that names a patient must name a person."""
    text = _sample(DIALOG)
    start, end = text.index("<Patient>"), text.index("</Patient>") + len("</Patient>")
    empty = "<Patient><FamilyName/><GivenName/></Patient>"
    assert "PAS-01" not in [f.rule.id for f in _examined(text[:start] + text[end:])]
    assert "PAS-01" in [f.rule.id for f in _examined(text[:start] + empty + text[end:])]


def test_a_laboratory_answer_is_about_a_patient_an_animal_or_a_material() -> None:
    text = _sample("labsvar")
    start, end = text.index("<Patient>"), text.index("</Patient>") + len("</Patient>")
    [found] = [f for f in _examined(text[:start] + text[end:]) if f.rule.id == "PAS-01"]
    assert (found.element, found.about) == ("ServReport", "Patient is missing")
    for other in ("<Animal/>", "<Material/>"):
        assert "PAS-01" not in [f.rule.id for f in _examined(text[:start] + other + text[end:])]


def test_no_code_value_is_ever_a_reason_to_refuse() -> None:
    """HIS 80415 3.3.2."""
    lists = [r for r in RULES if r.id.startswith(("KODE", "KVIT", "HODE-04", "HODE-05", "END", "KONV"))]
    assert lists and all(r.severity == "warning" for r in lists)


# --- AppRec


APPREC = (
    '<AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"><MsgType V="APPREC"/><MIGversion>v1.1 2012-02-15'
    f"</MIGversion><GenDate>2026-03-02T13:00:00</GenDate><Id>{MSG_ID}</Id><Sender><HCP/></Sender><Receiver><HCP/></Receiver>"
    '{}<OriginalMsgId><MsgType V="EPIKRISE"/><IssueDate>2026-03-02T13:00:00</IssueDate><Id>x</Id></OriginalMsgId></AppRec>'
)
ERROR = '<Error V="{}" S="2.16.578.1.12.4.1.1.8221"/>'


@pytest.mark.parametrize(
    ("said", "rules"),
    [
        ('<Status V="1"/>', []),
        (f'<Status V="2"/>{ERROR.format("E10")}', []),
        ('<Status V="7"/>', ["KVIT-01"]),
        ('<Status V="2"/>', ["KVIT-02"]),
        (f'<Status V="1"/>{ERROR.format("E10")}', ["KVIT-02"]),
        (f'<Status V="2"/>{ERROR.format("Q1")}', ["KVIT-03"]),
        ('<Status V="2"/><Error V="2.16.578.1.12.4.1.1.8221" S="E10"/>', ["KVIT-04"]),
    ],
)
def test_an_apprec_says_one_thing(said: str, rules: list[str]) -> None:
    assert [f.rule.id for f in _examined(APPREC.format(said))] == rules


# --- against the envelope


def _envelope(action: str = "HENVISNING", schema: tuple[str, str] = ("", "")) -> Any:
    header = HeaderFields(
        from_her=DOCTOR.her_id,
        to_her=SURGERY.her_id,
        cpa_id="8000202_8000402",
        conversation_id=MSG_ID,
        service=f"S-{action}",
        action=action,
        message_id=MSG_ID,
        timestamp=AT,
    )
    return envelopes.read(etree.fromstring(envelope_write.business(header, "payload", schema)))


def test_sender_and_receiver_are_those_of_the_envelope() -> None:
    same = {"envelope": _envelope(), "from_her": DOCTOR.her_id, "to_her": SURGERY.her_id}
    assert not [f for f in _examined(_sample(REFERRAL), **same) if f.rule.id.startswith("ADR-0")]
    for her, rule, element in (("from_her", "ADR-01", "Requester"), ("to_her", "ADR-02", "ServProvider")):
        other = {**same, her: "8999999"}
        found = [f for f in _examined(_sample(REFERRAL), **other) if f.rule.id.startswith("ADR-0")]
        assert [(f.rule.id, f.rule.severity, f.element) for f in found] == [(rule, "error", element)]


def test_a_copy_receiver_is_a_receiver() -> None:
    same = {"envelope": _envelope(), "from_her": DOCTOR.her_id, "to_her": PHYSIO.her_id}
    assert "ADR-02" not in [f.rule.id for f in _examined(_sample(REFERRAL, copies=(PHYSIO,)), **same)]


def test_a_receiver_without_a_her_id_may_be_the_one_in_the_envelope() -> None:
    """Older formats name receivers by other numbers; then nobody can say that the envelope's To is not among them."""
    to = {"envelope": _envelope(), "from_her": DOCTOR.her_id, "to_her": SURGERY.her_id}
    numbers = [("<Id>8000401</Id>", "<Id>999000045</Id>"), ("<Id>8000402</Id>", "<Id>12</Id>")]
    changes = [(f'{old}<TypeId V="HER"', f'{new}<TypeId V="ENH"') for old, new in numbers]
    text = _spoilt(REFERRAL, *changes, copies=(PHYSIO,))
    assert "ADR-02" not in [f.rule.id for f in _examined(text, **to)]


@pytest.mark.parametrize(
    ("schema", "about"),
    [
        (("http://www.kith.no/xmlstds/henvisning/2012-02-15", "1.1"), None),
        (("http://www.kith.no/xmlstds/henvisning/2005-07-08", "1.0"), "namespace"),
        (("http://www.kith.no/xmlstds/henvisning/2012-02-15", "1.0"), "version"),
    ],
)
def test_what_the_envelope_says_of_the_schema_is_compared(schema: tuple[str, str], about: str | None) -> None:
    given = {"envelope": _envelope(schema=schema), "from_her": DOCTOR.her_id, "to_her": SURGERY.her_id}
    found = [f.about for f in _examined(_sample(REFERRAL), **given) if f.rule.id == "KONV-01"]
    assert found == ([about] if about else [])


def test_the_action_is_that_of_the_type() -> None:
    given = {"from_her": DOCTOR.her_id, "to_her": SURGERY.her_id}
    assert "KONV-02" in [f.rule.id for f in _examined(_sample(REFERRAL), envelope=_envelope("EPIKRISE"), **given)]
    assert "KONV-02" not in [f.rule.id for f in _examined(_sample(REFERRAL), envelope=_envelope(), **given)]


def test_every_rule_is_broken_by_some_test() -> None:
    here = Path(__file__).read_text("utf-8")
    assert not [rule.id for rule in RULES if rule.id not in here]


@pytest.mark.parametrize("between", [" ", "\t", "\n", "\u00a0", "\u2009", "\u200b", "."], ids=ascii)
@pytest.mark.parametrize("kind", [DIALOG, REFERRAL])
def test_blanks_in_numbers_break_no_rule(kind: str, between: str) -> None:
    """The patient is identified, and the check digits are those of the number that everybody sees."""
    text = _sample(kind)
    number = next(n for n in re.findall(r"\b\d{11}\b", text))
    spaced = text.replace(number, number[:6] + between + number[6:]).replace(
        DOCTOR.her_id, f"{DOCTOR.her_id[:3]}{between}{DOCTOR.her_id[3:]}"
    )
    assert [f.rule.id for f in _examined(spaced)] == [f.rule.id for f in _examined(text)]
