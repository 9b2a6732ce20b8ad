"""The pytest plug-in as a stranger meets it: the page's examples run, and a suite that does not ask for it does not notice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ops.partner.behaviours import RECEIVING, SENDING, Receiving, Sending

PAGE = Path(__file__).resolve().parents[2] / "ops" / "reference" / "pytest-plugin.md"

#: What a stranger would write beside the second example: here a hub of ours plays the stranger's message handler.
THEIRS = """
import pytest
from ops.sector import SECTOR


@pytest.fixture
def my_url(samhub_hub, samhub_partner):
    known = samhub_partner("8009000")
    return f"{samhub_hub([known]).url}/ebxml"


@pytest.fixture
def my_certificate(samhub_pki):
    return samhub_pki.certificate("legesenter")
"""


def outside(folder, *more):
    """pytest in a process of its own, with nothing of this project's configuration; its output."""
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_examples_of_the_page_run(tmp_path):
    """Every Python block, as it stands, without any other plug-in, and with warnings as errors."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.S)
    assert len(blocks) == 4
    (tmp_path / "conftest.py").write_text(THEIRS, "utf-8")
    for number, block in enumerate(blocks):
        (tmp_path / f"test_page_{number}.py").write_text(block, "utf-8")

    done = outside(tmp_path, "-q", "-W", "error", "-p", "no:asyncio", "-p", "no:timeout", "-p", "no:xdist")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_the_fixtures_serve_async_tests_too(tmp_path):
    """Under pytest-asyncio: the hub runs in a thread of its own, beside the test's loop."""
    (tmp_path / "test_async.py").write_text(ASYNC, "utf-8")

    done = outside(tmp_path, "-q", "-o", "asyncio_mode=auto")

    assert "1 passed" in done.stdout, done.stdout


ASYNC = """
import asyncio


async def test_it(samhub_hub, samhub_partner, samhub_samples):
    partner = samhub_partner()
    hub = samhub_hub([partner])
    answer = await asyncio.to_thread(partner.send, samhub_samples("epikrise", sender=partner))
    assert answer.kind == "acknowledgment"
"""


def test_a_suite_that_does_not_ask_for_it_loads_nothing_of_it(tmp_path):
    """Not one module of the hub, nor any library that it brings along; and no warning."""
    (tmp_path / "test_own.py").write_text(OWN, "utf-8")

    done = outside(tmp_path, "-q", "-W", "error", "-p", "no:asyncio")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout and "warning" not in done.stdout


OWN = """
import sys


def test_own():
    ours = {m for m in sys.modules if m.partition(".")[0] in ("hub", "adapters", "routing", "ops", "xsd")}
    assert ours == {"ops", "ops.partner", "ops.partner.plugin"}
    assert not {"aiohttp", "lxml", "cryptography", "pydantic", "structlog", "uvicorn"} & set(sys.modules)
"""


def test_the_fixtures_are_listed_with_their_sentences(tmp_path):
    """`pytest --fixtures` explains each."""
    done = outside(tmp_path, "--fixtures")

    for name in ("samhub_pki", "samhub_partner", "samhub_hub", "samhub_samples", "samhub_eventually"):
        assert re.search(rf"^{name}.*\n    \S", done.stdout, flags=re.M), name


def test_every_behaviour_has_its_own_sentence():
    """Receiving and sending, though some have the same name on both sides."""
    assert set(RECEIVING) == set(Receiving) and set(SENDING) == set(Sending)
    assert RECEIVING[Receiving.GOOD] != SENDING[Sending.GOOD]


def test_a_behaviour_that_there_is_not_is_told(samhub_partner):
    """By its name."""
    with pytest.raises(ValueError, match="'sleepy' is not a valid Receiving"):
        samhub_partner(behaviour="sleepy")


def test_a_test_that_waits_in_vain_is_told_where_it_stands(samhub_hub, samhub_partner, samhub_samples):
    """State, code and reason, in the failure itself."""
    from ops.sector import SECTOR

    silent = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([silent])
    message_id = hub.epj(SECTOR[1].her_id).send(samhub_samples(receiver=silent))
    hub.until(message_id, "acknowledged")

    with pytest.raises(AssertionError, match=r"done was expected within 0\.1 s; it stands at acknowledged"):
        hub.until(message_id, "done", seconds=0.1)
