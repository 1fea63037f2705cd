"""Whether a signed answer proves itself: its RRSIG by the zone's DNSKEY, and that key by the parent's DS (RFC 4035).

Only the step from the parent's DS down is looked at; the DS itself is believed as it was found. What was right once is
remembered by its octets, so that looking again costs nothing. Denials are not looked at.
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
from dns.dnssecalgs import get_algorithm_cls
from dns.dnssectypes import DSDigest
from dns.rdtypes.ANY.DS import DS

from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.zone import Zone

#: A CA looks a while after us: what ends sooner than this many seconds counts as over.
_MARGIN = 3600
_DIGESTS = (DSDigest.SHA1, DSDigest.SHA256, DSDigest.SHA384)
#: Validators treat these as unknown (RFC 8624 section 3.1): RSAMD5, DSA, DSA-NSEC3-SHA1.
_ABANDONED = (1, 3, 6)


class _Unproved(Exception):
    """A link from the DS to the answer is missing."""


class Signatures:
    """Checks the answers of one zone; one without a DS that anybody can check is not signed (RFC 4035 section 5.2)."""

    def __init__(self, zone: Zone, exchange: Exchange) -> None:
        self._zone = zone.name
        self._exchange = exchange
        self._ds = [ds for ds in map(_ds, zone.ds) if _is_supported(ds)]
        self._keys: dns.rrset.RRset | None = None
        self._right: set[str] = set()

    @property
    def are_due(self) -> bool:
        """Whether the zone's answers have to be signed."""
        return bool(self._ds)

    async def fault(self, answer: Answer, name: str, type: str, now: datetime) -> str:
        """What is wrong with the signatures over that RRset in ``answer``, in words; empty where nothing is.

        The zone's keys are asked of the server that gave the answer. Raises Silent where it does not give them.
        """
        rrset, signed = _signed(answer, name, type)
        if rrset is None or not self.are_due:
            return ""
        if signed is None:
            return "the zone is signed, but the answer is not"
        octets = f"{name} {sorted(map(str, rrset))} {sorted(map(str, signed))}"
        seconds = int(now.timestamp())
        lasting = [signature for signature in signed if signature.expiration >= seconds + _MARGIN]
        usable = dns.rrset.from_rdata_list(signed.name, signed.ttl, lasting or list(signed))
        if octets in self._right and lasting:
            return ""
        try:
            await self._prove(answer, rrset, usable, now)
        except (dns.exception.DNSException, _Unproved) as error:
            return f"its signature does not hold: {error}"
        if not lasting:
            return f"its signature is over at {datetime.fromtimestamp(signed[0].expiration, now.tzinfo):%H:%M:%S} UTC"
        self._right.add(octets)
        return ""

    async def _prove(self, answer: Answer, rrset: dns.rrset.RRset, signed: dns.rrset.RRset, now: datetime) -> None:
        """Raise where ``signed`` proves ``rrset`` neither by the known keys nor, after a roll-over, by the new ones."""
        try:
            if self._keys is not None:
                return _validate(rrset, signed, self._keys, now)
        except dns.exception.DNSException:
            self._keys = None
        keys = await self._trusted_keys(answer, now)
        _validate(rrset, signed, keys, now)
        self._keys = keys

    async def _trusted_keys(self, answer: Answer, now: datetime) -> dns.rrset.RRset:
        """The zone's DNSKEY RRset, as the server of ``answer`` has it, signed by a key that a DS names."""
        asked = await self._exchange.ask(answer.address, self._zone, "DNSKEY", dnssec=True)
        keys, signed = _signed(asked, self._zone, "DNSKEY")
        if keys is None or signed is None:
            raise _Unproved("the zone has no signed DNSKEY")
        named = [key for key in keys if any(_is_named(keys.name, key, ds) for ds in self._ds)]
        if not named:
            raise _Unproved("no DS of the parent names a key of the zone")
        _validate(keys, signed, dns.rrset.from_rdata_list(keys.name, keys.ttl, named), now)
        return keys


def _signed(answer: Answer, name: str, type: str) -> tuple[dns.rrset.RRset | None, dns.rrset.RRset | None]:
    """The RRset in the answer section, and its signatures."""
    owner, kind = dns.name.from_text(name), dns.rdatatype.from_text(type)
    find, section = answer.message.get_rrset, answer.message.answer
    return (
        find(section, owner, dns.rdataclass.IN, kind),
        find(section, owner, dns.rdataclass.IN, dns.rdatatype.RRSIG, covers=kind),
    )


def _validate(rrset: dns.rrset.RRset, signed: dns.rrset.RRset, keys: dns.rrset.RRset, now: datetime) -> None:
    dns.dnssec.validate(rrset, signed, {keys.name: keys}, now=now.timestamp())


def _ds(text: str) -> DS:
    ds = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, text)
    assert isinstance(ds, DS)  # noqa: S101 - for the type checker
    return ds


def _is_supported(ds: DS) -> bool:
    try:
        get_algorithm_cls(ds.algorithm)
    except dns.exception.DNSException:
        return False
    return ds.algorithm not in _ABANDONED and ds.digest_type in _DIGESTS


def _is_named(apex: dns.name.Name, key: dns.rdata.Rdata, ds: DS) -> bool:
    """Whether ``ds`` names ``key`` (RFC 4034 section 5.1.4)."""
    return bool(dns.dnssec.make_ds(apex, key, ds.digest_type, validating=True) == ds)
