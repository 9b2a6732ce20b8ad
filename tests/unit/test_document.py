"""What is read of a business document: type, ids, times and addresses, of every standard and every official sample."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from hub.formats import document
from hub.formats.document import Address, Document, Ident, Named
from ops.samples.make import KINDS
from ops.sector import SECTOR
from tests.unit.documents import AT, MSG_ID, holder, made, numbers, read, root_of, said, step, valid_samples

NURSING, DOCTOR, PHYSIO = SECTOR[:3]


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_samples_are_read_as_they_were_made(kind: str) -> None:
    found = read(made(kind))
    assert found.type_code == KINDS[kind].type_code
    assert (found.msg_id, found.gen_date) == (MSG_ID, AT)
    assert (found.sender.her_ids, found.sender.her_id) == (
        (NURSING.organisation_her_id, NURSING.her_id),
        NURSING.her_id,
    )
    assert found.receiver.her_ids == (DOCTOR.organisation_her_id, DOCTOR.her_id)
    assert [copy.her_id for copy in found.copies] == [PHYSIO.her_id]
    assert found.has_patient and found.kind == ("bare" if KINDS[kind].whole else "msghead")
    assert (found.document_id != "") == (found.kind == "bare")


def test_attachments_and_urgency_are_seen() -> None:
    found = read(made("dialog-svar", attachment=True, urgent=True))
    assert (found.attachments, found.priority) == (1, "H")
    assert read(made("dialog-svar")).attachments == 0


def test_every_valid_official_sample_is_read(standards: Path) -> None:
    """Sender, receiver, copies, ids, time and type, against a second reader in plain XPath."""
    seen: dict[str, int] = {}
    for shared in valid_samples(standards):
        root = root_of(shared.raw)
        found, inside = document.read(root), holder(root)
        seen[found.kind] = seen.get(found.kind, 0) + 1
        assert found.kind != "other", shared.name
        head = inside if found.kind == "msghead" else root
        assert found.msg_id == said(head, "Id" if found.kind == "apprec" else "MsgId") != "", shared.name
        assert found.gen_date_text == (said(head, "GenDate") or said(head, "GenDate/@V")), shared.name
        assert found.gen_date is not None, shared.name
        for address, side in ((found.sender, 0), (found.receiver, 1)):
            _same_ids(address, numbers(root, side), shared.name)
        names = "count({})".format(step("OtherReceiver" if found.kind == "msghead" else "CopyDest"))
        assert len(found.copies) <= inside.xpath(names), shared.name
        assert found.type_code, shared.name
    assert seen == {"msghead": 367, "bare": 230, "apprec": 12}


def _same_ids(address: Address, there: set[tuple[str, str]], name: str) -> None:
    """All that we read is there, and every HER-id that is there is read, but for persons below a unit."""
    parts = [p for p in (address.organisation, address.unit, address.person) if p is not None]
    ours = {(i.type, i.value) for part in parts for i in part.idents}
    assert ours <= there, name
    her = {value.replace(".", "").replace(" ", "").lstrip("0") for kind, value in there if kind == "HER"}
    assert {h for h in (part.her_id for part in parts) if h} <= her, name
    assert bool(her) <= bool(address.her_ids), f"{name}: a HER-id stands there and none is read"


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("epikrise", {"EPIKRISE"}),
        ("henvisning-1", {"HENVISNING"}),
        ("rekvisisjon-1.5", {"REQ_CYT", "REQ_HIST", "REQ_LAB", "REQ_MBIO", "REQ_RTG"}),
        ("svarrapport-1.3", {"SVAR_CYT", "SVAR_HIST", "SVAR_LAB", "SVAR_MBIO", "SVAR_RTG"}),
    ],
)
def test_old_formats_get_their_code_of_list_8279(standards: Path, kind: str, codes: set[str]) -> None:
    """From a letter and a discipline (HITS 1209 3.1)."""
    assert {read(s.raw).type_code for s in valid_samples(standards) if s.kind.startswith(kind)} == codes


def test_newer_formats_say_their_code_themselves(standards: Path) -> None:
    for shared in valid_samples(standards):
        if shared.kind.endswith(("-1.6", "-1.4", "-2.0")) or shared.kind.startswith("dialog"):
            root = root_of(shared.raw)
            head = holder(root) if document.read(root).kind == "msghead" else root
            assert document.read(root).type_code == said(head, "Type/@V"), shared.name


# --- by hand, what samples do not show

HEAD = (
    '<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo><Type V="DIALOG_SVAR" DN="Svar"/>'
    "<MIGversion>v1.2 2006-05-24</MIGversion><GenDate>{at}</GenDate><MsgId> {id} </MsgId>{more}"
    "<Sender><Organisation>{sender}</Organisation></Sender><Receiver><Organisation>{receiver}</Organisation></Receiver>"
    "{others}</MsgInfo>{documents}</MsgHead>"
)


def head(**given: str) -> Document:
    empty = dict.fromkeys(("id", "more", "sender", "receiver", "others", "documents"), "")
    return read(HEAD.format(**{**empty, "at": "2026-07-01T12:00:00", **given}).encode())


def ident(value: str, kind: str = "HER") -> str:
    return f'<Ident><Id>{value}</Id><TypeId V="{kind}"/></Ident>'


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-07-01T12:00:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("2026-01-01T12:00:00", datetime(2026, 1, 1, 11, tzinfo=UTC)),
        ("2026-07-01T12:00:00Z", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-07-01T12:00:00.1234567+02:00", datetime(2026, 7, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("1. juli 2026", None),
    ],
)
def test_a_time_without_offset_is_norwegian(text: str, at: datetime | None) -> None:
    """Summer and winter (HIS 1037 6.2.1); as written it is kept for the AppRec."""
    found = head(at=text)
    assert (found.gen_date, found.gen_date_text) == (at, text)


def test_the_conversation_is_read() -> None:
    ref = "<ConversationRef><RefToParent>p</RefToParent><RefToConversation>c</RefToConversation></ConversationRef>"
    assert head(more=ref).conversation_ref == ("p", "c")


def test_processing_status_tells_test_traffic() -> None:
    assert head(more='<ProcessingStatus V="D" DN="Debugging"/>').processing_status == "D"


@pytest.mark.parametrize(
    ("written", "her_ids"),
    [
        (ident("1"), ("1",)),
        (ident("1") + f"<Organisation>{ident('2')}</Organisation>", ("1", "2")),
        (ident("1") + f"<HealthcareProfessional>{ident('3')}</HealthcareProfessional>", ("1", "3")),
        (
            ident("1")
            + f"<Organisation>{ident('2')}<HealthcareProfessional>{ident('3')}</HealthcareProfessional></Organisation>",
            ("1", "2"),
        ),
        (
            ident("1")
            + f"<Organisation>{ident('9', 'RSH')}<HealthcareProfessional>{ident('3')}</HealthcareProfessional></Organisation>",
            ("1", "3"),
        ),
        (ident("900", "ENH") + ident("1"), ("1",)),
        (ident("900", "ENH"), ()),
        (ident("1") + f"<Organisation>{ident('1')}</Organisation>", ("1",)),
        ("", ()),
    ],
)
def test_the_communication_party_is_level_two_where_there_is_one(written: str, her_ids: tuple[str, ...]) -> None:
    """HIS 1153 AD2.2–2.8; a person below a unit with a HER-id is only the signer."""
    found = head(sender=written)
    assert found.sender.her_ids == her_ids
    assert found.sender.her_id == (her_ids[-1] if her_ids else "")


@pytest.mark.parametrize(
    ("written", "number"), [("8 000 102", "8000102"), ("8000.102", "8000102"), ("0056", "56"), ("HER-1", ""), ("½", "")]
)
def test_a_her_id_is_a_plain_number_however_it_is_written(written: str, number: str) -> None:
    assert Named("x", (Ident(written, "HER"),)).her_id == number


def test_copies_to_patients_are_no_addresses_of_ours() -> None:
    others = (
        f"<OtherReceiver><Organisation>{ident('5')}</Organisation></OtherReceiver>"
        f"<OtherReceiver><Patient>{ident('x', 'FNR')}</Patient></OtherReceiver>"
        f"<OtherReceiver><HealthcareProfessional>{ident('6')}</HealthcareProfessional></OtherReceiver>"
    )
    assert [copy.her_id for copy in head(others=others).copies] == ["5", "6"]


@pytest.mark.parametrize("longer", ["", "x" * 5_000])
def test_a_sender_seen_before_is_told_from_one_that_differs_deep_inside(longer: str) -> None:
    """Addresses are remembered by their whole XML, those of unusual length not at all."""
    organisation = f"<OrganisationName>A{longer}</OrganisationName>{ident('1')}<Organisation>{{}}</Organisation>"
    seen = [head(sender=organisation.format(ident(her))).sender.her_ids for her in ("2", "3", "2")]
    assert seen == [("1", "2"), ("1", "3"), ("1", "2")]


def test_the_standard_is_that_of_the_first_content() -> None:
    content = '<Document><RefDoc><Content><{n}:x xmlns:{n}="urn:{n}"/></Content></RefDoc></Document>'
    found = head(documents=content.format(n="a") + content.format(n="b"))
    assert (found.namespace, found.root_namespace, found.attachments) == ("urn:a", document.MSGHEAD, 1)
    reported = f"<PatientReport><CaseNo>1</CaseNo>{content.format(n='c')}</PatientReport>"
    assert head(documents=reported).namespace == "urn:c"
    assert head().namespace == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"<a/>",
        b'<Message xmlns="urn:x"/>',
        b'<AppRec xmlns="urn:x"/>',
        b'<MsgHead xmlns="urn:x"/>',
        b'<MsgHeads xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"/>',
    ],
)
def test_what_we_cannot_carry_is_other(raw: bytes) -> None:
    assert read(raw).kind == "other"


@pytest.mark.parametrize(
    "raw",
    [
        b'<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"/>',
        b'<AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"/>',
        b'<Message xmlns="http://www.kith.no/xmlstds/henvisning/2012-02-15"><ServReq/></Message>',
    ],
)
def test_an_empty_document_is_read_without_a_fault(raw: bytes) -> None:
    found = read(raw)
    assert found.kind != "other" and (found.msg_id, found.gen_date, found.sender) == ("", None, Address())


def test_no_piece_of_a_document_missing_makes_it_raise() -> None:
    """Every element of every sample of ours taken out in turn."""
    for kind in ("henvisning", "dialog-svar"):
        count = len(list(root_of(made(kind)).iter()))
        for number in range(1, count):
            root = root_of(made(kind))
            element = list(root.iter())[number]
            parent = element.getparent()
            assert parent is not None
            parent.remove(element)
            document.read(root)


def test_names_and_numbers_stay_out_of_what_is_printed() -> None:
    found = read(made("epikrise"))
    assert NURSING.name.split(",")[0] not in repr(found) and NURSING.her_id not in repr(found)


def test_an_apprec_says_which_type_it_answers(standards: Path) -> None:
    raw = (standards / "samples/apprec-1.1/helsenorge/MetadataTests_Apprec11.xml").read_bytes()
    found = read(raw)
    assert (found.kind, found.type_code, found.status) == ("apprec", "APPREC", "DIALOG_HELSEFAGLIG")
    assert (found.sender.her_ids, found.receiver.her_ids) == (("56704", "258521"), ("59", "90998"))


@pytest.mark.parametrize(
    ("found", "original", "wanted"),
    [
        (
            Document("bare", "", "", "", "HENVISNING"),
            None,
            ("S-HENVISNING", "HENVISNING", "HENVISNINGsender", "HENVISNINGreceiver"),
        ),
        (
            Document("apprec", "", "", "", "APPREC"),
            "SVAR_LAB",
            ("S-SVAR_LAB", "APPREC", "SVAR_LABreceiver", "SVAR_LABsender"),
        ),
        (
            Document("apprec", "", "", "", "APPREC", status="EPIKRISE"),
            None,
            ("S-EPIKRISE", "APPREC", "EPIKRISEreceiver", "EPIKRISEsender"),
        ),
    ],
)
def test_service_action_and_roles_follow_the_vocabulary(
    found: Document, original: str | None, wanted: tuple[str, str, str, str]
) -> None:
    """HITS 1209 3: mirrored roles on an AppRec."""
    assert document.service_action_role(found, original) == wanted


def test_a_comment_does_not_cut_an_id_short() -> None:
    assert (
        read(
            made("epikrise").replace(MSG_ID[:8].encode(), MSG_ID[:4].encode() + b"<!-- -->" + MSG_ID[4:8].encode())
        ).msg_id
        == MSG_ID
    )


def test_reading_changes_nothing() -> None:
    root = root_of(made("labsvar"))
    before = etree.tostring(root)
    document.read(root)
    assert etree.tostring(root) == before
