"""What is packed comes back byte for byte, whatever it is; a certificate that many envelopes carry is kept once."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.store import packing
from adapters.store.packing import HEAD, LEARNT, MARK, Packer, asis
from adapters.store.sqlite import SqliteStore
from hub.digest import sha256
from hub.errors import ContentLost
from tests.support.packed import all_there, content, envelope, filled

#: Dictionaries never change: another one is another number.
WORDS = "f313e3a29d4ae376080ab2de2278aa43c6b80804299cdc940f313066f72c054d"


def learnt(*contents: bytes) -> Packer:
    """One that knows what these have in common."""
    packer = Packer()
    for number, one in enumerate(contents, 1):
        if (wanted := packer.wanted(one)) is not None:
            packer.know(number, *wanted)
    return packer


FULL = learnt(*(envelope("a partner", n, mail=n > 2) for n in range(6)))


@given(st.one_of(st.binary(max_size=3_000), st.binary(max_size=300).map(MARK.__add__), st.integers(0, 5)))
def test_any_bytes_come_back(what: bytes | int) -> None:
    """Also those that begin like something packed, and those of a kind that is known."""
    whole = what if isinstance(what, bytes) else envelope("a partner", what, mail=what > 2)
    kept = FULL.pack(asis(whole))
    assert FULL.unpack(kept) == whole
    assert len(kept) <= len(whole) + HEAD


def test_the_words_of_the_standards_stay_what_they_were() -> None:
    """What was packed by them is unpacked by them."""
    assert sha256(packing.words()) == WORDS


def test_what_many_have_in_common_is_kept_once() -> None:
    """From the third envelope on its certificate is not kept again; what it carries is never part of a dictionary."""
    packer = learnt(envelope("a partner", 1, mail=True), envelope("a partner", 2, mail=True))
    whole = envelope("a partner", 3, mail=True)
    left = len(content(256)) + 500  # signature and payload: nobody can pack those
    assert len(packer.pack(whole)) < left + 250 < len(Packer().pack(whole)) - 800
    assert packer.wanted(whole) is None
    known = packer._by_number[LEARNT + 2]
    assert b"X509Certificate" in known and base64.b64encode(content(500, "payload 2"))[:40] not in known


def test_strangers_fill_no_room() -> None:
    """A kind that came once is only remembered, and those are bounded."""
    packer = Packer()
    assert [packer.wanted(envelope(f"stranger {number}", 1)) for number in range(50)] == [None] * 50


@pytest.mark.parametrize(
    "harm", [lambda k: k[:-3], lambda k: k[:HEAD] + b"\xff" * 9, lambda k: MARK + b"\0\0\xff\xff" + k]
)
def test_what_cannot_be_unpacked_says_so(harm) -> None:  # type: ignore[no-untyped-def]
    kept = Packer().pack(b"<a/>" * 200)
    with pytest.raises(ContentLost, match="cannot be unpacked"):
        Packer().unpack(harm(kept))


async def test_stores_keep_a_certificate_once_and_give_everything_back(tmp_path: Path) -> None:
    """Bodies, answers and receipts; also when it is opened again, and by a process that was open before it was learnt."""
    path = tmp_path / "samhub.db"
    async with (
        await SqliteStore.open(path, min_free_bytes=0) as other,
        await SqliteStore.open(path, min_free_bytes=0) as store,
    ):
        await filled(store)
        for one in (other, store):
            await all_there(one)
    async with await SqliteStore.open(path, min_free_bytes=0) as again:
        await all_there(again)
    with closing(sqlite3.connect(path)) as connection:
        receipts = connection.execute("SELECT AVG(length(body)) FROM receipts").fetchone()[0]
        assert connection.execute("SELECT COUNT(*) FROM dictionaries").fetchone() == (1,)
    assert receipts < len(envelope("a partner", 1)) / 3


def test_it_costs_no_digest_of_what_is_large() -> None:
    """What is larger is kept as it came."""
    large = hashlib.shake_256(b"").digest(10) * 40_000
    assert Packer().pack(large) == large
