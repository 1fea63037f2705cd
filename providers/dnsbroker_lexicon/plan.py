"""What has to be created and deleted, decided without I/O from what is asked for and what stands there.

Rule: a record is created only where its value does not stand, and deleted only where its value is exactly ours. A Swap
whose RRset is neither what it expects nor what it desires stops everything, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dnsbroker.names import owner
from dnsbroker.records import Change, RecordType, Remove, RRset, Swap
from dnsbroker_lexicon.contents import canonical

Place = tuple[str, RecordType]


@dataclass(frozen=True)
class Listed:
    """One record as a driver lists it: ``value`` as we keep it, ``content`` as it is shown, ``ttl`` in seconds or 0.

    ``id`` is what the service calls it, empty where that cannot be told from other records.
    """

    value: str
    content: str
    ttl: int
    id: str


@dataclass(frozen=True)
class Standing:
    """What stands at one place."""

    place: Place
    records: tuple[Listed, ...]

    @property
    def values(self) -> frozenset[str]:
        """The values there."""
        return frozenset(record.value for record in self.records)

    @property
    def ttl(self) -> int:
        """The TTL in seconds; 0 where nothing stands, or the driver does not tell."""
        return min((record.ttl for record in self.records if record.ttl), default=0)

    def rrset(self) -> RRset | None:
        """As an RRset; None where nothing stands."""
        return RRset(*self.place, self.ttl, self.values) if self.records else None


class Mismatch(Exception):
    """A Swap found something else than it ``expected``, which was not what it desires either."""

    def __init__(self, standing: Standing, expected: frozenset[str]) -> None:
        super().__init__(standing.place[0])
        self.standing = standing
        self.expected = expected


@dataclass(frozen=True)
class Edit:
    """What is to be done at one place: make ``wanted`` stand there and ``unwanted`` not; other values are not ours.

    ``ttl`` (seconds) is for what is created. With ``is_whole``, ``wanted`` is to be all that stands there.
    """

    before: Standing
    wanted: frozenset[str]
    unwanted: frozenset[str]
    ttl: int
    is_whole: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """The values to create."""
        return tuple(sorted(self.wanted - self.before.values))

    @property
    def surplus(self) -> tuple[Listed, ...]:
        """The records to delete."""
        return tuple(record for record in self.before.records if record.value in self.unwanted)

    def unmade(self, after: Standing) -> frozenset[str]:
        """The values that ``after`` still lacks, or still has."""
        return (self.wanted - after.values) | (self.unwanted & after.values)

    def lost(self, after: Standing) -> frozenset[str]:
        """The values of others that stood there before, and in ``after`` do not."""
        return self.before.values - self.unwanted - self.wanted - after.values

    def strange(self, after: Standing) -> frozenset[str]:
        """The values of others that have come between ours, where all should be ours."""
        return after.values - self.wanted - self.unwanted if self.is_whole else frozenset()


def place_of(change: Change) -> Place:
    """Where ``change`` writes. Raises NameInvalid."""
    subject = change if isinstance(change, Swap) else change.record
    return owner(subject.name), subject.type


def plan(changes: Iterable[Change], standing: Mapping[Place, Standing]) -> tuple[Edit, ...]:
    """The edits that make ``changes``; places where all is as asked are left out.

    ``standing`` holds every place of ``changes``. Raises Mismatch, and NameInvalid for a value that is none.
    """
    asked: dict[Place, list[Change]] = {}
    for change in changes:
        asked.setdefault(place_of(change), []).append(change)
    edits = (_edit(standing[place], there) for place, there in asked.items())
    return tuple(edit for edit in edits if edit.missing or edit.surplus)


def _edit(before: Standing, changes: Sequence[Change]) -> Edit:
    """What ``changes`` make of ``before``, one after another."""
    values, wanted, unwanted = before.values, frozenset[str](), frozenset[str]()
    ttl, type, is_whole = before.ttl, before.place[1], False
    for change in changes:
        if isinstance(change, Swap):
            expected, desired = (
                frozenset(canonical(type, one) for one in some) for some in (change.expected, change.desired)
            )
            if values not in (expected, desired):
                raise Mismatch(before, expected)
            unwanted, wanted, values, is_whole = (unwanted | values) - desired, desired, desired, True
        else:
            value = frozenset({canonical(type, change.record.value)})
            if isinstance(change, Remove):
                values, wanted, unwanted = values - value, wanted - value, unwanted | value
            else:
                values, wanted, unwanted = values | value, wanted | value, unwanted - value
        ttl = ttl or (0 if isinstance(change, Remove) else change.ttl)
    return Edit(before, wanted, unwanted, max(1, ttl), is_whole)
