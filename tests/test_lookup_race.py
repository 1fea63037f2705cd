"""Racing: a dead source costs a moment, and nobody is asked without need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dnsbroker.lookup.race import NoAnswer, race

Attempt = Callable[[], Awaitable[str]]


class Sources:
    """Makes attempts that note their beginning and their cancellation."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    def good(self, name: str) -> Attempt:
        """Answers at once."""

        async def attempt() -> str:
            self.begun.append(name)
            return name

        return attempt

    def bad(self, name: str, *, answered: bool = False) -> Attempt:
        """Fails at once."""

        async def attempt() -> str:
            self.begun.append(name)
            raise NoAnswer({name: "down"}, answered=answered)

        return attempt

    def dead(self, name: str) -> Attempt:
        """Never ends."""

        async def attempt() -> str:
            self.begun.append(name)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            return name

        return attempt


def test_one_that_answers_is_enough() -> None:
    """The second is not even begun."""
    sources = Sources()
    assert asyncio.run(race([sources.good("a"), sources.good("b")])) == "a"
    assert sources.begun == ["a"]


def test_a_failure_brings_the_next_at_once() -> None:
    """Whatever the stagger."""
    sources = Sources()
    attempts = [sources.bad("a"), sources.bad("b"), sources.good("c")]

    async def story() -> str:
        async with asyncio.timeout(1):
            return await race(attempts, stagger=60)

    assert asyncio.run(story()) == "c"


def test_silence_brings_the_next_after_a_moment() -> None:
    """And what did not end is cancelled."""
    sources = Sources()
    assert asyncio.run(race([sources.dead("a"), sources.dead("b"), sources.good("c")], stagger=0.01)) == "c"
    assert sources.begun == ["a", "b", "c"]
    assert sorted(sources.cancelled) == ["a", "b"]


def test_cancelling_the_race_cancels_all() -> None:
    """No attempt outlives it."""
    sources = Sources()

    async def story() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(race([sources.dead("a"), sources.dead("b")], stagger=0.01), 0.1)

    asyncio.run(story())
    assert sorted(sources.cancelled) == ["a", "b"]


def test_all_reasons_are_told() -> None:
    """And whether anybody spoke at all."""
    sources = Sources()
    with pytest.raises(NoAnswer, match="a: down; b: down") as caught:
        asyncio.run(race([sources.bad("a"), sources.bad("b", answered=True)]))
    assert caught.value.answered
    with pytest.raises(NoAnswer) as caught:
        asyncio.run(race([sources.bad("a")]))
    assert not caught.value.answered
    with pytest.raises(NoAnswer):
        asyncio.run(race([]))


def test_other_errors_pass() -> None:
    """Only NoAnswer means: ask somebody else."""

    async def broken() -> str:
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        asyncio.run(race([broken, Sources().good("b")]))
