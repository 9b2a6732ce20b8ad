"""What a CPA says of one direction, service and action: the look-up of ebxml.md §5.4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hub.formats.cpa import (
    ANSWERS,
    APPREC,
    SIGNAL_ACTIONS,
    SIGNAL_SERVICE,
    Binding,
    Channel,
    CollaborationRole,
    Cpa,
    CpaParty,
    Package,
)


@dataclass(frozen=True, slots=True)
class CpaRoute:
    """What was agreed for one direction, service and action."""

    from_role: str
    to_role: str
    action: str  #: the one asked for; of an AppRec the one it travels under here
    sending: Channel
    receiving: Channel
    signals: Channel | None  #: where the sender of the message takes its Acknowledgment, its Pong or its StatusResponse
    errors: Channel | None  #: where it takes a MessageError
    package: Package | None
    signing_certificates: tuple[bytes, ...] = field(repr=False)
    encryption_certificate: bytes = field(repr=False)
    sends: Binding | None = None  #: a signal has no action of its own
    receives: Binding | None = None
    service_type: str = ""
    from_type: str = "HER"  #: of the PartyIds, as agreed
    to_type: str = "HER"


@dataclass(frozen=True, slots=True)
class CpaMiss:
    """Why a direction is not agreed: `party`, `service` or `role`, with words."""

    what: str
    text: str


def find(cpa: Cpa, *, from_her: str, to_her: str, service: str, action: str, role: str) -> CpaRoute | CpaMiss:
    """What the agreement says (the look-up of ebxml.md §5.4). An empty role matches any; several matches: the first.

    Signals have no process of their own, but a channel: OverrideMshActionBinding or defaultMshChannelId of the side.
    """
    sender = next((p for p in cpa.parties if from_her in p.numbers), None)
    receiver = next((p for p in cpa.parties if to_her in p.numbers and p is not sender), None)
    if sender is None or receiver is None:
        missing = from_her if sender is None else to_her
        return CpaMiss("party", f"HER-id {missing} is not a party of CPA {cpa.cpa_id}")
    if service == SIGNAL_SERVICE and action in SIGNAL_ACTIONS:
        found = _signal(cpa, sender, receiver, action)
        if isinstance(found, CpaMiss):
            return found
        return replace(found, from_type=sender.type_of(from_her) or "", to_type=receiver.type_of(to_her) or "")
    wanted = _Wanted(service, action, role)
    if action == APPREC and next(wanted.among(sender, sending=True, any_role=True), None) is None:
        wanted = replace(wanted, action=wanted.apprec_action(sender))
    sends = next(wanted.among(sender, sending=True), None)
    receives = next(wanted.among(receiver, sending=False, any_role=True), None)
    if sends is None or receives is None:
        return wanted.missed(cpa, sender, from_her if sends is None else to_her, "send" if sends is None else "receive")
    if not sends[1].channels or not receives[1].channels:
        return CpaMiss("service", f"{service} {action} has no delivery channel in CPA {cpa.cpa_id}")
    sending, receiving = sends[1].channels[0], _usable(receives[1].channels)
    own = tuple(dict.fromkeys(c.signing_certificate for c in sends[1].channels if c.signing_certificate))
    return CpaRoute(
        from_role=sends[0].role,
        to_role=receives[0].role,
        action=sends[1].action,
        sending=sending,
        receiving=receiving,
        signals=sender.signal_channel_of("Acknowledgment"),
        errors=sender.signal_channel_of("MessageError"),
        package=receives[1].package or sends[1].package,
        signing_certificates=own or sender.signing_certificates,
        encryption_certificate=receives[0].encryption_certificate or receiving.envelope_certificate,
        sends=sends[1],
        receives=receives[1],
        service_type=sends[0].service_type,
        from_type=sender.type_of(from_her) or "",
        to_type=receiver.type_of(to_her) or "",
    )


def _signal(cpa: Cpa, sender: CpaParty, receiver: CpaParty, action: str) -> CpaRoute | CpaMiss:
    """How a signal goes this way: by the channel that each side has for it, and proven by that channel's certificate."""
    own = sender.signal_channel_of(action)
    sending, receiving = own or sender.any_channel, receiver.signal_channel_of(action) or receiver.any_channel
    if sending is None or receiving is None:
        return CpaMiss("service", f"there is no delivery channel for {action} in CPA {cpa.cpa_id}")
    certificate = own.signing_certificate if own is not None else b""
    return CpaRoute(
        from_role="",
        to_role="",
        action=action,
        sending=sending,
        receiving=receiving,
        signals=sender.signal_channel_of(ANSWERS.get(action, "Acknowledgment")),
        errors=sender.signal_channel_of("MessageError"),
        package=None,
        signing_certificates=(certificate,) if certificate else sender.signing_certificates,
        encryption_certificate=b"",
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    service: str
    action: str
    role: str

    def among(
        self, party: CpaParty, *, sending: bool, any_role: bool = False
    ) -> Iterator[tuple[CollaborationRole, Binding]]:
        for role in party.roles:
            if role.service != self.service:
                continue
            if not any_role and self.role and role.role != self.role:
                continue
            for binding in role.can_send if sending else role.can_receive:
                if binding.action == self.action:
                    yield role, binding

    def apprec_action(self, party: CpaParty) -> str:
        """With NAV an AppRec travels under an ordinary action of the service: known by its package (ebxml.md §1.8)."""
        bindings = (b for role in party.roles if role.service == self.service for b in role.can_send)
        return next((b.action for b in bindings if b.package is not None and b.package.apprec), self.action)

    def missed(self, cpa: Cpa, sender: CpaParty, her_id: str, verb: str) -> CpaMiss:
        roles = {r.role for r in sender.roles if r.service == self.service}
        if self.role and roles and self.role not in roles:
            return CpaMiss("role", f"role {self.role} is not agreed for {self.service} in CPA {cpa.cpa_id}")
        return CpaMiss("service", f"HER-id {her_id} cannot {verb} {self.service} {self.action} by CPA {cpa.cpa_id}")


def _usable(channels: tuple[Channel, ...]) -> Channel:
    """Of several channels one over HTTP, the transport that we speak here; else the first."""
    return next((c for c in channels if any(e.startswith("http") for e in c.endpoints)), channels[0])
