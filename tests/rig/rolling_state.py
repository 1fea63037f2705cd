"""What a ``rolling_world`` is made of: chains, what servers and caches have, and a client that judges by itself."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from dnsbroker.rolling import View
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Subject, Tlsa

#: No key, or nothing of what is asked for.
NONE = -1


class Chain(NamedTuple):
    """A certificate for a key, issued by the CA."""

    key: int
    issuer: int


class Cached(NamedTuple):
    """A set that no server gives out any more, since ``age`` ticks."""

    records: frozenset[Tlsa]
    age: int


class Owner(NamedTuple):
    """One owner name: what its servers give out, what is on the way to each, what caches may have, what is known.

    ``ends``: in how many ticks the signatures end of what each gives out, NONE for those that last.
    """

    gives: tuple[frozenset[Tlsa], ...]
    coming: tuple[tuple[frozenset[Tlsa], ...], ...]
    is_silent: bool
    cached: tuple[Cached, ...]
    memory: int
    ours: frozenset[Tlsa]
    stood: int = NONE
    ends: tuple[int, ...] = ()

    @property
    def given(self) -> tuple[frozenset[Tlsa], ...]:
        """What servers give out that a validating client takes."""
        return tuple(each for each, end in zip(self.gives, self.ends or self.gives, strict=True) if end != 0)

    @property
    def truth(self) -> frozenset[Tlsa]:
        """What the provider has."""
        return self.coming[0][-1] if self.coming[0] else self.gives[0]


class Remembered(NamedTuple):
    """A Memory that can be told from others."""

    views: tuple[View, ...] = ()
    since: tuple[tuple[Tlsa, float], ...] = ()
    is_whole: bool = False


class Seen(NamedTuple):
    """The key that an address was seen with last, since ``age`` ticks, and those before it, as far as they matter."""

    key: int = NONE
    age: int = 0
    before: frozenset[int] = frozenset()


class State(NamedTuple):
    """The world at a moment; an address whose daemon is dead serves None.

    ``previous`` was live before, ``refused`` is the certificate that is, or was, to be taken back.
    """

    owners: tuple[Owner, ...]
    served: tuple[Chain | None, ...]
    live: Chain
    seen: tuple[Seen, ...]
    next: int = NONE
    held: Chain | None = None
    is_asked: bool = False
    is_due: bool = False
    is_pressing: bool = False
    is_emergency: bool = False
    is_hidden: bool = False
    is_loud: bool = False
    previous: Chain | None = None
    refused: Chain | None = None
    shown: int = NONE
    outage: int = NONE
    wrong: str = ""
    rolled: int = 0
    faults: int = 0
    taken: frozenset[Tlsa] = frozenset()


@cache
def covers(records: frozenset[Tlsa], chain: Chain) -> bool:
    """Whether each kind in ``records`` names ``chain`` (RFC 7671 section 8.1), by a judgement of its own."""
    return {record.kind for record in records} == {record.kind for record in records if _names(record, chain)}


@cache
def accepts(records: frozenset[Tlsa], chain: Chain) -> bool:
    """Whether a client that follows RFC 7671 accepts ``chain``; the strongest digest counts (section 9)."""
    strongest = {(r.kind.usage, r.kind.selector): 0 for r in records}
    for record in records:
        which = (record.kind.usage, record.kind.selector)
        strongest[which] = max(strongest[which], record.kind.matching)
    heeded = [r for r in records if r.kind.matching == strongest[r.kind.usage, r.kind.selector]]
    return not records or any(_names(record, chain) for record in heeded)


@cache
def _names(record: Tlsa, chain: Chain) -> bool:
    its = present(chain)
    return any(record.names(subject) for subject in (its.authorities if record.kind.usage == 2 else (its.leaf,)))


@cache
def present(chain: Chain) -> Presented:
    """The chain as the program sees it; a key alone where no CA has issued one."""
    key = b"key-%d" % chain.key
    if chain.issuer == NONE:
        return Presented(Subject(b"", key))
    return Presented(
        Subject(b"cert-%d-%d" % chain, key), (Subject(b"ca-%d" % chain.issuer, b"ca-key-%d" % chain.issuer),)
    )
