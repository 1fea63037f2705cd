"""What finding finds: the zone in which a record really stands, its servers, and the aliases that led there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import SOA
from dnsbroker.names import shown


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

    @property
    def label(self) -> str:
        """Name and address, as people read them."""
        return self.name if self.name == str(self.address) else f"{shown(self.name)} ({self.address})"


@dataclass(frozen=True)
class Oddity:
    """Something about a zone's servers that a person should know: ``kind`` for programs, ``text`` in words."""

    kind: Literal["ns-mismatch", "no-address", "glue-differs", "ds-unknown"]
    text: str


@dataclass(frozen=True)
class Zone:
    """A zone with every address of every server that its parent or it itself names.

    ``ds`` are the parent's DS values, none where the zone is not signed or its parent was never asked.
    ``without_address`` are server names that have no address. ``oddities`` were met while looking for the servers.
    """

    name: str
    servers: tuple[NameServer, ...]
    soa: SOA
    ds: tuple[str, ...] = ()
    without_address: tuple[str, ...] = ()
    oddities: tuple[Oddity, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The oddities in words."""
        return tuple(oddity.text for oddity in self.oddities)


@dataclass(frozen=True)
class Hop:
    """An alias on the way: the record of type ``kind`` at ``owner`` in ``zone`` whose value is ``target``."""

    owner: str
    target: str
    kind: Literal["CNAME", "DNAME"]
    zone: Zone


@dataclass(frozen=True)
class Place:
    """Where the record for ``challenge`` really stands: at ``owner`` in ``zone``, after ``hops``.

    ``unfollowed`` is the target of a CNAME that only a wildcard makes at ``owner``; the record takes its place there.
    """

    challenge: str
    owner: str
    zone: Zone
    hops: tuple[Hop, ...] = ()
    unfollowed: str = ""
