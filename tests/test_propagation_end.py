"""How a wait ends: by agreement and settling, at its deadline, cancelled, or by a defect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from dnsbroker.clock import Deadline
from dnsbroker.lookup.exchange import Exchange
from watching import NAME, LeapingClock, Stage, stage


@pytest.fixture
def two() -> Iterator[Stage]:
    """A primary and one secondary."""
    with stage() as made:
        yield made


def test_n31_a_cancelled_wait_ends_at_once_and_leaves_nothing(two: Stage) -> None:
    """Not even where every server hangs."""
    asyncio.run(two.finder.find(NAME))
    for server in two.servers:
        server.behaviour.silent = True

    async def story() -> float:
        expectation = await two.expectation("value")
        task = asyncio.create_task(two.watcher().wait(expectation, Deadline.after(two.clock, 30)))
        await two.clock.sleep(0.3)
        begun = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        return time.monotonic() - begun

    assert asyncio.run(story()) < 0.2


def test_a_deadline_that_has_passed_is_no_wait(two: Stage) -> None:
    """The error comes at once, before anybody could answer."""
    begun = time.monotonic()
    error = two.failure("value", seconds=0)
    assert time.monotonic() - begun < 0.3
    assert "is unreachable: no answer for 0.0 s" in error.message


def test_the_deadline_is_kept_where_everybody_hangs(two: Stage) -> None:
    """No look comes to an end that could wake the wait; it ends in time."""
    asyncio.run(two.finder.find(NAME))
    two.exchange = Exchange(5.0, 5.0)
    for server in two.servers:
        server.behaviour.silent = True
    begun = time.monotonic()
    error = two.failure("value", seconds=0.6)
    assert 0.6 <= time.monotonic() - begun < 0.8
    assert "is unreachable: no answer for 0.6 s" in error.message


def test_a_defect_in_a_look_is_not_taken_for_silence(two: Stage) -> None:
    """What nobody foresaw ends the wait as what it is."""

    class Defective:
        async def ask(*_: object, **__: object) -> object:
            raise ZeroDivisionError

    two.publish("value")
    asyncio.run(two.finder.find(NAME))
    two.exchange = Defective()  # type: ignore[assignment]
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        two.wait("value", seconds=10)
    assert time.monotonic() - begun < 1


def test_rounds_and_interval_are_kept(two: Stage) -> None:
    """Five rounds at 300 ms take 1.2 s, and no more questions than that."""
    two.publish("value")
    asyncio.run(two.finder.find(NAME))
    two.names.log.clear()
    begun = time.monotonic()
    two.wait("value", rounds=5, interval=0.3, seconds=4)
    assert 1.2 <= time.monotonic() - begun < 1.8
    assert 20 <= len(two.names.log) <= 26


def test_settling_comes_after_the_verdict(two: Stage) -> None:
    """On top of it, also beyond the deadline; V is the verdict's moment."""
    two.publish("value")
    begun = two.clock.now()
    outcome = two.wait("value", seconds=0.6, settle=0.7)
    assert (two.clock.now() - begun).total_seconds() >= 0.9
    assert (outcome.at - begun).total_seconds() < 0.7


class Brief(LeapingClock):
    """Writes down for how long somebody sleeps, and sleeps for a moment only."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """A moment."""
        self.slept.append(seconds)
        await super().sleep(0.0)


@pytest.mark.parametrize(("configured", "waited"), [(None, 3.0), (0.0, 0.0), (0.5, 0.5), (60.0, 60.0)])
def test_the_configuration_decides_how_long_a_record_settles(
    two: Stage, configured: float | None, waited: float
) -> None:
    """Not at all, shorter or longer than the adapter holds for right, which counts only where nothing is set."""
    assert settled(two, configured) == [waited]


def test_where_nobody_is_asked_the_configured_time_is_all(two: Stage) -> None:
    """However long the adapter would have it."""
    assert settled(two, 0.5, require="none") == [0.5]


def settled(scene: Stage, configured: float | None, require: str = "all-reachable") -> list[float]:
    """For how long a wait slept, through an adapter that would have three seconds."""
    scene.publish("value")
    scene.clock = clock = Brief()

    async def story() -> None:
        watcher = scene.watcher(settle=configured, require=require)
        await watcher.wait(await scene.expectation("value"), Deadline.after(clock, 10), settle=3.0)

    asyncio.run(story())
    return clock.slept
