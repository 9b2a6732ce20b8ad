"""No content in any output: not at the most talkative level, not with every fault, not from any command but `export`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from lxml import etree
from typer.testing import CliRunner

from ops import config as configurations
from ops.cli.app import app
from ops.demo.stage import free_ports
from ops.samples.make import KINDS, broken, make
from ops.samples.persons import _FAMILY, _GIVEN, is_synthetic
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
SAMHUB = str(Path(sys.executable).with_name("samhub"))
#: Words of names that are also words of the house ("test", "utkast" …) are looked for with the family name beside them.
NAMES = [f"{family}, {given}" for family in _FAMILY for given in _GIVEN] + list(_FAMILY)


def words_of(document):
    """Every text of a document that a reader could learn something from: sentences, names, numbers of persons."""
    root = etree.fromstring(document)
    texts = {(e.text or "").strip() for e in root.iter(etree.Element)}
    return {t for t in texts if len(t.split()) >= 3 and not t.startswith(organisations())}


def organisations():
    """Names of organisations stand in the party file and are no content."""
    return tuple({part for m in SECTOR for part in (m.name, *m.name.split(", "))})


def sentences():
    """The sentences of every kind of sample, whatever its number."""
    found = set()
    for kind in KINDS:
        for number in range(10):
            sample = make(
                kind,
                sender=DOCTOR,
                receiver=SURGERY,
                gen_date=datetime.now(UTC),
                msg_id=str(uuid4()),
                number=number,
                attachment=True,
            )
            found |= words_of(sample.document)
    return found


def leaks(output):
    """What of any sample's content, and which secrets, stand in the output."""
    found = [text for text in sentences() if text in output]
    found += [name for name in NAMES if name in output]
    found += [number for number in re.findall(r"(?<![0-9a-f-])\d{11}(?![0-9a-f-])", output) if is_synthetic(number)]
    found += [text for text in ("PRIVATE KEY", "oppdiktet person", "Henvises for") if text in output]
    return found


def test_the_samples_have_words_to_be_looked_for():
    """This suite finds what it looks for: a document itself is one big leak."""
    sample = make("henvisning", sender=DOCTOR, receiver=SURGERY, gen_date=datetime.now(UTC), msg_id=str(uuid4()))

    found = leaks(sample.document.decode())

    assert any("Henvises for" in text for text in found)
    assert any(number.isdigit() for number in found)
    assert any(name in found for name in _FAMILY)
    assert len(sentences()) >= 8


@pytest.fixture(scope="module")
def demonstrated():
    """The demo with every fault at the most talkative level; everything it wrote."""
    done = subprocess.run(
        [SAMHUB, "demo", "--faults", "all", "--level", "debug"], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout
    return done.stdout + done.stderr


def test_the_demo_tells_no_content(demonstrated):
    """Words for people on standard output, log lines on standard error: ids, codes and times in both."""
    assert demonstrated.count("arrival") > 100  # it did log
    assert leaks(demonstrated) == []


def test_serving_and_submitting_tell_no_content_and_no_secret(tmp_path):
    """A hub that serves at level debug, good and bad documents handed over, a partner that is down, and every listing."""
    site = tmp_path / "site"
    subprocess.run([SAMHUB, "init", str(site)], check=True, capture_output=True)
    [port] = free_ports(1)
    file = site / configurations.FILE_NAME
    text = file.read_text("utf-8").replace("#port = 8085", f"port = {port}")
    file.write_text(text.replace('#level = "info"', 'level = "debug"'), "utf-8")
    log = (tmp_path / "log").open("w+", encoding="utf-8")
    hub = subprocess.Popen([SAMHUB, "serve"], cwd=site, stdout=subprocess.PIPE, stderr=log, text=True)
    assert "ready" in hub.stdout.readline()
    told = [run(site, "submit", *more, *(str(f) for f in documents(site))) for more in ((), ("--json",))]
    told += [run(site, *command) for command in LISTINGS]
    newest = json.loads(run(site, "message", "list", "--json").splitlines()[0])["id"]
    told += [run(site, "message", verb, newest) for verb in ("show", "trace", "explain")]
    hub.send_signal(signal.SIGTERM)
    told.append(hub.communicate(timeout=20)[0])
    log.seek(0)
    output = "\n".join([*told, log.read()])

    assert "received" in output and "refused" in output
    assert leaks(output) == []
    assert [secret for secret in secrets(site) if secret in output] == []


LISTINGS = (
    ("message", "list"),
    ("delivery", "list"),
    ("delivery", "list", "--json"),
    ("deadletter", "list"),
    ("receipts", "overdue"),
    ("party", "list", "--json"),
    ("certs", "check"),
    ("db", "check"),
    ("config", "show"),
)


def run(site, *command):
    """One command; everything it wrote."""
    done = CliRunner().invoke(app, [*command, "--config", str(site)])
    assert done.exit_code in (0, 1), done.stderr
    return done.stdout + done.stderr


def documents(site):
    """One good document, and one of each way in which a document can be bad."""
    for number, how in enumerate(("", "schema", "not-well-formed", "no-msgid", "doctype", "unknown-root")):
        sample = make(
            "dialog-helsefaglig",
            sender=DOCTOR,
            receiver=SURGERY,
            gen_date=datetime.now(UTC),
            msg_id=str(uuid4()),
            number=number,
        )
        file = site / f"{number}-{uuid4()}.xml"
        file.write_bytes(broken(sample, how) if how else sample.document)
        yield file


def secrets(site):
    """API keys, and the lines of every private key."""
    for key in (site / "keys").glob("*.key"):
        yield key.read_text().strip()
    for pem in (site / "certs").rglob("*.key.pem"):
        yield from (line for line in pem.read_text().splitlines() if len(line) > 60)
