"""Shared work: once for many, cancelled with its last waiter, never waiting for itself."""

from __future__ import annotations

import asyncio

from dnsbroker.lookup.once import Circular, Once
from dnsbroker.testing import FakeClock


def test_many_share_one_piece_of_work() -> None:
    """All who ask while it runs, and those who come later, get one result."""

    async def story() -> None:
        once, begun = Once(FakeClock(), 60), []

        async def work() -> int:
            begun.append(1)
            await turn()
            return len(begun)

        assert await asyncio.gather(*(once.get("a", work) for _ in range(5))) == [1] * 5
        assert await once.get("a", work) == 1
        assert await once.get("b", work) == 2

    asyncio.run(story())


def test_results_grow_old() -> None:
    """After its seconds a result is made anew."""

    async def story() -> None:
        clock = FakeClock()
        once, made = Once(clock, 60), iter(range(9))

        async def work() -> int:
            return next(made)

        assert await once.get("a", work) == 0
        clock.turn(59)
        assert await once.get("a", work) == 0
        clock.turn(1)
        assert await once.get("a", work) == 1

    asyncio.run(story())


def test_failures_reach_all_and_are_not_kept() -> None:
    """Who waits gets the error, who comes later a new try."""

    async def story() -> None:
        once, outcomes = Once(FakeClock(), 60), iter([KeyError("first"), None])

        async def work() -> str:
            error = next(outcomes)
            if error:
                raise error
            return "second"

        failed = await asyncio.gather(once.get("a", work), once.get("a", work), return_exceptions=True)
        assert [type(each) for each in failed] == [KeyError, KeyError]
        assert await once.get("a", work) == "second"

    asyncio.run(story())


def test_work_ends_with_its_last_waiter() -> None:
    """One waiter's leaving disturbs nobody; when all have left, the work is cancelled."""

    async def story() -> None:
        once, ended = Once(FakeClock(), 60), asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        first, second = (asyncio.create_task(once.get("a", work)) for _ in range(2))
        await turn()
        first.cancel()
        await turn()
        assert not ended.is_set()
        second.cancel()
        async with asyncio.timeout(1):
            await ended.wait()

    asyncio.run(story())


def test_work_that_waits_for_itself_fails() -> None:
    """Directly, by a detour, and when two tasks each began one half of the circle."""

    async def story() -> None:
        once = Once(FakeClock(), 60)
        needs = {"self": "self", "a": "b", "b": "c", "c": "a", "x": "y", "y": "x"}

        async def work(key: str) -> None:
            await turn()
            await once.get(needs[key], lambda: work(needs[key]))

        async with asyncio.timeout(1):
            for keys in (["self"], ["a"], ["x", "y"]):
                asked = (once.get(key, lambda key=key: work(key)) for key in keys)  # type: ignore[misc]
                outcomes = await asyncio.gather(*asked, return_exceptions=True)
                assert [type(each) for each in outcomes] == [Circular] * len(keys)

    asyncio.run(story())


def test_meeting_twice_is_no_circle() -> None:
    """The twin: two ways to the same work are not a circle."""

    async def story() -> None:
        once = Once(FakeClock(), 60)

        async def leaf() -> str:
            await turn()
            return "leaf"

        async def branch() -> str:
            return await once.get("leaf", leaf)

        async def root() -> tuple[str, ...]:
            return await asyncio.gather(once.get("left", branch), once.get("right", branch), once.get("leaf", leaf))

        assert list(await once.get("root", root)) == ["leaf"] * 3

    asyncio.run(story())


async def turn() -> None:
    """Let other tasks run."""
    await FakeClock().sleep(0)
