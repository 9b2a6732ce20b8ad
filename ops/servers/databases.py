"""Places for hubs in the PostgreSQL that a run shares: a database each, copied from a template, and lent again when emptied."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from adapters.store.postgres.migrate import migrate
from adapters.store.statements import migrations
from ops.servers.postgres import shared_url

#: Key of the advisory lock under which the template is made.
TEMPLATE_LOCK = 7_326_481
#: What a database is like: its tables, columns, indexes, functions and triggers, its own settings, and how far it is migrated.
LIKENESS = """
SELECT md5(string_agg(one, ';' ORDER BY one)) FROM (
    SELECT format('%s %s %s %s %s', c.relname, a.attname, a.atttypid, a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS one
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    UNION ALL SELECT format('%s %s', tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT s.setconfig::text FROM pg_db_role_setting s JOIN pg_database b ON b.oid = s.setdatabase
               WHERE b.datname = current_database()
    UNION ALL SELECT v::text FROM schema_version v
) AS everything"""
#: Tables in which anything was ever written.
WRITTEN = """
SELECT relname FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_version' AND pg_relation_size(oid) > 0"""
#: Whoever is still there: a hub that a test has killed may not be gone yet.
SEND_AWAY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@contextlib.contextmanager
def database(name: str = "", *, empty: bool = False, fresh: bool = False) -> Iterator[str]:
    """A hub's place in the shared server: the address of a database of its own.

    It has the tables of a store, with nothing in them, unless it shall be `empty`. One with a name, an empty one and a
    `fresh` one are made now and dropped afterwards; the others are emptied and lent again, for to copy hundreds of files
    costs more than most tests do.
    """
    if name or empty or fresh:
        name = name or _new_name()
        _create(name, "template1" if empty else _template())
        try:
            yield _beside(name)
        finally:
            _drop(name)
        return
    lent = _free.pop() if _free else _made()
    try:
        yield _beside(lent)
    finally:
        _free.append(lent) if _emptied(lent) else _drop(lent)


#: Names of databases of this process that are as new.
_free: list[str] = []


def _made() -> str:
    if not _free:
        atexit.unregister(_drop_free)
        atexit.register(_drop_free)
    name = _new_name()
    _create(name, _template())
    return name


def _drop_free() -> None:
    with contextlib.suppress(psycopg.OperationalError):  # the server that was lent is gone with the run
        while _free:
            _drop(_free.pop())


def _emptied(name: str) -> bool:
    """Makes it as it was when it was copied; false where it cannot be, for its tables are not as they were."""
    with psycopg.connect(_beside(name), autocommit=True) as connection:
        connection.execute(SEND_AWAY)
        if connection.execute(LIKENESS).fetchone() != _likeness():
            return False
        if written := [sql.Identifier(row[0]) for row in connection.execute(WRITTEN)]:
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(written)))
        for row in connection.execute("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL").fetchall():
            connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(row[0])))
    return True


@lru_cache
def _likeness() -> tuple[str, ...] | None:
    with psycopg.connect(_beside(_template()), autocommit=True) as connection:
        return connection.execute(LIKENESS).fetchone()


@lru_cache
def _template() -> str:
    """The database with all migrations that others are copied from: made once on a server, whoever comes first."""
    known = migrations("postgres")
    name = f"samhub_template_{hashlib.sha256(repr(known).encode()).hexdigest()[:12]}"
    with psycopg.connect(shared_url(), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            part = f"{name}_part"
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(part)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(part)))
            with psycopg.connect(_beside(part), autocommit=True) as inside:
                migrate(inside, known)
            renamed = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(renamed.format(sql.Identifier(part), sql.Identifier(name)))
    return name


def _beside(name: str) -> str:
    """The address of another database on the shared server."""
    return urlunsplit(urlsplit(shared_url())._replace(path=f"/{name}"))


def _new_name() -> str:
    return f"samhub_{uuid.uuid4().hex[:12]}"


def _create(name: str, template: str) -> None:
    copied = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
    _told(sql.SQL(copied).format(sql.Identifier(name), sql.Identifier(template)))


def _drop(name: str) -> None:
    _told(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _told(statement: sql.Composed) -> None:
    with psycopg.connect(shared_url(), autocommit=True) as connection:
        connection.execute(statement)
