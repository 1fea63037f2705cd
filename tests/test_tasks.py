"""What is done side by side ends together, and what must not be cut off is not, but for the second cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from dnsbroker.tasks import all_through, background, together, uninterrupted


class Work:
    """Work that lasts until it is let go; ``ended`` says how."""

    def __init__(self) -> None:
        self.proceed = asyncio.Event()
        self.begun = asyncio.Event()
        self.ended = ""

    async def __call__(self) -> str:
        self.begun.set()
        try:
            await self.proceed.wait()
        except asyncio.CancelledError:
            self.ended = "cut off"
            raise
        self.ended = "through"
        return "done"


async def turns(count: int = 5) -> None:
    """Let the others run for a while."""
    for _ in range(count):
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future


async def cancelled_during(task: asyncio.Task[Any], work: Work, *, times: int) -> None:
    await work.begun.wait()
    for _ in range(times):
        await turns()
        task.cancel()
    await turns()


def test_a_cancellation_waits_for_what_must_not_be_cut_off() -> None:
    """It is through first; then the cancellation goes on."""

    async def story() -> None:
        work = Work()
        task = asyncio.ensure_future(uninterrupted(work()))
        await cancelled_during(task, work, times=1)
        assert not task.done()
        work.proceed.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.ended == "through"

    asyncio.run(story())


def test_a_second_cancellation_cuts_it_off() -> None:
    """And it has come to its end when the task has."""

    async def story() -> None:
        work = Work()
        task = asyncio.ensure_future(uninterrupted(work()))
        await cancelled_during(task, work, times=2)
        assert task.cancelled() and work.ended == "cut off"

    asyncio.run(story())


def test_for_who_is_being_cancelled_the_next_one_is_the_second() -> None:
    """A clean-up after Ctrl-C is cut off by the next Ctrl-C, not by the one after it."""

    async def story() -> None:
        first, clean_up = Work(), Work()

        async def run() -> None:
            try:
                await first()
            finally:
                await uninterrupted(clean_up())

        task = asyncio.ensure_future(run())
        await cancelled_during(task, first, times=1)
        assert not task.done()
        await cancelled_during(task, clean_up, times=1)
        assert task.cancelled() and clean_up.ended == "cut off"

    asyncio.run(story())


def test_a_clean_up_after_a_failure_withstands_one_cancellation() -> None:
    """The negative twin: a failure is no Ctrl-C."""

    async def story() -> None:
        clean_up = Work()

        async def run() -> None:
            try:
                raise ValueError
            finally:
                await uninterrupted(clean_up())

        task = asyncio.ensure_future(run())
        await cancelled_during(task, clean_up, times=1)
        clean_up.proceed.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clean_up.ended == "through"

    asyncio.run(story())


def test_the_first_error_cancels_the_others_and_waits_for_them() -> None:
    """Nobody is left running behind."""

    async def story() -> None:
        work = Work()

        async def fails() -> str:
            await work.begun.wait()
            raise ValueError("first")

        with pytest.raises(ValueError, match="first"):
            await together([work(), fails()])
        assert work.ended == "cut off"

    asyncio.run(story())


def test_a_cancelled_group_lets_each_clean_up() -> None:
    """One that ends at once does not make the group cancel the others a second time."""

    async def story() -> None:
        slow = Work()

        async def cleans_up() -> str:
            try:
                await asyncio.Event().wait()
            finally:
                await uninterrupted(slow())
            return ""

        async def ends_at_once() -> str:
            await asyncio.Event().wait()
            return ""

        parts: list[Coroutine[Any, Any, str]] = [ends_at_once(), cleans_up()]
        task = asyncio.ensure_future(together(parts))
        await turns()
        task.cancel()
        await slow.begun.wait()
        await turns()
        assert not task.done()
        slow.proceed.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.ended == "through"

    asyncio.run(story())


def test_all_come_to_their_end_before_the_first_error_is_raised() -> None:
    """Where one fails, the others are not cancelled."""

    async def story() -> None:
        work = Work()

        async def fails() -> str:
            work.proceed.set()
            raise ValueError("first")

        with pytest.raises(ValueError, match="first"):
            await all_through([fails(), work()])
        assert work.ended == "through"

    asyncio.run(story())


def test_an_error_that_nobody_waits_for_is_not_complained_of() -> None:
    """Whoever waited for it was cancelled; the event loop says nothing."""
    complaints: list[dict[str, Any]] = []

    async def fails() -> None:
        raise ValueError

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        background(fails())
        await turns()

    asyncio.run(story())
    assert complaints == []
