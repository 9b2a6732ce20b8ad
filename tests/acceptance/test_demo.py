"""`samhub demo --messages` over every shared sample of the listed standards: each gets what it should, and none is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.acceptance.facts import APPREC
from tests.official_index import rows

OUTCOMES = {"valid": "delivered", "INVALID": "rejected", "NOT WELL-FORMED": "unreadable"}
CODES = {"rejected": "document-schema", "unreadable": "document-malformed"}
FOLDERS = (*APPREC, "apprec-1.0", "apprec-1.1")


def test_the_demo_delivers_what_is_valid_and_rejects_what_is_not(standards: Path, tmp_path: Path) -> None:
    """A positive AppRec for every valid document, the reason for every other, and a line for each file."""
    for name in FOLDERS:
        shutil.copytree(standards / "samples" / name, tmp_path / "messages" / name)
    samhub = str(Path(sys.executable).with_name("samhub"))
    command = [samhub, "demo", "--messages", str(tmp_path / "messages"), "--json"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)

    assert done.returncode == 0, done.stderr[-2000:]
    *told, summary = (json.loads(line) for line in done.stdout.splitlines())
    expected = {
        row.file.removeprefix("samples/"): OUTCOMES[row.outcome]
        for row in rows(standards)
        if row.file.startswith("samples/") and row.file.split("/")[1] in FOLDERS
    }
    assert {one["file"]: one["outcome"] for one in told} == expected
    assert summary["summary"]["good"] and summary["summary"]["messages"] == len(expected) >= 650
    for one in told:
        assert one["apprec"] == ("OK" if one["outcome"] == "delivered" and one["type"] != "APPREC" else "")
        assert one["code"] == CODES.get(one["outcome"], one["code"]) and one["because"]
