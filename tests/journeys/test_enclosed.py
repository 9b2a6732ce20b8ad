"""A document whose business part is not the first thing in it is answered like any other, and never green in silence."""

from __future__ import annotations

import re
import uuid

import pytest

from hub.formats import apprec as apprecs
from ops.sector import SECTOR
from tests.unit.documents import root_of

DOCTOR = SECTOR[1]
DOCUMENT = re.compile(r"<Document>.*</Document>", re.DOTALL)


def attached_first(text):
    """The attachment before the business part, as a production record system wrote it."""
    return re.sub(r"(<Document>.*?</Document>)(<Document>.*?</Document>)", r"\2\1", text, flags=re.DOTALL)


def head_within(text):
    """A whole MsgHead, under an id of its own, as the first Document of another."""
    inner = re.sub(r"<MsgId>.*?</MsgId>", f"<MsgId>{uuid.uuid4()}</MsgId>", text.partition("?>")[2].strip())
    part = f'<Document><RefDoc><MsgType V="XML" DN="XML"/><Content>{inner}</Content></RefDoc></Document>'
    return DOCUMENT.sub(lambda _: part, text)


def attachments_only(text):
    return re.sub(r"<Document>.*?</Document>", "", text, count=1, flags=re.DOTALL)


SHAPES = (attached_first, head_within, attachments_only)


def shaped(sample, shape):
    return shape(sample.document.decode()).encode()


@pytest.mark.parametrize("by", ["http", "mail"])
def test_what_comes_in_is_answered_to_who_sent_it(samhub_hub, samhub_partner, samhub_samples, by):
    """The AppRec names the outer MsgId and goes to the outer sender; what holds no business document says so."""
    partner = samhub_partner(by=by)
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    for number, shape in enumerate(SHAPES, 1):
        sample = samhub_samples("dialog-helsefaglig", sender=partner, receiver=DOCTOR, attachment=True)
        answer = partner.send(shaped(sample, shape), DOCTOR.her_id)
        handed = epj.take_one()
        received = partner.await_received(number)[-1]
        found = apprecs.read(root_of(received.raw))
        assert (found.status, found.original_id) == ("1", sample.msg_id), shape.__name__
        assert hub.delivery(handed.message_id).apprec_due_at is not None
        because = hub.story(answer.message_id or handed.message_id).message.because
        assert ("unchecked" in because) == (shape is attachments_only)


def test_what_goes_out_waits_for_its_apprec(samhub_hub, samhub_partner, samhub_samples):
    """Acknowledged is not done: also for what holds no business document at all."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner])
    for shape in SHAPES:
        sample = samhub_samples("dialog-helsefaglig", receiver=partner, attachment=True)
        message_id = hub.epj(DOCTOR.her_id).send(shaped(sample, shape), DOCTOR.her_id)
        assert hub.until(message_id, "acknowledged").apprec_due_at is not None, shape.__name__


def test_what_holds_no_business_document_is_held_where_the_unknown_is(samhub_hub, samhub_partner, samhub_samples):
    partner = samhub_partner()
    hub = samhub_hub([partner], settings={"hub": {"unknown_standard": "hold"}})
    sample = samhub_samples("dialog-helsefaglig", receiver=partner, attachment=True)
    message_id = hub.epj(DOCTOR.her_id).send(shaped(sample, attachments_only), DOCTOR.her_id)
    assert hub.delivery(message_id).state == "held"
