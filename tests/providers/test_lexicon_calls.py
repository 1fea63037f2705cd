"""Blocking work in threads: it has its time, it takes turns, and it holds nobody up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from dnsbroker_lexicon.calls import Calls, Late, Leash


def test_what_it_returns_and_what_it_raises_comes_back() -> None:
    """From a thread of its own."""

    async def play() -> None:
        calls = Calls(30)
        assert await calls.make("a.", lambda _: threading.current_thread().name) == "dnsbroker-lexicon a."
        with pytest.raises(ZeroDivisionError):
            await calls.make("a.", lambda _: 1 // 0)

    asyncio.run(play())


def test_work_for_one_zone_takes_turns() -> None:
    """Work for another goes on beside it: each of these two waits until the other has begun."""
    log: list[str] = []
    meeting = threading.Barrier(2, timeout=30)

    def first(_: Leash) -> None:
        log.append("first begins")
        meeting.wait()
        log.append("first ends")

    async def play() -> None:
        calls = Calls(30)
        begun = [calls.make("a.", first), calls.make("a.", lambda _: log.append("second"))]
        await asyncio.gather(*begun, calls.make("b.", lambda _: meeting.wait()))

    asyncio.run(play())
    assert log == ["first begins", "first ends", "second"]


def test_a_turn_comes_although_the_one_before_it_failed() -> None:
    """Its error is for whoever asked."""

    async def play() -> None:
        calls = Calls(30)
        broken, fine = await asyncio.gather(
            calls.make("a.", lambda _: 1 // 0), calls.make("a.", lambda _: "fine"), return_exceptions=True
        )
        assert isinstance(broken, ZeroDivisionError)
        assert fine == "fine"

    asyncio.run(play())


def test_what_is_late_is_told_so_and_keeps_its_zone() -> None:
    """Nothing more is begun for it, also by a next call; once it has come back, the zone is free again."""
    release, seen = threading.Event(), []

    def hanging(leash: Leash) -> None:
        release.wait(30)
        try:
            leash.check()
        except Late:
            seen.append("late")

    async def play() -> None:
        calls = Calls(0.05)
        with pytest.raises(Late):
            await calls.make("a.", hanging)
        with pytest.raises(Late):
            await calls.make("a.", lambda _: seen.append("beside it"))
        calls.seconds = 30
        assert await calls.make("b.", lambda _: "free") == "free"
        release.set()
        assert await calls.make("a.", lambda _: list(seen)) == ["late"]

    asyncio.run(play())


def test_what_is_cancelled_is_told_so() -> None:
    """As at the end of a run."""
    begun, over = threading.Event(), threading.Event()

    def watching(leash: Leash) -> None:
        begun.set()
        while True:
            try:
                leash.check()
            except Late:
                over.set()
                return

    async def play() -> None:
        task = asyncio.create_task(Calls(30).make("a.", watching))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(play())
    assert over.wait(30)


HANGING = """
import asyncio, threading
from dnsbroker_lexicon.calls import Calls, Late

async def play():
    try:
        await Calls(0.05).make("a.", lambda _: threading.Event().wait())
    except Late:
        print("late")

asyncio.run(play())
"""


def test_a_thread_that_never_ends_holds_up_nothing() -> None:
    """Neither the event loop's end nor the process's."""
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("late\n", "")
