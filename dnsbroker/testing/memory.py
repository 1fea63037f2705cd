"""A DNS service in memory, and its adapter: the reference for whoever writes one, and a stand-in for tests.

Rule: the service keeps its promises by itself (one write at a time, a serial that moves with it); the adapter only
translates. Nothing here waits or speaks to a network. Failures happen where a test asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from dnsbroker.adapter import Surroundings
from dnsbroker.errors import Conflict, ProviderError, ProviderUnavailable, RecordRejected, ZoneMissing
from dnsbroker.names import is_within, longest_match, owner
from dnsbroker.records import Add, Change, Receipt, Record, RecordType, Remove, RRset, Swap, checked_tlsa, later_note
from dnsbroker.settings import key

RRsetKey = tuple[str, RecordType]


@dataclass(frozen=True)
class Write:
    """One write as the service took it: the zone, what was asked, and the serial that includes it."""

    zone: str
    changes: tuple[Change, ...]
    serial: int


@dataclass
class _Failure:
    """An error to raise ``times`` times more; ``after`` the write, it is a reply that got lost."""

    error: ProviderError
    times: int
    after: bool


class MemoryService:
    """Zones and their records. Several adapters may share one, as several processes share a real service.

    ``seen`` lists every write in order.
    """

    def __init__(self, *zones: str) -> None:
        self._rrsets: dict[str, dict[RRsetKey, RRset]] = {owner(zone): {} for zone in zones}
        self._serials = dict.fromkeys(self._rrsets, 1)
        self._notes: dict[str, dict[Record, str]] = {zone: {} for zone in self._rrsets}
        self._servers: dict[str, frozenset[str]] = {}
        self._failures: list[_Failure] = []
        self.seen: list[Write] = []

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones it holds."""
        return tuple(self._rrsets)

    def serial(self, zone: str) -> int:
        """The served SOA serial of ``zone``."""
        return self._serials[zone]

    def rrset(self, zone: str, name: str, type: RecordType) -> RRset | None:
        """The RRset as it stands; None where there is none."""
        return self._rrsets[zone].get((name, type))

    def rrsets(self, zone: str) -> Mapping[RRsetKey, RRset]:
        """All that ``zone`` holds."""
        return dict(self._rrsets[zone])

    def notes(self, zone: str) -> Mapping[Record, str]:
        """The notes in ``zone``, by the record that each belongs to."""
        return dict(self._notes[zone])

    def name_servers(self, zone: str) -> frozenset[str]:
        """The servers that serve ``zone``; none until ``serve`` has named them."""
        return self._servers.get(zone, frozenset())

    def serve(self, zone: str, *hosts: str) -> None:
        """Say that ``zone`` is served by ``hosts``."""
        self._servers[owner(zone)] = frozenset(map(owner, hosts))

    def plant(self, zone: str, name: str, type: RecordType, ttl: int, values: Iterable[str], *, note: str = "") -> None:
        """Make the RRset exactly ``values`` (none: remove it), behind every adapter's back; no write is logged.

        Every one of them gets ``note``.
        """
        kept = frozenset(values)
        self._keep(zone, {(name, type): RRset(name, type, ttl, kept)})
        if note:
            self._notes[zone].update({Record(name, type, value): note for value in kept})

    def fail(self, error: ProviderError, *, times: int = 1, after: bool = False) -> None:
        """Let the next ``times`` writes raise ``error``; with ``after`` once the write was made.

        Without, one that is not about silence says so by ``nothing_done``, as an adapter's own would.
        """
        error.nothing_done = not after and not isinstance(error, ProviderUnavailable)
        self._failures.append(_Failure(error, times, after))

    def write(self, zone: str, changes: Sequence[Change], wanted: Mapping[RRsetKey, RRset]) -> int:
        """Store ``wanted`` in one write and return the new serial; an RRset without values goes."""
        failure = self._next_failure()
        if failure and not failure.after:
            raise failure.error
        new = self.new_notes(zone, changes)
        self._keep(zone, wanted)
        self._notes[zone].update({record: note for record, note in new.items() if self._has(zone, record)})
        self.seen.append(Write(zone, tuple(changes), self._serials[zone]))
        if failure:
            raise failure.error
        return self._serials[zone]

    def new_notes(self, zone: str, changes: Sequence[Change]) -> Mapping[Record, str]:
        """The notes that ``changes`` bring: of new records, and later ones of ours."""
        found: dict[Record, str] = {}
        for change in changes:
            if isinstance(change, Add) and change.note:
                record = _kept(change.record)
                before = self._notes[zone].get(record, "") if self._has(zone, record) else change.note
                found[record] = later_note(found.get(record, before), change.note)
        return {record: note for record, note in found.items() if note and note != self._notes[zone].get(record)}

    def _keep(self, zone: str, wanted: Mapping[RRsetKey, RRset]) -> None:
        for place, rrset in wanted.items():
            if rrset.values:
                self._rrsets[zone][place] = rrset
            else:
                self._rrsets[zone].pop(place, None)
        self._serials[zone] = (self._serials[zone] + 1) % 2**32
        self._notes[zone] = {record: note for record, note in self._notes[zone].items() if self._has(zone, record)}

    def _has(self, zone: str, record: Record) -> bool:
        rrset = self._rrsets[zone].get((record.name, record.type))
        return rrset is not None and record.value in rrset.values

    def _next_failure(self) -> _Failure | None:
        if not self._failures:
            return None
        failure = self._failures[0]
        failure.times -= 1
        if not failure.times:
            self._failures.pop(0)
        return failure


def _service(raw: object) -> object:
    """The service itself, or a new one that holds the zones listed."""
    if isinstance(raw, MemoryService):
        return raw
    if isinstance(raw, list | tuple):
        return MemoryService(*(str(zone) for zone in raw))
    raise ValueError("it is a list of zone names, or a MemoryService")


@dataclass(frozen=True)
class MemorySettings:
    """The configuration keys of ``type = "memory"``."""

    service: MemoryService = key(
        doc="The service: the names of the zones that a new one holds, or in Python a MemoryService to share.",
        example='["example.org"]',
        read=_service,
    )


class MemoryProvider:
    """The adapter for a MemoryService."""

    Settings: ClassVar[type[MemorySettings]] = MemorySettings
    default_ttl: ClassVar[float] = 5.0
    default_settle: ClassVar[float] = 0.0
    request_timeout: ClassVar[float] = 1.0

    def __init__(self, settings: MemorySettings, surroundings: Surroundings) -> None:
        self._service = settings.service
        self._provider = surroundings.provider

    async def zones(self) -> tuple[str, ...] | None:
        """The zones that the service holds."""
        return self._service.zones

    async def find_zone(self, name: str) -> str | None:
        """The longest zone that holds ``name``."""
        return longest_match(owner(name), self._service.zones)

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        """Make ``changes`` in one write, or none where all is as asked already."""
        if not changes:
            raise ValueError("apply needs at least one change")
        try:
            zone = self._held(zone)
            wanted = self._wanted(zone, changes)
        except ProviderError as error:
            error.nothing_done = True
            raise
        is_noted = self._service.new_notes(zone, changes).keys().isdisjoint(self._service.notes(zone))
        if is_noted and all(self._is_so(zone, rrset) for rrset in wanted.values()):
            return Receipt(changed=False, serial=self._service.serial(zone))
        return Receipt(changed=True, serial=self._service.write(zone, changes, wanted))

    def _wanted(self, zone: str, changes: Sequence[Change]) -> dict[RRsetKey, RRset]:
        wanted: dict[RRsetKey, RRset] = {}
        for change in changes:
            rrset = self._merged(zone, wanted, change)
            wanted[rrset.name, rrset.type] = rrset
        return wanted

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        """The RRset as it stands."""
        return self._service.rrset(self._held(zone), owner(name), type)

    async def name_servers(self, zone: str) -> frozenset[str]:
        """The servers that the service names for ``zone``."""
        return self._service.name_servers(self._held(zone))

    async def serial(self, zone: str) -> int | None:
        """The zone's serial; None until ``serve`` has said who serves it, and so has to follow."""
        zone = self._held(zone)
        return self._service.serial(zone) if self._service.name_servers(zone) else None

    async def notes(self, zone: str) -> Mapping[Record, str]:
        """The notes of TXT records in ``zone``."""
        found = self._service.notes(self._held(zone))
        return {record: note for record, note in found.items() if record.type == "TXT"}

    async def aclose(self) -> None:
        """Nothing is held."""

    def _held(self, zone: str) -> str:
        zone = owner(zone)
        if zone not in self._service.zones:
            raise ZoneMissing("the service does not hold it", provider=self._provider, zone=zone, tried=(zone,))
        return zone

    def _is_so(self, zone: str, rrset: RRset) -> bool:
        current = self._service.rrset(zone, rrset.name, rrset.type)
        return rrset.values == (current.values if current else frozenset())

    def _merged(self, zone: str, wanted: Mapping[RRsetKey, RRset], change: Change) -> RRset:
        """What ``change`` makes of its RRset, after the changes before it."""
        name, type = _place(change)
        if not is_within(name, zone):
            raise RecordRejected(f"{name} is not in it", provider=self._provider, zone=zone, rrset=f"{name} {type}")
        current = wanted.get((name, type)) or self._service.rrset(zone, name, type)
        if isinstance(change, Swap):
            return self._swapped(zone, current or RRset(name, type, change.ttl, frozenset()), change)
        value = {_canonical(change.record.value, type)}
        if isinstance(change, Remove):
            current = current or RRset(name, type, 0, frozenset())
            return replace(current, values=current.values - value)
        if current is None or not current.values:
            return RRset(name, type, change.ttl, frozenset(value))
        return replace(current, values=current.values | value)

    def _swapped(self, zone: str, current: RRset, change: Swap) -> RRset:
        expected = {_canonical(value, current.type) for value in change.expected}
        desired = frozenset(_canonical(value, current.type) for value in change.desired)
        if current.values not in (expected, desired):
            raise Conflict(
                f"{current.name} {current.type} is not what the change expects",
                provider=self._provider,
                zone=zone,
                rrset=f"{current.name} {current.type}",
                expected=sorted(expected),
                found=sorted(current.values),
            )
        return current if current.values == desired else replace(current, ttl=change.ttl, values=desired)


def _place(change: Change) -> RRsetKey:
    if isinstance(change, Add | Remove):
        return owner(change.record.name), change.record.type
    return owner(change.name), change.type


def _kept(record: Record) -> Record:
    """``record`` as the service keeps it."""
    return Record(owner(record.name), record.type, _canonical(record.value, record.type))


def _canonical(value: str, type: RecordType) -> str:
    return checked_tlsa(value) if type == "TLSA" else value
