"""Which server stands where, and which zones it serves: the lab's plan, as data.

Rule: a name server's name, its addresses and its place in a zone's NS set are written here and nowhere else. Refused:
starting anything.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MARKER = Path("/run/dnsbroker-lab")


@dataclass(frozen=True)
class Place:
    """One name server: its name in DNS and its addresses.

    Attributes:
        host: the absolute name that NS records carry.
        address: where the lab itself talks to it.
        address6: an IPv6 address that is published as well, where the host has IPv6.
    """

    host: str
    address: str
    address6: str = ""

    @property
    def addresses(self) -> list[str]:
        """Every address that is published, IPv6 only where it can be used."""
        return [self.address, *([self.address6] if self.address6 and has_ipv6() else [])]


PLACES = {
    "root": Place("ns.test.", "127.0.0.10"),
    "powerdns": Place("ns1.example.test.", "127.0.0.11"),
    "bind-secondary": Place("ns2.example.test.", "127.0.0.12"),
    "nsd": Place("ns3.example.test.", "127.0.0.13", "fd00::13"),
    "bind": Place("ns1.bind.test.", "127.0.0.21"),
    "knot": Place("ns2.bind.test.", "127.0.0.22", "fd00::22"),
    "misbehaving": Place("ns.flaky.test.", "127.0.0.31"),
}
"""Every authoritative server of the lab by the name that the lab calls it."""

RESOLVER = "127.0.0.53"


@dataclass(frozen=True)
class Domain:
    """One zone of the lab: its primary, its secondaries, all of them in its NS set.

    Attributes:
        name: without trailing dot.
        parent: the zone that delegates it; empty: no delegation.
        records: further lines of its zone file.
        signed: whether it is signed, with DS in the parent.
        kind: PowerDNS' kind of zone.
        serial: the one that it begins with.
        ttl: seconds, of every record and of denials.
        soa_edit: PowerDNS' SOA-EDIT; empty: unset.
        soa_edit_api: PowerDNS' SOA-EDIT-API; empty: unset.
    """

    name: str
    primary: str
    secondaries: Sequence[str] = ()
    parent: str = "test"
    records: str = ""
    signed: bool = True
    kind: str = "primary"
    serial: int = 1
    ttl: int = 60
    soa_edit: str = ""
    soa_edit_api: str = ""

    @property
    def members(self) -> list[str]:
        """The lab's names of its servers, the primary first."""
        return [self.primary, *self.secondaries]

    @property
    def servers(self) -> dict[str, list[str]]:
        """Its name servers by their absolute names, with all their addresses."""
        return {PLACES[name].host: PLACES[name].addresses for name in self.members}


SUBZONE = Domain("sub.example.test", "bind", ["knot"], parent="example.test")
"""A zone of its own below a name of another zone, at another service."""

EXAMPLE = Domain(
    "example.test",
    "powerdns",
    ["bind-secondary", "nsd"],
    serial=0,
    records="""\
@ A 127.0.0.100
www A 127.0.0.100
cname A 127.0.0.100
_acme-challenge.cname CNAME _acme-challenge.cname.bind.test.
""",
)
"""The mission's own case: made by pdnsutil, signed, without SOA-EDIT-API."""

BIND = Domain(
    "bind.test",
    "bind",
    ["knot"],
    records="""\
@ A 127.0.0.100
www A 127.0.0.100
dname DNAME dname.example.test.
""",
)
"""A zone for dynamic updates, with BIND's defaults."""

FLAKY = Domain(
    "flaky.test",
    "powerdns",
    ["bind-secondary", "misbehaving"],
    signed=False,
    soa_edit_api="INCREASE",
    records="@ A 127.0.0.100\n",
)
"""A zone one of whose servers can be told to misbehave; unsigned, so that its answers need no signature."""

DOMAINS = [EXAMPLE, BIND, SUBZONE, FLAKY]
"""The zones that every lab has below ``test``."""


def is_inside() -> bool:
    """Whether this process runs in the private namespace of tests/rig/namespace."""
    return MARKER.exists()


def has_ipv6() -> bool:
    """Whether the lab's IPv6 addresses are there to be used."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((PLACES["nsd"].address6, 0))
    except OSError:
        return False
    return True
