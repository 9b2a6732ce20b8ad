"""The one way to build a site for a test, with hub processes, partners, record systems, faults, a moved clock and a count.

    async with site(tmp_path, pki, partners=["good", "hang"], folders=[PHYSIO]) as here:
        hub = await here.hub(clock=True)
        await here.doctor.hand_over(here.partner)
        hub.kill()
        await here.partner.sends(DOCTOR)  # insists until the hub is there again; or first: await hub.again()
        hub.clock.forward(days=5)
        await here.rest()
        await here.assert_all_accounted()

Everything but the hub lives in the test's own process and writes down what it sees; what is counted is that, never a hub's
tables. Everything that was begun ends when the site is left, however that comes about.
"""

from __future__ import annotations

from ops.sector import SECTOR
from tests.support.site.clock import MovedClock
from tests.support.site.here import Here, site
from tests.support.site.inside import HubInside
from tests.support.site.partners import Remote, SiteMailPartner, SitePartner
from tests.support.site.process import HubProcess, Said
from tests.support.site.systems import BusSystem, FolderSystem, RestSystem
from tests.support.site.tally import Count

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR

__all__ = [
    "DOCTOR",
    "LABORATORY",
    "NURSING",
    "PHYSIO",
    "SURGERY",
    "BusSystem",
    "Count",
    "FolderSystem",
    "Here",
    "HubInside",
    "HubProcess",
    "MovedClock",
    "Remote",
    "RestSystem",
    "Said",
    "SiteMailPartner",
    "SitePartner",
    "site",
]
