"""Durations as people write them, and back: ``"90s"``, ``"10m"``, ``"2h"``, ``"3d"``, ``"200ms"``, or seconds.

One number and one unit; nothing negative, and no sum of several units.
"""

from __future__ import annotations

import math
import re

from dnsbroker.config.kinds import described
from dnsbroker.settings import Duration, Rejected

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WRITTEN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?")
_LOOSE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(milli|ms|s|mi|m|h|d|w)?[a-z]*\.?")
_LOOSE_UNITS = {**_UNITS, "milli": 0.001, "mi": 60.0, "w": 7 * 86400.0}
_FORMS = 'a duration is "90s", "10m", "2h", "3d", or a number of seconds'


def parse(value: object) -> Duration:
    """Seconds from a number of seconds or text of one number and one unit. Raises Rejected."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Rejected(f"should be a duration, not {described(value)}", hint=_FORMS)
    if isinstance(value, str):
        return _parse_text(value)
    if not math.isfinite(value) or value < 0:
        raise Rejected(f"should be a duration of zero or more, not {value}", hint=_FORMS)
    return Duration(float(value))


def _parse_text(text: str) -> Duration:
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise Rejected(f"should be a duration, not {described(text)}", hint=_nearest(text))
    number, unit = found.groups()
    return Duration(float(number) * _UNITS[unit or "s"])


def _nearest(text: str) -> str:
    """A hint with the duration that ``text`` may have meant: ``"10 min"`` and ``"1h30m"`` are understood, not taken."""
    parts = [found for found in _LOOSE.finditer(text.lower()) if found[0]]
    if not parts or text.strip().startswith("-"):
        return _FORMS
    seconds = sum(float(part[1]) * _LOOSE_UNITS[part[2] or "s"] for part in parts)
    return f'{_FORMS}; perhaps "{show(seconds)}" is meant'


def show(seconds: float) -> str:
    """``seconds`` in the largest unit that leaves a whole number, as ``parse`` takes it."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{int(seconds / _UNITS[unit])}{unit}"
    return f"{round(seconds * 1000)}ms" if seconds else "0s"
