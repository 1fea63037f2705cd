"""This host's clock, held against those of others: a signature that is too old or too new is refused.

Rule: who is alone with its time is wrong. Pure; whoever talks to a CA or a server brings what it saw there. Refused:
differences that the way of a message and whole seconds explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnsbroker.findings import Evidence, Finding, Severity

_WORTH_TELLING = 60.0
# What a TSIG signature allows (RFC 8945 section 10), and a CA may.
_TOLERATED = 300.0
_CURE = "keep this host's clock right: let chrony or systemd-timesyncd run, and see that it reaches its servers"


@dataclass(frozen=True)
class Reading:
    """By how many seconds the clock of ``witness`` (a CA, a server) is ahead of this host's; negative: behind."""

    witness: str
    ahead: float


def skew(readings: Iterable[Reading]) -> tuple[Finding, ...]:
    """What the ``readings`` say of this host's clock, or of a witness whose own clock is wrong.

    This host is believed where any of the others agrees with it.
    """
    seen = tuple(readings)
    off = tuple(reading for reading in seen if abs(reading.ahead) > _WORTH_TELLING)
    if len(off) < len(seen):
        return tuple(_theirs(reading) for reading in off)
    return (_ours(off),) if off else ()


def _ours(off: Sequence[Reading]) -> Finding:
    least = min(off, key=lambda reading: abs(reading.ahead))
    return Finding(
        check="clock-skew",
        severity=Severity.ERROR if abs(least.ahead) > _TOLERATED else Severity.WARNING,
        subject="this host",
        message=f"its clock is {abs(least.ahead):.0f} s {_word(-least.ahead)} that of {least.witness}",
        hint=_CURE,
        evidence=tuple(map(_evidence, off)),
    )


def _theirs(reading: Reading) -> Finding:
    return Finding(
        check="clock-skew",
        severity=Severity.WARNING,
        subject=reading.witness,
        message=f"its clock is {abs(reading.ahead):.0f} s {_word(reading.ahead)} this host's, with which others agree",
        hint="have whoever runs it set its clock",
        evidence=(_evidence(reading),),
    )


def _word(ahead: float) -> str:
    return "ahead of" if ahead > 0 else "behind"


def _evidence(reading: Reading) -> Evidence:
    return Evidence(server=reading.witness, record=f"{reading.ahead:+.0f} s")
