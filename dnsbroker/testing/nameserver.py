"""Real name servers on loopback, by UDP and TCP, described in a few lines and made to misbehave at will.

::

    with NameServers() as servers:
        servers.server("127.0.0.10").zone(".", ROOT)  # "@ NS a.", "a A 127.0.0.10", …
        second = servers.server("127.0.0.12").zone("example.test.", EXAMPLE)
        second.behaviour.rcode = "REFUSED"
        resolver = servers.resolver("127.0.0.53")

All listen on ``servers.port``, an unprivileged one, in a thread of their own, so that a test may be asynchronous or
plain. Every question is logged. A resolver stands in for a recursive one: it answers from the zones of all servers.
Nothing is transferred between servers, and no zone is signed here.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.zone

from dnsbroker.testing import zones
from dnsbroker.testing.behaviour import Behaviour
from dnsbroker.testing.listener import Listener, Reply, Thread

_PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Question:
    """What was asked of the server at IP address ``server``; ``name`` in lower case, ``spelled`` as it came.

    ``port`` is the source port, ``id`` the message's.
    """

    server: str
    name: str
    spelled: str
    type: str
    tcp: bool
    recursion: bool
    edns: bool
    dnssec: bool
    port: int
    id: int


class Zone:
    """One zone as one server has it; it can be changed while it is served, and what is changed appears at once."""

    def __init__(self, origin: str, text: str) -> None:
        self.origin = origin
        self.behaviour = Behaviour()
        self._states = [zones.parse(origin, text)]
        self._turn = 0

    @property
    def data(self) -> dns.zone.Zone:
        """The records, as dnspython's zone; assign a new one, do not change this in place."""
        return self._states[0]

    @data.setter
    def data(self, zone: dns.zone.Zone) -> None:
        self._states = [zone]

    def load(self, text: str) -> None:
        """Have the records in ``text`` and no others."""
        self.data = zones.parse(self.origin, text)

    def alternate(self, text: str) -> None:
        """Answer in turn from the present records and from those in ``text``, as two machines at one address do."""
        self._states = [self.data, zones.parse(self.origin, text)]

    def add(self, *lines: str) -> None:
        """Add records in zone-file form, names relative to the zone; the serial stays."""
        changed = copy.deepcopy(self.data)
        for name, node in zones.parse(self.origin, "\n".join(lines) + "\n").nodes.items():
            for rdataset in node.rdatasets:
                kept = changed.find_rdataset(name, rdataset.rdtype, rdataset.covers, create=True)
                for rdata in rdataset:
                    kept.add(rdata, rdataset.ttl)
        self.data = changed

    def remove(self, name: str, type: str) -> None:
        """Remove the RRset at owner name ``name``, if there is one; the serial stays."""
        changed = copy.deepcopy(self.data)
        changed.delete_rdataset(name, type)
        self.data = changed

    def bump(self, serial: int | None = None) -> int:
        """Make the serial ``serial``, or one more than it is; return it."""
        changed = copy.deepcopy(self.data)
        apex = changed.origin or dns.name.root
        soa = changed.find_rdataset(apex, dns.rdatatype.SOA)
        new = (soa[0].serial + 1) % 2**32 if serial is None else serial
        changed.replace_rdataset(apex, dns.rdataset.from_rdata(soa.ttl, soa[0].replace(serial=new)))
        self.data = changed
        return new

    def take_turn(self) -> dns.zone.Zone:
        """The state that answers the next question."""
        self._turn += 1
        return self._states[(self._turn - 1) % len(self._states)]


class Server:
    """One address. Its ``behaviour`` holds for every question, a zone's own for those about that zone."""

    def __init__(self, ip: str, group: NameServers, *, recursive: bool) -> None:
        self.ip = ip
        self.behaviour = Behaviour()
        self.zones: list[Zone] = []
        self._recursive = recursive
        self._group = group
        self._listener = Listener(self._reply)

    def zone(self, origin: str, text: str) -> Zone:
        """Serve ``origin`` with the records in ``text``: names relative to it, TTLs of 60 seconds by default."""
        made = Zone(origin, text)
        self.zones.append(made)
        return made

    def start(self) -> None:
        """Listen; for use after ``stop``."""
        self._group.thread.run(self._listener.open(self.ip, self._group.port))

    def stop(self) -> None:
        """Close the sockets: the host is there, but refuses."""
        self._group.thread.run(self._listener.close())

    def _reply(self, octets: bytes, *, tcp: bool, port: int) -> Reply | None:
        try:
            query = dns.message.from_wire(octets)
        except dns.exception.DNSException:
            return None
        self._group.log.append(_logged(self.ip, query, tcp=tcp, port=port))
        behaviours = [self.behaviour, *self._behaviour_about(query)]
        if any(each.is_mute(tcp=tcp) for each in behaviours):
            return None
        made = zones.reply([zone.take_turn() for zone in self._seen()], query, recursive=self._recursive)
        for each in behaviours:
            each.bend(query, made, tcp=tcp)
        octets = b"" if tcp and any(each.close_tcp for each in behaviours) else _wire(made, query, tcp=tcp)
        return Reply(octets, max(each.delay for each in behaviours))

    def _seen(self) -> list[Zone]:
        """The zones that this server answers from, its own first."""
        if not self._recursive:
            return self.zones
        return self.zones + [zone for server in self._group.servers if server is not self for zone in server.zones]

    def _behaviour_about(self, query: dns.message.Message) -> list[Behaviour]:
        asked = query.question[0]
        found = zones.holding([zone.data for zone in self.zones], asked.name, asked.rdtype)
        return [zone.behaviour for zone in self.zones if zone.data is found]


class NameServers:
    """Some name servers at several loopback addresses and one port, between ``with`` and its end.

    ``log`` holds every Question in the order of arrival.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.log: list[Question] = []
        self.servers: list[Server] = []
        self.thread: Thread

    def __enter__(self) -> NameServers:
        self.thread = Thread()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.stop()
        self.thread.close()

    def server(self, ip: str) -> Server:
        """A new authoritative server at ``ip``, listening at once. Raises OSError where it cannot."""
        return self._started(Server(ip, self, recursive=False))

    def resolver(self, ip: str) -> Server:
        """A new stand-in for a recursive resolver at ``ip``; zones of its own come before those of the others."""
        return self._started(Server(ip, self, recursive=True))

    def asked(self, server: Server | None = None) -> list[str]:
        """``name type`` of each question in the log, or of those to ``server``."""
        return [f"{entry.name} {entry.type}" for entry in self.log if server is None or entry.server == server.ip]

    def _started(self, server: Server) -> Server:
        if self.port:
            server.start()
        else:
            self._find_port(server.start)
        self.servers.append(server)
        return server

    def _find_port(self, listen: Callable[[], None]) -> None:
        for port in random.sample(_PORTS, 50):
            self.port = port
            try:
                return listen()
            except OSError:
                self.port = 0
        raise OSError("no free port for the test's name servers")


def _logged(ip: str, query: dns.message.Message, *, tcp: bool, port: int) -> Question:
    asked = query.question[0]
    return Question(
        ip,
        asked.name.to_text().lower(),
        asked.name.to_text(),
        dns.rdatatype.to_text(asked.rdtype),
        tcp=tcp,
        recursion=bool(query.flags & dns.flags.RD),
        edns=query.edns >= 0,
        dnssec=bool(query.ednsflags & dns.flags.DO),
        port=port,
        id=query.id,
    )


def _wire(made: dns.message.Message, query: dns.message.Message, *, tcp: bool) -> bytes:
    """``made`` as octets; by UDP with TC where it exceeds what the client takes (RFC 6891 section 6.2.5)."""
    if tcp:
        return made.to_wire(max_size=65535)
    return made.to_wire(max_size=max(512, query.payload), prefer_truncation=True)
