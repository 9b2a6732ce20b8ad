"""Questions with filters, as SQL that walks an index in its order: no more rows than are asked for, however many there are."""

# The columns are ours; what others say goes into the marks.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

from adapters.store.rows import micros
from hub import ids
from hub.ports import ArrivalFilter, ArrivalState, DeliveryFilter, MessageFilter

#: Text and values for its marks.
Question = tuple[str, list[Any]]
#: Ids as hub.ids.plain makes them of a column: what is indexed. The index leaves out the empty text; a question says so too.
_PLAIN = "rtrim(replace(ltrim(replace(lower({0}), 'urn:uuid:', ''), '{{<'), '-', ''), '}}>') /* by bytes */"
#: No limit.
ALL = (1 << 62) - 1
#: By which ids what is found; an arrival that was taken is found by its message.
NAMES = {
    "messages": ("id", "msg_id", "eb_message_id", "document_id", "conversation_id"),
    "deliveries": ("id", "eb_message_id"),
    "arrivals": ("id", "msg_id", "eb_message_id", "conversation_id"),
}
_KINDS = {"messages": "message", "deliveries": "delivery", "arrivals": "arrival"}

PRIORITIES = tuple(range(10))
_DUE = (
    "SELECT id, address, priority, next_at FROM deliveries INDEXED BY deliveries_due"
    " WHERE priority = {} AND next_at <= ? AND next_at IS NOT NULL AND state IN ('waiting', 'sent')"
    " AND (claimed_until IS NULL OR claimed_until <= ? OR next_at <> claimed_until)"  # no living lease
    " ORDER BY next_at{} LIMIT ?"
)


def due(now: int, by: int, limit: int, *, newest: bool = False) -> Question:
    """The first of each priority's queue, or the last, one after another; the walk ends when there are enough."""
    order = " DESC" if newest else ""
    arms = " UNION ALL ".join(f"SELECT * FROM ({_DUE.format(priority, order)}) AS due" for priority in PRIORITIES)
    return f"SELECT * FROM ({arms}) AS due LIMIT ?", [now, by, limit] * len(PRIORITIES) + [limit]


def attempts(delivery_ids: Sequence[str]) -> Question:
    """How often each of a few deliveries has been tried."""
    return f"SELECT id, attempts FROM deliveries WHERE id IN ({','.join('?' * len(delivery_ids))})", list(delivery_ids)


def messages(wanted: MessageFilter) -> Question:
    """See hub.ports.Store.messages."""
    clauses, values = _conditions(
        (
            ("id", wanted.ids),
            ("from_her", _if(wanted.from_her)),
            ("to_her", _if(wanted.to_her)),
            ("kind", _if(wanted.kind)),
            ("direction", _if(wanted.direction)),
            ("system", _if(wanted.system)),
        )
    )
    if wanted.type_code:
        clauses.append("lower(type_code) = ?")
        values.append(wanted.type_code.lower())
    for column in ("msg_id", "document_id", "eb_message_id", "conversation_id"):
        _named(column, getattr(wanted, column), clauses, values)
    _between("received_at", wanted, clauses, values)
    text = f"SELECT * FROM messages{_where(clauses)} ORDER BY received_at DESC, rowid DESC LIMIT ?"
    return text, [*values, wanted.limit]


def deliveries(wanted: DeliveryFilter) -> Question:
    """See hub.ports.Store.deliveries."""
    clauses, values = _conditions(
        (
            ("id", wanted.ids),
            ("message_id", _if(wanted.message_id) or wanted.message_ids),
            ("receiver", wanted.receivers),
            ("sender", wanted.senders),
            ("channel", _if(wanted.channel)),
        )
    )
    _named("eb_message_id", wanted.eb_message_id, clauses, values)
    if wanted.msg_id:  # two look-ups by index; an OR over both columns would walk the table
        arms = [_arm(column, wanted.msg_id) for column in ("msg_id", "document_id")]
        looked = " UNION ".join(f"SELECT id FROM messages WHERE {clause}" for clause, _ in arms)
        clauses.append(f"message_id IN ({looked})")
        values += [value for _, several in arms for value in several]
    if wanted.type_code:
        clauses.append("(SELECT lower(m.type_code) FROM messages m WHERE m.id = deliveries.message_id) = ?")
        values.append(wanted.type_code.lower())
    _between("created_at", wanted, clauses, values)
    order = "ORDER BY created_at DESC, place DESC LIMIT ?" if wanted.newest else "ORDER BY created_at, place LIMIT ?"
    columns = "SELECT *, rowid AS place FROM deliveries"
    if len(wanted.states) > 1:
        text, values = _each(f"{columns}{{}} {order}", clauses, values, wanted.states, wanted.limit)
        return f"SELECT * FROM ({text}) AS each {order}", [*values, wanted.limit]
    one, more = _conditions((("state", wanted.states),))
    return f"{columns}{_where(clauses + one)} {order}", [*values, *more, wanted.limit]


def arrivals(wanted: ArrivalFilter) -> Question:
    """See hub.ports.Store.arrivals: the few are chosen before their bytes are read."""
    text, values = _chosen(wanted)
    read = "b.content" if not wanted.bare else "NULL AS content"
    return (
        f"SELECT a.*, b.sha256, {read} FROM arrivals a JOIN bodies b ON b.sha256 = a.body"
        f" WHERE a.id IN (SELECT id FROM ({text}) AS chosen) ORDER BY a.received_at DESC, a.rowid DESC",
        values,
    )


def _chosen(wanted: ArrivalFilter) -> Question:
    order = "ORDER BY received_at DESC, place DESC LIMIT ?"
    clauses, values = _conditions(
        (
            ("id", wanted.ids),
            ("code", _if(wanted.code)),
            ("from_her", _if(wanted.from_her)),
            ("to_her", _if(wanted.to_her)),
        )
    )
    if wanted.type_code:
        clauses.append("lower(type_code) = ?")
        values.append(wanted.type_code.lower())
    if wanted.discarded is not None:
        clauses.append(f"discarded_at IS {'NOT ' if wanted.discarded else ''}NULL")
    _between("received_at", wanted, clauses, values)
    states = wanted.states or get_args(ArrivalState)
    arm = f"SELECT id, received_at, rowid AS place FROM arrivals{{}} {order}"
    text, values = _each(arm, clauses, values, states, wanted.limit)
    return f"SELECT id FROM ({text}) AS each {order}", [*values, wanted.limit]


def counted(wanted: MessageFilter | DeliveryFilter | ArrivalFilter) -> Question:
    """How many fit, whatever the limit."""
    whole = replace(wanted, limit=ALL)
    match whole:
        case MessageFilter():
            text, values = messages(whole)
        case DeliveryFilter():
            text, values = deliveries(whole)
        case ArrivalFilter():
            text, values = _chosen(whole)
    return f"SELECT COUNT(*) AS number FROM ({text}) AS fitting", values


def known(beginning: str, limit: int) -> Question:
    """See hub.ports.Store.known: each kind of id has an index that is walked from there."""
    arms: list[str] = []
    values: list[Any] = []
    for table, columns in NAMES.items():
        for column in columns:
            named = "id /* by bytes */" if column == "id" else _PLAIN.format(column)
            clauses = [f"{named} >= ?", f"{named} < ?"]
            if column != "id":
                clauses.append(f"{column} <> ''")
                clauses += ["state <> 'accepted'"] if table == "arrivals" else []
            first = ids.hyphenated(beginning) if column == "id" else beginning
            arms.append(
                f"SELECT * FROM (SELECT '{_KINDS[table]}' AS what, id, '{column}' AS name, {column} AS value FROM {table}"
                f"{_where(clauses)} ORDER BY {named} LIMIT ?) AS one"
            )
            values += [first, f"{first}\U0010ffff", limit]
    return " UNION ALL ".join(arms), values


def _named(column: str, value: str, clauses: list[str], values: list[Any]) -> None:
    if value:
        clause, several = _arm(column, value)
        clauses.append(clause)
        values += several


def _arm(column: str, value: str) -> Question:
    """An id that is a UUID is compared as one; any other letter by letter."""
    clause = f"{_PLAIN.format(column)} = ? AND {column} <> ''"
    if ids.is_uuid(value):
        return clause, [ids.plain(value)]
    letters = (
        f"{column} || '' = ?"  # as plain equality SQLite would put the value into the expression, and lose its index
    )
    return f"{clause} AND {letters}", [ids.plain(value), value]


def _between(
    column: str, wanted: MessageFilter | DeliveryFilter | ArrivalFilter, clauses: list[str], values: list[Any]
) -> None:
    for at, sign in ((wanted.since, ">="), (wanted.until, "<")):
        if at is not None:
            clauses.append(f"{column} {sign} ?")
            values.append(micros(at))


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
            clauses.append(f"{column} IN ({','.join('?' * len(any_of))})")
            values += any_of
    return clauses, values


def _where(clauses: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(clauses)}" if clauses else ""


def _if(value: str) -> tuple[str, ...]:
    return (value,) if value else ()
