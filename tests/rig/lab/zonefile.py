"""Zone files as text: the records that every zone of the lab begins with.

Rule: what is written here is what a zone file in the documentation of any of the servers would look like. Refused:
parsing; that is dnspython's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def absolute(name: str) -> str:
    """The name with its trailing dot."""
    return name if name.endswith(".") else name + "."


def zone_text(zone: str, serial: int, servers: Mapping[str, Sequence[str]], *, ttl: int = 60) -> str:
    """A zone file's SOA, NS and address records; server names are relative to the zone unless they end in a dot.

    Addresses are written only for servers inside the zone. ``ttl`` (seconds) is that of everything, negative answers
    included.
    """
    origin = absolute(zone)
    first = next(iter(servers))
    lines = [f"$ORIGIN {origin}", f"$TTL {ttl}", f"@ SOA {first} hostmaster {serial} 3600 900 604800 {ttl}"]
    for server, addresses in servers.items():
        lines.append(f"@ NS {server}")
        if not server.endswith(".") or server.endswith(f".{origin.lstrip('.')}"):
            lines += address_lines(server, addresses)
    return "\n".join(lines) + "\n"


def address_lines(name: str, addresses: Sequence[str]) -> list[str]:
    """Address records for one name, A or AAAA by the look of each address."""
    return [f"{name} {'AAAA' if ':' in address else 'A'} {address}" for address in addresses]


def delegation(zone: str, servers: Mapping[str, Sequence[str]], ds: Sequence[str] = ()) -> str:
    """What a parent zone holds for a child: NS, glue for servers below the child, DS; all names absolute."""
    child = absolute(zone)
    lines = []
    for server, addresses in servers.items():
        lines.append(f"{child} NS {server}")
        if server.endswith(f".{child}"):
            lines += address_lines(server, addresses)
    return "\n".join(lines + [f"{child} DS {digest}" for digest in ds]) + "\n"
