"""How we retry, once for all: transient errors only, with jitter, never past the deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity

from dnsbroker.clock import Deadline
from dnsbroker.errors import BrokerError

T = TypeVar("T")


async def retrying(
    call: Callable[[], Awaitable[T]],
    *,
    attempts: int,
    deadline: Deadline,
    first_wait: float = 0.5,
    longest_wait: float = 10.0,
) -> T:
    """What ``call`` returns, called up to ``attempts`` times while it raises a BrokerError that is ``transient``.

    Waits grow from ``first_wait`` seconds with full jitter; where the error carries ``retry_after``, that long instead.
    A wait that would pass ``deadline`` is not begun: the error is raised at once. ``call`` must be safe to repeat.
    """
    growing = tenacity.wait_random_exponential(multiplier=first_wait, max=longest_wait)

    def wait(state: tenacity.RetryCallState) -> float:
        asked = getattr(_error(state), "retry_after", None)
        return float(asked) if asked is not None else growing(state)

    def stop(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= attempts or state.upcoming_sleep > deadline.left()

    async def called() -> T:
        return await call()  # tenacity awaits only what it recognises as a coroutine function

    retry = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, BrokerError) and error.transient),
        wait=wait,
        stop=stop,
        sleep=deadline.clock.sleep,
        reraise=True,
    )
    return await retry(called)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
