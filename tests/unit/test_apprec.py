"""AppRec 1.0 and 1.1: written valid for every document there is, addressed back, and read in all that others write."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from hub.formats import apprec, apprec_write
from hub.formats.apprec import AppRec, AppRecError
from hub.formats.apprec_write import APPREC_ERRORS, APPREC_OID, original_id
from hub.formats.document import Address, Document, Ident, Named
from tests.official import Official
from tests.unit.documents import MSG_ID, made, read, root_of, valid_samples
from xsd.catalogue import Catalogue

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ID = "0e1f6a7c-2b1d-4a3e-9c55-000000000001"
CATALOGUE = Catalogue.load()
ERRORS = [
    AppRecError("T02", ""),
    AppRecError("X99", "2.16.578.1.12.4.1.1.8221", "Annen feil", 'linje 4: "<x>" & mer'),
]
VERSIONS = ("1.0", "1.1")


def written(original: Document, version: str, **more: object) -> bytes:
    given = {
        "apprec_id": ID,
        "now": NOW,
        "receiver": original.receiver,
        "role": "PRIM",
        "status": "1",
        "errors": (),
        "software": ("Samhandling Hub", "0.1.0"),
    }
    return apprec_write.write(original, version=version, **{**given, **more})  # type: ignore[arg-type]


def again(raw: bytes) -> AppRec:
    found = apprec.read(root_of(raw))
    assert found is not None
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["henvisning", "epikrise", "labsvar", "dialog-svar", "plo-innlagt"])
@pytest.mark.parametrize(("status", "errors"), [("1", []), ("2", ERRORS), ("3", ERRORS[:1])])
def test_it_is_valid_and_says_what_it_was_given(
    version: str, kind: str, status: str, errors: list[AppRecError]
) -> None:
    original = read(made(kind))
    raw = written(original, version, status=status, errors=errors)
    assert CATALOGUE.validate(etree.fromstring(raw)) == ()
    found = again(raw)
    assert (found.version, found.id, found.gen_date, found.status) == (version, ID, NOW, status)
    assert [(e.code, e.system, e.other_text) for e in found.errors] == [
        (e.code, APPREC_OID, e.other_text) for e in errors
    ]
    assert found.original_type == original.type_code
    assert found.original_issue_date == original.gen_date_text  # verbatim (HIS 80415 3.5)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_addressed_back_with_every_id_mirrored(version: str) -> None:
    """Sender of the AppRec is the receiver of the document, ids and further ids included (HITS 1168 11)."""
    original = read(made("dialog-svar"))
    found = again(written(original, version))
    assert found.receiver == original.sender and found.sender == original.receiver
    copy = again(written(original, version, receiver=original.copies[0], role="COP"))
    assert copy.sender == original.copies[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_further_ids_go_into_additional_ids(version: str) -> None:
    def named(name: str, *ids: tuple[str, str]) -> Named:
        return Named(name, tuple(Ident(value, kind) for kind, value in ids))

    address = Address(
        named("Solvik kommune", ("HER", "1"), ("ENH", "999000010"), ("XXX", "a")),
        named("Pleie & omsorg", ("HER", "2"), ("AVD", "b<")),
        named("Kun underskriver", ("HPR", "3")),
    )
    raw = written(read(made("epikrise")), version, receiver=address)
    assert CATALOGUE.validate(etree.fromstring(raw)) == ()
    found = again(raw).sender
    assert (found.organisation, found.unit, found.person) == (address.organisation, address.unit, None)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "address",
    [
        Address(person=Named("Kari Testesen", (Ident("3", "HER"), Ident("4", "HPR")))),
        Address(Named("Legesenter", (Ident("1", "HER"),)), person=Named("Kari Testesen", (Ident("3", "HER"),))),
        Address(Named("", ())),
        Address(),
    ],
)
def test_every_kind_of_receiver_can_answer(version: str, address: Address) -> None:
    raw = written(read(made("epikrise")), version, receiver=address)
    assert CATALOGUE.validate(etree.fromstring(raw)) == ()
    assert again(raw).sender.her_ids == address.her_ids


@pytest.mark.parametrize(
    ("kind", "version", "role", "sender", "receiver"),
    [
        ("henvisning", "1.1", "PRIM", "PRIM", "AVS"),
        ("henvisning", "1.1", "COP", "COP", "AVS"),
        ("henvisning", "1.0", "PRIM", "SPR", None),
        ("epikrise", "1.0", "PRIM", "REQ", None),
        ("labsvar", "1.0", "PRIM", "REQ", None),
        ("dialog-svar", "1.0", "PRIM", "SPR", None),
        ("labsvar", "1.0", "COP", "COP", None),
    ],
)
def test_roles_are_those_of_each_version(kind: str, version: str, role: str, sender: str, receiver: str | None) -> None:
    """HITS 1168 6.2."""
    root = etree.fromstring(written(read(made(kind)), version, role=role))
    found = [e.get("V") for e in (root.find("{*}Sender/{*}Role"), root.find("{*}Receiver/{*}Role")) if e is not None]
    assert found == [code for code in (sender, receiver) if code]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("henvisning", "{*}ServReq/{*}Id"),
        ("epikrise", "{*}ServRprt/{*}ServProvId"),
        ("labsvar", "{*}ServReport/{*}ServProvId"),
        ("dialog-svar", None),
        ("plo-innlagt", None),
    ],
)
def test_what_it_refers_to_depends_on_the_version(kind: str, path: str | None) -> None:
    """1.1: always MsgId. 1.0: the document's own id where there is no MsgHead (ebxml.md §7.4)."""
    raw = made(kind)
    own = etree.fromstring(raw).findtext(path) if path else MSG_ID
    assert again(written(read(raw), "1.1")).original_id == MSG_ID
    assert again(written(read(raw), "1.0")).original_id == own != ""


def test_without_a_document_id_the_msgid_must_do() -> None:
    bare = Document("bare", "", "", "Message", msg_id="m")
    assert original_id(bare, "1.0") == original_id(bare, "1.1") == "m"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", ["", "i går", "2026-13-45T00:00:00"])
def test_a_time_that_is_none_is_not_passed_on(version: str, text: str) -> None:
    """An AppRec must be valid also when it says that the document was not."""
    original = Document("bare", "", "", "Message", "HENVISNING", msg_id="m", gen_date_text=text)
    raw = written(original, version, status="2", errors=ERRORS)
    assert CATALOGUE.validate(etree.fromstring(raw)) == ()


@pytest.mark.parametrize("code", APPREC_ERRORS)
def test_every_error_of_list_8221_has_its_text(code: str) -> None:
    raw = written(read(made("epikrise")), "1.1", status="2", errors=[AppRecError(code, "")])
    (error,) = again(raw).errors
    assert (error.code, error.text) == (code, APPREC_ERRORS[code])


def test_an_apprec_for_every_official_sample_is_valid_by_the_official_schema(standards: Path) -> None:
    official, count = Official(standards), 0
    for shared in valid_samples(standards):
        original = read(shared.raw)
        if original.kind == "apprec":
            continue
        for version in VERSIONS:
            raw = written(original, version, status="2", errors=ERRORS, receiver=original.receiver)
            assert official.faults(etree.fromstring(raw)) == [], shared.name
            found = again(raw)
            assert (found.sender.her_id, found.receiver.her_id) == (original.receiver.her_id, original.sender.her_id)
            count += 1
    assert count == 2 * (367 + 230)


# --- reading what others write

RAW = (
    '<AppRec xmlns="http://www.kith.no/xmlstds/apprec/{ns}"><Id>i</Id><GenDate>2026-01-01T12:00:00</GenDate>{more}'
    '<OriginalMsgId><MsgType V="EPIKRISE"/><IssueDate>2026</IssueDate><Id> o </Id></OriginalMsgId></AppRec>'
)


def spoken(more: str, ns: str = "2012-02-15") -> AppRec:
    return again(RAW.format(more=more, ns=ns).encode())


def test_version_ids_and_times_are_read() -> None:
    found = spoken('<Status V="1"/>', "2004-11-21")
    assert (found.version, found.id, found.original_id, found.original_type) == ("1.0", "i", "o", "EPIKRISE")
    assert found.gen_date == datetime(2026, 1, 1, 11, tzinfo=UTC)  # Norwegian time


ERROR = '<Error V="E10" DN="Ugyldig meldingsidentifikator"/>'
#: V, DN and Errors of an AppRec, and the status that they say together; empty: only a person can tell.
SAID = [
    ('<Status V="1"/>', "1"),
    ('<Status V="1" DN="OK"/>', "1"),
    ('<Status V=" 1 " DN="Mottatt"/>', "1"),
    ('<Status V="1" DN="OK"/>' + ERROR, ""),
    ('<Status V="1" DN="Avvist"/>', ""),
    ('<Status V="1" DN="AVVIST"/>' + ERROR, ""),
    ('<Status V="1" DN="Rejected"/>', ""),
    ('<Status V="1" DN="OK, feil i delmelding"/>', ""),
    ('<Status V="2" DN="Avvist"/>' + ERROR, "2"),
    ('<Status V="2"/>' + ERROR, "2"),
    ('<Status V="2" DN="Avvist"/>', "2"),
    ('<Status V="2" DN="Feil i melding"/>' + ERROR, "2"),
    ('<Status V="2" DN="OK"/>', ""),
    ('<Status V="2" DN="OK"/>' + ERROR, ""),
    ('<Status V="3" DN="OK, feil i delmelding"/>' + ERROR, "3"),
    ('<Status V="3" DN="OK. Feil i delmelding"/>' + ERROR, "3"),
    ('<Status V="3"/>' + ERROR, "3"),
    ('<Status V="3"/>', ""),
    ('<Status V="3" DN="Avvist"/>' + ERROR, ""),
    ('<Status V="3" DN="Avvist"/>', ""),
    ('<Status V="4" DN="Avvist"/>' + ERROR, "2"),
    ('<Status V="Avvist" DN="Avvist"/>' + ERROR, "2"),
    ('<Status V="123"/>' + ERROR, "2"),
    ('<Status V="123"/>', ""),
    ('<Status V="123" DN="OK"/>', ""),
    ('<Status V="OK" DN="OK"/>', ""),
    ('<Status V="OK" DN="OK"/>' + ERROR, ""),
    ('<Status V="Avvist" DN="Avvist"/>', ""),
    ('<Status V="0" DN="OK, feil i delmelding"/>' + ERROR, ""),
    ('<Status V="" DN="OK"/>', ""),
    ('<Status DN="OK"/>', ""),
    ("", ""),
    (ERROR, "2"),
]


@pytest.mark.parametrize("ns", ["2004-11-21", "2012-02-15"])
@pytest.mark.parametrize(("more", "status"), SAID, ids=[f"{n:02}" for n in range(len(SAID))])
def test_what_speaks_against_itself_is_never_a_yes(more: str, status: str, ns: str) -> None:
    found = spoken(more, ns)
    assert found.status == status
    assert bool(found.doubt) == (status == "")


def test_a_yes_is_one_code_without_errors_and_without_other_words() -> None:
    """Of every code, word and number of Errors together, only V=1 without Errors, and no word against it, is a yes."""
    words = ("", "OK", "Avvist", "OK, feil i delmelding", "Mottatt", "Rejected", "avvist av mottaker")
    for code in ("", "0", "1", "2", "3", "4", "12", "01", "OK", "Avvist"):
        for word in words:
            for errors in range(3):
                found = spoken(f'<Status V="{code}" DN="{word}"/>' + ERROR * errors)
                assert (found.status == "1") == (code == "1" and not errors and word in ("", "OK", "Mottatt"))


@pytest.mark.parametrize(
    "written_error",
    [f'<Error V="E35" S="{APPREC_OID}" DN="d" OT="o"/>', f'<Error V="{APPREC_OID}" S="E35" DN="d" OT="o"/>'],
)
def test_code_and_system_are_told_apart_when_they_were_swapped(written_error: str) -> None:
    """Some big sender's applications did so for years (ebxml.md §7.4)."""
    (error,) = spoken('<Status V="2"/>' + written_error).errors
    assert error == AppRecError("E35", APPREC_OID, "d", "o")


def test_other_roots_are_no_apprec() -> None:
    assert apprec.read(root_of(made("epikrise"))) is None


def test_official_receipts_are_read(standards: Path) -> None:
    """NAV's own receipts have no unit and no HER-id of ours; what they refer to is enough (ebxml.md §10 items 51, 52)."""
    found = [(s.name, again(s.raw)) for s in valid_samples(standards) if s.kind.startswith("apprec")]
    assert len(found) == 12
    for name, receipt in found:
        assert receipt.original_id and receipt.original_type and receipt.id, name
        assert receipt.status == "1" or receipt.errors or receipt.doubt, name
