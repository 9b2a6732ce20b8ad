"""A site's own schemas: the official files it has imported lie in a folder, with a list of what is in force."""

from __future__ import annotations

import hashlib
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from xsd.archive import Found

_LIST: Final = "in-force.toml"
_MAX_FILES: Final = 20_000
_MAX_FILE: Final = 20_000_000
_MAX_ALL: Final = 300_000_000
_WANTED: Final = (".xsd", ".xml")  # schemas, and the catalogs that say which of them are meant


class BadArchive(ValueError):
    """The archive is not one that schemas are taken from; the text says why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The schema in force for a namespace: its path in the folder, and its digest when it was imported."""

    namespace: str
    file: str
    sha256: str


def unpacked(source: Path) -> dict[str, bytes]:
    """Schemas and catalogs of a folder or a ZIP file, by their paths in it. Raises `BadArchive`, `OSError`."""
    if source.is_dir():
        return _bounded(_of_folder(source))
    if not zipfile.is_zipfile(source):
        raise BadArchive(f"{source}: neither a folder nor a ZIP file")
    try:
        with zipfile.ZipFile(source) as archive:
            return _bounded(_of_zip(archive))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, unknown method, encrypted
        raise BadArchive(f"{source}: {error}") from None


def _of_folder(source: Path) -> Iterator[tuple[str, int, bytes]]:
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix.lower() in _WANTED:
            if path.stat().st_size > _MAX_FILE:
                raise BadArchive(f"{path}: larger than any schema")
            yield path.relative_to(source).as_posix(), path.stat().st_size, path.read_bytes()


def _of_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, int, bytes]]:
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
            raise BadArchive(f"{entry.filename}: a path that leads out of the archive; nothing is taken from it")
        if not entry.is_dir() and path.suffix.lower() in _WANTED:
            if entry.file_size > _MAX_FILE:
                raise BadArchive(f"{entry.filename}: larger than any schema")
            yield path.as_posix(), entry.file_size, archive.read(entry)


def _bounded(files: Iterable[tuple[str, int, bytes]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for name, size, content in files:
        total += size
        if len(found) >= _MAX_FILES or total > _MAX_ALL:
            raise BadArchive("larger than any archive of schemas")
        found[name] = content
    return found


def put(folder: Path, texts: dict[str, bytes], found: tuple[Found, ...]) -> tuple[Imported, ...]:
    """Copies what is in force, with its parts, and lists it; what was in force for other namespaces stays so.

    Every import has a folder of its own, so a hub that runs goes on reading the files it began with.
    """
    taken = [one for one in found if one.state in ("in force", "part")]
    name = hashlib.sha256("".join(one.sha256 + one.file for one in taken).encode()).hexdigest()[:12]
    for one in taken:
        path = folder / name / one.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(texts[one.file])
    new = {o.namespace: Imported(o.namespace, f"{name}/{o.file}", o.sha256) for o in taken if o.state == "in force"}
    in_force = {**{one.namespace: one for one in imported(folder)}, **new}
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _LIST, in_force.values())
    return tuple(new.values())


def _write(path: Path, rows: Iterable[Imported]) -> None:
    lines = ["# Written by `samhub schemas import`: the imported schema in force for each namespace.", ""]
    for row in sorted(rows, key=lambda row: row.namespace):
        lines += ["[[schema]]"] + [f'{name} = "{_escaped(getattr(row, name))}"' for name in Imported.__slots__] + [""]
    beside = path.with_suffix(".new")
    beside.write_text("\n".join(lines), "utf-8")
    beside.replace(path)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def imported(folder: Path) -> tuple[Imported, ...]:
    """What is in force by import; empty if nothing has been imported. Raises `ValueError` if the list is malformed."""
    path = folder / _LIST
    if not path.is_file():
        return ()
    try:
        rows = tomllib.loads(path.read_text("utf-8"))["schema"]
        return tuple(Imported(**row) for row in rows)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a list of imported schemas ({error}); import them again") from None


def read(folder: Path, file: str) -> bytes:
    """One imported file. Raises `ValueError` if its path leads out of the folder."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{file}: not a file of the imported schemas")
    return (folder / path).read_bytes()
