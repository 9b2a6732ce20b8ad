"""Makes a CPA that a simulated partner and a hub of a test both hold."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lxml import etree

from ops.partner.handles import PartnerHandle, Pki
from ops.partner.peer import Peer
from ops.partner.terms import Side, Terms, cpa
from ops.sector import Member

_USES = ("sign", "encrypt")


def agreed(partner: PartnerHandle, member: Member, pki: Pki, folder: Path, **terms: Any) -> Path:
    """A CPA between the two, which the partner holds from now on; a file for `agreements` of a hub."""
    own = {"cpa_id": f"agreed:{partner.her_id}:{member.her_id}", "her_id": member.her_id, **terms}
    ours = Side(member.her_id, "http://hub.example/ebxml", *map(partial(pki.certificate, member.organisation), _USES))
    theirs = Side(partner.her_id, partner.url, *map(partial(pki.certificate, "partner"), _USES))
    text = cpa(Terms(**own), ours, theirs)
    if isinstance(partner.partner, Peer):
        found = Terms.read(etree.fromstring(text), partner.her_id)
        assert found is not None
        partner.partner.agree(found)
    target = folder / f"{partner.her_id}-{member.her_id}.xml"
    target.write_text(text, "utf-8")
    return target
