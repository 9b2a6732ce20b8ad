"""`samhub demo` sends part of its traffic by mail, with mail servers that misbehave, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_demo_sends_part_of_its_traffic_by_mail() -> None:
    """Physiotherapist and laboratory both ways; greylisting passes, a bounce that comes later ends in a dead letter."""
    samhub = str(Path(sys.executable).with_name("samhub"))

    done = subprocess.run([samhub, "demo", "--json"], capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    *told, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert summary["summary"]["good"]
    mailed = {(one["file"], one["outcome"], one["code"]) for one in told if one["transports"] == ["mail"]}
    assert mailed == {
        ("dialog-foresporsel.xml", "delivered", "apprec-ok"),
        ("labsvar.xml", "delivered", "apprec-ok"),
        ("fault: greylist", "delivered", "apprec-ok"),
        ("fault: bounce-later", "dead", "mail-bounced"),
    }
    assert all((one["way"][:1] == ["by mail"]) == ("mail" in one["transports"]) for one in told)
