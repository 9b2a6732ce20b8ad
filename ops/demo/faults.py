"""Every fault that can be shown: who misbehaves and how, for how long, and the outcome that must follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ops.partner.behaviours import ByMail, Receiving, Sending

#: Shown when nothing else is asked for.
USUAL = ("down", "revoked-certificate", "never-apprec", "duplicate", "negative-apprec", "greylist", "bounce-later")


@dataclass(frozen=True, slots=True)
class Fault:
    """One scene. `receiving`: we send to a partner that misbehaves; `sending`: it sends to us, wrongly."""

    name: str
    side: Literal["receiving", "sending"]
    behaviour: str
    expected: str
    code: str = ""
    for_seconds: float = 0  #: 0: for good; else it behaves well after that
    mailed: bool = False  #: the partner is reached by mail


def _receiving() -> list[Fault]:
    r = Receiving
    passing = (
        r.DOWN,
        r.SLOW,
        r.HALF_RESPONSE,
        r.GARBAGE,
        r.EMPTY_ENVELOPE,
        r.UNAVAILABLE,
        r.WRONG_SIGNATURE,
        r.SIGNS_OTHER,
        r.WRONG_DIGEST,
        r.NO_ACKNOWLEDGMENT,
    )
    lasting = {
        r.FORBIDDEN: ("dead", "http-permanent"),
        r.SOAP_FAULT: ("dead", "soap-fault"),
        r.MESSAGE_ERROR: ("rejected", "message-error"),
        r.NEGATIVE_APPREC: ("rejected", "apprec-negative"),
        r.NEVER_APPREC: ("overdue", "apprec-missing"),
        r.LATE_ACKNOWLEDGMENT: ("delivered", ""),
        r.LATE_APPREC: ("delivered", ""),
        r.TWO_APPRECS: ("delivered", ""),
        r.CONTRADICTING_APPRECS: ("delivered", ""),
        r.WARNING: ("delivered", ""),
    }
    found = [Fault(p, "receiving", p, "delivered", "", 1.5) for p in passing]
    found.append(Fault("revoked-acknowledgment", "receiving", r.REVOKED_CERTIFICATE, "delivered", "", 1.5))
    return found + [Fault(p, "receiving", p, outcome, code) for p, (outcome, code) in lasting.items()]


def _sending() -> list[Fault]:
    s = Sending
    refused = {
        s.REVOKED_CERTIFICATE: "certificate-revoked",
        s.EXPIRED_CERTIFICATE: "certificate-expired",
        s.UNKNOWN_ISSUER: "certificate-unknown-issuer",
        s.WRONG_PURPOSE: "certificate-purpose",
        s.WRONG_SIGNATURE: "signature-invalid",
        s.SIGNS_OTHER: "signature-invalid",
        s.UNSIGNED: "signature-missing",
        s.WRONG_RECEIVER: "receiver-not-ours",
        s.WRONG_KEY: "decryption",
        s.EXPIRED: "time-to-live-expired",
        s.REUSED_ID: "id-reused",
    }
    found = [Fault(b, "sending", b, "rejected", code) for b, code in refused.items()]
    found += [Fault(b, "sending", b, "delivered") for b in (s.DUPLICATE, s.SAME_DOCUMENT, s.NO_ACK_REQUEST)]
    found += [Fault(s.GARBAGE + "-sent", "sending", s.GARBAGE, "unreadable", "not-well-formed")]
    found += [Fault(s.DOCTYPE, "sending", s.DOCTYPE, "unreadable", "xml-doctype")]
    found += [Fault(s.HUGE, "sending", s.HUGE, "unreadable", "too-large")]
    return found


def _by_mail() -> list[Fault]:
    m = ByMail
    ending = {
        m.BOUNCE_NOW: ("dead", "mail-permanent"),
        m.BOUNCE_LATER: ("dead", "mail-bounced"),
        m.GREYLIST: ("delivered", ""),
        m.REORDER: ("delivered", ""),
        m.DELIVER_TWICE: ("delivered", ""),
    }
    found = [Fault(b, "receiving", b, outcome, code, mailed=True) for b, (outcome, code) in ending.items()]
    return found + [
        Fault(b, "receiving", b, "delivered", "", 1.5, mailed=True) for b in (m.DROP_MID_DATA, m.ACCEPT_AND_LOSE)
    ]


FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*_receiving(), *_by_mail(), *_sending())}


def chosen(names: tuple[str, ...]) -> list[Fault]:
    """The faults asked for; `all` is every one, `none` is none. Raises KeyError with the name that there is not."""
    if names == ("none",):
        return []
    if "all" in names:
        return list(FAULTS.values())
    return [FAULTS[name] for name in names or USUAL]
