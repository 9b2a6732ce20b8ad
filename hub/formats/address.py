"""Addresses of message handlers: whether there can be anything at one, found out before anything is sent there."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote, urlsplit

from hub.formats import queues

#: What a host may be called in a URL, and an address of IPv6 with its zone (RFC 3986 3.2.2).
_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%[\w.~-]+)?")
_MAIL = re.compile(r"[^@\s]+@[A-Za-z0-9.\[\]:_-]+")
_BUS = ("amqp", "amqps", "amqp+sync")


def fault(address: str) -> str:
    """Why nothing can be sent to it, without a login that may stand in it; empty where nothing is against it."""
    scheme, _, rest = address.partition(":")
    match scheme.lower():
        case "http" | "https":
            return "" if _names_a_place(address) else f"{shown(address)} names no host and port that there can be"
        case "mailto":
            return (
                ""
                if _MAIL.fullmatch(unquote(rest.removeprefix("//").partition("?")[0]).strip())
                else f"{shown(address)} is no mail address"
            )
        case kind if kind in _BUS:
            return "" if queues.queue_name(rest) else f"{shown(address)} names no queue"
        case _:
            return f"{shown(address)} is not an http address"


def _names_a_place(address: str) -> bool:
    try:
        split = urlsplit(address)
        host = split.hostname or ""
        name = host if ":" in host else host.encode("idna").decode("ascii")  # an IPv6 address is no name
        return bool(_HOST.fullmatch(name)) and split.port != 0
    except ValueError:  # UnicodeError among them: a label that is empty or too long
        return False


def shown(address: str) -> str:
    """An address as it may stand in a reason: without a login."""
    scheme, slashes, rest = address[:200].partition("//")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}" or "(none)"


def exposed(address: str) -> bool:
    """Whether others could read along: it is not https, and not on this machine. It has no fault."""
    split = urlsplit(address)
    return split.scheme.lower() != "https" and not _on_this_machine(split.hostname or "")


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
