"""Partners of the demo whose message handlers are others': each as it was met, with an agreement; documents go both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lxml import etree

from adapters.register.file import der
from ops.demo import judge
from ops.demo.stage import House
from ops.demo.told import Teller
from ops.partner.behaviours import Sending
from ops.partner.partner import PartnerKeys
from ops.partner.peer import Peer, Standing
from ops.partner.peers import PEERS
from ops.partner.terms import Side, Terms, cpa
from ops.samples.make import Sample
from ops.sector import SECTOR, Member

DOCTOR = SECTOR[1]
Make = Callable[[str, Member, Member, int], Sample]


@dataclass(frozen=True, slots=True)
class Met:
    """One such partner, and whether its receipts come in the same exchange."""

    kind: str
    member: Member
    sync: bool


#: Each of the two that were met, one with receipts by themselves and one with receipts in the exchange.
MET = (
    Met("ebms-core", Member("8001900", "Prøvepartner ebms-core", "8001901", "partner", "999000053"), sync=False),
    Met("hermes", Member("8001902", "Prøvepartner hermes", "8001903", "partner", "999000053"), sync=True),
)
PATIENCE = 12.0


def played(met: Met, keys: PartnerKeys, certificate_of: Callable[[str], bytes]) -> Peer:
    """The partner, without an address yet."""
    return Peer(met.member.her_id, keys, manners=PEERS[met.kind].manners, certificate_of=certificate_of)


def agreed(met: Met, peer: Peer, certs: Path) -> str:
    """The CPA between it and the GP, which it holds from now on."""

    def side(member: Member, url: str) -> Side:
        sign, encrypt = ((certs / member.organisation / f"{use}.cert.pem").read_bytes() for use in ("sign", "encrypt"))
        return Side(member.her_id, url, der(sign), der(encrypt))

    terms = Terms(f"demo:{met.kind}", DOCTOR.her_id, sync=met.sync)
    text = cpa(terms, side(DOCTOR, "http://127.0.0.1/ebxml"), side(met.member, peer.url))
    held = Terms.read(etree.fromstring(text), met.member.her_id)
    assert held is not None
    peer.agree(held)
    return text


async def shown(met: Met, peer: Peer, town: House, make: Make, number: int, teller: Teller) -> None:
    """A document there and one from there, each with its AppRec; from the first our receipts have learnt its form."""
    sample = make("dialog-helsefaglig", DOCTOR, met.member, 400 + number)
    _, answer = await town.systems[DOCTOR.system].send(sample.document, DOCTOR.her_id, [])
    message_id = str(answer["id"])
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        late = asyncio.get_running_loop().time() > end
        told = await judge.sent(town, f"to {met.kind}", message_id, "delivered", final=late)
        if told.as_expected or late:
            break
        await asyncio.sleep(0.1)
    teller.tell(told)
    for _ in range(100):  # its AppRec may have come before its receipt
        if await _acknowledged(town, message_id):
            break
        await asyncio.sleep(0.1)
    await _from(met, peer, town, make, number, teller)


async def _acknowledged(town: House, message_id: str) -> bool:
    """Whether its receipt has come, from which we learn in what form it reads ours."""
    return any(r.kind == "acknowledgment" and r.proven for r in await town.hub.store.receipts(message_id))


async def _from(met: Met, peer: Peer, town: House, make: Make, number: int, teller: Teller) -> None:
    """Delivered is what the other handler says is delivered: our receipt is in the form that it reads."""
    sample = make("epikrise", met.member, DOCTOR, 500 + number)
    answer = await peer.send(sample.document, DOCTOR.her_id, Sending.GOOD)
    kept = town.systems[DOCTOR.system].kept
    for _ in range(100):
        if sample.msg_id in kept and peer.standing[answer.message_id] is not Standing.WAITING:
            break
        await asyncio.sleep(0.05)
    standing = peer.standing[answer.message_id]
    told = await judge.received(town, f"from {met.kind}", sample, answer, "delivered", kept.count(sample.msg_id))
    if standing is not Standing.DELIVERED:
        said = peer.told.get(answer.message_id) or "no receipt that it takes has come"
        told = replace(told, outcome="dead", code="receipt-unknown", because=f"{met.kind} has it as {standing}: {said}")
    teller.tell(told)
