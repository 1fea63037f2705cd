"""A clock that a test turns by hand: sleeping moves it and costs no time.

Rule: both faces, wall and monotonic, move together, and only by ``sleep`` and ``turn``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """A ``dnsbroker.clock.Clock`` that starts at ``start`` (aware, UTC); ``slept`` lists every wait in seconds."""

    def __init__(self, start: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Turn the clock by ``seconds`` (below zero is zero) and let other tasks run."""
        self.slept.append(seconds)
        self.turn(max(0.0, seconds))
        loop = asyncio.get_running_loop()
        yielded = loop.create_future()
        loop.call_soon(yielded.set_result, None)
        await yielded

    def turn(self, seconds: float) -> None:
        """Turn the clock forward by ``seconds``."""
        self._elapsed += seconds
