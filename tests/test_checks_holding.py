"""A provider that holds a zone which the world asks others about is named; one that serves or feeds it is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dnsbroker.adapter import Adapter
from dnsbroker.checks.holding import holding
from dnsbroker.clock import SystemClock
from dnsbroker.config import ProviderConfig
from dnsbroker.errors import LookupFailed, ProviderUnavailable
from dnsbroker.events import Emitter
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.routing import Routing
from dnsbroker.testing import MemoryProvider, MemoryService, surroundings
from dnsbroker.testing.memory import MemorySettings
from fake_zone import zone

ADDRESSES = {"ns1.cloud.example.": "192.0.2.1", "ns1.hoster.example.": "192.0.2.9", "vanity.example.org.": "192.0.2.1"}


def served(*hosts: str, parent: bool = True, child: bool = True) -> Zone:
    """example.org, served by ``hosts``, each of which parent and zone name unless told otherwise."""
    servers = (NameServer(host, Address(ADDRESSES.get(host, host)), parent, child) for host in hosts)
    return replace(zone("example.org."), servers=tuple(servers))


def provider(
    name: str,
    *servers: str,
    holds: str = "example.org.",
    zones: tuple[str, ...] = (),
    adapter: type[MemoryProvider] = MemoryProvider,
) -> ProviderConfig:
    """One that holds a zone and tells of ``servers``."""
    service = MemoryService(holds)
    service.serve(holds, *servers)
    return ProviderConfig(name, adapter, MemorySettings(service), "memory", zones)


async def addresses(host: str) -> tuple[str, ...]:
    """As far as they have one."""
    if host not in ADDRESSES:
        raise LookupFailed("it has no address", name=host)
    return (ADDRESSES[host],)


def made(provider: ProviderConfig) -> Adapter:
    """Its adapter."""
    adapter: Adapter = provider.adapter(provider.settings, surroundings(provider.name))
    return adapter


def found(where: Zone, *providers: ProviderConfig) -> list[Finding]:
    """What is found about ``providers``."""
    clock = SystemClock()
    routing = Routing({item.name: item for item in providers}, made, Emitter(clock, None), clock, addresses)
    return list(asyncio.run(holding(where, routing)))


OLD = provider("old", "ns1.hoster.example.")
NEW = provider("new", "ns1.cloud.example.")


def test_the_only_provider_that_holds_a_zone_delegated_elsewhere_is_an_error() -> None:
    """What is written there nobody sees; both sets are shown, and what to do."""
    (finding,) = found(served("ns1.cloud.example."), OLD)
    assert (finding.check, finding.severity) == ("delegated-elsewhere", Severity.ERROR)
    assert finding.subject == "example.org."
    assert [(item.server, item.record) for item in finding.evidence] == [
        ("old", "example.org NS ns1.hoster.example"),
        ("the delegation", "example.org NS ns1.cloud.example"),
    ]
    assert "configure the provider to which ns1.cloud.example belong" in finding.hint


def test_an_old_copy_beside_the_right_provider_is_a_notice() -> None:
    """The right one is written to, and has no finding."""
    (finding,) = found(served("ns1.cloud.example."), OLD, NEW)
    assert (finding.check, finding.severity) == ("delegated-elsewhere", Severity.NOTICE)
    assert finding.evidence[0].server == "old"


def test_an_old_copy_that_zones_route_to_is_an_error() -> None:
    """The key decides before the delegation does, and here it decides wrong."""
    findings = found(served("ns1.cloud.example."), replace(OLD, zones=("example.org.",)), NEW)
    assert [(item.evidence[0].server, item.severity) for item in findings] == [("old", Severity.ERROR)]


@pytest.mark.parametrize(
    "where",
    [
        served("ns1.hoster.example.", "ns1.cloud.example."),
        served("ns1.hoster.example.", child=False),
        served("ns1.hoster.example.", parent=False),
        served("192.0.2.9", parent=False, child=False),
    ],
    ids=["one of several", "by the parent alone", "by the zone alone", "configured by address"],
)
def test_one_whose_server_is_the_zones_has_no_finding(where: Zone) -> None:
    """The negative twin: whoever serves it, or feeds one that does."""
    assert found(where, OLD) == []


def test_one_whose_server_has_another_name_in_the_delegation_has_no_finding() -> None:
    """A vanity name with the same address."""
    assert found(served("vanity.example.org."), NEW) == []
    assert [item.check for item in found(served("vanity.example.org."), OLD)] == ["delegated-elsewhere"]


@pytest.mark.parametrize(
    "innocent",
    [
        provider("silent"),
        provider("parent", "ns1.hoster.example.", holds="org."),
        provider("limited", "ns1.hoster.example.", zones=("example.net.",)),
    ],
    ids=lambda item: item.name,
)
def test_one_that_does_not_tell_or_is_not_concerned_is_not_judged(innocent: ProviderConfig) -> None:
    """It tells no servers, holds another zone, or may not write this one."""
    assert found(served("ns1.cloud.example."), innocent) == []


class Failing(MemoryProvider):
    """Cannot be asked."""

    async def name_servers(self, zone: str) -> frozenset[str]:
        raise ProviderUnavailable("no answer", provider="failing", hint="see whether it runs")


def test_one_that_cannot_be_asked_is_told_in_its_own_words() -> None:
    """No more than a notice: whether it can be written to is another check's affair."""
    (finding,) = found(served("ns1.cloud.example."), provider("failing", adapter=Failing), NEW)
    assert (finding.check, finding.severity, finding.hint) == (
        "provider-fails",
        Severity.NOTICE,
        "see whether it runs",
    )
    assert "no answer" in finding.message
