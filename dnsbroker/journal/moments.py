"""Moments as the journal keeps them: seconds since the epoch in the file, aware UTC everywhere else."""

from __future__ import annotations

from datetime import UTC, datetime

#: How far ahead, in seconds, a moment in the past may lie because clocks are set; beyond it, the clock was wrong.
CLOCK_SLACK = 60.0


def kept(moment: datetime | None) -> float | None:
    """``moment`` as the file has it."""
    return None if moment is None else moment.timestamp()


def read(seconds: float | None) -> datetime | None:
    """What ``kept`` wrote."""
    return None if seconds is None else at(seconds)


def at(seconds: float) -> datetime:
    """The moment ``seconds`` after the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
