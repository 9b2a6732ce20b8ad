"""Where the cases are played: real hubs, one after another, and simulated partners that seal, send and are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from uuid import uuid4

from lxml import etree

from hub.message import MessageRecord
from hub.ports import MessageFilter
from ops.partner.aside import Aside, eventually
from ops.partner.behaviours import Sending
from ops.partner.handles import Handover, HubHandle, PartnerHandle, Pki, encryption_of, hub_site
from ops.partner.partner import Partner, Sent
from ops.sector import Member
from tests.acceptance.cases import RECEIVER, Case

UNDER_WAY = ("waiting", "sent", "available", "acknowledged")


@dataclass(frozen=True, slots=True)
class Answered:
    """An AppRec that came to the sender: from whom by the envelope, and its bytes."""

    by: str
    raw: bytes = field(repr=False)

    @property
    def root(self) -> etree._Element:
        """Read without the hub's own words."""
        return etree.fromstring(self.raw)


@dataclass(frozen=True, slots=True)
class Happened:
    """What became of one case."""

    case: Case
    round: int
    place: int  #: when it was sent among the cases of its round
    answers: tuple[Sent, ...]
    handed: tuple[Handover, ...]
    apprecs: tuple[Answered, ...]
    kept: tuple[MessageRecord, ...]

    @property
    def reaction(self) -> str:
        """In the words of the table."""
        refused = {"error": "MessageError", "fault": "SOAP Fault"}
        if self.answers[0].kind in refused:
            return refused[self.answers[0].kind]
        said = sorted({_said(a.root) for a in self.apprecs})
        return ", ".join(said) or "no AppRec"


def _said(apprec: etree._Element) -> str:
    status = apprec.find("{*}Status")
    codes = [str(e.get("V")) for e in apprec.iter("{*}Error")]
    words = {"1": "OK", "2": "Avvist"}
    return " ".join([words.get(str(status.get("V")) if status is not None else "", "?"), *codes])


class Hall:
    """Partners that stay, and a hub for each round of cases that may stand in one store."""

    def __init__(self, folder: Path, pki: Pki, aside: Aside) -> None:
        self._folder, self._pki, self._aside = folder, pki, aside
        self._partners: dict[str, PartnerHandle] = {}
        self._leave = list[Callable[[], None]]()
        self._played = count(1)

    def play(self, cases: Iterable[Case]) -> dict[str, Happened]:
        """Every case by its name."""
        happened: dict[str, Happened] = {}
        for some in rounds(cases):
            happened |= {one.case.expected.case: one for one in self._round(next(self._played), some)}
        return happened

    def close(self) -> None:
        """The partners go home."""
        for leave in reversed(self._leave):
            leave()

    def partner(self, her_id: str) -> PartnerHandle:
        """The simulated partner of this HER-id; all share one organisation's keys."""
        if her_id not in self._partners:
            partner = Partner(her_id, self._pki.partner_keys)
            _, leave = self._aside.enter(partner)
            self._leave.append(leave)
            self._partners[her_id] = PartnerHandle(partner, self._aside)
        return self._partners[her_id]

    def hub(self, name: str, systems: Mapping[str, str], remote: Iterable[str]) -> HubHandle:
        """A hub that refuses by content rules and answers for its record systems; `systems` tells whose each HER-id is."""
        members = [installed(her_id, system) for her_id, system in sorted(systems.items())]
        partners = [self.partner(her_id) for her_id in sorted(set(remote))]
        settings = {"hub": {"content_rules": "refuse"}}
        site = hub_site(self._folder / name, self._pki, members, partners, settings=settings, apprec="hub")
        hub = HubHandle(site, self._pki, self._aside).start()
        for partner in partners:
            partner.meet(f"{hub.url}/ebxml", encryption_of(self._pki, members))
        return hub

    def _round(self, number: int, cases: Sequence[Case]) -> list[Happened]:
        systems = {her: system for case in cases for her, system in _served(case).items()} or {RECEIVER: RECEIVER}
        hub = self.hub(f"round-{number}", systems, {case.sender for case in cases})
        try:
            marks = {case.expected.case: str(uuid4()) for case in cases}
            answers = {case.expected.case: self._sent(case, marks[case.expected.case]) for case in cases}
            taken = [handed for system in set(systems.values()) for handed in hub.epj(_first(systems, system)).take()]
            settle(hub)
            return [
                self._happened(number, place, case, answers[case.expected.case], marks[case.expected.case], taken, hub)
                for place, case in enumerate(cases)
            ]
        finally:
            hub.stop()

    def _sent(self, case: Case, conversation: str) -> tuple[Sent, ...]:
        """One envelope for each receiver; or the very same bytes twice."""
        partner = self.partner(case.sender)
        sealed = [
            partner.partner.sealed(case.raw, to, Sending.GOOD, conversation_id=conversation)[1] for to in case.receivers
        ]
        return tuple(partner.post(written) for written in sealed * (2 if case.expected.sent == "twice" else 1))

    def _happened(
        self,
        number: int,
        place: int,
        case: Case,
        answers: tuple[Sent, ...],
        conversation: str,
        taken: Sequence[Handover],
        hub: HubHandle,
    ) -> Happened:
        kept = hub.run(hub.built.store.messages(MessageFilter(direction="in", limit=1000)))
        own = tuple(m for m in kept if m.conversation_id == conversation)
        received = self.partner(case.sender).received
        apprecs = [r for r in received if r.envelope.conversation_id == conversation]
        return Happened(
            case=case,
            round=number,
            place=place,
            answers=answers,
            handed=tuple(h for h in taken if h.message_id in {m.id for m in own}),
            apprecs=tuple(Answered(r.from_her, r.raw) for r in apprecs),
            kept=own,
        )


def installed(her_id: str, system: str) -> Member:
    """A party of the installation under test."""
    return Member(her_id, f"Prøveinstallasjon {her_id}", "", "legesenter", "999000029", system)


def _served(case: Case) -> dict[str, str]:
    """HER-id → record system: one for each receiver, and one for all where one installation is the point."""
    if case.expected.sent == "unknown":
        return {}
    together = "installation" if case.expected.sent == "both" else ""
    return {her: together or her for her in case.receivers}


def _first(systems: Mapping[str, str], system: str) -> str:
    return next(her for her, own in systems.items() if own == system)


def settle(hub: HubHandle) -> None:
    """Waits until nothing is under way any more."""
    eventually(lambda: not any(hub.count(state) for state in UNDER_WAY), 30, "the end of every delivery")


def rounds(cases: Iterable[Case]) -> list[list[Case]]:
    """As few as need be: in one store a MsgId comes once, and nobody is both a partner and one of ours.

    The order of the table is kept within a round, so that what is said to come first does.
    """
    made: list[list[Case]] = []
    for case in cases:
        fitting = next((some for some in made if all(_together(case, other) for other in some)), None)
        if fitting is None:
            made.append([case])
        else:
            fitting.append(case)
    return made


def _together(one: Case, other: Case) -> bool:
    same_id = one.document is not None and other.document is not None and one.document.msg_id == other.document.msg_id
    crossing = one.sender in other.receivers or other.sender in one.receivers
    installations = (one.expected.sent == "both") != (other.expected.sent == "both")
    return not same_id and not crossing and not installations
