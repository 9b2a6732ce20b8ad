"""Applies a change inside the writer's transaction: claims are looked at first, then moves, then everything is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from adapters.store import rows
from adapters.store.bodies import Body, keep
from adapters.store.rows import micros
from adapters.store.statements import statements
from hub import states
from hub.message import Outcome, Parcel
from hub.ports import Applied, Change, Conflict, MoveOrder, Taken

#: Content → its prepared body, for every body of a change.
Prepared = Mapping[bytes, Body]


def apply(connection: sqlite3.Connection, change: Change, bodies: Prepared) -> Applied | Taken | Conflict:
    """Whole, or not at all: nothing has been written when the answer is not Applied."""
    taken = _taken(connection, change)
    if taken is not None:
        return taken
    begun = {delivery.id: str(delivery.state) for delivery in change.deliveries}
    conflict = _conflict(connection, change.moves, begun)
    if conflict is not None:
        return conflict
    _keep(connection, change, bodies)
    return Applied()


def settle(
    connection: sqlite3.Connection,
    delivery_id: str,
    attempt: int,
    outcome: Outcome,
    at: datetime,
    change: Change,
    bodies: Prepared,
) -> Applied | Taken | Conflict:
    """Completes an attempt and applies what follows from it."""
    done = apply(connection, change, bodies)
    if isinstance(done, Applied):
        values = (micros(at), outcome.reached, outcome.code, outcome.because, delivery_id, attempt)
        connection.execute(statements("write")["end_attempt"], values)
        connection.execute(statements("write")["end_lease"], (delivery_id, attempt))
    return done


def _taken(connection: sqlite3.Connection, change: Change) -> Taken | None:
    for claim in change.claims:
        row = connection.execute(statements("write")["claim_of"], (claim.key,)).fetchone()
        if row is not None:
            return Taken(claim.key, row[0], row[1], row[2])
    return None


def _conflict(
    connection: sqlite3.Connection, moves: tuple[MoveOrder, ...], standing: dict[str, str]
) -> Conflict | None:
    """Each move from where the one before left it."""
    for order in moves:
        state = standing.get(order.delivery_id) or _state(connection, order.delivery_id)
        if not states.allowed(state, order.move):
            return Conflict(order.delivery_id, state)
        standing[order.delivery_id] = states.after(order.move)
    return None


def _state(connection: sqlite3.Connection, delivery_id: str) -> str:
    row = connection.execute(statements("write")["state_of"], (delivery_id,)).fetchone()
    if row is None:
        raise LookupError(f"delivery {delivery_id} is not in the store")
    return str(row[0])


def _keep(connection: sqlite3.Connection, change: Change, bodies: Prepared) -> None:
    sql = statements("write")
    arrival_id = ""
    if change.arrival is not None:
        arrival_id = change.arrival.arrival.id
        body = keep(connection, bodies[change.arrival.arrival.body])
        connection.execute(sql["keep_arrival"], rows.arrival_row(change.arrival, body))
    first = change.messages[0].record.id if change.messages else ""
    connection.executemany(sql["keep_claim"], [(c.key, c.digest, arrival_id, first) for c in change.claims])
    for new in change.messages:
        document = keep(connection, bodies[new.document])
        connection.execute(sql["keep_message"], rows.message_row(new.record, document))
    connection.executemany(sql["keep_delivery"], [rows.delivery_row(d) for d in change.deliveries])
    for order in change.moves:
        _move(connection, order)
    connection.executemany(sql["keep_receipt"], [rows.receipt_row(r) for r in change.receipts])
    connection.executemany(sql["keep_notification"], [rows.notification_row(n) for n in change.notifications])
    connection.executemany(sql["keep_entry"], [rows.entry_row(e) for e in change.journal])


def _move(connection: sqlite3.Connection, order: MoveOrder) -> None:
    sql = statements("write")
    values = (
        states.after(order.move),
        micros(order.next_at),
        order.code,
        order.because,
        micros(order.at),
        order.handed_over,
        order.apprec_status,
        order.apprec_code,
        order.eb_message_id,
        micros(order.give_up_at),
        micros(order.apprec_due_at),
        order.delivery_id,
    )
    connection.execute(sql["move"], values)
    if order.eb_message_id is not None:
        connection.execute(sql["forget_parcel"], (order.delivery_id,))


def keep_parcel(
    connection: sqlite3.Connection, delivery_id: str, parcel: Parcel, eb_message_id: str, body: Body
) -> bool:
    """Whether these are the bytes that are kept; false when others were kept before."""
    sql = statements("write")
    headers, digests = rows.parcel_headers(parcel)
    done = connection.execute(sql["keep_parcel"], (delivery_id, headers, keep(connection, body), digests))
    if not done.rowcount:
        return False
    connection.execute(sql["name_parcel"], (eb_message_id, delivery_id))
    return True


def take_undecided(connection: sqlite3.Connection, now: datetime, limit: int, lease: timedelta) -> list[str]:
    """Ids of arrivals to be judged again, the oldest first; each is left alone for the lease."""
    sql = statements("write")
    taken = [row[0] for row in connection.execute(sql["undecided"], (micros(now), limit))]
    connection.executemany(sql["postpone_arrival"], [(micros(now + lease), arrival_id) for arrival_id in taken])
    return taken


def extend(connection: sqlite3.Connection, delivery_ids: Sequence[str], until: datetime) -> None:
    """See hub.ports.Store.extend; where a person or a receipt has timed it anew, that time stands."""
    later = micros(until)
    connection.executemany(statements("write")["extend"], [(later, later, one, later) for one in delivery_ids])


def lead(connection: sqlite3.Connection, duty: str, node: str, now: datetime, term: timedelta) -> bool:
    """See hub.ports.Store.lead."""
    done = connection.execute(statements("write")["lead"], (duty, node, micros(now + term), micros(now)))
    return bool(done.rowcount)
