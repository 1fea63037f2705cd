"""Findings for a person: what is wrong, the evidence for it, what to do next; the same of many subjects told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsbroker.findings import Evidence, Finding

#: How many names are told one by one of which the same is found.
_MOST_NAMES = 6


def told(findings: Iterable[Finding]) -> list[str]:
    """The lines for ``findings``, in their order."""
    return [line for alike in _alike(findings) for line in _lines(alike)]


def counted(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def line(text: str) -> str:
    """``text`` on one line, so that a service's words do not look like ours."""
    return " ".join(text.split())


def _alike(findings: Iterable[Finding]) -> Iterable[list[Finding]]:
    """``findings`` in their order, those together that say the same of different names."""
    groups: dict[Finding, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(replace(finding, subject=""), []).append(finding)
    return groups.values()


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """What is wrong with all these names alike, the evidence for it, and what to do next."""
    finding, names = findings[0], [finding.subject for finding in findings]
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES - 1 :] = [f"and {len(names) - _MOST_NAMES + 1} more"]
    yield line(f"{'fixed' if finding.fixed else finding.severity}: {', '.join(names)}: {finding.message}")
    yield from (f"    {seen}" for item in finding.evidence if (seen := line(_seen(item))))
    if finding.hint:
        yield f"    next: {line(finding.hint)}"


def _seen(evidence: Evidence) -> str:
    serial = "" if evidence.serial is None else f"serial {evidence.serial}"
    what = f"{evidence.record}, {serial}" if evidence.record and serial else evidence.record or serial
    return f"{evidence.server}: {what}" if evidence.server and what else evidence.server or what
