"""What a developer looks at: the description of each version, and a page to try it on; no other host is asked for anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from starlette.responses import Response

from adapters.rest import openapi
from adapters.rest.table import Version

_FILES = Path(__file__).parent / "page"
#: Name in the address → file, media type.
_PAGE = {
    "docs": ("docs.html", "text/html"),
    "docs.css": ("docs.css", "text/css"),
    "docs.js": ("docs.js", "text/javascript"),
}
#: The page runs its own script and asks its own hub; it cannot be framed, and sends nobody a form or an address.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Described:
    """Answers for one version; each is made once."""

    def __init__(self, version: Version, software: tuple[str, str], *, national: bool) -> None:
        """`software` is our own name and version."""
        self._version, self._software, self._national = version, software, national
        self._made: dict[str, Response] = {}

    def answer(self, parts: tuple[str, ...]) -> Response | None:
        """What lies at `openapi.json`, `docs` and beside it; None where it is something else that is asked for."""
        name = parts[0].lower() if len(parts) == 1 else ""
        if name not in self._made and name in {"openapi.json", *_PAGE}:
            self._made[name] = self._make(name)
        return self._made.get(name)

    def _make(self, name: str) -> Response:
        if name == "openapi.json":
            told = openapi.document(self._version, self._software, national=self._national)
            return Response(json.dumps(told, indent=1), media_type="application/json", headers=_HEADERS)
        file, media = _PAGE[name]
        content = (_FILES / file).read_text("utf-8").replace("@VERSION@", str(self._version.number))
        return Response(content, media_type=media, headers=_HEADERS)


def of(versions: Mapping[int, Version], software: tuple[str, str], *, national: bool) -> Mapping[int, Described]:
    """By number."""
    return {number: Described(one, software, national=national) for number, one in versions.items()}
