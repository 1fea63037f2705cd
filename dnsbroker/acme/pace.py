"""How often to look whether the CA has decided: soon at first, then ever later, or exactly when it asks.

No wait passes the deadline; where the CA asks for more time than there is, that is an error at once, with the time.
"""

from __future__ import annotations

from dnsbroker.acme import retry_after
from dnsbroker.clock import Deadline
from dnsbroker.errors import OrderUnfinished

_FIRST = 0.05
_GROWTH = 1.5
_LONGEST = 5.0


class Pace:
    """The pauses between looks at one resource, called ``what`` in words."""

    def __init__(self, deadline: Deadline, what: str) -> None:
        self._deadline = deadline
        self._what = what
        self._interval = _FIRST
        self._started = deadline.clock.monotonic()

    async def pause(self, asked: float | None, status: str) -> None:
        """Wait for ``asked`` seconds (None: as we like) before the next look at what is ``status`` now.

        A shorter wait than ours would be is cut at the deadline, for one last look. Raises OrderUnfinished.
        """
        left = self._deadline.left()
        if left <= 0.0 or (asked is not None and asked > left):
            raise self._unfinished(asked, status)
        wait = min(self._interval, left) if asked is None else asked
        self._interval = min(self._interval * _GROWTH, _LONGEST)
        await self._deadline.clock.sleep(wait)

    def _unfinished(self, asked: float | None, status: str) -> OrderUnfinished:
        clock = self._deadline.clock
        waited = clock.monotonic() - self._started
        when = f"the CA asks to look again at {retry_after.moment(clock.now(), asked)}" if asked is not None else ""
        return OrderUnfinished(
            f"{self._what} is still {status} after {retry_after.span(waited)}, and there is no more time",
            waited=waited,
            retry_after=asked,
            hint=when or "the CA is slow to decide: run the command again later",
        )
