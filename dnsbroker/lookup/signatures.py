"""Whether a signed answer proves itself: its RRSIG by the zone's DNSKEY, and that key by the parent's DS (RFC 4035).

Only the step from the parent's DS down is looked at; the DS itself is believed as it was found. What was right once is
remembered by its octets, so that looking again costs nothing. Denials are not looked at.
"""

from __future__ import annotations

from datetime import datetime

import dns.exception
import dns.rrset

from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.chain import names_key, supported, validate, with_signatures
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.zone import Zone

#: A CA looks a while after us: what ends sooner than this many seconds counts as over.
_MARGIN = 3600


class _Unproved(Exception):
    """A link from the DS to the answer is missing."""


class Signatures:
    """Checks the answers of one zone; one without a DS that anybody can check is not signed (RFC 4035 section 5.2)."""

    def __init__(self, zone: Zone, exchange: Exchange) -> None:
        self._zone = zone.name
        self._exchange = exchange
        self._ds = supported(zone.ds)
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
        rrset, signed = with_signatures(answer.message.answer, name, type)
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
                return validate(rrset, signed, self._keys, now)
        except dns.exception.DNSException:
            self._keys = None
        keys = await self._trusted_keys(answer, now)
        validate(rrset, signed, keys, now)
        self._keys = keys

    async def _trusted_keys(self, answer: Answer, now: datetime) -> dns.rrset.RRset:
        """The zone's DNSKEY RRset, as the server of ``answer`` has it, signed by a key that a DS names."""
        asked = await self._exchange.ask(answer.address, self._zone, "DNSKEY", dnssec=True)
        keys, signed = with_signatures(asked.message.answer, self._zone, "DNSKEY")
        if keys is None or signed is None:
            raise _Unproved("the zone has no signed DNSKEY")
        named = [key for key in keys if any(names_key(ds, keys.name, key) for ds in self._ds)]
        if not named:
            raise _Unproved("no DS of the parent names a key of the zone")
        validate(keys, signed, dns.rrset.from_rdata_list(keys.name, keys.ttl, named), now)
        return keys


def signed_until(answer: Answer, name: str, type: str) -> float | None:
    """When the last signature over that RRset in ``answer`` ends (seconds since the epoch); None where it has none.

    Until then whoever kept the answer can give it out again (RFC 7671 section 13).
    """
    _, signed = with_signatures(answer.message.answer, name, type)
    return max((float(signature.expiration) for signature in signed), default=None) if signed else None
