"""How a wait ends: by agreement and settling, at its deadline, cancelled, or by a defect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from dnsbroker.clock import Deadline
from dnsbroker.lookup.exchange import Exchange
from watching import NAME, LeapingClock, Stage, stage

#: Seconds that no test here lasts, however busy the machine is.
LONG = 300.0


@pytest.fixture
def two() -> Iterator[Stage]:
    """A primary and one secondary."""
    with stage() as made:
        yield made


def test_n31_a_cancelled_wait_ends_at_once_and_leaves_nothing(two: Stage) -> None:
    """Not even where every server hangs, and would be given far more time than there is here."""
    hang(two)

    async def story() -> None:
        expectation = await two.expectation("value")
        task = asyncio.create_task(two.watcher().wait(expectation, Deadline.after(two.clock, LONG)))
        while not two.names.log:
            await two.clock.sleep(0.01)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=LONG / 10)
        assert done and task.cancelled()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


def test_a_deadline_that_has_passed_is_no_wait(two: Stage) -> None:
    """The error comes although nobody has answered yet."""
    hang(two)
    assert "is unreachable: no answer for " in two.failure("value", seconds=0).message


def test_the_deadline_is_kept_where_everybody_hangs(two: Stage) -> None:
    """No look comes to an end that could wake the wait; it ends all the same, and not before its time."""
    hang(two)
    begun = time.monotonic()
    error = two.failure("value", seconds=0.6)
    assert time.monotonic() - begun >= 0.6
    assert "is unreachable: no answer for " in error.message


def hang(scene: Stage) -> None:
    """Have every server silent, and each look wait for it longer than any test may last."""
    asyncio.run(scene.finder.find(NAME))
    scene.names.log.clear()
    scene.exchange = Exchange(LONG, LONG)
    for server in scene.servers:
        server.behaviour.silent = True


def test_a_defect_in_a_look_is_not_taken_for_silence(two: Stage) -> None:
    """What nobody foresaw ends the wait as what it is."""

    class Defective:
        async def ask(*_: object, **__: object) -> object:
            raise ZeroDivisionError

    two.publish("value")
    asyncio.run(two.finder.find(NAME))
    two.exchange = Defective()  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        two.wait("value", seconds=LONG)


def test_rounds_and_interval_are_kept(two: Stage) -> None:
    """Five rounds at 300 ms take no less than 1.2 s, and no more questions than that."""
    two.publish("value")
    asyncio.run(two.finder.find(NAME))
    two.exchange = Exchange(LONG, LONG)
    two.names.log.clear()
    begun = time.monotonic()
    two.wait("value", rounds=5, interval=0.3, seconds=LONG)
    assert time.monotonic() - begun >= 1.2
    assert 20 <= len(two.names.log) <= 26


def test_settling_comes_after_the_verdict(two: Stage) -> None:
    """On top of it, also beyond the deadline; V is the verdict's moment."""
    two.publish("value")
    two.clock = clock = Brief()
    begun = clock.now()
    outcome = two.wait("value", seconds=LONG, settle=2 * LONG)
    assert begun < outcome.at < begun + timedelta(seconds=LONG)
    assert clock.now() - outcome.at >= timedelta(seconds=2 * LONG)


class Brief(LeapingClock):
    """Writes down for how long somebody sleeps, and leaps to the end of it."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """A moment."""
        self.slept.append(seconds)
        self.leapt += seconds
        self.later += timedelta(seconds=seconds)
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
        await watcher.wait(await scene.expectation("value"), Deadline.after(clock, LONG), settle=3.0)

    asyncio.run(story())
    return clock.slept
