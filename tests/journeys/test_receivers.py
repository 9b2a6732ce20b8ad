"""Who gets a document: the primary receiver always, or the record system hears at once that it would not."""

from __future__ import annotations

import re

import pytest

from ops.partner.aside import eventually
from ops.partner.handles import Refused
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
HER = re.compile(r'<Ident><Id>\d+</Id><TypeId V="HER"[^>]*/></Ident>')
PAPER = '<Ident><Id>999000029</Id><TypeId V="ENH" DN="Organisasjonsnummer" S="2.16.578.1.12.4.1.1.9051"/></Ident>'


def unnumbered(sample, what="Receiver"):
    """Without HER-ids in the receiver: it has a name only, as one that is reached on paper."""
    text = sample.document.decode()
    if "<ServReq" in text:  # an older format, without MsgHead
        provider = re.compile(r"<ServProvider>.*?</ServProvider>", re.DOTALL)
        return provider.sub(
            lambda m: re.sub(r"<Id>\d+</Id>", "<Id>Papir</Id>", m[0]).replace("HER", "LOK"), text
        ).encode()
    part = re.compile(f"<{what}>.*?</{what}>", re.DOTALL)
    return part.sub(lambda m: HER.sub(PAPER, m[0]), text, count=1).encode()


@pytest.mark.parametrize("kind", ["dialog-helsefaglig", "henvisning"])
def test_a_primary_receiver_without_her_id_is_told_although_a_copy_has_one(
    samhub_hub, samhub_partner, samhub_samples, kind
):
    """REST: refused to its face; where it asks for its receivers itself, it is taken."""
    primary, copy = samhub_partner("8009000"), samhub_partner("8009002")
    hub = samhub_hub([primary, copy])
    epj = hub.epj(DOCTOR.her_id)
    document = unnumbered(samhub_samples(kind, receiver=primary, copies=[copy]))

    with pytest.raises(Refused) as refused:
        epj.send(document, DOCTOR.her_id)
    assert (refused.value.status, refused.value.code) == (403, "document-unaddressed")

    message_id = epj.send(document, DOCTOR.her_id, [primary.her_id, copy.her_id])
    for receiver in (primary, copy):
        hub.until(message_id, "done", to=receiver.her_id)


def test_a_folder_is_told_too(samhub_hub, samhub_partner, samhub_samples):
    primary, copy = samhub_partner("8009000"), samhub_partner("8009002")
    hub = samhub_hub([primary, copy], local=[PHYSIO, DOCTOR], folder_systems=[PHYSIO.system])
    folder = hub.folder(PHYSIO.her_id)
    (folder / "outbox").mkdir(parents=True, exist_ok=True)
    sample = samhub_samples("dialog-helsefaglig", sender=PHYSIO, receiver=primary, copies=[copy])
    (folder / "outbox" / "notat.xml").write_bytes(unnumbered(sample))
    hub.clock.forward(seconds=2)
    words = folder / "receipts" / "notat.txt"
    assert "document-unaddressed" in eventually(lambda: words.read_text("utf-8") if words.exists() else "")
    assert not copy.received


def test_a_copy_without_her_id_is_remarked_and_the_others_get_it(samhub_hub, samhub_partner, samhub_samples):
    """A patient or an office on paper gets its copy otherwise; that it has none is told with the message."""
    primary, copy = samhub_partner("8009000"), samhub_partner("8009002")
    hub = samhub_hub([primary, copy])
    document = unnumbered(samhub_samples("dialog-helsefaglig", receiver=primary, copies=[copy]), "OtherReceiver")
    message_id = hub.epj(DOCTOR.her_id).send(document, DOCTOR.her_id)
    hub.until(message_id, "done", to=primary.her_id)
    assert "ADR-03" in hub.story(message_id).message.because
