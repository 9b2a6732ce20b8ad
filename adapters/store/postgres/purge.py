"""Removes the content of what was settled long ago from a shared store, while every node goes on."""

from __future__ import annotations

import time
from datetime import datetime

from adapters.store.postgres.connect import Address, Connection, opening
from adapters.store.purge import BATCH, BREATH, Purged, Rule
from adapters.store.statements import statements


def purge(address: Address, before: datetime, *, really: bool, rule: Rule) -> Purged:
    """Documents, arrivals and parcels that only messages settled before `before` name. Raises StoreUnavailable.

    A delivery that asks for a person is not settled. Content that is kept again later is kept whole.
    """
    with opening(address) as connection:
        connection.execute("SET statement_timeout = 0")
        asked = {**rule.values(before), "some": None}
        going = connection.execute(_sql("going"), asked).fetchall()
        if not really:
            return Purged(len(going), sum(row[1] for row in going), 0)
        count, size = 0, 0
        for start in range(0, len(going), BATCH):
            gone = _emptied(connection, rule.values(before), [row[0] for row in going[start : start + BATCH]])
            count, size = count + len(gone), size + sum(gone.values())
            time.sleep(BREATH)
        if count:
            connection.execute("VACUUM bodies")  # what was emptied is overwritten by what comes: it is health data
        return Purged(count, size, 0)


def _emptied(connection: Connection, values: dict[str, object], some: list[str]) -> dict[str, int]:
    """Digests and sizes of those that went: nobody has come to need them, and nobody can until they are gone."""
    with connection.transaction():
        asked = {**values, "some": some}
        for lock in ("lock_deliveries", "lock_bodies"):
            connection.execute(_sql(lock), asked)
        gone = {row[0]: row[1] for row in connection.execute(_sql("going"), asked)}
        connection.execute(_sql("empty"), {"some": list(gone)})
    return gone


def _sql(name: str) -> str:
    return statements("purge", "postgres")[name]
