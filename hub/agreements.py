"""What of a CPA or CPP cannot be followed here, and what happens then: one judge for import, listing and `config check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from hub.formats import address, cpa_confidential
from hub.formats.cpa import Binding, Channel, CollaborationRole, Cpa, CpaParty, Profile
from hub.formats.cpa_certificates import KeyInfo, Use

#: `refused`: it is not brought in, and nothing is sent by it; `unused`: nothing can go under it; `otherwise`: something
#: is done in another way than it says.
Severity = Literal["refused", "unused", "otherwise"]
#: So many of the places that have it alike are named.
SHOWN = 3
#: What a HER-id looks like; where a CPA has none, a number may stand for it.
LONGEST_HER_ID = 10
NOT_SHA1 = "we sign with RSA-SHA256 all the same; what is signed so by the other side is refused"
WRITES_SHA1 = f"{NOT_SHA1} unless allow_sha1 is set (HITS 1172 33, 84)"
SIGNED = "what we send is signed all the same, and what comes unsigned is refused (HIS 1037 6.2.3)"
FILES = "the one of the party file is used, where it has one"


@dataclass(frozen=True, slots=True)
class Remark:
    """One element that is not followed as it is written. `where`: the parties, channels or actions that have it so."""

    element: str
    severity: Severity
    text: str
    where: tuple[str, ...]

    def __str__(self) -> str:
        if not self.where:
            return f"{self.element}: {self.text}"
        more = f" and {len(self.where) - SHOWN} more" if len(self.where) > SHOWN else ""
        return f"{self.element} ({', '.join(self.where[:SHOWN])}{more}): {self.text}"


_Found = tuple[str, Severity, str, str]


def judged(found: Cpa | Profile) -> tuple[Remark, ...]:
    """Every remark, the gravest first; what several channels or actions have alike is said once."""
    told: dict[tuple[str, Severity, str], dict[str, None]] = {}
    for element, severity, text, where in _all(found):
        told.setdefault((element, severity, text), {})[where] = None
    remarks = [Remark(*said, tuple(filter(None, where))) for said, where in told.items()]
    grave: dict[Severity, int] = {"refused": 0, "unused": 1, "otherwise": 2}
    return tuple(sorted(remarks, key=lambda remark: grave[remark.severity]))


def refusing(found: Cpa | Profile) -> tuple[Remark, ...]:
    """Those for which it is not brought in."""
    return tuple(remark for remark in judged(found) if remark.severity == "refused")


def _all(found: Cpa | Profile) -> Iterator[_Found]:
    parties = (found.party,) if isinstance(found, Profile) else found.parties
    if isinstance(found, Cpa):
        for name in found.unread:
            yield (
                name,
                "refused",
                "it is no xs:dateTime, so nobody can say when the agreement holds: it is not used",
                "",
            )
    for party in parties:
        other = next((p for p in parties if p is not party), None)
        yield from _ids(party)
        yield from _certificates(party)
        for role, binding, sending in _bindings(party):
            yield from _of_binding(party, role, binding, sending)
            yield from _confidential(party, other, role, binding, sending)
        for channel in _channels(party):
            yield from _of_channel(party, channel)


def _ids(party: CpaParty) -> Iterator[_Found]:
    """Parties are known here by their HER-ids (HIS 1037 errata 1)."""
    if party.her_ids:
        return
    numbers = [n for n in party.numbers if n.isascii() and n.isdigit() and len(n) <= LONGEST_HER_ID and n[0] != "0"]
    if numbers:
        text = f"no HER-id: it is found by {' or '.join(numbers)}, if the party file has that as her_id"
        yield "PartyId", "otherwise", text, _name(party)
    else:
        yield "PartyId", "unused", "no HER-id, and no number that could be one: nothing goes under it", _name(party)


def _name(party: CpaParty) -> str:
    return party.name or ", ".join(party.numbers) or "(no name)"


# --- certificates


def _certificates(party: CpaParty) -> Iterator[_Found]:
    known, named = dict(party.key_infos), {cert_id for _, cert_id in party.references}
    for refers, cert_id in party.references:
        where = f"{_name(party)}: {cert_id}"
        use: Use = "signing" if refers == "SigningCertificateRef" else "encryption"
        yield from ((refers, "otherwise", text, where) for text in _of_reference(known.get(cert_id), use))
    for cert_id, info in party.key_infos:
        if cert_id not in named:
            yield from (("Certificate", "otherwise", text, f"{_name(party)}: {cert_id}") for text in info.faults)
    if not party.signing_certificates:
        yield "SigningCertificateRef", "otherwise", f"no signing certificate: {FILES}", _name(party)


def _of_reference(info: KeyInfo | None, use: Use) -> Iterator[str]:
    if info is None:
        yield f"there is no such certificate: {FILES}"
        return
    meant = next((c for c in info.certificates if c.der == info.meant(use)), None)
    for fault in info.faults:
        yield fault if meant else f"{fault}: {FILES}"
    if meant is not None and use not in meant.uses:
        yield f"by its keyUsage the certificate is not for {use}: what is made with it is refused"
    if meant is not None and not meant.rsa:
        yield "its key is not RSA: what is signed with it is refused, and nothing can be encrypted for it"


# --- actions and channels


def _bindings(party: CpaParty) -> Iterator[tuple[CollaborationRole, Binding, bool]]:
    for role in party.roles:
        yield from ((role, binding, True) for binding in role.can_send)
        yield from ((role, binding, False) for binding in role.can_receive)


def _channels(party: CpaParty) -> Iterator[Channel]:
    used = {c.id: c for _, binding, _ in _bindings(party) for c in binding.channels}
    if party.signal_channel is not None:
        used.setdefault(party.signal_channel.id, party.signal_channel)
    yield from used.values()


def _of_binding(party: CpaParty, role: CollaborationRole, binding: Binding, sending: bool) -> Iterator[_Found]:
    if binding.non_repudiation.lower() in ("false", "0"):
        yield "isNonRepudiationRequired", "otherwise", f"unsigned is agreed; {SIGNED}", _action(party, role, binding)
    for kind in binding.package.others if binding.package is not None else ():
        yield (
            "Encapsulation",
            "otherwise",
            f"{kind[:60]} is not made here: sent without it",
            _action(party, role, binding),
        )
    endpoints = [] if sending else [e for c in binding.channels for e in c.endpoints]
    for endpoint in (e for e in endpoints if e.lower().startswith(("http:", "https:", "mailto:"))):
        if why := address.fault(endpoint):
            yield "Endpoint", "otherwise", f"{why}: nothing can be sent to it", _action(party, role, binding)
    bare = [e for e in endpoints if not e.lower().startswith(("https:", "amqps:"))]
    if "transient" in binding.confidential and bare:
        text = "what lies below must protect the line: the address has no TLS of its own"
        yield "isConfidential", "otherwise", text, bare[0]


def _action(party: CpaParty, role: CollaborationRole, binding: Binding) -> str:
    return f"{_name(party)}: {role.service or role.process} {binding.action}"


def _confidential(
    party: CpaParty, other: CpaParty | None, role: CollaborationRole, binding: Binding, sending: bool
) -> Iterator[_Found]:
    """As at sealing (hub.seal), for each way that a document of this action may go."""
    for opposite in _opposites(other, role, binding, sending) or [binding]:
        sends, receives = (binding, opposite) if sending else (opposite, binding)
        for out in sends.channels or (Channel(""),):
            for into in receives.channels or (Channel(""),):
                kept = cpa_confidential.of(sends, receives, out, into)
                if kept.unkept:
                    text = f"{kept.unkept}: nothing is sent by it, and it is not brought in"
                    yield _element(out, into), "refused", text, _action(party, role, binding)
                elif alien := [e for e in (out.sender_envelope, into.receiver_envelope) if e and not _cms(e)]:
                    text = f"{alien[0]} is not made here; the encryption of Packaging, CMS, is"
                    yield "DigitalEnvelopeProtocol", "otherwise", text, _action(party, role, binding)


def _cms(envelope: str) -> bool:
    return cpa_confidential.is_cms(envelope)


def _element(out: Channel, into: Channel) -> str:
    return "DigitalEnvelopeProtocol" if out.sender_envelope or into.receiver_envelope else "isConfidential"


def _opposites(other: CpaParty | None, role: CollaborationRole, binding: Binding, sending: bool) -> list[Binding]:
    """What the other side says of the same action."""
    roles = [r for r in other.roles if r.service == role.service] if other is not None else []
    theirs = (b for r in roles for b in (r.can_receive if sending else r.can_send))
    return [b for b in theirs if b.action == binding.action]


def _of_channel(party: CpaParty, channel: Channel) -> Iterator[_Found]:
    where = f"{_name(party)}: {channel.id}"
    for element, value, what in _WORDS:
        if text := what(value(channel)):
            yield element, "otherwise", text, where
    if not channel.signs:
        yield "SenderNonRepudiation", "otherwise", f"it is not there, so unsigned is agreed; {SIGNED}", where
    if channel.ack_signature_requested == "never" and channel.ack_requested != "never":
        text = 'AckRequested says signed="false"; ours are signed all the same, and unsigned ones are not taken'
        yield "ackSignatureRequested", "otherwise", f"{text} (HIS 1037 4.2)", where


def _sync_reply(mode: str) -> str:
    if mode in ("", "none", "mshSignalsOnly"):
        return ""
    return f"{mode} is done as mshSignalsOnly: receipts in the exchange, an AppRec as a message of its own"


def _algorithm(algorithm: str) -> str:
    name = algorithm.lower()
    if "sha1" in name or "sha-1" in name:
        return f"SHA-1; {WRITES_SHA1}"
    known = ("sha256", "sha384", "sha512", "sha-256", "sha-384", "sha-512")
    return f"{algorithm[-60:]}; {NOT_SHA1}" if name and not any(word in name for word in known) else ""


def _order(semantics: str) -> str:
    return "sent without MessageOrder, and taken in whatever order it comes" if semantics == "Guaranteed" else ""


def _actor(actor: str) -> str:
    return "AckRequested is written for toPartyMSH: there is no handler between" if actor.endswith("nextMSH") else ""


def _protocol(protocol: str) -> str:
    return "" if protocol in ("", "HTTP", "SMTP", "AMQP") else f"there is no way by {protocol[:20]} here: {FILES}"


#: Element, its value in a channel, and what is said of it where it is not followed.
_WORDS: tuple[tuple[str, Callable[[Channel], str], Callable[[str], str]], ...] = (
    ("syncReplyMode", lambda c: c.sync_reply_mode, _sync_reply),
    ("HashFunction", lambda c: c.algorithms[0] if c.algorithms else "", _algorithm),
    ("SignatureAlgorithm", lambda c: c.algorithms[-1] if c.algorithms else "", _algorithm),
    ("MessageOrderSemantics", lambda c: c.message_order, _order),
    ("actor", lambda c: c.actor, _actor),
    ("TransportProtocol", lambda c: c.protocol, _protocol),
)
