"""What `samhub init` writes: a site that is ready to serve, with partners to simulate and documents to submit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ops import config
from ops.samples.write import write_examples
from ops.sector import HOSPITAL, SECTOR, make_keys, write_site

#: From the hub's port to that of the simulator's control interface, and to the first of the partners it plays.
CONTROL, SIMULATED = 1, 2


def example_site(folder: Path, port: int = config.HttpSettings().port) -> list[str]:
    """What `samhub init` writes: the municipality's side served here at `port`, the hospital's as partners to simulate."""
    folder = folder.absolute()
    certs = folder / "certs"
    make_keys(certs, SECTOR, bad_for="sykehus")
    local = [m for m in SECTOR if m.system not in HOSPITAL]
    hospital = [m for m in SECTOR if m.system in HOSPITAL]
    remote = [(m, f"http://127.0.0.1:{port}/ebxml") for port, m in enumerate(hospital, port + SIMULATED)]
    folders = ("kommune", "fysioterapi")
    other = {"http": {"port": port}} if port != config.HttpSettings().port else {}
    write_site(folder, certs, local, remote, apprec="", folder_systems=folders, settings=other)
    samples = write_examples(folder / "examples", datetime.now(UTC))
    return [
        f"{folder / config.FILE_NAME}: every setting, explained",
        f"{folder / 'parties.toml'}: {len(local)} local parties, {len(remote)} remote ones to simulate",
        f"{certs}: example certificates, good and bad; the keys in it are for trying things out only",
        f"{folder / 'examples'}: {samples} documents to submit",
        f"next: samhub serve, in another terminal samhub simulate{_control(port)}, then samhub submit examples/henvisning.xml --wait",
    ]


def _control(port: int) -> str:
    """The option that two sites on one machine need."""
    return "" if port == config.HttpSettings().port else f" --port {port + CONTROL}"
