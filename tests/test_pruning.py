"""What was deleted long ago goes with the next run that cleans up, and never in the way of a renewal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dnsbroker import Broker, Config
from dnsbroker.certifying import Wishes
from dnsbroker.events import Event
from dnsbroker.testing import FakeClock

OLD, YOUNG = "old.test.20200101T000000Z", "young.test.20261119T000000Z"


@pytest.fixture
def deleted(tmp_path: Path) -> Path:
    """The directory of a state directory in which nothing is configured, with what was deleted long ago, and lately."""
    directory = tmp_path / "deleted"
    for name in (OLD, YOUNG):
        (directory / name).mkdir(parents=True)
    return directory


def renewed(state: Path, wishes: Wishes | None = None) -> list[Event]:
    """The warnings of a run for all certificates."""
    told: list[Event] = []

    async def play() -> None:
        config = Config.from_dict({"state_dir": state})
        async with Broker(config, on_event=told.append, clock=FakeClock()) as broker:
            assert await broker.renew_all(wishes=wishes) == ()

    asyncio.run(play())
    return [event for event in told if event["event"] == "warning"]


def test_what_was_deleted_long_ago_goes(deleted: Path) -> None:
    """What was deleted lately stays."""
    assert renewed(deleted.parent) == []
    assert [path.name for path in deleted.iterdir()] == [YOUNG]


def test_a_plan_takes_nothing_away(deleted: Path) -> None:
    """It would be shown without being done."""
    renewed(deleted.parent, Wishes(dry_run=True))
    assert {path.name for path in deleted.iterdir()} == {OLD, YOUNG}


def test_what_cannot_be_taken_away_stops_no_renewal(deleted: Path) -> None:
    """It is told, and the run goes on."""
    (deleted / OLD).rmdir()
    (deleted / OLD).write_text("no directory")
    (warning,) = renewed(deleted.parent)
    assert str(deleted / OLD) in str(warning["message"])
