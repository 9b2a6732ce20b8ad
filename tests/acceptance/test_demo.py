"""`samhub demo --messages` over every shared sample of the listed standards: each gets what it should, and none is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.acceptance.facts import APPREC
from tests.official_index import rows
from tests.support.sample import Sampling

SHARE = 0.3  #: of the samples, where a run takes a sample
OUTCOMES = {"valid": "delivered", "INVALID": "rejected", "NOT WELL-FORMED": "unreadable"}
CODES = {"rejected": "document-schema", "unreadable": "document-malformed"}
FOLDERS = (*APPREC, "apprec-1.0", "apprec-1.1")


def test_the_demo_delivers_what_is_valid_and_rejects_what_is_not(
    standards: Path, tmp_path: Path, sampling: Sampling
) -> None:
    """A positive AppRec for every valid document, the reason for every other, and a line for each file."""
    expected = dict(sampling.some(_outcomes(standards), SHARE, "demo"))
    for name in expected:
        (tmp_path / "messages" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(standards / "samples" / name, tmp_path / "messages" / name)
    samhub = str(Path(sys.executable).with_name("samhub"))
    command = [samhub, "demo", "--messages", str(tmp_path / "messages"), "--json"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)

    assert done.returncode == 0, done.stderr[-2000:]
    *told, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert {one["file"]: one["outcome"] for one in told} == expected
    assert summary["summary"]["good"] and summary["summary"]["messages"] == len(expected)
    for one in told:
        assert one["apprec"] == ("OK" if one["outcome"] == "delivered" and one["type"] != "APPREC" else "")
        assert one["code"] == CODES.get(one["outcome"], one["code"]) and one["because"]


def _outcomes(standards: Path) -> list[tuple[str, str]]:
    """Each shared sample of the listed standards, and what must become of it."""
    found = [
        (row.file.removeprefix("samples/"), OUTCOMES[row.outcome])
        for row in rows(standards)
        if row.file.startswith("samples/") and row.file.split("/")[1] in FOLDERS
    ]
    assert len(found) >= 650
    return found
