"""Where one provider cannot be asked, another is taken only where it proves itself; what fails is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from dnsbroker.config import ProviderConfig
from dnsbroker.errors import ConfigError, NoProvider, ProviderUnavailable, ZoneMissing
from dnsbroker.testing import MemoryProvider
from dnsbroker.testing.memory import MemorySettings
from routing_bench import NEW, OLD, ORG, Bench, Broken, Secretless, place, provider, served, server


class Mute(MemoryProvider):
    """Cannot be asked for its servers."""

    async def name_servers(self, zone: str) -> frozenset[str]:
        raise ProviderUnavailable("no answer", provider="mute")


def test_one_whose_servers_cannot_be_asked_is_a_warning_where_the_other_stands_in_the_delegation() -> None:
    """Told once, however many names the zone has."""
    bench = Bench(**provider("mute", "example.org.", adapter=Mute), **NEW)
    zone = served(server("ns1.cloud.example."))
    assert [bench.route(place(zone)).target.provider for _ in range(3)] == ["new"] * 3
    assert [(event["event"], event["provider"]) for event in bench.told] == [("warning", "mute")]


def test_one_whose_servers_cannot_be_asked_is_not_taken_because_the_other_is_wrong() -> None:
    """The negative twin: that one is out does not make the other one right."""
    bench = Bench(**provider("mute", "example.org.", adapter=Mute), **NEW)
    with pytest.raises(ConfigError, match="the servers of mute are not known"):
        bench.route(place(served(server("ns.third.example."))))


class Hopeless(MemoryProvider):
    """Counts how often it is asked in vain."""

    count = 0

    async def find_zone(self, name: str) -> str | None:
        Hopeless.count += 1
        raise ProviderUnavailable("no answer", provider="hopeless")


def test_forty_names_ask_one_that_fails_once_where_another_is_right() -> None:
    """It may take its whole time-out to fail; one after the other, as their places are found."""
    Hopeless.count = 0
    bench = Bench(**provider("hopeless", adapter=Hopeless), **NEW)
    zone = served(server("ns1.cloud.example."))
    names = [replace(place(zone), owner=f"_acme-challenge.h{number}.example.org.") for number in range(40)]

    async def play() -> set[str]:
        return {(await bench.routing.route(name)).target.provider for name in names}

    assert asyncio.run(play()) == {"new"}
    assert Hopeless.count == 1


CLOUD = served(server("ns1.cloud.example."))


@pytest.mark.parametrize("failing", [Broken, Secretless])
def test_one_that_fails_is_a_warning_where_the_delegation_names_another(failing: type[MemoryProvider]) -> None:
    """Trouble at one service is no trouble of certificates at another; told once, however many names they have."""
    bench = Bench(**provider("broken", adapter=failing), **NEW)
    assert [bench.route(place(CLOUD)).target.provider for _ in range(3)] == ["new"] * 3
    assert [(event["event"], event["provider"]) for event in bench.told] == [("warning", "broken")]


class Taciturn:
    """Holds every zone, and does not tell its servers."""

    default_ttl = default_settle = request_timeout = 1.0
    Settings = MemorySettings

    def __init__(self, settings: MemorySettings, surroundings: object) -> None:
        pass

    async def find_zone(self, name: str) -> str | None:
        return name


@pytest.mark.parametrize(
    "holder",
    [OLD, provider("old", "example.org."), provider("old", "example.org.", adapter=Taciturn)],  # type: ignore[arg-type]
    ids=["delegated elsewhere", "servers unknown", "tells no servers"],
)
def test_an_old_copy_is_not_taken_because_the_right_provider_fails(holder: Mapping[str, ProviderConfig]) -> None:
    """The negative twin: what is written there nobody sees. The failure is the error, and may pass; `zones` decides."""
    bench = Bench(**holder, **provider("broken", adapter=Broken))
    with pytest.raises(ProviderUnavailable) as caught:
        bench.route(place(CLOUD))
    assert caught.value.transient
    assert "that answers, old, is not seen to serve it" in caught.value.hint
    assert 'add "example.org" to its `zones`' in caught.value.hint
    named = {"old": replace(holder["old"], zones=("example.org.",))}
    bench = Bench(**named, **provider("broken", adapter=Broken))
    assert bench.route(place(CLOUD)).target.provider == "old"
    assert bench.told == []


def test_one_that_the_zone_alone_names_is_not_taken_while_another_fails() -> None:
    """The old servers' names often come along with a zone that moves; where all answer, they are better than none."""
    zone = served(server("ns.third.example.", child=False), server("ns1.hoster.example.", "192.0.2.2", parent=False))
    with pytest.raises(ProviderUnavailable):
        Bench(**OLD, **provider("broken", adapter=Broken)).route(place(zone))
    assert Bench(**OLD, **NEW).route(place(zone)).target.provider == "old"


def test_several_that_the_delegation_does_not_name_are_not_the_error_while_another_fails() -> None:
    """It is that one's failure, which may pass."""
    bench = Bench(**OLD, **NEW, **provider("broken", adapter=Broken))
    with pytest.raises(ProviderUnavailable):
        bench.route(place(served(server("ns.third.example."))))


class Recovering(MemoryProvider):
    """Cannot be reached the first time."""

    async def find_zone(self, name: str) -> str | None:
        self.find_zone = super().find_zone  # type: ignore[method-assign]
        raise ProviderUnavailable("no answer", provider="recovering")


def test_a_failure_is_not_remembered() -> None:
    """The twin of asking once: who answers again is asked again."""
    bench = Bench(**provider("recovering", "example.org.", adapter=Recovering))
    with pytest.raises(ProviderUnavailable):
        bench.route(place(ORG))
    assert bench.route(place(ORG)).target.provider == "recovering"


@pytest.mark.parametrize(("failing", "error"), [(Broken, ProviderUnavailable), (Secretless, ConfigError)])
def test_one_that_fails_is_the_error_where_nobody_holds_the_zone(
    failing: type[MemoryProvider], error: type[Exception]
) -> None:
    """It may be the very one that holds it: so its failure is told, and not that nobody does."""
    bench = Bench(**provider("broken", adapter=failing), **provider("a", "example.net."))
    with pytest.raises(error):
        bench.route(place(ORG))


class Blind(MemoryProvider):
    """Must not look for the zone."""

    async def find_zone(self, name: str) -> str | None:
        raise ZoneMissing("must not look", provider="blind", zone=name, hint="give it the right to look")


def test_one_that_must_not_look_says_why_where_nobody_holds_the_zone() -> None:
    """It does not hold it as far as it may see, and what it may see can be mended."""
    with pytest.raises(NoProvider, match=r"provider blind, zone example\.org: must not look") as caught:
        Bench(**provider("blind", adapter=Blind), **provider("a", "example.net.")).route(place(ORG))
    assert caught.value.hint.startswith("give it the right to look; configure a provider for example.org")


def test_one_that_must_not_look_does_not_stand_in_the_way() -> None:
    """The negative twin: a token for some zones is no failure where another provider holds this one."""
    bench = Bench(**provider("blind", adapter=Blind), **provider("a", "example.org."))
    assert bench.route(place(ORG)).target.provider == "a"
    assert bench.told == []
    assert not asyncio.run(bench.routing.holds("blind", "example.org."))
