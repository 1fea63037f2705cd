"""Blocking work in threads of its own: one piece for one zone at a time, none waited for longer than its time.

Rule: a thread cannot be stopped, so none is ever joined: it holds up neither the event loop's end nor the process's. A
piece that is late is told so, begins no further request, and keeps its zone until its last one has come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

THREAD_PREFIX = "dnsbroker-lexicon"


class Late(Exception):
    """The work did not come back in time: it, or what was begun before it for the same zone."""


class Leash:
    """Whether anybody still waits for a piece of work; shared between it and whoever waits."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def let_go(self) -> None:
        """Nobody waits any more."""
        self._over.set()

    def check(self) -> None:
        """To be called before each request. Raises Late where nobody waits any more."""
        if self._over.is_set():
            raise Late


class Calls:
    """Work for one account; ``seconds`` is how long anybody waits for a piece of it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._last: dict[str, Future[object]] = {}

    async def make(self, zone: str, work: Callable[[Leash], T]) -> T:
        """What ``work`` returns or raises, once all begun before it for ``zone`` is over. Raises Late."""
        leash = Leash()
        try:
            async with asyncio.timeout(self.seconds):
                await self._free(zone)
                return await asyncio.wrap_future(self._begun(zone, work, leash))
        except TimeoutError:
            raise Late from None
        finally:
            leash.let_go()

    async def _free(self, zone: str) -> None:
        while (last := self._last.get(zone)) and not last.done():
            with contextlib.suppress(Exception):  # that was for somebody else
                await asyncio.wrap_future(last)

    def _begun(self, zone: str, work: Callable[[Leash], T], leash: Leash) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._last[zone] = future  # type: ignore[assignment]  # only asked whether it is done
        name = f"{THREAD_PREFIX} {zone}"
        threading.Thread(target=_worked, args=(future, work, leash), name=name, daemon=True).start()
        return future


def _worked(future: Future[T], work: Callable[[Leash], T], leash: Leash) -> None:
    try:
        result = work(leash)
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
        future.set_exception(error)
    else:
        future.set_result(result)
