"""The writer of one run: what its tasks want in DNS, or out of it, goes through the journal to each zone's rounds.

Rule: a task announces that it will write to a zone as soon as it knows it, so that its change can travel with the
others'. Whatever is raised, the journal knows what may stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from dnsbroker.adapter import Adapter
from dnsbroker.clock import Clock
from dnsbroker.errors import BrokerError, ConfigError, ProviderError, StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import Lease, Leases, Runs, State
from dnsbroker.records import Record, RecordType, RRset
from dnsbroker.retry import Patience
from dnsbroker.routing import Target
from dnsbroker.tasks import all_through, together
from dnsbroker.writer.unjournalled import remove
from dnsbroker.writer.zone import Desk, ZoneWriter

T = TypeVar("T")

_READS_AT_ONCE = 4


class Writer:
    """Writes and withdraws records of one run. One for each run."""

    def __init__(
        self,
        leases: Leases,
        runs: Runs,
        state_dir: Path,
        adapter: Callable[[str], Adapter],
        clock: Clock,
        emit: Emitter,
        timeout: float,
    ) -> None:
        self._desk = Desk(leases, runs, state_dir, adapter, clock, emit, timeout)
        self._leases = leases
        self._patience = Patience(
            clock, timeout, lambda wait, error: emit("waiting", seconds=round(wait, 1), reason=error.message)
        )
        self._zones: dict[Target, ZoneWriter] = {}

    def announce(self, targets: Iterable[Target]) -> Announcement:
        """Say that changes for ``targets`` are coming: their rounds are held until those came, or it is settled."""
        return Announcement({target: self._zone(target) for target in targets})

    async def add(
        self,
        target: Target,
        records: Sequence[Record],
        *,
        ttl: int,
        announcement: Announcement,
        expires: float | None = None,
    ) -> tuple[Lease, ...]:
        """Put ``records`` in the journal and have them written. They live with this run, or until ``expires``.

        Raises ProviderError, StoreError; of several records, the first one's error. Whatever is raised, the leases made
        are in ``announcement.leases``.
        """
        found, since = frozenset[Record](), self._desk.clock.now().timestamp()
        if expires is not None:  # where people choose values, somebody may have the same
            found = await self.standing(target, records)
        leases = self._leases.want(
            target.provider, target.zone, records, ttl=ttl, expires=expires, found=found, found_since=since
        )
        if expires is None:
            self._leases.take_over(leases, is_alive=self._desk.runs.is_alive)
            self._zone(target).held.update(lease.id for lease in leases)
        announcement.arrived(target, leases)
        return await self.send(target, leases)

    async def standing(self, target: Target, records: Collection[Record]) -> frozenset[Record]:
        """Those of ``records`` that stand there, whoever put them there. Raises ProviderError, ConfigError."""
        keys = {(record.name, record.type) for record in records}
        slots = asyncio.Semaphore(_READS_AT_ONCE)

        async def read(name: str, type: RecordType) -> RRset | None:
            async with slots:
                return await self.read(target, name, type)

        rrsets = await together(read(name, type) for name, type in sorted(keys))
        found = {Record(rrset.name, rrset.type, value) for rrset in rrsets if rrset for value in rrset.values}
        return frozenset(found) & frozenset(records)

    async def read(self, target: Target, name: str, type: RecordType) -> RRset | None:
        """The RRset as the service has it; None where it has none. Raises ProviderError, ConfigError."""
        adapter = self._desk.adapter(target.provider)
        return await self.patiently(lambda: adapter.read(target.zone, name, type))

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What ``ask`` returns; a service that wants to be left alone is asked again later, where a write could wait.

        Raises what ``ask`` raises.
        """
        return await self._patience.outlast(ask)

    def has_left(self, leases: Iterable[Lease]) -> bool:
        """Whether any of their values was in DNS by an earlier lease, and was withdrawn since. Raises StoreError."""
        return self._leases.has_left(leases)

    async def send(self, target: Target, leases: Sequence[Lease]) -> tuple[Lease, ...]:
        """Have ``leases``, already in the journal, written; returns them as they are then."""
        ids, zone = [lease.id for lease in leases], self._zone(target)
        while True:
            await zone.flush()
            failed = [zone.failures.pop(ident) for ident in ids if ident in zone.failures]
            if failed:
                raise failed[0]
            now = self._leases.by_id(ids)
            if not any(lease.state in (State.WANTED, State.SENDING) for lease in now):
                return now

    async def withdraw(self, leases: Collection[Lease]) -> dict[Lease, BrokerError]:
        """Take ``leases`` out of DNS; returns those that could not be, each with its error.

        Where the journal cannot be written they are taken out all the same, with a warning, and stay in it.
        """
        ids = [lease.id for lease in leases]
        for lease in leases:
            self._zone(Target(lease.provider, lease.zone)).let_go(lease.id)
        try:
            self._leases.withdraw(ids)
            groups: dict[Target, list[Lease]] = {}
            for lease in self._leases.by_id(ids):
                groups.setdefault(Target(lease.provider, lease.zone), []).append(lease)
            parts = await all_through(self._withdraw_from(target, group) for target, group in groups.items())
        except StoreError as error:
            self._desk.emit("warning", message=f"the journal cannot be written: {error.message}", hint=error.hint)
            return await remove(self._desk, leases)
        return {lease: error for part in parts for lease, error in part.items()}

    async def _withdraw_from(self, target: Target, leases: Sequence[Lease]) -> Mapping[Lease, BrokerError]:
        """Withdraw together with the others of this process who hold something there, if they come soon."""
        zone = self._zone(target)
        if not any(lease.state is State.UNWANTED for lease in leases):
            return {}
        for lease in leases:
            zone.failures.pop(lease.id, None)  # of the writing, which this undoes
        try:
            await zone.leave()
        except (ProviderError, ConfigError) as error:
            return dict.fromkeys(leases, error)
        return {lease: zone.failures.pop(lease.id) for lease in leases if lease.id in zone.failures}

    def _zone(self, target: Target) -> ZoneWriter:
        if target not in self._zones:
            self._zones[target] = ZoneWriter(target, self._desk)
        return self._zones[target]

    async def aclose(self, patience: float) -> None:
        """Let writes under way finish, at most ``patience`` seconds; then cut them off. The journal knows of them."""
        await all_through(zone.aclose(patience) for zone in self._zones.values())


class Announcement:
    """One task's promise to write to some targets, kept when its changes come or it is settled; and what came of it.

    As a context manager it settles itself.
    """

    def __init__(self, zones: Mapping[Target, ZoneWriter]) -> None:
        self._open = dict(zones)
        self.leases: list[Lease] = []
        for zone in zones.values():
            zone.expect(+1)

    def arrived(self, target: Target, leases: Sequence[Lease] = ()) -> None:
        """``leases`` for ``target`` are in the journal: no more will come for it."""
        self.leases.extend(leases)
        if target in self._open:
            self._open.pop(target).expect(-1)

    def narrow(self, targets: Collection[Target]) -> None:
        """Changes will come for ``targets`` alone."""
        for target in [target for target in self._open if target not in targets]:
            self.arrived(target)

    def settle(self) -> None:
        """Nothing more will come from this task."""
        self.narrow(())

    def __enter__(self) -> Announcement:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()
