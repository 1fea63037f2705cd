"""Retry-After: every form it comes in, every zone this machine may be in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dnsbroker.acme import retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)

UNDERSTOOD = {
    "seconds": ("120", 120.0),
    "blanks around": ("  7 ", 7.0),
    "IMF-fixdate": ("Fri, 20 Nov 2026 12:01:00 GMT", 60.0),
    "RFC 850 date": ("Friday, 20-Nov-26 12:01:00 GMT", 60.0),
    "asctime date": ("Fri Nov 20 12:01:00 2026", 60.0),
    "a zone nobody may send": ("Fri, 20 Nov 2026 13:01:00 +0100", 60.0),
    "zero": ("0", 1.0),
    "negative": ("-5", 1.0),
    "a date gone by": ("Fri, 20 Nov 2026 11:00:00 GMT", 1.0),
    "a date far ahead": ("Fri, 20 Nov 2099 11:00:00 GMT", 86_400.0),
    "a number no clock takes": ("99999999999999", 86_400.0),
    "a number no float takes": ("9" * 400, 86_400.0),
}

NOT_UNDERSTOOD = ("", "soon", "1e3", "0x10", "٣", "Fri, 20 Nov 2026", "Fri, 99 Nov 2026 99:99:99 GMT", "12, 13")


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo", "Europe/London"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The machine's time zone for one test."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield str(request.param)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("field", "seconds"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_it_is_seconds_from_now_between_a_second_and_a_day(field: str, seconds: float, zone: str) -> None:
    """Dates are in UTC whatever the machine's zone is."""
    assert retry_after.seconds(field, NOW) == seconds


@pytest.mark.parametrize("field", NOT_UNDERSTOOD)
def test_what_cannot_be_read_was_not_said(field: str) -> None:
    """An unreadable field is none, not an error."""
    assert retry_after.seconds(field, NOW) is None


def test_the_hour_that_happens_twice_does_not_matter(zone: str) -> None:
    """A minute is a minute while clocks are put back."""
    before = datetime(2026, 11, 1, 5, 59, 30, tzinfo=UTC)
    assert retry_after.seconds("Sun, 01 Nov 2026 06:00:30 GMT", before) == 60.0


def test_people_read_the_moment_and_the_span() -> None:
    """Both are given, in UTC and in units that fit."""
    assert retry_after.moment(NOW, 40) == "2026-11-20 12:00:40 UTC, in 40 s"
    assert retry_after.moment(NOW, 900) == "2026-11-20 12:15:00 UTC, in 15 min"
    assert retry_after.moment(NOW, 12_600) == "2026-11-20 15:30:00 UTC, in 3.5 h"
