"""Who is behind before the service has sent its NOTIFY is not blamed for it by the doctor; afterwards it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsbroker.errors import ProviderUnavailable
from dnsbroker.findings import Severity
from dnsbroker.testing import MemoryProvider
from practice import practising


class Ahead(MemoryProvider):
    """A service whose serial no server has reached."""

    async def serial(self, zone: str) -> int:
        """Nine."""
        return 9


class Late(Ahead):
    """It says that it has not sent its NOTIFY yet."""

    async def is_notified(self, zone: str) -> bool:
        """No."""
        return False


class Early(Ahead):
    """It has."""

    async def is_notified(self, zone: str) -> bool:
        """Yes."""
        return True


class Mute(Ahead):
    """It cannot be asked."""

    async def is_notified(self, zone: str) -> bool:
        """Nobody knows."""
        raise ProviderUnavailable("no answer", provider="memory", zone=zone)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [(Late, Severity.WARNING), (Early, Severity.ERROR), (Mute, Severity.ERROR), (Ahead, Severity.ERROR)],
)
def test_secondaries_that_are_behind(tmp_path: Path, kind: type[Ahead], severity: Severity) -> None:
    """A warning only where the service itself says that they were not told."""
    with practising(tmp_path / "state") as practice:
        practice.adapters["memory"] = kind
        found = practice.visit("www.example.test").findings
    stale = [finding for finding in found if finding.check == "stale-server"]
    assert [finding.severity for finding in stale] == [severity] * 2
    assert not any("follow a NOTIFY" in finding.hint for finding in stale)
