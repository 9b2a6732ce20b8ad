"""What the control interface is asked in: JSON objects, and the documents that somebody is to send."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from ops.samples.make import KINDS, make
from ops.sector import SECTOR, Member
from ops.system import SystemDice


def document(wish: Mapping[str, Any], sender: str) -> bytes:
    """The one that is given in base64 as `document`, else a sample of `kind` from `sender` to `to`. Raises ValueError."""
    if "document" in wish:
        try:
            return base64.b64decode(wish["document"], validate=True)
        except binascii.Error:
            raise ValueError("document is not base64") from None
    kind = str(wish.get("kind", "epikrise"))
    if kind not in KINDS:
        raise ValueError(f"no kind {kind}; there are: {', '.join(KINDS)}")
    writer, reader = _member(sender), _member(str(wish["to"]))
    msg_id = SystemDice().uuid()
    return make(kind, sender=writer, receiver=reader, gen_date=datetime.now(UTC), msg_id=msg_id, number=1).document


def _member(her_id: str) -> Member:
    return next((m for m in SECTOR if m.her_id == her_id), Member(her_id, f"HER-id {her_id}", "", "x", "999000061"))


def object_of(text: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises ValueError."""
    try:
        found = json.loads(text or b"{}")
    except ValueError:  # no JSON, or no UTF-8
        raise ValueError("the request is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("the request is not a JSON object")
    return found


def wrong(status: int, text: str) -> web.Response:
    """Why nothing was done."""
    return web.json_response({"detail": text}, status=status)
