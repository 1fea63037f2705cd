"""Finding the place: where a challenge's record really stands, behind every CNAME and DNAME.

One authoritative server is asked about the challenge name, no resolver ever. A CNAME that only a wildcard makes is not
followed: the record that is to be written takes its place. A chain that turns in a circle or ends nowhere is an error.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnsbroker.clock import Clock
from dnsbroker.config import DNSConfig
from dnsbroker.errors import DelegationBroken, LookupFailed, NameInvalid
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.asking import Cut
from dnsbroker.lookup.cuts import Cuts, Step
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.recursor import RESOLV_CONF, Recursor, resolvers
from dnsbroker.lookup.servers import complete
from dnsbroker.lookup.zone import Hop, NameServer, Place, Zone
from dnsbroker.names import labels, owner, shown

__all__ = ["Finder", "Hop", "NameServer", "Place", "Zone"]

MOST_HOPS = 16


class Finder:
    """Finds places and zones. What it has found it believes for a minute, by ``clock``.

    ``resolv_conf`` is the system's list of resolvers, used where ``config`` names none. Raises LookupFailed where that
    cannot be read.
    """

    def __init__(self, config: DNSConfig, exchange: Exchange, clock: Clock, *, resolv_conf: Path = RESOLV_CONF) -> None:
        self._port = config.nameserver_port
        self._resolvers = resolvers(config, resolv_conf)
        self._cuts = Cuts(config, exchange, Recursor(exchange, self._resolvers), clock)

    def resolvers(self) -> tuple[Address, ...]:
        """The recursive resolvers that this host uses."""
        return self._resolvers

    async def find(self, name: str) -> Place:
        """Where a record for ``name``, the full owner name of a challenge, has to be written.

        Raises LookupFailed where no server answers for the name, DelegationBroken where its aliases lead nowhere or in
        a circle, NameInvalid where it is no name.
        """
        chain = [owner(name)]
        hops: list[Hop] = []
        while True:
            step, zone = await self._look_at(chain, hops)
            alias = await self._alias(step, chain[-1])
            if alias is None:
                return Place(chain[0], chain[-1], zone, tuple(hops), step.answer.alias(chain[-1]) or "")
            hops.append(Hop(alias.owner, alias.target, alias.kind, zone))
            chain.append(_next(chain, alias))

    async def zone_of(self, name: str) -> Zone:
        """The zone that holds owner name ``name``; aliases are not followed. Raises LookupFailed."""
        return await self._complete(await self._cuts.zone(owner(name)))

    async def ask(self, name: str, type: str, *, dnssec: bool = False) -> Answer:
        """What one server of the zone that holds owner name ``name`` answers; the primary's, where it is one of them.

        For every question before a write: a denial that many servers remember could outlive it. Raises LookupFailed.
        """
        cut = await self._cuts.zone(owner(name))
        return await self._cuts.ask(cut, owner(name), type, dnssec=dnssec)

    async def is_denied(self, name: str) -> bool:
        """Whether owner name ``name`` does not exist, by the word of the one server that is asked. Raises LookupFailed.

        Aliases are not followed: one that leads nowhere does exist.
        """
        return (await self._cuts.holding(owner(name))).answer.denies(owner(name))

    async def makes_names(self, above: str) -> bool:
        """Whether a random name right below owner name ``above`` exists, which only a wildcard brings about.

        One server is asked, as in ``is_denied``, once for all who want to know. Raises LookupFailed.
        """
        name = f"{secrets.token_hex(7)}.{above}"
        return not await self._cuts.once.get(f"below {above}", lambda: self.is_denied(name))

    async def is_made(self, name: str) -> bool:
        """Whether nothing but a wildcard makes owner name ``name``; one server is asked. Raises LookupFailed.

        A wildcard makes no name below one that exists: of ``name``, and of a wildcard below it. So a name below both of
        them that is not denied shows that neither exists.
        """
        if (await self._cuts.zone(owner(name))).zone == owner(name):
            return False
        above = ".".join(labels(name)[1:]) + "."
        return await self.makes_names(above) and await self.makes_names(f"*.{name}")

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The IP addresses of ``host``, a name or itself an address; for services' hosts, never for names to write.

        The host's own zone is asked first; what it does not know (``localhost``, a name in /etc/hosts) the system may.
        Raises LookupFailed where nobody knows one.
        """
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            name = owner(host)
        found: frozenset[str] = frozenset()
        if len(labels(name)) > 1:
            try:
                found = await self._cuts.addresses(name)
            except LookupFailed:
                found = frozenset()  # then the system's own word is the last one
        return tuple(sorted(found)) or await system_addresses(host)

    async def service_addresses(self, host: str) -> tuple[str, ...]:
        """The IP addresses of a service's ``host``. Raises LookupFailed where there is none.

        As ``addresses``, but what the host's own zone has not, nobody else is asked for: a resolver that was told so
        may hold it against the challenge names of that zone.
        """
        name = owner(host)
        try:
            found = await self._cuts.addresses(name) if len(labels(name)) > 1 else None
        except LookupFailed:
            found = None  # no zone answers, so none can be spoilt
        if found is None:
            return await self.addresses(host)
        if not found:
            raise LookupFailed(f"{shown(name)} has no address", name=name, hint="is the name right?")
        return tuple(sorted(found))

    async def _look_at(self, chain: Sequence[str], hops: Sequence[Hop]) -> tuple[Step, Zone]:
        """The last name of ``chain`` and its zone. Raises LookupFailed for the first name, else DelegationBroken."""
        name = chain[-1]
        try:
            step = await self._cuts.holding(name)
            if step.cut.zone == ".":
                raise _outside(name)
            return step, await self._complete(step.cut)
        except LookupFailed as error:
            if len(chain) == 1:
                raise
            message = f"the delegation leads to a name that cannot be written, {error.message}"
            last = hops[-1]
            cure = f"change the {last.kind} at {shown(last.owner)}, or have its target answer: {error.hint}"
            raise _broken(message, chain, cure) from error

    async def _complete(self, cut: Cut) -> Zone:
        return await self._cuts.once.get(f"whole {cut.zone}", lambda: complete(self._cuts, cut, self._port))

    async def _alias(self, step: Step, name: str) -> _Alias | None:
        above = step.answer.dname_above(name)
        if above is not None:
            target = min(step.answer.values(above, "DNAME"))  # a broken server may give several; all get the same one
            return _Alias("DNAME", above, target, _with_suffix(name, above, target))
        found = step.answer.alias(name)
        if found is None or await self._is_wildcard(step.cut, name, found):
            return None
        return _Alias("CNAME", name, found, found)

    async def _is_wildcard(self, cut: Cut, name: str, target: str) -> bool:
        """Whether the CNAME at ``name`` is made from a wildcard: its signature says so, or a random sibling has it."""
        sibling = ".".join((secrets.token_hex(7), *labels(name)[1:])) + "."
        own, other = await asyncio.gather(
            self._cuts.ask(cut, name, "CNAME", dnssec=True), self._cuts.ask(cut, sibling, "CNAME")
        )
        if own.is_signed(name, "CNAME"):
            return own.is_synthesised(name, "CNAME")
        return other.alias(sibling) == target


@dataclass(frozen=True)
class _Alias:
    """A redirection: the record, and the name it makes of the one that was asked."""

    kind: Literal["CNAME", "DNAME"]
    owner: str
    target: str
    leads_to: str


def _with_suffix(name: str, old: str, new: str) -> str:
    """``name`` with its suffix ``old`` replaced (RFC 6672 section 2.2)."""
    kept = labels(name)[: len(labels(name)) - len(labels(old))]
    return ".".join((*kept, *labels(new))) + "."


def _next(chain: Sequence[str], alias: _Alias) -> str:
    """Where ``alias`` leads after ``chain``. Raises DelegationBroken."""
    record = f"the {alias.kind} at {shown(alias.owner)}"
    try:
        name = owner(alias.leads_to)
    except NameInvalid as error:
        cure = f"change {record} to lead to a name of letters, digits, hyphens and underscores"
        raise _broken(f"{record} leads to no usable name", [*chain, alias.leads_to], cure) from error
    if name in chain:
        cure = f"change or delete {record}, which leads back to {shown(name)}"
        raise _broken("the delegation turns in a circle", [*chain, name], cure)
    if len(chain) > MOST_HOPS:
        cure = f"have the first alias, at {shown(chain[0])}, lead to where the record is to stand"
        raise _broken(f"the delegation has more than {MOST_HOPS} aliases", [*chain, name], cure)
    return name


def _broken(message: str, chain: Sequence[str], cure: str) -> DelegationBroken:
    return DelegationBroken(message, name=chain[0], chain=[shown(name) for name in chain], hint=cure)


def _outside(name: str) -> LookupFailed:
    return LookupFailed(
        f"{shown(name)} is in no zone below the root",
        name=name,
        rcode="NXDOMAIN",
        hint="is the name right? for a zone that only your own servers know, name them in dns.servers",
        transient=False,
    )


async def system_addresses(host: str) -> tuple[str, ...]:
    """The addresses of ``host`` as this system looks hosts up. Raises LookupFailed."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise LookupFailed(
            f"no address for {host}", name=host, hint="is the name right? an IP address will do as well"
        ) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
