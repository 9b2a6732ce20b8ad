"""Documents of our own making: each is of the standard that it says, and keeps its schema."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from ops.samples.make import KINDS, Sample, make
from ops.sector import SECTOR
from xsd.catalogue import Catalogue

CATALOGUE = Catalogue.load()
STANDARDS = {standard.key: standard for standard in CATALOGUE.standards()}


def made(kind: str, *, attachment: bool = False) -> Sample:
    return make(
        kind,
        sender=SECTOR[0],
        receiver=SECTOR[1],
        copies=[SECTOR[2]],
        gen_date=datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
        msg_id="5b8f3d0e-6c0f-4a5e-9a53-0f2d7a0b9c11",
        attachment=attachment,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_holds_a_document_of_the_standard_it_names(kind: str) -> None:
    """The name is a key of the index, and that row's root element stands in the document once."""
    sample = made(kind)
    standard = STANDARDS[sample.standard]
    root = etree.QName(standard.namespace, standard.root)
    assert len(list(etree.fromstring(sample.document).iter(root))) == 1


@pytest.mark.parametrize("attachment", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_valid(kind: str, attachment: bool) -> None:
    """With an attachment too, where the kind travels in a MsgHead."""
    assert CATALOGUE.validate(etree.fromstring(made(kind, attachment=attachment).document)) == ()
