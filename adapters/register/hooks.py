"""The webhook of a record system as the party file has it: where it is, and the secrets that what goes there is signed with."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

from hub.formats import address
from hub.message import Webhook

#: A secret has no fewer characters than this, and a file no more secrets.
LEAST, MOST = 24, 4
#: Letters of a URL.
LONGEST = 2000
_URL = re.compile(r"[!-~]+")


def fault(url: str) -> str:
    """Why nothing may be sent to it, without what may be secret in it; empty where nothing is against it."""
    if len(url) > LONGEST or not _URL.fullmatch(url):
        return f"an address has 1 to {LONGEST} visible ASCII characters; write the others with percent signs"
    scheme = url.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        return "it begins with https://"
    if address.fault(url):
        return "it names no host and port that there can be"
    split = urlsplit(url)
    if "@" in split.netloc:
        return "it holds a login; what comes is known by its signature instead: webhook_secret_file"
    if "#" in url:
        return "it has a fragment (#…), which is sent to nobody"
    if address.exposed(url):
        return "http is for this machine only (localhost, 127.0.0.1, ::1); else https"
    return ""


def read(who: str, url: str, secret_file: Path | None, folder: Path, mistakes: list[str]) -> Webhook | None:
    """None where there is none; every mistake is added to `mistakes`."""
    if not url:
        if secret_file is not None:
            mistakes.append(
                f"{who}: webhook_secret_file is set, and webhook is not; name where it is told, or leave both out"
            )
        return None
    if why := fault(url):
        mistakes.append(f"{who}: webhook: {why}")
    if secret_file is None:
        mistakes.append(
            f"{who}: webhook needs a webhook_secret_file: what is told is signed, or nobody could believe it"
        )
        return None
    return Webhook(url, _secrets(who, folder / secret_file, mistakes))


def _secrets(who: str, file: Path, mistakes: list[str]) -> tuple[bytes, ...]:
    """One a line. Nobody but the hub's own user and group may read it, and only that user may write it."""
    named = f"{who}: webhook_secret_file: {file}"
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        lines = [line.strip() for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        mistakes.append(f"{named}: {error.strerror}")
        return ()
    if mode & 0o037:
        mistakes.append(f"{named}: others may read or write it (mode {mode:03o}); chmod {mode & ~0o037:03o}")
    if not 1 <= len(lines) <= MOST or any(len(line) < LEAST for line in lines):
        wanted = f"1 to {MOST} secrets of {LEAST} characters or more, one a line"
        mistakes.append(f"{named}: {wanted}; such as: openssl rand -hex 32")
    return tuple(lines)
