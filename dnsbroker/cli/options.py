"""The options common to all commands, as they were given: plain values, and no parser with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Options:
    """The options common to all commands, as given on either side; ``config`` empty for the usual place.

    ``terse`` is for who takes every line for trouble, as other programs do with their hooks: then it is trouble alone
    that is told, without -v.
    """

    config: str = ""
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    terse: bool = False
