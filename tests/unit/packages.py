"""Writes MIME packages by hand, so that a test decides every byte."""

from __future__ import annotations

from collections.abc import Sequence

ENVELOPE = b"<e/>"
RELATED = 'multipart/related; type="text/xml"; boundary="b"; start="<root>"'
ROOT = (("Content-ID", "<root>"), ("Content-Type", 'text/xml; charset="UTF-8"'), ("Content-Transfer-Encoding", "8bit"))
PAYLOAD = (
    ("Content-ID", "<part>"),
    ("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data"),
    ("Content-Transfer-Encoding", "base64"),
)
Written = tuple[Sequence[tuple[str, str]], bytes]


def package(
    *parts: Written, boundary: str = "b", line: bytes = b"\r\n", preamble: bytes = b"", closed: bool = True
) -> bytes:
    """A multipart body: each part as (headers, content as it stands on the wire)."""
    mark = b"--" + boundary.encode()
    pieces = [preamble + line] if preamble else []
    for headers, content in parts:
        written = b"".join(f"{name}: {value}".encode() + line for name, value in headers)
        pieces += [mark, line, written, line, content, line]
    return b"".join(pieces) + (mark + b"--" + line if closed else b"")
