"""Counts what the outside has written down: nothing lost, nothing doubled, nothing changed. It never asks a hub's tables.

Plain values and plain functions, so that the counting itself is tested without a hub (tests/blackbox/test_count.py).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from lxml import etree

from hub.formats import apprec as apprecs
from hub.formats import document as documents
from hub.formats import xml
from hub.formats.apprec import AppRec


@dataclass(frozen=True, slots=True)
class Promised:
    """A document that a hub has taken: a record system was told so, or a partner got an Acknowledgment."""

    msg_id: str
    sender: str  #: HER-id
    receivers: tuple[str, ...]  #: HER-ids
    digest: str  #: of the document's bytes


@dataclass(frozen=True, slots=True)
class Came:
    """A document as it lay once with its receiver.

    `identity` is what the receiver knows it by (ebXML MessageId; a notification; a file's name; a queue's message_id) and
    `wire` what was signed around it: what comes again under the same identity with the same bytes is not doubled.
    """

    msg_id: str
    receiver: str
    identity: str
    digest: str
    wire: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """An AppRec: given, when its giver was told that it was taken; home, when it lay with who had sent the document."""

    about: str  #: MsgId of the document
    by: str  #: HER-id of who answers; of several that share a system any of theirs
    apprec_id: str
    identity: str


@dataclass(slots=True)
class Ledger:
    """What one side wrote down; `joined` makes one of many."""

    promised: list[Promised] = field(default_factory=list)
    offered: list[Promised] = field(default_factory=list)  #: handed over, and no answer came: it may come, once
    came: list[Came] = field(default_factory=list)
    given: list[Answered] = field(default_factory=list)  #: AppRecs of those who wrote their own
    on_its_way: list[Answered] = field(
        default_factory=list
    )  #: AppRecs that may be home before anybody has acknowledged them
    home: list[Answered] = field(default_factory=list)
    #: HER-ids for which the hub writes an AppRec about each document that has come to them.
    answered_for: set[str] = field(default_factory=set)
    #: (MsgId, HER-id of the receiver) → where it stands on a person's list: state and code.
    listed: dict[tuple[str, str], str] = field(default_factory=dict)


def joined(ledgers: Iterable[Ledger]) -> Ledger:
    """All that was written down anywhere."""
    whole = Ledger()
    for one in ledgers:
        whole.promised += one.promised
        whole.offered += one.offered
        whole.came += one.came
        whole.given += one.given
        whole.on_its_way += one.on_its_way
        whole.home += one.home
        whole.answered_for |= one.answered_for
        whole.listed |= one.listed
    return whole


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted, and what is wrong, a line each: empty where all is accounted for."""

    promised: int  #: documents, once for each receiver
    came: int  #: of those, how many lay with their receiver
    listed: int  #: of those that did not, how many stand on a person's list
    again: int  #: how often a document came once more under the same identity, as it must when an answer was lost
    apprecs: int  #: AppRecs that are home
    lost: tuple[str, ...] = ()  #: promised, and neither come nor on a list; AppRecs that are not home
    doubled: tuple[str, ...] = ()  #: under two identities
    changed: tuple[str, ...] = ()  #: other bytes than were promised, or other bytes each time
    strange: tuple[str, ...] = ()  #: nobody handed it over

    @property
    def wrong(self) -> list[str]:
        """Everything that is not as it should be."""
        named = {"lost": self.lost, "doubled": self.doubled, "changed": self.changed, "from nowhere": self.strange}
        return [f"{what}: {line}" for what, lines in named.items() for line in lines]

    def __str__(self) -> str:
        told = f"{self.promised} promised, {self.came} came, {self.listed} on a list, {self.again} came again"
        return "\n".join([f"{told}, {self.apprecs} AppRecs home", *self.wrong])


#: (MsgId, HER-id of the receiver).
Key = tuple[str, str]


def count(ledger: Ledger) -> Count:
    """Of everything that was promised to anybody: what became of it, as the outside saw it."""
    promised = dict(_by_key(ledger.promised))
    known = {**dict(_by_key(ledger.offered)), **promised}
    came = _grouped(ledger.came)
    arrived, missing = promised.keys() & came.keys(), promised.keys() - came.keys()
    answers = _Answers(ledger, came)
    return Count(
        promised=len(promised),
        came=len(arrived),
        listed=len(missing & ledger.listed.keys()),
        again=sum(len(seen) - len({c.identity for c in seen}) for seen in came.values()),
        apprecs=len({a.apprec_id for a in ledger.home}),
        lost=(*_named(missing - ledger.listed.keys(), "did not come"), *answers.lost()),
        doubled=(*_doubled(came), *answers.doubled()),
        changed=tuple(_changed(came, known)),
        strange=(*_named(came.keys() - known.keys(), "was not handed over"), *answers.strange()),
    )


def _by_key(promised: Iterable[Promised]) -> Iterator[tuple[Key, Promised]]:
    for one in promised:
        for receiver in one.receivers:
            yield (one.msg_id, receiver), one


def _grouped(came: Iterable[Came]) -> dict[Key, list[Came]]:
    found: dict[Key, list[Came]] = defaultdict(list)
    for one in came:
        found[one.msg_id, one.receiver].append(one)
    return dict(found)


def _named(keys: Iterable[Key], what: str) -> Iterator[str]:
    return (f"{msg_id} to {receiver} {what}" for msg_id, receiver in sorted(keys))


def _doubled(came: Mapping[Key, list[Came]]) -> Iterator[str]:
    for (msg_id, receiver), seen in came.items():
        if len(identities := sorted({c.identity for c in seen})) > 1:
            yield f"{msg_id} to {receiver} came as {', '.join(identities)}"


def _changed(came: Mapping[Key, list[Came]], known: Mapping[Key, Promised]) -> Iterator[str]:
    for key, seen in came.items():
        wires: dict[str, set[str]] = defaultdict(set)
        for one in seen:
            wires[one.identity].add(one.wire)
        if key in known and any(c.digest != known[key].digest for c in seen):
            yield f"{key[0]} to {key[1]} came with another content than was handed over"
        if any(len(signed) > 1 for signed in wires.values()):
            yield f"{key[0]} to {key[1]} came again under its identity with other bytes"


class _Answers:
    """AppRecs: which are due at home, and which are there."""

    def __init__(self, ledger: Ledger, came: Mapping[Key, list[Came]]) -> None:
        self._home = ledger.home
        self._given = {a.apprec_id for a in (*ledger.given, *ledger.on_its_way)}
        self._due = {key for key in came if key[1] in ledger.answered_for} | {(a.about, a.by) for a in ledger.given}
        self._on_its_way = {(a.about, a.by) for a in ledger.on_its_way}
        self._listed = ledger.listed
        self._answered_for = ledger.answered_for

    def lost(self) -> Iterator[str]:
        """Given by somebody, or by the hub for somebody who has the document; and not at home."""
        home = {(a.about, a.by) for a in self._home}
        return _named(self._due - home - self._listed.keys(), "was answered, and its AppRec is not home")

    def doubled(self) -> Iterator[str]:
        """One AppRec twice; or two of the hub's own about one document."""
        identities, own = defaultdict(set), defaultdict(set)
        for one in self._home:
            identities[one.apprec_id].add(one.identity)
            own[one.about, one.by].add(one.apprec_id)
        for apprec_id, seen in identities.items():
            if len(seen) > 1:
                yield f"AppRec {apprec_id} came as {', '.join(sorted(seen))}"
        for (about, by), ids in own.items():
            if len(ids - self._given) > 1:
                yield f"{about} to {by} was answered by {len(ids - self._given)} AppRecs"

    def strange(self) -> Iterator[str]:
        """About a document that its giver has not got."""
        home = {(a.about, a.by) for a in self._home}
        return _named(home - self._due - self._on_its_way, "has an AppRec, and nobody gave it")


# --- reading what came


@lru_cache(maxsize=100_000)
def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_down(ledger: Ledger, content: bytes, identity: str, receiver: str) -> None:
    """Writes down what a record system has got: a document, or an AppRec that has come home."""
    found = _read(content)
    if isinstance(found, AppRec):
        ledger.home.append(Answered(found.original_id, found.sender.her_id, found.id, identity))
    else:
        ledger.came.append(Came(found, receiver, identity, digest(content)))


@lru_cache(maxsize=100_000)
def _read(content: bytes) -> AppRec | str:
    """An AppRec, or the MsgId of a document; read once, however often it is counted."""
    root = xml.parse(content, xml.Bounds.for_document(len(content)))
    assert isinstance(root, etree._Element), f"{len(content)} bytes that came are no document"
    return apprecs.read(root) or documents.read(root).msg_id
