"""The directory that the kernel asks: parties from the file, agreements from CPAs or, where there is none, from the file."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters.register import bus, cpas, file, made
from adapters.register.bus import Asked, Candidate
from adapters.register.file import PartyRow
from hub.formats import cpa_confidential, cpa_route
from hub.formats.cpa import APPREC, SIGNAL_SERVICE, Cpa, Profile
from hub.formats.queues import queue_name
from hub.message import Agreement, ApiKey, Party, RecordSystem, Refers
from hub.record_systems.kept import Kept

#: By mail, where nothing else is agreed, it is over after 72 hours: five resends, twelve hours apart.
LONGEST_BY_MAIL = timedelta(hours=72)
_LOW_HIGH = re.compile(r"^(\d+)_(\d+)(_\w+)?$")
_MISSES = {"party": "cpa-party", "service": "cpa-service", "role": "cpa-service"}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where neither a CPA nor the party file says otherwise (HIS 1037 5.2)."""

    retries: int = 5
    retry_interval: timedelta = timedelta(hours=12)
    persist_duration: timedelta = timedelta(hours=96)
    time_to_live: timedelta | None = None
    unagreed: frozenset[str] = frozenset()  #: functions of the message bus that need no agreement, in upper case


class FileDirectory:
    """hub.ports.Directory over a party file and a folder of CPAs; `reload` replaces it whole, `with_kept` what people made."""

    def __init__(
        self,
        parties: Path,
        agreements: Path,
        defaults: Defaults | None = None,
        *,
        by_mail: bool = False,
        kept: Kept | None = None,
    ) -> None:
        """Raises ConfigurationError with every mistake of the party file. `by_mail`: `mailto:` addresses can be used.

        `kept` are the record systems and keys that were made by command.
        """
        self._paths = parties, agreements
        self._schemes = ("http://", "https://", *(("mailto:",) if by_mail else ()))
        self._defaults = defaults or Defaults()
        self._kept = kept or Kept()
        self.broken: dict[str, str] = {}  #: CPA files that cannot be used, with their reason
        self.mistakes: list[str] = []  #: why record systems that were made by command are left out
        self.reload()

    def reload(self) -> None:
        """Reads everything anew; on a mistake nothing changes and ConfigurationError is raised."""
        read = file.read(self._paths[0])
        self._folder = cpas.read_folder(self._paths[1])
        self._file, self._cpas, self.broken = read, self._folder.agreements, self._folder.broken
        self._named = {one.cpa_id: frozenset(_called(one)) for one in self._cpas.values()}
        self._between: dict[frozenset[str], list[Cpa]] = {}
        for one in sorted(self._cpas.values(), key=_newest_first):
            for pair in _pairs(one):
                self._between.setdefault(pair, []).append(one)
        self._join()

    def with_kept(self, kept: Kept) -> FileDirectory:
        """The same with other record systems and keys of the store; this one stays as it is."""
        other = copy.copy(self)
        other._kept = kept
        if kept.systems == self._kept.systems:
            other._know_callers()
        else:
            other._join()
        return other

    def _join(self) -> None:
        self._read, self.mistakes = made.joined(self._file, self._kept)
        self._known: dict[tuple[str, ...], _Timed] = {}
        self._on_the_bus: dict[Asked, tuple[Candidate, ...]] = {}
        self._numbers = _numbers(self._read.parties.values())
        self._know_callers()

    def _know_callers(self) -> None:
        systems = self._read.systems
        self._keys = made.keys_of(self._file.systems, systems, self._kept)
        self._certificates = {digest: system for system in systems.values() for digest in system.certificates}
        self._clients = {client: system for system in systems.values() for client in system.clients}

    @property
    def kept(self) -> Kept:
        """The record systems and keys of the store that are in it."""
        return self._kept

    def waiting(self) -> list[str]:
        """HER-ids of parties that are left to a record system that nobody has made yet."""
        return sorted(
            her for her, row in self._read.rows.items() if made.left_open(row) and not self._read.parties[her].local
        )

    def party(self, her_id: str) -> Party | None:
        """The party with this HER-id."""
        return self._read.parties.get(her_id)

    def parties(self) -> Sequence[Party]:
        """All of them."""
        return tuple(self._read.parties.values())

    def system(self, system_id: str) -> RecordSystem | None:
        """A record system."""
        return self._read.systems.get(system_id)

    def systems(self) -> Sequence[RecordSystem]:
        """All of them."""
        return tuple(self._read.systems.values())

    def by_key(self, sha256: str) -> tuple[RecordSystem, ApiKey] | None:
        """See hub.ports.Directory. A digest tells nothing of the key, so looking it up may take the time that it takes."""
        return self._keys.get(sha256)

    def by_certificate(self, sha256: str) -> RecordSystem | None:
        """See hub.ports.Directory."""
        return self._certificates.get(sha256)

    def by_client(self, client_id: str) -> RecordSystem | None:
        """See hub.ports.Directory."""
        return self._clients.get(client_id)

    def organisation_numbers(self, her_id: str) -> frozenset[str]:
        """See hub.ports.Directory; asked with each call, so looked up and not looked for."""
        return self._numbers.get(her_id, frozenset())

    def agreements(self) -> Sequence[Cpa]:
        """All CPAs."""
        return tuple(self._cpas.values())

    def profiles(self) -> Sequence[Profile]:
        """All CPPs."""
        return tuple(dict.fromkeys(self._folder.profiles.values()))

    def strange_agreements(self) -> list[str]:
        """CPAIds for which the party file has settings, and which no file of the folder has."""
        return sorted(set(self._read.agreements) - set(self._cpas))

    def facts(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Everything that is in it: kind and name, and a digest of all that is said of it."""
        for her_id, row in self._read.rows.items():
            party = self._read.parties[her_id]
            own = row.model_dump_json().encode() + (party.system or "").encode()
            yield ("parties", her_id), _digest(own, party.encryption_certificate, *party.signing_certificates)
        for system in self._read.systems.values():
            said = replace(system, her_ids=frozenset(), certificates=frozenset(), clients=frozenset())
            sets = sorted(system.her_ids), sorted(system.certificates), sorted(system.clients)
            secrets = system.webhook.secrets if system.webhook is not None else ()
            yield ("record systems", system.id), _digest(repr((said, *sets)).encode(), *secrets)
        for cpa_id, settings in self._read.agreements.items():
            yield ("settings of agreements", cpa_id), _digest(settings.model_dump_json().encode())
        yield from ((("agreements", name), digest) for name, digest in self._folder.digests.items())

    def acknowledgment_refers(self, her_id: str) -> Refers:
        """As it is set for a party."""
        row = self._read.rows.get(her_id)
        return row.acknowledgment_refers if row is not None else "auto"

    def known_as(self, cpa_id: str, kind: str, number: str) -> bool:
        """See hub.ports.Directory."""
        named = self._named.get(cpa_id, frozenset())
        return any(n == number and _same_type(k, kind) for k, n in named)

    def key_folders(self) -> Iterator[tuple[str, Path]]:
        """HER-id and key folder of every local party that has one."""
        for her_id, row in self._read.rows.items():
            if row.keys is not None:
                yield her_id, self._read.folder / row.keys

    def cpa_id(self, from_her: str, to_her: str) -> str:
        """That of a CPA between the two, else lowest_highest in numeric order (HIS 1037 6.2.1)."""
        between = self._between.get(frozenset((from_her, to_her)))
        return between[0].cpa_id if between else _low_high(from_her, to_her)

    def agreement(
        self, *, cpa_id: str, from_her: str, to_her: str, service: str, action: str, role: str, at: datetime
    ) -> Agreement:
        """See hub.ports.Directory. Asked several times for each message, so answers are remembered."""
        key = (cpa_id, from_her, to_her, service, action, role)
        found = self._known.get(key)
        if found is None:
            if len(self._known) > 50_000:
                self._known.clear()
            found = self._known[key] = self._look_up(*key)
        return found.at(at)

    def bus_profile(self, *, cpa_id: str, from_her: str, to_her: str, function: str, at: datetime) -> Agreement:
        """See hub.ports.Directory."""
        asked = Asked(cpa_id, from_her, to_her, function)
        found = self._on_the_bus.get(asked)
        if found is None:
            if len(self._on_the_bus) > 50_000:
                self._on_the_bus.clear()
            between = self._between.get(frozenset((from_her, to_her)), [])
            found = bus.candidates(asked, self._read, self._folder, between, self._defaults.unagreed)
            self._on_the_bus[asked] = found
        return next(candidate.agreement for candidate in found if candidate.holds(at))

    def bus_queue(self, her_id: str, kind: str) -> str:
        """See hub.ports.Directory."""
        return queue_name(bus.queue(self._read.rows.get(her_id), kind))

    def _look_up(self, cpa_id: str, from_her: str, to_her: str, service: str, action: str, role: str) -> _Timed:
        if cpa_id in self._cpas:
            return self._by_cpa(self._cpas[cpa_id], from_her, to_her, service, action, role)
        plain = self._by_file(cpa_id or _low_high(from_her, to_her), from_her, to_her)
        if not cpa_id:
            by_cpa = (
                self._by_cpa(one, from_her, to_her, service, action, role)
                for one in self._between.get(frozenset((from_her, to_her)), [])
            )
            usable = [timed for timed in by_cpa if not timed.agreement.fault]
            return _chained(usable, plain)
        return _Timed(self._without_cpa(cpa_id, from_her, to_her, plain))

    def _without_cpa(self, cpa_id: str, from_her: str, to_her: str, plain: Agreement) -> Agreement:
        """`lowest_highest`, with or without a serial, says that no CPA is agreed (ebxml.md §1.5)."""
        named = _LOW_HIGH.match(cpa_id)
        if named is None:
            return _fault(plain, "cpa-unknown", f"CPAId {cpa_id or '(none)'} is not known here")
        ids = {from_her, to_her}
        for her_id in (from_her, to_her):
            if (party := self.party(her_id)) and party.organisation_her_id:
                ids.add(party.organisation_her_id)
        if not set(named.groups()[:2]) <= ids:
            return _fault(plain, "cpa-party", f"CPAId {cpa_id} names other parties than the envelope")
        return plain

    def _by_file(self, cpa_id: str, from_her: str, to_her: str) -> Agreement:
        """From the rows of both parties; how it is sent is said by the remote one."""
        sender, receiver = self.party(from_her), self.party(to_her)
        rows = self._read.rows
        remote = rows.get(to_her) if receiver is not None and not receiver.local else rows.get(from_her)
        agreement = _empty(cpa_id, from_her, to_her)
        if sender is None or receiver is None or remote is None:
            missing = from_her if sender is None else to_her
            return _fault(agreement, "cpa-unknown", f"nothing is agreed with HER-id {missing}")
        own = rows[from_her]
        return replace(
            agreement,
            signing_certificates=sender.signing_certificates,
            encryption_certificate=receiver.encryption_certificate,
            endpoint=receiver.endpoint,
            signal_endpoint=own.signal_endpoint or own.endpoint,
            **self._manners(remote),
        )

    def _manners(self, row: PartyRow) -> dict[str, Any]:
        d = self._defaults
        interval, persist = row.retry_interval_seconds, row.persist_duration_seconds
        by_mail = row.endpoint.lower().startswith("mailto:")
        longest = min(d.persist_duration, LONGEST_BY_MAIL) if by_mail else d.persist_duration
        return {
            "reply": row.reply,
            "encrypted": row.encrypted,
            "compressed": row.compressed,
            "payload_form": row.payload_form,
            "allow_sha1": row.allow_sha1,
            "warnings": row.warnings,
            "retries": d.retries if row.retries is None else row.retries,
            "retry_interval": timedelta(seconds=interval) if interval else d.retry_interval,
            "persist_duration": timedelta(seconds=persist) if persist else longest,
            "acknowledgment_refers": row.acknowledgment_refers,
            "time_to_live": _lifetime(row.time_to_live_seconds, d.time_to_live),
        }

    def _usable(self, endpoints: Sequence[str]) -> str:
        """The first address that we have a way to; a CPA may name several (ebxml.md §10 item 27)."""
        return next((e for e in endpoints if e.lower().startswith(self._schemes)), "")

    def _by_cpa(self, one: Cpa, from_her: str, to_her: str, service: str, action: str, role: str) -> _Timed:
        route = cpa_route.find(one, from_her=from_her, to_her=to_her, service=service, action=action, role=role)
        if isinstance(route, cpa_route.CpaMiss):
            return _Timed(_fault(_empty(one.cpa_id, from_her, to_her), _MISSES[route.what], route.text))
        base = self._by_file(one.cpa_id, from_her, to_her)
        d, how, own = self._defaults, cpa_confidential.of_route(route), self._read.agreements.get(one.cpa_id)
        encrypted = how.encrypted if route.package else how.encrypted or base.encrypted
        agreed = replace(
            base,
            source="cpa",
            fault="",
            because=f"CPA {one.cpa_id}",
            signing_certificates=route.signing_certificates or base.signing_certificates,
            encryption_certificate=route.encryption_certificate or base.encryption_certificate,
            endpoint=self._usable(route.receiving.endpoints) or base.endpoint,
            signal_endpoint=self._usable(route.signals.endpoints if route.signals else ()) or base.signal_endpoint,
            error_endpoint=self._usable(route.errors.endpoints if route.errors else ()),
            reply="async" if route.sending.sync_reply_mode in ("", "none") else "sync",  # by default none (CPPA 2.0)
            sync_reply=route.sending.sync_reply_mode not in ("", "none"),
            ack_requested=route.sending.ack_requested != "never",
            ack_signed=route.sending.ack_signature_requested != "never",
            duplicate_elimination=route.sending.duplicate_elimination != "never",
            service_type=route.service_type,
            from_type=route.from_type,
            to_type=route.to_type,
            national=all(party.her_ids for party in one.parties),
            acknowledgment_refers=(own and own.acknowledgment_refers) or base.acknowledgment_refers,
            time_to_live=_lifetime(own.time_to_live_seconds if own else None, base.time_to_live),
            encrypted=encrypted,
            unkept="" if encrypted else how.unkept,
            free=route.sending.free,
            compressed=route.package.compressed if route.package else base.compressed,
            retries=d.retries if route.sending.retries is None else route.sending.retries,
            retry_interval=route.sending.retry_interval or d.retry_interval,
            persist_duration=route.sending.persist_duration or d.persist_duration,
            from_role=route.from_role if service != SIGNAL_SERVICE else "",
            to_role=route.to_role if service != SIGNAL_SERVICE else "",
            action=route.action if action == APPREC else "",
        )
        return _Timed(agreed, one.start, one.end)


@dataclass(frozen=True, slots=True)
class _Timed:
    """An agreement with the time in which it holds; outside of it `otherwise`, or a fault."""

    agreement: Agreement
    start: datetime | None = None
    end: datetime | None = None
    otherwise: _Timed | None = None

    def at(self, now: datetime) -> Agreement:
        if self.end is not None and now > self.end:
            return self._otherwise(now, "cpa-expired", f"CPA {self.agreement.cpa_id} ended {self.end.isoformat()}")
        if self.start is not None and now < self.start:
            text = f"CPA {self.agreement.cpa_id} begins {self.start.isoformat()}"
            return self._otherwise(now, "cpa-not-yet-valid", text)
        return self.agreement

    def _otherwise(self, now: datetime, code: str, because: str) -> Agreement:
        return self.otherwise.at(now) if self.otherwise is not None else _fault(self.agreement, code, because)


def _chained(usable: Sequence[_Timed], plain: Agreement) -> _Timed:
    """The first of them that is in force, else what holds without any."""
    chain = _Timed(plain)
    for one in reversed(usable):
        chain = replace(one, otherwise=chain)
    return chain


def _newest_first(one: Cpa) -> tuple[float, str]:
    """Of several that are in force the one that began last (a renewal is put in place before the old one ends)."""
    return (-one.start.timestamp() if one.start is not None else math.inf), one.cpa_id


def _digest(*content: bytes) -> str:
    whole = sha256()
    for one in content:
        whole.update(sha256(one).digest())
    return whole.hexdigest()[:12]


def _low_high(from_her: str, to_her: str) -> str:
    """The CPAId that says that no CPA is agreed: numeric order (HIS 1037 6.2.1)."""
    low, high = sorted((from_her, to_her), key=lambda her: (len(her), her))
    return f"{low}_{high}"


def _pairs(one: Cpa) -> Iterator[frozenset[str]]:
    first, second = (party.numbers for party in one.parties)
    for a in first:
        for b in second:
            yield frozenset((a, b))


def _called(one: Cpa) -> Iterator[tuple[str, str]]:
    """(type, value) of every PartyId by which a party of a CPA is found."""
    for party in one.parties:
        yield from ((party.type_of(number) or "", number) for number in party.numbers)


def _same_type(agreed: str, written: str) -> bool:
    """Types that are the same, both some way to write HER, or one that was left out."""
    her = agreed.upper().endswith("HER") and written.upper().endswith("HER")
    return her or not agreed or not written or agreed == written


def _lifetime(seconds: float | None, otherwise: timedelta | None) -> timedelta | None:
    """TimeToLive as it is set nearest; 0 says that none is written."""
    if seconds is None:
        return otherwise
    return timedelta(seconds=seconds) if seconds else None


def _empty(cpa_id: str, from_her: str, to_her: str) -> Agreement:
    return Agreement(cpa_id, "parties", from_her, to_her, (), b"", "", "", because="party file; no CPA")


def _fault(agreement: Agreement, code: str, because: str) -> Agreement:
    return replace(agreement, fault=code, because=because)


def _numbers(parties: Iterable[Party]) -> dict[str, frozenset[str]]:
    """Organisation numbers by HER-id, of parties that this hub serves and of the organisations above them."""
    found: dict[str, frozenset[str]] = {}
    for party in parties:
        if party.local and party.organisation_number:
            for her_id in filter(None, (party.her_id, party.organisation_her_id)):
                found[her_id] = found.get(her_id, frozenset()) | {party.organisation_number}
    return found
