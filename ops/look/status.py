"""What became of it, as the partner has it? A StatusRequest for each delivery of a message that went out over ebXML (ebMS 2.0 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from hub import promises, receipts
from hub.errors import NotFound
from hub.events import Entry, Event
from hub.formats import envelope, envelope_write, mime, xml
from hub.insights import story
from hub.kit import Kit
from hub.message import BUS, Agreement, Channel, DeliveryRecord, channel_to
from hub.ports import Change
from ops.look import asking
from ops.look.asking import Heard, Ways

#: What says that the partner has it (ebMS 2.0 7.3.2); NotRecognized and UnAuthorized do not.
HAS_IT = frozenset({"Received", "Processed", "Forwarded"})
ASKABLE = frozenset({Channel.EBXML_HTTP, Channel.EBXML_SMTP})


@dataclass(frozen=True, slots=True)
class Answered:
    """What was heard about one delivery."""

    delivery: str
    receiver: str
    eb_message_id: str
    message_status: str
    timestamp: datetime | None
    signed: bool
    by_itself: bool
    because: str

    @property
    def good(self) -> bool:
        """Whether the partner says that it has the message."""
        return self.message_status in HAS_IT


async def asked(wanted: str, actor: str, kit: Kit, ways: Ways) -> list[Answered]:
    """Asks for every delivery of a message, by our id, its MsgId or its ebXML MessageId. Raises NotFound."""
    found = await story(kit.store, wanted)
    if found is None:
        raise NotFound(f"message {wanted} is not known here; see: samhub message list")
    return [await _asked(delivery, actor, kit, ways) for delivery in found.deliveries]


async def _asked(delivery: DeliveryRecord, actor: str, kit: Kit, ways: Ways) -> Answered:
    because = await _unaskable(delivery, kit)
    if because:
        return _answered(delivery, Heard("", because))
    agreement = await _agreement(delivery, kit)
    if agreement.fault or not agreement.endpoint:
        return _answered(delivery, Heard("", agreement.because or "there is no address to ask at"))
    about = delivery.eb_message_id
    message_id, body = asking.question(
        agreement, "StatusRequest", lambda h, now: envelope_write.status_request(h, about, sync_reply=now), kit
    )
    entry = Entry(
        kit.clock.now(), Event.ASKED, "status-asked", f"StatusRequest {message_id} to HER-id {delivery.receiver}",
        delivery.message_id, delivery.id, actor=actor,
    )  # fmt: skip
    if channel_to(agreement.endpoint) is Channel.EBXML_SMTP:
        return _answered(delivery, await _by_mail(delivery, agreement, body, entry, kit, ways))
    await kit.store.apply(Change(journal=(entry,)))
    heard = await asking.asked(agreement, about, message_id, body, kit, ways)
    if not heard.by_itself:  # what comes by itself is written down by the hub that hears it
        code, event = "status-told" if heard.status else "status-unknown", Event.TOLD if heard.kind else Event.ASKED
        told = replace(entry, at=kit.clock.now(), event=event, code=code, because=heard.because)
        await kit.store.apply(Change(journal=(told,)))
    return _answered(delivery, heard)


async def _unaskable(delivery: DeliveryRecord, kit: Kit) -> str:
    """Why nobody can be asked about it, in words; empty where somebody can."""
    if delivery.channel in BUS:
        return "it went over the message bus, where nobody can be asked; its AppRec tells"
    if delivery.channel not in ASKABLE or delivery.kind == "signal":
        return "it went to no partner's message handler; samhub message show tells all there is"
    if not delivery.eb_message_id or not delivery.attempts:
        return "it has not been sent yet; there is nothing to ask about"
    if kit.keys.signing_key(delivery.sender) is None:
        return f"no signing key for HER-id {delivery.sender}; see: samhub certs check"
    return ""


async def _agreement(delivery: DeliveryRecord, kit: Kit) -> Agreement:
    """The one that the message went out under, by what was sealed; where that holds no more, what is agreed now."""
    parcel = await kit.store.parcel(delivery.id)
    package = mime.read(dict(parcel.headers), parcel.body) if parcel else None
    root = (
        xml.parse(package.root.content, xml.Bounds(kit.settings.max_envelope_bytes))
        if isinstance(package, mime.Package)
        else None
    )
    sealed = envelope.read(root) if root is not None and not isinstance(root, xml.XmlFault) else None
    cpa_id = sealed.cpa_id if isinstance(sealed, envelope.Envelope) else ""
    under = asking.agreed(delivery.sender, delivery.receiver, "StatusRequest", kit, cpa_id)
    return asking.agreed(delivery.sender, delivery.receiver, "StatusRequest", kit) if under.fault else under


async def _by_mail(
    delivery: DeliveryRecord, agreement: Agreement, body: bytes, entry: Entry, kit: Kit, ways: Ways
) -> Heard:
    """Promised to the hub that sends mail; what is answered comes back as mail, and stands in the message's journal."""
    promise = receipts.asked_by_itself(body, delivery, agreement.endpoint, kit)
    await kit.store.apply(promises.joined(promise, Change(journal=(entry,))))
    found = await asking.heard_later(delivery.eb_message_id, entry.at, kit, ways.seconds)
    text = f"asked by mail at {agreement.endpoint}; the answer comes as mail and then stands in: samhub message trace"
    return found or Heard("", text)


def _answered(delivery: DeliveryRecord, heard: Heard) -> Answered:
    return Answered(
        delivery.id, delivery.receiver, delivery.eb_message_id, heard.status, heard.at, heard.signed, heard.by_itself,
        heard.because,
    )  # fmt: skip
