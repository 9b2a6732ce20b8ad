"""What a small message with its AppRec costs on the disk: at rest, and for good; and that what is free is given back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.store.forget import Ages
from adapters.store.purge import Rule
from adapters.store.settings import PurgeSettings
from adapters.store.sqlite import SqliteStore
from hub.events import Event
from ops.sector import SECTOR
from ops.serve import purging
from ops.serve.keeping import Keeping
from tests.conformance import values as v
from tests.support.hearing import Told, told  # noqa: F401

DOCTOR = SECTOR[1]
#: Messages that are weighed; some before them have taught the store what they have in common.
MANY, FEW = 60, 20


def used(path: Path) -> int:
    """Bytes of pages that hold something."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def test_what_a_small_message_costs(samhub_hub, samhub_partner, samhub_samples) -> None:  # type: ignore[no-untyped-def]
    """3.8 kB out, signed and encrypted, acknowledged and answered; its receipts stay byte for byte."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    epj, kept, path = hub.epj(DOCTOR.her_id), hub.built.store, hub.built.configuration.store.path

    def send(count: int) -> list[str]:
        sent = [epj.send(samhub_samples("dialog-helsefaglig", receiver=partner, padding=1900)) for _ in range(count)]
        for one in sent:
            hub.until(one, "done")
        epj.take()
        return sent

    later, empty = hub.clock.now() + timedelta(days=1), used(path)
    send(FEW)
    hub.run(kept.condense(later))
    before = used(path)
    sent = send(MANY)
    receipts = [[r.body for r in hub.run(kept.receipts(one))] for one in sent]
    hub.run(kept.condense(later))
    hub.run(kept.purge(later, really=True, rule=Rule(sealed=True)))
    at_rest = (used(path) - before) / MANY
    hub.run(kept.purge(later, really=True))
    hub.run(kept.forget(Ages(later, later)))
    hub.stop()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    for_good = (used(path) - empty) / (MANY + FEW)
    hub.start()
    assert [[r.body for r in hub.run(hub.built.store.receipts(one))] for one in sent] == receipts
    print(f"at rest {at_rest:.0f}, for good {for_good:.0f}")
    assert at_rest <= 15_000, f"{at_rest:.0f} bytes at rest"
    assert for_good <= 8_500, f"{for_good:.0f} bytes for good"  # some 8,050; whole pages make it jump by 50


async def test_pages_that_hold_nothing_are_given_back(tmp_path: Path) -> None:
    """In steps; the file is smaller afterwards, by most of what went."""
    path = tmp_path / "samhub.db"
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        for number in range(25):
            await store.apply(v.accepted(bytes([number]) * 100_000, state="done", changed_at=v.NOW))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        full = path.stat().st_size
        await store.purge(v.later(10), really=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert full > 2_500_000 and path.stat().st_size < full / 2


def test_rules_follow_the_settings() -> None:
    """What went over the wire first; a type with days of its own is left by the rule of all others."""
    settings = PurgeSettings(documents_days_by_type=("Svar_LAB=365",), journal_days=0)
    found = purging.rules(settings, v.NOW)
    assert [((v.NOW - before).days, rule.sealed, rule.only, rule.others) for before, rule in found] == [
        (14, True, "", ()),
        (90, False, "", ("svar_lab",)),
        (365, False, "svar_lab", ()),
    ]
    assert purging.ages(settings, v.NOW) == Ages(v.NOW - timedelta(days=365), None, None, purging.TELLING)


def test_one_setting_makes_the_rules_of_edi20() -> None:
    """What is stricter stays, also when all the settings are written out; types with days of their own keep them."""
    settings = PurgeSettings(as_edi20=True, sealed_days=3, documents_days_by_type=("SVAR_LAB=365",))
    assert PurgeSettings.model_validate({**PurgeSettings().model_dump(), "as_edi20": True}).unfetched_days == 14
    assert PurgeSettings.model_validate(settings.model_dump()) == settings
    found = [((v.NOW - at).days, purging.named(rule), rule.others) for at, rule in purging.rules(settings, v.NOW)]
    assert found == [
        (3, "as it went over the wire", ()),
        (0, "confirmed by all receivers", ("svar_lab",)),
        (14, "settled, or ended without being fetched", ("svar_lab",)),
        (14, "settled", ("svar_lab",)),
        (365, "settled, of type svar_lab", ()),
    ]
    assert purging.prompt(PurgeSettings(), v.NOW) == []


@pytest.mark.parametrize("written", ["HENVIS", "=3", "HENVIS=0", "HENVIS=x"])
def test_a_rule_that_is_none_is_a_mistake(written: str) -> None:
    with pytest.raises(ValueError, match="such as HENVIS=365"):
        PurgeSettings(documents_days_by_type=(written,))


def test_it_purges_by_itself_once_a_day_and_says_so(samhub_hub, samhub_partner) -> None:  # type: ignore[no-untyped-def]
    """The first time a day after a hub first ran; not by a clock that has just jumped."""
    hub = samhub_hub([samhub_partner()])
    kept, kit, settings = hub.built.store, hub.built.kit, PurgeSettings()
    assert not hub.run(purging.due(kept, settings, hub.clock.now()))
    tomorrow = hub.clock.now() + timedelta(hours=25)
    assert hub.run(purging.due(kept, settings, tomorrow))
    assert not hub.run(purging.due(kept, PurgeSettings(every_hours=0), tomorrow))
    hub.run(purging.purge(kept, kit, settings))
    lines = [e for e in hub.run(kept.journal()) if e.event == Event.PURGED]
    assert [(e.code, "0 bodies of 0 bytes" in e.because) for e in lines] == [("purged", True)]


def test_a_disk_that_is_nearly_full_is_told_before_nothing_is_taken(told: Told) -> None:  # noqa: F811
    """Once for as long as it lasts; and when there is room again."""
    rooms = [(9_000, 1_000), (2_900, 1_000), (900, 1_000), (4_000, 1_000), None]
    store = SimpleNamespace(room=lambda: rooms.pop(0))
    house = Keeping(store, None, PurgeSettings(), "")  # type: ignore[arg-type]
    while rooms:
        house.tell_of_room()
    assert [one["event"] for one in told] == ["store-nearly-full", "store-has-room"]
    assert "2.9 kB free; with less than 1.0 kB" in str(told[0]["because"])
