"""The register of reasons: complete, used, and of help to the person who meets a row at night."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import codes
from hub.codes import REASONS, Reason
from hub.formats.apprec_write import APPREC_ERRORS
from hub.states import NEEDS_A_PERSON

REPO = Path(__file__).resolve().parents[2]
#: Calls that name a code, and where among their arguments it stands.
NAMED = {
    "Refuse": 0,
    "Retry": 0,
    "Hold": 0,
    "Duplicate": 0,
    "GiveUp": 0,
    "reason": 0,
    "NotAllowed": 0,
    "Outcome": 1,
    "_nothing": 0,
}
KEYWORDS = {"code", "fault"}
#: errorCodes of HIS 1037 7.2.4, and the two words that mean: no ErrorList.
EBMS = {
    "ValueNotRecognized",
    "NotSupported",
    "Inconsistent",
    "OtherXml",
    "DeliveryFailure",
    "TimeToLiveExpired",
    "SecurityFailure",
    "MimeProblem",
    "Unknown",
    "Fault",
    "",
}


def source() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("hub", "routing", "adapters", "ops"):
        for path in sorted((REPO / package).rglob("*.py")):
            yield path, ast.parse(path.read_text("utf-8"))


def named_codes() -> Iterator[tuple[str, str]]:
    """(code, where) for every code that a verdict, an outcome or a refusal is made of in so many words."""
    for path, tree in source():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            at = NAMED.get(name)
            given = [node.args[at]] if at is not None and len(node.args) > at else []
            if name in NAMED or name in ("Agreement", "Answer", "replace"):
                given += [k.value for k in node.keywords if k.arg in KEYWORDS]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    yield value.value, f"{path.relative_to(REPO)}:{value.lineno}"


def test_every_code_that_is_used_is_in_the_register() -> None:
    found = list(named_codes())
    assert len(found) > 50
    assert [f"{code} at {where}" for code, where in found if code not in REASONS] == []


def test_every_row_is_used_somewhere() -> None:
    words: set[str] = set()
    for path, tree in source():
        if path.name == "codes.py":
            maps = (codes.SIGNATURE, codes.CERTIFICATE, codes.CMS, codes.SEAL, codes.EBMS, codes.RECEIPT)
            words.update(code for table in maps for code in table.values())
        else:
            words.update(n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    assert set(REASONS) - words == set()


@pytest.mark.parametrize("table", ["SIGNATURE", "CERTIFICATE", "CMS", "SEAL", "EBMS", "RECEIPT"])
def test_the_tables_of_other_words_lead_to_rows(table: str) -> None:
    assert set(getattr(codes, table).values()) <= set(REASONS)


@pytest.mark.parametrize("row", REASONS.values(), ids=lambda r: r.code)
def test_a_row_says_what_whose_and_what_to_do(row: Reason) -> None:
    assert row.code == row.code.lower() and row.text
    assert row.text[0].islower() or row.text.startswith(("AppRec", "MsgId"))
    assert row.blame in ("sender", "receiver", "us", "network", "nobody")
    assert row.ebms in EBMS
    assert row.apprec in {*APPREC_ERRORS, ""}
    assert 200 <= row.http < 600
    assert not row.hint or row.hint.endswith(".")


def test_a_fault_of_ours_always_says_what_to_do() -> None:
    assert [row.code for row in REASONS.values() if row.blame == "us" and not row.hint] == []


def test_what_a_person_must_act_on_has_a_hint() -> None:
    """States that ask for a person are entered under these codes (hub.states.NEEDS_A_PERSON)."""
    entered = {
        "rejected": ("message-error", "apprec-negative"),
        "overdue": ("apprec-missing",),
        "dead": (
            "retries-exhausted",
            "persist-duration-over",
            "no-endpoint",
            "no-key",
            "no-certificate",
            "http-permanent",
            "soap-fault",
        ),
        "expired": ("time-to-live-expired",),
        "held": ("held-by-rule", "held", "document-unknown"),
    }
    assert set(entered) == set(NEEDS_A_PERSON)
    assert [code for several in entered.values() for code in several if not REASONS[code].hint] == []


def test_what_goes_out_as_an_apprec_has_a_code_of_list_8221() -> None:
    """Rows about documents answer by AppRec; a wrong signature or certificate has its S-code (HIS 80415 3.3.4)."""
    for row in REASONS.values():
        if row.code.startswith("document-"):
            assert row.apprec[0] in "TEX", row.code
        if row.code.startswith(("signature-", "certificate-")):
            assert row.apprec[0] == "S" and row.ebms == "SecurityFailure", row.code


def test_unknown_and_revoked_are_never_the_same_row() -> None:
    assert codes.CERTIFICATE["revoked"] != codes.CERTIFICATE["revocation-unknown"]
    assert codes.reason("revocation-unknown").http == 503 and codes.reason("certificate-revoked").http == 400


def test_a_code_outside_the_register_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        codes.reason("no-such-row")
