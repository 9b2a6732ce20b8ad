"""Clients of another language: npm's `soap`, `strong-soap`, and a typed one that `wsdl-tsclient` generates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.soap.stand import DOCTORS, NURSES, Stand
from tests.support.world import DOCTOR, NURSING

HERE = Path(__file__).parent / "npm"
#: Where `make test` installs what the lock beside the scripts names.
MODULES = Path(sys.prefix) / "npm" / "soap" / "node_modules"
NODE = Path(sys.prefix) / "bin" / "node"


@pytest.fixture(name="run")
def _run(stand: Stand, tmp_path: Path) -> Any:
    """Runs a script against the door, with a document of its own; what it saw."""
    assert MODULES.is_dir(), f"{MODULES} is missing: make test installs it"

    def run(script: str, wsdl: str, *more: str) -> dict[str, Any]:
        document = tmp_path / "document.xml"
        document.write_bytes(stand.document().document + "<!-- æøå -->\r\n".encode())
        (tmp_path / script).write_text((HERE / script).read_text())
        if not (tmp_path / "node_modules").exists():
            (tmp_path / "node_modules").symlink_to(MODULES)
        proofs = (f"{system}\n{stand.key(system)}" for system in (NURSES, DOCTORS))
        arguments = [f"{stand.door}?{wsdl}", DOCTOR.her_id, NURSING.her_id, *proofs, str(document), *more]
        done = subprocess.run(
            [str(NODE), str(tmp_path / script), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(json.loads(done.stdout.splitlines()[-1]))

    return run


@pytest.mark.parametrize("how", ["base64", "mtom"])
@pytest.mark.parametrize("wsdl", ["wsdl", "wsdl=12"])
def test_npm_soap_speaks_it(run: Any, wsdl: str, how: str) -> None:
    """Every operation; by MTOM it can send, not read, so only what it sends goes beside."""
    seen = run("soap.mjs", wsdl, how)
    assert len(seen.pop("operations")) == 8
    assert seen == {
        "system": NURSES,
        "duplicate": False,
        "same": True,
        "isAppRec": False,
        "state": "Acknowledged",
        "confirmed": 1,
        "answered": True,
        "events": True,
        "gone": True,
        "fault": "not-your-party",
    }


def test_strong_soap_speaks_it(run: Any) -> None:
    """Sends, fetches, sees the fault."""
    assert run("strong.cjs", "wsdl") == {"duplicate": False, "same": True, "fault": True}


def test_a_generated_client_has_types_and_speaks_it(run: Any, tmp_path: Path) -> None:
    """Generated from the WSDL as it is served, without a change by hand; a program that uses it has no type mistake."""
    assert run("typed.mjs", "wsdl", str(tmp_path)) == {"mistakes": [], "duplicate": False, "same": True}
