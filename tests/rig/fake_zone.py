"""A zone as the lookup would have found it, made from its name and, where it matters, its servers.

For tests of what is done with a place; those of how one is found ask name servers.
"""

from __future__ import annotations

from collections.abc import Sequence

from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import SOA
from dnsbroker.lookup.zone import NameServer, Zone


def zone(name: str, servers: Sequence[Address] = (), *, minimum: int = 60) -> Zone:
    """The zone ``name``; ``minimum`` is for how long, in seconds, its denials are kept."""
    listed = tuple(NameServer(f"ns{number}.{name}", server, True, True) for number, server in enumerate(servers, 1))
    soa = SOA(zone=name, primary=f"ns1.{name}", serial=1, refresh=3600, minimum=minimum, ttl=3600)
    return Zone(name, listed, soa)
