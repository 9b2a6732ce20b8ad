"""Writes AppRec 1.0 and 1.1: the receiver's answer about a document, addressed back to its sender (HIS 80415, HITS 1168)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from hub.formats.apprec import AppRecError
from hub.formats.document import Address, Document, Ident, Named
from hub.formats.envelope_write import escape_attribute, escape_text
from hub.formats.times import write_instant

APPREC_OID = "2.16.578.1.12.4.1.1.8221"
#: List 8221.
APPREC_ERRORS = {
    "T01": "Ikke XML / ikke 'well formed' / uleselig",
    "T02": "Ikke gyldig i henhold til skjema",
    "T10": "Støtter ikke meldingsformatet",
    "T99": "Annen feil på format",
    "S01": "Ugyldig signatur",
    "S02": "Ugyldig sertifikat",
    "S03": "Tilbakekalt sertifikat",
    "S99": "Annen feil på signatur eller sertifikat",
    "E10": "Ugyldig meldingsidentifikator",
    "E20": "Lege finnes ikke",
    "E21": "Mottaker finnes ikke",
    "E30": "Pasientens fødselsnummer mangler",
    "E31": "Pasientens fødselsnummer er feil",
    "E32": "Pasientens navn mangler",
    "E33": "Pasientens etternavn mangler",
    "E34": "Pasientens fornavn mangler",
    "E35": "Pasienten finnes ikke i mottakersystemet",
    "E36": "Mangelfulle pasientopplysninger",
    "E53": "Fødselsnummer eller D-nummer finnes ikke i Folkeregisteret",
    "E54": "Fødselsnummer eller D-nummer er ikke registrert hos mottaker",
    "X99": "Annen feil",
}
_FORMS = {
    "1.0": ("http://www.kith.no/xmlstds/apprec/2004-11-21", "1.0 2004-11-21"),
    "1.1": ("http://www.kith.no/xmlstds/apprec/2012-02-15", "v1.1 2012-02-15"),
}
#: Types that go from who did something to who asked for it.
TO_REQUESTER = ("EPIKRISE", "SVAR_", "TILBAKEMELD")
_STATUS = {"1": "OK", "2": "Avvist", "3": "OK, feil i delmelding"}
_TYPES = {
    "HER": "HER-id",
    "ENH": "Organisasjonsnummeret i Enhetsregister",
    "HPR": "HPR-nummer",
    "FNR": "Fødselsnummer",
    "DNR": "D-nummer",
}
_ROLES = {
    "PRIM": "Primærmottaker",
    "COP": "Kopimottaker",
    "REQ": "Rekvirent",
    "SPR": "Tjenesteyter",
    "AVS": "Avsender",
}


def write(
    original: Document,
    *,
    version: Literal["1.0", "1.1"],
    apprec_id: str,
    now: datetime,
    receiver: Address,
    role: str,
    status: str,
    errors: Sequence[AppRecError],
    software: tuple[str, str],
) -> bytes:
    """The AppRec of `receiver` (the one that answers, an address of the original) to the original's sender.

    `role` is PRIM, or COP for a copy; `status` of list 8258; errors only with another status than 1 (HIS 80415 3.3).
    """
    namespace, mig = _FORMS[version]
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<AppRec xmlns="{namespace}"><MsgType V="APPREC" DN="Applikasjonskvittering"/><MIGversion>{mig}</MIGversion>',
        f"<SoftwareName>{escape_text(software[0])}</SoftwareName>",
        f"<SoftwareVersion>{escape_text(software[1])}</SoftwareVersion>",
        f"<GenDate>{write_instant(now)}</GenDate><Id>{escape_text(apprec_id)}</Id>",
        f"<Sender>{_role(_answering_role(role, version, original.type_code))}{_hcp(receiver)}</Sender>",
        f"<Receiver>{_role('AVS') if version == '1.1' else ''}{_hcp(original.sender)}</Receiver>",
        f'<Status V="{status}" DN="{_STATUS[status]}"/>',
        *(_error(e) for e in errors),
        f'<OriginalMsgId><MsgType V="{escape_attribute(original.type_code)}"{_named(original.type_text)}/>',
        f"<IssueDate>{escape_text(original.gen_date_text) if original.gen_date else write_instant(now)}</IssueDate>",
        f"<Id>{escape_text(original_id(original, version))}</Id></OriginalMsgId></AppRec>",
    ]
    return "".join(parts).encode()


def original_id(original: Document, version: str) -> str:
    """What OriginalMsgId refers to: MsgId; but in 1.0 the document id of documents without MsgHead (ebxml.md §7.4)."""
    if version == "1.0" and original.kind == "bare" and original.document_id:
        return original.document_id
    return original.msg_id


def _answering_role(role: str, version: str, answered: str) -> str:
    """1.1: PRIM or COP. 1.0: COP for a copy; who asked for a letter or an answer is REQ, all others SPR (HITS 1168 6.2)."""
    if version == "1.1" or role != "PRIM":
        return role
    return "REQ" if answered.startswith(TO_REQUESTER) else "SPR"


def _role(code: str) -> str:
    return f'<Role V="{code}" DN="{_ROLES[code]}"/>'


def _error(error: AppRecError) -> str:
    text = error.text or APPREC_ERRORS.get(error.code, "")
    other = f' OT="{escape_attribute(error.other_text)}"' if error.other_text else ""
    code, system = escape_attribute(error.code), escape_attribute(error.system or APPREC_OID)
    return f'<Error V="{code}" S="{system}"{_named(text)}{other}/>'


def _named(text: str) -> str:
    return f' DN="{escape_attribute(text)}"' if text else ""


def _hcp(address: Address) -> str:
    """Organisation → Inst, unit → Dept, person → HCPerson, further ids → AdditionalId (HITS 1168 11).

    A person below a unit is only the signer, and is left out, unless the HER-id of the two is the person's.
    """
    organisation, unit, person = address.organisation, address.unit, address.person
    if organisation is None and person is not None:
        return f"<HCP><HCProf>{_identified(person, more_last=True)}</HCProf></HCP>"
    named = organisation or Named("", ())
    below = f"<Dept>{_identified(unit, more_last=True)}</Dept>" if unit is not None else ""
    party = person is not None and (unit is None or bool(person.her_id and not unit.her_id))
    staff = f"<HCPerson>{_identified(person, more_last=True)}</HCPerson>" if person is not None and party else ""
    return f"<HCP><Inst>{_identified(named, more_last=False)}{below}{_more(named)}{staff}</Inst></HCP>"


def _identified(named: Named, *, more_last: bool) -> str:
    first = named.idents[0] if named.idents else None
    name = f"<Name>{escape_text(named.name)}</Name>" if named.name else ""
    own = f"<Id>{escape_text(first.value)}</Id>{_type('TypeId', first)}" if first else ""
    return name + own + (_more(named) if more_last else "")


def _more(named: Named) -> str:
    return "".join(
        f"<AdditionalId><Id>{escape_text(i.value)}</Id>{_type('Type', i)}</AdditionalId>" for i in named.idents[1:]
    )


def _type(element: str, ident: Ident) -> str:
    code = ident.type or "XXX"
    return f'<{element} V="{escape_attribute(code)}" DN="{escape_attribute(_TYPES.get(code, code))}"/>'
