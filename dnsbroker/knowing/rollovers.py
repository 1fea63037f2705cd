"""Key roll-overs under TLSA records as people are to see them: what stands where, whose it is, what is waited for.

Values, and what follows from them alone. Rule: a record is named by what the configuration and the store say of its
key at this moment; what a server has is what it had when it was last looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from dnsbroker.errors import NameInvalid
from dnsbroker.journal import Served, Sight
from dnsbroker.rolling import Step
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import DANE_EE, SHA256, SPKI, Kind, Tlsa, parse

#: What comes after each step, for people: what happens once its waiting is over.
THEN: Mapping[Step, str] = {
    Step.UNPUBLISHED: "`dnsbroker tlsa publish`, or the next `dnsbroker renew`, publishes the first records",
    Step.STAGED: "the next run publishes the record of the next key",
    Step.PUBLISHED: "once every server has the record, the wait for caches begins",
    Step.PROPAGATED: "the next key may be ordered for",
    Step.STEADY: "nothing: renewals keep the present key until a new one is wanted",
    Step.RIPE: "the next run orders a certificate for the next key",
    Step.ISSUED: "the next run puts the new certificate in the place of the live one",
    Step.HELD: "the new certificate goes live; until then the present one is served",
    Step.DEPLOYED: "once every address of ours serves the new key, the old records may go",
    Step.VERIFIED: "the old records are taken away, and a key is made that comes next",
    Step.STUCK: "nothing, until a person has seen to it",
}


class Role(StrEnum):
    """Whose a record is, as far as this host knows."""

    CURRENT = "current"  # it names the key that is live
    NEXT = "next"  # the key that comes next
    HELD = "held"  # the key of a certificate that may not be served yet
    AUTHORITY = "CA"  # a CA of the chain that is live or held, or of ta_pool
    OLD = "old"  # it is ours, and names nothing of all this
    FOREIGN = "foreign"  # it is not ours, and nothing here touches it


@dataclass(frozen=True)
class Cast:
    """Who plays which part at an owner name: everything that certificates with records there have to do with."""

    live: tuple[Presented, ...] = ()
    next: tuple[Presented, ...] = ()
    held: tuple[Presented, ...] = ()
    ta_pool: tuple[str, ...] = ()

    def role(self, record: Tlsa, *, is_ours: bool) -> Role:
        """Whose ``record`` is. One that names a key of ours is ours, whoever wrote it; a CA's is its writer's."""
        if record.kind.is_of_leaf:
            for role, chains in ((Role.CURRENT, self.live), (Role.HELD, self.held), (Role.NEXT, self.next)):
                if any(record.names(chain.leaf) for chain in chains):
                    return role
        if not is_ours:
            return Role.FOREIGN
        chains = (*self.live, *self.held)
        if record.kind.is_of_authority and (
            record.data.hex() in self.ta_pool
            or any(record.names(authority) for chain in chains for authority in chain.authorities)
        ):
            return Role.AUTHORITY
        return Role.OLD


@dataclass(frozen=True)
class Standing:
    """A record at an owner name, ``3 1 1 hex``, and since when every server has it (None: not every one has).

    ``is_withdrawn``: it was ours and was taken away, but a server had it still when it was last looked at.
    """

    value: str
    role: Role
    since: float | None
    is_withdrawn: bool = False


@dataclass(frozen=True)
class Place:
    """An owner name with records that are looked after.

    ``seen`` is when it was last looked at, 0.0 where never; ``is_whole``, whether every address answered then.
    """

    owner: str
    records: tuple[Standing, ...] = ()
    seen: float = 0.0
    is_whole: bool = False


@dataclass(frozen=True)
class Site:
    """An endpoint, where its records stand, and what of a certificate's service they do not cover, in words."""

    endpoint: str
    places: tuple[Place, ...] = ()
    uncovered: tuple[str, ...] = ()

    @property
    def seen(self) -> float:
        """When it was last looked at."""
        return max((place.seen for place in self.places), default=0.0)


@dataclass(frozen=True)
class Rollover:
    """Where the roll-over of ``reference`` (a certificate's name, or a path) stands, and all that is to be known of it.

    ``step`` holds ``since`` a moment (0.0: nothing was done yet) and ``until`` another (None: not a matter of time).
    ``held`` is the serial number of a certificate that may not be served yet; ``trouble`` why it cannot be read.
    """

    reference: str
    step: Step
    since: float = 0.0
    reason: str = ""
    until: float | None = None
    sites: tuple[Site, ...] = ()
    held: str = ""
    is_asked: bool = False
    is_emergency: bool = False
    objections: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def uncovered(self) -> tuple[str, ...]:
        """What clients do not accept, at all its endpoints."""
        return tuple(text for site in self.sites for text in site.uncovered)


@dataclass(frozen=True)
class Unmanaged:
    """An endpoint that no table speaks of any more, or from which a person took DANE back.

    ``records`` of ours stand at its owner names, each ``owner TLSA value``. ``serve_until``: for so long the
    present keys of ``certificates`` have to be served, since caches may hold what was taken away, and for longer as
    long as there are addresses of name servers that have it yet: ``given_by``. ``has_table``: a table would have it
    published again. ``uncovered``: what the records do not match of that which is served, in words.
    """

    endpoint: str
    records: tuple[str, ...]
    certificates: tuple[str, ...]
    is_withdrawn: bool
    serve_until: float = 0.0
    given_by: tuple[str, ...] = ()
    has_table: bool = True
    uncovered: tuple[str, ...] = ()


def of_step(word: str) -> Step:
    """The step as the journal has it; one that an older or newer program wrote needs a person."""
    return Step(word) if word in Step.__members__.values() else Step.STUCK


def sets(sights: Iterable[Sight]) -> tuple[frozenset[Tlsa], ...]:
    """Each RRset that some server had at the last look."""
    found = {one.records for one in sights if one.is_current and one.server}
    return tuple(frozenset(_readable(records)) for records in sorted(found, key=sorted))


def _readable(values: Iterable[str]) -> Iterator[Tlsa]:
    """The records, but for what is no TLSA value: a server may give out anything."""
    for value in values:
        with suppress(NameInvalid):
            yield parse(value)


def last_served(served: Sequence[Served]) -> dict[str, frozenset[str]]:
    """The keys that each address served when it was last seen, by their digests."""
    latest = {one.address: max(other.last for other in served if other.address == one.address) for one in served}
    return {
        address: frozenset(one.spki_sha256 for one in served if (one.address, one.last) == (address, last))
        for address, last in latest.items()
    }


def strangers(records: frozenset[Tlsa], served: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """The addresses with a key that no 3 1 1 names although there are such records; sorted."""
    kind = Kind(DANE_EE, SPKI, SHA256)
    named = {record.data.hex() for record in records if record.kind == kind}
    return tuple(sorted(address for address, keys in served.items() if named and not keys <= named))
