"""The shared messages and agreements as trees: bare files, and each part of the MIME messages."""

from __future__ import annotations

import base64
import csv
import email
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lxml import etree

_NEXT_PART = re.compile(r"; (?=[a-z]+/[\w.+-]+/\w+: )")
_BASE64 = "base64 of XML: "
_PARSER = etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False, huge_tree=True)


@dataclass(frozen=True)
class Shared:
    """One document of the collection, and what the collection's index says the official schemas say about it."""

    name: str  #: path in the collection; `#n` behind it is a part of a MIME message
    kind: str
    outcome: str
    raw: bytes = field(repr=False)

    def root(self) -> etree._Element | None:
        """A fresh tree; None if it is not well-formed."""
        try:
            return etree.fromstring(self.raw, _PARSER)
        except etree.XMLSyntaxError:
            return None


@lru_cache(maxsize=1)
def collection(standards: Path) -> tuple[Shared, ...]:
    """Every row of index.tsv that may be XML, in the order of the index."""
    with (standards / "index.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple(document for row in rows for document in _documents(standards, row))


def _documents(standards: Path, row: dict[str, str]) -> Iterator[Shared]:
    raw, outcome = (standards / row["file"]).read_bytes(), row["xsd_outcome"]
    if outcome.startswith(_BASE64):
        raw, outcome = base64.b64decode(raw), outcome.removeprefix(_BASE64)
    if row["kind"] != "ebxml-mime":
        yield Shared(row["file"], row["kind"], outcome, raw)
        return
    outcomes = _NEXT_PART.split(outcome)
    for number, (part, told) in enumerate(zip(_parts(raw), outcomes, strict=True)):
        yield Shared(f"{row['file']}#{number}", row["kind"], told.partition(": ")[2], part)


def _parts(raw: bytes) -> list[bytes]:
    """Contents of the parts, decoded. Some files begin with an HTTP request line, some with the first boundary."""
    if raw.startswith(b"POST "):
        raw = raw.partition(b"\n")[2]
    if raw.startswith(b"--"):
        boundary = raw[2:].split(None, 1)[0]
        raw = b'Content-Type: multipart/related; boundary="' + boundary + b'"\n\n' + raw
    message = email.message_from_bytes(raw)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return [_content(part.get_payload(decode=True)) for part in leaves]


def _content(payload: object) -> bytes:
    return payload.strip() if isinstance(payload, bytes) else b""
