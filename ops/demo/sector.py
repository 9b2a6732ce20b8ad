"""Our own sector: what a day brings between municipality, GP, physiotherapist, hospital and laboratory, and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapters.register.file import der
from ops.certs.make_example import BAD
from ops.demo import judge, peers
from ops.demo.faults import Fault
from ops.demo.stage import House, free_ports, house, settled
from ops.demo.told import Teller, Told
from ops.partner.behaviours import Receiving, Sending
from ops.partner.keys import keys_in
from ops.partner.mail import MailPartner, mail_of
from ops.partner.office import PostOffice
from ops.partner.partner import Partner, PartnerKeys
from ops.partner.peer import Peer
from ops.samples.make import Sample, broken, make
from ops.sector import HOSPITAL, SECTOR, Member, make_keys

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
#: (kind, sender, receiver, copies, expected): a day's traffic, both ways, and within the municipality's own house.
DAY: tuple[tuple[str, Member, Member, tuple[Member, ...], str], ...] = (
    ("henvisning", DOCTOR, SURGERY, (), "delivered"),
    ("henvisning", DOCTOR, PHYSIO, (), "delivered"),
    ("henvisning", PHYSIO, SURGERY, (DOCTOR,), "delivered"),
    ("epikrise", SURGERY, DOCTOR, (NURSING,), "delivered"),
    ("epikrise", SURGERY, NURSING, (), "delivered"),
    ("labsvar", LABORATORY, DOCTOR, (), "delivered"),
    ("labsvar", LABORATORY, SURGERY, (), "delivered"),
    ("plo-innlagt", SURGERY, NURSING, (), "delivered"),
    ("plo-innleggelse", NURSING, SURGERY, (), "delivered"),
    ("plo-medisinske", DOCTOR, NURSING, (), "delivered"),
    ("plo-fravar", NURSING, DOCTOR, (), "delivered"),
    ("dialog-foresporsel", NURSING, SURGERY, (), "delivered"),
    ("dialog-svar", SURGERY, NURSING, (), "delivered"),
    ("dialog-helsefaglig", DOCTOR, SURGERY, (), "delivered"),
    ("dialog-helsefaglig", PHYSIO, DOCTOR, (), "delivered"),
    ("dialog-foresporsel", PHYSIO, LABORATORY, (), "delivered"),
    ("labsvar", LABORATORY, PHYSIO, (), "delivered"),
)
#: Record systems that come by SOAP; the others come by REST.
BY_SOAP = ("legesenter", "laboratorium")
#: Who is reached by mail from the other house.
BY_MAIL = (PHYSIO, LABORATORY)
DEADLINE = 4.0
#: The hubs of the demo take less than others, so that refusing what is huge does not hold up everything else.
LARGEST = 2_000_000


def _partner_member(fault: Fault, number: int) -> Member:
    return Member(
        str(8001000 + 2 * number), f"Prøvepartner {fault.name}", str(8001001 + 2 * number), "partner", "999000053"
    )


async def play_sector(folder: Path, faults: list[Fault], teller: Teller) -> dict[str, object]:
    """Plays the day, then the faults; returns more words for the summary."""
    members = {fault.name: _partner_member(fault, n) for n, fault in enumerate(faults)}
    teller.say(
        "Making keys and certificates for a municipality, a GP, a physiotherapist, a hospital and its laboratory …"
    )
    everybody = [*SECTOR, *members.values(), *(met.member for met in peers.MET)]
    await asyncio.to_thread(make_keys, folder / "certs", everybody, "partner" if members else "")
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(PostOffice())
        keys = await asyncio.to_thread(keys_in, folder / "certs" / "partner")
        partners: dict[str, Partner] = {
            fault.name: await stack.enter_async_context(_partner(folder, members[fault.name], keys, fault, office))
            for fault in faults
        }
        met = {one: peers.played(one, keys, _certificates(folder)) for one in peers.MET}
        for peer in met.values():
            await stack.enter_async_context(peer)
        town, hospital = await _houses(folder, stack, members, partners, met, office)
        for partner in (*partners.values(), *met.values()):
            mailed = isinstance(partner, MailPartner)
            partner.hub_url = f"smtp://127.0.0.1:{town.hub.mail.listener.port}" if mailed else f"{town.url}/ebxml"
        teller.say(
            f"Two hubs: {town.url} serves the municipality's side, {hospital.url} the hospital;"
            " physiotherapist and laboratory reach each other by mail,\n"
            "record systems of the GP and the laboratory come by SOAP, the others by REST.\n"
        )
        await _day(town, hospital, teller)
        teller.say("\nMessage handlers that others have written:")
        shown = (peers.shown(one, peer, town, _sample, n, teller) for n, (one, peer) in enumerate(met.items()))
        await asyncio.gather(*shown)
        if faults:
            teller.say("\nFaults:")
        await asyncio.gather(
            *(_scene(f, town, partners[f.name], members[f.name], n, teller) for n, f in enumerate(faults))
        )
        await settled((town, hospital), 15)
        return await _after(town, hospital)


def _certificates(folder: Path) -> Callable[[str], bytes]:
    def certificate_of(her_id: str) -> bytes:
        organisation = next((m.organisation for m in SECTOR if m.her_id == her_id), SECTOR[0].organisation)
        return der((folder / "certs" / organisation / "encrypt.cert.pem").read_bytes())

    return certificate_of


def _partner(folder: Path, member: Member, keys: PartnerKeys, fault: Fault, office: PostOffice) -> Partner:
    certificate_of = _certificates(folder)
    if fault.mailed:
        mailed = MailPartner(member.her_id, keys, office, certificate_of=certificate_of)
        mailed.late_seconds, mailed.slow_seconds = 1.0, 1.0
        return mailed
    partner = Partner(member.her_id, keys, certificate_of=certificate_of)
    partner.late_seconds = DEADLINE + 1
    partner.huge_bytes = LARGEST + 1_000_000
    return partner


async def _houses(
    folder: Path,
    stack: AsyncExitStack,
    members: dict[str, Member],
    partners: dict[str, Partner],
    met: dict[peers.Met, Peer],
    office: PostOffice,
) -> tuple[House, House]:
    """The municipality's side and the hospital's; for mail, the post office is the relay of both."""
    town_port, hospital_port, town_mail, hospital_mail = free_ports(4)
    here = [m for m in SECTOR if m.system not in HOSPITAL]
    there = [m for m in SECTOR if m.system in HOSPITAL]
    certs = folder / "certs"
    simulated = [(members[name], partner.url) for name, partner in partners.items()]
    others = [(one.member, peer.url) for one, peer in met.items()]
    known = [str(certs / f"partner-{kind}" / "sign.cert.pem") for kind in BAD]
    manners: dict[str, dict[str, Any]] = {
        m.her_id: {"signing_certificates": [str(certs / "partner" / "sign.cert.pem"), *known]} for m, _ in simulated
    }
    mailboxes = {m.her_id: {"mail": mail_of(m.her_id)} for m in SECTOR}
    office.onward |= {mail_of(m.her_id): ("127.0.0.1", town_mail) for m in here}
    office.onward |= {mail_of(m.her_id): ("127.0.0.1", hospital_mail) for m in there}
    town = await stack.enter_async_context(
        house(
            folder / "kommune",
            certs,
            town_port,
            here,
            [*((m, _endpoint(m, hospital_port)) for m in there), *simulated, *others],
            apprec="hub",
            deadline_seconds=DEADLINE,
            manners={**manners, **{m.her_id: mailboxes[m.her_id] for m in here}},
            mail=(town_mail, office.port),
            agreements=[peers.agreed(one, peer, certs) for one, peer in met.items()],
            max_message_bytes=LARGEST,
            by_soap=BY_SOAP,
        )
    )
    hospital = await stack.enter_async_context(
        house(
            folder / "sykehus",
            certs,
            hospital_port,
            there,
            [(m, _endpoint(m, town_port)) for m in here],
            apprec="system",
            deadline_seconds=DEADLINE * 3,
            manners={m.her_id: mailboxes[m.her_id] for m in there},
            mail=(hospital_mail, office.port),
            by_soap=BY_SOAP,
        )
    )
    return town, hospital


def _endpoint(member: Member, port: int) -> str:
    return f"mailto:{mail_of(member.her_id)}" if member in BY_MAIL else f"http://127.0.0.1:{port}/ebxml"


async def _day(town: House, hospital: House, teller: Teller) -> None:
    sent: list[tuple[House, str, str, str]] = []
    for number, (kind, sender, receiver, copies, expected) in enumerate(DAY):
        sample = _sample(kind, sender, receiver, number, copies)
        own = hospital if sender.system in HOSPITAL else town
        sent.append((own, await _handed(own, sample, sender), f"{kind}.xml", expected))
    rejected = _sample("henvisning", DOCTOR, SURGERY, 90)
    hospital.systems["sykehus"].rejects.add(rejected.msg_id)
    sent.append((town, await _handed(town, rejected, DOCTOR), "henvisning-avvist.xml", "rejected"))
    await _refusals(town, teller)
    await settled((town, hospital), 20)
    for own, message_id, name, expected in sent:
        teller.tell(await judge.sent(own, name, message_id, expected))


async def _refusals(town: House, teller: Teller) -> None:
    """What a record system may get wrong, refused to its face."""
    for how, outcome in (("schema", "rejected"), ("not-well-formed", "unreadable"), ("no-msgid", "rejected")):
        sample = _sample("dialog-helsefaglig", DOCTOR, SURGERY, 91)
        own = town.systems[DOCTOR.system]
        _, answer = await own.send(broken(sample, how), DOCTOR.her_id, [SURGERY.her_id])
        facts = (sample.type_code, "", sample.msg_id, sample.from_her, sample.to_her)
        code, because = str(answer.get("code", "")), str(answer.get("detail", ""))
        teller.tell(judge.refused(f"dialog-{how}.xml", facts, code, because, outcome))


def _sample(kind: str, sender: Member, receiver: Member, number: int, copies: tuple[Member, ...] = ()) -> Sample:
    now = datetime.now(UTC)
    return make(kind, sender=sender, receiver=receiver, gen_date=now, msg_id=str(uuid4()), number=number, copies=copies)


async def _handed(own: House, sample: Sample, sender: Member) -> str:
    receivers: list[str] = []  # as the document says
    status, answer = await own.systems[sender.system].send(sample.document, sender.her_id, receivers)
    if status != 202:
        raise AssertionError(f"{sample.kind} was refused: {answer.get('code')} {answer.get('detail')}")
    return str(answer["id"])


async def _scene(fault: Fault, town: House, partner: Partner, member: Member, number: int, teller: Teller) -> None:
    if fault.side == "receiving":
        await _we_send(fault, town, partner, member, number, teller)
    else:
        await _they_send(fault, town, partner, member, number, teller)


async def _we_send(fault: Fault, town: House, partner: Partner, member: Member, number: int, teller: Teller) -> None:
    await partner.behave(partner.named(fault.behaviour))
    message_id = await _handed(town, _sample("henvisning", DOCTOR, member, 200 + number), DOCTOR)
    if fault.for_seconds:
        await asyncio.sleep(fault.for_seconds)
        await partner.behave(Receiving.GOOD)
    lasts = DEADLINE + 4 if fault.behaviour == Receiving.LATE_APPREC else 12
    told = await _until(fault, town, message_id, lasts)
    teller.tell(told)


async def _until(fault: Fault, town: House, message_id: str, seconds: float) -> Told:
    """The story once it is as expected, or after so many seconds as it then is."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        late = asyncio.get_running_loop().time() > end
        told = await judge.sent(town, f"fault: {fault.name}", message_id, fault.expected, final=late)
        waits = fault.behaviour == Receiving.CONTRADICTING_APPRECS and told.way[-1:] != ("AppRec OK",)
        if (told.as_expected and not waits) or late:
            return told
        await asyncio.sleep(0.1)


async def _they_send(fault: Fault, town: House, partner: Partner, member: Member, number: int, teller: Teller) -> None:
    sample = _sample("epikrise", member, DOCTOR, 300 + number)
    answer = await partner.send(sample.document, DOCTOR.her_id, Sending(fault.behaviour))
    kept = town.systems[DOCTOR.system].kept
    for _ in range(100):
        if fault.expected != "delivered" or sample.msg_id in kept:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3 if fault.expected == "delivered" else 0)
    told = await judge.received(town, f"fault: {fault.name}", sample, answer, fault.expected, kept.count(sample.msg_id))
    teller.tell(told)


async def _after(town: House, hospital: House) -> dict[str, object]:
    """What people would find afterwards; `broken` when a store does not keep its promises."""
    broken_words = [*await town.hub.store.check(), *await hospital.hub.store.check()]
    counts = await town.hub.store.counts()
    more: dict[str, object] = {
        "waiting_for_a_person": counts["dead"] + counts["overdue"] + counts["rejected"] + counts["expired"],
        "refused_or_in_quarantine": counts.get("arrival:refused", 0) + counts.get("arrival:quarantined", 0),
    }
    if broken_words:
        more["broken"] = "; ".join(broken_words)
    return more
