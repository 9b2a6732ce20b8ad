"""What is known of the other party on the message bus: by a CPA, by its CPP, or by what is registered of it (nhn-amqp.md §3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.register.cpas import Folder
from adapters.register.file import PartyRow, Read
from hub.formats import bus_functions
from hub.formats.cpa import Cpa, CpaParty
from hub.formats.queues import QueueKind
from hub.message import Agreement
from hub.trust import certificates

#: Queue of the receiver → scheme of the address under which a sender knows it.
_SCHEMES = {QueueKind.ASYNC: "amqp", QueueKind.SYNC: "amqp+sync"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One direction of the bus, with what the message says of itself; `cpa_id` is empty when we send."""

    cpa_id: str
    from_her: str
    to_her: str
    function: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile with the time in which it holds."""

    agreement: Agreement
    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return (self.start is None or at >= self.start) and (self.end is None or at <= self.end)


def queue(row: PartyRow | None, kind: str) -> str:
    """The registered address of a party's queue, in whole; empty when none is known."""
    if row is None:
        return ""
    written: dict[str, str] = {
        QueueKind.ASYNC: row.amqp_async,
        QueueKind.SYNC: row.amqp_sync,
        QueueKind.SYNCREPLY: row.amqp_syncreply,
        QueueKind.ERROR: row.amqp_error,
    }
    return written[kind]


def candidates(
    asked: Asked, read: Read, folder: Folder, between: Sequence[Cpa], unagreed: frozenset[str]
) -> tuple[Candidate, ...]:
    """The profiles in the order of §3.4; the last holds always. `unagreed`: functions that need no agreement (step 0)."""
    found = _Other(asked, read)
    registered = Candidate(found.registered())
    if asked.function.upper() in unagreed:
        return (registered,)
    return (*found.agreed(folder, between), registered)


@dataclass(frozen=True, slots=True)
class _Other:
    """The other party of one direction: the sender, or the receiver of what a local party sends."""

    asked: Asked
    read: Read

    @property
    def _sends(self) -> bool:
        """Whether the other one is the sender: so it is where the receiver is ours and the sender is not."""
        sender, receiver = (self.read.parties.get(her) for her in (self.asked.from_her, self.asked.to_her))
        return receiver is not None and receiver.local and (sender is None or not sender.local)

    @property
    def her_id(self) -> str:
        return self.asked.from_her if self._sends else self.asked.to_her

    def registered(self) -> Agreement:
        """The dummy profile: registered certificates, any function (§3.4 step 4, §5.3)."""
        asked, parties = self.asked, self.read.parties
        sender, receiver = parties.get(asked.from_her), parties.get(asked.to_her)
        row = self.read.rows.get(self.her_id)
        made = Agreement(
            cpa_id="",
            source="parties",
            from_her=asked.from_her,
            to_her=asked.to_her,
            signing_certificates=sender.signing_certificates if sender else (),
            encryption_certificate=receiver.encryption_certificate if receiver else b"",
            endpoint=self._endpoint(QueueKind.ASYNC),
            signal_endpoint="",
            reply="async",
            allow_sha1=row.allow_sha1 if row else False,
            because="party file; neither CPA nor CPP",
        )
        if row is not None:
            return made
        code = "sender-unknown" if self._sends else "receiver-unknown"
        return replace(made, fault=code, because=f"nothing is known of HER-id {self.her_id}")

    def agreed(self, folder: Folder, between: Sequence[Cpa]) -> Iterator[Candidate]:
        """By the CPA that the message names, even when it is over: what waited in a queue was sealed by it (§3.6).

        Then by one that holds now; the library asks for no dates, since its registry gives no other.
        """
        named = folder.agreements.get(self.asked.cpa_id)
        if named is not None and (party := self._in(named)) is not None:
            yield Candidate(self._by(party, "cpa", named.cpa_id, f"CPA {named.cpa_id}, which the message names"))
        for one in between:
            if (party := self._in(one)) is not None:
                yield Candidate(self._by(party, "cpa", one.cpa_id, f"CPA {one.cpa_id}"), one.start, one.end)
        if (profile := folder.profiles.get(self.her_id)) is not None:
            yield Candidate(self._by(profile.party, "cpp", "", f"CPP of HER-id {self.her_id}"))

    def _in(self, one: Cpa) -> CpaParty | None:
        """The other's side of a CPA that is between these two (its id alone would not tell which side that is)."""
        own = self.asked.to_her if self._sends else self.asked.from_her
        party = next((p for p in one.parties if p.is_her(self.her_id)), None)
        return party if any(p.is_her(own) for p in one.parties if p is not party) else None

    def _by(self, party: CpaParty, source: str, cpa_id: str, because: str) -> Agreement:
        plain = self.registered()
        found = bus_functions.binding(party, self.asked.function, sending=self._sends)
        kind = bus_functions.kind(found) if found else QueueKind.ASYNC
        if self._sends:
            signing = _used_for("content_commitment", party) or party.signing_certificates or plain.signing_certificates
            plain = replace(plain, signing_certificates=tuple(signing))
        elif encryption := _used_for("key_encipherment", party):
            plain = replace(plain, encryption_certificate=encryption[0])
        return replace(
            plain,
            cpa_id=cpa_id,
            source=source,
            endpoint=self._endpoint(kind),
            reply="sync" if kind is QueueKind.SYNC else "async",
            functions=bus_functions.functions(party, sending=self._sends),
            fault="",
            because=because,
        )

    def _endpoint(self, kind: QueueKind) -> str:
        """The receiver's registered queue; never the one in a CPA (§0 item 14)."""
        written = queue(self.read.rows.get(self.asked.to_her), kind)
        return f"{_SCHEMES[kind]}:{written}" if written else ""


def _used_for(usage: str, party: CpaParty) -> tuple[bytes, ...]:
    """Certificates by key usage, not by the name they have in the file; the one that lasts longest first (§3.4).

    One that may be used for both counts for both; the library takes it for encryption alone.
    """
    found = []
    for der in party.certificates:
        try:
            facts = certificates.facts(der)
        except ValueError:  # templates hold words where a certificate belongs
            continue
        if usage in facts.usages:
            found.append((facts.not_after, der))
    return tuple(der for _, der in sorted(found, reverse=True))
