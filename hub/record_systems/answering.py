"""What a record system answers by: which AppRec it may have made, and which not."""

from __future__ import annotations

from hub.formats.apprec import AppRecError
from hub.formats.apprec_write import APPREC_ERRORS, APPREC_OID
from hub.message import MessageRecord, RecordSystem
from hub.record_systems.values import AppRecStatus, Fault, refused

#: The lists that an Error may take its code from (HIS 80415 3.3.5): errors, errors of e-prescriptions, receivers' own.
_LISTS = {number: f"2.16.578.1.12.4.1.1.{number}" for number in ("8221", "8222", "8223")}


def errors(status: AppRecStatus, faults: tuple[Fault, ...]) -> tuple[AppRecError, ...]:
    """The Errors of an AppRec with this status; none says accepted.

    OK has no Error and Avvist has at least one (list 8258). A code of list 8221 is one that the list has: others would
    tell the sender nothing. Raises Refused.
    """
    if status is AppRecStatus.PARTLY:
        text = "OkErrorInMessagePart is not made here; send an AppRec of your own as a document"
        raise refused("apprec-status", text)
    if status is AppRecStatus.OK:
        if faults:
            raise refused("apprec-status", "Ok says that nothing is wrong, so it has no errors")
        return ()
    if not faults:
        raise refused("apprec-status", "Rejected says why: at least one error with a code of list 8221")
    return tuple(_error(fault) for fault in faults)


def _error(fault: Fault) -> AppRecError:
    oid = _LISTS.get(fault.oid, fault.oid) or APPREC_OID
    if oid not in _LISTS.values():
        raise refused("apprec-code", f"oid {fault.oid[:60]!r} is not that of list 8221, 8222 or 8223")
    if not fault.code.strip():
        raise refused("apprec-code", "an error without a code")
    if oid == APPREC_OID and fault.code not in APPREC_ERRORS:
        raise refused("apprec-code", f"{fault.code[:20]!r} is not in list 8221; it has {', '.join(APPREC_ERRORS)}")
    return AppRecError(fault.code, oid, fault.description or APPREC_ERRORS.get(fault.code, ""), fault.details)


def twice(message: MessageRecord, her_id: str, system: RecordSystem) -> str:
    """Why it cannot be answered again, and which setting has the hub answer first."""
    text = f"HER-id {her_id} has answered message {message.id} already"
    if system.apprec == "hub":
        text += f'; the hub answered when it was fetched: set apprec = "system" for {system.id} to answer by itself'
    return text
