"""What a CPA asks for so that nobody reads a document on its way, and whether that can be kept here (CPPA 2.0; HITS 1171 6)."""

from __future__ import annotations

from dataclasses import dataclass

from hub.formats.cpa import Binding, Channel
from hub.formats.cpa_route import CpaRoute

#: Values of isConfidential that ask for nothing, or for the transport alone.
OPEN, TRANSIENT = frozenset({"", "none", "false"}), "transient"
#: Names of the digital envelope that is made here, without blanks and signs: RFC 2633, PKCS #7, RFC 5652.
_CMS = frozenset({"SMIME", "CMS", "PKCS7", "PKCS7MIME", "APPLICATIONPKCS7MIME"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is done about it."""

    encrypted: bool  #: by CMS, for the receiver
    unkept: str = ""  #: why it cannot be kept; then nothing may leave


def of_route(route: CpaRoute) -> Kept:
    """For one direction, service and action."""
    if route.sends is None or route.receives is None:  # a signal carries no document
        return Kept(False)
    return of(route.sends, route.receives, route.sending, route.receiving)


def of(sends: Binding, receives: Binding, sending: Channel, receiving: Channel) -> Kept:
    """Packaging decides (ebxml.md §5.3); where it has no encryption, a digital envelope; else isConfidential is asked."""
    package = receives.package or sends.package
    if package is not None and package.encrypted:
        return Kept(True)
    envelopes = [e for e in (sending.sender_envelope, receiving.receiver_envelope) if e]
    if foreign := [e for e in envelopes if not is_cms(e)]:
        return Kept(
            False, f"the digital envelope that is agreed is {foreign[0]}; CMS is the only one that is made here"
        )
    if envelopes:
        return Kept(True)
    if asked := [b.confidential for b in (sends, receives) if persists(b.confidential)]:
        return Kept(False, f"isConfidential is {asked[0]}, and neither Packaging nor a digital envelope says by what")
    return Kept(False)


def persists(confidential: str) -> bool:
    """Whether the document itself must be unreadable, and not the line alone; a word that nobody knows counts as such."""
    return confidential not in OPEN and confidential != TRANSIENT


def is_cms(envelope: str) -> bool:
    """Whether a DigitalEnvelopeProtocol is the one that is made here, however it is written."""
    return "".join(c for c in envelope.upper() if c.isalnum()) in _CMS
