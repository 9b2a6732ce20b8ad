"""The webhook of a record system in the party file: what may stand there, and what is told of what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.register import hooks
from adapters.register.directory import FileDirectory
from adapters.register.file import read
from hub.errors import ConfigurationError
from hub.message import Webhook

SECRET = "0123456789abcdef0123456789abcdef"

#: Address → a word of what is said against it; empty: nothing is.
ADDRESSES = {
    "https://epj.invalid/hook": "",
    "https://epj.invalid:8443/hook?system=1": "",
    "HTTPS://epj.invalid/": "",
    "http://localhost:9000/hook": "",
    "http://127.0.0.9/hook": "",
    "http://[::1]:9000/hook": "",
    "http://epj.invalid/hook": "this machine",
    "http://127.0.0.1.epj.invalid/": "this machine",
    "http://10.0.0.1/hook": "this machine",
    "http://0.0.0.0/hook": "this machine",
    "https://user:password@epj.invalid/": "login",
    "https://user@epj.invalid/": "login",
    "http://localhost@epj.invalid/": "login",
    "https://epj.invalid/#part": "fragment",
    "https://epj.invalid/#": "fragment",
    "https://": "no host",
    "https://epj.invalid:0/": "no host",
    "https://epj.invalid:99999/": "no host",
    "ftp://epj.invalid/": "https://",
    "epj.invalid/hook": "https://",
    "file:///etc/passwd": "https://",
    "https://epj.invalid/a b": "visible",
    "https://epj.invalid/\r\nX: y": "visible",
    "https://sykehus-ø.invalid/": "visible",
    "https://epj.invalid/" + "a" * 2000: "visible",
}


@pytest.mark.parametrize("number", range(len(ADDRESSES)))
def test_what_may_be_an_address(number: int) -> None:
    """https, or this machine; nothing secret in it; and what is said against it does not tell a login."""
    url, word = list(ADDRESSES.items())[number]
    said = hooks.fault(url)
    assert (word in said and said) if word else said == ""
    assert "password" not in said


def parties(folder: Path, *lines: str, secret: str | None = SECRET, mode: int = 0o600) -> Path:
    """A party file with one record system."""
    if secret is not None:
        (folder / "hook.secret").write_text(secret)
        (folder / "hook.secret").chmod(mode)
    file = folder / "parties.toml"
    file.write_text("\n".join(['[[system]]\nid = "epj"\nher_ids = ["8000202"]', *lines]))
    return file


HOOK = 'webhook = "https://epj.invalid/hook"'
FILE = 'webhook_secret_file = "hook.secret"'


def test_it_is_off_by_default(tmp_path: Path) -> None:
    assert read(parties(tmp_path)).systems["epj"].webhook is None


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_it_is_read_with_its_secrets_in_their_order(tmp_path: Path, mode: int) -> None:
    """Which are in no sentence about it."""
    file = parties(tmp_path, HOOK, FILE, secret=f"{SECRET}\n\n  {'x' * 24}\n", mode=mode)
    found = read(file).systems["epj"]
    assert found.webhook == Webhook("https://epj.invalid/hook", (SECRET.encode(), b"x" * 24))
    assert SECRET not in repr(found)


MISTAKES: dict[str, tuple[tuple[str, ...], str | None, int, str]] = {
    "no secret": ((HOOK,), SECRET, 0o600, "needs a webhook_secret_file"),
    "no address": ((FILE,), SECRET, 0o600, "webhook is not"),
    "no file": ((HOOK, FILE), None, 0o600, "No such file"),
    "all may read it": ((HOOK, FILE), SECRET, 0o644, "chmod 640"),
    "all may write it": ((HOOK, FILE), SECRET, 0o622, "chmod 600"),
    "the group may write it": ((HOOK, FILE), SECRET, 0o660, "chmod 640"),
    "short": ((HOOK, FILE), "x" * 23, 0o600, "24 characters"),
    "empty": ((HOOK, FILE), "\n\n", 0o600, "24 characters"),
    "five": ((HOOK, FILE), f"{SECRET}\n" * 5, 0o600, "1 to 4 secrets"),
    "far without TLS": (('webhook = "http://epj.invalid/"', FILE), SECRET, 0o600, "this machine"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_what_to_do_and_without_the_secret(tmp_path: Path, name: str) -> None:
    lines, secret, mode, word = MISTAKES[name]
    with pytest.raises(ConfigurationError) as error:
        read(parties(tmp_path, *lines, secret=secret, mode=mode))
    (said,) = error.value.mistakes
    assert said.startswith("system epj: webhook") and word in said and SECRET not in said


def test_another_secret_is_another_register(tmp_path: Path) -> None:
    """So that a reload tells that something changed; the file itself is in no digest that tells its content."""
    facts = []
    for secret in (SECRET, SECRET.upper()):
        (tmp_path / "agreements").mkdir(exist_ok=True)
        facts.append(dict(FileDirectory(parties(tmp_path, HOOK, FILE, secret=secret), tmp_path / "agreements").facts()))
    assert facts[0].keys() == facts[1].keys() and facts[0] != facts[1]
