"""docs/monitoring.md: its words, metrics, times and bounds, held to the code."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime

import pages
from dnsbroker.config import Config
from dnsbroker.journal import history, spacing
from dnsbroker.knowing import alerting
from dnsbroker.knowing.health import WORDS
from dnsbroker.knowing.metrics import families

PAGE = pages.text("docs/monitoring.md")


def test_every_word_of_status_is_explained() -> None:
    """In the order of gravity; no other."""
    told = [pages.words(row[0])[0] for row in pages.rows(pages.section(PAGE, "## status"))]
    assert told == list(WORDS)


def test_every_metric_is_in_the_table() -> None:
    """In the order of the file; no other, and none is named elsewhere that is not there."""
    told = [pages.words(row[0])[0] for row in pages.rows(pages.section(PAGE, "## Metrics"))]
    assert told == [family.name for family in families([], [], 0, datetime(2026, 11, 20, tzinfo=UTC), 0)]
    assert set(re.findall(r"dnsbroker_\w+", PAGE)) == set(told)


def test_the_alert_shown_is_a_configuration() -> None:
    """With the default of alert_after."""
    (example,) = pages.blocks(PAGE, "toml")
    config = Config.from_dict(tomllib.loads(example))
    assert config.alert_after == Config.from_dict({}).alert_after
    assert len(config.alert_hooks) == 1


def test_the_bounds_told_are_those_of_the_code() -> None:
    """Each where it is spoken of."""
    alerts = pages.section(PAGE, "## Alerts")
    assert f"at most {alerting.LONGEST_SUMMARY} characters" in alerts
    assert f"A hook has {alerting.HOOK_SECONDS:g} seconds" in alerts
    assert f"for {history.MOST_ROWS} events" in pages.section(PAGE, "## log")


def test_the_times_between_attempts_are_told() -> None:
    """One after another."""
    waits = pages.section(PAGE, "## What is waited for")
    minutes = [int(spacing(failures, 0.5).total_seconds() / 60) for failures in (1, 2, 3, 4)]
    assert f"{minutes[0]} minute, then {minutes[1]}, then {minutes[2]}, then daily" in waits
    assert minutes[3] == 24 * 60
