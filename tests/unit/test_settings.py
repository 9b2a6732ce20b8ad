"""The kernel's settings and its closed set of answers."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass
from datetime import timedelta
from typing import get_args

import pytest
from pydantic import ValidationError

from hub import verdict
from hub.settings import Settings
from hub.verdict import PASS, Duplicate, Hold, Pass, Refuse, Retry, Verdict


def test_every_setting_has_its_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description and field.description.endswith("."), name


def test_the_defaults_are_the_sectors() -> None:
    """5 retries, 12 hours, 4 days, 96 hours for the AppRec (HIS 1037 5.2, HIS 80415 3.3.4)."""
    s = Settings()
    assert (s.retries, s.retry_interval_seconds, s.persist_duration_seconds) == (5, 12 * 3600, 96 * 3600)
    assert s.apprec_deadline_hours == 96
    assert not s.allow_sha1 and s.allow_3des


def test_an_unknown_setting_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Settings(retry=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "wrong",
    [
        {"retries": -1},
        {"retry_interval_seconds": 0},
        {"persist_duration_seconds": -5},
        {"backoff_first_seconds": 0},
        {"circuit_failures": 0},
        {"per_partner": 0},
        {"max_message_bytes": 1},
        {"unknown_standard": "maybe"},
        {"apprec_deadline_hours": 0},
    ],
)
def test_values_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_settings_do_not_change_under_way() -> None:
    with pytest.raises(ValidationError):
        Settings().retries = 1  # type: ignore[misc]


def test_a_verdict_is_one_of_five() -> None:
    assert set(get_args(Verdict)) == {Pass, Refuse, Retry, Hold, Duplicate}
    assert all(is_dataclass(kind) for kind in get_args(Verdict))
    assert Pass() == PASS and PASS.warnings == ()


def test_every_answer_but_pass_says_its_code_and_because() -> None:
    for kind in (Refuse, Retry, Hold, Duplicate):
        assert {"code", "because"} <= {f.name for f in fields(kind)}


def test_temporary_and_permanent_are_not_the_same_kind() -> None:
    assert not isinstance(Retry("a", "b"), Refuse) and not isinstance(Refuse("a", "b"), Retry)
    assert Retry("a", "b").after == timedelta(minutes=5)


def test_a_verdict_is_not_changed_afterwards() -> None:
    with pytest.raises(FrozenInstanceError):
        verdict.Refuse("a", "b").code = "c"  # type: ignore[misc]
