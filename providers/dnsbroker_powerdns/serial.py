"""What a change does to a zone's serial, predicted from its SOA-EDIT-API and SOA-EDIT settings. Pure.

PowerDNS stores one serial and serves another: a change through the API turns the stored one by SOA-EDIT-API, an answer
shows it by SOA-EDIT. Secondaries follow only where the served one grows by RFC 1982. Rule: a prediction decides what
is set before a write; whether the serial moved is seen afterwards, never predicted. Kinds compare without case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from dnsbroker.records import rfc1982_newer

#: The values of SOA-EDIT-API that PowerDNS knows; with any other it leaves the serial as it is.
KINDS = ("DEFAULT", "INCREASE", "EPOCH", "SOA-EDIT", "SOA-EDIT-INCREASE")

_DAY = 86400
_WEEK = 7 * _DAY
_SERIALS = 2**32
# The server's clock is not ours: a stored time that lies this little ahead of us is its own, not the future.
_SKEW = 300


class Effect(Enum):
    """What a change would do to the served serial."""

    MOVES = "moves"
    MOVES_WITH_TIME = "moves with time"
    STANDS = "stands"


@dataclass(frozen=True)
class Serials:
    """What the serials of a zone come from.

    ``stored`` is the serial in the backend; ``api`` and ``edit`` are the zone's SOA-EDIT-API and SOA-EDIT as set ("" if
    unset); ``default_edit`` is the server's SOA-EDIT for zones that have none.
    """

    stored: int
    api: str
    edit: str
    default_edit: str = ""

    @property
    def shown_by(self) -> str:
        """The SOA-EDIT that answers are made with, in capitals."""
        return (self.edit or self.default_edit).upper()


@dataclass(frozen=True)
class Judgement:
    """The predicted effect of one change, the served serials around it, and why it stands if it does.

    ``not_before``: only a change from this moment on (Unix seconds) moves the serial; 0 where any does.
    """

    effect: Effect
    before: int
    after: int
    reason: str = ""
    not_before: int = 0


def served(stored: int, edit: str, now: int) -> int:
    """The serial in answers for the stored one under SOA-EDIT ``edit``, at ``now`` (Unix seconds)."""
    week = now - now % _WEEK
    kind = edit.upper()
    if kind == "INCEPTION-INCREMENT":
        return _inception_increment(stored, week)
    if kind == "INCREMENT-WEEKS":
        return (stored + week // _WEEK) % _SERIALS
    if kind == "EPOCH":
        return now
    if kind == "INCEPTION-EPOCH":
        return max(stored, week)
    return stored


def _inception_increment(stored: int, week: int) -> int:
    first = _dated(week, 1)
    if stored < first - 1:
        return first
    if stored <= first:
        return first + 1
    return stored + 1 if stored <= _dated(week + 2 * _DAY, 99) else stored


def _dated(moment: int, number: int) -> int:
    return int(datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d")) * 100 + number


def stored_after(serials: Serials, now: int) -> int:
    """The stored serial after one change through the API at ``now`` (Unix seconds)."""
    stored, kind = serials.stored, serials.api.upper()
    successor = (stored + 1) % _SERIALS
    if kind == "INCREASE":
        return successor
    if kind == "EPOCH":
        return now
    if kind == "DEFAULT":
        today = _dated(now, 1)
        return today if today > stored else successor
    if kind == "SOA-EDIT":
        return served(stored, serials.edit, now)
    if kind == "SOA-EDIT-INCREASE":
        edit = "EPOCH" if serials.edit.upper() == "INCEPTION-EPOCH" else serials.edit
        edited = served(stored, edit, now)
        return edited if edited > stored else successor
    return stored


def judge(serials: Serials, now: int) -> Judgement:
    """What one change at ``now`` (Unix seconds) does to the served serial."""
    before, after = _around(serials, now)
    if serials.shown_by == "EPOCH":
        return Judgement(Effect.MOVES_WITH_TIME, before, after)
    if rfc1982_newer(after, before):
        return Judgement(Effect.MOVES, before, after)
    if serials.api.upper() == "EPOCH" and 0 <= serials.stored - now <= _SKEW:
        later = _around(serials, serials.stored + 1)
        if rfc1982_newer(later[1], later[0]):
            return Judgement(Effect.MOVES_WITH_TIME, before, after, not_before=serials.stored + 1)
    return Judgement(Effect.STANDS, before, after, _reason(serials, now, before, after))


def _around(serials: Serials, now: int) -> tuple[int, int]:
    """The served serial before and after a change."""
    after = stored_after(serials, now)
    return served(serials.stored, serials.shown_by, now), served(after, serials.shown_by, now)


def _reason(serials: Serials, now: int, before: int, after: int) -> str:
    if not serials.api:
        return "SOA-EDIT-API is not set, so a change leaves the serial as it is"
    if serials.api.upper() not in KINDS:
        return f"PowerDNS knows no SOA-EDIT-API {serials.api}, so a change leaves the serial as it is"
    if rfc1982_newer(before, after):
        return f"SOA-EDIT-API {serials.api} would take the served serial back from {before} to {after}"
    if stored_after(serials, now) == serials.stored:
        edit = f"SOA-EDIT {serials.edit}" if serials.edit else "no SOA-EDIT"
        return f"SOA-EDIT-API {serials.api} leaves the serial as it is where {edit} is set"
    return f"SOA-EDIT {serials.shown_by} hides what SOA-EDIT-API {serials.api} does to the serial"


def cure(serials: Serials, now: int) -> str | None:
    """The gentlest SOA-EDIT-API that makes the served serial move; None where none does."""
    if serials.shown_by.startswith("INCEPTION-"):
        order = ("SOA-EDIT-INCREASE", "DEFAULT", "INCREASE")
    elif is_dated(serials.stored):
        order = ("DEFAULT", "INCREASE", "SOA-EDIT-INCREASE")
    else:
        order = ("INCREASE", "DEFAULT", "SOA-EDIT-INCREASE")
    moving = (kind for kind in order if judge(with_api(serials, kind), now).effect is not Effect.STANDS)
    return next(moving, None)


def with_api(serials: Serials, api: str) -> Serials:
    """The same zone under another SOA-EDIT-API."""
    return Serials(serials.stored, api, serials.edit, serials.default_edit)


def is_dated(serial: int) -> bool:
    """Whether a serial reads as YYYYMMDDnn."""
    try:
        year = datetime.strptime(f"{serial // 100:08d}", "%Y%m%d").replace(tzinfo=UTC).year
    except ValueError:
        return False
    return 1980 <= year < 2100
