"""When the service wants to be left alone, by what it says in its headers.

Rule: whoever asks on while nothing is left is shut out whole for minutes, other programs of the same user included; so
nothing is sent before the time. What the headers say is read leniently: numbers, items and their order vary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from dnsbroker.clock import Clock

#: Seconds for which whoever asked too much is shut out, where no reply says.
BLOCK_SECONDS = 300.0

_PARAMETER = re.compile(r";\s*([a-z]+)\s*=\s*\"?(\d+(?:\.\d+)?)", re.IGNORECASE)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds by the field Retry-After, a number or a date (RFC 9110 section 10.2.3); None where it has neither."""
    text = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def used_up(headers: Mapping[str, str]) -> float | None:
    """Seconds until there is something left, by a Ratelimit field like ``"default";r=0;t=30``; None where there is."""
    waits = []
    for item in headers.get("ratelimit", "").split(","):
        found = {name.lower(): float(number) for name, number in _PARAMETER.findall(item)}
        if found.get("r") == 0 and found.get("t"):
            waits.append(min(found["t"], BLOCK_SECONDS))
    return max(waits, default=None)


class Pace:
    """The pace of one credential: from what replies said, how long to keep still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0

    def left(self) -> float:
        """Seconds for which nothing must be sent; 0 where one may."""
        return max(0.0, self._until - self._clock.monotonic())

    def note(self, headers: Mapping[str, str], *, is_refused: bool) -> float:
        """Take a reply into account; the seconds that it asks to wait. ``is_refused``: because of too many requests."""
        wait = used_up(headers) or 0.0
        if is_refused:
            asked = retry_after(headers, self._clock.now())
            wait = asked if asked is not None else wait or BLOCK_SECONDS
        if wait:
            self._until = max(self._until, self._clock.monotonic() + wait)
        return wait
