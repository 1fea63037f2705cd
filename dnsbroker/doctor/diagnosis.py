"""What the doctor has found, put in order: the gravest first, then by what it concerns; nothing is told twice.

Pure. A finding that was mended counts no longer as what it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dnsbroker.findings import Finding, Severity
from dnsbroker.names import shown

_GRAVITY = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Examined:
    """How many of each were looked at: ``names`` as certificates have them, ``servers`` by their names."""

    names: int
    zones: int
    providers: int
    servers: int


@dataclass(frozen=True)
class Diagnosis:
    """All ``findings`` in the order in which they are told, those that were mended at the end.

    ``notes`` tell of certificates that other clients order.
    """

    findings: tuple[Finding, ...]
    examined: Examined
    notes: tuple[str, ...] = ()

    @property
    def has_error(self) -> bool:
        """Whether something was found by which a validation fails."""
        return self.count(Severity.ERROR) > 0

    @property
    def fixed(self) -> int:
        """How many findings were mended."""
        return sum(finding.fixed for finding in self.findings)

    def count(self, severity: Severity) -> int:
        """How many findings of ``severity`` are left."""
        return sum(finding.severity == severity and not finding.fixed for finding in self.findings)


def diagnosed(findings: Iterable[Finding], examined: Examined, notes: tuple[str, ...] = ()) -> Diagnosis:
    """The diagnosis: ``findings`` in order, each once. Names stand in their subjects as people write them."""
    unlike = dict.fromkeys(replace(finding, subject=shown(finding.subject)) for finding in findings)
    return Diagnosis(tuple(sorted(unlike, key=_rank)), examined, notes)


def _rank(finding: Finding) -> tuple[object, ...]:
    return finding.fixed, _GRAVITY[finding.severity], finding.subject, finding.check
