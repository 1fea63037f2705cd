"""What finding finds: the zone in which a record really stands, its servers, and the aliases that led there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import SOA


@dataclass(frozen=True)
class NameServer:
    """One address of a zone's servers, under its name; ``also`` are further names that have the same address.

    ``in_parent``: the delegation names it; ``in_child``: the zone itself does. Neither: it is configured, and its name
    is its address.
    """

    name: str
    address: Address
    in_parent: bool
    in_child: bool
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Zone:
    """A zone with every address of every server that its parent or it itself names.

    ``ds`` are the parent's DS values, none where the zone is not signed or its parent was never asked.
    ``without_address`` are server names that have no address. ``warnings`` are for a person.
    """

    name: str
    servers: tuple[NameServer, ...]
    soa: SOA
    ds: tuple[str, ...] = ()
    without_address: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hop:
    """An alias on the way: the record of type ``kind`` at ``owner`` in ``zone`` whose value is ``target``."""

    owner: str
    target: str
    kind: Literal["CNAME", "DNAME"]
    zone: Zone


@dataclass(frozen=True)
class Place:
    """Where the record for ``challenge`` really stands: at ``owner`` in ``zone``, after ``hops``."""

    challenge: str
    owner: str
    zone: Zone
    hops: tuple[Hop, ...] = ()
