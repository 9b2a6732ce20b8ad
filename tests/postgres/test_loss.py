"""The database goes away and comes back: nothing that was promised is lost, nobody waits for ever, and no secret is told."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import psycopg
import pytest

from adapters.store.postgres import PostgresStore
from hub.errors import StoreUnavailable
from hub.ports import Applied, Claim, MessageFilter, Taken
from ops.demo.stage import free_ports
from ops.servers.postgres import PASSWORD, USER, PostgresServer
from tests.conformance import values as v


async def until_writable(store: PostgresStore, seconds: float = 15) -> None:
    """Asks as a hub does, until new messages may be taken again."""
    end = time.monotonic() + seconds
    while not await store.writable():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


async def test_a_database_that_is_restarted_is_used_again(own_postgres: PostgresServer) -> None:
    """Connections that it closed are made anew; the first verb after it succeeds already."""
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=0) as store:
        assert set(await asyncio.gather(*(store.apply(v.accepted()) for _ in range(20)))) == {Applied()}
        own_postgres.restart()
        assert set(await asyncio.gather(*(store.apply(v.accepted()) for _ in range(20)))) == {Applied()}
        assert len(await store.messages(MessageFilter())) == 40
        assert await store.writable()
        assert await store.check() == []


async def test_while_it_is_down_every_verb_says_so_and_afterwards_all_is_well(own_postgres: PostgresServer) -> None:
    """With what, why and what to do; and nothing new is taken until it is well."""
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=0) as store:
        kept = await v.promised(store)
        own_postgres.stop()
        begun = time.monotonic()
        verbs = (store.apply(v.accepted()), store.counts(), v.taken(store), store.lead("x", "y", v.NOW, v.LEASE))
        for answer in await asyncio.gather(
            *verbs, *(store.apply(v.accepted()) for _ in range(50)), return_exceptions=True
        ):
            assert isinstance(answer, StoreUnavailable)
            assert "the store could not be" in str(answer)
            assert "see that PostgreSQL runs" in str(answer)
            assert PASSWORD not in str(answer)
        assert not await store.writable()
        assert time.monotonic() - begun < 10
        own_postgres.start()
        await until_writable(store)
        assert await v.taken(store) == [kept.id]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
async def test_what_was_promised_before_it_went_is_there_when_it_is_back(
    own_postgres: PostgresServer, how: signal.Signals
) -> None:
    """Many write while it is ended three times; each answer that said Applied was true, and none is there twice."""
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=0) as store:
        applied, going = list[str](), True

        async def write() -> None:
            while going:
                change = v.accepted()
                try:
                    assert await store.apply(change) == Applied()
                    applied.append(change.messages[0].record.id)
                except StoreUnavailable:
                    await asyncio.sleep(0.05)

        writers = [asyncio.create_task(write()) for _ in range(8)]
        for _ in range(3):
            before = len(applied)
            while len(applied) < before + 50:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(own_postgres.restart, how)
        going = False
        await asyncio.gather(*writers)
        await until_writable(store)
        kept = [m.id for m in await store.messages(MessageFilter(limit=100_000))]
        assert set(applied) <= set(kept)
        assert len(kept) == len(set(kept))
        assert await store.check() == []


async def test_a_database_that_no_longer_answers_counts_as_lost(own_postgres: PostgresServer) -> None:
    """Its processes stand still, its kernel answers: verbs end in their time, and when it goes on all is well."""
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=0, answer_seconds=1) as store:
        await v.promised(store)
        pids = [own_postgres.pid, *_children(own_postgres.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            answers = await asyncio.gather(
                *(store.apply(v.accepted()) for _ in range(20)), store.counts(), return_exceptions=True
            )
            assert all(isinstance(answer, StoreUnavailable) for answer in answers)
            assert not await store.writable()
            assert time.monotonic() - begun < 15
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        await until_writable(store)
        assert await store.apply(v.accepted()) == Applied()


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_connection_that_is_cut_is_made_again(own_postgres: PostgresServer) -> None:
    """All of them, time and again, while work goes on: every message is kept once."""
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=0) as store:
        with psycopg.connect(own_postgres.url, autocommit=True) as other:
            kept = 0
            for _ in range(10):
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'samhub%'"
                )
                for answer in await asyncio.gather(
                    *(store.apply(v.accepted()) for _ in range(10)), return_exceptions=True
                ):
                    assert answer == Applied() or isinstance(answer, StoreUnavailable)
                    kept += answer == Applied()
        found = len(await store.messages(MessageFilter(limit=1000)))
        assert kept <= found <= 100
        assert kept > 80


async def test_a_node_that_stands_still_in_a_transaction_holds_nobody_for_ever(own_postgres: PostgresServer) -> None:
    """The server ends its transaction after a while, and whoever waited for its locks goes on."""
    stopped = threading.Event()

    def stand_still(step: str) -> None:
        if step == "before-commit" and not stopped.is_set():
            stopped.set()
            time.sleep(6)

    url = own_postgres.url
    async with (
        await PostgresStore.open(url, min_free_bytes=0, answer_seconds=2, on_step=stand_still) as stuck,
        await PostgresStore.open(url, min_free_bytes=0) as store,
    ):
        going = asyncio.create_task(stuck.apply(v.accepted(claims=(Claim("key"),))))
        assert await asyncio.to_thread(stopped.wait, 10)
        begun = time.monotonic()
        assert await store.apply(v.accepted(claims=(Claim("key"),))) == Applied()
        assert time.monotonic() - begun < 5
        assert isinstance((await asyncio.gather(going, return_exceptions=True))[0], StoreUnavailable | Taken)


async def test_what_is_written_is_durable_whatever_the_server_was_told(own_postgres: PostgresServer) -> None:
    """A database that somebody has made quick at the cost of the last second."""
    with psycopg.connect(own_postgres.url, autocommit=True) as other:
        other.execute("ALTER DATABASE postgres SET synchronous_commit = off")
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=0) as store:
        with store.address.connect(writes=True) as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert await store.apply(v.accepted()) == Applied()


async def test_secrets_are_never_told(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """Whatever is wrong with the address: what is said holds no password."""
    wrong = tmp_path / "password"
    wrong.write_text("not the right one\n")
    plain = f"postgresql://{USER}@127.0.0.1:{own_postgres.port}/postgres"
    (closed,) = free_ports(1)
    for url, file in (
        (plain, wrong),
        (plain, tmp_path / "absent"),
        (own_postgres.url.replace("/postgres", "/nowhere"), None),
        (f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{closed}/postgres", None),
        (f"postgresql://{USER}:{PASSWORD}@127.0.0.1:x/postgres", None),
        (f"postgresql://{USER}:{PASSWORD}@127.0.0.1/postgres?nonsense=1", None),
        (f"host=127.0.0.1 password={PASSWORD} what", None),
    ):
        with pytest.raises(StoreUnavailable) as told:
            await PostgresStore.open(url, password_file=file, connect_seconds=2)
        assert PASSWORD not in str(told.value)
        assert "not the right one" not in str(told.value)
        assert "store." in str(told.value)


async def test_the_password_stands_in_a_file(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """And nothing else in it."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    url = f"postgresql://{USER}@127.0.0.1:{own_postgres.port}/postgres"
    async with await PostgresStore.open(url, password_file=tmp_path / "password", min_free_bytes=0) as store:
        assert await store.apply(v.accepted()) == Applied()


async def test_room_on_the_disk_is_watched_where_it_can_be_known(own_postgres: PostgresServer) -> None:
    """On this machine it can; a server that does not tell where its data lie is taken at its word."""
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=0) as store:
        assert store.space_known
        assert await store.writable()
    async with await PostgresStore.open(own_postgres.url, min_free_bytes=1 << 60) as store:
        assert not await store.writable()
    with psycopg.connect(own_postgres.url, autocommit=True) as other:
        other.execute(f"CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'; CREATE SCHEMA plain AUTHORIZATION plain")
    url = f"postgresql://plain:{PASSWORD}@127.0.0.1:{own_postgres.port}/postgres?options=-csearch_path%3Dplain"
    async with await PostgresStore.open(url, min_free_bytes=1 << 60) as store:
        assert not store.space_known
        assert await store.writable()
        assert await store.apply(v.accepted()) == Applied()
