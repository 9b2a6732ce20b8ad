"""Purging removes the content of what was settled long ago, that and nothing else, while everybody goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.store import purge as purging
from adapters.store.purge import Purged
from adapters.store.sqlite import SqliteStore
from hub.message import NewMessage
from hub.ports import Applied, ArrivalFilter, Change, Claim, Conflict
from hub.states import SETTLED, TRYING, Move, State
from tests.conformance import values as v

BEFORE = v.later(1000)
LONG_AGO, SINCE = v.later(0), v.later(2000)
LARGE = b"large " * 60_000


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store; checked when the test ends."""
    async with await SqliteStore.open(tmp_path / "samhub.db", min_free_bytes=0) as opened:
        yield opened
        assert await opened.check() == []


async def kept(store: SqliteStore, document: bytes, state: State = State.DONE, **given: Any) -> tuple[str, str]:
    """A message with one delivery in `state` since long ago; its id and the delivery's."""
    record = v.message(received_at=given.pop("received_at", LONG_AGO))
    next_at = LONG_AGO if state in TRYING else None
    delivery = v.delivery(record.id, state=state, next_at=next_at, **{"changed_at": LONG_AGO, **given})
    assert await store.apply(v.accepted(document, record=record, deliveries=(delivery,))) == Applied()
    return record.id, delivery.id


@pytest.mark.parametrize("state", State)
async def test_only_what_is_settled_goes(store: SqliteStore, state: State) -> None:
    """What is under way stays, and so does what asks for a person to send it again."""
    message, _ = await kept(store, b"a document", state)
    gone = await store.purge(BEFORE, really=True)
    assert gone == Purged(int(state in SETTLED), 10 * (state in SETTLED), 0)
    assert await store.document(message) == (None if state in SETTLED else b"a document")


@pytest.mark.parametrize("given", [{"changed_at": SINCE}, {"received_at": SINCE}], ids=["settled since", "came since"])
async def test_what_is_younger_than_the_age_stays(store: SqliteStore, given: dict[str, Any]) -> None:
    """Counted from the last thing that happened to it."""
    message, _ = await kept(store, b"a document", **given)
    assert await store.purge(BEFORE, really=True) == Purged(0, 0, 0)
    assert await store.document(message) == b"a document"


async def test_unless_told_really_it_only_tells_what_would_go(store: SqliteStore) -> None:
    """The same figures, and everything is still there."""
    small, large = [await kept(store, content) for content in (b"small", LARGE)]
    expected = Purged(2, len(LARGE) + 5, 1)
    assert await store.purge(BEFORE, really=False) == expected
    assert await store.document(small[0]) == b"small"
    assert await store.document(large[0]) == LARGE
    assert await store.purge(BEFORE, really=True) == expected
    assert await store.purge(BEFORE, really=True) == Purged(0, 0, 0)


async def test_what_is_known_about_a_purged_message_stays(store: SqliteStore) -> None:
    """Who, when, digest, claims, answer, receipts and journal: evidence, and what tells a late copy from a new message."""
    record = v.arrival_record(arrival=v.arrival(body=b"sealed for us", received_at=LONG_AGO))
    message = v.message(arrival_id=record.arrival.id, received_at=LONG_AGO)
    delivery = v.delivery(message.id, state=State.DONE, changed_at=LONG_AGO)
    change = v.accepted(b"a document", record=message, deliveries=(delivery,), claims=(Claim("key", "digest"),))
    evidence = (v.receipt(message.id, delivery.id),)
    await store.apply(
        Change(record, change.claims, change.messages, change.deliveries, (), evidence, (), change.journal)
    )
    assert (await store.purge(BEFORE, really=True)).bodies == 2
    assert await store.message(message.id) == message
    assert await store.receipts(message.id) == list(evidence)
    assert await store.journal(message.id) == list(change.journal)
    found = await store.earlier("key")
    assert found is not None and found[1] is not None
    assert (found[0].digest, found[1].answer, found[1].arrival.body) == ("digest", record.answer, b"")
    assert await store.apply(v.accepted(claims=(Claim("key", "digest"),))) == found[0]


async def test_a_purged_parcel_is_none(store: SqliteStore) -> None:
    """It is not sent as an empty one."""
    _, delivery = await kept(store, b"a document")
    await store.keep_parcel(delivery, v.parcel(b"sealed"), "x")
    assert (await store.purge(BEFORE, really=True)).bodies == 2
    assert await store.parcel(delivery) is None


@pytest.mark.parametrize("content", [b"the same", LARGE], ids=["small", "large"])
async def test_content_that_somebody_else_needs_stays(store: SqliteStore, content: bytes) -> None:
    """The same document in a message that waits, in an arrival that cannot be judged yet, or in a parcel under way."""
    await kept(store, content)
    waiting, delivery = await kept(store, content, State.WAITING)
    assert (await store.purge(BEFORE, really=True)).bodies == 0
    await store.apply(Change(moves=(v.move(delivery, Move.FINISH, at=LONG_AGO),)))
    await store.apply(Change(arrival=v.arrival_record("undecided", arrival=v.arrival(body=content), next_at=SINCE)))
    assert (await store.purge(BEFORE, really=True)).bodies == 0
    assert await store.document(waiting) == content


@pytest.mark.parametrize("content", [b"the same", LARGE], ids=["small", "large"])
async def test_content_that_comes_again_is_kept_whole(store: SqliteStore, content: bytes) -> None:
    """Under the old name too it is there again."""
    old, _ = await kept(store, content)
    assert (await store.purge(BEFORE, really=True)).bodies == 1
    new, _ = await kept(store, content, State.WAITING)
    assert await store.document(new) == content
    assert await store.document(old) == content


async def test_refused_and_unreadable_arrivals_go_by_their_age(store: SqliteStore) -> None:
    """One that cannot be judged yet never goes."""
    records = {
        state: v.arrival_record(state, arrival=v.arrival(body=state.encode(), received_at=LONG_AGO), next_at=next_at)
        for state, next_at in (("refused", None), ("quarantined", None), ("undecided", SINCE))
    }
    for record in records.values():
        await store.apply(Change(arrival=record))
    assert (await store.purge(BEFORE, really=True)).bodies == 2
    found = {one.state: one.arrival.body for one in await store.arrivals(ArrivalFilter())}
    assert found == {"refused": b"", "quarantined": b"", "undecided": b"undecided"}


async def test_content_needed_again_between_looking_and_removing_stays(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person discards and a copy comes in just then: each batch is looked at anew, alone."""
    resent, delivery = await kept(store, b"sent again", State.REJECTED)
    repeated, _ = await kept(store, b"comes again")
    gone, _ = await kept(store, b"gone")
    looked, loop = purging._looked, asyncio.get_running_loop()

    def meanwhile(*given: object) -> tuple[int, int, int]:
        found = looked(*given)  # type: ignore[arg-type]
        again = Change(moves=(v.move(delivery, Move.RESEND, at=SINCE),))
        for change in (again, v.accepted(b"comes again", record=v.message(received_at=SINCE))):
            assert asyncio.run_coroutine_threadsafe(store.apply(change), loop).result(10) == Applied()
        return found

    monkeypatch.setattr(purging, "_looked", meanwhile)
    assert (await store.purge(BEFORE, really=True)).bodies == 1
    assert [await store.document(m) for m in (resent, repeated, gone)] == [b"sent again", b"comes again", None]


async def test_a_large_body_that_goes_while_it_is_named_is_refused_and_then_kept(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is not taken with half of it gone; sent again it is kept."""
    prepared = store.bodies.prepared

    def gone(content: bytes) -> object:
        body = prepared(content)
        store.bodies.path(body.sha256).unlink()
        return body

    change = v.accepted(LARGE)
    monkeypatch.setattr(store.bodies, "prepared", gone)
    with pytest.raises(Exception, match="removed while it was named; send it again"):
        await store.apply(change)
    monkeypatch.undo()
    assert await store.apply(change) == Applied()
    assert await store.document(change.messages[0].record.id) == LARGE


async def test_files_that_a_crash_left_go_when_they_are_old(store: SqliteStore) -> None:
    """A young one may be about to be named."""
    old, young = (store.bodies.path(name * 32) for name in ("ab", "cd"))
    for path in (old, young):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"left by a crash")
    os.utime(old, (1e9, 1e9))
    assert await store.purge(BEFORE, really=True) == Purged(0, 0, 1)
    assert (old.exists(), young.exists()) == (False, True)


async def test_purged_content_lies_nowhere_in_the_file_any_more(tmp_path: Path) -> None:
    """What is freed is overwritten."""
    path, words = tmp_path / "samhub.db", b"words about a patient"
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        await kept(store, words)
    assert words in path.read_bytes()
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        await store.purge(BEFORE, really=True)
    assert words not in path.read_bytes()


async def test_everybody_goes_on_while_much_is_purged(store: SqliteStore) -> None:
    """Bounded batches: messages are taken, claimed and settled meanwhile, and none of theirs goes."""
    for start in range(0, 600, 100):
        await asyncio.gather(*(kept(store, f"old {n}".encode()) for n in range(start, start + 100)))
    purged = asyncio.create_task(store.purge(BEFORE, really=True))
    written: list[NewMessage] = []
    while not purged.done():
        change = v.accepted(f"new {len(written)}".encode(), record=v.message(received_at=SINCE))
        assert await store.apply(change) == Applied()
        written.append(change.messages[0])
    assert (await purged).bodies == 600
    assert len(written) > 1  # the second began when the first was kept, and the purge was not over then
    assert [await store.document(new.record.id) for new in written] == [new.document for new in written]


async def test_a_settled_delivery_cannot_be_purged_into_a_conflict(store: SqliteStore) -> None:
    """The guards hold for purged messages as for all."""
    _, delivery = await kept(store, b"a document")
    await store.purge(BEFORE, really=True)
    assert await store.apply(Change(moves=(v.move(delivery, Move.RESEND),))) == Conflict(delivery, "done")
