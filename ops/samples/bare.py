"""Documents without MsgHead: referral 1.1, discharge letter 1.2 and laboratory answer 1.4."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from hub.formats.envelope_write import escape_text
from ops.samples.persons import Person
from ops.sector import Member

_SENTENCE = "Oppdiktet innhold om en oppdiktet person, laget for å prøve meldingsutvekslingen."
_COMPLAINTS = ("vondt i et kne", "langvarig hoste", "svimmelhet", "nedsatt syn", "vedvarende hodepine")


@dataclass(frozen=True, slots=True)
class Case:
    """What a document is about; all invented."""

    sender: Member
    receiver: Member
    copies: tuple[Member, ...]
    patient: Person
    at: str
    msg_id: str
    number: int

    @property
    def document_id(self) -> str:
        """The id of the document itself, another than MsgId (ebxml.md §7.3)."""
        return str(uuid5(UUID(self.msg_id), "dokument"))


def referral(case: Case) -> str:
    """Henvisning 1.1."""
    complaint = _COMPLAINTS[case.number % len(_COMPLAINTS)]
    return (
        f"{_head(case, 'henvisning', 'HENVISNING', 'Henvisning', 'v1.1 2012-02-15')}<ServReq>"
        f'<ServType V="N" DN="Ny"/><IssueDate V="{case.at}"/><ReqComment>Henvises for {complaint}. {_SENTENCE}</ReqComment>'
        f'<MsgDescr V="10" DN="Utredning/behandling"/><Id>{case.document_id}</Id>{_patient(case, with_sex=True)}'
        f"<ServProvider>{_party(case.receiver)}</ServProvider><Requester>{_party(case.sender)}</Requester>"
        f"{_copies(case)}"
        '<ReqServ><ServType V="N" DN="Ny"/><Priority V="3" DN="Haster (elektiv)"/></ReqServ></ServReq></Message>\n'
    )


def discharge_letter(case: Case) -> str:
    """Epikrise 1.2."""
    return (
        f"{_head(case, 'epikrise', 'EPIKRISE', 'Epikrise', 'v1.2 2012-02-15')}<ServRprt>"
        f'<ServType V="N" DN="Ny"/><IssueDate V="{case.at}"/><ApprDate V="{case.at}"/><Status V="F" DN="Endelig rapport"/>'
        f"<MsgDescr>Sykehusepikrise</MsgDescr><ServProvId>{case.document_id}</ServProvId>{_patient(case, with_sex=True)}"
        f"<ServProvider>{_party(case.sender)}</ServProvider>{_copies(case)}<Requester>{_party(case.receiver)}</Requester>"
        "</ServRprt></Message>\n"
    )


def laboratory_answer(case: Case) -> str:
    """Svarrapport 1.4."""
    requisition = uuid5(UUID(case.msg_id), "rekvisisjon")
    return (
        f"{_head(case, 'labsvar', 'SVAR_LAB', 'Svarrapport - laboratoriemedisin', 'v1.4 2012-02-15')}<ServReport>"
        f'<ServType V="N" DN="Ny"/><IssueDate V="{case.at}"/><Status V="F" DN="Endelig rapport"/>'
        f'<MsgDescr V="LAB" DN="Laboratoriemedisin"/><ServProvId>{case.document_id}</ServProvId>'
        f'<Comment>{_SENTENCE}</Comment><ServReq><ServType V="N" DN="Ny"/><IssueDate V="{case.at}"/>'
        f'<MsgDescr V="LAB" DN="Laboratoriemedisin"/><Id>{requisition}</Id></ServReq>{_patient(case, with_sex=False)}'
        f"<ServProvider>{_party(case.sender)}</ServProvider><Requester>{_party(case.receiver)}</Requester>"
        f"{_copies(case)}</ServReport></Message>\n"
    )


def _head(case: Case, standard: str, code: str, text: str, version: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Message xmlns="http://www.kith.no/xmlstds/{standard}/2012-02-15">'
        f'<Type V="{code}" DN="{text}"/><MIGversion>{version}</MIGversion><GenDate V="{case.at}"/>'
        f"<MsgId>{case.msg_id}</MsgId>"
    )


def _patient(case: Case, *, with_sex: bool) -> str:
    who = case.patient
    sex = f'<Sex V="2" DN="Kvinne"/><DateOfBirth V="{who.born.isoformat()}"/>' if with_sex else ""
    return (
        f"<Patient>{sex}<Name>{who.family}, {who.given}</Name><OffId>{who.number}</OffId>"
        '<TypeOffId V="FNR" DN="Fødselsnummer"/></Patient>'
    )


def _copies(case: Case) -> str:
    return "".join(f"<CopyDest>{_party(member)}</CopyDest>" for member in case.copies)


def _party(member: Member) -> str:
    enterprise, _, unit = member.name.partition(", ")
    return (
        f"<HCP><Inst><Name>{escape_text(enterprise)}</Name><Id>{member.organisation_her_id}</Id>"
        f'<TypeId V="HER" DN="HER-id"/><Dept><Name>{escape_text(unit or enterprise)}</Name><Id>{member.her_id}</Id>'
        '<TypeId V="HER" DN="HER-id"/></Dept></Inst></HCP>'
    )
