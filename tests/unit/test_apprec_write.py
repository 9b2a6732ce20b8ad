"""What an AppRec says, in both versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest
from lxml import etree

from hub.formats.apprec_write import write
from hub.formats.document import Address, Document, Ident, Named

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOSPITAL = Address(Named("Fjordby sykehus", (Ident("8000401", "HER"), Ident("999000045", "ENH"))))
DOCTOR = Address(Named("Solvik legesenter", (Ident("8000201", "HER"),)), Named("Lege", (Ident("8000202", "HER"),)))
LETTER = Document(
    "bare", "n", "n", "Message", type_code="EPIKRISE", msg_id="m", document_id="d", sender=HOSPITAL, receiver=DOCTOR
)


def _written(document: Document, version: Literal["1.0", "1.1"], role: str = "PRIM") -> etree._Element:
    more = {"apprec_id": "a", "now": AT, "receiver": document.receiver, "status": "1", "errors": ()}
    return etree.fromstring(write(document, version=version, role=role, software=("Hub", "1"), **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "role", "type_code", "said"),
    [
        ("1.1", "PRIM", "EPIKRISE", "PRIM"),
        ("1.1", "COP", "EPIKRISE", "COP"),
        ("1.0", "PRIM", "EPIKRISE", "REQ"),
        ("1.0", "PRIM", "SVAR_LAB", "REQ"),
        ("1.0", "PRIM", "HENVISNING", "SPR"),
        ("1.0", "PRIM", "REQ_LAB", "SPR"),
        ("1.0", "PRIM", "INNLEGGELSESRAPPORT", "SPR"),
        ("1.0", "COP", "EPIKRISE", "COP"),
    ],
)
def test_who_answers_has_the_role_of_the_version(version, role, type_code, said) -> None:
    """HITS 1168 6.2: in 1.0 a requester answers as REQ, a service provider as SPR."""
    root = _written(replace(LETTER, type_code=type_code), version, role)
    assert [e.get("V") for e in root.findall("{*}Sender/{*}Role")] == [said]


def test_a_date_that_nobody_could_read_is_not_repeated() -> None:
    """IssueDate must be a dateTime: what was no date is replaced by the time of the answer."""
    good = replace(LETTER, gen_date=AT, gen_date_text="2026-03-02T13:00:00")
    assert _written(good, "1.1").findtext("{*}OriginalMsgId/{*}IssueDate") == "2026-03-02T13:00:00"
    odd = replace(LETTER, gen_date=None, gen_date_text="i går")
    assert (_written(odd, "1.1").findtext("{*}OriginalMsgId/{*}IssueDate") or "").startswith("2026-03-02T1")
