"""The hodemelding around a document: addressed by service (HIS 1153 AD2.2), with its patient and its attachments."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.formats.envelope_write import escape_text
from ops.samples.persons import Person
from ops.sector import Member

OID = "2.16.578.1.12.4.1.1"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to the document."""

    mime_type: str
    description: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands in MsgInfo."""

    type_code: str
    type_text: str
    gen_date: str
    msg_id: str
    sender: Member
    receiver: Member
    copies: tuple[Member, ...]
    patient: Person
    urgent: bool = False


def msghead(head: Head, content: str, attachments: Sequence[Attachment] = ()) -> str:
    """A MsgHead 1.2 with one business document and its attachments."""
    priority = '<RequestedPriority V="H" DN="Høy"/>' if head.urgent else ""
    copies = "".join(_copy(m) for m in head.copies)
    documents = _document("XML", "XML-instans", "", f"<Content>{content}</Content>", head.gen_date)
    for attachment in attachments:
        encoded = base64.b64encode(attachment.content).decode()
        inner = (
            '<Content><b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">'
            f"{encoded}</b:Base64Container></Content>"
        )
        described = f"<MimeType>{attachment.mime_type}</MimeType><Description>{attachment.description}</Description>"
        documents += _document("A", "Vedlegg", described, inner, head.gen_date)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo>'
        f'<Type V="{head.type_code}" DN="{escape_text(head.type_text)}"/><MIGversion>v1.2 2006-05-24</MIGversion>'
        f"<GenDate>{head.gen_date}</GenDate><MsgId>{head.msg_id}</MsgId>{priority}"
        f"<Sender>{_organisation(head.sender)}</Sender><Receiver>{_organisation(head.receiver)}</Receiver>{copies}"
        f"{_patient(head.patient)}</MsgInfo>{documents}</MsgHead>\n"
    )


def _document(kind: str, text: str, described: str, inner: str, issued: str) -> str:
    return (
        f'<Document><RefDoc><IssueDate V="{issued}"/><MsgType V="{kind}" DN="{text}"/>{described}{inner}'
        "</RefDoc></Document>"
    )


def _copy(member: Member) -> str:
    role = '<RoleReceiver V="COP" DN="Kopimottaker"/>'
    return f"<OtherReceiver>{role}{_organisation(member)}</OtherReceiver>"


def _organisation(member: Member) -> str:
    enterprise, _, unit = member.name.partition(", ")
    return (
        f"<Organisation><OrganisationName>{escape_text(enterprise)}</OrganisationName>{_her(member.organisation_her_id)}"
        f"<Organisation><OrganisationName>{escape_text(unit or enterprise)}</OrganisationName>{_her(member.her_id)}"
        "</Organisation></Organisation>"
    )


def _her(her_id: str) -> str:
    return f'<Ident><Id>{her_id}</Id><TypeId V="HER" DN="HER-id" S="{OID}.9051"/></Ident>'


def _patient(patient: Person) -> str:
    return (
        f"<Patient><FamilyName>{patient.family}</FamilyName><GivenName>{patient.given}</GivenName>"
        f'<Ident><Id>{patient.number}</Id><TypeId V="FNR" DN="Fødselsnummer" S="{OID}.8116"/></Ident></Patient>'
    )
