"""The in-memory provider keeps every promise, and fails where a test asks it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from dnsbroker.errors import ProviderUnavailable
from dnsbroker.records import Add, Record, RecordType, RRset
from dnsbroker.testing import (
    AdapterContract,
    FakeClock,
    MemoryProvider,
    MemoryService,
    Scene,
    SideDoor,
    Stage,
    surroundings,
)


class _Inside(SideDoor):
    """The service's own inside."""

    def __init__(self, service: MemoryService, zone: str) -> None:
        self._service = service
        self._zone = zone

    async def plant(self, name: str, type: RecordType, ttl: int, values: Iterable[str]) -> None:
        self._service.plant(self._zone, name, type, ttl, values)

    async def see(self, name: str, type: RecordType) -> RRset | None:
        return self._service.rrset(self._zone, name, type)

    async def serial(self, zone: str) -> int | None:
        return self._service.serial(zone)

    async def writes(self) -> int | None:
        return len(self._service.seen)


class TestMemoryProvider(AdapterContract):
    """The contract suite on the in-memory provider."""

    @pytest.fixture
    def stage(self) -> Stage:
        """A service with a zone and a child zone."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[Scene]:
            service = MemoryService("example.test", "child.example.test")
            service.serve("example.test", "ns.example.test")
            adapter = MemoryProvider(MemoryProvider.Settings(service), surroundings())
            yield Scene(adapter, "example.test.", _Inside(service, "example.test."), "child.example.test.")
            await adapter.aclose()

        return opened


ADD = Add(Record("a.example.test.", "TXT", "ours"), 5)


def _apply(service: MemoryService) -> bool:
    provider = MemoryProvider(MemoryProvider.Settings(service), surroundings(clock=FakeClock()))
    return asyncio.run(provider.apply("example.test.", [ADD])).changed


def test_a_failure_asked_for_happens_once_and_before_the_write() -> None:
    """The next call succeeds, and there was one write."""
    service = MemoryService("example.test")
    service.fail(ProviderUnavailable("no answer", provider="memory"))
    with pytest.raises(ProviderUnavailable):
        _apply(service)
    assert service.seen == []
    assert _apply(service)
    assert [write.changes for write in service.seen] == [(ADD,)]


def test_a_lost_reply_leaves_the_change_made() -> None:
    """The call fails, and asking again shows that nothing is left to do."""
    service = MemoryService("example.test")
    service.fail(ProviderUnavailable("no answer", provider="memory"), after=True)
    with pytest.raises(ProviderUnavailable):
        _apply(service)
    assert len(service.seen) == 1
    assert not _apply(service)


def test_a_zone_that_nobody_serves_has_no_serial_to_follow() -> None:
    """Name servers of a test may have another one; once it says that they serve the zone, they have to follow."""
    service = MemoryService("example.test")
    provider = MemoryProvider(MemoryProvider.Settings(service), surroundings(clock=FakeClock()))
    assert asyncio.run(provider.serial("example.test")) is None
    service.serve("example.test", "ns.example.test")
    assert asyncio.run(provider.serial("example.test")) == service.serial("example.test.")


def test_the_fake_clock_turns_without_waiting() -> None:
    """Sleeping moves both faces together."""
    clock = FakeClock()
    start = clock.now()
    asyncio.run(clock.sleep(90))
    assert clock.monotonic() == 90
    assert (clock.now() - start).total_seconds() == 90
    assert clock.slept == [90]
