"""Addresses of servers as a configuration takes them: without a password, which lies in a file of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

#: A broker that went is looked for often, so that tests need not wait.
QUICK: dict[str, Any] = {
    "connect_seconds": 5,
    "confirm_seconds": 5,
    "heartbeat_seconds": 2,
    "reconnect_seconds": 0.3,
    "events_seconds": 0.05,
    "term_seconds": 5,
}


def without_login(url: str) -> tuple[str, str, str]:
    """An address as the configuration takes it, the user and the password."""
    found = urlsplit(url)
    place = f"{found.hostname}:{found.port or 5672}"
    return urlunsplit((found.scheme, place, found.path, "", "")), found.username or "guest", found.password or "guest"


def queue_section(url: str, folder: Path, **more: Any) -> dict[str, Any]:
    """The [queue] section for a broker."""
    bare, user, password = without_login(url)
    file = folder / f"password-{uuid4()}"
    file.write_text(password + "\n")
    return {**QUICK, "url": bare, "username": user, "password_file": str(file), **more}


def login(url: str) -> dict[str, str]:
    """The address of a broker as settings; the tests' brokers know guest."""
    parts, file = urlsplit(url), Path(tempfile.mkstemp(prefix="samhub-password-")[1])
    file.write_text(parts.password or "guest")
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    named = {"username": parts.username or "guest", "password_file": str(file)}
    return {"url": urlunsplit(parts._replace(netloc=host)), **named}


def written_down(url: str, file: Path) -> dict[str, Any]:
    """The address of a store as settings: a configuration holds no password, but says where it stands."""
    parts = urlsplit(url)
    file.write_text(parts.password or "")
    host = f"{parts.username}@{parts.hostname}:{parts.port}" if parts.hostname else f"{parts.username}@"
    return {"url": urlunsplit(parts._replace(netloc=host)), "password_file": file}
