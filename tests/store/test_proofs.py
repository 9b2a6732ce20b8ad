"""The file of proofs on odd days: whatever lies there, nobody is let in twice and nobody is told that he did wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from adapters.store import proofs
from adapters.store.sqlite import SqliteStore
from hub.errors import StoreUnavailable
from tests.conformance import values as v


@pytest.mark.parametrize("content", [b"no database at all " * 100, None], ids=["garbage", "a folder"])
async def test_a_file_that_cannot_be_used_is_not_now_and_says_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    beside = tmp_path / "samhub.db-proofs"
    if content is None:
        beside.mkdir()
    else:
        beside.write_bytes(content)
    async with await SqliteStore.open(tmp_path / "samhub.db", min_free_bytes=0) as store:
        with pytest.raises(StoreUnavailable, match=r"proofs cannot be kept: .*may be deleted"):
            await store.claim_proof("a", v.NOW, v.later(11))
        if content is not None:
            beside.unlink()
            assert await store.claim_proof("a", v.NOW, v.later(11)), "mended without a restart"


async def test_another_process_that_holds_it_is_waited_for_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "PATIENCE", 0.05)
    async with await SqliteStore.open(tmp_path / "samhub.db", min_free_bytes=0) as store:
        assert await store.claim_proof("a", v.NOW, v.later(11))
        holder = sqlite3.connect(tmp_path / "samhub.db-proofs", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.claim_proof("b", v.NOW, v.later(11))
        holder.execute("ROLLBACK")
        holder.close()
        assert await store.claim_proof("b", v.NOW, v.later(11))
