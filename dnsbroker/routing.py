"""Which provider writes a record: the one that holds the zone in which the record really stands.

A provider whose ``zones`` name that zone goes before those that merely hold it; one whose ``zones`` name others is
never asked. Where two remain, nobody is guessed: the error names both. Adapters are made when first needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dnsbroker.adapter import Adapter
from dnsbroker.config import ProviderConfig
from dnsbroker.errors import BrokerError, ConfigError, NoProvider
from dnsbroker.events import Emitter
from dnsbroker.lookup.zone import Place
from dnsbroker.names import shown


@dataclass(frozen=True)
class Target:
    """Where is written: a zone at a configured provider."""

    provider: str
    zone: str


@dataclass(frozen=True)
class Route:
    """How a record gets to its place: ``ttl`` and ``settle`` in seconds, as the provider's configuration has them."""

    target: Target
    ttl: int
    settle: float


class Routing:
    """The configured providers, and which of them is right for a place."""

    def __init__(
        self, providers: Mapping[str, ProviderConfig], make: Callable[[ProviderConfig], Adapter], emit: Emitter
    ) -> None:
        self._providers = providers
        self._make = make
        self._emit = emit
        self._adapters: dict[str, Adapter] = {}

    def adapter(self, provider: str) -> Adapter:
        """The adapter of the provider with that name. Raises ConfigError where it is configured no more."""
        if provider not in self._providers:
            raise ConfigError(
                f"provider {provider!r} is not configured (any more), and records written through it are left",
                key=f"providers.{provider}",
                hint=f"configure [providers.{provider}] again for one run of `dnsbroker gc`",
            )
        if provider not in self._adapters:
            self._adapters[provider] = self._make(self._providers[provider])
        return self._adapters[provider]

    async def route(self, place: Place) -> Route:
        """The way to ``place``. Raises NoProvider, ConfigError where several would do, ProviderError."""
        zone = place.zone.name
        named = [name for name, provider in self._providers.items() if zone in provider.zones]
        holding = named or await self._holders(place)
        if len(holding) > 1:
            cure = f'take "{shown(zone)}" out of the `zones` of all' if named else f'add "{shown(zone)}" to the `zones`'
            raise ConfigError(
                f"zone {shown(zone)} is held by several providers: {', '.join(holding)}",
                key=f"providers.{holding[0]}.zones",
                hint=f"{cure} {'but' if named else 'of'} the one whose servers the zone is delegated to",
            )
        provider = self._providers[holding[0]]
        ttl = provider.ttl if provider.ttl is not None else provider.adapter.default_ttl
        return Route(Target(provider.name, zone), max(1, int(ttl)), provider.adapter.default_settle)

    async def _holders(self, place: Place) -> list[str]:
        """The providers without ``zones`` that hold the place's zone."""
        asked = [name for name, provider in self._providers.items() if not provider.zones]
        found = await asyncio.gather(*(self._held(name, place.owner) for name in asked))
        holders = [name for name, zone in zip(asked, found, strict=True) if zone == place.zone.name]
        errors = [zone for zone in found if isinstance(zone, BrokerError)]
        if not holders and errors:
            raise errors[0]
        for error in errors:
            self._emit("warning", message=error.message, hint=error.hint)
        if not holders:
            raise self._nobody(place, {name: zone for name, zone in zip(asked, found, strict=True)})
        return holders

    async def _held(self, provider: str, owner: str) -> str | BrokerError | None:
        try:
            return await self.adapter(provider).find_zone(owner)
        except BrokerError as error:  # its secret cannot be read, its host is not found: another may do
            return error

    def _nobody(self, place: Place, found: Mapping[str, str | BrokerError | None]) -> NoProvider:
        zone = shown(place.zone.name)
        path = " -> ".join(shown(name) for name in (*(hop.owner for hop in place.hops), place.owner))
        others = [f"{name} holds {shown(held)}" for name, held in found.items() if isinstance(held, str)]
        limited = [name for name, provider in self._providers.items() if provider.zones]
        told = [*others, *(f"{name} is limited to other zones" for name in limited)]
        return NoProvider(
            f"{path} stands in zone {zone}, which no configured provider holds"
            + (f" ({'; '.join(told)})" if told else ""),
            name=place.owner,
            zone=place.zone.name,
            hint=f"configure a provider for {zone} (`dnsbroker providers` shows what each may write),"
            " or delegate the challenge name by a CNAME into a zone that one of them holds",
        )

    async def aclose(self) -> None:
        """Close every adapter that was made."""
        while self._adapters:
            await self._adapters.popitem()[1].aclose()
