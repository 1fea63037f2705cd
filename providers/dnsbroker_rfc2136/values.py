"""Record values as rdata, and rdata as record values.

Rule: rdata is compared as rdata, a value as its octets. One TXT value can stand as several rdata, cut into
character-strings differently by whoever wrote it; ours are cut at 255 octets (RFC 1035 section 3.3). TTLs are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY import TLSA, TXT

from dnsbroker.errors import NameInvalid
from dnsbroker.records import RecordType, RRset, checked_tlsa, octets_text, text_octets

_STRING_OCTETS = 255


@dataclass(frozen=True)
class Standing:
    """What a server has at one place, which is an owner name and a type.

    ``rdatas`` holds every rdata for each value that stands there. ``alias`` is the target of a CNAME there, or above
    it of a DNAME; ``delegated_to`` names the servers that a zone cut at or above it leads to. ``ttl`` counts only
    where there are values.
    """

    name: str
    type: RecordType
    ttl: int = 0
    rdatas: dict[str, tuple[dns.rdata.Rdata, ...]] = field(default_factory=dict)
    alias: str = ""
    delegated_to: tuple[str, ...] = ()

    @property
    def values(self) -> frozenset[str]:
        """The values that stand there."""
        return frozenset(self.rdatas)

    def rrset(self) -> RRset | None:
        """The same as the core knows it; None where nothing stands."""
        return RRset(self.name, self.type, self.ttl, self.values) if self.rdatas else None

    def says_the_same(self, other: Standing) -> bool:
        """Whether content and TTL equal those of ``other``, whatever its name."""
        return (self.ttl, self.alias, self.values) == (other.ttl, other.alias, other.values)


def canonical(type: RecordType, value: str) -> str:
    """``value`` in the kept form. Raises NameInvalid for a TLSA value that is none."""
    return checked_tlsa(value) if type == "TLSA" else value


def rdata_of(type: RecordType, value: str) -> dns.rdata.Rdata:
    """The rdata that we write for ``value``, which is canonical. Raises NameInvalid where no record can hold it."""
    if type == "TLSA":
        try:
            return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TLSA, value)
        except dns.exception.DNSException as error:
            raise NameInvalid(value, str(error)) from error
    octets = text_octets(value)
    cuts = range(0, max(1, len(octets)), _STRING_OCTETS)
    strings = [octets[cut : cut + _STRING_OCTETS] for cut in cuts]
    return TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)


def value_of(rdata: dns.rdata.Rdata) -> str:
    """The value that ``rdata``, a TXT or TLSA record's, stands for."""
    if isinstance(rdata, TLSA.TLSA):
        return f"{rdata.usage} {rdata.selector} {rdata.mtype} {rdata.cert.hex()}"
    if isinstance(rdata, TXT.TXT):
        return octets_text(b"".join(rdata.strings))
    raise TypeError(f"{dns.rdatatype.to_text(rdata.rdtype)} is neither TXT nor TLSA")


def by_value(rrset: dns.rrset.RRset) -> dict[str, tuple[dns.rdata.Rdata, ...]]:
    """The rdata of an RRset under the values that they stand for."""
    found: dict[str, tuple[dns.rdata.Rdata, ...]] = {}
    for rdata in rrset:
        value = value_of(rdata)
        found[value] = (*found.get(value, ()), rdata)
    return found
