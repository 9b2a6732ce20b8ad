"""Copies of a shared store are PostgreSQL's own: taken by pg_dump, from one moment, while every node goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from adapters.store.postgres.connect import Address, opening
from hub.errors import StoreUnavailable


def dump(address: Address, schema: str, folder: Path) -> Path:
    """Writes a copy into `folder`. Raises StoreUnavailable rather than write over one, or with what to use instead."""
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreUnavailable(
            "pg_dump is not installed here (Debian: postgresql-client); take the copy with it where it is: "
            f"pg_dump --format=custom --schema={schema} --file=samhub.dump DATABASE"
        )
    target = folder / "samhub.dump"
    if target.exists():
        raise StoreUnavailable(f"{target} is there already")
    given = address.parameters()
    password = given.pop("password", None)
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(  # noqa: S603  its words are ours
            [program, "--format=custom", f"--schema={schema}", f"--file={target}", f"--dbname={_words(given)}"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise StoreUnavailable(f"{folder}: the copy could not be written: {error}") from None
    if done.returncode:
        target.unlink(missing_ok=True)
        why = done.stderr.strip().partition("\n")[0]
        raise StoreUnavailable(f"{address.shown()}: the copy could not be taken: {why}")
    return target


def dumped(url: str, password_file: Path | None, folder: Path) -> Path:
    """The same, of the schema that the address leads to; it is not opened as a store."""
    address = Address(url, password_file)
    with opening(address) as connection:
        row = connection.execute("SELECT current_schema()").fetchone()
    return dump(address, row[0] if row else "", folder)


def restoring(target: str, copy: Path) -> str:
    """What to do with such a copy: an operator's work, since it needs rights that a hub has not."""
    return (
        f"{target} is PostgreSQL's to restore: stop every hub, make an empty database, then "
        f"pg_restore --no-owner --dbname=DATABASE {copy / 'samhub.dump'}; afterwards: samhub db check"
    )


def _words(given: dict[str, object]) -> str:
    """What libpq is to be told, as one text."""
    escaped = {name: str(value).replace("\\", "\\\\").replace("'", "\\'") for name, value in given.items()}
    return " ".join(f"{name}='{value}'" for name, value in escaped.items())
