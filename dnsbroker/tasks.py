"""Coroutines side by side, and what must not be cut off in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of ``work``, done concurrently; the first error cancels the rest and is raised as it is.

    Whatever happens, all have come to their end before this does.
    """
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            if not task.cancelling():  # else it is cleaning up, which a second cancellation would cut off
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def all_through(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of ``work``, done concurrently, each to its end; then the first error is raised as it is."""
    done = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for result in done:
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results


async def uninterrupted(work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
    """The result of ``work``. A cancellation waits until it is through; a second one cuts it off.

    For a task that is being cancelled already, the next cancellation is the second one.
    """
    task = asyncio.ensure_future(work)
    me = asyncio.current_task()
    assert me is not None  # noqa: S101 - for the type checker
    is_first = not me.cancelling()
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if is_first:
            await _through(task)
        task.cancel()
        await asyncio.wait({task})
        _look_at(task)
        raise


async def _through(task: asyncio.Future[T]) -> None:
    """Wait for the end of ``task``, cut off where even this is cancelled."""
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        _look_at(task)
        raise


def background(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task for ``work`` whose error is for whoever waits for it; where all who waited are gone, it is not told."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_look_at)
    return task


def _look_at(task: asyncio.Future[Any]) -> None:
    """Take note of an error, so that the event loop does not complain that nobody did."""
    if not task.cancelled():
        task.exception()
