"""Providers in memory, some of which fail, and routing over them: who would write what is seen, and who was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from dnsbroker.adapter import Adapter
from dnsbroker.clock import SystemClock
from dnsbroker.config import ProviderConfig
from dnsbroker.errors import ConfigError, LookupFailed, ProviderUnavailable
from dnsbroker.events import Emitter, Event
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.zone import Hop, NameServer, Place, Zone
from dnsbroker.routing import Route, Routing
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
    """Routing over providers in memory; ``told`` are its events, ``made`` the adapters that were needed.

    ``hosts`` has the address of each name server that has one, ``asked`` those for whose address was asked.
    """

    def __init__(self, **providers: ProviderConfig) -> None:
        self.told: list[Event] = []
        self.made: list[str] = []
        self.asked: list[str] = []
        self.hosts: dict[str, str] = {}
        clock = SystemClock()
        self.routing = Routing(providers, self._make, Emitter(clock, self.told.append), clock, self._addresses)

    async def _addresses(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        if host not in self.hosts:
            raise LookupFailed("it has no address", name=host)
        return (self.hosts[host],)

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
    servers: tuple[str, ...] = (),
) -> Mapping[str, ProviderConfig]:
    """One provider as a keyword: it holds the zones ``holds``, is limited to ``zones`` and tells of ``servers``."""
    settings = MemorySettings(MemoryService(*holds))
    for held in holds:
        settings.service.serve(held, *servers)
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


def served(*servers: NameServer) -> Zone:
    """example.org, served by these."""
    return replace(ORG, servers=servers)


def server(name: str, ip: str = "192.0.2.1", *also: str, parent: bool = True, child: bool = True) -> NameServer:
    """One that the parent and the zone itself name, unless told otherwise."""
    return NameServer(name, Address(ip), parent, child, also)


OLD = provider("old", "example.org.", servers=("ns1.hoster.example.", "ns2.hoster.example."))
NEW = provider("new", "example.org.", servers=("ns1.cloud.example.", "ns2.cloud.example."))
