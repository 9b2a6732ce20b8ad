"""The log's level follows from what is lost; its fields say whose it is, and never what somebody wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from adapters.store.sqlite import SqliteStore
from hub.codes import REASONS
from hub.events import Entry, Event
from hub.ports import ArrivalFacts, Change, Store
from hub.states import State
from ops.serve.spoken import LOST, NO_FAULT, level, spoken
from tests.conformance import values as v
from tests.support.hearing import Told, told  # noqa: F401

FACTS = ArrivalFacts("8000402", "8000202", "HENVISNING")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A real store that speaks."""
    async with await SqliteStore.open(tmp_path / "samhub.db", min_free_bytes=0) as opened:
        yield spoken(opened, CollectorRegistry(), lambda: v.NOW)


def entry(event: Event, code: str, **given: Any) -> Entry:
    return replace(Entry(v.NOW, event, code, "because"), **given)


@pytest.mark.parametrize("event", Event)
def test_the_level_follows_from_what_is_lost(event: Event) -> None:
    """Our own fault is an error; what somebody lost is a warning whoever is to blame; what heals itself is news."""
    for code, row in REASONS.items():
        found = level(entry(event, code))
        if row.blame == "us" and code not in NO_FAULT:
            assert found == "error", code
        elif event in LOST:
            assert found == "warning", code
        elif not code.startswith("receipt-"):
            assert found == "info", code


def test_a_dead_letter_whose_cause_is_ours_is_an_error() -> None:
    assert level(entry(Event.DEAD, "retries-exhausted"), "receipt-unregistered") == "error"
    assert level(entry(Event.DEAD, "retries-exhausted"), "connect-failed") == "warning"
    assert level(entry(Event.FAILED, "connect-failed")) == "info"
    assert level(entry(Event.REFUSED, "decryption")) == "warning"
    assert level(entry(Event.SIGNAL, "receipt-unproven")) == "warning"


async def test_a_refused_arrival_is_told_with_its_parties(store: Store, told: Told) -> None:  # noqa: F811
    record = v.arrival_record("refused", code="certificate-unregistered", facts=FACTS)
    said = entry(Event.REFUSED, "certificate-unregistered", arrival_id=record.arrival.id)
    await store.apply(Change(arrival=record, journal=(said,)))
    [one] = told
    assert (one["log_level"], one["from"], one["to"], one["type"]) == ("warning", "8000402", "8000202", "HENVISNING")


async def test_what_somebody_wrote_is_no_field(store: Store, told: Told) -> None:  # noqa: F811
    """A HER-id is a number, a type a known word; all else may be content."""
    facts = ArrivalFacts("Kari Oppdiktet", "12345678901", "Oppdiktet diagnose")
    record = v.arrival_record("quarantined", code="not-ebxml", facts=facts)
    said = entry(Event.QUARANTINED, "not-ebxml", arrival_id=record.arrival.id)
    await store.apply(Change(arrival=record, journal=(said,)))
    assert "ppdiktet" not in str(told) and "12345678901" not in str(told)
    assert told[0]["type"] == "(other)"


@pytest.mark.parametrize(("event", "move"), [(Event.DEAD, "give_up"), (Event.OVERDUE, "miss")])
async def test_what_is_lost_later_is_told_with_party_type_and_cause(
    store: Store,
    told: Told,  # noqa: F811
    event: Event,
    move: str,
) -> None:
    kept = await v.promised(store, state=State.SENT, next_at=v.NOW)
    [message] = [m for m in [await store.message(kept.message_id)] if m]
    told.clear()
    gone = v.move(kept.id, move, code="retries-exhausted", cause="timed-out")
    said = entry(event, "retries-exhausted", message_id=kept.message_id, delivery_id=kept.id)
    await store.apply(Change(moves=(gone,), journal=(said,)))
    [one] = told
    assert (one["log_level"], one["from"], one["to"]) == ("warning", kept.sender, kept.receiver)
    assert (one["type"], one["cause"]) == (message.type_code, "timed-out")


async def test_who_acted_is_told(store: Store, told: Told) -> None:  # noqa: F811
    kept = await v.promised(store)
    told.clear()
    await store.apply(Change(journal=(entry(Event.HELD, "held", message_id=kept.message_id, actor="kari"),)))
    assert told[0]["actor"] == "kari" and told[0]["log_level"] == "info"


async def test_a_store_that_cannot_be_asked_does_not_silence_the_log(store: Store, told: Told) -> None:  # noqa: F811
    """What was made durable stays so, and is told as far as is known."""

    class Mute:
        """Keeps, and answers no question."""

        def __getattr__(self, name: str) -> Any:
            if name == "apply":
                return store.apply
            raise RuntimeError("asked")

    await spoken(Mute(), CollectorRegistry(), lambda: v.NOW).apply(  # type: ignore[arg-type]
        Change(journal=(entry(Event.DEAD, "retries-exhausted", delivery_id="gone"),))
    )
    assert [one["log_level"] for one in told] == ["warning", "warning"]
