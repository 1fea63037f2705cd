"""One fault, and the world in which it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dnsbroker.findings import Severity
from practice import Practice

Act = Callable[[Practice], object]

ERROR, WARNING, NOTICE = Severity


def nothing(practice: Practice) -> None:
    """The world as it is."""


@dataclass(frozen=True)
class Scene:
    """``fault`` earns a finding ``check`` that is as grave as ``severity``; without it ``stage`` is sound."""

    check: str
    severity: Severity
    fault: Act
    stage: Act = nothing

    def __str__(self) -> str:
        return f"{self.check}-{self.severity}"
