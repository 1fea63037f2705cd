"""The note that stands beside a record of ours, at services that keep notes: when the record may be deleted. Pure.

Rule: only a note that is ours to the letter is read as one; what a person wrote, however like it, is the person's.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from dnsbroker.journal import Lease
from dnsbroker.records import OUR_NOTE

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_LIFE_OF_A_RUN = timedelta(days=1).total_seconds()
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def note(lease: Lease) -> str:
    """What is noted beside the record of ``lease``: its expiry, or a day after its making where it lives with a run."""
    until = lease.expires if lease.expires is not None else lease.created + _LIFE_OF_A_RUN
    # A time-out that somebody set to a thousand centuries is no reason to fail.
    moment = datetime.fromtimestamp(math.ceil(until), UTC) if until < _LAST.timestamp() else _LAST
    return f"dnsbroker: delete after {moment.strftime(_FORM)}"


def delete_after(note: str) -> datetime | None:
    """The moment in a note of ours; None where it is somebody else's."""
    found = OUR_NOTE.fullmatch(note)
    try:
        return datetime.strptime(found[1], _FORM).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
