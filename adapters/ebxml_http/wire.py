"""What an HTTP answer means, before the kernel has looked for a receipt in it; plain functions over status, headers and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from hub.formats import coding, fault, http, mime
from hub.formats.words import SAID, quoted
from hub.message import Outcome, Reached

#: "Not now": nothing was taken, and a try may soon pass (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4); so may all of 5xx.
NOT_NOW = frozenset({408, 425, 429})
#: "Not there, or not like this, at the moment": servers that are moved, rolled out or restarted answer so, and it passes
#: without anybody having changed the message (RFC 9110 15.5.5, 15.5.10, 15.5.20; RFC 4918 11.3).
NOT_THERE = frozenset({404, 409, 421, 423})
#: A Fault in an answer with one of these is a gateway's or a server's that is down for a while, whatever else it says.
BUSY = frozenset({429, 502, 503, 504})


def outcome(status: int, headers: Mapping[str, str], body: bytes, most: int, now: datetime) -> Outcome:
    """What one answer says: its body is unpacked once, within `most` bytes, and given on whatever the status is.

    An unknown status counts as the first of its class (RFC 9110 15). A receipt in the body, where it is proven, is the
    answer, whatever the status (ebMS 2.0 B.2.3): that is for the kernel to see.
    """
    content, why = _content(headers, body, most)
    plain = replace(_by_status(status, headers, content, why, now), answered=True)
    bare = coding.bare(headers)
    if (found := fault.answered(bare, content)) is not None:
        plain = _faulted(status, found, plain)
    return replace(plain, answer=content, answer_headers=bare)


def _content(headers: Mapping[str, str], body: bytes, most: int) -> tuple[bytes, str]:
    """The body as it was meant, or nothing and why it cannot be read."""
    if len(body) > most:
        return b"", f"the answer is larger than {most} bytes"
    content = coding.unpacked(coding.written(headers), body, most) if body else b""
    if isinstance(content, coding.CodingFault):
        return b"", f"the answer cannot be read: {content.text}"
    if len(content) > most:
        return b"", f"the answer unpacks to more than {most} bytes"
    return (content, "") if content.strip() else (b"", "")


def _by_status(status: int, headers: Mapping[str, str], content: bytes, why: str, now: datetime) -> Outcome:
    told = f"HTTP {status}, {why}" if why else f"HTTP {status}"
    if 200 <= status < 300:
        return _success(status, content, why)
    if status in NOT_NOW or status >= 500:
        after = http.retry_after(mime.header(headers, "retry-after"), now) if status in (429, 503) else None
        return Outcome(Reached.NO, "http-temporary", told, after=after)
    if status < 400:  # what is signed for one address is taken to no other
        where = _place(mime.header(headers, "location"))
        return Outcome(Reached.NO, "http-redirect", f"{told}{where}", counted=True)
    if status in NOT_THERE:
        return Outcome(Reached.NO, "http-not-there", told, counted=True)
    return Outcome(Reached.YES, "http-permanent", told, permanent=True)


def _success(status: int, content: bytes, why: str) -> Outcome:
    """Every 2xx is success (RFC 9110 15.3); what its body is, the kernel says where it is a receipt."""
    if why or content:
        return Outcome(Reached.YES, "unreadable-answer", f"HTTP {status}, {why or 'the answer is no receipt'}")
    return Outcome(Reached.YES, "handed-over", f"HTTP {status}, no receipt in the answer")


def _faulted(status: int, found: fault.Fault, plain: Outcome) -> Outcome:
    """A Fault whose code says so is for good; any other may pass, and is answered by sending again as agreed."""
    text = f"HTTP {status}, SOAP Fault ({found.code or 'of its own'})"
    if status in BUSY and not found.for_good:
        return replace(plain, because=f"{text}{SAID}{found.words}")
    return Outcome(Reached.YES, "soap-fault", text, permanent=found.for_good, answered=True, said=found.words)


def _place(location: str) -> str:
    """Where a redirect points, without what may be secret in it."""
    if not location.strip():
        return ", and it does not say where to"
    try:
        split = urlsplit(quoted(location))
        bare = urlunsplit((split.scheme, split.netloc.rpartition("@")[2], split.path, "", ""))
    except ValueError:
        return ", to an address that cannot be read"
    return f", to {bare}"
