"""Which provider writes a record: the one that holds the zone in which the record really stands.

A provider whose ``zones`` name that zone goes before those that merely hold it; one whose ``zones`` name others is
never asked. Of several that hold it, the one is right whose servers stand in the delegation: whoever moved a zone has
an old copy left. One that could not be asked may hold it as well: then a single holder, too, has to stand there. Where
that does not decide, nobody is guessed: the error names all. Adapters are made when first needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dnsbroker.adapter import Adapter, TellsServers
from dnsbroker.clock import Clock
from dnsbroker.config import ProviderConfig
from dnsbroker.errors import BrokerError, ConfigError, LookupFailed, NoProvider, ZoneMissing
from dnsbroker.events import Emitter
from dnsbroker.lookup.once import Once
from dnsbroker.lookup.zone import NameServer, Place, Zone
from dnsbroker.names import labels, shown

_BELIEVED = 3600.0  # a run; a program may keep its broker for longer than a zone keeps its servers
_FOUND = 60.0  # as the walk down the tree: who adds a zone because of our error tries again soon


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
    """The configured providers, and which of them is right for a place.

    ``addresses`` gives the IP addresses of a name server's host name; it raises LookupFailed.
    """

    def __init__(
        self,
        providers: Mapping[str, ProviderConfig],
        make: Callable[[ProviderConfig], Adapter],
        emit: Emitter,
        clock: Clock,
        addresses: Callable[[str], Awaitable[Sequence[str]]],
    ) -> None:
        self._providers = providers
        self._make = make
        self._emit = emit
        self._addresses = addresses
        self._adapters: dict[str, Adapter] = {}
        self._once = Once(clock, _BELIEVED)
        self._found = Once(clock, _FOUND)
        self._troubles: dict[Target, BrokerError] = {}  # each is warned of once in a run
        self._warns = True

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
        provider = self._providers[await self._chosen(place)]
        ttl = provider.ttl if provider.ttl is not None else provider.adapter.default_ttl
        return Route(Target(provider.name, place.zone.name), max(1, int(ttl)), provider.adapter.default_settle)

    async def _chosen(self, place: Place) -> str:
        zone = place.zone.name
        named = [name for name, provider in self._providers.items() if zone in provider.zones]
        if len(named) > 1:
            cure = f'take "{shown(zone)}" out of the `zones` of all but the one whose servers the zone is delegated to'
            raise _several(zone, named, "", cure)
        if named:
            return named[0]
        found = await self._found.get(_key(place.zone), lambda: self._decided(place.zone))
        if isinstance(found, str):
            return found
        raise self._nobody(place, found)

    async def _decided(self, zone: Zone) -> str | Mapping[str, str | ZoneMissing | None]:
        """The provider without ``zones`` that holds ``zone``; else what each of them holds instead, or may not see."""
        asked = [name for name, provider in self._providers.items() if not provider.zones]
        found = dict(zip(asked, await asyncio.gather(*(self._held(name, zone.name) for name in asked)), strict=True))
        known = {name: held for name, held in found.items() if not isinstance(held, BrokerError)}
        unseen = {name: held for name, held in found.items() if isinstance(held, ZoneMissing)}
        errors = {name: held for name, held in found.items() if isinstance(held, BrokerError) and name not in unseen}
        holding = [name for name, held in known.items() if held == zone.name]
        if errors and not holding:
            raise next(iter(errors.values()))
        if not holding:
            return {**known, **unseen}
        decided = holding[0] if len(holding) == 1 and not errors else await self._delegated(holding, zone, errors)
        for name, error in errors.items():
            self._warn(Target(name, zone.name), error)
        return decided

    async def _delegated(self, holding: Sequence[str], zone: Zone, errors: Mapping[str, BrokerError]) -> str:
        """The one of those ``holding`` the zone whose servers its delegation names.

        Where that is none of them, it may be one of those that could not be asked: the first of ``errors`` is raised.
        """
        told = await asyncio.gather(*(self._told(name, zone.name) for name in holding))
        servers = dict(zip(holding, told, strict=True))
        listed = _delegation(zone)
        standing = await self._standing(servers, listed)
        if not standing and not errors:
            standing = await self._standing(servers, zone.servers)
        if len(standing) == 1:
            return standing[0]
        if errors and not standing:
            raise _doubtful(zone.name, holding, next(iter(errors.values())))
        says = [
            f"{name} serves it by {_shown(hosts)}" if hosts else f"the servers of {name} are not known"
            for name, hosts in servers.items()
        ]
        who = "the delegation" if any(server.in_parent or server.in_child for server in listed) else "dns.servers"
        cure = f'add "{shown(zone.name)}" to the `zones` of the one whose records those servers get'
        raise _several(zone.name, holding, "; ".join((*says, f"{who} names {_shown(_names(listed))}")), cure)

    async def _told(self, provider: str, zone: str) -> frozenset[str]:
        """As ``name_servers``, but what cannot be asked is not known, with one warning."""
        try:
            return await self.name_servers(provider, zone)
        except BrokerError as error:
            self._warn(Target(provider, zone), error)
            return frozenset()

    async def name_servers(self, provider: str, zone: str) -> frozenset[str]:
        """The host names of the servers by which ``provider`` serves ``zone``; none where that is not known.

        Raises ProviderError, ConfigError.
        """
        adapter = self.adapter(provider)
        if not isinstance(adapter, TellsServers):
            return frozenset()
        hosts = await self._once.get(f"{provider} {zone}", lambda: adapter.name_servers(zone))
        return frozenset(host.lower().rstrip(".") + "." for host in hosts)

    async def serves(self, hosts: frozenset[str], zone: Zone) -> bool:
        """Whether any of ``hosts``, a provider's servers, is a server of ``zone``, by its parent's word or its own."""
        return bool(await self._standing({"": hosts}, zone.servers))

    async def _standing(self, servers: Mapping[str, frozenset[str]], listed: Sequence[NameServer]) -> list[str]:
        """Those of the providers one of whose ``servers`` is ``listed``: by name, or else by address."""
        names = _names(listed)
        by_name = [name for name, hosts in servers.items() if hosts & names]
        if by_name:
            return by_name
        ips = {server.address.ip for server in listed}
        found = await asyncio.gather(*(self._ips(hosts) for hosts in servers.values()))
        return [name for name, known in zip(servers, found, strict=True) if known & ips]

    async def _ips(self, hosts: Iterable[str]) -> frozenset[str]:
        found = await asyncio.gather(*(self._ips_of(host) for host in sorted(hosts)))
        return frozenset(ip for ips in found for ip in ips)

    async def _ips_of(self, host: str) -> Sequence[str]:
        try:
            return await self._addresses(host)
        except LookupFailed:  # a server without an address is none that the delegation leads to
            return ()

    def candidates(self, zone: str) -> tuple[str, ...]:
        """The providers that may write ``zone`` as far as their ``zones`` go."""
        return tuple(name for name, item in self._providers.items() if not item.zones or zone in item.zones)

    async def holds(self, provider: str, zone: str) -> bool:
        """Whether ``provider`` holds exactly ``zone``, as far as it may see. Raises ProviderError, ConfigError."""
        try:
            return await self.adapter(provider).find_zone(zone) == zone
        except ZoneMissing:
            return False

    async def _held(self, provider: str, zone: str) -> str | BrokerError | None:
        """The longest zone of ``provider`` that holds ``zone``, asked once for all names that stand in it."""
        try:
            adapter = self.adapter(provider)
            return await self._found.get(f"{provider} {zone}", lambda: adapter.find_zone(zone))
        except BrokerError as error:  # its secret cannot be read, its host is not found: another may do
            return error

    @contextmanager
    def unwarned(self) -> Iterator[Mapping[Target, BrokerError]]:
        """Who cannot be asked about which zone meanwhile, and why, for whoever tells of it better than by warnings."""
        before, self._troubles, self._warns = self._troubles, {}, False
        try:
            yield self._troubles
        finally:
            self._troubles, self._warns = before, True

    def _warn(self, target: Target, error: BrokerError) -> None:
        """Tell once in a run that a provider could not be asked about a zone."""
        is_new = target not in self._troubles
        self._troubles.setdefault(target, error)
        if is_new and self._warns:
            self._emit("warning", message=error.message, hint=error.hint, provider=target.provider, zone=target.zone)

    def _nobody(self, place: Place, found: Mapping[str, str | ZoneMissing | None]) -> NoProvider:
        zone = shown(place.zone.name)
        path = " -> ".join(shown(name) for name in (*(hop.owner for hop in place.hops), place.owner))
        others = [f"{name} holds {shown(held)}" for name, held in found.items() if isinstance(held, str)]
        unseen = [held for held in found.values() if isinstance(held, ZoneMissing)]
        limited = [name for name, provider in self._providers.items() if provider.zones]
        told = [
            *others,
            *(error.message for error in unseen),
            *(f"{name} is limited to other zones" for name in limited),
        ]
        cures = "".join(f"{cure}; " for cure in dict.fromkeys(error.hint for error in unseen if error.hint))
        configure = f"configure a provider for {zone} (`dnsbroker providers` shows what each may write)"
        return NoProvider(
            f"{path} stands in zone {zone}, which no configured provider holds"
            + (f" ({'; '.join(told)})" if told else ""),
            name=place.owner,
            zone=place.zone.name,
            hint=f"{_unregistered(place)}{cures}{configure}, or {_other_way(place)}",
        )

    async def aclose(self) -> None:
        """Close every adapter that was made."""
        while self._adapters:
            await self._adapters.popitem()[1].aclose()


def _several(zone: str, providers: Sequence[str], says: str, cure: str) -> ConfigError:
    told = f"zone {shown(zone)} is held by several providers: {', '.join(providers)}"
    return ConfigError(f"{told}; {says}" if says else told, key=f"providers.{providers[0]}.zones", hint=cure)


def _doubtful(zone: str, holding: Sequence[str], error: BrokerError) -> BrokerError:
    """``error`` of one that could not be asked, which also says why those ``holding`` the zone were not taken."""
    cure = (
        f"the one with {shown(zone)} that answers, {', '.join(holding)}, is not seen to serve it: where it does, add "
        f'"{shown(zone)}" to its `zones`'
    )
    if cure not in error.hint:  # all names of a zone share the error
        error.hint = f"{error.hint}; {cure}" if error.hint else cure
    return error


def _other_way(place: Place) -> str:
    """What brings the record into a zone that is held."""
    if not place.hops:
        return "delegate the challenge name by a CNAME into a zone that one of them holds"
    last = place.hops[-1]
    return f"change the {last.kind} at {shown(last.owner)} to lead into a zone that one of them holds"


def _unregistered(place: Place) -> str:
    """In a top-level domain nobody writes: there the domain itself is missing."""
    zone, name = labels(place.zone.name), labels(place.owner)
    if len(zone) != 1 or len(name) < 2:
        return ""
    domain = shown(".".join(name[-2:]) + ".")
    return f"is {domain} registered, and does {shown(place.zone.name)} delegate it? if that is as it should be: "


def _delegation(zone: Zone) -> tuple[NameServer, ...]:
    """The servers that the zone's parent names; where that was never asked, those known otherwise."""
    return tuple(server for server in zone.servers if server.in_parent) or zone.servers


def _key(zone: Zone) -> str:
    """The question who holds ``zone``, delegated as it is."""
    listed = sorted(f"{server.name} {server.address} {server.in_parent}" for server in zone.servers)
    return f"who holds {zone.name} at {', '.join(listed)}"


def _names(servers: Iterable[NameServer]) -> frozenset[str]:
    return frozenset(name.lower() for server in servers for name in (server.name, *server.also))


def _shown(hosts: Iterable[str]) -> str:
    return ", ".join(map(shown, sorted(hosts))) or "none"
