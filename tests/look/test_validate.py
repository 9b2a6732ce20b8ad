"""`samhub validate`: what a file is, whether it is right, and where it is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.formats import envelope_write, mime
from hub.formats.envelope_write import HeaderFields
from ops.cli.app import app
from ops.samples.make import make
from ops.sector import SECTOR

DOCTOR, SURGERY = SECTOR[1], SECTOR[3]
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _document(kind: str = "henvisning") -> bytes:
    msg_id = "3f6c1d2e-0000-4000-8000-00000000b001"
    return make(kind, sender=DOCTOR, receiver=SURGERY, gen_date=AT, msg_id=msg_id).document


def _envelope() -> bytes:
    header = HeaderFields(
        from_her=DOCTOR.her_id,
        to_her=SURGERY.her_id,
        cpa_id="8000202_8000402",
        conversation_id="3f6c1d2e-0000-4000-8000-00000000b002",
        service="S-HENVISNING",
        action="HENVISNING",
        message_id="3f6c1d2e-0000-4000-8000-00000000b003",
        timestamp=AT,
        from_role="HENVISNINGsender",
        to_role="HENVISNINGreceiver",
    )
    return envelope_write.business(header, "payload", ("http://www.kith.no/xmlstds/henvisning/2012-02-15", "1.1"))


def _run(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    done = CliRunner().invoke(app, ["validate", *map(str, arguments)])
    found = [json.loads(line) for line in done.stdout.splitlines()] if "--json" in arguments else []
    return done.exit_code, found, done.stdout


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Writes bytes to a file and gives its path."""

    def write(name: str, content: bytes) -> Path:
        target = tmp_path / name
        target.write_bytes(content)
        return target

    return write


def test_a_good_document_is_named_and_valid(written: Any) -> None:
    code, (said,), _ = _run(written("h.xml", _document()), "--json")
    assert code == 0
    assert set(said) >= {"file", "standard", "version", "namespace", "valid", "errors"}
    assert (said["standard"], said["version"], said["valid"], said["errors"]) == ("Henvisning", "1.1", True, [])
    assert said["namespace"] == "http://www.kith.no/xmlstds/henvisning/2012-02-15"


def test_a_broken_document_says_line_column_rule_and_what_to_do(written: Any) -> None:
    broken = (
        _document("plo-medisinske")
        .replace(b"<MIGversion>", b"<MIGversjon>")
        .replace(b"</MIGversion>", b"</MIGversjon>")
    )
    code, (said,), _ = _run(written("b.xml", broken), "--json")
    assert code == 1 and not said["valid"]
    error = said["errors"][0]
    assert set(error) == {"line", "column", "rule", "severity", "message", "hint"}
    assert (error["line"], error["severity"], error["rule"]) == (2, "error", "schema:misplaced")
    assert error["column"] > 1 and error["hint"]


def test_content_rules_can_be_left_out(written: Any) -> None:
    nameless = (
        _document("plo-medisinske")
        .replace(b"<FamilyName>Testesen</FamilyName>", b"")
        .replace("<GivenName>Prøve</GivenName>".encode(), b"")
    )
    file = written("n.xml", nameless)
    code, (said,), _ = _run(file, "--json")
    assert code == 1 and [e["rule"].split()[0] for e in said["errors"]] == ["PAS-01"]
    assert _run(file, "--json", "--schema-only")[0] == 0


def test_many_files_in_one_call_are_counted_and_one_invalid_is_enough(written: Any) -> None:
    files = [written(f"{n}.xml", _document()) for n in range(20)]
    code, _, words = _run(*files, written("bad.xml", b"<a><b></a>"))
    assert code == 1
    assert words.rstrip().endswith("21 files, 1 invalid")


def test_norwegian_is_spoken_on_request(written: Any) -> None:
    code, _, words = _run(written("x.xml", b"<a><b></a>"), "--lang", "nb")
    assert code == 1 and "ikke velformet XML" in words
    assert _run(written("y.xml", b"<a/>"), "--lang", "de")[0] == 2


def test_a_byte_order_mark_and_an_older_encoding_are_read(written: Any) -> None:
    document = _document("dialog-helsefaglig")
    latin = document.decode().replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode("iso-8859-1")
    for name, content in (("bom.xml", b"\xef\xbb\xbf" + document), ("latin.xml", latin)):
        assert _run(written(name, content), "--json")[1][0]["errors"] == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "doctype"),
        ('<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"), "encoding"),
        (b"", "not-well-formed"),
        (b"just words", "not-well-formed"),
    ],
)
def test_what_cannot_be_read_is_said_so(written: Any, content: bytes, rule: str) -> None:
    code, (said,), _ = _run(written("x", content), "--json")
    assert code == 1 and said["errors"][0]["rule"] == rule


def test_an_envelope_is_checked_by_the_numbered_rules(written: Any) -> None:
    code, (good,), _ = _run(written("e.xml", _envelope()), "--json")
    assert (code, good["kind"], [e for e in good["errors"] if e["severity"] == "error"]) == (0, "ebXML envelope", [])
    without = _envelope().replace(b"<eb:CPAId>8000202_8000402</eb:CPAId>", b"<eb:CPAId></eb:CPAId>")
    code, (said,), _ = _run(written("f.xml", without), "--json")
    assert code == 1 and "HITS 1172 11" in [e["rule"] for e in said["errors"]]


def test_a_whole_mime_message_is_taken_apart(written: Any) -> None:
    headers, body = mime.write(
        _envelope(), [("payload", "application/xml", _document())], root_id="r", boundary="grense"
    )
    whole = "".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode() + b"\r\n" + body
    code, (said,), _ = _run(written("m.eml", whole), "--json")
    assert (code, said["kind"]) == (0, "MIME message")
    alone = _run(written("alone", body), "--json")[1][0]
    assert alone["kind"] == "MIME message" and alone["valid"]
    spoilt = mime.write(_envelope(), [("payload", "application/xml", b"<a>")], root_id="r", boundary="grense")[1]
    assert _run(written("s.eml", spoilt), "--json")[1][0]["errors"][-1]["rule"] == "not-well-formed"


def test_every_shared_document_gets_the_verdict_of_the_index(standards: Path) -> None:
    """By schema alone, for documents of the standards that have a schema here."""
    from ops.look.validate import Validator
    from tests.official_index import rows
    from xsd.catalogue import Catalogue

    validator = Validator(Catalogue.load(), schema_only=True)
    differing = []
    checked = 0
    for row in rows(standards):
        if row.path.suffix != ".xml" or row.outcome not in ("valid", "INVALID", "NOT WELL-FORMED"):
            continue
        report = validator.file(row.path)
        if (
            report.kind in ("unknown", "MIME message", "CPA", "CPP", "ebXML envelope")
            and row.outcome != "NOT WELL-FORMED"
        ):
            continue
        if any(e.rule == "unchecked" for e in report.errors):
            continue
        checked += 1
        if report.valid != (row.outcome == "valid"):
            differing.append((row.file, row.outcome))
    assert checked > 500
    assert not differing


def test_every_cpa_is_named(standards: Path) -> None:
    files = sorted((standards / "cpa").rglob("*.xml"))
    _, found, _ = _run(*files, "--json")
    assert len(found) == len(files)
    wrapped = {"CPA_94867.xml", "CPP_94867.xml"}  # in the register's own answer
    assert {said["kind"] for said in found if Path(said["file"]).name not in wrapped} == {"CPA", "CPP"}
