"""What has to be written, decided without I/O from what is asked for and what stands there.

Rule: values are added and deleted one by one, never an RRset; a Swap is guarded by a prerequisite on every value
(RFC 2136 section 2.4.2). What stands already is not added again. What is to go is deleted even where it was not
seen: a delete without effect is no write, and an earlier request may still be on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import dns.name
import dns.rdata
import dns.rdatatype
import dns.update

from dnsbroker.names import owner
from dnsbroker.records import Add, Change, RecordType, Remove, Swap
from dnsbroker_rfc2136.values import Standing, canonical, rdata_of

Place = tuple[str, RecordType]


class Mismatch(Exception):
    """A Swap found something else than it ``expected``, which was not what it desires either."""

    def __init__(self, standing: Standing, expected: frozenset[str]) -> None:
        super().__init__(standing.name)
        self.standing = standing
        self.expected = expected


@dataclass(frozen=True)
class Edit:
    """The writes at one place, which make ``wanted`` stand there and ``unwanted`` not; other values are not ours.

    ``ttl`` (seconds) is that of every rdata in ``add``. With ``is_guarded`` the server is to refuse unless ``before``
    is exactly what it has.
    """

    before: Standing
    wanted: frozenset[str]
    unwanted: frozenset[str]
    ttl: int
    add: tuple[dns.rdata.Rdata, ...]
    remove: tuple[dns.rdata.Rdata, ...]
    is_guarded: bool

    @property
    def place(self) -> Place:
        """Where."""
        return self.before.name, self.before.type

    @property
    def has_effect(self) -> bool:
        """Whether it changes anything, as far as is known."""
        return bool(self.add) or not self.unwanted.isdisjoint(self.before.values)

    def is_done(self, standing: Standing) -> bool:
        """Whether ``standing`` shows it made."""
        return self.wanted <= standing.values and self.unwanted.isdisjoint(standing.values)

    def taken_back(self) -> Edit:
        """The edit that deletes what this one brought, and brings nothing back."""
        brought = self.wanted - self.before.values
        remove = tuple(rdata_of(self.before.type, value) for value in sorted(brought))
        return replace(self, wanted=frozenset(), unwanted=brought, add=(), remove=remove, is_guarded=False)


def place_of(change: Change) -> Place:
    """Where ``change`` writes. Raises NameInvalid."""
    if isinstance(change, Add | Remove):
        return owner(change.record.name), change.record.type
    return owner(change.name), change.type


def plan(changes: Iterable[Change], standing: Mapping[Place, Standing]) -> tuple[Edit, ...]:
    """The edits that make ``changes``, in their order; places with nothing to send are left out.

    ``standing`` holds every place of ``changes``. Raises Mismatch, and NameInvalid for a value that is none.
    """
    asked: dict[Place, list[Change]] = {}
    for change in changes:
        asked.setdefault(place_of(change), []).append(change)
    edits = (_edit(standing[place], there) for place, there in asked.items())
    return tuple(edit for edit in edits if edit.add or edit.remove)


def _edit(before: Standing, changes: Sequence[Change]) -> Edit:
    """What ``changes`` make of ``before``, one after another."""
    values, wanted, unwanted, ttl = before.values, frozenset[str](), frozenset[str](), before.ttl
    for change in changes:
        if isinstance(change, Swap):
            expected, desired = (_canonical(change.type, some) for some in (change.expected, change.desired))
            if values not in (expected, desired):
                raise Mismatch(before, expected)
            ttl = ttl if values == desired else change.ttl
            unwanted, wanted, values = (unwanted | expected) - desired, desired, desired
            continue
        value = frozenset({canonical(change.record.type, change.record.value)})
        if isinstance(change, Add):
            ttl = ttl if values else change.ttl
            values, wanted, unwanted = values | value, wanted | value, unwanted - value
        else:
            values, wanted, unwanted = values - value, wanted - value, unwanted | value
    # One TTL for the whole RRset (RFC 2181 section 5.2): where it changes, what stays is written again with it.
    missing = values - before.values if ttl == before.ttl else values
    is_guarded = any(isinstance(change, Swap) for change in changes)
    return Edit(before, wanted, unwanted, max(1, ttl), _rdatas(before, missing), _rdatas(before, unwanted), is_guarded)


def _rdatas(before: Standing, values: Iterable[str]) -> tuple[dns.rdata.Rdata, ...]:
    """The rdata of ``values``: those that stand there, else ours."""
    found = (before.rdatas.get(value) or (rdata_of(before.type, value),) for value in sorted(values))
    return tuple(rdata for rdatas in found for rdata in rdatas)


def _canonical(type: RecordType, values: Iterable[str]) -> frozenset[str]:
    return frozenset(canonical(type, value) for value in values)


def message(zone: str, edits: Iterable[Edit]) -> dns.update.UpdateMessage:
    """One unsigned UPDATE message (RFC 2136 section 2) that makes ``edits`` in ``zone``, all or none."""
    update = dns.update.UpdateMessage(zone)
    for edit in edits:
        name, type = dns.name.from_text(edit.before.name), dns.rdatatype.from_text(edit.before.type)
        if edit.is_guarded:
            _guard(update, name, type, edit.before)
        if edit.remove:
            update.delete(name, *edit.remove)
        if edit.add:
            update.add(name, edit.ttl, *edit.add)
    return update


def _guard(
    update: dns.update.UpdateMessage, name: dns.name.Name, type: dns.rdatatype.RdataType, before: Standing
) -> None:
    there = [rdata for rdatas in before.rdatas.values() for rdata in rdatas]
    if there:
        update.present(name, *there)
    else:
        update.absent(name, type)
