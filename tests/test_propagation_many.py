"""Many who wait on one zone: one poller, the serial first, one line for each address."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from dnsbroker.clock import Deadline
from dnsbroker.errors import NotPropagated
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.propagation import Outcome, Watcher, poller
from dnsbroker.tasks import together
from watching import NAME, Stage, stage

NAMES = [f"_acme-challenge.h{number}.example.test." for number in range(12)]
LABELS = [name.removesuffix(".example.test.") for name in NAMES]


@pytest.fixture
def two() -> Iterator[Stage]:
    """A primary and one secondary."""
    with stage() as made:
        yield made


def publish(scene: Stage, numbers: Sequence[int], *, at: Sequence[int] = (1, 2), serial: int = 2) -> None:
    """Have the value at these of the many names, in these copies."""
    for copy in at:
        scene.copy(copy).add(*(f"{LABELS[number]} TXT value" for number in numbers))
        scene.copy(copy).bump(serial)


def play(scene: Stage, story: Any, **config: Any) -> Any:
    """Run ``story(watcher)``; afterwards nothing of it may run on."""

    async def playing() -> Any:
        await asyncio.gather(*(scene.finder.find(name) for name in NAMES))
        scene.names.log.clear()
        result = await story(scene.watcher(**config))
        assert len(asyncio.all_tasks()) == 1
        return result

    return asyncio.run(playing())


async def waiting(
    scene: Stage, watcher: Watcher, numbers: Sequence[int], serial: int | None = 2, seconds: float = 3.0
) -> list[Outcome]:
    """All of these names at once."""
    deadline = Deadline.after(scene.clock, seconds)
    expected = [await scene.expectation("value", name=NAMES[number], serial=serial) for number in numbers]
    return await together(watcher.wait(one, deadline) for one in expected)


def questions(scene: Stage, server: int) -> Counter[str]:
    """How often each type was asked of that server."""
    return Counter(line.split()[1] for line in scene.names.asked(scene.server(server)))


class TestManyNames:
    """First only the SOA; with the new serial, every value."""

    def test_only_the_serial_is_asked_until_it_arrives(self, two: Stage) -> None:
        """A lagging secondary is spared; an agreeing one is not asked again before it has followed."""
        publish(two, range(12), at=[1])

        async def story(watcher: Watcher) -> None:
            asyncio.get_running_loop().call_later(0.7, lambda: publish(two, range(12), at=[2]))
            await waiting(two, watcher, range(12))

        play(two, story)
        assert questions(two, 1)["TXT"] <= 3 * 12
        # The twin: asked in full whenever its serial is asked, it would be twelve times as many.
        assert questions(two, 2)["TXT"] <= 3 * 12
        assert questions(two, 2)["SOA"] >= 5

    def test_a_value_at_an_older_serial_passes_yet(self, two: Stage) -> None:
        """Once in a while all are asked, whatever the serial says."""
        publish(two, range(12))
        assert len(play(two, lambda watcher: waiting(two, watcher, range(12), serial=99))) == 12

    def test_waits_of_different_serials_do_not_hold_each_other_up(self, two: Stage) -> None:
        """The first write's names pass while the second's are not there."""
        publish(two, range(6))

        async def story(watcher: Watcher) -> None:
            later = asyncio.create_task(waiting(two, watcher, range(6, 12), serial=3, seconds=2.5))
            await waiting(two, watcher, range(6))
            assert not later.done()
            with pytest.raises(NotPropagated, match="at serial 2, needs 3"):
                await later

        play(two, story)

    def test_the_serial_may_go_round(self, two: Stage) -> None:
        """4294967295 is behind 0, and 0 is not behind 4294967295."""
        publish(two, range(12), serial=0)
        play(two, lambda watcher: waiting(two, watcher, range(12), serial=4294967295))
        for copy in two.copies:
            copy.bump(4294967295)
            for name in NAMES:
                copy.remove(name, "TXT")
        two.names.log.clear()
        with pytest.raises(NotPropagated, match="at serial 4294967295, needs 0"):
            play(two, lambda watcher: waiting(two, watcher, range(12), serial=0, seconds=0.5))
        assert questions(two, 1)["TXT"] == 0

    def test_without_a_serial_every_value_is_asked(self, two: Stage) -> None:
        """A service that has none is watched all the same."""
        publish(two, range(12))
        assert len(play(two, lambda watcher: waiting(two, watcher, range(12), serial=None))) == 12

    def test_one_value_of_many_missing_holds_up_its_own_wait_only(self, two: Stage) -> None:
        """Eleven are through; the twelfth is told as what it is, and which name that is."""
        publish(two, range(12), at=[1])
        publish(two, range(11), at=[2])

        async def story(watcher: Watcher) -> None:
            twelfth = asyncio.create_task(waiting(two, watcher, [11], seconds=1.0))
            await waiting(two, watcher, range(11))
            with pytest.raises(NotPropagated, match="h11"):
                await twelfth

        play(two, story)
        assert {event["name"] for event in two.events if event.get("verdict") == "lost"} == {NAMES[11]}

    def test_a_silent_server_is_asked_for_its_serial_only(self, two: Stage) -> None:
        """It would be silent about twelve names as well; and it is tolerated in time."""
        publish(two, range(12))

        async def story(watcher: Watcher) -> None:
            two.server(2).behaviour.silent = True
            await waiting(two, watcher, range(12))

        play(two, story)
        assert questions(two, 2)["TXT"] == 0


class TestTogether:
    """One poller for all who wait at the same time."""

    def test_each_address_is_told_once_for_the_zone(self, two: Stage) -> None:
        """Twelve names make no twelve lines; the gravest verdict speaks."""
        publish(two, range(12), at=[1])

        async def story(watcher: Watcher) -> None:
            asyncio.get_running_loop().call_later(0.5, lambda: publish(two, range(12), at=[2]))
            await waiting(two, watcher, range(12))

        play(two, story)
        assert (two.told(1), two.told(2)) == (["green"], ["stale", "green"])

    def test_who_comes_later_is_served_at_once(self, two: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        """However long the interval has grown for those who have waited."""
        monkeypatch.setattr(poller, "_LONGEST_INTERVAL", 60.0)  # so that nobody takes it for a busy machine
        publish(two, [0])

        async def story(watcher: Watcher) -> float:
            first = asyncio.create_task(waiting(two, watcher, [1], seconds=200.0))
            await two.clock.sleep(0.3)
            two.clock.leapt = 100.0  # by now nobody looks for seconds
            await two.clock.sleep(0.5)
            begun = time.monotonic()
            await waiting(two, watcher, [0])
            took = time.monotonic() - begun
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            return took

        assert play(two, story) < 5

    def test_the_last_one_to_agree_makes_all_hurry(self, two: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        """However long the interval has grown, the next round follows the first one at once."""
        monkeypatch.setattr(poller, "_LONGEST_INTERVAL", 60.0)  # so that nobody takes it for a busy machine
        publish(two, [0])
        two.exchange = Exchange(3.0, 3.0)
        loops: list[float] = []

        async def story(watcher: Watcher) -> None:
            two.server(2).behaviour.delay = 1.0
            task = asyncio.create_task(waiting(two, watcher, [0], seconds=200.0))
            await two.clock.sleep(0.5)
            two.clock.leapt = 100.0  # the primary will not look again for seconds, the secondary has not answered yet
            two.server(2).behaviour.delay = 0.0
            loops.append(time.monotonic())
            await task
            loops.append(time.monotonic())

        play(two, story, require="all")  # or the leap would be taken for silence
        assert loops[1] - loops[0] < 5

    def test_two_who_want_the_same_share_every_look(self, two: Stage) -> None:
        """The same name twice costs no question more."""
        publish(two, [0])
        play(two, lambda watcher: waiting(two, watcher, [0, 0, 0]))
        assert questions(two, 1)["TXT"] <= 3

    def test_one_who_leaves_takes_nobody_along(self, two: Stage) -> None:
        """A cancelled wait leaves the others theirs."""
        publish(two, [0], at=[1])

        async def story(watcher: Watcher) -> None:
            gone = asyncio.create_task(waiting(two, watcher, [0, 1]))
            stays = asyncio.create_task(waiting(two, watcher, [0]))
            await two.clock.sleep(0.3)
            gone.cancel()
            publish(two, [0], at=[2])
            assert await stays

        play(two, story)

    def test_a_watcher_can_be_used_again(self, two: Stage) -> None:
        """What is over leaves nothing that the next wait would trip over."""
        publish(two, [0, 1])

        async def story(watcher: Watcher) -> None:
            for number in (0, 1, 0):
                await waiting(two, watcher, [number])

        play(two, story)
        assert two.told(1) == ["green"] * 3


def test_the_interval_grows_with_the_time_waited(two: Stage) -> None:
    """And is never busy: a wait of seconds at 50 ms begins briskly and ends leisurely."""
    asyncio.run(two.finder.find(NAME))
    two.names.log.clear()
    two.failure("value", seconds=3.0, interval=0.05)
    asked = questions(two, 1)["SOA"]
    assert 8 <= asked <= 45  # 60 would be every 50 ms
