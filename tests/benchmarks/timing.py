"""How long one process takes beside another that does nothing.

Rule: both are timed in pairs, one right after the other, so that whatever else the machine does meets both. Refused:
absolute times as a claim.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

BARE = (sys.executable, "-c", "pass")
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Pairs:
    """Times in seconds of the interpreter alone, and of a program right after it."""

    bare: Sequence[float]
    ours: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """How many times the interpreter's own, pair by pair."""
        return [ours / bare for bare, ours in zip(self.bare, self.ours, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of them."""
        return median(self.ratios)

    def cells(self) -> tuple[str, str, str, str]:
        """Medians in milliseconds, the median ratio, and between which two half of the ratios are."""
        low, middle, high = quantiles(self.ratios, n=4)
        times = (f"{1000 * median(times):.1f}" for times in (self.bare, self.ours))
        return (*times, f"{middle:.1f}", f"{low:.1f}-{high:.1f}")  # type: ignore[return-value]


def pair(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """The seconds of the interpreter alone, and then of ``command``."""
    return timed(BARE), timed(command, environment)


def timed(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> float:
    """Seconds from start to end, with as little of our own in between as there can be."""
    with Path(os.devnull).open("w") as nowhere:
        silent = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        surroundings = {**_ENVIRONMENT, **(environment or {})}
        began = time.perf_counter()
        _, status = os.waitpid(
            os.posix_spawn(command[0], list(map(str, command)), surroundings, file_actions=silent), 0
        )
        ended = time.perf_counter()
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return ended - began
