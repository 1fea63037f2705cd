"""The one module that tells the time and waits; everybody else is handed a Clock.

Moments that outlive the process are aware UTC datetimes; durations and deadlines are seconds of the monotonic clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as an argument: the system's, or a test's own."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; for durations inside this process only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; below zero is zero. Cancellable."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; below zero is zero."""
        import asyncio  # much of what asks for the time never waits

        await asyncio.sleep(max(0.0, seconds))  # noqa: TID251 - this is the module that waits


def pause(seconds: float) -> None:
    """Wait and hold up everything: for the blink of an eye that somebody else's two renames may take."""
    time.sleep(seconds)  # noqa: TID251 - this is the module that waits


@dataclass(frozen=True)
class Deadline:
    """A moment of the monotonic clock that no wait may pass."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """The deadline ``seconds`` from now."""
        return cls(clock, clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds until then, at least 0."""
        return max(0.0, self.at - self.clock.monotonic())

    def has_passed(self) -> bool:
        """Whether nothing is left."""
        return self.left() <= 0.0
