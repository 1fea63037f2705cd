"""Work that many want is done once: all who ask while it runs share it, later ones get its result for a while.

Failures are not kept. Work nobody waits for any more is cancelled. Work that would wait for itself, by whatever detour,
fails at once instead of hanging: zones may well depend on each other's servers in a circle.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from dnsbroker.clock import Clock

T = TypeVar("T")

_working_on: ContextVar[str | None] = ContextVar("working_on", default=None)


class Circular(Exception):
    """The work asked for waits, in the end, for the one who asks."""


class Once:
    """Results by key, each kept for ``seconds``. One key always stands for the same work."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._begun: dict[str, float] = {}
        self._waiters: Counter[str] = Counter()
        self._needs: dict[str, Counter[str]] = {}

    async def get(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """The result of ``work``, run now unless it already was or is. Raises Circular, and what the work raises."""
        asker = _working_on.get()
        if asker is not None and self._is_needed(asker, by=key):
            raise Circular(key)
        if not self._has(key):
            self._tasks[key] = asyncio.create_task(self._run(key, work))
            self._begun[key] = self._clock.monotonic()
        task: asyncio.Task[T] = self._tasks[key]
        needs = self._needs.setdefault(asker, Counter()) if asker is not None else Counter[str]()
        needs[key] += 1
        self._waiters[key] += 1
        try:
            return await asyncio.shield(task)
        finally:
            needs[key] -= 1
            self._waiters[key] -= 1
            if not self._waiters[key] and not task.done():
                self._drop(key, task)

    def _has(self, key: str) -> bool:
        """Whether the work runs, or its result is still young enough."""
        task = self._tasks.get(key)
        if task is None or not task.done():
            return task is not None
        return self._clock.monotonic() - self._begun[key] < self._seconds

    async def _run(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        _working_on.set(key)
        try:
            return await work()
        except BaseException:
            self._forget(key, asyncio.current_task())
            raise
        finally:
            self._needs.pop(key, None)

    def _drop(self, key: str, task: asyncio.Task[Any]) -> None:
        self._forget(key, task)
        task.cancel()

    def _forget(self, key: str, task: asyncio.Task[Any] | None) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    def _is_needed(self, wanted: str, *, by: str) -> bool:
        """Whether the work ``by`` waits for ``wanted``, directly or not."""
        seen: set[str] = set()
        ahead = [by]
        while ahead:
            key = ahead.pop()
            if key == wanted:
                return True
            if key not in seen:
                seen.add(key)
                ahead += +self._needs.get(key, Counter())
        return False
