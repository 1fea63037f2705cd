"""One command's run: what it works with opened, signals turned into a clean end, errors into a status.

The first Ctrl-C or SIGTERM cancels the work, which cleans DNS on its way out; a second one, or five seconds, leaves
that to ``dnsbroker gc``. What a monitor reads is written all the same; people are told by the next run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dnsbroker.cli import exit_status
from dnsbroker.cli.options import Options
from dnsbroker.cli.output import Failure, Output, Result, failed
from dnsbroker.errors import BrokerError
from dnsbroker.events import Listener

if TYPE_CHECKING:
    import click

    from dnsbroker.broker import Broker

T = TypeVar("T")

_PATIENCE_AFTER_SIGNAL = 5.0
#: The commands after which metrics are written and people alerted: those that bring certificates forward or clean up.
_RUNS = frozenset({"issue", "renew", "deploy", "revoke", "delete", "gc"}).union(
    f"tlsa {word}" for word in ("advance", "rollover", "publish", "withdraw")
)


def run(
    context: click.Context,
    work: Callable[[Broker], Awaitable[Result]],
    *,
    ignore: Iterable[str] = (),
    looking: bool = False,
) -> int:
    """Do ``work`` with a Broker, perhaps one that only looks; prints everything, and returns the exit status."""
    options = context.ensure_object(Options)
    command = context.command_path.removeprefix("dnsbroker ")
    is_run = command in _RUNS and not context.params.get("dry_run")

    def opened(listener: Listener) -> Broker:
        from dnsbroker.broker import Broker
        from dnsbroker.config import Config

        config = Config.load(options.config or None)
        return Broker(config, on_event=listener, ignore=ignore, command=command, looking=looking)

    async def worked(broker: Broker) -> Result:
        return _with_leftovers(broker, await _worked(broker, work))

    return conduct(options, command, opened, worked, conclude=_conclude if is_run else None, looking=looking)


async def _conclude(broker: Broker, result: Result) -> None:
    told = [*result.lines, *(failure.error.message for failure in result.failures)]
    await broker.conclude(result.status, told)


def conduct(
    options: Options,
    command: str,
    opened: Callable[[Listener], AbstractAsyncContextManager[T]],
    work: Callable[[T], Awaitable[Result]],
    *,
    conclude: Callable[[T, Result], Awaitable[None]] | None = None,
    looking: bool = False,
) -> int:
    """Do ``work`` with what ``opened`` gives; prints everything as ``command``'s, and returns the exit status.

    ``opened`` is called with the listener that tells each event. ``conclude`` is called with what came of it, stopped
    or not, while it is still open. What is only ``looking`` has written nothing when a signal comes. BrokerError,
    wherever it is raised, is a result.
    """
    _hush(options)
    output = Output(options, command)
    stopped: list[int] = []
    told = partial(output.stopping, looking=looking)
    try:
        done = _with_opened(opened(output.event), work, conclude, stopped)
        result = asyncio.run(_interruptible(done, stopped, told))
    except BrokerError as error:
        result = failed(error)
    except (asyncio.CancelledError, KeyboardInterrupt):
        result = Result(status=_of_signal(stopped))
    _heed(stopped, result)
    output.end(result)
    if stopped:
        _leave(result.status)
    return result.status


def _of_signal(stopped: Sequence[int]) -> int:
    """The exit status after the signals ``stopped``; without any it was Ctrl-C, before anybody listened."""
    return 128 + (stopped[0] if stopped else signal.SIGINT)


def _heed(stopped: Sequence[int], result: Result) -> None:
    """What a signal left undone is no failure of its own; what was done nevertheless is done."""
    if stopped and result.status:
        result.status = _of_signal(stopped)


def _leave(status: int) -> None:
    """End the process now where a thread would hold up its end: the system may look for a host for half a minute."""
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class _Threads(ThreadPoolExecutor):
    """Threads that nobody waits for at the end."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


def _hush(options: Options) -> None:
    """What libraries log is for whoever asks for everything; Python would print it, tracebacks and all."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler() if options.verbose > 1 else logging.NullHandler())


async def _with_opened(
    opened: AbstractAsyncContextManager[T],
    work: Callable[[T], Awaitable[Result]],
    conclude: Callable[[T, Result], Awaitable[None]] | None,
    stopped: Sequence[int],
) -> Result:
    async with opened as it:
        try:
            result = await _worked(it, work)
            _heed(stopped, result)
            if conclude:
                await conclude(it, result)
        except asyncio.CancelledError:
            if conclude:
                await conclude(it, Result(status=_of_signal(stopped)))
            raise
        return result


async def _worked(it: T, work: Callable[[T], Awaitable[Result]]) -> Result:
    try:
        return await work(it)
    except BrokerError as error:
        return failed(error)


def _with_leftovers(broker: Broker, result: Result) -> Result:
    """Add to ``result`` what could not be withdrawn, and whether anything is different now."""
    result.changed = result.changed or broker.changed
    try:
        broker.check_withdrawn()
    except BrokerError as error:
        if not any(isinstance(known.error, type(error)) for known in result.failures):
            result.failures = [*result.failures, Failure(error)]
        result.status = exit_status.gravest([result.status, exit_status.of(error)])
    return result


async def _interruptible(work: Awaitable[Result], stopped: list[int], told: Callable[[], None]) -> Result:
    """``work``, cancelled at SIGINT and SIGTERM; which one it was is put into ``stopped``, and ``told`` is called."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)

    def stop(number: int) -> None:
        if not stopped:
            told()
            loop.call_later(_PATIENCE_AFTER_SIGNAL, task.cancel)
        stopped.append(number)
        task.cancel()

    loop.set_default_executor(_Threads())
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    return await task
