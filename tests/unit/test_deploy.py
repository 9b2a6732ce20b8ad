"""What lies in ops/deploy can be used as it is: settings that exist, paths that fit, a unit that its own tool accepts."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

from ops import config
from tests.support.standards import REPO

DEPLOY = REPO / "ops" / "deploy"
PAGES = sorted(DEPLOY.rglob("README.md"))


def _kubernetes() -> str:
    """The configuration inside the config map, without its indentation."""
    text = (DEPLOY / "kubernetes" / "samhub.yaml").read_text("utf-8")
    block = re.search(r"samhub\.toml: \|\n((?:    .*\n|\n)+)", text)
    assert block is not None
    return re.sub(r"^    ", "", block[1], flags=re.MULTILINE)


def _compose() -> str:
    return (DEPLOY / "compose" / "nodes.toml").read_text("utf-8")


@pytest.mark.parametrize("written", [_compose, _kubernetes])
def test_the_configurations_are_ones_that_the_hub_takes(written: object, tmp_path: Path) -> None:
    """Every setting exists and has a value that it may have; both servers are named, no login is in an address."""
    file = tmp_path / "samhub.toml"
    file.write_text(written(), "utf-8")  # type: ignore[operator]
    found = config.load(file)
    assert found.store.url.startswith("postgresql://")
    assert found.dispatch.url.startswith("amqp://")
    assert found.store.password_file and found.dispatch.password_file
    assert found.http.host == "0.0.0.0"
    assert tomllib.loads(file.read_text("utf-8"))["hub"]["lease_seconds"] == found.hub.lease_seconds


def test_what_is_mounted_is_what_the_configuration_reads() -> None:
    """Passwords and registers lie where the containers find them."""
    compose = (DEPLOY / "compose" / "compose.yaml").read_text("utf-8")
    for file in re.findall(r'password_file = "/run/secrets/(\w+)"', _compose()):
        assert f"{file}: {{file: ./secrets/{file}}}" in compose
    manifest = (DEPLOY / "kubernetes" / "samhub.yaml").read_text("utf-8")
    for path in re.findall(r'= "(/[^"]+)"', _kubernetes()):
        mounts = re.findall(r"mountPath: ([^,}\s]+)", manifest)
        assert any(path.startswith(mount) for mount in mounts), path


def test_nodes_have_longer_to_stop_than_what_is_under_way_may_take() -> None:
    """Five seconds for open connections, work.stop_seconds for attempts, and what stands before the signal."""
    needed = 5 + config.Configuration().work.stop_seconds
    unit = (DEPLOY / "systemd" / "samhub@.service").read_text("utf-8")
    compose = (DEPLOY / "compose" / "compose.yaml").read_text("utf-8")
    manifest = (DEPLOY / "kubernetes" / "samhub.yaml").read_text("utf-8")
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) > needed
    assert int(re.findall(r"stop_grace_period: (\d+)s", compose)[0]) > needed
    asleep = int(re.findall(r'"sleep", "(\d+)"', manifest)[0])
    assert int(re.findall(r"terminationGracePeriodSeconds: (\d+)", manifest)[0]) > needed + asleep


def test_the_unit_calls_commands_that_exist() -> None:
    """With options that they have."""
    from typer.testing import CliRunner

    from ops.cli.app import app

    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "systemd" / "samhub@.service", "utf-8")
    for key in ("ExecStartPre", "ExecStart"):
        _, *words = unit["Service"][key].split()
        names = [word for word in words if not word.startswith("-") and "/" not in word and not word.isdigit()]
        told = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
        for option in (word for word in words if word.startswith("--")):
            assert option in told, f"{key}: {option}"


def test_the_image_is_made_of_folders_that_are_there() -> None:
    """And of the lock file with hashes."""
    text = (DEPLOY / "compose" / "Containerfile").read_text("utf-8")
    for source in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for name in source.split():
            assert (REPO / name).exists(), name
    assert "--require-hashes -r requirements-run.lock" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DEPLOY)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Within the folder."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
