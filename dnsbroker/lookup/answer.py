"""What a name server answered, read in this project's words.

An answer is a value and judges nothing: whether it is good, stale or lame is decided by those who asked. A fact is
read only from the section that may carry it, and only from records of the very owner that was meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from dnsbroker.lookup.address import Address
from dnsbroker.names import is_within, labels
from dnsbroker.records import octets_text


@dataclass(frozen=True)
class SOA:
    """A start of authority; times in seconds (RFC 1035 section 3.3.13)."""

    zone: str
    primary: str
    serial: int
    refresh: int
    minimum: int
    ttl: int
    retry: int = 600
    expire: int = 1_209_600

    @property
    def negative_ttl(self) -> int:
        """Seconds for which a resolver keeps a denial from this zone (RFC 2308 sections 3 and 5)."""
        return min(self.ttl, self.minimum)


@dataclass(frozen=True)
class Answer:
    """One server's answer to one question.

    ``rcode`` is the mnemonic (``NOERROR``, ``NXDOMAIN``, …). ``tcp``: it came by TCP; ``udp_silent``: because nothing
    usable came by UDP. ``tcp_refused``: it came by UDP, truncated, and TCP gave nothing. ``message`` is dnspython's,
    for use inside this package and in the validation of signatures.
    """

    address: Address
    rcode: str
    authoritative: bool
    tcp: bool
    udp_silent: bool
    tcp_refused: bool
    message: dns.message.Message

    def values(self, name: str, type: str) -> frozenset[str]:
        """The values in the answer section at owner ``name`` itself; aliases are not followed."""
        found = _find(self.message.answer, name, type)
        return frozenset(map(_text, found)) if found else frozenset()

    def ttl(self, name: str, type: str) -> int | None:
        """The TTL, in seconds, of the RRset in the answer section; None where it is not there."""
        found = _find(self.message.answer, name, type)
        return found.ttl if found else None

    def alias(self, name: str) -> str | None:
        """The target of the CNAME at ``name``, also of one that was synthesised; None where there is none."""
        return next(iter(self.values(name, "CNAME")), None)

    def dname_above(self, name: str) -> str | None:
        """The owner of the DNAME that redirects ``name`` (RFC 6672): strictly above it; None where there is none."""
        owners = [_owner(rrset) for rrset in self.message.answer if rrset.rdtype == dns.rdatatype.DNAME]
        return _longest(owner for owner in owners if owner != name and is_within(name, owner))

    def denies(self, name: str) -> bool:
        """Whether this says that ``name`` does not exist; an alias whose target does not, does exist itself."""
        return self.rcode == "NXDOMAIN" and not self.alias(name) and not self.dname_above(name)

    def soa(self, zone: str) -> SOA | None:
        """The SOA of ``zone`` from the answer or, with a denial, the authority section."""
        found = _find([*self.message.answer, *self.message.authority], zone, "SOA")
        if not found:
            return None
        data = found[0]
        primary = _name(data.mname)
        return SOA(zone, primary, data.serial, data.refresh, data.minimum, found.ttl, data.retry, data.expire)

    def apex(self, name: str) -> str | None:
        """The zone of ``name`` that this answer's SOA speaks for: at or above ``name``; None where it has no SOA."""
        rrsets = [*self.message.answer, *self.message.authority]
        owners = [_owner(rrset) for rrset in rrsets if rrset.rdtype == dns.rdatatype.SOA]
        return _longest(owner for owner in owners if is_within(name, owner))

    def referral(self, name: str) -> str | None:
        """The zone that this answer refers to for ``name``, at or above it; None where it is no referral.

        Whether that zone lies below the one that was asked (else the server is lame) is for the caller to see.
        """
        if self.rcode != "NOERROR" or self.message.answer or self.apex(name):
            return None
        owners = [_owner(rrset) for rrset in self.message.authority if rrset.rdtype == dns.rdatatype.NS]
        return _longest(owner for owner in owners if is_within(name, owner))

    def delegation(self, zone: str, type: str = "NS") -> frozenset[str]:
        """The NS (or DS) values that a referral gives for ``zone`` in its authority section."""
        found = _find(self.message.authority, zone, type)
        return frozenset(map(_text, found)) if found else frozenset()

    def addresses(self, host: str) -> frozenset[str]:
        """The IP addresses given for ``host``, as glue or as the answer itself."""
        sections = [*self.message.answer, *self.message.additional]
        found = [_find(sections, host, type) for type in ("A", "AAAA")]
        return frozenset(_text(rdata) for rrset in found if rrset for rdata in rrset)

    def is_synthesised(self, name: str, type: str) -> bool:
        """Whether a signature shows that the RRset at ``name`` was made from a wildcard (RFC 4035 section 5.3.4).

        False also where there is no signature, which shows nothing.
        """
        signatures = _find(self.message.answer, name, "RRSIG", covers=type)
        return bool(signatures) and any(signature.labels < len(labels(name)) for signature in signatures or ())

    def is_signed(self, name: str, type: str) -> bool:
        """Whether signatures over the RRset at ``name`` came with it; whether they are right is not looked at."""
        return bool(_find(self.message.answer, name, "RRSIG", covers=type))


def _find(section: Iterable[dns.rrset.RRset], name: str, type: str, covers: str = "NONE") -> dns.rrset.RRset | None:
    wanted = (dns.name.from_text(name), dns.rdatatype.from_text(type), dns.rdatatype.from_text(covers))
    return next((rrset for rrset in section if (rrset.name, rrset.rdtype, rrset.covers) == wanted), None)


def _longest(owners: Iterable[str]) -> str | None:
    return max(owners, key=lambda owner: len(labels(owner)), default=None)


def _owner(rrset: dns.rrset.RRset) -> str:
    return _name(rrset.name)


def _name(name: dns.name.Name) -> str:
    """``name`` as text: lower case, final dot. Octets that host names lack stay escaped (RFC 1035 section 5.1)."""
    return name.to_text().lower()


def _text(rdata: dns.rdata.Rdata) -> str:
    """One value in the form of ``dnsbroker.records``; types without a form of ours as zone files have them."""
    if isinstance(rdata, dns.rdata.GenericRdata) and rdata.rdtype == dns.rdatatype.TLSA:
        return f"{rdata.data[0]} {rdata.data[1]} {rdata.data[2]} {rdata.data[3:].hex()}"
    match rdata.rdtype:
        case dns.rdatatype.TXT:
            return octets_text(b"".join(rdata.strings))  # type: ignore[attr-defined]
        case dns.rdatatype.NS | dns.rdatatype.CNAME | dns.rdatatype.DNAME:
            return _name(rdata.target)  # type: ignore[attr-defined]
        case dns.rdatatype.MX:
            return f"{rdata.preference} {_name(rdata.exchange)}"  # type: ignore[attr-defined]
        case dns.rdatatype.TLSA:
            return f"{rdata.usage} {rdata.selector} {rdata.mtype} {rdata.cert.hex()}"  # type: ignore[attr-defined]
        case dns.rdatatype.DS:
            return f"{rdata.key_tag} {int(rdata.algorithm)} {int(rdata.digest_type)} {rdata.digest.hex()}"  # type: ignore[attr-defined]
        case _:
            return rdata.to_text()
