"""Instants and durations as the sector writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.formats.document import NORWAY
from hub.formats.duration import parse_duration, write_duration
from hub.formats.times import parse_instant, write_instant


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-03-02T09:30:00Z", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("2026-03-02T09:30:00", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("2026-03-02T09:30:00+01:00", datetime(2026, 3, 2, 8, 30, tzinfo=UTC)),
        ("2026-03-02T09:30:00-11:30", datetime(2026, 3, 2, 21, 0, tzinfo=UTC)),
        ("2026-03-02T09:30:00.5Z", datetime(2026, 3, 2, 9, 30, 0, 500_000, tzinfo=UTC)),
        ("2023-11-21T14:45:47.2040971Z", datetime(2023, 11, 21, 14, 45, 47, 204_097, tzinfo=UTC)),
        ("2026-03-02T09:30:00.123456789Z", datetime(2026, 3, 2, 9, 30, 0, 123_456, tzinfo=UTC)),
        ("  2026-03-02T09:30:00 Z\n", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("2026-02-28T24:00:00.000Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-02T09:30:00.1234567890123456789+00:00", datetime(2026, 3, 2, 9, 30, 0, 123_456, tzinfo=UTC)),
        ("12026-03-02T09:30:00Z", datetime.max.replace(tzinfo=UTC)),
        ("9999-12-31T24:00:00Z", datetime.max.replace(tzinfo=UTC)),
        ("-0044-03-15T12:00:00", datetime.min.replace(tzinfo=UTC)),
        ("0001-01-01T00:00:00+01:00", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_every_form_that_occurs(text: str, wanted: datetime) -> None:
    """Any form of xs:dateTime; without an offset ebXML means UTC (HIS 1037 6.2.1)."""
    assert parse_instant(text, UTC) == wanted


@pytest.mark.parametrize(
    ("text", "hour"), [("2026-07-01T12:00:00", 10), ("2026-01-01T12:00:00", 11), ("2026-07-01T12:00:00Z", 12)]
)
def test_without_an_offset_a_document_means_norwegian_time(text: str, hour: int) -> None:
    found = parse_instant(text, NORWAY)
    assert found is not None and found.hour == hour and found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-02",
        "09:30:00",
        "2026-03-02T24:00:01Z",
        "02026-03-02T09:30:00Z",
        "0000-03-02T09:30:00Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-03-02T25:00:00Z",
        "2026-03-02T09:30Z",
        "2026-03-02 09:30:00Z",
        "2026-03-02T09:30:00.Z",
        "2026-03-02T09:30:00+1",
        "2026-03-02T09:30:00+99:99",
        "Tue Jul 10 20:01:14 HKT 2007",
        "٢٠٢٦-03-02T09:30:00Z",
    ],
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert parse_instant(text, UTC) is None


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1000, 1, 2), max_value=datetime(9998, 1, 1)))
def test_what_is_written_is_read_again_to_the_second(at: datetime) -> None:
    assert parse_instant(write_instant(at), NORWAY) == at.astimezone(UTC).replace(microsecond=0)


def test_instants_are_written_in_utc() -> None:
    assert (
        write_instant(datetime(2026, 3, 2, 1, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2))))
        == "2026-03-01T23:00:00Z"
    )


@given(st.text(max_size=40))
def test_no_text_makes_an_instant_raise(text: str) -> None:
    parse_instant(text, UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("P4D", timedelta(days=4)),
        ("PT720M", timedelta(hours=12)),
        ("PT240M", timedelta(hours=4)),
        ("PT30S", timedelta(seconds=30)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("P1Y2M3DT4H5M6S", timedelta(days=365 + 60 + 3, hours=4, minutes=5, seconds=6)),
        (" PT1H\n", timedelta(hours=1)),
        ("P180M", timedelta(days=180 * 30)),
        ("PT0S", timedelta(0)),
    ],
)
def test_a_duration_is_read(text: str, wanted: timedelta) -> None:
    assert parse_duration(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1", "1D", "P1W", "-P1D", "P1.5D", "PT1M1H", "p1d", "P٤D", "P" + "9" * 5_000 + "D", "P999999999Y"],
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4_000)))
def test_a_written_duration_is_read_again_to_the_second(value: timedelta) -> None:
    assert parse_duration(write_duration(value)) == timedelta(seconds=int(value.total_seconds()))


@given(st.text(alphabet="P0123456789YMDTHS.-", max_size=60))
def test_no_text_makes_a_duration_raise(text: str) -> None:
    parse_duration(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-29T24:00:00Z", datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-12-31T24:00:00.000+00:00", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-11-29T24:00:00-02:00", datetime(2026, 11, 30, 2, tzinfo=UTC)),
        ("2026-11-30T12:51:08.123456789012Z", datetime(2026, 11, 30, 12, 51, 8, 123456, tzinfo=UTC)),
        ("2026-11-30T12:51:08." + "0" * 500 + "Z", datetime(2026, 11, 30, 12, 51, 8, tzinfo=UTC)),
    ],
)
def test_every_form_of_the_schema_is_read(text: str, wanted: datetime) -> None:
    """XSD 2, 3.2.7: midnight as 24:00:00, and any number of digits."""
    assert parse_instant(text, UTC) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T23:59:59.997-05:00",
        "9999-12-31T24:00:00Z",
        "10000-01-01T00:00:00Z",
        "12026-01-01T00:00:00",
    ],
)
def test_the_end_of_time_is_the_last_instant_that_there_is(text: str) -> None:
    """As serializers write "never": it is after every now, and an hour more of it is nobody's business."""
    assert parse_instant(text, UTC) == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-11-29T24:00:01Z", "2026-11-29T24:00:00.1Z", "02026-01-01T00:00:00Z", "12026-13-01T00:00:00Z"]
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert parse_instant(text, UTC) is None
