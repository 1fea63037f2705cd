"""What an address's answers mean, and when a zone's answers are enough. Pure.

Rules: the value decides, the serial explains; but of a value that had left, only the serial tells that it is back. An
address that answers wrongly is never tolerated; one that does not answer, or not for the zone, is tolerated only where
the policy says so and another one answers rightly. Where nobody could be asked, nothing is proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dnsbroker.names import shown
from dnsbroker.records import rfc1982_newer

_LAME_RCODES = ("REFUSED", "NOTAUTH")
_LOOKS_UNTIL_LOST = 2
#: What clocks and sums of floats may be off by, in seconds.
_TICK = 0.001


class Verdict(StrEnum):
    """What is known of one address, with regard to one value set; the gravest first."""

    BOGUS = "bogus"  # its signatures do not prove the answer
    HIDDEN = "hidden"  # with them, but denying a name above, at which resolvers turn back
    LOST = "lost"  # without the values, although its serial is new enough
    STALE = "stale"  # without them
    PARTIAL = "partial"  # with some of them
    LAME = "lame"  # does not answer for the zone
    BROKEN = "broken"  # says that it cannot answer
    UNREACHABLE = "unreachable"  # says nothing, neither by UDP nor by TCP
    UNASKED = "unasked"  # no answer yet, nor silence long enough to speak of
    UNTESTED = "untested"  # this host has no way to it
    GREEN = "green"  # authoritative, with every value

    @property
    def gravity(self) -> int:
        """Lower is graver."""
        return list(Verdict).index(self)


#: Verdicts of addresses that do not answer for the zone, rather than answer wrongly.
ABSENT = frozenset({Verdict.LAME, Verdict.BROKEN, Verdict.UNREACHABLE})


@dataclass(frozen=True)
class Want:
    """What every server of a zone is to answer: at ``name`` and ``type`` at least ``values``.

    ``serial`` is the served serial that includes them, where it is known. ``returned``: some of them had been taken
    away before, so that an address with an older serial may be about to lose them.
    """

    name: str
    type: str
    values: frozenset[str]
    serial: int | None = None
    returned: bool = False


@dataclass(frozen=True)
class Sight:
    """What one look at one address showed for one Want.

    ``denied`` is a name above the one asked for that does not exist by the address's word.
    ``silent`` holds the reason where nothing came; ``fault`` what is wrong with the signatures of a signed zone.
    ``tcp_only``: nothing came by UDP. ``cut_short``: it came by UDP, truncated, and nothing by TCP.
    """

    rcode: str = ""
    authoritative: bool = False
    refers: bool = False
    values: frozenset[str] = frozenset()
    ttl: int | None = None
    serial: int | None = None
    denied: str = ""
    silent: str = ""
    untestable: bool = False
    fault: str = ""
    tcp_only: bool = False
    cut_short: bool = False


@dataclass(frozen=True)
class Finding:
    """A verdict with the facts in words; ``serial`` is what the address serves, where it said."""

    verdict: Verdict
    detail: str = ""
    serial: int | None = None


@dataclass(frozen=True)
class ServerVerdict:
    """One address in the table, by the ``server`` name and all the ``names`` that lead to it.

    ``ip`` is the address without its port.
    ``looks`` are the moments (monotonic clock) at which the looks began that had this verdict, in a row up to now.
    ``silent_for`` are the seconds since it last answered for the zone. ``wavers``: it had the values before, and then
    had not. ``has_answered``: it was seen to have the zone at some time.
    """

    server: str
    address: str
    finding: Finding
    ip: str = ""
    names: frozenset[str] = frozenset()
    looks: tuple[float, ...] = ()
    silent_for: float = 0.0
    wavers: bool = False
    has_answered: bool = False

    @property
    def verdict(self) -> Verdict:
        """The verdict alone."""
        return self.finding.verdict

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
        if _is_from_before(sight, want):
            detail = f"has what is about to leave, at serial {sight.serial}, needs {want.serial}"
            return Finding(Verdict.STALE, detail, sight.serial)
        return _complete(sight)
    return _missing(sight, want)


def _is_from_before(sight: Sight, want: Want) -> bool:
    """Whether the values are those that stood there before they were taken away, and are not back yet."""
    if not want.returned or want.serial is None or sight.serial is None:
        return False
    return rfc1982_newer(want.serial, sight.serial)


def _complete(sight: Sight) -> Finding:
    """What every value is worth that is there: it has to be proved, and to be found."""
    if sight.fault:
        return Finding(Verdict.BOGUS, sight.fault, sight.serial)
    if sight.denied:
        return Finding(Verdict.HIDDEN, f"has it, but denies that {shown(sight.denied)} above it exists", sight.serial)
    if sight.cut_short:
        return Finding(Verdict.GREEN, "answers by UDP, cut short, and not by TCP: a CA needs both", sight.serial)
    detail = "answers by TCP only: a CA needs UDP too" if sight.tcp_only else ""
    return Finding(Verdict.GREEN, detail, sight.serial)


def _missing(sight: Sight, want: Want) -> Finding:
    if sight.cut_short:
        return Finding(Verdict.BROKEN, "answers by UDP, cut short, and not by TCP", sight.serial)
    have = len(want.values & sight.values)
    verdict = Verdict.PARTIAL if have else Verdict.STALE
    what = f"has {have} of {len(want.values)} values" if have else f"has no {want.type} of ours"
    if sight.serial is None or want.serial is None:
        return Finding(verdict, what, sight.serial)
    if rfc1982_newer(want.serial, sight.serial):
        return Finding(verdict, f"{what}, at serial {sight.serial}, needs {want.serial}", sight.serial)
    if sight.serial != want.serial and not rfc1982_newer(sight.serial, want.serial):
        return Finding(verdict, what, sight.serial)  # neither is newer: RFC 1982 section 3.2
    detail = f"{what}, although its serial {sight.serial} is new enough"
    return Finding(verdict if have else Verdict.LOST, detail, sight.serial)


def confirmed(finding: Finding, looks: int) -> Finding:
    """``finding`` as it may be told after ``looks`` of them in a row.

    SOA and values are two questions, between which a transfer may come: once is not yet lost.
    """
    if finding.verdict is Verdict.LOST and looks < _LOOKS_UNTIL_LOST:
        return Finding(Verdict.STALE, finding.detail, finding.serial)
    return finding


@dataclass(frozen=True)
class Policy:
    """How much agreement is enough: see ``propagation.require`` and ``propagation.rounds``.

    Two rounds are ``apart`` seconds or more at each address; one that is silent for ``patience`` seconds is absent.
    """

    require: Literal["all-reachable", "all"]
    rounds: int
    apart: float = 0.2
    patience: float = 10.0


@dataclass(frozen=True)
class Decision:
    """Whether the zone is through; ``tolerated`` are the addresses that are so without having agreed.

    ``agreed_at`` is when the first complete round of the present series was reached (monotonic clock).
    """

    through: bool = False
    agreed_at: float | None = None
    tolerated: tuple[ServerVerdict, ...] = ()


def decide(states: Sequence[ServerVerdict], policy: Policy) -> Decision:
    """Whether the addresses in ``states`` (those ignored left out) are enough for ``policy``."""
    green = [state for state in states if state.verdict is Verdict.GREEN]
    lame = [state for state in states if _is_lame(state)]
    silent = [state for state in states if _is_silent(state, policy)]
    untested = [state for state in states if state.verdict is Verdict.UNTESTED]
    if not green or len(green) + len(lame) + len(silent) + len(untested) < len(states):
        return Decision()
    if policy.require == "all" and (lame or silent or not _are_proved(untested, green)):
        return Decision()
    rounds = _complete_rounds([state.looks for state in (*green, *lame)], policy)
    if not rounds:
        return Decision()
    return Decision(len(rounds) >= policy.rounds, rounds[0], (*lame, *silent, *untested))


def _is_lame(state: ServerVerdict) -> bool:
    """Whether it has not got the zone. One that was seen to have it may only be refusing for a moment (rate limits)."""
    return state.verdict is Verdict.LAME and not state.has_answered


def _is_silent(state: ServerVerdict, policy: Policy) -> bool:
    return state.verdict in ABSENT and not _is_lame(state) and state.silent_for >= policy.patience


def _are_proved(untested: Sequence[ServerVerdict], green: Sequence[ServerVerdict]) -> bool:
    """Whether each server that this host cannot reach at one address has agreed at another."""
    return {state.server for state in untested} <= {state.server for state in green}


def _complete_rounds(series: Sequence[Sequence[float]], policy: Policy) -> list[float]:
    """When each complete round was reached, as many as the policy asks for.

    A round is one look at every address, begun after the round before was complete.
    """
    reached: list[float] = []
    latest = [float("-inf")] * len(series)
    while len(reached) < policy.rounds:
        after = max(latest, default=0.0)
        nexts = [_first(looks, after, own + policy.apart - _TICK) for looks, own in zip(series, latest, strict=True)]
        latest = [look for look in nexts if look is not None]
        if len(latest) < len(series):
            break
        reached.append(max(latest))
    return reached


def _first(looks: Sequence[float], after: float, earliest: float) -> float | None:
    return next((look for look in looks if look > after and look >= earliest), None)
