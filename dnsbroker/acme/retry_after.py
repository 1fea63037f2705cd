"""When the CA wants to hear from us again: the Retry-After field, in seconds.

Pure. The field is a number of seconds or an HTTP-date, which is in UTC whatever this machine's zone is. Whatever it
says is clamped, so that no CA makes us spin and none sends us away for ever. What cannot be read counts as not said.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

SHORTEST = 1.0
LONGEST = 86_400.0
_SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def seconds(field: str, now: datetime) -> float | None:
    """Seconds from ``now`` (aware), between a second and a day; None for an empty or unreadable field.

    RFC 9110 section 10.2.3, RFC 8555 sections 6.6 and 7.5.1.
    """
    text = field.strip()
    if _SECONDS.fullmatch(text):
        return _clamped(float(text))
    moment = http_date(text)
    return None if moment is None else _clamped((moment - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """The moment (aware) that an HTTP-date names; None where ``text`` is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # asctime's form names no zone, and every HTTP-date is in UTC (RFC 9110 section 5.6.7).
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _clamped(value: float) -> float:
    return min(max(value, SHORTEST), LONGEST)


def moment(now: datetime, wait: float) -> str:
    """The time ``wait`` seconds after ``now``, in words for a person."""
    return f"{now + timedelta(seconds=wait):%Y-%m-%d %H:%M:%S} UTC, in {span(wait)}"


def span(wait: float) -> str:
    """``wait`` seconds in words: ``40 s``, ``12 min``, ``3.5 h``."""
    if wait < 120:
        return f"{wait:.3g} s"
    return f"{wait / 60:.0f} min" if wait < 7200 else f"{wait / 3600:.3g} h"
