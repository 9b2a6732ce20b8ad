"""Who calls: which record system it is by what it shows, what it may speak for, and whether that still holds."""

from __future__ import annotations

from datetime import datetime

from hub.digest import sha256
from hub.kit import Kit
from hub.message import RecordSystem
from hub.record_systems.uses import Uses
from hub.record_systems.values import Caller


class Callers:
    """What the facade knows of those who come to it; a door only reads what they show."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.uses = Uses()  #: of API keys

    def by_key(self, key: str) -> Caller | None:
        """The record system with this API key, while the key holds."""
        return self._with_key(sha256(key.encode()), shown=True)

    def by_name(self, system_id: str, key: str) -> Caller | None:
        """The record system with this id, if the API key is its own."""
        return self._with_key(sha256(key.encode()), shown=True, of=system_id)

    def by_certificate(self, digest: str) -> Caller | None:
        """The record system with this client certificate, by its hex SHA-256; whoever ends TLS has verified it."""
        found = self._kit.directory.by_certificate(digest)
        return Caller(found, certificate=digest) if found is not None else None

    def by_client(
        self, client_id: str, her_ids: frozenset[str] | None, organisations: frozenset[str], until: datetime
    ) -> Caller | None:
        """Who is known by tokens of this client, until its token expires.

        For the HER-ids that it names (None: all; EDI 2.0 A3.3), and that are of one of the organisations that it names by
        their numbers (none: of any; A3.4).
        """
        found = self._kit.directory.by_client(client_id)
        if found is None:
            return None
        limited = her_ids
        if organisations:
            numbers = self._kit.directory.organisation_numbers
            own = frozenset(her for her in found.her_ids if numbers(her) & organisations)
            limited = own if limited is None else limited & own
        return Caller(found, client=client_id, limited=limited, until=until)

    def still(self, caller: Caller) -> bool:
        """Whether what a caller has shown still opens as much as it did: asked by whoever holds a stream or a call open."""
        if caller.until is not None and self._kit.clock.now() >= caller.until:
            return False
        if caller.key:
            now = self._with_key(caller.key, shown=False, of=caller.id)
        elif caller.certificate:
            now = self.by_certificate(caller.certificate)
        else:
            found = self._kit.directory.system(caller.id)
            known = found is not None and (caller.until is None or caller.client in found.clients)
            now = Caller(found) if found is not None and known else None
        return now is not None and now.id == caller.id and caller.her_ids <= now.system.her_ids

    def _with_key(self, digest: str, *, shown: bool, of: str = "") -> Caller | None:
        found = self._kit.directory.by_key(digest)
        if found is None or (of and of != found[0].id):
            return None
        (system, key), now = found, self._kit.clock.now()
        if not key.holds(now):
            return None
        if shown:
            self.uses.note(key, now)
        return Caller(system, key=digest)

    def at_its_place(self, system: RecordSystem) -> Caller:
        """A record system that is known by the place where it lays its documents: its folder, its queue."""
        return Caller(system)
