"""What record systems are told of a move: the whole table of states and moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from hub import notices
from hub.events import NotificationType
from hub.message import Channel, DeliveryRecord, Party
from hub.ports import MoveOrder
from hub.states import MOVES, Move, after

NOW = datetime(2026, 3, 2, tzinfo=UTC)
OURS, THEIRS = Party("8000202", "Legen", system="legesenter"), Party("8009102", "Partner")
KIT = SimpleNamespace(directory=SimpleNamespace(party={p.her_id: p for p in (OURS, THEIRS)}.get))
SENT = DeliveryRecord("d", "m", OURS.her_id, THEIRS.her_id, Channel.EBXML_HTTP, "", "waiting", NOW, NOW, NOW, None)
EVERY = [(move, start) for move, (starts, _) in MOVES.items() for start in sorted(starts)]


@pytest.mark.parametrize(("move", "start"), EVERY, ids=[f"{start}-{move}" for move, start in EVERY])
def test_whoever_sent_it_is_told_of_every_change(move, start):
    """Of nothing that stays where it is; whoever it lies ready for hears of that as well."""
    told = notices.of_move(replace(SENT, state=start), MoveOrder("d", move, NOW, "code", "because"), KIT)
    changed = start != after(move)
    assert [n.receiver for n in told if n.type is NotificationType.DELIVERY_STATE] == [OURS.her_id] * changed
    assert [n.receiver for n in told if n.type is NotificationType.NEW_MESSAGE] == [THEIRS.her_id] * (
        move is Move.OFFER
    )
    assert len(told) == changed + (move is Move.OFFER)


@pytest.mark.parametrize("other", [{"kind": "signal"}, {"sender": THEIRS.her_id}, {"sender": "1"}], ids=str)
def test_receipts_of_ours_and_senders_elsewhere_are_not_told(other):
    delivery = replace(SENT, **other)
    assert notices.of_move(delivery, MoveOrder("d", Move.DISCARD, NOW, "code", "because"), KIT) == ()
