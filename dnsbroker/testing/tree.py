"""A small DNS tree for tests: a root, the zone ``test.`` below it and a resolver, to which a test adds its zones.

Everything stands at loopback addresses of its own: the root at .10, ``test.`` at .11, the resolver at .53.
"""

from __future__ import annotations

from collections.abc import Mapping

from dnsbroker.config import DNSConfig
from dnsbroker.testing.nameserver import NameServers, Server, Zone

_ROOT = """
@ SOA a.root. host. 1 60 60 60 60
@ NS a.root.
a.root. A 127.0.0.10
test. NS ns.test.
ns.test. A 127.0.0.11
"""
_TEST = """
@ SOA ns host 1 60 60 60 60
@ NS ns
ns A 127.0.0.11
"""


class Tree:
    """The tree, on name servers that are running: ``root``, ``top`` (which serves ``test``) and ``resolver``."""

    def __init__(self, servers: NameServers) -> None:
        self.servers = servers
        self.root = servers.server("127.0.0.10")
        self.root_zone = self.root.zone(".", _ROOT)
        self.top = servers.server("127.0.0.11")
        self.test = self.top.zone("test.", _TEST)
        self.resolver = servers.resolver("127.0.0.53")

    def config(self, servers: Mapping[str, tuple[str, ...]] | None = None) -> DNSConfig:
        """The ``[dns]`` that leads into this tree; ``servers`` as there."""
        resolver = f"{self.resolver.ip}:{self.servers.port}"
        return DNSConfig(resolvers=(resolver,), nameserver_port=self.servers.port, servers=servers or {})

    def server(self, ip: str) -> Server:
        """The authoritative server at ``ip``, new or not."""
        known = next((server for server in self.servers.servers if server.ip == ip), None)
        return known or self.servers.server(ip)

    def zone(self, origin: str, text: str, *ips: str) -> list[Zone]:
        """Serve ``origin`` at each of ``ips``. ``text`` lacks only the SOA; its serial is 1, its negative TTL 60 s."""
        return [self.server(ip).zone(origin, f"@ SOA ns host 1 3600 600 86400 60\n{text}") for ip in ips]

    def delegate(self, *lines: str) -> None:
        """Add NS, glue or DS records, names relative to ``test.``, to the zone ``test.``."""
        self.test.add(*lines)
