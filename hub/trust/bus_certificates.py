"""Judges a certificate as the bus does: flags that add up, and what is reported of them (nhn-amqp.md §3.5)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag

from hub.trust import certificates
from hub.trust.certificates import CertificateFacts, CertificateFault, Purpose, RevocationSource, TrustAnchors

#: The key usage that each purpose demands: never another one, and never none.
_USAGES = {Purpose.SIGNING: "content_commitment", Purpose.ENCRYPTION: "key_encipherment"}


class Flaw(IntFlag):
    """What is wrong, by the numbers of the .NET library; the last one is ours, since it accepts any issuer."""

    NONE = 0
    START_DATE = 1
    END_DATE = 2
    USAGE = 4
    REVOKED = 8
    REVOKED_UNKNOWN = 16
    MISSING = 32
    REVOKED_OFFLINE = 64
    UNTRUSTED = 128


#: One flaw → row of hub.codes, and the text of the report.
REPORTED = {
    Flaw.START_DATE: ("certificate-not-yet-valid", "Invalid start date"),
    Flaw.END_DATE: ("certificate-expired", "Invalid end date"),
    Flaw.USAGE: ("certificate-purpose", "Invalid usage"),
    Flaw.REVOKED: ("certificate-revoked", "Certificate has been revoked"),
    Flaw.REVOKED_OFFLINE: ("revocation-unknown", "Unable to determine revocation status"),
    Flaw.MISSING: ("certificate-missing", "Certificate is missing"),
    Flaw.UNTRUSTED: ("certificate-unknown-issuer", "Issuer is not trusted"),
}
SEVERAL = ("certificate-several", "More than one error with certificate")
#: hub.trust.certificates reasons → flaw; those of time are counted by themselves.
_FLAWS = {
    "revoked": Flaw.REVOKED,
    "revocation-unknown": Flaw.REVOKED_OFFLINE,
    "wrong-purpose": Flaw.USAGE,
    "weak-key": Flaw.UNTRUSTED,
    "unknown-issuer": Flaw.UNTRUSTED,
    "self-signed": Flaw.UNTRUSTED,
    "not-a-certificate": Flaw.MISSING,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found: the flaws, a row of hub.codes, words for the report and for people, and which certificate it is."""

    flaws: Flaw
    code: str = "accepted"
    report: str = ""
    because: str = ""
    data: tuple[str, ...] = ()  #: errorConditionData

    @property
    def usable(self) -> bool:
        """Nothing is wrong with it."""
        return self.flaws == Flaw.NONE

    @property
    def temporary(self) -> bool:
        """Revocation could not be asked, and nothing else is wrong: tried again, never refused."""
        return self.flaws == Flaw.REVOKED_OFFLINE


def judge(der: bytes, purpose: Purpose, at: datetime, anchors: TrustAnchors, revocation: RevocationSource) -> Judged:
    """All that is wrong with it, of time, usage, issuer and revocation; empty bytes are a certificate that is missing.

    Where something is certainly wrong, that revocation could not be asked is left out: .NET often counts it twice and
    then reports several errors for what is only a server that is down.
    """
    try:
        facts = certificates.facts(der)
    except ValueError:
        return _told(Flaw.MISSING, "there is no certificate that can be read", ())
    flaws, because = _in_time(facts, at), []
    if _USAGES[purpose] not in facts.usages:
        flaws |= Flaw.USAGE
    within = min(max(at, facts.not_before), facts.not_after)
    found = certificates.judge(der, purpose, within, anchors, revocation)
    if isinstance(found, CertificateFault):
        flaws |= _of(found)
        because.append(found.text)
    if flaws != Flaw.REVOKED_OFFLINE:
        flaws &= ~Flaw.REVOKED_OFFLINE
    return _told(flaws, "; ".join((*_in_words(flaws, facts), *because)), _named(der, facts))


def _of(found: CertificateFault) -> Flaw:
    """A fault of time that is left is that of an authority: nobody trusted vouches for the certificate now."""
    return _FLAWS.get(found.reason, Flaw.UNTRUSTED)


def _in_time(facts: CertificateFacts, at: datetime) -> Flaw:
    if at < facts.not_before:
        return Flaw.START_DATE
    return Flaw.END_DATE if at > facts.not_after else Flaw.NONE


def _in_words(flaws: Flaw, facts: CertificateFacts) -> list[str]:
    words = {
        Flaw.START_DATE: f"certificate {facts.serial} is valid from {facts.not_before.isoformat()}",
        Flaw.END_DATE: f"certificate {facts.serial} expired {facts.not_after.isoformat()}",
        Flaw.USAGE: f"the key usage of certificate {facts.serial} is not the one that is asked for",
    }
    return [text for flaw, text in words.items() if flaw in flaws]


def _told(flaws: Flaw, because: str, data: tuple[str, ...]) -> Judged:
    if flaws == Flaw.NONE:
        return Judged(flaws)
    code, report = REPORTED.get(flaws, SEVERAL)
    return Judged(flaws, code, report, because, data)


def _named(der: bytes, facts: CertificateFacts) -> tuple[str, str]:
    """Subject and thumbprint, as every report about a certificate names it."""
    thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    return f"Subject: {facts.subject}", f"Thumbprint: {thumbprint}"
