"""What is noted of an attempt that failed, for the runs to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsbroker.certifying.permission import Permission
from dnsbroker.config import Config
from dnsbroker.errors import BrokerError, DirectoryUnreachable, Postponed, RateLimited
from dnsbroker.events import Emitter
from dnsbroker.run import Run
from dnsbroker.testing import FakeClock

CA = "https://ca.test/dir"


@pytest.fixture
def allowed(tmp_path: Path) -> Callable[[BrokerError], tuple[bool, bool]]:
    """Whether a timer may try the certificate that failed with an error, and a person another one, a moment later."""
    names = ("failed.test", "other.test")
    config = Config.from_dict(
        {"state_dir": tmp_path / "state", "acme": {"directory": CA}, "certificates": {name: {} for name in names}}
    )
    clock = FakeClock()

    def may(run: Run, name: str, *, is_named: bool) -> bool:
        try:
            Permission(run, is_named=is_named).check(config.certificates[name], CA)
        except Postponed:
            return False
        return True

    async def play(error: BrokerError) -> tuple[bool, bool]:
        async with Run(config, clock, Emitter(clock, lambda event: None)) as run:
            Permission(run, is_named=True).failed(config.certificates["failed.test"], CA, error)
            return may(run, "failed.test", is_named=False), may(run, "other.test", is_named=True)

    return lambda error: asyncio.run(play(error))


def test_a_busy_ca_is_left_alone_by_every_certificate(allowed: Callable[[BrokerError], tuple[bool, bool]]) -> None:
    """What it asks for holds even where a person names another certificate."""
    assert allowed(DirectoryUnreachable("busy", url=CA, retry_after=600.0)) == (False, False)


def test_a_busy_dns_service_is_no_demand_of_the_ca(allowed: Callable[[BrokerError], tuple[bool, bool]]) -> None:
    """It postpones the certificate that failed because of it, and none that stands at another service."""
    assert allowed(RateLimited("too many", provider="corp", retry_after=600.0)) == (False, True)
