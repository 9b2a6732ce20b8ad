"""A whole hub on a shared store: a referral goes out and comes to its end as it does on the embedded one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ops.sector import SECTOR
from ops.servers import postgres

DOCTOR = SECTOR[1]


def test_a_referral_goes_out_and_its_apprec_comes_home(
    url: str, samhub_hub: Any, samhub_partner: Any, samhub_samples: Any, tmp_path: Path
) -> None:
    """Accepted, sealed, sent, acknowledged, answered; in the end every promise of the store is kept."""
    (tmp_path / "password").write_text(postgres.PASSWORD)
    store = {"url": url.replace(f":{postgres.PASSWORD}@", "@"), "password_file": str(tmp_path / "password")}
    partner = samhub_partner()
    hub = samhub_hub([partner], settings={"store": store})
    epj = hub.epj(DOCTOR.her_id)
    ids = [epj.send(samhub_samples(receiver=partner)) for _ in range(5)]
    for message_id in ids:
        hub.until(message_id, "done")
    assert len({r.envelope.message_id for r in partner.received}) == 5
    assert hub.run(hub.built.store.check()) == []
    assert hub.built.store.address.url == store["url"]
