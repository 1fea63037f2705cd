"""A zone key for tests: signs whole zones with NSEC, or one RRset at a time, as rightly or wrongly as it is told.

Rule: what is signed is signed now; faults are made by times, by other keys, or by changing records afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.message
import dns.name
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import Answer
from dnsbroker.testing.nameserver import Zone

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class ZoneKey:
    """The one key of the zone ``apex``; ``ds`` is what the parent has of it."""

    def __init__(self, apex: str) -> None:
        self.apex = dns.name.from_text(apex)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public = dns.dnssec.make_dnskey(self._key.public_key(), 13, flags=257)
        self.ds = dns.dnssec.make_ds(self.apex, self.public, "SHA256").to_text()

    def sign_zone(self, *copies: Zone, since: datetime = NOW - DAY, until: datetime = NOW + 14 * DAY) -> None:
        """Have each copy signed whole, with its DNSKEY and NSEC records."""
        for each in copies:
            signed = copy.deepcopy(each.data)
            dns.dnssec.sign_zone(signed, keys=[(self._key, self.public)], inception=since, expiration=until)
            each.data = signed

    def signature(self, rrset: dns.rrset.RRset, *, labels: int | None = None) -> dns.rrset.RRset:
        """Its RRSIG; with fewer ``labels`` as a wildcard's that was expanded."""
        source = rrset
        if labels is not None:
            wild = dns.name.Name((b"*", *rrset.name.labels[-labels - 1 :]))
            source = dns.rrset.from_rdata_list(wild, rrset.ttl, list(rrset))
        made = dns.dnssec.sign(source, self._key, self.apex, self.public, inception=NOW - DAY, expiration=NOW + DAY)
        return dns.rrset.from_rdata(rrset.name, rrset.ttl, made)

    def keys(self) -> list[dns.rrset.RRset]:
        """The DNSKEY RRset, and its signature."""
        rrset = dns.rrset.from_rdata(self.apex, 60, self.public)
        return [rrset, self.signature(rrset)]


def records(*lines: str) -> list[dns.rrset.RRset]:
    """RRsets from lines of a zone file with absolute names: owner, type, data."""
    return [
        dns.rrset.from_text(owner, 60, "IN", type, data) for owner, type, data in (line.split(" ", 2) for line in lines)
    ]


def answered(
    name: str,
    type: str,
    *,
    rcode: str = "NOERROR",
    answer: Sequence[dns.rrset.RRset] = (),
    authority: Sequence[dns.rrset.RRset] = (),
) -> Answer:
    """The answer of an authoritative server with these sections, gone over the wire."""
    made = dns.message.make_response(dns.message.make_query(name, type, want_dnssec=True))
    made.set_rcode(dns.rcode.from_text(rcode))
    made.answer.extend(answer)
    made.authority.extend(authority)
    message = dns.message.from_wire(made.to_wire())
    flags = {"authoritative": True, "tcp": False, "udp_silent": False, "tcp_refused": False}
    return Answer(Address("127.0.0.1"), rcode, **flags, message=message)
