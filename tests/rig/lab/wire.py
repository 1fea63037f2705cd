"""Ask one server directly, over the wire.

Rule: one question, one address, no cache and no retry, so that an answer is that server's own. Refused: resolving; a
recursive question is asked only of a server that the caller names.
"""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rdtypes.ANY.TXT
import dns.update
import dns.zone
from dns.tsig import Key

PROBE_SECONDS = 0.3
UNANSWERED = (dns.exception.DNSException, OSError, EOFError)
"""What :func:`ask` raises when a server does not answer, or answers nonsense."""


def ask(
    address: str,
    name: str,
    record_type: str,
    *,
    port: int = 53,
    tcp: bool = False,
    recursive: bool = False,
    dnssec: bool = False,
    seconds: float = 2.0,
) -> dns.message.Message:
    """One server's answer to one question, by UDP unless ``tcp``; a truncated answer is returned as it is.

    Raises one of :data:`UNANSWERED` after ``seconds``.
    """
    query = dns.message.make_query(name, record_type, use_edns=0, payload=1232, want_dnssec=dnssec)
    query.flags = dns.flags.Flag(dns.flags.RD if recursive else 0)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, address, timeout=seconds, port=port)


def values(
    address: str, name: str, record_type: str = "TXT", *, port: int = 53, seconds: float = 2.0
) -> frozenset[str]:
    """The values that one authoritative server has at exactly this name: TXT joined, others in presentation form."""
    answer = ask(address, name, record_type, port=port, seconds=seconds)
    if answer.flags & dns.flags.TC:
        answer = ask(address, name, record_type, port=port, tcp=True, seconds=seconds)
    return frozenset(values_in(answer, name, record_type))


def values_in(answer: dns.message.Message, name: str, record_type: str) -> list[str]:
    """The values at exactly this name in an answer, in its order."""
    owner, kind = dns.name.from_text(name), dns.rdatatype.from_text(record_type)
    found = answer.get_rrset(answer.answer, owner, dns.rdataclass.IN, kind)
    return [value_text(rdata) for rdata in found or ()]


def value_text(rdata: dns.rdata.Rdata) -> str:
    """A record's value as people write it: TXT strings joined and unquoted, others in presentation form."""
    if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT):
        return b"".join(rdata.strings).decode(errors="backslashreplace")
    return rdata.to_text()


def serial(address: str, zone: str, *, port: int = 53, seconds: float = 2.0) -> int | None:
    """The SOA serial that one server answers with authority; None if it has no such zone."""
    answer = ask(address, zone, "SOA", port=port, seconds=seconds)
    if not answer.flags & dns.flags.AA:
        return None
    found = answer.get_rrset(answer.answer, dns.name.from_text(zone), dns.rdataclass.IN, dns.rdatatype.SOA)
    soa = found[0] if found else None
    return soa.serial if isinstance(soa, dns.rdtypes.ANY.SOA.SOA) else None


def transfer(address: str, zone: str, *, port: int = 53) -> dns.zone.Zone:
    """The whole zone by AXFR, its names absolute; raises one of :data:`UNANSWERED` if the server does not give it."""
    copy = dns.zone.Zone(zone, relativize=False)
    dns.query.inbound_xfr(address, copy, port=port, timeout=5, lifetime=10)
    return copy


def serves(address: str, zone: str, *, port: int = 53) -> bool:
    """Whether the server answers for the zone with authority; False also while it does not answer at all."""
    try:
        return serial(address, zone, port=port, seconds=PROBE_SECONDS) is not None
    except UNANSWERED:
        return False


def answers(address: str, *, port: int = 53) -> bool:
    """Whether something answers at that address, by TCP and by UDP, whatever it says.

    TCP goes first: where nothing listens yet it is refused at once, while UDP would wait.
    """
    try:
        for tcp in (True, False):
            ask(address, ".", "SOA", port=port, tcp=tcp, seconds=PROBE_SECONDS)
    except UNANSWERED:
        return False
    return True


def update(message: dns.update.UpdateMessage, address: str, key: Key, *, port: int = 53) -> str:
    """Send one signed RFC 2136 update by TCP; gives back the rcode's name."""
    message.use_tsig(key)
    return dns.rcode.to_text(dns.query.tcp(message, address, timeout=5, port=port).rcode())
