"""Questions with filters, as SQL that walks an index in its order: no more rows than are asked for, however many there are."""

# The columns are ours; what others say goes into the marks.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from adapters.store.rows import micros
from hub.ports import ArrivalFilter, ArrivalState, DeliveryFilter, MessageFilter

#: Text and values for its marks.
Question = tuple[str, list[Any]]
#: Columns whose index leaves out the empty text; a question must say that it asks for none of those.
SELDOM_EMPTY = frozenset({"msg_id", "eb_message_id"})


PRIORITIES = tuple(range(10))
_DUE = (
    "SELECT id, address, priority, next_at FROM deliveries INDEXED BY deliveries_due"
    " WHERE priority = {} AND next_at <= ? AND next_at IS NOT NULL AND state IN ('waiting', 'sent')"
    " AND (claimed_until IS NULL OR claimed_until <= ? OR next_at <> claimed_until)"  # no living lease
    " ORDER BY next_at LIMIT ?"
)


def due(now: int, by: int, limit: int) -> Question:
    """The first of each priority's queue, one after another; the walk ends when there are enough."""
    arms = " UNION ALL ".join(f"SELECT * FROM ({_DUE.format(priority)}) AS due" for priority in PRIORITIES)
    return f"SELECT * FROM ({arms}) AS due LIMIT ?", [now, by, limit] * len(PRIORITIES) + [limit]


def attempts(delivery_ids: Sequence[str]) -> Question:
    """How often each of a few deliveries has been tried."""
    return f"SELECT id, attempts FROM deliveries WHERE id IN ({','.join('?' * len(delivery_ids))})", list(delivery_ids)


def messages(wanted: MessageFilter) -> Question:
    """See hub.ports.Store.messages."""
    clauses, values = _conditions(
        (
            ("id", wanted.ids),
            ("msg_id", _if(wanted.msg_id)),
            ("eb_message_id", _if(wanted.eb_message_id)),
            ("from_her", _if(wanted.from_her)),
            ("to_her", _if(wanted.to_her)),
            ("type_code", _if(wanted.type_code)),
            ("kind", _if(wanted.kind)),
            ("direction", _if(wanted.direction)),
            ("system", _if(wanted.system)),
        )
    )
    if wanted.since is not None:
        clauses.append("received_at >= ?")
        values.append(micros(wanted.since))
    text = f"SELECT * FROM messages{_where(clauses)} ORDER BY received_at DESC, rowid DESC LIMIT ?"
    return text, [*values, wanted.limit]


def deliveries(wanted: DeliveryFilter) -> Question:
    """See hub.ports.Store.deliveries."""
    clauses, values = _conditions(
        (
            ("id", wanted.ids),
            ("message_id", _if(wanted.message_id)),
            ("eb_message_id", _if(wanted.eb_message_id)),
            ("receiver", wanted.receivers),
            ("channel", _if(wanted.channel)),
        )
    )
    if wanted.msg_id:  # two look-ups by index; an OR over both columns would walk the table
        clauses.append(
            "message_id IN (SELECT id FROM messages WHERE msg_id = ? AND msg_id <> ''"
            " UNION SELECT id FROM messages WHERE document_id = ? AND document_id <> '')"
        )
        values += [wanted.msg_id, wanted.msg_id]
    order = "ORDER BY created_at, place LIMIT ?"
    columns = "SELECT *, rowid AS place FROM deliveries"
    if len(wanted.states) > 1:
        text, values = _each(f"{columns}{{}} {order}", clauses, values, wanted.states, wanted.limit)
        return f"SELECT * FROM ({text}) AS each {order}", [*values, wanted.limit]
    one, more = _conditions((("state", wanted.states),))
    return f"{columns}{_where(clauses + one)} {order}", [*values, *more, wanted.limit]


def arrivals(wanted: ArrivalFilter) -> Question:
    """See hub.ports.Store.arrivals: the few are chosen before their bytes are read."""
    order = "ORDER BY received_at DESC, place DESC LIMIT ?"
    clauses, values = _conditions((("id", wanted.ids),))
    states = wanted.states or get_args(ArrivalState)
    arm = f"SELECT id, received_at, rowid AS place FROM arrivals{{}} {order}"
    text, values = _each(arm, clauses, values, states, wanted.limit)
    return (
        "SELECT a.*, b.sha256, b.content FROM arrivals a JOIN bodies b ON b.sha256 = a.body"
        f" WHERE a.id IN (SELECT id FROM ({text}) AS each {order}) ORDER BY a.received_at DESC, a.rowid DESC",
        [*values, wanted.limit],
    )


def _each(arm: str, clauses: list[str], values: list[Any], states: Sequence[str], limit: int) -> Question:
    """The first `limit` of each state in the order of its index, together; several states at once would be sorted whole."""
    text = " UNION ALL ".join([f"SELECT * FROM ({arm.format(_where([*clauses, 'state = ?']))}) AS one"] * len(states))
    return text, [value for state in states for value in (*values, state, limit)]


def _conditions(wanted: Sequence[tuple[str, Sequence[Any]]]) -> tuple[list[str], list[Any]]:
    """Those that have values: one value is compared, several are any of them."""
    clauses: list[str] = []
    values: list[Any] = []
    for column, any_of in wanted:
        if any_of:
            filled = f" AND {column} <> ''" if column in SELDOM_EMPTY else ""
            clauses.append(f"{column} IN ({','.join('?' * len(any_of))}){filled}")
            values += any_of
    return clauses, values


def _where(clauses: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(clauses)}" if clauses else ""


def _if(value: str) -> tuple[str, ...]:
    return (value,) if value else ()
