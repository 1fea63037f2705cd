"""What signatures prove, and until when: one server's keys, and each RRset that it signs with them.

Pure: answers go in. A proof is told with its reason and its times, for people; whoever only wants to know whether an
answer holds uses ``dnsbroker.lookup.signatures``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import dns.dnssec
import dns.exception
import dns.rdata
import dns.rrset
from dns.rdtypes.ANY.DS import DS
from dns.rdtypes.ANY.RRSIG import RRSIG

from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.chain import names_key, supported, validate, with_signatures

_SEP = 0x0001
_SHA1 = 1
#: Signing with these is over (RFC 9905): some validators refuse them, or treat the zone as unsigned.
_OUTDATED_ALGORITHMS = (5, 7)


class State(StrEnum):
    """How it stands with an RRset's signatures."""

    RIGHT = "right"
    ABSENT = "absent"  # not even the RRset
    UNSIGNED = "unsigned"
    WRONG = "wrong"
    EARLY = "early"  # their time has not come
    OVER = "over"


@dataclass(frozen=True)
class Proof:
    """Of one RRset. ``since`` and ``until``: the time of the signature that lasts longest; None where there is none."""

    state: State
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def left(self, now: datetime) -> timedelta | None:
        """How long it holds from ``now``; None where it does not."""
        return self.until - now if self.state is State.RIGHT and self.until else None

    def ends_soon(self, now: datetime, soon: timedelta) -> bool:
        """Whether less than ``soon`` is left, and less than a tenth of the whole time.

        The second because there are servers whose every signature is made for a few hours, when it is asked for.
        """
        left = self.left(now)
        if left is None or self.since is None or self.until is None:
            return False
        return left < soon and left < (self.until - self.since) / 10


@dataclass(frozen=True)
class Keys:
    """A zone's keys as one server has them: ``proof`` is that of the DNSKEY RRset, by a key that a DS names.

    ``tags`` are all keys'; ``ds`` the DS values that would name those that sign the RRset; ``is_named``: one of the
    parent's does.
    """

    proof: Proof
    tags: tuple[int, ...] = ()
    ds: tuple[str, ...] = ()
    is_named: bool = False
    rrset: dns.rrset.RRset | None = None


def can_be_checked(ds: Sequence[str]) -> bool:
    """Whether validators know the algorithm of any of the parent's DS values; else the zone counts as unsigned."""
    return bool(supported(ds))


def outdated(ds: Sequence[str]) -> tuple[str, ...]:
    """The DS values, if there is no better one, whose algorithm or digest validators give up."""
    known = supported(ds)
    if any(one.algorithm not in _OUTDATED_ALGORITHMS and one.digest_type != _SHA1 for one in known):
        return ()
    return tuple(ds)


def read_keys(answer: Answer, zone: str, ds: Sequence[str], now: datetime) -> Keys:
    """The keys in ``answer``, held against the parent's ``ds``."""
    rrset, signatures = with_signatures(answer.message.answer, zone, "DNSKEY")
    if rrset is None:
        reason = "truncated by UDP, and TCP gave nothing" if answer.tcp_refused else answer.rcode
        return Keys(Proof(State.ABSENT, reason))
    tags = tuple(sorted(dns.dnssec.key_id(key) for key in rrset))
    named = _named(rrset, supported(ds))
    trusted = dns.rrset.from_rdata_list(rrset.name, rrset.ttl, named) if named else rrset
    return Keys(_proof(rrset, signatures, trusted, now), tags, _fitting(rrset, signatures), bool(named), rrset)


def proof(answer: Answer, name: str, type: str, keys: Keys, now: datetime) -> Proof:
    """What is proved of the RRset of ``name`` in the answer section."""
    return rrset_proof(*with_signatures(answer.message.answer, name, type), keys, now)


def rrset_proof(rrset: dns.rrset.RRset | None, signatures: dns.rrset.RRset | None, keys: Keys, now: datetime) -> Proof:
    """What is proved of ``rrset``."""
    if rrset is None:
        return Proof(State.ABSENT)
    if keys.rrset is None:
        return Proof(State.UNSIGNED if signatures is None else State.WRONG, "there is no key to check it by")
    return _proof(rrset, signatures, keys.rrset, now)


def _proof(rrset: dns.rrset.RRset, signatures: dns.rrset.RRset | None, keys: dns.rrset.RRset, now: datetime) -> Proof:
    if signatures is None:
        return Proof(State.UNSIGNED)
    seconds = now.timestamp()
    timely = [one for one in signatures if one.inception <= seconds <= one.expiration]
    longest = max(timely or signatures, key=lambda one: one.expiration)
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (longest.inception, longest.expiration))
    if not timely:
        return Proof(State.EARLY if longest.inception > seconds else State.OVER, "", since, until)
    try:
        validate(rrset, dns.rrset.from_rdata_list(signatures.name, signatures.ttl, timely), keys, now)
    except dns.exception.DNSException:
        return Proof(State.WRONG, _reason(timely, keys), since, until)
    return Proof(State.RIGHT, "", since, until)


def _reason(signatures: Sequence[RRSIG], keys: dns.rrset.RRset) -> str:
    """Why none of ``signatures`` proves anything by ``keys``."""
    able = {dns.dnssec.key_id(key) for key in keys}
    used = {signature.key_tag for signature in signatures}
    if used & able:
        return "its signature does not fit it"
    return f"signed by key {_tags(used)} instead of {_tags(able)}"


def _tags(tags: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(tags)))


def _named(rrset: dns.rrset.RRset, ds: Sequence[DS]) -> list[dns.rdata.Rdata]:
    return [key for key in rrset if any(names_key(one, rrset.name, key) for one in ds)]


def _fitting(rrset: dns.rrset.RRset, signatures: dns.rrset.RRset | None) -> tuple[str, ...]:
    """The DS values, by SHA-256, of the keys that sign the keys; of those marked for it, where there are any."""
    signing = {signature.key_tag for signature in signatures or ()}
    able = [key for key in rrset if dns.dnssec.key_id(key) in signing]
    marked = [key for key in able if key.flags & _SEP] or able
    return tuple(sorted(dns.dnssec.make_ds(rrset.name, key, "SHA256").to_text() for key in marked))
