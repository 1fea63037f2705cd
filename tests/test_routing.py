"""The provider is the one that holds the zone where the record really stands; nobody is guessed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.errors import ConfigError, NoProvider
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.routing import Target
from dnsbroker.testing import MemoryProvider
from fake_zone import zone
from routing_bench import NET, NEW, OLD, ORG, Bench, place, provider, served, server


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


@pytest.mark.parametrize(
    "zone",
    [
        served(server("ns2.cloud.example.")),
        served(server("NS2.Cloud.Example.")),
        served(server("ns9.example.org.", "192.0.2.1", "ns1.cloud.example.")),
        served(server("ns1.cloud.example.", child=False), server("ns1.hoster.example.", "192.0.2.2", parent=False)),
        served(server("ns1.cloud.example.", parent=False)),
    ],
    ids=[
        "by name",
        "in capitals",
        "by another name",
        "the parent's word first",
        "the zone's, where no parent was asked",
    ],
)
def test_of_two_holders_the_one_in_the_delegation_is_taken(zone: Zone) -> None:
    """Whoever moved has an old copy left; what the parent says counts, in any case."""
    bench = Bench(**OLD, **NEW)
    assert bench.route(place(zone)).target == Target("new", "example.org.")
    assert (bench.told, bench.asked) == ([], [])


def test_of_two_holders_the_one_at_the_delegations_address_is_taken() -> None:
    """Configured servers have no name, and a server of the delegation may have another one there."""
    bench = Bench(**OLD, **NEW)
    bench.hosts = {"ns1.hoster.example.": "192.0.2.9", "ns1.cloud.example.": "192.0.2.1"}
    configured = served(server("192.0.2.1", parent=False, child=False))
    assert bench.route(place(configured)).target.provider == "new"
    assert bench.route(place(served(server("vanity.example.org.")))).target.provider == "new"


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        (served(server("ns.third.example.")), "the delegation names ns.third.example"),
        (
            served(server("ns1.cloud.example."), server("ns1.hoster.example.", "192.0.2.2")),
            "the delegation names ns1.cloud.example, ns1.hoster.example",
        ),
        (served(server("192.0.2.7", "192.0.2.7", parent=False, child=False)), "dns.servers names 192.0.2.7"),
    ],
    ids=["neither", "both", "neither by address"],
)
def test_where_the_delegation_does_not_decide_all_is_told(zone: Zone, told: str) -> None:
    """The negative twins: nobody is guessed; what each says, what the delegation says, and the key that decides."""
    with pytest.raises(ConfigError, match="held by several providers: old, new") as caught:
        Bench(**OLD, **NEW).route(place(zone))
    assert "old serves it by ns1.hoster.example, ns2.hoster.example; new serves it by ns1.cloud" in str(caught.value)
    assert str(caught.value).endswith(told)
    assert 'add "example.org" to the `zones` of the one' in caught.value.hint


class Counting(MemoryProvider):
    """Counts how often it is asked for its servers, and keeps the names for which it looks for a zone."""

    count = 0
    sought: ClassVar[list[str]] = []

    async def find_zone(self, name: str) -> str | None:
        Counting.sought.append(name)
        await SystemClock().sleep(0)
        return await super().find_zone(name)

    async def name_servers(self, zone: str) -> frozenset[str]:
        Counting.count += 1
        await SystemClock().sleep(0)
        return frozenset({"ns1.cloud.example."})


def test_forty_names_ask_for_the_servers_once_and_one_holder_not_at_all() -> None:
    """What was told holds for the run."""
    Counting.count = 0
    bench = Bench(**OLD, **provider("new", "example.org.", "example.net.", adapter=Counting))

    async def play(where: Place) -> set[str]:
        found = await asyncio.gather(*(bench.routing.route(where) for _ in range(40)))
        return {route.target.provider for route in found}

    assert asyncio.run(play(place(NET))) == {"new"}
    assert Counting.count == 0
    assert asyncio.run(play(place(served(server("ns1.cloud.example."))))) == {"new"}
    assert Counting.count == 1


def test_forty_names_of_a_zone_look_for_it_once() -> None:
    """A service's address takes few connections at once, and a certificate has many names."""
    Counting.sought.clear()
    bench = Bench(**provider("a", "example.org.", adapter=Counting))
    names = [replace(place(ORG), owner=f"_acme-challenge.h{number}.example.org.") for number in range(40)]

    async def play() -> set[str]:
        return {route.target.zone for route in await asyncio.gather(*map(bench.routing.route, names))}

    assert asyncio.run(play()) == {"example.org."}
    assert Counting.sought == ["example.org."]


def test_two_that_are_both_told_to_hold_it_are_an_error_as_well() -> None:
    """Naming the zone in both does not choose; the hint says to take it out of one."""
    zones = ("example.org.",)
    bench = Bench(**provider("a", "example.org.", zones=zones), **provider("b", "example.org.", zones=zones))
    with pytest.raises(ConfigError, match="several providers: a, b") as caught:
        bench.route(place(ORG))
    assert 'take "example.org" out of the `zones`' in caught.value.hint


def test_where_nobody_holds_it_the_whole_way_is_told() -> None:
    """The chain, the zone where it ends, and the record that leads there; it is what has to be changed."""
    bench = Bench(**provider("a", "example.org."), **provider("b", "other.example."))
    with pytest.raises(NoProvider) as caught:
        bench.route(place(NET, through=ORG))
    assert "_acme-challenge.example.org -> _acme-challenge.example.net stands in zone example.net" in str(caught.value)
    assert (caught.value.name, caught.value.zone) == ("_acme-challenge.example.net.", "example.net.")
    assert "change the CNAME at _acme-challenge.example.org to lead into a zone" in caught.value.hint


@pytest.mark.parametrize(
    ("owner", "where", "domain"),
    [("x.gone.test.", "test.", "gone.test"), ("x.other.test.", "other.test.", ""), ("test.", "test.", "")],
)
def test_in_a_top_level_domain_the_domain_below_it_is_missing(owner: str, where: str, domain: str) -> None:
    """The target of a delegation that was mistyped, or is not registered any more: no provider would help."""
    with pytest.raises(NoProvider) as caught:
        Bench(**provider("a", "example.org.")).route(Place(owner, owner, zone(where), ()))
    assert caught.value.hint.startswith(f"is {domain} registered, and does test delegate it?") is bool(domain)
    assert "configure a provider for" in caught.value.hint


def test_holding_a_parent_is_not_holding_the_zone() -> None:
    """The negative twin of the longest match: the parent's provider is named, and not used."""
    bench = Bench(**provider("a", "example.org."))
    with pytest.raises(NoProvider, match=r"a holds example\.org") as caught:
        bench.route(place(zone("sub.example.org.")))
    assert "delegate the challenge name by a CNAME" in caught.value.hint


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
