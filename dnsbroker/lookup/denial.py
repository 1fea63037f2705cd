"""Whether a zone's denials prove themselves: NSEC (RFC 4035 section 5.4) and NSEC3 (RFC 5155 section 8).

Pure. Only two questions are understood: about the apex, for a type that is not there, and about a name one label below
it that does not exist; the closest encloser is the apex in both. White lies (RFC 4470) and compact denial (RFC 9824),
where the server makes the record for the question, are proofs like any other.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset

from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.chain import with_signatures
from dnsbroker.lookup.proofs import Keys, State, proof, rrset_proof
from dnsbroker.names import shown


class _Range(Protocol):
    """One NSEC or NSEC3 record."""

    @property
    def types(self) -> frozenset[int]:
        """The types that there are where it stands."""
        ...

    def is_at(self, name: dns.name.Name) -> bool:
        """Whether it stands for ``name`` itself."""
        ...

    def covers(self, name: dns.name.Name) -> bool:
        """Whether it says that ``name`` does not exist."""
        ...


@dataclass(frozen=True)
class _Nsec:
    owner: dns.name.Name
    next: dns.name.Name
    apex: dns.name.Name
    types: frozenset[int]

    def is_at(self, name: dns.name.Name) -> bool:
        return bool(self.owner == name)

    def covers(self, name: dns.name.Name) -> bool:
        return bool(self.owner < name and (name < self.next or self.next == self.apex))


@dataclass(frozen=True)
class _Nsec3:
    owner: str
    next: str
    salt: bytes
    iterations: int
    types: frozenset[int]

    def is_at(self, name: dns.name.Name) -> bool:
        return self.owner == self._hash(name)

    def covers(self, name: dns.name.Name) -> bool:
        digest = self._hash(name)
        if self.owner < self.next:
            return self.owner < digest < self.next
        return digest > self.owner or digest < self.next

    def _hash(self, name: dns.name.Name) -> str:
        return dns.dnssec.nsec3_hash(name, self.salt, self.iterations, 1)


def flaw(answer: Answer, zone: str, name: str, type: str, keys: Keys, now: datetime) -> str:
    """Why the denial in ``answer`` proves nothing, in words; empty where it does, or where there is nothing to deny.

    The question was for ``type`` at ``name``: the apex of ``zone``, or a name one label below it.
    """
    if answer.rcode not in ("NOERROR", "NXDOMAIN"):
        return f"{answer.rcode} instead of a denial"
    made = [kind for kind in (type, "CNAME") if answer.is_synthesised(name, kind)]
    if answer.message.answer and not made:
        return ""  # it is there, or redirected by a DNAME
    wrong = [kind for kind in made if proof(answer, name, kind, keys, now).state is not State.RIGHT]
    if wrong:
        return f"the {wrong[0]} that a wildcard makes is not rightly signed"
    apex = dns.name.from_text(zone)
    ranges, fault = _ranges(answer, apex, keys, now)
    return fault or _Denial(ranges, apex, dns.name.from_text(name)).flaw(answer.rcode, type, is_synthesised=bool(made))


def iterations(answer: Answer) -> int:
    """The additional iterations of the answer's NSEC3 records (RFC 5155 section 3.1.3); 0 where it has none."""
    return max((rdata.iterations for rrset in _rrsets(answer, "NSEC3") for rdata in rrset), default=0)


@dataclass(frozen=True)
class _Denial:
    """What ``ranges`` say of ``name``, the apex or one label below it."""

    ranges: Sequence[_Range]
    apex: dns.name.Name
    name: dns.name.Name

    def flaw(self, rcode: str, type: str, *, is_synthesised: bool) -> str:
        """What is missing for the proof."""
        if not self.ranges:
            return "no NSEC or NSEC3 record is given"
        wildcard = dns.name.Name((b"*", *self.apex.labels))
        if is_synthesised:
            return self._uncovered(self.name)
        if rcode == "NXDOMAIN":
            return self._without_encloser() or self._uncovered(self.name) or self._uncovered(wildcard)
        if self.name == self.apex or self._at(self.name):
            return self._not_without(self.name, type)
        return self._without_encloser() or self._uncovered(self.name) or self._not_without(wildcard, type)

    def _at(self, name: dns.name.Name) -> list[_Range]:
        return [one for one in self.ranges if one.is_at(name)]

    def _uncovered(self, name: dns.name.Name) -> str:
        return "" if any(one.covers(name) for one in self.ranges) else f"no record covers {_shown(name)}"

    def _not_without(self, name: dns.name.Name, type: str) -> str:
        """Why it is not proved that ``name`` is there and has no ``type``."""
        found = self._at(name)
        if not found:
            return f"no record stands for {_shown(name)}"
        wanted = {int(dns.rdatatype.from_text(kind)) for kind in (type, "CNAME")}
        return f"the record for {_shown(name)} says that it has a {type}" if found[0].types & wanted else ""

    def _without_encloser(self) -> str:
        """NSEC3 has to show the apex too, for a hash does not tell where a name hangs (RFC 5155 section 8.3)."""
        if isinstance(self.ranges[0], _Nsec) or self._at(self.apex):
            return ""
        return f"no record stands for {_shown(self.apex)}"


def _shown(name: dns.name.Name) -> str:
    return shown(name.to_text().lower())


def _ranges(answer: Answer, apex: dns.name.Name, keys: Keys, now: datetime) -> tuple[list[_Range], str]:
    """The records of the answer that prove denials, and what is wrong with the signatures over them."""
    found: list[_Range] = []
    for kind, read in (("NSEC", _nsec), ("NSEC3", _nsec3)):
        for rrset in _rrsets(answer, kind):
            state = _state(answer, rrset, kind, keys, now)
            if state is not State.RIGHT:
                return [], f"the signature of its {kind} record is {state}"
            found += read(rrset, apex)
    parameters = {(one.salt, one.iterations) for one in found if isinstance(one, _Nsec3)}
    return found, "its NSEC3 records differ in their parameters" if len(parameters) > 1 else ""  # RFC 5155 section 8.2


def _state(answer: Answer, rrset: dns.rrset.RRset, kind: str, keys: Keys, now: datetime) -> State:
    signed = with_signatures(answer.message.authority, rrset.name.to_text(), kind)
    return rrset_proof(*signed, keys, now).state


def _rrsets(answer: Answer, kind: str) -> list[dns.rrset.RRset]:
    return [rrset for rrset in answer.message.authority if rrset.rdtype == dns.rdatatype.from_text(kind)]


def _nsec(rrset: dns.rrset.RRset, apex: dns.name.Name) -> Iterable[_Range]:
    return [_Nsec(rrset.name, rdata.next, apex, _types(rdata.windows)) for rdata in rrset]


def _nsec3(rrset: dns.rrset.RRset, apex: dns.name.Name) -> Iterable[_Range]:
    """Those with unknown algorithms or flags are none (RFC 5155 sections 8.1 and 8.2)."""
    owner = rrset.name.labels[0].decode("ascii", "replace").upper()
    return [
        _Nsec3(owner, base64.b32hexencode(rdata.next).decode(), rdata.salt, rdata.iterations, _types(rdata.windows))
        for rdata in rrset
        if rdata.algorithm == 1 and rdata.flags <= 1
    ]


def _types(windows: Iterable[tuple[int, bytes]]) -> frozenset[int]:
    """The types in a bitmap (RFC 4034 section 4.1.2)."""
    return frozenset(
        window * 256 + place * 8 + bit
        for window, octets in windows
        for place, octet in enumerate(octets)
        for bit in range(8)
        if octet & 0x80 >> bit
    )
