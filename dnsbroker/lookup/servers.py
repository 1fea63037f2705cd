"""All servers of a zone, at all their addresses: the union of what the parent and the zone itself say.

A CA follows the delegation, other resolvers the zone's own NS set: whoever either side names must have the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from dnsbroker.errors import LookupFailed
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.asking import Cut, Delegation
from dnsbroker.lookup.cuts import Cuts
from dnsbroker.lookup.zone import NameServer, Oddity, Zone
from dnsbroker.names import shown


async def complete(cuts: Cuts, cut: Cut, port: int) -> Zone:
    """The whole zone behind ``cut``; its servers listen on ``port``. Raises LookupFailed."""
    if cut.delegation.addresses:
        servers = tuple(NameServer(str(address), address, False, False) for address in cut.delegation.addresses)
        return Zone(cut.zone, servers, cut.soa)
    own, (ds, ds_trouble) = await asyncio.gather(cuts.ask(cut, cut.zone, "NS"), _ds(cuts, cut))
    in_child = own.values(cut.zone, "NS")
    hosts = await asyncio.gather(
        *(_host(cuts, cut.delegation, name, in_child) for name in sorted(cut.delegation.hosts | in_child))
    )
    return Zone(
        cut.zone,
        _by_address(hosts, port),
        cut.soa,
        tuple(sorted(ds)),
        tuple(host.name for host in hosts if not host.ips),
        (*_disagreement(cut, in_child), *(oddity for host in hosts for oddity in host.oddities), *ds_trouble),
    )


@dataclass(frozen=True)
class _Host:
    """A server's name with every address that is known for it."""

    name: str
    ips: frozenset[str]
    in_parent: bool
    in_child: bool
    oddities: tuple[Oddity, ...]


async def _host(cuts: Cuts, delegation: Delegation, name: str, in_child: frozenset[str]) -> _Host:
    glue = delegation.glue.get(name, frozenset())
    trouble = ""
    try:
        own = await cuts.addresses(name)
    except LookupFailed as error:
        own, trouble = frozenset(), f": {error.message}"
    oddities = []
    if not glue | own:
        oddities.append(Oddity("no-address", f"the name server {shown(name)} has no address{trouble}"))
    if own and glue - own:
        text = f"the glue of {shown(name)} is {_listed(glue)}, its own zone says {_listed(own)}"
        oddities.append(Oddity("glue-differs", text))
    in_parent = delegation.parent is not None and name in delegation.hosts
    return _Host(name, glue | own, in_parent, name in in_child, tuple(oddities))


async def _ds(cuts: Cuts, cut: Cut) -> tuple[frozenset[str], tuple[Oddity, ...]]:
    """The DS values that the parent has for the zone, and a word where they cannot be read."""
    if cut.delegation.parent is None:
        return frozenset(), ()
    try:
        answer = await cuts.ask(cut.delegation.parent, cut.zone, "DS")
    except LookupFailed as error:
        text = f"whether {shown(cut.zone)} is signed is not known: {error.message}"
        return frozenset(), (Oddity("ds-unknown", text),)
    return answer.values(cut.zone, "DS"), ()


def _by_address(hosts: Iterable[_Host], port: int) -> tuple[NameServer, ...]:
    """One server for each address, in the order of ``hosts``; IPv4 first."""
    found: dict[Address, NameServer] = {}
    for host in hosts:
        for ip in sorted(host.ips, key=lambda ip: (":" in ip, ip)):
            address = Address(ip, port)
            first = found.get(address)
            found[address] = NameServer(
                first.name if first else host.name,
                address,
                host.in_parent or bool(first and first.in_parent),
                host.in_child or bool(first and first.in_child),
                (*first.also, host.name) if first else (),
            )
    return tuple(found.values())


def _disagreement(cut: Cut, in_child: frozenset[str]) -> tuple[Oddity, ...]:
    in_parent = cut.delegation.hosts
    if cut.delegation.parent is None or in_parent == in_child:
        return ()
    text = f"the parent of {shown(cut.zone)} names {_listed(in_parent)}, the zone itself {_listed(in_child)}"
    return (Oddity("ns-mismatch", text),)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(shown, sorted(names))) or "none"
