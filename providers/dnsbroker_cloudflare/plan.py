"""From changes and what stands to what is to be done, in batches. Pure.

Rule: a record is deleted by its id, after its value was compared letter by letter; what is not ours is never written
again. A note of ours moves on to a later one. One RRset's changes stand in one batch as long as they fit. A type is
never changed: that is a deletion and a new record. Refuses a Swap that finds something else, and a name outside the
zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dnsbroker.names import is_within, owner
from dnsbroker.records import Add, Change, Goal, Record, RecordType, Swap, checked_tlsa, later_note
from dnsbroker_cloudflare.contents import canonical, written
from dnsbroker_cloudflare.stored import Place, StoredRecord

#: What one batch may hold on the smallest plan.
BATCH_LIMIT = 200
SHORTEST_TTL, LONGEST_TTL = 60, 86400
_NOTE_LENGTH = 100


class Unplannable(Exception):
    """The changes cannot be made; ``expected`` and ``found`` are the values of a Swap that finds something else."""

    def __init__(
        self,
        reason: str,
        place: Place,
        *,
        expected: Sequence[str] = (),
        found: Sequence[str] = (),
        is_swap: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
        self.expected = tuple(expected)
        self.found = tuple(found)
        self.is_swap = is_swap


@dataclass(frozen=True)
class Batch:
    """What is done at once, in the words of the API; it is empty where nothing is left to do."""

    deletes: tuple[Mapping[str, Any], ...] = ()
    patches: tuple[Mapping[str, Any], ...] = ()
    posts: tuple[Mapping[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.deletes) + len(self.patches) + len(self.posts)

    def and_then(self, other: Batch) -> Batch:
        """Both at once."""
        return Batch(self.deletes + other.deletes, self.patches + other.patches, self.posts + other.posts)

    def document(self) -> dict[str, list[Mapping[str, Any]]]:
        """The body of the request; members without an item are left out."""
        every = {"deletes": self.deletes, "patches": self.patches, "posts": self.posts}
        return {member: list(items) for member, items in every.items() if items}


@dataclass(frozen=True)
class Plan:
    """The changes of one zone, by RRset, in canonical form and in the order in which they were given."""

    zone: str
    changes: Mapping[Place, tuple[Change, ...]] = field(default_factory=dict)

    @property
    def places(self) -> tuple[Place, ...]:
        """The RRsets that it concerns."""
        return tuple(self.changes)

    @property
    def added(self) -> frozenset[Record]:
        """The records that an Add asks for."""
        every = (change for changes in self.changes.values() for change in changes)
        return frozenset(change.record for change in every if isinstance(change, Add))

    def left(self, standing: Sequence[StoredRecord]) -> list[Batch]:
        """What is still to be done, each batch within the limit. Raises Unplannable."""
        found: list[Batch] = []
        for place, changes in self.changes.items():
            work = _work([record for record in standing if record.place == place], place, changes)
            for piece in _pieces(work):
                if found and len(found[-1]) + len(piece) <= BATCH_LIMIT:
                    found[-1] = found[-1].and_then(piece)
                else:
                    found.append(piece)
        return found


def plan(zone: str, changes: Sequence[Change]) -> Plan:
    """The plan for ``changes``. Raises NameInvalid for what is no name or value, Unplannable for one outside."""
    grouped: dict[Place, tuple[Change, ...]] = {}
    for change in changes:
        kept = _canonical(change)
        place = (kept.name, kept.type) if isinstance(kept, Swap) else (kept.record.name, kept.record.type)
        if not is_within(place[0], zone):
            raise Unplannable(f"{place[0]} is not in this zone", place)
        grouped[place] = (*grouped.get(place, ()), kept)
    return Plan(zone, grouped)


def _canonical(change: Change) -> Change:
    if isinstance(change, Swap):
        expected = frozenset(canonical(change.type, value) for value in change.expected)
        desired = frozenset(_usable(change.type, value) for value in change.desired)
        return Swap(owner(change.name), change.type, expected, desired, change.ttl)
    record = change.record
    make = _usable if isinstance(change, Add) else canonical
    return replace(change, record=Record(owner(record.name), record.type, make(record.type, record.value)))


def _usable(type: RecordType, value: str) -> str:
    """A value that is to be written."""
    return checked_tlsa(value) if type == "TLSA" else value


def _work(standing: Sequence[StoredRecord], place: Place, changes: Sequence[Change]) -> Batch:
    """What makes of the records at ``place`` what the changes want."""
    values = frozenset(record.value for record in standing)
    goal = Goal()
    for change in changes:
        goal = goal.then(change)
    adds = _adds(changes)
    if goal.is_met(values):
        return Batch(patches=_patches(standing, None, adds))
    wanted, ttl = values, None
    for change in changes:
        if isinstance(change, Swap):
            wanted, ttl = _swapped(wanted, place, change), change.ttl
        elif isinstance(change, Add):
            wanted |= {change.record.value}
        else:
            wanted -= {change.record.value}
    kept = [record for record in standing if record.value in wanted]
    return Batch(
        deletes=tuple({"id": record.id} for record in standing if record.value not in wanted),
        patches=_patches(kept, ttl, adds),
        posts=tuple(
            _post(place, value, _ttl(kept, ttl, adds.get(value)), adds.get(value)) for value in sorted(wanted - values)
        ),
    )


def _adds(changes: Sequence[Change]) -> dict[str, Add]:
    """The Add of each value; of several, the last one with the latest note of ours."""
    found: dict[str, Add] = {}
    for change in changes:
        if isinstance(change, Add):
            before = found.get(change.record.value, change)
            found[change.record.value] = replace(change, note=later_note(before.note, change.note))
    return found


def _swapped(values: frozenset[str], place: Place, change: Swap) -> frozenset[str]:
    if values not in (change.expected, change.desired):
        raise Unplannable(
            f"{change.name} {change.type} is not what was expected",
            place,
            expected=sorted(change.expected),
            found=sorted(values),
            is_swap=True,
        )
    return change.desired


def _ttl(kept: Sequence[StoredRecord], swapped: int | None, change: Add | None) -> int:
    """The TTL of a new record, as the API takes it: that of its RRset, where there is one and no Swap sets another."""
    if swapped is not None:
        return usable_ttl(swapped)
    if kept:
        return min(kept, key=lambda record: record.seconds).ttl
    return usable_ttl(change.ttl if change else SHORTEST_TTL)


def usable_ttl(ttl: int) -> int:
    """The TTL nearest to ``ttl`` that every plan takes, in seconds."""
    return min(max(ttl, SHORTEST_TTL), LONGEST_TTL)


def _post(place: Place, value: str, ttl: int, change: Add | None) -> dict[str, Any]:
    name, type = place
    record = {"type": type, "name": name.rstrip("."), "ttl": ttl, **written(type, value)}
    note = " ".join(change.note.split())[:_NOTE_LENGTH] if change else ""
    return {**record, "comment": note} if note else record


def _patches(kept: Iterable[StoredRecord], ttl: int | None, adds: Mapping[str, Add]) -> tuple[dict[str, Any], ...]:
    """Another TTL, or a later note of ours, for records that stay."""
    patches = []
    for record in kept:
        add = adds.get(record.value)
        note = later_note(record.comment, add.note) if add else record.comment
        wanted = record.ttl if ttl is None else usable_ttl(ttl)
        if (wanted, note) != (record.ttl, record.comment):
            patches.append(_patch(record, wanted, note))
    return tuple(patches)


def _patch(record: StoredRecord, ttl: int, note: str) -> dict[str, Any]:
    """The record with another TTL and note, its content in the spelling in which it stands."""
    member = "content" if record.type == "TXT" else "data"
    patch = {
        "id": record.id,
        "type": record.type,
        "name": record.name.rstrip("."),
        "ttl": ttl,
        member: record.raw[member],
    }
    return patch if note == record.comment else {**patch, "comment": note}


def _pieces(work: Batch) -> Iterable[Batch]:
    """``work`` itself, or in parts where it is more than one batch may hold, what is deleted first."""
    if len(work) <= BATCH_LIMIT:
        return [work] if work else []
    single = [
        *(Batch(deletes=(item,)) for item in work.deletes),
        *(Batch(patches=(item,)) for item in work.patches),
        *(Batch(posts=(item,)) for item in work.posts),
    ]
    pieces = []
    for start in range(0, len(single), BATCH_LIMIT):
        piece = Batch()
        for item in single[start : start + BATCH_LIMIT]:
            piece = piece.and_then(item)
        pieces.append(piece)
    return pieces
