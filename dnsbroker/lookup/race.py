"""The first good answer of several sources, so that a dead one costs a moment and not its whole time-out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

STAGGER = 0.25


class NoAnswer(Exception):
    """Nobody gave a usable answer; ``reasons`` says of each source why, ``answered`` whether any said anything."""

    def __init__(self, reasons: Mapping[str, str], *, answered: bool) -> None:
        super().__init__("; ".join(f"{source}: {reason}" for source, reason in reasons.items()))
        self.reasons = dict(reasons)
        self.answered = answered


async def race(attempts: Sequence[Callable[[], Awaitable[T]]], *, stagger: float = STAGGER) -> T:
    """The result of the first of ``attempts`` that does not raise NoAnswer.

    They are begun in their order: the next one when one has failed, or when ``stagger`` seconds have passed without
    a result. The others are cancelled in the end. Raises NoAnswer with everybody's reasons where all failed.
    """
    ahead = list(attempts)
    running: set[asyncio.Task[T]] = set()
    failures: list[NoAnswer] = []
    try:
        while ahead or running:
            if ahead:
                running.add(asyncio.ensure_future(_begun(ahead.pop(0))))
            done, running = await asyncio.wait(
                running, timeout=stagger if ahead else None, return_when=asyncio.FIRST_COMPLETED
            )
            results = [task.result() for task in done if not _has_failed(task, failures)]
            if results:
                return results[0]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    reasons = {source: reason for failure in failures for source, reason in failure.reasons.items()}
    raise NoAnswer(reasons, answered=any(failure.answered for failure in failures))


async def _begun(attempt: Callable[[], Awaitable[T]]) -> T:
    return await attempt()


def _has_failed(task: asyncio.Task[T], failures: list[NoAnswer]) -> bool:
    error = task.exception()
    if isinstance(error, NoAnswer):
        failures.append(error)
        return True
    return False
