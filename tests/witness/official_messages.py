"""The real messages among the official samples, as (name, envelope, parts): however their files were cut out of the wire."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.formats import mime

FOLDERS = ("samples/ebxml-mime", "samples/ebxml-soap")


@dataclass(frozen=True, slots=True)
class Real:
    """One file; `notes` are those of index.tsv."""

    name: str
    notes: str
    headers: dict[str, str]
    body: bytes

    @property
    def package(self) -> mime.Package | mime.MimeFault:
        """As the hub takes it apart."""
        return mime.read(self.headers, self.body)


def real_messages(standards: Path) -> Iterator[Real]:
    """Every file of the ebxml folders that the index names."""
    with (standards / "index.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["file"].startswith(FOLDERS):
                headers, body = _cut((standards / row["file"]).read_bytes())
                yield Real(row["file"].removeprefix("samples/"), row["notes"], headers, body)


def _cut(raw: bytes) -> tuple[dict[str, str], bytes]:
    """A mail or an HTTP request with its headers, a bare multipart body, or a bare envelope."""
    if raw.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        return {"Content-Type": "text/xml"}, raw
    if raw.startswith(b"--"):
        boundary = raw.splitlines()[0].strip().removeprefix(b"--").decode("latin-1")
        return {"Content-Type": f'multipart/related; type="text/xml"; boundary="{boundary}"'}, raw
    head, _, body = re.sub(rb"^POST [^\n]+\n", b"", raw).partition(
        b"\r\n\r\n" if b"\r\n\r\n" in raw[:4000] else b"\n\n"
    )
    lines = re.sub(r"\r?\n[ \t]+", " ", head.decode("latin-1")).splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body
