"""Does the other side answer? Pings a partner, and looks at its certificates, its address and what is agreed with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.errors import NotFound
from hub.formats import envelope_write
from hub.kit import Kit
from hub.message import Agreement, Party
from ops.certs.check import rows
from ops.look import asking
from ops.look.asking import Ways

#: One thing that was looked at: what, whether it is good, and in words.
Looked = tuple[str, bool, str]


async def checked(her_id: str, kit: Kit, ways: Ways | None = None) -> list[Looked]:
    """Everything about one party that can be looked at without sending a message. Raises NotFound."""
    party = kit.directory.party(her_id)
    if party is None:
        raise NotFound(f"HER-id {her_id} is not known here; see: samhub party list")
    found = [*_certificates(her_id, kit)]
    if party.local:
        found.append(("served by", True, f"{party.system}: this hub serves it; there is nobody to ping"))
        return found
    queues = {kind: kit.directory.bus_queue(her_id, kind) for kind in ("async", "sync", "error")}
    found += _queues(queues)
    if not party.endpoint.startswith("amqp"):
        found += _agreements(party, kit)
        found.append(await _pinged(party, kit, ways or Ways()))
    return found


def _queues(queues: Mapping[str, str]) -> Iterator[Looked]:
    """Its queues on the message bus, where it has any; nobody can be pinged there, its AppRec tells (nhn-amqp.md §4.3)."""
    if not any(queues.values()):
        return
    for kind, name in queues.items():
        wanted = kind != "sync"  # not everybody is asked synchronously
        yield f"{kind} queue on the bus", bool(name) or not wanted, name or "none is registered"


def _certificates(her_id: str, kit: Kit) -> Iterator[Looked]:
    own = [row for row in rows(kit) if row.her_id == her_id]
    for row in own:
        words = f"{row.days_left} days left" + (f": {row.because}" if row.because else "")
        yield f"{row.use} certificate", row.state in ("good", "soon"), f"{row.state}, {words}"
    for use in ("signing", "encryption"):
        if not any(row.use == use for row in own):
            yield f"{use} certificate", False, "there is none here: add it to the party or to its CPA"


def _agreements(party: Party, kit: Kit) -> Iterator[Looked]:
    """What is agreed with each local party, for a message that every pair may exchange."""
    for local in kit.directory.parties():
        if not local.local:
            continue
        found = kit.directory.agreement(
            cpa_id="",
            from_her=local.her_id,
            to_her=party.her_id,
            service="S-DIALOG_FORESPORSEL",
            action="DIALOG_FORESPORSEL",
            role="",
            at=kit.clock.now(),
        )
        words = found.because or f"by {found.source}, receipts {found.reply}, to {found.endpoint or '(no address)'}"
        yield f"agreement with {local.her_id}", not found.fault and bool(found.endpoint), words


async def _pinged(party: Party, kit: Kit, ways: Ways) -> Looked:
    """A Ping of a local party that has an agreement with it; a Pong says that the line and the agreement work (ebMS 2.0 8).

    It is no proof of content, so an unsigned one is one too: "answers, unsigned".
    """
    agreement = _asking(party, kit)
    if agreement is None:
        return "ping", False, "no local party has both an agreement with it and a signing key"
    if not agreement.endpoint.startswith(("http://", "https://")):
        return "ping", False, f"{agreement.endpoint or '(no address)'} cannot be pinged over HTTP"
    message_id, body = asking.question(agreement, "Ping", lambda h, now: envelope_write.ping(h, sync_reply=now), kit)
    heard = await asking.asked(agreement, message_id, message_id, body, kit, ways)
    return "ping", heard.kind == "pong" or heard.silent, heard.because


def _asking(party: Party, kit: Kit) -> Agreement | None:
    """Under whose agreement it is asked: a CPA's before that of the party file."""
    ours = [p.her_id for p in kit.directory.parties() if p.local and kit.keys.signing_key(p.her_id)]
    found = [asking.agreed(her_id, party.her_id, "Ping", kit) for her_id in ours]
    usable = [a for a in found if not a.fault and a.endpoint]
    return min(usable, key=lambda a: a.source != "cpa", default=None)
