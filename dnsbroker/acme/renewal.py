"""ACME renewal information: when the CA would like a certificate to be renewed (RFC 9773).

Pure. A window that cannot be one is no answer, which is what the RFC makes of it; what to do without one, and which
moment of a window to take, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dnsbroker import readable
from dnsbroker.acme import hints
from dnsbroker.errors import AcmeError

SOONEST = 60.0
#: Years outside of which a window is a mistake, and sums with its ends would fail.
_YEARS = range(1970, 3000)


@dataclass(frozen=True)
class RenewalInfo:
    """The window in which to renew: aware moments, ``end`` after ``start``, both perhaps long past.

    ``retry_after`` is when to ask again, in seconds between a minute and a day, None where the CA does not say;
    ``explanation_url`` is a page for a person, or empty.
    """

    start: datetime
    end: datetime
    explanation_url: str
    retry_after: float | None


def read(found: Mapping[str, object], asked: float | None, host: str) -> RenewalInfo:
    """The information in what JSON gave; ``asked`` is the Retry-After that came with it, in seconds.

    Raises AcmeError, which is not ``transient``, where there is no window or its end is not after its start.
    """
    window = found.get("suggestedWindow")
    start, end = (_moment(window.get(key)) for key in ("start", "end")) if isinstance(window, Mapping) else (None, None)
    if start is None or end is None or end <= start:
        reason = "its end is not after its start" if start and end else "it has no usable start and end"
        raise AcmeError(f"{host} suggests no window in which to renew: {reason}", hint=hints.THEIR_FAULT)
    page = found.get("explanationURL")
    return RenewalInfo(
        start=start,
        end=end,
        explanation_url=readable.line(page) if isinstance(page, str) and page.startswith("https://") else "",
        retry_after=None if asked is None else max(asked, SOONEST),
    )


def _moment(text: object) -> datetime | None:
    """The moment in RFC 3339's form, in UTC; None for anything else, and for years that no certificate sees."""
    try:
        moment = datetime.fromisoformat(text.upper()) if isinstance(text, str) else None
        if moment is None or moment.tzinfo is None:
            return None
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return in_utc if in_utc.year in _YEARS else None
