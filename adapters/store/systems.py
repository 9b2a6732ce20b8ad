"""Record systems and API keys inside a transaction, and between values and rows."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.store import rows
from adapters.store.rows import EPOCH, MICROSECOND, instant, micros
from adapters.store.session import Row, Session
from hub.message import FILE_KEY, ApiKey
from hub.record_systems.kept import REVISION, KeptChange, SystemRecord


def system(row: Row) -> SystemRecord:
    """The value of a row of `record_systems`."""
    return SystemRecord(row["id"], row["said"], EPOCH + row["made_at"] * MICROSECOND)


def key(row: Row) -> ApiKey:
    """The value of a row of `api_keys`."""
    times = (instant(row[name]) for name in ("made_at", "expires_at", "revoked_at", "used_at"))
    return ApiKey(row["sha256"], row["system"], row["number"], *times)


def change(session: Session, revision: int, wanted: KeptChange) -> bool:
    """See hub.record_systems.kept.KeepsSystems: who raises the revision first goes first, the others look again."""
    session.run("begin_revision", REVISION)
    if not session.run("next_revision", REVISION, revision).rowcount:
        return False
    for gone in wanted.gone:
        session.run("forget_system", gone)
        session.run("forget_keys", gone)
    for one in wanted.systems:
        session.run("keep_system", one.id, one.said, micros(one.made_at))
    for k in wanted.keys:
        times = (micros(at) for at in (k.made_at, k.expires_at, k.revoked_at))
        session.run("keep_key", k.sha256, k.system, k.number, *times)
    for entry in wanted.journal:
        session.run("keep_entry", *rows.entry_row(entry))
    return True


def used(session: Session, wanted: Sequence[tuple[ApiKey, int | None]]) -> None:
    """In the order of their digests, so that two nodes wait for one another and not for ever."""
    for one, at in wanted:
        if one.number == FILE_KEY:
            session.run("use_file_key", one.sha256, one.system, at)
        else:
            session.run("use_key", at, one.sha256, at)
