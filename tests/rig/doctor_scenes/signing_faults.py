"""What can be wrong with a signed zone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import dns.dnssec
import dns.message
import dns.rcode
import dns.rdatatype

from dnsbroker.testing.behaviour import Behaviour
from dnsbroker.testing.nameserver import Zone
from doctor_scenes.scene import ERROR, NOTICE, WARNING, Act, Scene
from practice import RECORDS, ZONE, Practice
from signing import DAY, NOW, ZoneKey, records

_HOUR = timedelta(hours=1)
_KEY, _OTHER = ZoneKey(ZONE), ZoneKey(ZONE)


def signed(practice: Practice) -> None:
    """The zone is signed by one key, its DS is in the parent, and the resolver validates."""
    practice.moment = NOW
    _KEY.sign_zone(*practice.zones)
    practice.tree.delegate(f"example DS {_KEY.ds}")
    practice.tree.resolver.behaviour.validates = True


def resigned(copies: slice, key: ZoneKey = _KEY, **moments: object) -> Act:
    """Some copies are signed anew, by another key or for another time."""

    def act(practice: Practice) -> None:
        _load(practice.zones[copies])
        key.sign_zone(*practice.zones[copies], **moments)  # type: ignore[arg-type]

    return act


def _load(copies: Sequence[Zone]) -> None:
    for each in copies:
        each.load(f"@ SOA ns1 host 1 3600 600 86400 60\n{RECORDS}")


def other_ds(ds: str) -> Act:
    """The parent has that DS alone."""

    def act(practice: Practice) -> None:
        practice.tree.test.remove(ZONE, "DS")
        if ds:
            practice.tree.delegate(f"example DS {ds}")

    return act


def silent_of_ds(practice: Practice) -> None:
    """The parent's servers cannot be asked for DS."""
    practice.tree.top.behaviour.failing = frozenset({"DS"})


def resolving(**switches: object) -> Act:
    """The resolver says so."""

    def act(practice: Practice) -> None:
        for switch, value in switches.items():
            setattr(practice.tree.resolver.behaviour, switch, value)

    return act


@dataclass
class Hashed(Behaviour):
    """Denies by NSEC3 records that are made for the question, rightly signed, with so many additional iterations."""

    iterations: int = 0
    key: ZoneKey = field(default=_KEY)

    def bend(self, query: dns.message.Message, reply: dns.message.Message, *, tcp: bool) -> None:
        """Put NSEC3 in the place of NSEC."""
        super().bend(query, reply, tcp=tcp)
        ranges = [rrset for rrset in reply.authority if rrset.rdtype == dns.rdatatype.NSEC]
        if not ranges:
            return
        reply.authority[:] = [rrset for rrset in reply.authority if rrset.rdtype == dns.rdatatype.SOA]
        name = query.question[0].name.to_text().lower()
        made = [self._range(ZONE, 0, "NS SOA RRSIG DNSKEY")]
        if reply.rcode() == dns.rcode.NXDOMAIN:
            made += [self._range(name, -1), self._range(f"*.{ZONE}", -1)]
        for rrset in records(*made):
            reply.authority += [rrset, self.key.signature(rrset)]

    def _range(self, name: str, since: int, types: str = "") -> str:
        """The record from so far before the hash of ``name`` to right after it."""
        digest = base64.b32hexdecode(dns.dnssec.nsec3_hash(name, None, self.iterations, 1))
        own, end = (
            base64.b32hexencode((int.from_bytes(digest, "big") + by).to_bytes(20, "big")).decode() for by in (since, 1)
        )
        return f"{own}.{ZONE} NSEC3 1 0 {self.iterations} - {end} {types}".strip()


def hashed(iterations: int) -> Act:
    """Both servers deny by NSEC3."""

    def act(practice: Practice) -> None:
        for zone in practice.zones:
            zone.behaviour = Hashed(iterations=iterations)

    return act


def signed_with_hashes(practice: Practice) -> None:
    """As RFC 9276 wants them."""
    signed(practice)
    hashed(0)(practice)


_BOTH, _SECOND = slice(0, 2), slice(1, 2)

SIGNED = (
    Scene("bogus-signature", ERROR, lambda practice: practice.zones[1].bump(7), signed),
    Scene("denial-unsound", ERROR, lambda practice: practice.zones[1].remove(ZONE, "NSEC"), signed),
    Scene("ds-mismatch", ERROR, other_ds(_OTHER.ds), signed),
    Scene("ds-unknown", WARNING, silent_of_ds, signed),
    Scene("insecure-parent", NOTICE, resolving(insecure=frozenset({ZONE})), signed),
    Scene("not-signed", NOTICE, other_ds(""), signed),
    Scene("nsec3-iterations", NOTICE, hashed(100), signed_with_hashes),
    Scene("nsec3-iterations", WARNING, hashed(101), signed_with_hashes),
    Scene("resolver-does-not-validate", NOTICE, resolving(validates=False), signed),
    Scene("resolver-fails", NOTICE, resolving(failing=frozenset({"SOA"})), signed),
    Scene("resolver-says-bogus", ERROR, resolving(bogus=frozenset({ZONE})), signed),
    Scene("signature-early", ERROR, resigned(_SECOND, since=NOW + _HOUR, until=NOW + 9 * DAY), signed),
    Scene("signature-expires", ERROR, resigned(_SECOND, since=NOW - 20 * DAY, until=NOW - _HOUR), signed),
    Scene("signature-expires", WARNING, resigned(_BOTH, since=NOW - 14 * DAY, until=NOW + DAY), signed),
    Scene("unsigned-server", ERROR, lambda practice: _load(practice.zones[_SECOND]), signed),
    Scene("weak-algorithm", WARNING, other_ds("12345 1 2 " + "ab" * 32), signed),
)
