"""Keeping house in a shared store: what is looked at, and summed up, beside what every node does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from adapters.store.postgres.session import PostgresSession
from adapters.store.session import Row
from adapters.store.statements import statements
from hub.states import State


def broken(session: PostgresSession, damaged: Callable[[Iterable[Row]], list[str]]) -> list[str]:
    """All of it looked at in one moment; it may take its time."""
    wrong = []
    with session.connection.transaction():
        session.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.connection.execute("SET LOCAL statement_timeout = 0")
        for name, sql in statements("check", "postgres").items():
            found = [str(row[0]) for row in session.connection.execute(sql.encode())]
            if found:
                wrong.append(f"{name.replace('_', ' ')}: {', '.join(found)}")
        unknown = session.ask("SELECT id FROM deliveries WHERE NOT state = ANY(?)", [[str(state) for state in State]])
        wrong += [f"delivery in no known state: {row[0]}" for row in unknown]
        with session.connection.cursor("bodies") as bodies:
            bodies.itersize = 50
            wrong += damaged(bodies.execute(statements("keeping", "postgres")["needed_bodies"].encode(), binary=True))
    return wrong


def sum_up(session: PostgresSession) -> None:
    """Makes one line of the many that moves have added to the counts."""
    session.run("one_at_a_time", "sum up")
    session.run("sum_up")


def give_offsets(session: PostgresSession) -> None:
    """Notifications that are there for all to see get theirs, in their order."""
    session.run("one_at_a_time", "offsets")
    session.run("give_offsets")
