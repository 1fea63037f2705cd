"""Whether a signed answer proves itself: its RRSIG by the zone's DNSKEY, and that key by the parent's DS (RFC 4035).

Only the step from the parent's DS down is looked at; the DS itself is believed as it was found. What was right once is
remembered by its octets, so that looking again costs nothing.
"""

from __future__ import annotations

from datetime import datetime

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.DS import DS

from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.zone import Zone


class _Unproved(Exception):
    """A link from the DS to the answer is missing."""


class Signatures:
    """Checks the answers of one signed zone."""

    def __init__(self, zone: Zone, exchange: Exchange) -> None:
        self._zone = zone
        self._exchange = exchange
        self._keys: dns.rrset.RRset | None = None
        self._right: set[str] = set()

    async def fault(self, answer: Answer, name: str, type: str, now: datetime) -> str:
        """What is wrong with the signatures over that RRset in ``answer``, in words; empty where nothing is."""
        wanted = (dns.name.from_text(name), dns.rdataclass.IN, dns.rdatatype.from_text(type))
        rrset = answer.message.get_rrset(answer.message.answer, *wanted)
        signed = answer.message.get_rrset(
            answer.message.answer, wanted[0], wanted[1], dns.rdatatype.RRSIG, covers=wanted[2]
        )
        if rrset is None:
            return ""
        if signed is None:
            return "the zone is signed, but the answer is not"
        octets = f"{sorted(map(str, rrset))} {sorted(map(str, signed))}"
        if octets in self._right and not _is_over(signed, now):
            return ""
        try:
            keys = await self._trusted_keys(answer, now)
            _validate(rrset, signed, keys, now)
        except (dns.exception.DNSException, _Unproved, Silent) as error:
            return f"its signature does not hold: {error}"
        self._right.add(octets)
        return ""

    async def _trusted_keys(self, answer: Answer, now: datetime) -> dns.rrset.RRset:
        """The zone's DNSKEY RRset, as the server of ``answer`` has it, signed by a key that a DS names."""
        if self._keys is None:
            self._keys = await self._keys_of(answer, now)
        return self._keys

    async def _keys_of(self, answer: Answer, now: datetime) -> dns.rrset.RRset:
        asked = await self._exchange.ask(answer.address, self._zone.name, "DNSKEY", dnssec=True)
        apex = dns.name.from_text(self._zone.name)
        section = asked.message.answer
        keys = asked.message.get_rrset(section, apex, dns.rdataclass.IN, dns.rdatatype.DNSKEY)
        signed = asked.message.get_rrset(
            section, apex, dns.rdataclass.IN, dns.rdatatype.RRSIG, covers=dns.rdatatype.DNSKEY
        )
        if keys is None or signed is None:
            raise _Unproved("the zone has no signed DNSKEY")
        named = [key for key in keys if any(_is_named(apex, key, ds) for ds in self._zone.ds)]
        if not named:
            raise _Unproved("no DS of the parent names a key of the zone")
        anchors = dns.rrset.from_rdata_list(apex, keys.ttl, named)
        _validate(keys, signed, anchors, now)
        return keys


def _validate(rrset: dns.rrset.RRset, signed: dns.rrset.RRset, keys: dns.rrset.RRset, now: datetime) -> None:
    dns.dnssec.validate(rrset, signed, {keys.name: keys}, now=now.timestamp())


def _is_named(apex: dns.name.Name, key: dns.rdata.Rdata, text: str) -> bool:
    """Whether the DS in ``text`` names ``key`` (RFC 4034 section 5.1.4)."""
    ds = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, text)
    assert isinstance(ds, DS)  # noqa: S101 - for the type checker
    try:
        return bool(dns.dnssec.make_ds(apex, key, ds.digest_type, validating=True) == ds)
    except dns.exception.DNSException:
        return False  # a digest or an algorithm that nobody here knows


def _is_over(signed: dns.rrset.RRset, now: datetime) -> bool:
    return any(signature.expiration <= now.timestamp() for signature in signed)
