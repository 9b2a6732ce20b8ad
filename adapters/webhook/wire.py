"""What is told over a webhook, how it is signed, and what an answer means: plain functions. Ids and states only, never content."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from hub.events import NotificationType
from hub.formats import http
from hub.message import Outcome, Reached
from hub.record_systems.values import Happened

SIGNATURE = "Samhub-Signature"


def event(happened: Happened) -> bytes:
    """One event: all of its members, every time; null is what is not known any more."""
    note, record, standing = happened.event, happened.record, happened.standing
    to_receiver = note.type in (NotificationType.NEW_MESSAGE, NotificationType.REFUSED)
    sender, receiver = (note.triggered_by, note.receiver) if to_receiver else (note.receiver, note.triggered_by)
    said = {
        "id": note.id,
        "type": str(note.type),
        "offset": note.offset,
        "messageId": note.message_id or None,
        "businessDocumentId": record.msg_id or None if record is not None else None,
        "senderHerId": _number(sender),
        "receiverHerId": _number(receiver),
        "state": standing.state if standing is not None else None,
        "code": standing.code if standing is not None else None,
        "at": note.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    return json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()


def _number(her_id: str) -> int | None:
    return int(her_id) if her_id.isascii() and her_id.isdigit() else None


def signature(body: bytes, secrets: Sequence[bytes], now: datetime) -> str:
    """When it was signed, in seconds since 1970, and HMAC-SHA-256 over `<that>.<body>` by each secret, the first one first."""
    at = str(int(now.timestamp()))
    signed = (hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join((f"t={at}", *(f"v1={one}" for one in signed)))


def outcome(status: int, headers: Mapping[str, str], now: datetime) -> Outcome:
    """What an answer says: any 2xx takes the event; 410 wants none any more (RFC 9110 15.5.11); all else may pass."""
    text = f"HTTP {status}"
    if 200 <= status < 300:
        return Outcome(Reached.YES, "handed-over", text, answered=True)
    after = http.retry_after(headers.get("Retry-After", ""), now)
    if status == 410:
        return Outcome(Reached.NO, "http-permanent", f"{text}: it wants no events any more", True, answered=True)
    if 300 <= status < 400:
        text = f"{text}: redirects are not followed"
        return Outcome(Reached.NO, "http-redirect", text, answered=True, after=after)
    code = "http-temporary" if status >= 500 or status in (408, 425, 429) else "http-permanent"
    return Outcome(Reached.NO, code, text, answered=True, after=after)
