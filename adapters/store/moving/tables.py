"""What a store consists of, whichever database keeps it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.store.statements import migrations

#: In an order in which each finds what it refers to. `standing` is counted anew as they come.
TABLES = (
    "dictionaries",
    "bodies",
    "arrivals",
    "claims",
    "messages",
    "deliveries",
    "attempts",
    "parcels",
    "receipts",
    "notifications",
    "journal",
    "duties",
    "bookmarks",
    "learnt",
    "nodes",
    "circuits",
    "configurations",
    "record_systems",
    "api_keys",
    "webhooks",
)
#: Whose rows are told apart by the order in which they came.
IN_ORDER = ("arrivals", "messages", "deliveries")
#: Whose numbers only grow, also after the newest were deleted, and the column that holds them.
NUMBERED = {"notifications": "offset", "journal": "number", "receipts": "number"}
Values = tuple[Any, ...]


def columns(table: str) -> tuple[str, ...]:
    """The columns of a table, as the migrations of the embedded store make them; `rowid` where the order counts."""
    sql = "\n".join(sql for _, sql in migrations("sqlite"))
    sql = re.sub(r"--.*$", "", sql, flags=re.MULTILINE)
    made = re.search(rf"CREATE TABLE {table} \((.*?)\n\)", sql, re.DOTALL)
    if made is None:
        raise LookupError(f"no migration makes {table}")
    names = re.findall(r"^\s+([a-z]\w*)\s+(?:TEXT|INTEGER|BLOB)\b", made.group(1), re.MULTILINE)
    names += re.findall(rf"ALTER TABLE {table} ADD COLUMN (\w+)", sql)
    return (*(("rowid",) if table in IN_ORDER else ()), *names)


@dataclass
class Sum:
    """How many rows, and a digest of them that does not depend on their order."""

    count: int = 0
    digest: int = 0

    def over(self, rows: Iterable[Values]) -> Iterator[Values]:
        """Passes rows through and adds them up."""
        for row in rows:
            self.count += 1
            words = hashlib.sha256()
            for value in row:
                told = value if isinstance(value, bytes) else repr(_as_all_keep_it(value)).encode()
                words.update(f"{type(value).__name__}:{len(told)}:".encode() + told)
            self.digest = (self.digest + int.from_bytes(words.digest(), "big")) % (1 << 256)
            yield row


def _as_all_keep_it(value: object) -> object:
    """A NUL in a text is marked where one of the two cannot keep it."""
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


class End(Protocol):
    """One of the two stores, with nobody else on it."""

    def opened(self, *, empty: bool) -> AbstractContextManager[None]:
        """All that is done inside is one transaction. Raises StoreUnavailable when somebody is on it, or it is not empty."""
        ...

    def rows(self, table: str) -> Iterator[Values]:
        """Every row, by the columns of `columns(table)`."""
        ...

    def fill(self, table: str, rows: Iterable[Values]) -> None:
        """Puts rows into an empty table."""
        ...

    def highest(self) -> dict[str, int]:
        """For each numbered table the highest number that was ever given."""
        ...

    def go_on_from(self, highest: dict[str, int]) -> None:
        """The next numbers are higher than these."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...
