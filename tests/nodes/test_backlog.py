"""A backlog at the start: what has waited goes out in full, each once, and new messages need not wait behind it."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from adapters.store.postgres import PostgresStore
from hub.events import Entry, Event
from hub.message import NewMessage
from hub.ports import Applied, Change, DeliveryFilter, MessageFilter
from ops.bench.harness import process_bytes
from ops.partner.handles import Pki
from ops.servers.rabbitmq import VirtualHost
from tests.crash.village import DOCTOR, GOOD, PHYSIO
from tests.nodes.conftest import Told
from tests.nodes.fleet import town

#: How many wait; SAMHUB_BACKLOG=100000 for the whole measure (it takes some minutes).
BACKLOG = int(os.environ.get("SAMHUB_BACKLOG", "1000"))
TOGETHER = 500
#: What a node may hold at most, in bytes, however much waits.
MEMORY = 400e6


async def fill(url: str, count: int) -> set[bytes]:
    """So many AppRecs for the physiotherapist's folder, like the one that came there; their documents."""
    documents: set[bytes] = set()
    async with await PostgresStore.open(url, min_free_bytes=0) as store:
        (like,) = [
            m for m in await store.messages(MessageFilter(kind="apprec", direction="in")) if m.to_her == PHYSIO.her_id
        ]
        (delivery,) = await store.deliveries(DeliveryFilter(message_id=like.id))
        document = await store.document(like.id)
        assert document is not None
        for begun in range(0, count, TOGETHER):
            now, messages, deliveries, journal = datetime.now(UTC), [], [], []
            for _ in range(min(TOGETHER, count - begun)):
                own_id, msg_id = str(uuid4()), str(uuid4())
                own = document.replace(like.msg_id.encode(), msg_id.encode())
                documents.add(own)
                messages.append(NewMessage(replace(like, id=own_id, msg_id=msg_id, document_id=msg_id), own))
                state = {"state": "waiting", "next_at": now, "created_at": now, "attempts": 0, "handed_over": 0}
                deliveries.append(replace(delivery, id=str(uuid4()), message_id=own_id, apprec_due_at=None, **state))
                journal.append(Entry(now, Event.ROUTED, "accepted", "waits", own_id, deliveries[-1].id))
            change = Change(messages=tuple(messages), deliveries=tuple(deliveries), journal=tuple(journal))
            assert await store.apply(change) == Applied()
    return documents


async def test_a_backlog_at_the_start_goes_out_once_and_holds_up_nobody(
    tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost, recovery: Told
) -> None:
    """Three nodes begin with thousands waiting for one record system; a message to a partner goes past them."""
    async with town(tmp_path, pki, store_url, vhost.url, nodes=1) as (here, fleet):
        here.put_into_outbox(GOOD)
        await here.rest()
        await fleet.nodes.pop().end()
        expected = await fill(store_url, BACKLOG)
        begun, inbox = time.monotonic(), here.physio / "inbox"
        before = len(here.office)
        await asyncio.gather(*(fleet.join() for _ in range(3)))
        await here.until(lambda: len(here.office) > before, "the first of them")
        recovery(f"three nodes started with {BACKLOG} waiting, until the first was delivered", begun)
        sent = time.monotonic()
        await here.hand_over(DOCTOR, GOOD)
        await here.until(lambda: [r for r in here.good.received if r.from_her == DOCTOR.her_id], "one that came later")
        recovery("a new message beside them, until its partner had it", sent)
        await here.rest()
        recovery(f"all {BACKLOG} delivered", begun)
        assert max(process_bytes(node.pid) for node in fleet.nodes) < MEMORY
        await here.until(lambda: not list(inbox.glob("*.xml")), "the office to have taken the last")
        found = [document for document in here.office if document in expected]
        assert len(found) == len(set(found)) == len(expected) == BACKLOG
    assert await here.look.check() == []
