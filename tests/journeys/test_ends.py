"""What ends is told before and after: our own certificates, revocation lists, agreements; by command, at the start, in metrics."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops import config
from ops.assemble import hub as assembled
from ops.certs import check
from ops.cli import keeping, partners
from ops.cli.app import app
from ops.partner.aside import MovableClock
from ops.sector import SECTOR

SAMHUB = str(Path(sys.executable).with_name("samhub"))
NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What `samhub init` writes."""
    folder = tmp_path_factory.mktemp("ends") / "site"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    return folder


@pytest.fixture
def site(written, tmp_path):
    """A copy of it to spoil."""
    return shutil.copytree(written, tmp_path / "site")


def samhub(site, *args):
    """One command: exit code, standard output, standard error."""
    if args[0] == "serve":  # sets up the log of its process
        ran = subprocess.run([SAMHUB, *args, "--config", str(site)], capture_output=True, text=True, timeout=60)
        return ran.returncode, ran.stdout, ran.stderr
    done = CliRunner().invoke(app, [*args, "--config", str(site)])
    return done.exit_code, done.stdout, done.stderr


def with_own_certificate(site, kind):
    """Our own signing pair is another."""
    for name in ("sign.cert.pem", "sign.key.pem"):
        shutil.copy(site / "certs" / f"sykehus-{kind}" / name, site / "certs" / "legesenter" / name)


async def looked(site, days, look):
    """What `look` gives of the hub, so many days from now."""
    clock = MovableClock()
    clock.forward(hours=24 * days)
    async with assembled(config.load(site / config.FILE_NAME), clock=clock) as built:
        return look(built.kit)


@pytest.mark.parametrize(("kind", "says"), [("expired", "expired"), ("revoked", "revoked"), ("wrong-purpose", "")])
def test_an_own_certificate_of_no_use_is_a_mistake_of_the_configuration(site, kind, says):
    """Nothing that it signs counts, and partners would refuse all of it (operators A7)."""
    with_own_certificate(site, kind)
    code, _, err = samhub(site, "config", "check")
    assert code == 2 and f"HER-id {DOCTOR.her_id} (signing)" in err and says in err
    assert samhub(site, "certs", "check")[0] == 1


async def test_an_own_certificate_of_no_use_is_an_error_at_the_start_and_one_that_ends_a_warning(site, log):
    with_own_certificate(site, "expired")
    await looked(site, 0, keeping.tell_of_certificates)
    [one] = log
    assert (one["log_level"], one["event"], one["state"], one["from"]) == (
        "error", "own-certificate", "expired", DOCTOR.her_id,
    )  # fmt: skip
    log.clear()
    with_own_certificate(site, "expiring")
    await looked(site, 0, keeping.tell_of_certificates)
    assert [(o["log_level"], o["state"]) for o in log] == [("warning", "soon")]


@pytest.mark.parametrize(
    ("days", "state", "level"), [(1, "good", ""), (27, "soon", "warning"), (30.5, "expired", "error")]
)
async def test_a_list_is_told_before_and_after_it_ends(site, log, days, state, level):
    """Those that `init` writes last thirty days; certificates that depend on one say so too."""
    lists, rows = await looked(site, days, lambda kit: (list(check.lists(kit)), list(check.rows(kit, own=True))))
    assert {one.state for one in lists} == {state}
    assert all(one.next_update is not None and bool(one.because) == (state != "good") for one in lists)
    assert all(row.crl_until is not None for row in rows)
    assert {row.state for row in rows} == {"good" if state == "good" else "soon"}
    await looked(site, days, keeping.tell_of_certificates)
    assert {o["log_level"] for o in log if o["event"] == "revocation-list"} == ({level} if level else set())


def test_no_list_at_all_is_told_by_name(site):
    """Everything is undecided then; certs check said so, config check and the start did not (operators A8)."""
    for file in (site / "certs" / "crl").iterdir():
        file.unlink()
    code, out, _ = samhub(site, "config", "check")
    assert code == 0 and "no CRL of it lies in revocation.folder" in out
    code, out, err = samhub(site, "certs", "check", "--json")
    assert code == 1 and ": missing: " in err
    assert {json.loads(line)["state"] for line in out.splitlines()} == {"revocation-unknown"}


def test_a_list_that_cannot_be_read_is_told(site):
    (site / "certs" / "crl" / "half.crl").write_bytes(b"-----BEGIN X509 CRL-----")
    assert "CRL half.crl: broken" in samhub(site, "certs", "check")[1]


async def test_the_ends_are_metrics(site):
    from prometheus_client import generate_latest

    from ops.serve.app import _ends

    text = (await looked(site, 0, lambda kit: generate_latest(_ends(kit)))).decode()
    assert f'samhub_certificate_end_timestamp_seconds{{her_id="{DOCTOR.her_id}",use="signing"}}' in text
    assert text.count("\nsamhub_crl_next_update_timestamp_seconds{issuer=") >= 1


@pytest.mark.parametrize(("begin", "end", "said"), [(-2, 2, "agreed"), (-2, -1, "ended"), (1, 2, "not begun")])
def test_an_agreement_that_has_ended_is_not_agreed(begin, end, said):
    """Whatever status it was given when it was written (operators B10)."""
    from types import SimpleNamespace

    now = datetime(2026, 3, 2, tzinfo=UTC)
    day = timedelta(days=1)
    found = SimpleNamespace(start=now + begin * day, end=now + end * day, status="agreed")
    assert partners._in_force(found, now) == said


# --- one sentence, exit 2, no trace


def test_a_party_file_that_cannot_be_read_is_one_sentence_everywhere(site):
    (site / "parties.toml").write_text("[[party]\n", "utf-8")
    for args in (("party", "list"), ("party", "show", "1"), ("config", "check"), ("serve",), ("simulate",)):
        code, _, err = samhub(site, *args)
        assert (code, len(err.splitlines())) == (2, 1), args
        assert "parties.toml: not TOML" in err


def test_a_file_is_no_folder_to_write_a_site_into(tmp_path):
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["init", str(tmp_path / "file")])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


def test_a_port_that_is_taken_is_one_sentence(site):
    """By serve, by simulate, and a port that is none."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = site / config.FILE_NAME
        file.write_text(file.read_text("utf-8").replace("#port = 8085", f"port = {port}"), "utf-8")
        for args in (("serve",), ("simulate", "--port", str(port))):
            code, _, err = samhub(site, *args)
            said = [line for line in err.splitlines() if not line.startswith("{")]
            assert code == 2 and "address already in use" in said[-1].lower() and "Traceback" not in err, args
    assert samhub(site, "simulate", "--port", "99999")[0] == 2
