"""Each of KITH's acceptance cases gets from this message handler what its criterion asks of one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from tests.acceptance.cases import Case, Expected, expected, found
from tests.acceptance.facts import BODIES
from tests.acceptance.hall import Happened

ROWS = expected()
each_case = pytest.mark.parametrize("row", ROWS, ids=[row.case for row in ROWS])


def test_every_official_case_of_the_listed_standards_has_its_row(standards: Path) -> None:
    """None forgotten, none named twice."""
    assert Counter(row.case for row in ROWS) == Counter(found(standards))


@each_case
def test_a_case_gets_the_reaction_that_its_row_says(happened: dict[str, Happened], row: Expected) -> None:
    """The receipts, how often the document was handed on, that it was handed on as it came, and who answered."""
    one = happened[row.case]
    assert one.reaction == row.reaction, [m.because for m in one.kept]
    assert {a.kind for a in one.answers} == {RECEIPTS.get(row.reaction, "acknowledgment")}
    assert [h.document == one.case.raw for h in one.handed] == ([True] if row.reaction == "OK" else [])
    answering = () if row.reaction in RECEIPTS else one.case.receivers
    assert sorted(a.by for a in one.apprecs) == sorted(answering)
    assert _remarks(one) >= _due(row, one.case)


RECEIPTS = {"MessageError": "error", "SOAP Fault": "fault"}


def _remarks(one: Happened) -> set[str]:
    """Rule and line, as the message tells them."""
    told = next((m.because.partition("remarks: ")[2] for m in one.kept), "")
    return {part.partition(" and ")[0] for part in told.split(", ") if part}


def _due(row: Expected, case: Case) -> set[str]:
    """The remark of the row, at the line of the document's sender or receiver."""
    if not row.remark:
        return set()
    rule, side = row.remark.split()
    root = etree.fromstring(case.raw)
    body = next((b for name in BODIES if (b := root.find(f"{{*}}{name}")) is not None), None)
    place = root.find(f"{{*}}MsgInfo/{{*}}{side.capitalize()}")
    if body is not None:
        names = BODIES[etree.QName(body).localname]
        place = body.find(f"{{*}}{names[0] if side == 'sender' else names[1]}")
    assert place is not None
    return {f"{rule} line {place.sourceline}"}


def test_every_no_says_why_in_norwegian(happened: dict[str, Happened]) -> None:
    """Code and list, its text, and in OT the element and what is wrong with it, for the one who must correct it."""
    noes = [a.root for one in happened.values() for a in one.apprecs if "Avvist" in one.reaction]
    assert noes
    for root in noes:
        [error] = root.findall("{*}Error")
        assert error.get("S") == "2.16.578.1.12.4.1.1.8221" and error.get("DN") in TEXTS.values()
        assert error.get("DN") == TEXTS[str(error.get("V"))]
        assert str(error.get("OT")).startswith("linje ")


TEXTS = {"T02": "Ikke gyldig i henhold til skjema", "E36": "Mangelfulle pasientopplysninger"}


def test_broken_xml_is_told_with_its_line_and_column(happened: dict[str, Happened]) -> None:
    """The sender reads where; the content is not repeated."""
    broken = [one for one in happened.values() if one.case.expected.reaction == "MessageError"]
    assert broken
    for one in broken:
        answer = one.answers[0].answer
        assert answer is not None
        [error] = answer.envelope.errors
        assert error.code == "OtherXml"
        assert "line " in error.text and "column " in error.text


def test_the_same_envelope_twice_gets_the_same_answer(happened: dict[str, Happened]) -> None:
    """Byte for byte (HIS 1037 6.2.1)."""
    again = [one for one in happened.values() if one.case.expected.sent == "twice"]
    assert again
    for one in again:
        assert len({answer.body for answer in one.answers}) == 1 and len(one.answers) == 2


def test_receiver_and_copy_receiver_answer_in_their_roles(happened: dict[str, Happened]) -> None:
    """The primary as PRIM (in 1.0 REQ or SPR), every copy as COP (HITS 1168 6.2)."""
    both = [one for one in happened.values() if one.case.expected.sent == "both"]
    copies = [one for one in happened.values() if one.case.expected.sent == "copy"]
    assert both and copies
    for one in both:
        assert sorted(_role(a.root) for a in one.apprecs)[0] == "COP"
        assert len({_role(a.root) for a in one.apprecs}) == 2
    assert {_role(a.root) for one in copies for a in one.apprecs} <= {"COP", "SPR"}
    named = [one for one in copies if one.case.document and one.case.document.receiver.her_ids]
    assert {_role(a.root) for one in named for a in one.apprecs} == {"COP"}


def _role(apprec: etree._Element) -> str:
    role = apprec.find("{*}Sender/{*}Role")
    return str(role.get("V")) if role is not None else ""


PAIRS = sorted(
    (row.case, row.case.replace("motsatt-rekkefølge-a", "motsatt-rekkefølge-b"))
    for row in ROWS
    if row.criterion == "motsatt-rekkefølge a"
)


@pytest.mark.parametrize("pair", PAIRS, ids=[first for first, _ in PAIRS])
def test_what_comes_before_its_original_is_handed_on_before_it(
    happened: dict[str, Happened], pair: tuple[str, str]
) -> None:
    """Neither is held back or refused for the other: the record system puts them in order."""
    first, second = (happened[name] for name in pair)
    assert first.round == second.round and first.place < second.place
    assert first.handed and second.handed
    assert first.kept[0].received_at < second.kept[0].received_at


CHANGES = [
    ("svarrapport-1.3/sarepta/Testcase-immunologi-20090908/case1-23.xml", "case1a.xml"),
    ("svarrapport-1.3/sarepta/Testcase-immunologi-20090908/case1-24.xml", "case1a.xml"),
    ("epikrise-1.1/sarepta/Case-mottak-epikrise1_1/Epikrise1-1-case1-15.xml", "Epikrise1-1-case 1.xml"),
]


@pytest.mark.parametrize(("change", "original"), CHANGES, ids=[change for change, _ in CHANGES])
def test_a_change_or_cancellation_is_kept_under_the_document_id_of_its_original(
    happened: dict[str, Happened], change: str, original: str
) -> None:
    """By it a record system, and an operator, find what it replaces (HISD 1154)."""
    later, earlier = happened[change], happened[f"{change.rpartition('/')[0]}/{original}"]
    assert later.kept[0].document_id == earlier.kept[0].document_id != ""
    assert later.kept[0].msg_id != earlier.kept[0].msg_id
