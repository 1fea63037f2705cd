"""How we retry, once for all: transient errors only, with jitter, never past the deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import BrokerError, RateLimited

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")

# Who says "now" over and over is not asked without a pause.
_SHORTEST_REST = 1.0


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
    try:
        return await call()
    except BrokerError as error:
        if not error.transient:
            raise
        failed: list[BrokerError] = [error]

    import tenacity  # which most runs do without

    growing = tenacity.wait_random_exponential(multiplier=first_wait, max=longest_wait)

    def wait(state: tenacity.RetryCallState) -> float:
        asked = getattr(_error(state), "retry_after", None)
        return float(asked) if asked is not None else growing(state)

    def stop(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= attempts or state.upcoming_sleep > deadline.left()

    async def called() -> T:
        if failed:
            raise failed.pop()  # the first attempt's, which has been made
        return await call()  # tenacity awaits only what it recognises as a coroutine function

    retry = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, BrokerError) and error.transient),
        wait=wait,
        stop=stop,
        sleep=deadline.clock.sleep,
        reraise=True,
    )
    return await retry(called)


class Patience:
    """Leaves services alone that want to be, as long as that fits into ``seconds``, and then asks again.

    ``tell`` is called with each wait and the error that asks for it; once where many wait for the same.
    """

    def __init__(self, clock: Clock, seconds: float, tell: Callable[[float, RateLimited], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._tell = tell
        self._rests: dict[str, tuple[RateLimited, float]] = {}
        self._told: dict[str, float] = {}

    async def outlast(self, call: Callable[[], Awaitable[T]]) -> T:
        """What ``call`` returns. Raises what it raises, RateLimited only where waiting would take too long."""
        deadline = Deadline.after(self._clock, self._seconds)
        while True:
            try:
                return await call()
            except RateLimited as error:
                until = self._until(error)
                if until > deadline.at:
                    raise
                self._tell_once(until, error)
                await self._clock.sleep(until - self._clock.monotonic())

    def _until(self, error: RateLimited) -> float:
        """When to ask again: many may share one error, and come to know of it one after another."""
        known, until = self._rests.get(error.provider, (None, 0.0))
        if known is not error:
            until = self._clock.monotonic() + max(_SHORTEST_REST, error.retry_after)
            self._rests[error.provider] = (error, until)
        return until

    def _tell_once(self, until: float, error: RateLimited) -> None:
        if until > self._told.get(error.provider, 0.0) + _SHORTEST_REST:
            self._told[error.provider] = until
            self._tell(until - self._clock.monotonic(), error)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
