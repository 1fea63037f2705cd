"""The provider is the one that holds the zone where the record really stands; nobody is guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from dnsbroker.adapter import Adapter
from dnsbroker.clock import SystemClock
from dnsbroker.config import ProviderConfig
from dnsbroker.errors import ConfigError, NoProvider, ProviderUnavailable
from dnsbroker.events import Emitter, Event
from dnsbroker.lookup.zone import Hop, Place, Zone
from dnsbroker.routing import Route, Routing, Target
from dnsbroker.settings import Duration
from dnsbroker.testing import MemoryProvider, MemoryService, surroundings
from dnsbroker.testing.memory import MemorySettings
from fake_zone import zone

ORG, NET = zone("example.org."), zone("example.net.")


def place(where: Zone = ORG, *, through: Zone | None = None) -> Place:
    """The challenge name of the zone's apex, or where a CNAME in ``through`` leads to it."""
    owner = f"_acme-challenge.{where.name}"
    if through is None:
        return Place(owner, owner, where, ())
    first = f"_acme-challenge.{through.name}"
    return Place(first, owner, where, (Hop(first, owner, "CNAME", through),))


class Broken(MemoryProvider):
    """Cannot be reached."""

    async def find_zone(self, name: str) -> str | None:
        raise ProviderUnavailable("no answer", provider="broken")


class Secretless(MemoryProvider):
    """Has no secret that could be read."""

    async def find_zone(self, name: str) -> str | None:
        raise ConfigError("the secret cannot be read")


class Bench:
    """Routing over providers in memory; ``told`` are its events, ``made`` the adapters that were needed."""

    def __init__(self, **providers: ProviderConfig) -> None:
        self.told: list[Event] = []
        self.made: list[str] = []
        self.routing = Routing(providers, self._make, Emitter(SystemClock(), self.told.append))

    def _make(self, provider: ProviderConfig) -> Adapter:
        self.made.append(provider.name)
        adapter: Adapter = provider.adapter(provider.settings, surroundings(provider.name))
        return adapter

    def route(self, where: Place) -> Route:
        return asyncio.run(self.routing.route(where))


def provider(
    name: str,
    *holds: str,
    zones: tuple[str, ...] = (),
    ttl: float | None = None,
    adapter: type[MemoryProvider] = MemoryProvider,
) -> Mapping[str, ProviderConfig]:
    """One provider as a keyword: it holds the zones ``holds`` and is limited to ``zones``."""
    settings = MemorySettings(MemoryService(*holds))
    return {
        name: ProviderConfig(
            name=name,
            adapter=adapter,
            settings=settings,
            type="memory",
            zones=zones,
            ttl=None if ttl is None else Duration(ttl),
        )
    }


def test_the_one_that_holds_the_zone_is_taken() -> None:
    """Two providers, two zones: each record goes to its own."""
    bench = Bench(**provider("a", "example.org."), **provider("b", "example.net."))
    assert bench.route(place(ORG)).target == Target("a", "example.org.")
    assert bench.route(place(NET)).target == Target("b", "example.net.")


def test_the_zone_where_the_record_stands_decides() -> None:
    """A CNAME leads from one provider's zone into the other's, and that one writes."""
    bench = Bench(**provider("a", "example.org."), **provider("b", "example.net."))
    assert bench.route(place(NET, through=ORG)).target == Target("b", "example.net.")


def test_zones_route_without_asking() -> None:
    """A provider whose ``zones`` name the zone goes before one that merely holds it, and nobody is asked."""
    bench = Bench(**provider("a", "example.org."), **provider("b", "example.org.", zones=("example.org.",)))
    assert bench.route(place(ORG)).target.provider == "b"
    assert bench.made == []


def test_a_provider_limited_to_other_zones_is_never_asked() -> None:
    """What ``zones`` leaves out it may not write, though it holds it."""
    bench = Bench(**provider("a", "example.org.", "example.net.", zones=("example.net.",)))
    with pytest.raises(NoProvider, match="a is limited to other zones"):
        bench.route(place(ORG))
    assert bench.made == []


def test_two_holders_are_named_and_so_is_the_cure() -> None:
    """Nobody is guessed: the error names both, and ``zones``."""
    bench = Bench(**provider("a", "example.org."), **provider("b", "example.org."))
    with pytest.raises(ConfigError, match="held by several providers: a, b") as caught:
        bench.route(place(ORG))
    assert 'add "example.org" to the `zones` of the one' in caught.value.hint


def test_two_that_are_both_told_to_hold_it_are_an_error_as_well() -> None:
    """Naming the zone in both does not choose; the hint says to take it out of one."""
    zones = ("example.org.",)
    bench = Bench(**provider("a", "example.org.", zones=zones), **provider("b", "example.org.", zones=zones))
    with pytest.raises(ConfigError, match="several providers: a, b") as caught:
        bench.route(place(ORG))
    assert 'take "example.org" out of the `zones`' in caught.value.hint


def test_where_nobody_holds_it_the_whole_way_is_told() -> None:
    """The chain, the zone where it ends, and what the providers hold instead."""
    bench = Bench(**provider("a", "example.org."), **provider("b", "other.example."))
    with pytest.raises(NoProvider) as caught:
        bench.route(place(NET, through=ORG))
    assert "_acme-challenge.example.org -> _acme-challenge.example.net stands in zone example.net" in str(caught.value)
    assert (caught.value.name, caught.value.zone) == ("_acme-challenge.example.net.", "example.net.")


def test_holding_a_parent_is_not_holding_the_zone() -> None:
    """The negative twin of the longest match: the parent's provider is named, and not used."""
    bench = Bench(**provider("a", "example.org."))
    with pytest.raises(NoProvider, match=r"a holds example\.org"):
        bench.route(place(zone("sub.example.org.")))


@pytest.mark.parametrize("failing", [Broken, Secretless])
def test_one_that_fails_is_a_warning_where_another_holds_the_zone(failing: type[MemoryProvider]) -> None:
    """Trouble at one service is no trouble of certificates at another."""
    bench = Bench(**provider("broken", adapter=failing), **provider("a", "example.org."))
    assert bench.route(place(ORG)).target.provider == "a"
    assert [event["event"] for event in bench.told] == ["warning"]


@pytest.mark.parametrize(("failing", "error"), [(Broken, ProviderUnavailable), (Secretless, ConfigError)])
def test_one_that_fails_is_the_error_where_nobody_holds_the_zone(
    failing: type[MemoryProvider], error: type[Exception]
) -> None:
    """It may be the very one that holds it: so its failure is told, and not that nobody does."""
    bench = Bench(**provider("broken", adapter=failing), **provider("a", "example.net."))
    with pytest.raises(error):
        bench.route(place(ORG))


def test_the_ttl_is_the_configured_one_or_the_adapters() -> None:
    """Whole seconds, never zero."""
    bench = Bench(**provider("a", "example.org.", ttl=0.2), **provider("b", "example.net."))
    assert bench.route(place(ORG)).ttl == 1
    assert bench.route(place(NET)).ttl == MemoryProvider.default_ttl


def test_a_provider_that_is_gone_says_how_to_come_back() -> None:
    """For gc: configure it again for one run."""
    with pytest.raises(ConfigError, match="not configured") as caught:
        Bench().routing.adapter("old")
    assert "[providers.old]" in caught.value.hint
