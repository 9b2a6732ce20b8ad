"""Reads a CPA or a CPP into a flat value once, and answers what a CPA says about one direction (ebXML CPP/CPA 2.0; ebxml.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lxml import etree

from hub.formats import cpa_certificates
from hub.formats.cpa_certificates import KeyInfo
from hub.formats.duration import parse_duration
from hub.formats.times import parse_instant
from hub.message import AGREED_ELEMENTS

TP = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"
SIGNAL_SERVICE = "urn:oasis:names:tc:ebxml-msg:service"
#: Action of a question → that of its answer; every other signal is about a message.
ANSWERS: Mapping[str, str] = {"Ping": "Pong", "StatusRequest": "StatusResponse"}
SIGNAL_ACTIONS = frozenset({"Acknowledgment", "MessageError", *ANSWERS, *ANSWERS.values()})
APPREC = "APPREC"
PROFILE = f"{{{TP}}}CollaborationProtocolProfile"


@dataclass(frozen=True, slots=True)
class Channel:
    """A delivery channel with its transport and document exchange."""

    id: str
    sync_reply_mode: str = ""
    ack_requested: str = ""  #: always, never or perMessage
    ack_signature_requested: str = ""
    duplicate_elimination: str = ""
    endpoints: tuple[str, ...] = ()
    protocol: str = ""  #: TransportProtocol of its receiving side: HTTP, SMTP or AMQP
    signing_certificate: bytes = field(default=b"", repr=False)
    retries: int | None = None
    retry_interval: timedelta | None = None
    persist_duration: timedelta | None = None
    actor: str = ""
    signs: bool = True  #: SenderNonRepudiation is there
    algorithms: tuple[str, ...] = ()  #: HashFunction and SignatureAlgorithm of its sending side
    message_order: str = ""  #: MessageOrderSemantics
    sender_envelope: str = ""  #: DigitalEnvelopeProtocol of SenderDigitalEnvelope
    receiver_envelope: str = ""
    envelope_certificate: bytes = field(default=b"", repr=False)  #: of ReceiverDigitalEnvelope

    @property
    def free(self) -> frozenset[str]:
        """Elements of the header that each message may have or leave out: what is not `always` (the schema's default is perMessage)."""
        said = zip(
            AGREED_ELEMENTS, (self.ack_requested, self.ack_signature_requested, self.duplicate_elimination), strict=True
        )
        return frozenset(element for element, mode in said if mode != "always")


@dataclass(frozen=True, slots=True)
class Package:
    """What lies around the document: encryption and gzip are said here and nowhere else (ebxml.md §5.3)."""

    encrypted: bool
    compressed: bool
    apprec: bool = field(default=False, compare=False)  #: an AppRec lies in it, whatever its action is called
    others: tuple[str, ...] = field(default=(), compare=False)  #: what else is said to lie around it


@dataclass(frozen=True, slots=True)
class Binding:
    """One action that a party can send or receive, and over which channels."""

    action: str
    package: Package | None
    channels: tuple[Channel, ...]
    confidential: str = ""  #: isConfidential: none, transient, persistent, transient-and-persistent
    non_repudiation: str = ""  #: isNonRepudiationRequired


@dataclass(frozen=True, slots=True)
class CollaborationRole:
    """One role of a party in one process."""

    process: str
    version: str
    uuid: str
    role: str
    service: str
    encryption_certificate: bytes = field(repr=False)
    can_send: tuple[Binding, ...]
    can_receive: tuple[Binding, ...]
    service_type: str = ""  #: of Service, empty where it has none


@dataclass(frozen=True, slots=True)
class CpaParty:
    """One side of the agreement."""

    name: str
    ids: tuple[tuple[str, str], ...]  #: (type, value)
    roles: tuple[CollaborationRole, ...]
    signal_channel: Channel | None  #: defaultMshChannelId
    signing_certificates: tuple[bytes, ...] = field(default=(), repr=False)
    certificates: tuple[bytes, ...] = field(default=(), repr=False)  #: all, for whatever they are used
    key_infos: tuple[tuple[str, KeyInfo], ...] = field(default=(), repr=False)  #: by certId, as they were written
    references: tuple[tuple[str, str], ...] = ()  #: (what refers, certId)
    overrides: tuple[tuple[str, Channel], ...] = ()  #: OverrideMshActionBinding, by action of the signal

    def signal_channel_of(self, action: str) -> Channel | None:
        """The channel of its own for a signal: an OverrideMshActionBinding, else the default MSH channel (CPPA 2.0 PartyInfo)."""
        return dict(self.overrides).get(action, self.signal_channel)

    @property
    def any_channel(self) -> Channel | None:
        """The first that any of its actions has: for signals where no channel is named for them."""
        bindings = (b for role in self.roles for b in (*role.can_send, *role.can_receive))
        return next((channel for b in bindings for channel in b.channels), None)

    @property
    def her_ids(self) -> tuple[str, ...]:
        """Its HER-ids; nearly always one."""
        return tuple(value for kind, value in self.ids if kind.upper().endswith("HER"))

    def is_her(self, her_id: str) -> bool:
        """Whether it has this HER-id; types are written HER, her or urn:…:HER."""
        return her_id in self.her_ids

    @property
    def numbers(self) -> tuple[str, ...]:
        """By what it is found: its HER-ids; where it has none, whatever its PartyIds say."""
        return self.her_ids or tuple(value for _, value in self.ids)

    def type_of(self, number: str) -> str | None:
        """The type of the PartyId with this value, empty where none was written; None: it is not called so here."""
        if number not in self.numbers:
            return None
        her = self.is_her(number)
        return next(kind for kind, value in self.ids if value == number and (not her or kind.upper().endswith("HER")))


@dataclass(frozen=True, slots=True)
class Cpa:
    """An agreement as it was written."""

    cpa_id: str
    status: str
    start: datetime | None
    end: datetime | None
    parties: tuple[CpaParty, ...]
    unread: tuple[str, ...] = ()  #: of Start and End, what is written and is no xs:dateTime


@dataclass(frozen=True, slots=True)
class Profile:
    """What one party can do with anybody (CPP)."""

    cpp_id: str
    party: CpaParty


@dataclass(frozen=True, slots=True)
class CpaFault:
    """Why it cannot be used at all."""

    text: str


def read(root: etree._Element) -> Cpa | CpaFault:
    """Reads leniently: surrounding blanks, doubled ids and what else makes real ones invalid (ebxml.md §5.3)."""
    name = etree.QName(root)
    if name.localname != "CollaborationProtocolAgreement":
        return CpaFault(f"the root element is {name.localname}, not CollaborationProtocolAgreement")
    cpa_id = _attribute(root, "cpaid")
    if not cpa_id:
        return CpaFault("cpaid is missing")
    parties = _parties(root)
    if len(parties) != 2:
        return CpaFault(f"{len(parties)} PartyInfo, two are asked for")
    if unreadable := _unreadable(root):
        return CpaFault(unreadable)
    status = _child(root, "Status")
    return Cpa(
        cpa_id,
        _attribute(status, "value") if status is not None else "",
        parse_instant(_text(root, "Start"), UTC),
        parse_instant(_text(root, "End"), UTC),
        parties,
        tuple(name for name in ("Start", "End") if (at := _text(root, name)) and parse_instant(at, UTC) is None),
    )


def read_profile(root: etree._Element) -> Profile | CpaFault:
    """Reads a CPP as leniently; an empty answer of the register has the same name in another namespace (nhn-amqp.md §5.5)."""
    if root.tag != PROFILE:
        return CpaFault(f"the root element is {etree.QName(root).text}, not {PROFILE}")
    parties = _parties(root)
    if len(parties) != 1:
        return CpaFault(f"{len(parties)} PartyInfo, one is asked for")
    if unreadable := _unreadable(root):
        return CpaFault(unreadable)
    return Profile(_attribute(root, "cppid"), parties[0])


def _parties(root: etree._Element) -> tuple[CpaParty, ...]:
    receipts = {_attribute(p, "id") for p in _all(root, "SimplePart") if _holds_apprec(p)}
    packages = {_attribute(p, "id"): _package(p, receipts) for p in _all(root, "Packaging")}
    return tuple(_Party(info, packages).party() for info in _all(root, "PartyInfo"))


class _Party:
    """Reads one PartyInfo: the ids inside it point at one another."""

    def __init__(self, info: etree._Element, packages: Mapping[str, Package]) -> None:
        self._info, self._packages = info, packages
        self._key_infos = {_attribute(c, "certId"): cpa_certificates.read(c) for c in _all(info, "Certificate")}
        self._references: dict[tuple[str, str], None] = {}
        self._channels = {channel.id: channel for channel in self._read_channels()}

    def party(self) -> CpaParty:
        info = self._info
        ids = tuple((_attribute(i, "type"), (i.text or "").strip()) for i in _all(info, "PartyId"))
        roles = tuple(self._role(role) for role in _all(info, "CollaborationRole"))
        signing = dict.fromkeys(c.signing_certificate for c in self._channels.values() if c.signing_certificate)
        default = self._channels.get(_attribute(info, "defaultMshChannelId"))
        every = tuple(dict.fromkeys(der for known in self._key_infos.values() for der in known.own))
        name, known = _attribute(info, "partyName"), tuple(self._key_infos.items())
        return CpaParty(
            name, ids, roles, default, tuple(signing), every, known, tuple(self._references), tuple(self._overrides())
        )

    def _certificate(self, parent: etree._Element | None, name: str, use: cpa_certificates.Use) -> bytes:
        """What a reference to a certificate means; who refers to what is kept, so that a wrong one can be told."""
        reference = _child(parent, name)
        if reference is None:
            return b""
        named = _attribute(reference, "certId")
        self._references[(name, named)] = None
        return self._key_infos.get(named, KeyInfo()).meant(use)

    def _overrides(self) -> Iterator[tuple[str, Channel]]:
        for override in _all(self._info, "OverrideMshActionBinding"):
            if (channel := self._channels.get(_attribute(override, "channelId"))) is not None:
                yield _attribute(override, "action"), channel

    def _role(self, role: etree._Element) -> CollaborationRole:
        process, named = _child(role, "ProcessSpecification"), _child(role, "Role")
        binding = _child(role, "ServiceBinding")
        return CollaborationRole(
            process=_attribute(process, "name"),
            version=_attribute(process, "version"),
            uuid=_attribute(process, "uuid"),
            role=_attribute(named, "name"),
            service=_text(binding, "Service"),
            encryption_certificate=self._certificate(role, "ApplicationCertificateRef", "encryption"),
            can_send=tuple(self._bindings(binding, "CanSend")),
            can_receive=tuple(self._bindings(binding, "CanReceive")),
            service_type=_attribute(_child(binding, "Service"), "type"),
        )

    def _bindings(self, binding: etree._Element | None, side: str) -> Iterator[Binding]:
        for can in _all(binding, side):
            action = _child(can, "ThisPartyActionBinding")
            if action is None:
                continue
            channels = (self._channels.get((c.text or "").strip()) for c in _all(action, "ChannelId"))
            package = self._packages.get(_attribute(action, "packageId"))
            business = _child(action, "BusinessTransactionCharacteristics")
            yield Binding(
                _attribute(action, "action"),
                package,
                tuple(c for c in channels if c is not None),
                _attribute(business, "isConfidential"),
                _attribute(business, "isNonRepudiationRequired"),
            )

    def _read_channels(self) -> Iterator[Channel]:
        transports = {_attribute(t, "transportId"): t for t in _all(self._info, "Transport")}
        exchanges = {_attribute(e, "docExchangeId"): e for e in _all(self._info, "DocExchange")}
        for channel in _all(self._info, "DeliveryChannel"):
            transport = transports.get(_attribute(channel, "transportId"))
            exchange = exchanges.get(_attribute(channel, "docExchangeId"))
            messaging = _child(channel, "MessagingCharacteristics")
            sender, receiver = _child(exchange, "ebXMLSenderBinding"), _child(exchange, "ebXMLReceiverBinding")
            reliable, proof = _child(sender, "ReliableMessaging"), _child(sender, "SenderNonRepudiation")
            sealed = _child(receiver, "ReceiverDigitalEnvelope")
            yield Channel(
                id=_attribute(channel, "channelId"),
                sync_reply_mode=_attribute(messaging, "syncReplyMode"),
                ack_requested=_attribute(messaging, "ackRequested"),
                ack_signature_requested=_attribute(messaging, "ackSignatureRequested"),
                duplicate_elimination=_attribute(messaging, "duplicateElimination"),
                endpoints=tuple(_endpoints(transport)),
                protocol=_text(_child(transport, "TransportReceiver"), "TransportProtocol").upper(),
                signing_certificate=self._certificate(proof, "SigningCertificateRef", "signing"),
                retries=_count(_text(reliable, "Retries")),
                retry_interval=parse_duration(_text(reliable, "RetryInterval")),
                persist_duration=parse_duration(_text(sender, "PersistDuration")),
                actor=_attribute(messaging, "actor"),
                signs=proof is not None,
                algorithms=tuple(_algorithms(proof)),
                message_order=_text(reliable, "MessageOrderSemantics"),
                sender_envelope=_text(_child(sender, "SenderDigitalEnvelope"), "DigitalEnvelopeProtocol"),
                receiver_envelope=_text(sealed, "DigitalEnvelopeProtocol"),
                envelope_certificate=self._certificate(sealed, "EncryptionCertificateRef", "encryption"),
            )


def _algorithms(proof: etree._Element | None) -> Iterator[str]:
    """HashFunction and SignatureAlgorithm; the latter by its `w3c`, else as written (ebxml.md §5.4 step 6)."""
    if proof is not None:
        algorithm = _child(proof, "SignatureAlgorithm")
        written = _attribute(algorithm, "w3c") or _text(proof, "SignatureAlgorithm")
        yield from filter(None, (_text(proof, "HashFunction"), written))


def _unreadable(root: etree._Element) -> str:
    """What is said of retries and cannot be kept: found with the agreement, not with a message (ebxml.md §10 item 67)."""
    for name, (reader, meant) in _OF_RETRIES.items():
        for element in root.iter(f"{{{TP}}}{name}"):
            written = (element.text or "").strip()
            if written and reader(written) is None:
                return f"line {element.sourceline}: {name} is not {meant}"
    return ""


def _count(written: str) -> int | None:
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 10 else None


#: Element → how it is read, and what it is asked to be.
_OF_RETRIES: Mapping[str, tuple[Callable[[str], object], str]] = {
    "Retries": (_count, "a number"),
    "RetryInterval": (parse_duration, "a duration as PT30M"),
    "PersistDuration": (parse_duration, "a duration as P2D"),
}


def _endpoints(transport: etree._Element | None) -> Iterator[str]:
    seen: dict[str, None] = {}
    for endpoint in _all(_child(transport, "TransportReceiver"), "Endpoint"):
        seen.setdefault(_attribute(endpoint, "uri"))
    yield from seen


def _package(packaging: etree._Element, receipts: Set[str]) -> Package:
    around = [_attribute(e, "mimetype").lower() for e in packaging.iter(f"{{{TP}}}Encapsulation")]
    kinds, others = " ".join(around), tuple(k for k in around if "pkcs7-mime" not in k and "gzip" not in k)
    inside = {_attribute(e, "idref") for e in packaging.iter(f"{{{TP}}}Constituent")}
    return Package("pkcs7-mime" in kinds, "gzip" in kinds, bool(inside & receipts), others)


def _holds_apprec(part: etree._Element) -> bool:
    """Whether a SimplePart's NamespaceSupported is AppRec: written as its namespace, or as the name of its schema."""
    supported = part.iter(f"{{{TP}}}NamespaceSupported")
    return any("apprec" in f"{e.text or ''} {_attribute(e, 'location')}".lower() for e in supported)


def _child(parent: etree._Element | None, name: str) -> etree._Element | None:
    return parent.find(f"{{{TP}}}{name}") if parent is not None else None


def _all(parent: etree._Element | None, name: str) -> Iterator[etree._Element]:
    return parent.iterfind(f"{{{TP}}}{name}") if parent is not None else iter(())


def _text(parent: etree._Element | None, name: str) -> str:
    found = _child(parent, name)
    return (found.text or "").strip() if found is not None else ""


def _attribute(element: etree._Element | None, name: str) -> str:
    """With the namespace, as the schema has it, or without, as some write it."""
    if element is None:
        return ""
    return (element.get(f"{{{TP}}}{name}") or element.get(name) or "").strip()
