"""Looks: which TLSA records every server gives out for an owner name, and which chains a service presents.

Rule: every address of every server is asked, of the zones of the aliases on the way too, and what does not prove itself
in a signed zone counts as no answer: the server may come back with anything it ever had. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dnsbroker.clock import Clock
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import BrokerError, NameInvalid, PemInvalid, ServiceUnreachable
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.asking import lameness
from dnsbroker.lookup.exchange import Exchange, Silent, Untestable
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.signatures import Signatures, signed_until
from dnsbroker.lookup.zone import Hop, Place, Zone
from dnsbroker.names import between, labels, shown
from dnsbroker.rolling import Answer as Given
from dnsbroker.rolling import Look
from dnsbroker.serving.leaf import chains_served
from dnsbroker.tasks import together
from dnsbroker.tlsa.computing import Presented, presented
from dnsbroker.tlsa.records import Tlsa, parse

_Ask = Callable[[Address], Awaitable[Given]]

#: Seconds for one address, name server or service.
PATIENCE = 10.0


@dataclass(frozen=True)
class Records:
    """A look at one owner name; ``silent`` says of each address that gave no answer to build on, why."""

    look: Look
    silent: Mapping[str, str] = field(default_factory=dict)

    @property
    def signed_until(self) -> float:
        """The latest end of a signature that was given out; 0.0 where none was."""
        return max((given.expires or 0.0 for given in self.look.answers.values()), default=0.0)

    @property
    def told(self) -> str:
        """Who was silent, and why, in words; empty where nobody was."""
        return "; ".join(f"{address}: {reason}" for address, reason in sorted(self.silent.items()))


@dataclass(frozen=True)
class Presence:
    """What an endpoint presents: ``chains`` by address, and ``unseen``, in words, by address, where nothing was.

    ``connected`` are those addresses that stand for its own because it is configured so.
    """

    endpoint: Endpoint
    chains: Mapping[str, tuple[Presented, ...]] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    connected: tuple[str, ...] = ()


class _Doubtful(Exception):
    """An answer came, and nothing can be built on it; the text says why."""


class Looking:
    """Looks for one run. What is known of a zone's keys, and of names above, is asked once."""

    def __init__(self, finder: Finder, exchange: Exchange, clock: Clock) -> None:
        self._finder = finder
        self._exchange = exchange
        self._clock = clock
        self._signatures: dict[tuple[str, tuple[str, ...]], Signatures] = {}
        self._admitted: set[tuple[Address, str]] = set()

    async def records(self, place: Place) -> Records:
        """The TLSA records at ``place``, as every address of its zone's servers, and its aliases' servers, answers."""
        hops = await together(self._hop(hop) for hop in place.hops)
        ttl = max((found.ttl for found in hops), default=0)
        final = await self._everywhere(place.zone, lambda address: self._given(place, address, ttl))
        silent = dict(final.silent)
        for hop in hops:
            silent.update(hop.silent)
        look = Look(self._clock.now().timestamp(), dict(final.given), frozenset(silent))
        return Records(look, silent)

    async def _hop(self, hop: Hop) -> _Hop:
        """Whether every server has the alias, and its longest TTL."""
        found = await self._everywhere(hop.zone, lambda address: self._alias(hop, address))
        silent = {f"{shown(hop.owner)} at {address}": reason for address, reason in found.silent.items()}
        return _Hop(max((given.ttl for given in found.given.values()), default=0), silent)

    async def _everywhere(self, zone: Zone, ask: _Ask) -> _Found:
        """What each address answers. Left out is one of a family that this host lacks, of a server heard by another."""
        asked = list(zone.servers)
        answers = await together(self._asked(server.address, ask) for server in asked)
        given = {str(server.address): one for server, one in zip(asked, answers, strict=True) if isinstance(one, Given)}
        heard = {server.name for server in asked if str(server.address) in given}
        reached = [server for server, one in zip(asked, answers, strict=True) if not isinstance(one, Untestable)]
        families = {server.address.is_v6 for server in reached}
        silent: dict[str, str] = {}
        for server, one in zip(asked, answers, strict=True):
            if isinstance(one, str):
                silent[str(server.address)] = one
            elif isinstance(one, Untestable) and (server.address.is_v6 in families or server.name not in heard):
                silent[str(server.address)] = one.reason
        return _Found(given, silent)

    async def _asked(self, address: Address, ask: _Ask) -> Given | Untestable | str:
        try:
            async with asyncio.timeout(PATIENCE):
                return await ask(address)
        except TimeoutError:
            return f"no answer within {PATIENCE:g} s"
        except Untestable as error:
            return error
        except Silent as error:
            return error.reason
        except _Doubtful as error:
            return str(error)

    async def _given(self, place: Place, address: Address, ttl: int) -> Given:
        """What ``address`` has at the place. Raises Silent, _Doubtful."""
        answer = await self._proved(place.zone, address, place.owner, "TLSA")
        if answer.alias(place.owner) and not place.unfollowed:
            raise _Doubtful(f"has an alias at {shown(place.owner)}")
        values = answer.values(place.owner, "TLSA")
        if not values:
            return Given(frozenset(), ttl)
        await self._reach(place, address)
        own = answer.ttl(place.owner, "TLSA") or 0
        return Given(_read(values), max(ttl, own), signed_until(answer, place.owner, "TLSA"))

    async def _alias(self, hop: Hop, address: Address) -> Given:
        answer = await self._proved(hop.zone, address, hop.owner, hop.kind)
        if hop.target not in answer.values(hop.owner, hop.kind):
            raise _Doubtful(f"has no {hop.kind} that leads to {shown(hop.target)}")
        return Given(frozenset(), answer.ttl(hop.owner, hop.kind) or 0)

    async def _proved(self, zone: Zone, address: Address, name: str, type: str) -> Answer:
        answer = await self._exchange.ask(address, name, type, dnssec=True)
        fault = lameness(answer, zone.name, name)
        if fault:
            raise _Doubtful(f"answers {fault}" if fault.isupper() else fault)
        fault = await self._of(zone).fault(answer, name, type, self._clock.now())
        if fault:
            raise _Doubtful(fault)
        return answer

    async def _reach(self, place: Place, address: Address) -> None:
        """Raise _Doubtful where a resolver that goes down label by label (RFC 9156) never gets to the records."""
        for above in between(place.owner, place.zone.name):
            if (address, above) in self._admitted:
                continue
            if (await self._exchange.ask(address, above, "A")).denies(above):
                raise _Doubtful(f"has the records, but denies that {shown(above)} above them exists")
            self._admitted.add((address, above))

    def _of(self, zone: Zone) -> Signatures:
        key = (zone.name, zone.ds)
        if key not in self._signatures:
            self._signatures[key] = Signatures(zone, self._exchange)
        return self._signatures[key]

    async def service(self, endpoint: Endpoint, connect: str = "", addresses: Sequence[str] = ()) -> Presence:
        """What ``endpoint`` presents at each of its addresses; or at ``connect``, which stands for ``addresses``.

        With ``connect`` and no ``addresses`` nothing else is looked at.
        """
        try:
            connected = await self._behind(connect, endpoint.port) if connect else ()
            others = () if connect and not addresses else await self._finder.service_addresses(endpoint.host)
        except BrokerError as error:
            return Presence(endpoint, unseen={endpoint.host: f"{endpoint.shown()}: {error.message}"})
        reached = (*connected, *(one for one in others if not connect or one not in addresses))
        found = await together(_chains(endpoint, address) for address in reached)
        seen = dict(zip(reached, found, strict=True))
        return Presence(
            endpoint,
            {address: chains for address, chains in seen.items() if not isinstance(chains, str)},
            {address: why for address, why in seen.items() if isinstance(why, str)},
            connected,
        )

    async def _behind(self, connect: str, port: int) -> tuple[str, ...]:
        """The addresses, each with its port, behind ``ADDRESS:PORT`` or ``host:port``. Raises LookupFailed."""
        host, _, written = connect.rpartition(":") if _has_port(connect) else (connect, "", str(port))
        found = await self._finder.addresses(host.strip("[]"))
        return tuple(f"[{ip}]:{written}" if ":" in ip else f"{ip}:{written}" for ip in found)


@dataclass(frozen=True)
class _Found:
    given: Mapping[str, Given]
    silent: Mapping[str, str]


@dataclass(frozen=True)
class _Hop:
    ttl: int
    silent: Mapping[str, str]


def _has_port(connect: str) -> bool:
    return "]:" in connect or connect.count(":") == 1


def _read(values: Iterable[str]) -> frozenset[Tlsa]:
    """The records of an RRset; what is no TLSA value at all names nothing, and stands for nothing."""
    found = set()
    for value in values:
        try:
            found.add(parse(value))
        except NameInvalid:
            continue
    return frozenset(found)


async def _chains(endpoint: Endpoint, address: str) -> tuple[Presented, ...] | str:
    """Every chain presented at ``address``, its own choice first, then by algorithm; or why none is seen."""
    refused = ""
    for domain in _domains(endpoint):
        try:
            found = await chains_served(endpoint, address, domain=domain)
        except ServiceUnreachable as error:
            refused = refused or error.message
            continue
        try:
            return tuple(dict.fromkeys(map(presented, found)))
        except PemInvalid as error:
            return f"{endpoint.shown()} at {address}: {error.message}"
    return refused


def _domains(endpoint: Endpoint) -> tuple[str, ...]:
    """What an XMPP stream may be for: the host, or a domain above it whose service it is (RFC 6120 section 3.2.1)."""
    if not endpoint.scheme.startswith("xmpp-"):
        return (endpoint.host,)
    parts = labels(f"{endpoint.host}.")
    return tuple(".".join(parts[count:]) for count in range(max(1, len(parts) - 1)))
