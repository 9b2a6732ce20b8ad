"""When an AppRec is due: 96 hours after GenDate, and never before its receiver could have answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hub.message import MessageRecord
from hub.promises import apprec_due
from xsd.catalogue import Catalogue

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SCHEMAS = Catalogue.load()
DIALOG = "http://www.kith.no/xmlstds/dialog/2013-01-23"


def due(deadline: float, age: float | None, **more: Any) -> datetime | None:
    """Both in hours; the message was handed over now."""
    kit = SimpleNamespace(schemas=SCHEMAS, settings=SimpleNamespace(apprec_deadline_hours=deadline))
    written = None if age is None else NOW - timedelta(hours=age)
    told = {"namespace": DIALOG, "kind": "business", "door": "rest", **more}
    message = MessageRecord("m", "a", "out", received_at=NOW, from_her="1", to_her="2", gen_date=written, **told)
    return apprec_due(message, kit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("age", "hours"), [(0, 96), (1, 95), (23, 73), (24, 72), (25, 96), (1_000, 96), (-1, 97), (-25, 96), (None, 96)]
)
def test_it_is_96_hours_after_gendate_unless_that_is_of_another_day(age: float | None, hours: float) -> None:
    """HIS 80415 3.3.4."""
    assert due(96, age) == NOW + timedelta(hours=hours)


@pytest.mark.parametrize("deadline", [1 / 3600, 5 / 60, 0.5, 1, 4, 12, 23, 24, 25, 48, 96, 240])
def test_it_is_never_past_when_it_begins(deadline: float) -> None:
    """Whatever the setting and the age: three quarters of the time are left, and never more than a quarter beyond it."""
    for age in (0, 0.001, 0.1, 0.9, 1, 1.1, 2, 3.9, 5, 6, 12, 13, 22.9, 23.9, 24, 24.1, 47, 96, 1_000, 90_000):
        for either in (age, -age):
            left = due(deadline, either)
            assert left is not None
            assert 0.75 * deadline - 1e-6 <= (left - NOW) / timedelta(hours=1) <= 1.25 * deadline + 1e-6


def test_what_nobody_answers_has_no_time() -> None:
    assert due(96, 0, kind="apprec") is None
    assert due(96, 0, namespace="http://www.kith.no/xmlstds/sysvak/sokrequest/2008-01-01") is None
    assert due(96, 0, door="amqp_sync") is None


@pytest.mark.parametrize("namespace", ["", "urn:example:unknown"])
def test_what_is_not_known_has_one(namespace: str) -> None:
    assert due(96, 0, namespace=namespace) is not None
