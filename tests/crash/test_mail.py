"""A hub that is killed while mail comes or goes loses nothing and doubles nothing, whoever had said 250 to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.partner.behaviours import Sending
from ops.partner.handles import Pki
from tests.crash.child import deaths
from tests.crash.post import Mailbox, Moment, SteadyMailPartner, mail_village
from tests.crash.village import DOCTOR, GOOD, NURSING, Nursery, sampled

#: Moments of a mail on the line to the next mail server. `mid-DATA` is far inside a mail of some hundred kB.
MOMENTS: dict[str, Moment] = {
    "before DATA": lambda way, last, _: way == "out" and b"RCPT" in last,
    "mid-DATA": lambda way, _, count: way == "out" and count > 100_000,
    "at the dot": lambda way, last, count: way == "out" and count > 100_000 and last.endswith(b"\r\n.\r\n"),
    "at the 250": lambda way, last, _: way == "back" and last.endswith((b"taken\r\n", b"kept\r\n")),
}
#: What a message by mail cannot do without; that a receipt overtakes another step, and so spares it, may happen.
COMMITS = {
    "out": ("apply:received+routed", "claim", "keep_parcel", "apply:apprec_ok+received+routed"),
    "in": ("apply:received+routed", "apply:", "claim", "keep_parcel", "settle:done"),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_it_sends_a_mail(moment: str, tmp_path: Path, pki: Pki, nursery: Nursery) -> None:
    """Before DATA, in the middle, with the dot, or with the relay's 250: the same message comes out, and counts once."""
    async with mail_village(tmp_path, pki, nursery, outwards=MOMENTS[moment]) as here:
        await here.life.through(here.hand_over(DOCTOR, GOOD, padding=400_000))
        await here.until(lambda: here.life.deaths == 1, "its death")
        await here.rest()
    await here.count()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_it_takes_a_mail(moment: str, tmp_path: Path, pki: Pki, nursery: Nursery) -> None:
    """Without a 250 the sender's server comes again; with one it never does: either way one document, one AppRec."""
    async with mail_village(tmp_path, pki, nursery, inwards=MOMENTS[moment]) as here:
        await here.life.ready()
        await here.life.through(here.partner_sends(NURSING, "dialog-svar", padding=400_000))
        await here.until(lambda: here.life.deaths == 1, "its death")
        await here.rest()
    await here.count()


@pytest.mark.parametrize("way", ["out", "in"])
async def test_killed_at_each_durable_step_of_mail(way: str, tmp_path: Path, pki: Pki, nursery: Nursery) -> None:
    """Before and after each commit once, of a message that goes out by mail or of one that comes in."""
    dead = tmp_path / "dead.txt"
    async with mail_village(tmp_path, pki, nursery, {"once": str(dead)}) as here:
        story = here.hand_over(DOCTOR, GOOD, "henvisning") if way == "out" else here.partner_sends(DOCTOR)
        await here.life.through(story)
        await here.rest()
        expected = {f"{commit} {side}" for commit in COMMITS[way] for side in ("before-commit", "after-commit")}

        def died() -> bool:  # what it dies of last is durable already
            so_far = deaths(dead)
            return expected <= {step for death in so_far for step in death} and here.life.deaths == len(so_far)

        await here.until(died, "the last of its deaths")
    await here.count()


@pytest.mark.parametrize("command", ["RETR", "DELE", "QUIT"])
async def test_killed_between_collecting_a_mail_and_deleting_it(
    command: str, tmp_path: Path, pki: Pki, nursery: Nursery
) -> None:
    """Asked for, kept but not deleted, or deleted but not said so for good: it lies there again, and counts once."""
    async with Mailbox() as mailbox, mail_village(tmp_path, pki, nursery, mailbox=mailbox) as here:
        await here.life.ready()
        killed: list[str] = []

        def kill(said: str) -> None:
            if said == command and mailbox.mails and not killed:
                killed.append(said)
                here.life.kill()

        mailbox.on = kill
        partner = here.good
        assert isinstance(partner, SteadyMailPartner)
        samples = [sampled("epikrise", GOOD, DOCTOR) for _ in range(3)]
        for sample in samples:
            _, written = partner.sealed(sample.document, DOCTOR.her_id, Sending.GOOD)
            mailbox.mails.append(partner.mail(written))
            here.got[sample.msg_id] = sample
        await here.until(lambda: here.life.deaths == 1 and not mailbox.mails, "the mailbox to be emptied")
        await here.rest()
    assert killed == [command]
    await here.count()
