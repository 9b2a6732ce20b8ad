"""What this hub writes today for the agreements of the trial, element by element beside what the peers took then."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from hub.formats import envelope as envelopes
from hub.formats import mime, xml
from tests.interop import replay
from tests.interop.stand import standings
from tests.interop.test_replay_settling import aside, keys  # noqa: F401  fixtures

#: Whose text is an id, a time or a value that is new in each message; Description has our version.
NEW = {
    "ConversationId",
    "MessageId",
    "Timestamp",
    "RefToMessageId",
    "TimeToLive",
    "DigestValue",
    "SignatureValue",
    "X509Certificate",
    "Description",
}
#: Taken by the peer, proven by its signed Acknowledgment in the same exchange or by itself.
TAKEN = (
    "ebms-admin/a-out-1",
    "ebms-admin/d-out-async-1",
    "ebms-admin/r-out-1",
    "ebms-admin/u-apart-out-1",
    "ebms-admin/u-plain-out-1",
    "ebms-admin/with-fixes-c-out-3",
    "ebms-admin/with-fixes-j-out-sync-lost-1",
    "jentrata/sha1-out-async",
    "jentrata/with-fixes-out-sync",
    "jentrata/gzip-out",
)
#: Receipts of ours that were taken, and what they were about.
TAKEN_RECEIPTS = {"ebms-admin/with-fixes-b-in-2": "ebms-admin/b-in-1", "jentrata/in-async-back": "jentrata/in-async"}


@pytest.fixture(scope="module")
def stands(standards, tmp_path_factory, keys, aside):  # noqa: F811
    """Hubs in the place of those that were there."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch, standings(standards, folder, keys, aside, patch.setattr) as made:
        yield made


@pytest.fixture(scope="module")
def by_id(standards):
    """Exchanges by name."""
    return {one.id: one for one in replay.exchanges(standards)}


def shape(root: etree._Element) -> list[tuple[int, str, tuple[tuple[str, str], ...], str]]:
    """Every element with its depth, its attributes and its text, but for what is new each time; prefixes do not count."""
    found = []
    for element in root.iter(etree.Element):
        name = etree.QName(element).localname
        text = "" if name in NEW else re.sub(r"\s+", " ", element.text or "").strip()
        attributes = tuple(sorted((k, v) for k, v in element.attrib.items() if not v.startswith("cid:")))
        depth = sum(1 for _ in element.iterancestors())
        found.append((depth, element.tag, attributes, text))
    return found


def envelope_of(body: bytes) -> etree._Element:
    """The SOAP part of a multipart body, by its first boundary, or of a single one."""
    boundary = re.match(rb"--([^\r\n]+)\r\n", body)
    kind = f'multipart/related; boundary="{boundary[1].decode()}"' if boundary else "text/xml"
    package = mime.read({"content-type": kind}, body)
    root = xml.parse(package.root.content, xml.Bounds(replay.LIMIT))
    assert isinstance(root, etree._Element)
    return root


@pytest.mark.parametrize("name", TAKEN)
def test_a_document_is_written_as_it_was_taken(name, stands, by_id):
    """The same elements in the same order, with the same attributes and words, for the same agreement."""
    one = by_id[name]

    written = stands.of(one).written(one)

    assert shape(envelope_of(written)) == shape(replay.root(one.request))
    assert headers_of_parts(written) == headers_of_parts(one.request.body)


def headers_of_parts(body: bytes) -> list[bytes]:
    """Of each part, without its id; one attachment, encrypted where it was."""
    return [re.sub(rb"(Content-ID: <)[^>]*", rb"\1", h) for h in re.findall(rb"Content-ID: .*?\r\n\r\n", body, re.S)]


@pytest.mark.parametrize("name", TAKEN_RECEIPTS)
def test_a_receipt_is_written_as_it_was_taken(name, stands, by_id):
    """By itself; RefToMessageId in MessageData is there where the partner's own receipts have it, and is what makes it taken."""
    receipt, about = by_id[name], by_id[TAKEN_RECEIPTS[name]]

    came = stands.comes(about)

    [raw] = came.raw
    written, taken = shape(envelope_of(raw)), shape(replay.root(receipt.request))
    if name.startswith("jentrata"):  # it had partnerships for the signals then, and looked elsewhere
        written = [row for row in written if not (row[0] == 4 and row[1] == f"{{{envelopes.EB}}}RefToMessageId")]
    echoed = [row for row in written if row[1] == f"{{{envelopes.DS}}}Reference"]
    assert [row for row in written if row not in echoed] == [row for row in taken if row[1] != echoed[0][1]]
    assert len(echoed) == len([row for row in taken if row[1] == echoed[0][1]])
