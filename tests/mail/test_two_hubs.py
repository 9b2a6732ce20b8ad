"""A party whose agreement says `mailto:` sends and receives over SMTP exactly as over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from tests.mail.conftest import DOCTOR, LAB, SURGERY, MailHub

Two = tuple[MailHub, MailHub]


async def test_a_referral_goes_out_by_mail_and_its_receipts_come_home_by_mail(
    town_and_hospital: Two, referral: Callable[..., bytes]
) -> None:
    town, hospital = town_and_hospital
    document = referral()
    sent = await town.send(document, DOCTOR)
    await town.until(sent, "acknowledged")
    assert await hospital.take(SURGERY) == [document]
    story = await town.until(sent, "done")
    assert story.deliveries[0].channel == "ebxml_smtp"
    assert story.deliveries[0].apprec_status == "1"
    assert [(r.kind, r.proven) for r in story.receipts] == [("acknowledgment", True), ("apprec", True)]


async def test_a_large_attachment_survives_the_way_byte_for_byte(
    town_and_hospital: Two, referral: Callable[..., bytes]
) -> None:
    town, hospital = town_and_hospital
    document = referral("dialog-helsefaglig", padding=1_500_000)
    sent = await town.send(document, DOCTOR)
    await town.until(sent, "acknowledged")
    assert await hospital.take(SURGERY) == [document]


async def test_many_at_once_each_arrive_once(town_and_hospital: Two, referral: Callable[..., bytes]) -> None:
    town, hospital = town_and_hospital
    documents = [referral(number=n) for n in range(20)]
    sent = [await town.send(d, DOCTOR) for d in documents]
    for one in sent:
        await town.until(one, "acknowledged")
    assert sorted(await hospital.take(SURGERY)) == sorted(documents)
    for one in sent:
        await town.until(one, "done")
    assert await hospital.take(LAB) == []
