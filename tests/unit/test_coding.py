"""Content codings of HTTP (RFC 9110 8.4): out of what is known, no further than the bound, and words for the rest."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.formats import coding
from hub.formats.coding import CodingFault

LIMIT = 100_000
TEXT = b"<a>\xc3\xa6</a>\r\n" * 500


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


class Work:
    """What zlib is asked for: how many streams were begun, and how many bytes came out of them."""

    def __init__(self) -> None:
        self.begun = self.unpacked = 0
        self._make = zlib.decompressobj

    def decompressobj(self, wbits: int) -> Any:
        """As zlib's own, and counted."""
        self.begun += 1
        made, work = self._make(wbits=wbits), self

        class Counted:
            def decompress(self, content: bytes, most: int) -> bytes:
                found = made.decompress(content, most)
                work.unpacked += len(found)
                return found

            def __getattr__(self, name: str) -> Any:
                return getattr(made, name)

        return Counted()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Counts what unpacking costs."""
    counted = Work()
    monkeypatch.setattr(zlib, "decompressobj", counted.decompressobj)
    return counted


def fault(header: str, body: bytes, limit: int = LIMIT) -> CodingFault:
    found = coding.unpacked(header, body, limit)
    assert isinstance(found, CodingFault), found[:50]
    return found


@pytest.mark.parametrize("written", ["{}", "{} ", " {}", ",{},", "\t{} , identity"])
@pytest.mark.parametrize("name", [*PACK, "GZIP", "X-Gzip", "Deflate", "Identity"])
def test_a_known_coding_goes_off_in_any_case(name: str, written: str) -> None:
    assert coding.unpacked(written.format(name), PACK[name.lower()](TEXT), LIMIT) == TEXT


@pytest.mark.parametrize("header", ["", "identity", " , ", "identity, identity"])
def test_no_coding_is_the_body_itself(header: str) -> None:
    assert coding.codings(header) == []
    assert coding.unpacked(header, TEXT, LIMIT) == TEXT


@given(content=st.binary(max_size=2_000), names=st.lists(st.sampled_from(list(PACK)), max_size=3))
def test_several_go_off_in_the_reverse_order(content: bytes, names: list[str]) -> None:
    packed = content
    for name in names:
        packed = PACK[name](packed)
    assert coding.unpacked(", ".join(names), packed, LIMIT) == content


def test_deflate_is_taken_without_its_header_as_many_write_it() -> None:
    for size in (0, 1, 100, 5_000):
        content = os.urandom(size)
        assert coding.unpacked("deflate", raw_deflate(content), LIMIT) == content


def test_a_gzip_of_several_members_is_one_body() -> None:
    """RFC 1952 2.2; zeros behind it are padding."""
    body = gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]) + bytes(20)
    assert coding.unpacked("gzip", body, LIMIT) == TEXT


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "aes128gcm", "gzip2", "chunked", "base64"])
def test_an_unknown_coding_is_named(name: str) -> None:
    for header in (name, f"gzip, {name}", f"{name}, gzip"):
        found = fault(header, TEXT)
        assert not found.known and name in found.text and coding.ACCEPTED in found.text


@pytest.mark.parametrize("header", ["<script>", "a b", "\x1b[31m", "gzip;q=1", "æ", "x" * 500])
def test_what_is_no_name_is_not_repeated(header: str) -> None:
    found = fault(header, TEXT)
    assert not found.known and len(found.text) < 120
    assert not set("<>\x1bæ;=") & set(found.text.replace(coding.ACCEPTED, "").split(";")[0])


def test_one_in_another_without_end_is_not_unpacked() -> None:
    assert not fault(", ".join(["gzip"] * 4), TEXT).known


DAMAGED = {
    "cut short": lambda packed: packed[:-10],
    "nothing but its beginning": lambda packed: packed[:5],
    "other bytes": lambda _: b"<eb:MessageHeader/>" * 20,
    "a wrong byte": lambda packed: packed[:20] + bytes([packed[20] ^ 255]) + packed[21:],
    "something behind it": lambda packed: packed + b"<more/>",
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("name", ["gzip", "x-gzip", "deflate"])
def test_what_is_not_what_it_says_is_told_so(name: str, damage: str) -> None:
    found = fault(name, DAMAGED[damage](PACK[name](os.urandom(300) + TEXT)))
    assert found.known and f"not the {name} that Content-Encoding says" in found.text


@pytest.mark.parametrize("names", ["gzip", "deflate", "gzip, gzip", "deflate, gzip, deflate", "x-gzip, identity, gzip"])
def test_a_bomb_goes_no_further_than_its_bound(names: str, work: Work) -> None:
    """One byte more than the limit shows that it is larger; a gigabyte behind it is never made."""
    packed = bytes(20_000_000)
    for name in coding.codings(names):
        packed = PACK[name](packed)
    found = coding.unpacked(names, packed, LIMIT)
    assert isinstance(found, bytes) and len(found) == LIMIT + 1
    assert work.unpacked <= len(coding.codings(names)) * (LIMIT + 1)


def test_members_without_number_cost_nothing(work: Work) -> None:
    """Each would be a look at all that stands behind it."""
    body = gzip.compress(b"") * 200_000
    assert "members" in fault("gzip", body).text
    assert work.begun == coding.MAX_MEMBERS


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "deflate, gzip"]))
def test_any_bytes_are_a_body_or_a_fault(body: bytes, names: str) -> None:
    found = coding.unpacked(names, body, LIMIT)
    assert isinstance(found, CodingFault) or len(found) <= LIMIT + 1


def test_the_codings_of_several_lines_are_one_list_and_go_off_with_the_body() -> None:
    headers = {
        "Content-Encoding": "gzip",
        "content-ENCODING": "identity",
        "CONTENT-LENGTH": "10",
        "Content-Type": "text/xml",
    }
    assert coding.codings(coding.written(headers)) == ["gzip"]
    assert coding.bare(headers) == {"Content-Type": "text/xml"}
