"""Group commit: one writer for each zone sends whatever is pending there, for every task and process, in one write.

A task announces that it will write to a zone; the writer holds its flush until all announced changes have arrived, or
two seconds have passed, and what comes during a write goes out with the next. The journal is the queue, so whoever
holds the zone's lock writes other processes' changes too. Nothing is sent that the journal does not hold. A flush
outlives the task that asked for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dnsbroker.adapter import Adapter
from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import (
    BrokerError,
    Conflict,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
)
from dnsbroker.events import Emitter
from dnsbroker.journal import FileLock, Lease, Leases, Runs, State
from dnsbroker.records import Add, Change, Receipt, Record, Remove
from dnsbroker.retry import retrying
from dnsbroker.routing import Target

GATHER_SECONDS = 2.0
_ATTEMPTS = 4


@dataclass
class _Pending:
    """What one zone's flush waits for, and who waits for the flush."""

    announced: int = 0
    holding: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    again: bool = False
    failures: dict[int, BrokerError] = field(default_factory=dict)


class Writer:
    """Writes and withdraws records of one run, through the journal. One for each process."""

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
        self._leases = leases
        self._runs = runs
        self._state_dir = state_dir
        self._adapter = adapter
        self._clock = clock
        self._emit = emit
        self._timeout = timeout
        self._zones: dict[Target, _Pending] = {}

    def announce(self, targets: Iterable[Target]) -> Announcement:
        """Say that changes for ``targets`` are coming: their flushes are held until those came, or it is settled."""
        return Announcement(self, frozenset(targets))

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
        found = await self._found(target, records) if expires is not None else frozenset[Record]()
        leases = self._leases.want(target.provider, target.zone, records, ttl=ttl, expires=expires, found=found)
        self._zone(target).holding += 1
        announcement.arrived(target, leases)
        return await self.send(target, leases)

    async def _found(self, target: Target, records: Sequence[Record]) -> frozenset[Record]:
        """Those of ``records`` that stand there already: where people choose values, somebody may have the same."""
        adapter = self._adapter(target.provider)
        keys = {(record.name, record.type) for record in records}
        rrsets = [await adapter.read(target.zone, name, type) for name, type in sorted(keys)]
        standing = {Record(rrset.name, rrset.type, value) for rrset in rrsets if rrset for value in rrset.values}
        return frozenset(standing) & frozenset(records)

    async def send(self, target: Target, leases: Sequence[Lease]) -> tuple[Lease, ...]:
        """Have ``leases``, already in the journal, written; returns them as they are then."""
        ids = [lease.id for lease in leases]
        while True:
            await self._flush(target)
            now = self._leases.by_id(ids)
            failures = self._zone(target).failures
            if failed := next((failures.pop(ident) for ident in ids if ident in failures), None):
                raise failed
            if not any(lease.state in (State.WANTED, State.SENDING) for lease in now):
                return now

    async def withdraw(self, leases: Iterable[Lease]) -> dict[Lease, BrokerError]:
        """Take ``leases`` out of DNS; returns those that could not be, each with its error.

        Raises StoreError where the journal cannot be written.
        """
        ids = [lease.id for lease in leases]
        self._leases.withdraw(ids)
        groups: dict[Target, list[Lease]] = {}
        for lease in self._leases.by_id(ids):
            groups.setdefault(Target(lease.provider, lease.zone), []).append(lease)
        failed = await asyncio.gather(*(self._withdraw_from(target, group) for target, group in groups.items()))
        return {lease: error for part in failed for lease, error in part.items()}

    async def _withdraw_from(self, target: Target, leases: Sequence[Lease]) -> dict[Lease, BrokerError]:
        """Withdraw together with the others of this process who hold something there, if they come soon."""
        zone = self._zone(target)
        zone.holding = max(0, zone.holding - 1)
        zone.arrived.set()
        if not any(lease.state is State.UNWANTED for lease in leases):
            return {}
        await self._gather(zone, lambda: zone.holding)
        try:
            await self._flush(target)
        except ProviderError as error:
            return dict.fromkeys(leases, error)
        return {lease: zone.failures.pop(lease.id) for lease in leases if lease.id in zone.failures}

    async def _flush(self, target: Target) -> None:
        """Wait until a flush that began after this call is through."""
        zone = self._zone(target)
        if zone.task is not None and not zone.task.done():
            zone.again = True
        else:
            zone.task = asyncio.create_task(self._run(target, zone), name=f"writer {target.zone}")
            zone.task.add_done_callback(_look_at_error)
        await asyncio.shield(zone.task)

    async def _run(self, target: Target, zone: _Pending) -> None:
        deadline = Deadline.after(self._clock, self._timeout)
        await self._gather(zone, lambda: zone.announced)
        lock = FileLock(self._state_dir / "locks" / _file_name(target.zone))
        if not await lock.acquire(self._clock, deadline):
            raise ProviderUnavailable(
                f"the zone is being written by another dnsbroker (pid {lock.holder()})",
                provider=target.provider,
                zone=target.zone,
                hint="look what that process waits for",
            )
        try:
            zone.again = True
            while zone.again:
                zone.again = False
                await self._write(target, zone, deadline)
        finally:
            lock.release()

    async def _gather(self, zone: _Pending, missing: Callable[[], int]) -> None:
        """Give those who are still ``missing`` at most two seconds to come."""
        waiting = Deadline.after(self._clock, GATHER_SECONDS)
        while missing() and not waiting.has_passed():
            zone.arrived.clear()
            try:
                async with asyncio.timeout(waiting.left()):
                    await zone.arrived.wait()
            except TimeoutError:
                return

    async def _write(self, target: Target, zone: _Pending, deadline: Deadline) -> None:
        """Send all that is pending, as one write where the service takes it so."""
        adapter = self._adapter(target.provider)
        leases = self._leases.take(target.provider, target.zone, is_alive=self._runs.is_alive)
        if not leases:
            return
        groups = _by_name(leases)
        error = await self._attempt(target, adapter, leases, deadline)
        if len(groups) > 1 and isinstance(error, Conflict | RecordRejected):
            for group in groups:  # one bad name must not fail its neighbours
                self._note(zone, group, await self._attempt(target, adapter, group, deadline))
        else:
            self._note(zone, leases, error)

    async def _attempt(
        self, target: Target, adapter: Adapter, leases: Sequence[Lease], deadline: Deadline
    ) -> ProviderError | None:
        """Send ``leases``; the error, where no receipt came."""
        changes = [_change(lease) for lease in leases]

        async def apply() -> Receipt:
            self._leases.sent(leases, self._clock.now().timestamp() + adapter.request_timeout)
            return await adapter.apply(target.zone, changes)

        try:
            receipt = await retrying(apply, attempts=_ATTEMPTS, deadline=deadline)
        except ProviderError as error:
            return error
        self._leases.written(leases, receipt.serial)
        self._tell(target, leases, receipt)
        return None

    def _note(self, zone: _Pending, leases: Sequence[Lease], error: ProviderError | None) -> None:
        """Where ``error`` stands in the place of a receipt: write it down, and have it for those who wait."""
        if error is not None:
            certainly = not isinstance(error, ProviderUnavailable | RateLimited)
            self._leases.unsent(leases, error.message, certainly=certainly)
            zone.failures.update({lease.id: error for lease in leases})

    def _tell(self, target: Target, leases: Sequence[Lease], receipt: Receipt) -> None:
        for warning in receipt.warnings:
            self._emit("warning", message=warning, provider=target.provider, zone=target.zone)
        added = sorted({lease.record.name for lease in leases if lease.state is not State.UNWANTED})
        gone = sorted({lease.record.name for lease in leases if lease.state is State.UNWANTED})
        told = {"provider": target.provider, "zone": target.zone, "serial": receipt.serial, "changed": receipt.changed}
        if added:
            self._emit("written", names=added, **told)
        if gone:
            self._emit("withdrawn", names=gone, **told)

    def _zone(self, target: Target) -> _Pending:
        return self._zones.setdefault(target, _Pending())

    def _expect(self, target: Target, change: int) -> None:
        zone = self._zone(target)
        zone.announced += change
        zone.arrived.set()

    async def aclose(self, patience: float) -> None:
        """Let writes under way finish, at most ``patience`` seconds; then cut them off. The journal knows of them."""
        tasks = [zone.task for zone in self._zones.values() if zone.task is not None and not zone.task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Announcement:
    """One task's promise to write to some targets, kept when its changes come or it is settled; and what came of it.

    As a context manager it settles itself.
    """

    def __init__(self, writer: Writer, targets: frozenset[Target]) -> None:
        self._writer = writer
        self._open = set(targets)
        self.leases: list[Lease] = []
        for target in targets:
            writer._expect(target, +1)

    def arrived(self, target: Target, leases: Sequence[Lease]) -> None:
        """``leases`` for ``target`` are in the journal: no more will come for it."""
        self.leases.extend(leases)
        if target in self._open:
            self._open.remove(target)
            self._writer._expect(target, -1)

    def settle(self) -> None:
        """Nothing more will come from this task."""
        for target in tuple(self._open):
            self.arrived(target, ())

    def __enter__(self) -> Announcement:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()


def _look_at_error(task: asyncio.Task[None]) -> None:
    """Whoever waits gets the error; where all who waited were cancelled, nobody is told twice."""
    if not task.cancelled():
        task.exception()


def _change(lease: Lease) -> Change:
    return Remove(lease.record) if lease.state is State.UNWANTED else Add(lease.record, lease.ttl)


def _by_name(leases: Sequence[Lease]) -> list[list[Lease]]:
    groups: dict[tuple[str, str], list[Lease]] = {}
    for lease in leases:
        groups.setdefault((lease.record.name, lease.record.type), []).append(lease)
    return list(groups.values())


def _file_name(zone: str) -> str:
    """A lock's file name: the zone as far as a file name takes it, and a digest that is its own."""
    digest = hashlib.sha256(zone.encode()).hexdigest()[:12]
    return f"zone-{zone.replace('/', '_')[:100]}-{digest}"
