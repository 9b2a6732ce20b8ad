"""Calls the hub's real web application without a socket: one request, one response, as a partner would see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def call(
    app: Starlette,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    query: str = "",
    client: str = "127.0.0.1",
) -> Reply:
    """One exchange; the body goes in chunks, as a server hands it over."""
    chunks = [body[i : i + CHUNK] for i in range(0, len(body), CHUNK)] or [b""]
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks)} for n, chunk in enumerate(chunks, 1)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope(method, path, headers, query) | {"client": (client, 1)}, receive, send)
    start = next(m for m in sent if m["type"] == "http.response.start")
    content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return Reply(start["status"], {k.decode("latin-1"): v.decode("latin-1") for k, v in start["headers"]}, content)


def scope(method: str, path: str, headers: Mapping[str, str], query: str = "") -> dict[str, Any]:
    """What a server tells the application of a request before its body."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.lower().encode("latin-1"), v.encode("latin-1", "replace")) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
