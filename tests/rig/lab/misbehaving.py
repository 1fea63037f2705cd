"""A secondary of our own that can be told to misbehave, while it runs, in every way that name servers do.

Rule: whatever it answers comes from copies of the zone that it once transferred from the primary, each with the time
when it was taken; lagging is answering from an older copy. Refused: DNSSEC, wildcards and delegations; its zones are
plain ones.
"""

from __future__ import annotations

import contextlib
import itertools
import socketserver
import struct
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

from lab import wire

LOOK_SECONDS = 0.05
KEPT_SECONDS = 120.0


@dataclass(frozen=True)
class Behaviour:
    """How the server answers; the defaults are those of a good server.

    Attributes:
        silent: never answers.
        drop_udp: answers by TCP only.
        truncate: by UDP, answers nothing but TC.
        rcode: answers with this rcode and nothing else.
        authoritative: False: has the right records, without AA, as a forwarder does.
        referral: sends everyone up to the root, as a server does that has lost the zone.
        slow: seconds before each answer.
        lag: answers as the primary did so many seconds ago.
        stale: answers as at the moment when it was told to.
        alternate: answers by turns as now and as at the moment when it was told to.
        lose: follows the primary's serial, but has none of its challenge records.
    """

    silent: bool = False
    drop_udp: bool = False
    truncate: bool = False
    rcode: str = ""
    authoritative: bool = True
    referral: bool = False
    slow: float = 0.0
    lag: float = 0.0
    stale: bool = False
    alternate: bool = False
    lose: bool = False


@dataclass(frozen=True)
class Asked:
    """One question that came in; ``at`` is a time of the monotonic clock, ``transport`` ``udp`` or ``tcp``."""

    at: float
    transport: str
    name: str
    record_type: str


@dataclass(frozen=True)
class Copy:
    """A zone as the primary had it at one time of the monotonic clock."""

    taken: float
    serial: int
    zone: dns.zone.Zone


class Follower:
    """The copies of one zone, kept up to date by looking at the primary's serial."""

    def __init__(self, zone: str, primary: str) -> None:
        self.origin = dns.name.from_text(zone)
        self._zone, self._primary = zone, primary
        self._copies: list[Copy] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{zone}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """Take a copy if the primary's serial is not that of the last one."""
        serial = wire.serial(self._primary, self._zone, seconds=1)
        copies = self._copies
        if serial is None or (copies and copies[-1].serial == serial):
            return
        now = time.monotonic()
        copies.append(Copy(now, serial, wire.transfer(self._primary, self._zone)))
        while len(copies) > 1 and copies[1].taken < now - KEPT_SECONDS:
            del copies[0]

    def at(self, moment: float) -> dns.zone.Zone | None:
        """The zone as it was known at ``moment``, or the oldest copy; None if there is none."""
        copies = list(self._copies)
        known = [copy for copy in copies if copy.taken <= moment] or copies[:1]
        return known[-1].zone if known else None

    def _follow(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(*wire.UNANSWERED):
                self.look()
            self._stopping.wait(LOOK_SECONDS)


class Misbehaving:
    """The server at one address, by UDP and TCP; a context manager, listening inside."""

    def __init__(self, *, address: str = "127.0.0.31", port: int = 53) -> None:
        self.name = "misbehaving"
        self.address = address
        self.port = port
        self.asked: list[Asked] = []
        self._followers: dict[str, Follower] = {}
        self._behaviour = Behaviour()
        self._told = time.monotonic()
        self._turns = itertools.count()
        self._stopping = threading.Event()
        self._servers: list[socketserver.BaseServer] = []

    def behave(self, behaviour: Behaviour | None = None) -> None:
        """Answer like this from now on; without an argument, well."""
        self._told = time.monotonic()
        self._behaviour = behaviour or Behaviour()

    def follow(self, zone: str, primary: str) -> None:
        """Become a secondary for one more zone."""
        self._followers[zone] = Follower(zone, primary)

    def unfollow(self, zone: str) -> None:
        """Serve a zone no longer."""
        self._followers.pop(zone).stop()

    def refresh(self, zone: str) -> None:
        """Look at the primary now."""
        with contextlib.suppress(*wire.UNANSWERED):
            self._followers[zone].look()

    def reply(self, wire_query: bytes, transport: str) -> bytes | None:
        """The answer to one message, after the time that it takes; None for silence."""
        behaviour = self._behaviour
        try:
            query = dns.message.from_wire(wire_query)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(Asked(time.monotonic(), transport, question.name.to_text(), kind))
        if behaviour.silent or (behaviour.drop_udp and transport == "udp"):
            return None
        if behaviour.slow and self._stopping.wait(behaviour.slow):
            return None
        return self._answer(query, behaviour, transport).to_wire()

    def _answer(self, query: dns.message.Message, behaviour: Behaviour, transport: str) -> dns.message.Message:
        answer = dns.message.make_response(query)
        if query.opcode() == dns.opcode.NOTIFY:
            answer.flags |= dns.flags.AA
        elif behaviour.rcode:
            answer.set_rcode(dns.rcode.from_text(behaviour.rcode))
        elif behaviour.referral:
            answer.authority.append(dns.rrset.from_text(".", 60, "IN", "NS", "ns.test."))
        elif behaviour.truncate and transport == "udp":
            answer.flags |= dns.flags.AA | dns.flags.TC
        else:
            self._fill(answer, behaviour)
        return answer

    def _fill(self, answer: dns.message.Message, behaviour: Behaviour) -> None:
        name = answer.question[0].name
        follower = max(
            (one for one in self._followers.values() if name.is_subdomain(one.origin)),
            key=lambda one: len(one.origin),
            default=None,
        )
        zone = follower.at(self._moment(behaviour)) if follower else None
        if zone is None:
            answer.set_rcode(dns.rcode.REFUSED if follower is None else dns.rcode.SERVFAIL)
            return
        if behaviour.authoritative:
            answer.flags |= dns.flags.AA
        fill_from(zone, answer, without_challenges=behaviour.lose)

    def _moment(self, behaviour: Behaviour) -> float:
        if behaviour.stale or (behaviour.alternate and next(self._turns) % 2):
            return self._told
        return time.monotonic() - behaviour.lag

    def start(self) -> None:
        """Listen; OSError if the address is taken."""
        self._stopping.clear()
        self._servers = [_Udp(self), _Tcp(self)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=[0.05], name=self.name, daemon=True).start()

    def stop(self) -> None:
        """Listen and look no longer."""
        self._stopping.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers = []
        for zone in list(self._followers):
            self.unfollow(zone)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def fill_from(zone: dns.zone.Zone, answer: dns.message.Message, *, without_challenges: bool = False) -> None:
    """Fill in what an authoritative server with this zone says to the answer's question (RFC 1034 section 4.3.2)."""
    question = answer.question[0]
    name, kind = question.name, question.rdtype
    lost = without_challenges and name.labels[0].lower() == b"_acme-challenge"
    node = None if lost else zone.get_node(name)
    for wanted in (kind, dns.rdatatype.CNAME) if node else ():
        rdataset = zone.get_rdataset(name, wanted)
        if rdataset:
            rrset = dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
            answer.answer.append(rrset)
            return
    if not node and not any(other != name and other.is_subdomain(name) for other in zone.nodes):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    if zone.origin and (soa := zone.get_rdataset(zone.origin, dns.rdatatype.SOA)):
        answer.authority.append(dns.rrset.from_rdata_list(zone.origin, soa.ttl, list(soa)))


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, owner: Misbehaving) -> None:
        self.owner = owner
        super().__init__((owner.address, owner.port), _UdpHandler)


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        message, socket = self.request
        answer = self.server.owner.reply(message, "udp")
        if answer is not None:
            with contextlib.suppress(OSError):
                socket.sendto(answer, self.client_address)


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, owner: Misbehaving) -> None:
        self.owner = owner
        super().__init__((owner.address, owner.port), _TcpHandler)


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while len(prefix := self.rfile.read(2)) == 2:
                message = self.rfile.read(struct.unpack("!H", prefix)[0])
                answer = self.server.owner.reply(message, "tcp")
                if answer is not None:
                    self.wfile.write(struct.pack("!H", len(answer)) + answer)
