"""Every shared sample of the listed standards, sent by a partner: its verdict, its bytes, and its AppRec."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from hub.formats import apprec_write, xml
from hub.formats import document as documents
from hub.formats.apprec import AppRecError
from hub.formats.apprec_write import APPREC_ERRORS, APPREC_OID
from tests.acceptance import facts
from tests.acceptance.cases import Case, Expected
from tests.acceptance.conftest import quiet
from tests.acceptance.hall import Answered, Hall, Happened
from tests.official import Official
from tests.official_index import rows
from xsd.catalogue import Catalogue

SCHEMAS = Catalogue.load()


@pytest.fixture(scope="module")
def everything(happened: dict[str, Happened], samples: dict[str, Happened]) -> dict[str, Happened]:
    """The official cases and all other samples."""
    return {**happened, **samples}


@pytest.fixture(scope="module")
def official(standards: Path) -> Official:
    """The official schemas."""
    return Official(standards)


def test_every_other_sample_gets_what_the_official_schema_makes_of_it(samples: dict[str, Happened]) -> None:
    """Valid: handed on once and accepted, though content rules refuse; invalid: T02."""
    differing = {n: (s.reaction, s.case.expected.reaction) for n, s in samples.items() if _outcome(s) != _wanted(s)}
    assert samples and differing == {}


def _outcome(one: Happened) -> tuple[str, int, int]:
    return one.reaction, len(one.handed), len(one.apprecs)


def _wanted(one: Happened) -> tuple[str, int, int]:
    reaction = one.case.expected.reaction
    return reaction, int(reaction == "OK"), int(reaction != "MessageError")


def test_what_is_fetched_is_what_was_sent_byte_for_byte(everything: dict[str, Happened], standards: Path) -> None:
    """With and without declared encoding and byte order mark: sealed, opened, kept, and fetched over REST."""
    handed = {name: one for name, one in everything.items() if one.handed}
    assert [name for name, one in handed.items() if any(h.document != one.case.raw for h in one.handed)] == []
    encodings = {r.encoding for r in rows(standards) if r.file.removeprefix("samples/") in handed}
    assert encodings == {"UTF-8", "BOM+UTF-8", "none"}


def test_a_document_in_another_encoding_is_handed_on_as_it_is(hall: Hall, standards: Path) -> None:
    """No sample of these standards is in ISO-8859-1, so one is written in it; and the kjernejournal's own are."""
    sample = "dialogmelding-1.0/sarepta/Testcase-Dialogmeldingen/Case1.xml"
    text = (standards / "samples" / sample).read_text("utf-8-sig")
    latin = re.sub(r"^<\?xml.*?\?>", '<?xml version="1.0" encoding="ISO-8859-1"?>', text).encode("iso-8859-1")
    own = sorted((standards / "samples/kjernejournal-adm").rglob("Case 1 *.xml"))
    wanted = [Case(Expected(str(n), "", "", "OK", "", "", ""), raw) for n, raw in enumerate([latin, *_read(own)])]

    with quiet():
        played = hall.play(wanted)

    assert own and len(played) == 1 + len(own)
    for one in played.values():
        assert b'encoding="ISO-8859-1"' in one.case.raw or b"encoding='ISO-8859-1'" in one.case.raw
        with pytest.raises(UnicodeDecodeError):
            one.case.raw.decode("utf-8")
        assert (one.reaction, [h.document for h in one.handed]) == ("OK", [one.case.raw])


def _read(paths: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


# --- the AppRecs that the hub made


def answered(everything: dict[str, Happened]) -> list[tuple[Happened, Answered]]:
    """Every AppRec with what it answers."""
    return [(one, apprec) for one in everything.values() for apprec in one.apprecs]


def test_every_apprec_is_valid_by_the_official_schema_and_by_ours(
    everything: dict[str, Happened], official: Official
) -> None:
    """Positive and negative, 1.0 and 1.1."""
    broken = [
        (one.case.expected.case, faults)
        for one, apprec in answered(everything)
        if (faults := [*official.faults(apprec.root), *SCHEMAS.validate(apprec.root)])
    ]
    assert broken == []


def test_every_apprec_is_of_the_version_of_its_standard_and_names_what_it_answers(
    everything: dict[str, Happened],
) -> None:
    """HITS 1168 8.3; OriginalMsgId as each version wants it, with the type and the time as they were written."""
    differing = [
        (one.case.expected.case, said)
        for one, apprec in answered(everything)
        if (said := _original(apprec.root)) not in _repeated(one, said[1])
    ]
    assert differing == []


def _original(root: etree._Element) -> tuple[str, str, str, str]:
    original = root.find("{*}OriginalMsgId")
    assert original is not None
    kind = original.find("{*}MsgType")
    issued, id_ = original.findtext("{*}IssueDate") or "", original.findtext("{*}Id") or ""
    return str(etree.QName(root).namespace), str(kind.get("V")) if kind is not None else "", issued, id_


def _repeated(one: Happened, type_code: str) -> list[tuple[str, str, str, str]]:
    """What it should say; where the document writes no code of list 8279, any that begins rightly will do."""
    version, wanted = facts.APPREC[one.case.family], facts.of(one.case.raw, one.case.family)
    code = type_code if type_code.startswith(wanted.type_code) and wanted.partial else wanted.type_code
    return [(facts.NAMESPACES[version], code, wanted.issued, wanted.original_id(version))]


def test_every_apprec_mirrors_sender_and_receiver_with_all_their_numbers(everything: dict[str, Happened]) -> None:
    """The sender is the receiver that answers, additional ids included; where there are none, the envelope's HER-id."""
    differing = [one.case.expected.case for one, apprec in answered(everything) if not _mirrors(one, apprec)]
    assert differing == []


def _mirrors(one: Happened, apprec: Answered) -> bool:
    written = facts.of(one.case.raw, one.case.family)
    sender, receiver = facts.ids(apprec.root.find("{*}Sender")), facts.ids(apprec.root.find("{*}Receiver"))
    wanted = written.sender or frozenset({(one.case.sender, "HER")})
    possible = [r or frozenset({(apprec.by, "HER")}) for r in written.receivers] or [frozenset({(apprec.by, "HER")})]
    return receiver == wanted and sender in possible


def test_every_apprec_says_in_which_role_it_answers(everything: dict[str, Happened]) -> None:
    """1.1: PRIM or COP to AVS. 1.0: REQ who asked, SPR who serves, COP a copy (HITS 1168 6.2)."""
    roles: dict[str, set[tuple[str, str]]] = {}
    for one, apprec in answered(everything):
        said = tuple(_role(apprec.root, side) for side in ("Sender", "Receiver"))
        roles.setdefault(one.case.family, set()).add((said[0], said[1]))
    assert roles.keys() == facts.APPREC.keys()
    for family, said in roles.items():
        assert said <= ROLES[facts.APPREC[family], family.partition("-")[0] in ("epikrise", "svarrapport")], family


ROLES = {
    ("1.1", True): {("PRIM", "AVS"), ("COP", "AVS")},
    ("1.1", False): {("PRIM", "AVS"), ("COP", "AVS")},
    ("1.0", True): {("REQ", ""), ("COP", "")},
    ("1.0", False): {("SPR", ""), ("COP", "")},
}


def _role(root: etree._Element, side: str) -> str:
    role = root.find(f"{{*}}{side}/{{*}}Role")
    return str(role.get("V")) if role is not None else ""


def test_a_no_about_any_sample_is_valid_too(everything: dict[str, Happened], official: Official) -> None:
    """Of every code of list 8221 in turn, with its text, and words of our own in OT."""
    codes = sorted(APPREC_ERRORS)
    broken = []
    for number, one in enumerate(one for one in everything.values() if one.handed):
        root = _written_no(one, codes[number % len(codes)])
        [error] = root.findall("{*}Error")
        assert error.get("DN") == APPREC_ERRORS[str(error.get("V"))] and error.get("OT") == "«æ» & <ø>"
        if faults := [*official.faults(root), *SCHEMAS.validate(root)]:
            broken.append((one.case.expected.case, faults))
    assert broken == []


def _written_no(one: Happened, code: str) -> etree._Element:
    parsed = xml.parse(one.case.raw, xml.Bounds.for_document(len(one.case.raw)))
    assert not isinstance(parsed, xml.XmlFault)
    document = documents.read(parsed)
    body = apprec_write.write(
        document,
        version="1.1" if facts.APPREC[one.case.family] == "1.1" else "1.0",
        apprec_id=one.kept[0].id,
        now=one.kept[0].received_at,
        receiver=document.receiver,
        role="PRIM",
        status="2",
        errors=(AppRecError(code, APPREC_OID, "", "«æ» & <ø>"),),
        software=("Hub", "1"),
    )
    return etree.fromstring(body)
