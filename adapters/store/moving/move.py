"""The move itself: one table after another, and then both are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adapters.store.moving.sqlite import SqliteEnd
from adapters.store.moving.tables import TABLES, End, Sum
from hub.errors import StoreUnavailable


def end(place: str, password_file: Path | None) -> End:
    """A store by its address or by its file."""
    if place.startswith(("postgresql://", "postgres://")):
        from adapters.store.moving.postgres import PostgresEnd
        from adapters.store.postgres.connect import Address

        return PostgresEnd(Address(place, password_file))
    return SqliteEnd(Path(place))


def move(source: End, target: End, told: Callable[[str, int], None]) -> dict[str, int]:
    """Copies everything; the source stays as it was. How many rows of each table; `told` hears of each when it is done.

    Raises StoreUnavailable when a hub is on either, when the target is not empty, or when it is not what the source is.
    """
    sums = {table: Sum() for table in TABLES}
    with source.opened(empty=False), target.opened(empty=True):
        for table, found in sums.items():
            target.fill(table, found.over(source.rows(table)))
            told(table, found.count)
        target.go_on_from(source.highest())
    with target.opened(empty=False):  # as it tells it itself, asked anew
        wrong = [table for table, found in sums.items() if found != _summed(target, table)]
    if wrong:
        text = f"{target.name}: {', '.join(wrong)} is not what it was in {source.name}; do not use it, and move again"
        raise StoreUnavailable(text)
    return {table: found.count for table, found in sums.items()}


def _summed(there: End, table: str) -> Sum:
    found = Sum()
    for _ in found.over(there.rows(table)):
        continue
    return found
