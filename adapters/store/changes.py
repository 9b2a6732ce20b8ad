"""Applies a change inside a transaction: claims are taken first, then moves are judged, then everything is kept.

Locks are taken in this order too, and among themselves by name: two that want the same wait for one another, not for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.store import rows
from adapters.store.bodies import Body, keep
from adapters.store.packing import asis
from adapters.store.rows import micros
from adapters.store.session import Refused, Session
from hub import states, wishes
from hub.configured import REVISION
from hub.events import Entry
from hub.message import Configuration, NewMessage, Outcome, Parcel
from hub.ports import Applied, ArrivalRecord, Change, CircuitRecord, Conflict, MoveOrder, NodeRecord, Taken

#: What moves a delivery says when it is tried next, whatever lease it has; what only sends it another way says so unless
#: it has one, for nobody may overtake the attempt that is under way.
ANY_LEASE, NO_LEASE = 0, 2**62
#: A node that has not been heard of for so long is not shown any more.
FORGOTTEN = timedelta(days=1)
#: A term that ends later than so many times its own length, and this time, from now was given by another clock.
LONGER, LONGER_LEAST = 4, timedelta(minutes=1)
#: Content → its prepared body, for every body of a change.
Prepared = Mapping[bytes, Body]


def apply(session: Session, change: Change, bodies: Prepared, also: Sequence[str] = ()) -> Applied:
    """Whole, or not at all: raises Refused, and what has been written until then must be undone.

    `also` are deliveries that the caller writes in the same transaction.
    """
    _take_claims(session, change)
    _judge_moves(session, change, also)
    _keep(session, change, bodies)
    return Applied()


def settle(
    session: Session,
    delivery_id: str,
    attempt: int,
    outcome: Outcome,
    at: datetime,
    change: Change,
    bodies: Prepared,
) -> Applied:
    """Completes an attempt and applies what follows from it."""
    done = apply(session, change, bodies, (delivery_id,))
    with session.together():
        session.run("end_attempt", micros(at), outcome.reached, outcome.code, outcome.because, delivery_id, attempt)
        session.run("end_lease", delivery_id, attempt)
        if not outcome.made:  # settled before anything was tried: there was no attempt
            session.run("forget_attempt", attempt, delivery_id, attempt)
            session.run("take_back_attempt", delivery_id, attempt)
    return done


def _take_claims(session: Session, change: Change) -> None:
    if not change.claims:
        return
    arrival_id = change.arrival.arrival.id if change.arrival is not None else ""
    first = change.messages[0].record.id if change.messages else ""
    wanted = sorted(change.claims, key=lambda claim: claim.key)
    if len({claim.key for claim in wanted}) < len(wanted):
        raise ValueError("a change takes the same claim twice")
    kept = session.run_each("keep_claim", [(c.key, c.digest, arrival_id, first) for c in wanted])
    taken = {claim.key for claim, count in zip(wanted, kept, strict=True) if not count}
    if taken:
        key = next(claim.key for claim in change.claims if claim.key in taken)
        raise Refused(Taken(key, *session.run("claim_of", key).fetchone()))


def _judge_moves(session: Session, change: Change, also: Sequence[str]) -> None:
    """Each move from where the one before left it."""
    made = {delivery.id: str(delivery.state) for delivery in change.deliveries}
    touched = {order.delivery_id for order in change.moves} | {word.delivery_id for word in change.words} | set(also)
    standing = {**session.standing(sorted(touched - set(made))), **made} if touched else made
    for order in change.moves:
        if order.delivery_id not in standing:
            raise LookupError(f"delivery {order.delivery_id} is not in the store")
        if not states.allowed(standing[order.delivery_id], order.move):
            raise Refused(Conflict(order.delivery_id, standing[order.delivery_id]))
        standing[order.delivery_id] = states.after(order.move)


def _keep(session: Session, change: Change, bodies: Prepared) -> None:
    with session.together():
        for body in sorted(bodies.values(), key=lambda body: body.sha256):
            keep(session, body)
        if change.arrival is not None:
            _keep_arrival(session, change.arrival, bodies)
        for new in change.messages:
            _keep_message(session, new, bodies)
        for delivery in change.deliveries:
            session.run("keep_delivery", *rows.delivery_row(delivery))
            if delivery.urgent:
                session.run("keep_urgent", delivery.id)
        for order in change.moves:
            _move(session, order)
        for word in change.words:
            session.run("keep_word", word.said, word.cause, word.delivery_id)
        for receipt in change.receipts:
            session.run("keep_receipt", *rows.receipt_row(receipt, asis(receipt.body)))
        for notification in change.notifications:
            session.run("keep_notification", *rows.notification_row(notification))
        for entry in change.journal:
            session.run("keep_entry", *rows.entry_row(entry))
        for one in sorted(change.learnt, key=lambda one: (one.her_id, one.fact)):
            session.run("keep_learnt", one.her_id, one.fact, one.value, micros(one.at))


def _keep_message(session: Session, new: NewMessage, bodies: Prepared) -> None:
    session.run("keep_message", *rows.message_row(new.record, bodies[new.document].sha256))
    if wished := wishes.written(new.record.transport):
        session.run("keep_wishes", wished, new.record.id)


def _keep_arrival(session: Session, record: ArrivalRecord, bodies: Prepared) -> None:
    session.run("keep_arrival", *rows.arrival_row(record, bodies[record.arrival.body].sha256, asis(record.answer)))
    if facts := rows.facts_row(record):
        session.run("keep_facts", *facts)


def _move(session: Session, order: MoveOrder) -> None:
    session.run(
        "move",
        states.after(order.move),
        ANY_LEASE if order.address is not None and order.next_at is not None else NO_LEASE,
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
        order.failures,
        order.said,
        micros(order.expires_at),
        micros(order.interval_from),
        order.lost,
        _cause(order),
        order.channel,
        order.address,
        order.rule,
        order.delivery_id,
    )
    if order.eb_message_id is not None:
        session.run("forget_parcel", order.delivery_id)


def _cause(order: MoveOrder) -> str | None:
    """What went wrong counts while it is open; what was acknowledged or settled has overcome it, or has its own code."""
    if order.cause is None and states.after(order.move) not in states.OPEN:
        return ""
    return order.cause


def keep_parcel(session: Session, delivery_id: str, parcel: Parcel, eb_message_id: str, body: Body) -> bool:
    """Whether these are the bytes that are kept; false when others were kept before."""
    session.standing((delivery_id,))
    headers, digests = rows.parcel_headers(parcel)
    keep(session, body)
    if not session.run("keep_parcel", delivery_id, headers, body.sha256, digests).rowcount:
        return False
    session.run("name_parcel", eb_message_id, delivery_id)
    if (terms := parcel.terms) is not None:
        interval = terms.retry_interval // rows.MICROSECOND
        session.run("keep_terms", int(terms.ack_requested), terms.retries, interval, terms.sealed_by, delivery_id)
    return True


def take_undecided(session: Session, now: datetime, limit: int, lease: timedelta) -> list[str]:
    """Ids of arrivals to be judged again, the oldest first; each is left alone for the lease."""
    taken = [row[0] for row in session.run("undecided", micros(now), limit)]
    session.run_each("postpone_arrival", [(micros(now + lease), arrival_id) for arrival_id in taken])
    return taken


def extend(session: Session, delivery_ids: Sequence[str], until: datetime) -> None:
    """See hub.ports.Store.extend; where a person or a receipt has timed it anew, that time stands."""
    later = micros(until)
    session.run_each("extend", [(later, later, one, later) for one in sorted(set(delivery_ids))])


def tell_node(session: Session, node: NodeRecord) -> None:
    """See hub.ports.Store.tell_node."""
    session.run("forget_nodes", micros(node.seen - FORGOTTEN))
    session.run("tell_node", *rows.node_row(node))


def keep_circuits(
    session: Session, kept: Sequence[CircuitRecord], closed: Sequence[str], journal: Sequence[Entry]
) -> None:
    """See hub.ports.Store.keep_circuits."""
    for one in sorted(kept, key=lambda one: one.address):
        session.run("keep_circuit", *rows.circuit_row(one))
    for address in sorted(closed):
        session.run("close_circuit", address)
    for entry in journal:
        session.run("keep_entry", *rows.entry_row(entry))


def configure(
    session: Session, kept: Sequence[Configuration], removed: Sequence[str], client: str, journal: Sequence[Entry]
) -> str:
    """See hub.ports.Store.configure. The revision is raised first: who changes something goes one after the other."""
    session.run("raise_revision", REVISION)
    named = sorted({*(one.her_id for one in kept), *removed})
    for her_id in named:
        found = session.run("locked_by", her_id).fetchone()
        if found is not None and found["client"] != client:
            return her_id
    for her_id in named:
        session.run("forget_configuration", her_id)
    for one in kept:
        session.run("keep_configuration", *rows.configuration_row(one))
    for entry in journal:
        session.run("keep_entry", *rows.entry_row(entry))
    return ""


def delete_notifications(session: Session, receivers: Sequence[str], offsets: Sequence[int], at: datetime) -> int:
    """See hub.ports.Store.delete_notifications."""
    return session.run("delete_notifications", micros(at), json.dumps(offsets), json.dumps(receivers)).rowcount


def lead(session: Session, duty: str, node: str, now: datetime, term: timedelta) -> bool:
    """See hub.ports.Store.lead."""
    beyond = micros(now + LONGER * term + LONGER_LEAST)
    return bool(session.run("lead", duty, node, micros(now + term), micros(now), beyond).rowcount)


@dataclass(frozen=True, slots=True)
class PullBack:
    """See hub.ports.Store.pull_back."""

    now: datetime
    by: datetime
    lease: timedelta
    longest: timedelta
    arrivals: timedelta
    soon: timedelta


def pull_back(session: Session, terms: PullBack) -> int:
    """See hub.ports.Store.pull_back."""
    at, over = micros(terms.now) or 0, micros(terms.by) or 0
    ahead, soon = (int(one.total_seconds() * 1_000_000) for one in (terms.longest, terms.soon))
    end, judged = micros(terms.by + terms.lease), micros(terms.now + terms.arrivals)
    return (
        session.run("release_ended", at, over, at).rowcount
        + session.run("shorten_leases", end, end, end).rowcount
        + session.run("pull_back_deliveries", at, soon, soon, at + ahead, at).rowcount
        + session.run("pull_back_arrivals", judged, judged).rowcount
    )
