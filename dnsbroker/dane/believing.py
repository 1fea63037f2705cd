"""What clients believe of DNS: asked of a validating resolver that may be trusted, or else of the zones' own servers.

Rule: an AD bit counts only from a resolver whose way here nobody else is on (``dns.trust_ad``); without one nothing is
proved, and nothing is taken for proved. What was asked once is not asked again.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import Protocol

from dnsbroker.clock import Clock
from dnsbroker.config import DNSConfig
from dnsbroker.dane.faults import fault
from dnsbroker.errors import LookupFailed
from dnsbroker.findings import Evidence, Finding
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.everywhere import everywhere
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.once import Once
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.validating import Believed, Standing, opinion, validated
from dnsbroker.tasks import together

#: Seconds for which an answer is good: those of one look at everything.
_KEPT = 60.0
_CURE = (
    "install a validating resolver on this host, unbound for one, and name it: resolvers = ["
    '"127.0.0.1"] in [dns]; or, where the way to another one is safe, set dns.trust_ad'
)


class Believing(Protocol):
    """Answers as clients believe them."""

    async def ask(self, name: str, type: str) -> Believed:
        """What is to be believed of ``type`` at owner name ``name``; a failure is an answer too."""
        ...


class Trusting:
    """By resolvers that may be trusted."""

    def __init__(self, exchange: Exchange, resolvers: tuple[Address, ...], clock: Clock) -> None:
        self._exchange = exchange
        self._resolvers = resolvers
        self._once = Once(clock, _KEPT)

    async def ask(self, name: str, type: str) -> Believed:
        """As they answer, secure or not."""
        work = partial(validated, self._exchange, self._resolvers, name, type)
        return await self._once.get(f"{name} {type}", work)


class Unproved:
    """By the zones' own servers, of which each might say anything: nothing is proved."""

    def __init__(self, finder: Finder, exchange: Exchange) -> None:
        self._finder = finder
        self._exchange = exchange

    async def ask(self, name: str, type: str) -> Believed:
        """As any of them answers."""
        try:
            found = await everywhere(self._finder, self._exchange, name, type)
        except LookupFailed as error:
            return Believed(name, type, Standing.FAILED, reason=error.message)
        return Believed(name, type, Standing.UNPROVED, found.values, found.aliases)


async def believing(
    dns: DNSConfig, finder: Finder, exchange: Exchange, clock: Clock
) -> tuple[Believing, tuple[Finding, ...]]:
    """Whom to believe, and what is to be said where that is nobody. LookupFailed where a trusted one is silent."""
    resolvers = finder.resolvers()
    told = ", ".join(map(str, resolvers))
    if not is_trusted(dns, resolvers):
        message = f"the AD bit of {told} may have been set on the way here: that DNSSEC holds was not seen"
        return Unproved(finder, exchange), (fault("no-trusted-resolver", "dns.resolvers", message, _CURE),)
    # The root's own servers: signed, there for certain, and asked for anyway.
    seen = await together(opinion(exchange, resolver, ".", "NS") for resolver in resolvers)
    if not any(one.rcode for one in seen):
        reasons = "; ".join(f"{resolver}: {one.reason}" for resolver, one in zip(resolvers, seen, strict=True))
        hint = "start the resolver, or set dns.resolvers to one that validates, best on this host"
        raise LookupFailed(f"no resolver answers this host ({reasons})", name=".", server=told, hint=hint)
    able = tuple(resolver for resolver, one in zip(resolvers, seen, strict=True) if one.is_validated)
    if able:
        return Trusting(exchange, able, clock), ()
    evidence = tuple(
        Evidence(f"resolver {resolver}", f". NS {one.rcode or one.reason} without AD")
        for resolver, one in zip(resolvers, seen, strict=True)
    )
    message = f"{told} does not validate: that DNSSEC holds was not seen"
    return Unproved(finder, exchange), (fault("no-trusted-resolver", "dns.resolvers", message, _CURE, evidence),)


def is_trusted(dns: DNSConfig, resolvers: tuple[Address, ...]) -> bool:
    """Whether the AD bit of ``resolvers`` may be believed: as configured, by default where all are on this host."""
    if dns.trust_ad is not None:
        return dns.trust_ad
    return all(ipaddress.ip_address(resolver.ip.partition("%")[0]).is_loopback for resolver in resolvers)
