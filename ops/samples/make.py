"""Makes one document of a kind: who sends it to whom and when is given, everything in it is invented."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from hub.formats.envelope_write import escape_text
from ops.samples import bare, content
from ops.samples.msghead import Attachment, Head, msghead
from ops.samples.persons import person
from ops.sector import Member

NORWAY = ZoneInfo("Europe/Oslo")


@dataclass(frozen=True, slots=True)
class Sample:
    """A document with what is known about it from outside."""

    kind: str
    standard: str  #: key of xsd/index.toml
    type_code: str
    from_her: str
    to_her: str
    msg_id: str
    document: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind is made: in a MsgHead around `content`, or whole."""

    standard: str
    type_code: str
    type_text: str
    content: Callable[[str], str] | None = None
    whole: Callable[[bare.Case], str] | None = None


KINDS: dict[str, Kind] = {
    "henvisning": Kind("henvisning-1.1", "HENVISNING", "Henvisning", whole=bare.referral),
    "epikrise": Kind("epikrise-1.2", "EPIKRISE", "Epikrise", whole=bare.discharge_letter),
    "labsvar": Kind("svarrapport-1.4", "SVAR_LAB", "Svarrapport - laboratoriemedisin", whole=bare.laboratory_answer),
    "dialog-foresporsel": Kind(
        "dialogmelding-1.0", "DIALOG_FORESPORSEL", "Forespørsel", content=content.enquiry("2006-10-11")
    ),
    "dialog-svar": Kind("dialogmelding-1.0", "DIALOG_SVAR", "Svar på forespørsel", content=content.note("2006-10-11")),
    "dialog-helsefaglig": Kind(
        "dialogmelding-1.1", "DIALOG_HELSEFAGLIG", "Helsefaglig dialog", content=content.note("2013-01-23")
    ),
    "plo-medisinske": Kind(
        "plo-medisinske-opplysninger-1.6",
        "MEDISINSKE_OPPLYSNINGER",
        "Medisinske opplysninger",
        content=content.shipment("MedisinskeOpplysninger/2012-04-01", "OverforingMedisinskeOpplysninger", "2012-04-01"),
    ),
    "plo-innleggelse": Kind(
        "plo-innleggelsesrapport-1.6",
        "INNLEGGELSESRAPPORT",
        "Innleggelsesrapport",
        content=content.shipment("Innleggelsesrapport/2012-04-01", "Innleggelsesrapport", "2012-04-01"),
    ),
    "plo-innlagt": Kind(
        "plo-pasientlogistikk-1.6", "LOG_INNLAGT", "Melding om innlagt pasient", content=content.admitted("2012-04-01")
    ),
    "plo-fravar": Kind("plo-melding-fravar-1.5", "FRAVARSMELDING", "Fraværsmelding", content=content.absence),
}


def make(
    kind: str,
    *,
    sender: Member,
    receiver: Member,
    gen_date: datetime,
    msg_id: str,
    number: int = 0,
    copies: Sequence[Member] = (),
    urgent: bool = False,
    padding: int = 0,
    attachment: bool = False,
) -> Sample:
    """One valid document. `number` chooses the test person and the words; `padding` adds an attachment of so many bytes."""
    row, patient = KINDS[kind], person(number)
    local = gen_date.astimezone(NORWAY).strftime("%Y-%m-%dT%H:%M:%S")
    if row.whole is not None:
        text = row.whole(bare.Case(sender, receiver, tuple(copies), patient, local, msg_id, number))
    else:
        assert row.content is not None
        attachments = [_pdf()] if attachment else []
        if padding:
            attachments.append(Attachment("application/octet-stream", "Fyll", b"\0" * (padding * 3 // 4)))
        head = Head(row.type_code, row.type_text, local, msg_id, sender, receiver, tuple(copies), patient, urgent)
        text = msghead(head, row.content(local), attachments)
    return Sample(kind, row.standard, row.type_code, sender.her_id, receiver.her_id, msg_id, text.encode())


def _pdf() -> Attachment:
    return Attachment("application/pdf", "Vedlegg", b"%PDF-1.4\n% et oppdiktet vedlegg\n%%EOF\n")


def broken(sample: Sample, how: str) -> bytes:
    """The document spoilt: `schema`, `not-well-formed`, `no-msgid`, `doctype`, `other-content` or `unknown-root`."""
    text = sample.document
    match how:
        case "schema":
            return text.replace(b"<MIGversion>", b"<MIGversjon>").replace(b"</MIGversion>", b"</MIGversjon>")
        case "not-well-formed":
            return text[: len(text) // 2]
        case "no-msgid":
            return text.replace(sample.msg_id.encode(), b"ikke-en-uuid", 1)
        case "doctype":
            declaration, _, rest = text.partition(b"?>")
            return declaration + b'?><!DOCTYPE x [<!ENTITY y "z">]>' + rest
        case "other-content":
            return text.replace(b"</", b" </", 3)
        case "unknown-root":
            return f'<?xml version="1.0"?><Annet xmlns="urn:annet">{escape_text(sample.kind)}</Annet>'.encode()
    raise ValueError(f"no such way to spoil a document: {how}")


def encoded(content_bytes: bytes) -> str:
    """Base64 in one line."""
    return base64.b64encode(content_bytes).decode()
