"""From changes and what stands to what shall stand, and its PATCH body. Pure.

Rule: each RRset that differs is replaced once, with everything in it that is not ours kept as it was. Refuses a Swap
that finds something else, a name outside the zone, and a name that is an alias.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dnsbroker.names import is_within, owner
from dnsbroker.records import Change, Goal, Record, Remove, RRset, Swap
from dnsbroker_powerdns.contents import canonical, escaped_again
from dnsbroker_powerdns.zone import Place, StoredRecord, StoredRRset, ZoneState, new_record


class Unplannable(Exception):
    """The changes cannot be made; ``expected`` and ``found`` are values, ``alias`` says that a CNAME is in the way."""

    def __init__(
        self, reason: str, place: Place, *, expected: Sequence[str] = (), found: Sequence[str] = (), alias: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
        self.expected = tuple(expected)
        self.found = tuple(found)
        self.alias = alias


@dataclass(frozen=True)
class Plan:
    """The changes of one zone, by RRset, in canonical form and in the order in which they were given."""

    zone: str
    changes: Mapping[Place, tuple[Change, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The owner names that it concerns."""
        return tuple(dict.fromkeys(name for name, _ in self.changes))

    def wanted(self, state: ZoneState) -> tuple[StoredRRset, ...]:
        """Each RRset that has to be written, as it shall be. Raises Unplannable."""
        found = (self._wanted(state, place, changes) for place, changes in self.changes.items())
        return tuple(rrset for rrset in found if rrset is not None)

    def _wanted(self, state: ZoneState, place: Place, changes: Sequence[Change]) -> StoredRRset | None:
        current = state.rrsets.get(place) or StoredRRset(*place, ttl=0)
        goal = Goal()
        for change in changes:
            goal = goal.then(change)
        if goal.is_met(current.values):
            return None
        for change in changes:
            current = _changed(current, change)
        if current.values and state.has_alias(place[0]):
            target = sorted(state.rrsets[place[0], "CNAME"].values)
            raise Unplannable(f"{place[0]} is an alias of {', '.join(target)}", place, found=target, alias=True)
        return current

    def standing(self, state: ZoneState) -> tuple[StoredRRset, ...]:
        """Each RRset that the changes concern as it is, so that writing it turns the serial and nothing else."""
        return tuple(state.rrsets.get(place) or StoredRRset(*place, ttl=0) for place in self.changes)


def plan(zone: str, changes: Sequence[Change]) -> Plan:
    """The plan for ``changes``. Raises NameInvalid for what is no name, Unplannable for one outside ``zone``."""
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
        expected, desired = (
            frozenset(canonical(change.type, value) for value in values) for values in (change.expected, change.desired)
        )
        return Swap(owner(change.name), change.type, expected, desired, change.ttl)
    record = change.record
    return replace(change, record=Record(owner(record.name), record.type, canonical(record.type, record.value)))


def _changed(current: StoredRRset, change: Change) -> StoredRRset:
    if isinstance(change, Swap):
        return _swapped(current, change)
    if isinstance(change, Remove):
        return _without(current, frozenset((change.record.value,)))
    if change.record.value in current.values:
        return current
    # A TTL of 0 without records marks an RRset that is not there, or nothing but comments.
    ttl = current.ttl if current.records or current.ttl else change.ttl
    return _with(replace(current, ttl=ttl), (change.record.value,))


def _swapped(current: StoredRRset, change: Swap) -> StoredRRset:
    if current.values == change.desired:
        return current
    if current.values != change.expected:
        raise Unplannable(
            f"{change.name} {change.type} is not what was expected",
            current.place,
            expected=sorted(change.expected),
            found=sorted(current.values),
        )
    emptied = _without(replace(current, ttl=change.ttl), current.values - change.desired)
    return _with(emptied, change.desired - current.values)


def _with(current: StoredRRset, values: Iterable[str]) -> StoredRRset:
    """With ``values``; a disabled record of the same value is the same record for the server, so it is switched on."""
    new = frozenset(values)
    kept = (record for record in current.records if record.value not in new)
    added = (new_record(current.type, value) for value in sorted(new))
    return replace(current, records=(*kept, *added))


def _without(current: StoredRRset, values: frozenset[str]) -> StoredRRset:
    """Without the enabled records of ``values``."""
    kept = (record for record in current.records if record.is_disabled or record.value not in values)
    return replace(current, records=tuple(kept))


def body(rrsets: Iterable[StoredRRset], *, escape_twice: bool = False) -> bytes:
    """The PATCH that makes the RRsets so, in one transaction.

    ``escape_twice`` is for servers that undo the escapes of a content before they read it.
    """
    return json.dumps({"rrsets": [_operation(rrset, escape_twice) for rrset in rrsets]}).encode()


def _operation(rrset: StoredRRset, escape_twice: bool) -> dict[str, Any]:
    head: dict[str, Any] = {"name": rrset.name, "type": rrset.type}
    if not rrset.records and not rrset.comments:
        return {**head, "changetype": "DELETE"}
    records = [record.raw for record in _once(rrset.records)]
    if escape_twice:
        records = [{**raw, "content": escaped_again(str(raw["content"]))} for raw in records]
    operation = {**head, "changetype": "REPLACE", "ttl": rrset.ttl, "records": records}
    # Without this, comments would go with the last record; with records they stay where they are not mentioned.
    return operation if rrset.records else {**operation, "comments": list(rrset.comments)}


def _once(records: Iterable[StoredRecord]) -> Iterable[StoredRecord]:
    """Each record once: concurrent writers may have left one in two rows, which the server would not take back."""
    found: dict[str, StoredRecord] = {}
    for record in records:
        if record.content not in found or found[record.content].is_disabled:
            found[record.content] = record
    return found.values()


def has_escapes(rrsets: Iterable[StoredRRset]) -> bool:
    """Whether any record's content holds a backslash."""
    return any("\\" in record.content for rrset in rrsets for record in rrset.records)


def as_rrset(stored: StoredRRset | None) -> RRset | None:
    """What the rest of the world calls an RRset; None where nothing is served."""
    if stored is None or not stored.values or stored.type not in ("TXT", "TLSA"):
        return None
    return RRset(stored.name, "TLSA" if stored.type == "TLSA" else "TXT", stored.ttl, stored.values)
