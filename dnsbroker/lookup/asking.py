"""Asking a zone: one of its servers gives a usable answer, and what makes an answer unusable.

The servers are asked one at a time, the one that answered before first, the next when one fails or takes its time: a
denial that many of them remember could outlive the write that follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from dnsbroker.errors import LookupFailed
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import SOA, Answer
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.race import NoAnswer, race
from dnsbroker.names import is_within, shown

_MOMENT = 0.5


@dataclass(frozen=True)
class Delegation:
    """Where a zone's servers are said to be: host names with their glue, or configured ``addresses``.

    ``parent`` is the zone that said so; None where a resolver or the configuration did.
    """

    zone: str
    hosts: frozenset[str] = frozenset()
    glue: Mapping[str, frozenset[str]] = field(default_factory=dict)
    parent: Cut | None = None
    addresses: tuple[Address, ...] = ()

    @classmethod
    def read(cls, answer: Answer, zone: str, hosts: frozenset[str], parent: Cut | None) -> Delegation:
        """To ``hosts``, with the addresses that ``answer`` has for them."""
        return cls(zone, hosts, {host: answer.addresses(host) for host in hosts}, parent)


@dataclass(eq=False)
class Cut:
    """A zone of which a server has answered us: with ``soa``, in ``answer``; ``answering`` is the one to ask next."""

    zone: str
    delegation: Delegation
    soa: SOA
    answer: Answer
    answering: Address


class Asking:
    """Questions to zones. ``find_addresses`` looks up a server's host name, raising LookupFailed."""

    def __init__(
        self,
        exchange: Exchange,
        port: int,
        find_addresses: Callable[[Delegation, str], Awaitable[frozenset[str]]],
    ) -> None:
        self._exchange = exchange
        self._port = port
        self._find_addresses = find_addresses

    async def ask(self, cut: Cut, name: str, type: str, *, dnssec: bool = False) -> Answer:
        """The answer of one server of ``cut``; of another one only where that fails. Raises LookupFailed."""
        try:
            return await self._ask(cut.zone, cut.answering, name, type, dnssec)
        except NoAnswer as first:
            try:
                answer = await self._race(cut.delegation, name, type, dnssec)
            except NoAnswer as error:
                raise nobody_answers(cut.zone, name, NoAnswer(first.reasons | error.reasons, answered=True)) from error
        cut.answering = answer.address
        return answer

    async def open(self, delegation: Delegation, name: str) -> Cut:
        """The zone of ``name`` at the servers of ``delegation``, once one has given its SOA. Raises NoAnswer."""
        answer = await self._race(delegation, name, "SOA", False)
        zone = answer.apex(name)
        soa = answer.soa(zone) if zone else None
        if zone is None or soa is None:
            raise NoAnswer({str(answer.address): f"no SOA for {shown(name)}"}, answered=True)
        return Cut(zone, replace(delegation, zone=zone), soa, answer, answer.address)

    async def turn_to_primary(self, cut: Cut) -> None:
        """Ask the zone's primary next, if it is one of the zone's servers and answers within a moment.

        Writes go there, and take effect there at once; a secondary on the same database may remember a denial.
        """
        with suppress(NoAnswer, TimeoutError):
            async with asyncio.timeout(_MOMENT):
                addresses = await self._primary(cut)
                if cut.answering not in addresses:
                    asked = [partial(self._ask, cut.zone, address, cut.zone, "SOA", False) for address in addresses]
                    cut.answering = (await race(asked)).address

    async def _primary(self, cut: Cut) -> list[Address]:
        if cut.soa.primary not in cut.delegation.hosts:
            raise NoAnswer({}, answered=False)
        return await self._addresses(cut.delegation, cut.soa.primary)

    async def _race(self, delegation: Delegation, name: str, type: str, dnssec: bool) -> Answer:
        def asked(address: Address) -> Callable[[], Awaitable[Answer]]:
            return partial(self._ask, delegation.zone, address, name, type, dnssec)

        async def host_asked(host: str) -> Answer:
            return await race([asked(address) for address in await self._addresses(delegation, host)])

        if delegation.addresses:
            return await race([asked(address) for address in delegation.addresses])
        hosts = sorted(delegation.hosts, key=lambda host: (not delegation.glue.get(host), host))
        return await race([partial(host_asked, host) for host in hosts])

    async def _addresses(self, delegation: Delegation, host: str) -> list[Address]:
        try:
            ips = delegation.glue.get(host) or await self._find_addresses(delegation, host)
        except LookupFailed as error:
            raise NoAnswer({shown(host): error.message}, answered=False) from error
        if not ips:
            raise NoAnswer({shown(host): "no address"}, answered=False)
        return [Address(ip, self._port) for ip in sorted(ips, key=lambda ip: (":" in ip, ip))]

    async def _ask(self, zone: str, address: Address, name: str, type: str, dnssec: bool) -> Answer:
        try:
            answer = await self._exchange.ask(address, name, type, dnssec=dnssec)
        except Silent as error:
            raise NoAnswer({str(address): error.reason}, answered=False) from error
        fault = lameness(answer, zone, name)
        if fault:
            raise NoAnswer({str(address): fault}, answered=True)
        return answer


def lameness(answer: Answer, zone: str, name: str) -> str:
    """Why ``answer`` is not one that a server of ``zone`` should give about ``name``; empty where it is."""
    if answer.authoritative and (answer.alias(name) or answer.dname_above(name)):
        return ""  # its rcode and its authority section may speak of the target (RFC 6604 section 3)
    if answer.rcode not in ("NOERROR", "NXDOMAIN"):
        return answer.rcode
    referred = answer.referral(name)
    if referred and referred != zone and is_within(referred, zone):
        return ""
    if not answer.authoritative:
        return f"refers to {shown(referred)}" if referred else "answers without authority"
    apex = answer.apex(name)
    return f"answers for {shown(apex)} instead" if apex and not is_within(apex, zone) else ""


def nobody_answers(zone: str, name: str, error: NoAnswer) -> LookupFailed:
    """The error for a zone none of whose servers gives a usable answer about ``name``.

    Its ``rcode`` is what every address answered with; that an IPv6 address is silent may be this host's own affair.
    """
    words = {reason for at, reason in error.reasons.items() if _is_code(reason) or at.count(":") < 2}
    return LookupFailed(
        f"no server of {shown(zone)} answers for {shown(name)} ({str(error) or 'it names none'})",
        name=name,
        server=", ".join(error.reasons),
        rcode=words.pop() if len(words) == 1 and all(map(_is_code, words)) else "",
        hint=f"mend the delegation of {shown(zone)}, or name the servers to ask in dns.servers",
    )


def _is_code(reason: str) -> bool:
    """Whether an answer came, with this code for a failure (as ``lameness`` tells it)."""
    return reason.isupper()
