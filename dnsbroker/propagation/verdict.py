"""What an address's answers mean, and when a zone's answers are enough. Pure.

Rules: the value decides, the serial explains. An address that answers wrongly is never tolerated; one that does not
answer, or not for the zone, is tolerated only where the policy says so and another one answers rightly. Where nobody
could be asked, nothing is proved.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dnsbroker.records import rfc1982_newer

#: An address that has not answered for this many seconds counts as silent.
SILENT_SECONDS = 10.0

_LAME_RCODES = ("REFUSED", "NOTAUTH")


class Verdict(StrEnum):
    """What is known of one address, with regard to one value set."""

    UNASKED = "unasked"  # no answer yet, nor silence long enough
    GREEN = "green"  # authoritative, with every value
    PARTIAL = "partial"  # with some of the values
    STALE = "stale"  # without them, at an older serial
    LOST = "lost"  # without them, although its serial is new enough
    LAME = "lame"  # does not answer for the zone
    BROKEN = "broken"  # says that it cannot answer
    BOGUS = "bogus"  # its signatures do not prove the answer
    UNREACHABLE = "unreachable"  # says nothing, neither by UDP nor by TCP
    UNTESTED = "untested"  # this host has no way to it


#: Verdicts of addresses that do not answer for the zone, rather than answer wrongly.
ABSENT = frozenset({Verdict.LAME, Verdict.BROKEN, Verdict.UNREACHABLE})


@dataclass(frozen=True)
class Want:
    """What every server of a zone is to answer: at ``name`` and ``type`` at least ``values``.

    ``serial`` is the served serial that includes them, where it is known.
    """

    name: str
    type: str
    values: frozenset[str]
    serial: int | None = None


@dataclass(frozen=True)
class Sight:
    """What one look at one address showed for one Want.

    ``silent`` holds the reason where nothing came; ``fault`` what is wrong with the signatures of a signed zone.
    """

    rcode: str = ""
    authoritative: bool = False
    refers: bool = False
    values: frozenset[str] = frozenset()
    ttl: int | None = None
    serial: int | None = None
    silent: str = ""
    untestable: bool = False
    fault: str = ""
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """A verdict with the facts in words; ``serial`` is what the address serves, where it said."""

    verdict: Verdict
    detail: str = ""
    serial: int | None = None


@dataclass(frozen=True)
class ServerVerdict:
    """One address in the table, by the ``server`` name and all the ``names`` that lead to it.

    ``steady`` is the number of looks in a row, up to now, that were green; ``absent_for`` seconds without an answer.
    """

    server: str
    address: str
    finding: Finding
    names: frozenset[str] = frozenset()
    steady: int = 0
    absent_for: float = 0.0

    @property
    def verdict(self) -> str:
        """The verdict in one word."""
        return str(self.finding.verdict)

    @property
    def serial(self) -> int | None:
        """The serial that it serves, where it said."""
        return self.finding.serial


def judge(sight: Sight, want: Want) -> Finding:
    """What ``sight`` means for ``want``."""
    if sight.untestable:
        return Finding(Verdict.UNTESTED, "this host has no way to that address family")
    if sight.silent:
        return Finding(Verdict.UNREACHABLE, sight.silent)
    if sight.rcode in _LAME_RCODES:
        return Finding(Verdict.LAME, f"answers {sight.rcode}", sight.serial)
    if sight.rcode not in ("NOERROR", "NXDOMAIN"):
        return Finding(Verdict.BROKEN, f"answers {sight.rcode}", sight.serial)
    if sight.refers or not sight.authoritative:
        return Finding(Verdict.LAME, "does not answer for the zone", sight.serial)
    if want.values <= sight.values:
        return Finding(Verdict.BOGUS, sight.fault, sight.serial) if sight.fault else _green(sight)
    return _missing(sight, want)


def _green(sight: Sight) -> Finding:
    return Finding(Verdict.GREEN, sight.note, sight.serial)


def _missing(sight: Sight, want: Want) -> Finding:
    have = len(want.values & sight.values)
    what = f"has {have} of {len(want.values)} values" if have else f"has no {want.type} of ours"
    if sight.serial is not None and want.serial is not None:
        if rfc1982_newer(want.serial, sight.serial):
            detail = f"{what}, at serial {sight.serial}, needs {want.serial}"
            return Finding(Verdict.PARTIAL if have else Verdict.STALE, detail, sight.serial)
        detail = f"{what}, although its serial {sight.serial} is new enough"
        return Finding(Verdict.LOST, detail, sight.serial)
    return Finding(Verdict.PARTIAL if have else Verdict.STALE, what, sight.serial)


@dataclass(frozen=True)
class Policy:
    """How much agreement is enough: see ``propagation.require`` and ``propagation.rounds``."""

    require: Literal["all-reachable", "all"]
    rounds: int


@dataclass(frozen=True)
class Decision:
    """Whether the zone is through; ``tolerated`` are the addresses that are so without having agreed."""

    through: bool
    tolerated: tuple[ServerVerdict, ...] = ()


def decide(states: Collection[ServerVerdict], policy: Policy) -> Decision:
    """Whether the addresses in ``states`` (those ignored left out) are enough for ``policy``."""
    green = [state for state in states if state.finding.verdict is Verdict.GREEN and state.steady >= policy.rounds]
    absent = [state for state in states if _is_absent(state)]
    untested = [state for state in states if state.finding.verdict is Verdict.UNTESTED]
    if not green or len(green) + len(absent) + len(untested) < len(states):
        return Decision(False)
    if absent and policy.require == "all":
        return Decision(False)
    return Decision(True, (*absent, *untested))


def _is_absent(state: ServerVerdict) -> bool:
    """Whether the address counts as not there: lame at once, silent or failing after a while."""
    if state.finding.verdict is Verdict.LAME:
        return True
    return state.finding.verdict in ABSENT and state.absent_for >= SILENT_SECONDS


def worst(findings: Sequence[Finding]) -> Finding:
    """The one of ``findings`` that keeps its address from being green, or green where none does."""
    return next((finding for finding in findings if finding.verdict is not Verdict.GREEN), findings[0])
