"""What would be looked at once for each piece is bounded before it is looked at at all."""

from __future__ import annotations

import pytest

from hub.formats import envelope as envelopes
from hub.formats import xml
from hub.formats.envelope import EB, MAX_BLOCKS, SOAP
from ops.bench import hostile


def read(raw: bytes) -> envelopes.Envelope | envelopes.EnvelopeFault:
    """The envelope of some bytes that are well-formed."""
    root = xml.parse(raw, xml.Bounds(1_000_000))
    assert not isinstance(root, xml.XmlFault)
    return envelopes.read(root)


def enveloped(header: str, body: str = "") -> bytes:
    """An envelope with a MessageHeader and more."""
    scope = f'xmlns:S="{SOAP}" xmlns:e="{EB}"'
    return f"<S:Envelope {scope}><S:Header><e:MessageHeader/>{header}</S:Header><S:Body>{body}</S:Body></S:Envelope>".encode()


def test_as_many_header_blocks_as_the_bound_are_read() -> None:
    assert isinstance(read(enveloped("<a/>" * (MAX_BLOCKS - 1))), envelopes.Envelope)


@pytest.mark.parametrize(("header", "body"), [(MAX_BLOCKS, 0), (0, MAX_BLOCKS + 1)])
def test_one_block_more_is_no_envelope(header: int, body: int) -> None:
    found = read(enveloped("<a/>" * header, "<b/>" * body))
    assert isinstance(found, envelopes.EnvelopeFault)
    assert found.rule == "100, 101"


def test_a_header_of_thousands_of_blocks_is_no_envelope() -> None:
    assert isinstance(read(hostile.headers(200_000)), envelopes.EnvelopeFault)
