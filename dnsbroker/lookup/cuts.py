"""The walk down the tree: which zone holds a name.

The rule: resolvers hear one kind of question, who serves a zone above the name, downwards from the root, and none once
a zone has been found whose servers answer this host; below that one every question, also about the servers' own
addresses, goes to the zones themselves, without recursion. For aggressive NSEC caching may stretch any denial over a
name about to be written.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from dnsbroker.clock import Clock
from dnsbroker.config import DNSConfig
from dnsbroker.errors import LookupFailed
from dnsbroker.lookup.address import parse_address
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.asking import Asking, Cut, Delegation, nobody_answers
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.once import Circular, Once
from dnsbroker.lookup.race import NoAnswer
from dnsbroker.lookup.recursor import Recursor
from dnsbroker.names import is_within, labels, shown

#: Seconds in which some server of a zone that only a resolver told us of must answer; else it counts as out of reach.
PROBE = 3.0
#: Seconds for which what was found is believed: long enough for a run's start, too short for a program that lives on.
KEPT = 60.0


@dataclass(frozen=True)
class Step:
    """What asking about a name told: the zone that holds it, and the last answer about the name itself.

    ``answer`` is to the question for the SOA, the type whose every answer tells the zone, unless another was asked for.
    """

    cut: Cut
    answer: Answer


class Cuts:
    """The zones found so far. Everything is looked up once, however many ask, and again when it has become old."""

    def __init__(self, config: DNSConfig, exchange: Exchange, recursor: Recursor, clock: Clock) -> None:
        port = config.nameserver_port
        self._configured = {
            zone: tuple(parse_address(address, port) for address in addresses)
            for zone, addresses in config.servers.items()
        }
        self._recursor = recursor
        self._out_of_reach: dict[str, str] = {}
        self._asking = Asking(exchange, port, self._server_addresses)
        self.once = Once(clock, KEPT)

    async def holding(self, name: str) -> Step:
        """The zone that holds ``name``, which no resolver is asked about. Raises LookupFailed."""
        try:
            return await self.once.get(f"name {name}", lambda: self._look_at(name))
        except Circular:
            raise LookupFailed(
                f"the servers of zones above {shown(name)} depend on each other",
                name=name,
                hint="have the parent of one of these zones give addresses (glue) for its servers",
            ) from None

    async def zone(self, name: str) -> Cut:
        """The zone that holds ``name``; what a walk to a name below it has asked is not asked again.

        Raises LookupFailed.
        """
        with suppress(Circular):
            above = None if name in self._configured else await self._above(name)
            if above is not None and above.answer.rcode != "NXDOMAIN":
                cut = above.cut
                step = await self.once.get(f"step {name}", lambda: self._below(cut, name))
                if step.cut is cut:
                    await self._turn_to_primary(cut)
                return step.cut
        return (await self.holding(name)).cut

    async def ask(self, cut: Cut, name: str, type: str, *, dnssec: bool = False) -> Answer:
        """The answer of one server of ``cut``; of another one only where that fails. Raises LookupFailed."""
        return await self._asking.ask(cut, name, type, dnssec=dnssec)

    async def addresses(self, host: str) -> frozenset[str]:
        """The IP addresses of ``host`` as its own zone has them; none where it has none. Raises LookupFailed.

        A resolver is asked only where no zone above the host answers us.
        """
        try:
            return await self.once.get(f"host {host}", lambda: self._addresses(host))
        except Circular:
            raise LookupFailed(f"{shown(host)} can be found only through itself", name=host) from None

    # Walking: a step for each label, from the top, shared by all names below it.

    async def _look_at(self, name: str) -> Step:
        if name in self._configured:
            return await self._at_configured(name)
        above = await self._above(name)
        if above is None:
            raise self._nobody(name)
        cut = above.cut
        await self._turn_to_primary(cut)
        return await self._below(cut, name)

    async def _turn_to_primary(self, cut: Cut) -> None:
        await self.once.get(f"primary {cut.zone}", lambda: self._asking.turn_to_primary(cut))

    async def _above(self, name: str) -> Step | None:
        """The step of the name above ``name``; None at the root, or where no zone that far down answers us."""
        if name == ".":
            return None
        parent = ".".join(labels(name)[1:]) + "."
        return await self.once.get(f"step {parent}", lambda: self._step(parent))

    async def _step(self, name: str) -> Step | None:
        if name in self._configured:
            return await self._at_configured(name)
        above = await self._above(name)
        if above is None:
            return await self._from_resolver(name)
        # Below a name that does not exist there is no further cut; only the name that matters is asked all the same.
        return above if above.answer.rcode == "NXDOMAIN" else await self._below(above.cut, name)

    async def _below(self, cut: Cut, name: str, type: str = "SOA") -> Step:
        """Go from ``cut`` down to the zone that holds ``name``, asking for ``type``."""
        answer = await self._about(cut, name, type)
        while child := _deeper(answer, cut.zone, name):
            cut = await self._child(cut, child, answer)
            answer = await self._about(cut, name, type)
        return Step(cut, answer)

    async def _about(self, cut: Cut, name: str, type: str) -> Answer:
        return cut.answer if (name, type) == (cut.zone, "SOA") else await self.ask(cut, name, type)

    async def _child(self, parent: Cut, zone: str, answer: Answer) -> Cut:
        if answer.referral(zone):
            delegation = Delegation.read(answer, zone, answer.delegation(zone), parent)
            return await self.once.get(f"zone {zone}", lambda: self._opened(delegation, zone))
        return await self.once.get(f"zone {zone}", lambda: self._beside(parent, zone, answer))

    async def _beside(self, parent: Cut, zone: str, answer: Answer) -> Cut:
        """A zone on the server that has its parent too, and therefore never refers to it."""
        soa = answer.soa(zone)
        if soa is None:
            raise LookupFailed(
                f"{answer.address} has no SOA for {shown(zone)}",
                name=zone,
                server=str(answer.address),
                hint=f"load the zone {shown(zone)} on that server, with its SOA",
            )
        found = Cut(zone, Delegation(zone, addresses=(answer.address,), parent=parent), soa, answer, answer.address)
        if parent.delegation.addresses:
            found.delegation = Delegation(zone, addresses=parent.delegation.addresses)
        else:
            own = await self.ask(found, zone, "NS")
            found.delegation = Delegation.read(own, zone, own.values(zone, "NS"), parent)
        return found

    async def _opened(self, delegation: Delegation, name: str) -> Cut:
        try:
            return await self._asking.open(delegation, name)
        except NoAnswer as error:
            raise nobody_answers(delegation.zone, name, error) from error

    async def _at_configured(self, name: str) -> Step:
        """Where the configured servers' own SOA says that they have ``name``: perhaps in a zone above it."""
        delegation = Delegation(".", addresses=self._configured[name])
        cut = await self.once.get(f"configured {name}", lambda: self._opened(delegation, name))
        return await self._below(cut, name)

    async def _from_resolver(self, name: str) -> Step | None:
        """The zone ``name`` if a resolver knows it and its servers answer us, else None."""
        try:
            answer = await self._recursor.ask(name, "NS")
            hosts = answer.values(name, "NS")
            if not hosts:
                raise NoAnswer(
                    {f"resolver {answer.address}": f"knows no name server of it ({answer.rcode})"}, answered=True
                )
            async with asyncio.timeout(PROBE):
                cut = await self._asking.open(Delegation.read(answer, name, hosts, None), name)
                return await self._below(cut, name)
        except NoAnswer as error:
            self._out_of_reach[name] = str(error)
        except TimeoutError:
            self._out_of_reach[name] = f"no answer within {PROBE:g} s"
        return None

    # Addresses of servers.

    async def _server_addresses(self, delegation: Delegation, host: str) -> frozenset[str]:
        if delegation.parent is None:
            return await self._from_recursor(host)
        return await self.addresses(host)

    async def _addresses(self, host: str) -> frozenset[str]:
        above = await self._above(host)
        if above is None:
            return await self._from_recursor(host)
        step = await self._below(above.cut, host, "A")
        other = await self.ask(step.cut, host, "AAAA")
        found = step.answer.addresses(host) | other.addresses(host)
        alias = step.answer.alias(host)
        return found if found or alias is None else await self.addresses(alias)

    async def _from_recursor(self, host: str) -> frozenset[str]:
        """For the servers of a zone that only a resolver told us of, and where no zone above ``host`` answers us.

        One family after the other: a name that has an A is not asked for the AAAA whose denial could be cached.
        """
        try:
            for type in ("A", "AAAA"):
                found = (await self._recursor.ask(host, type)).addresses(host)
                if found:
                    return found
        except NoAnswer as error:
            raise LookupFailed(f"no address for {shown(host)}: {error}", name=host) from error
        return frozenset()

    def _nobody(self, name: str) -> LookupFailed:
        above = {zone: reason for zone, reason in self._out_of_reach.items() if is_within(name, zone)}
        tried = "; ".join(f"{shown(zone)}: {reason}" for zone, reason in above.items())
        return LookupFailed(
            f"no zone above {shown(name)} has a name server that answers this host" + (f" ({tried})" if tried else ""),
            name=name,
            hint="let this host reach port 53 of the zone's servers by UDP and TCP, or name servers in dns.servers",
        )


def _deeper(answer: Answer, zone: str, name: str) -> str | None:
    """The zone below ``zone`` that ``answer`` shows ``name`` to be in, if any."""
    if answer.alias(name) or answer.dname_above(name):
        return None
    found = answer.referral(name) or answer.apex(name)
    return found if found and len(labels(found)) > len(labels(zone)) else None
