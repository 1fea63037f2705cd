"""One zone at one provider: rounds in which all that is pending there is sent, whoever asked for it.

A round gathers those who announced themselves, for two seconds at most, takes the zone's lock and sends what the
journal has for the zone, other processes' changes included. Who comes while it sends goes with the next round. A round
outlives the task that asked for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnsbroker.adapter import Adapter
from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import BrokerError, Conflict, ProviderError, ProviderUnavailable, RecordRejected
from dnsbroker.events import Emitter
from dnsbroker.journal import FileLock, Lease, Leases, Runs, State
from dnsbroker.records import Add, Change, Receipt, Remove
from dnsbroker.retry import retrying
from dnsbroker.routing import Target
from dnsbroker.tasks import background
from dnsbroker.writer.notes import note

GATHER_SECONDS = 2.0
_ATTEMPTS = 4


@dataclass(frozen=True)
class Desk:
    """What every zone's writer needs; ``timeout`` (seconds) is for one round's lock and write."""

    leases: Leases
    runs: Runs
    state_dir: Path
    adapter: Callable[[str], Adapter]
    clock: Clock
    emit: Emitter
    timeout: float

    async def locked(self, target: Target) -> FileLock:
        """The lock that one process at a time holds while it writes to the zone of ``target``, held.

        Raises ProviderUnavailable where another has it for too long, StoreError.
        """
        lock = FileLock(self.state_dir / "locks" / _file_name(target.zone))
        if not await lock.acquire(self.clock, Deadline.after(self.clock, self.timeout)):
            raise ProviderUnavailable(
                f"the zone is being written by another dnsbroker (pid {lock.holder()})",
                provider=target.provider,
                zone=target.zone,
                hint="look what that process waits for",
            )
        return lock


@dataclass(frozen=True)
class _Failure:
    """Why no receipt came; ``is_certain`` where no attempt can have had an effect."""

    error: ProviderError
    is_certain: bool

    def after(self, earlier: _Failure) -> _Failure:
        """This failure of what had been tried before."""
        return _Failure(self.error, self.is_certain and earlier.is_certain)


class ZoneWriter:
    """The rounds of one target in this process.

    ``announced`` counts the tasks that will have changes soon; ``held`` are the leases that will be withdrawn by the
    task that made them, and ``failures`` what kept a lease from being written or withdrawn.
    """

    def __init__(self, target: Target, desk: Desk) -> None:
        self._target = target
        self._desk = desk
        self.announced = 0
        self.held: set[int] = set()
        self.failures: dict[int, BrokerError] = {}
        self._arrived = asyncio.Event()
        self._open: asyncio.Task[None] | None = None
        self._latest: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def expect(self, change: int) -> None:
        """So many tasks more have announced themselves."""
        self.announced += change
        self._arrived.set()

    def let_go(self, ident: int) -> None:
        """That lease is not held any more."""
        self.held.discard(ident)
        self._arrived.set()

    async def flush(self) -> None:
        """Wait for the end of a round that had not begun to send when this was called.

        Raises ProviderUnavailable where the lock cannot be had, ConfigError, StoreError.
        """
        if self._open is None:
            self._open = self._latest = self._begun(self._round(self._latest))
        await asyncio.shield(self._open)

    async def leave(self) -> None:
        """``flush`` once those who hold something here have withdrawn it too, if they do so soon."""
        if self._leaving is None:
            self._leaving = self._begun(self._leave())
        await asyncio.shield(self._leaving)

    async def _leave(self) -> None:
        try:
            await self._gather(lambda: len(self.held))
        finally:
            self._leaving = None
        await self.flush()

    def _begun(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = background(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _round(self, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None and not before.done():
                await asyncio.wait({before})
            await self._gather(lambda: self.announced)
            lock = await self._desk.locked(self._target)
        finally:
            self._open = None  # who comes from now on cannot be sure to be sent along
        try:
            await self._write(Deadline.after(self._desk.clock, self._desk.timeout))
        finally:
            lock.release()

    async def _gather(self, missing: Callable[[], int]) -> None:
        """Give those who are still ``missing`` at most two seconds to come."""
        waiting = Deadline.after(self._desk.clock, GATHER_SECONDS)
        while missing() and not waiting.has_passed():
            self._arrived.clear()
            try:
                async with asyncio.timeout(waiting.left()):
                    await self._arrived.wait()
            except TimeoutError:
                return

    async def _write(self, deadline: Deadline) -> None:
        """Send all that is pending, as one write where the service takes it so."""
        adapter = self._desk.adapter(self._target.provider)
        target, desk = self._target, self._desk
        leases = desk.leases.take(
            target.provider,
            target.zone,
            is_alive=desk.runs.is_alive,
            may_act_until=self._soon(2 * adapter.request_timeout),
        )
        if not leases:
            return
        groups = _apart(leases)
        failure = await self._attempt(adapter, leases, deadline, is_noted=True)
        if len(groups) > 1 and failure and isinstance(failure.error, Conflict | RecordRejected):
            for group in groups:  # one bad name must not fail its neighbours
                again = await self._attempt(adapter, group, deadline)
                self._note(group, again and again.after(failure))
        else:
            self._note(leases, failure)

    async def _attempt(
        self, adapter: Adapter, leases: Sequence[Lease], deadline: Deadline, *, is_noted: bool = False
    ) -> _Failure | None:
        """Send ``leases``, the journal having the first request where it ``is_noted``; what stands for a receipt."""
        changes = [_change(lease) for lease in leases]
        is_certain = True

        async def apply() -> Receipt:
            nonlocal is_certain, is_noted
            if not is_noted:
                self._suspect(leases, 2 * adapter.request_timeout)  # as an adapter promises
            is_noted = False
            try:
                return await adapter.apply(self._target.zone, changes)
            except ProviderError as error:
                is_certain = is_certain and error.nothing_done
                raise

        try:
            receipt = await retrying(apply, attempts=_ATTEMPTS, deadline=deadline)
        except ProviderError as error:
            self._suspect(leases, adapter.request_timeout)  # nothing more was sent from here on
            return _Failure(error, is_certain)
        self._desk.leases.written(leases, receipt.serial)
        self._tell(leases, receipt)
        return None

    def _suspect(self, leases: Sequence[Lease], seconds: float) -> None:
        self._desk.leases.sent(leases, self._soon(seconds))

    def _soon(self, seconds: float) -> float:
        return self._desk.clock.now().timestamp() + seconds

    def _note(self, leases: Sequence[Lease], failure: _Failure | None) -> None:
        """Write down that there was no receipt for ``leases``, and have the reason for those who wait."""
        if failure is not None:
            self._desk.leases.unsent(leases, failure.error.message, certainly=failure.is_certain)
            self.failures.update({lease.id: failure.error for lease in leases if self._desk.leases.is_ours(lease)})

    def _tell(self, leases: Sequence[Lease], receipt: Receipt) -> None:
        target, emit = self._target, self._desk.emit
        for warning in receipt.warnings:
            emit("warning", message=warning, provider=target.provider, zone=target.zone)
        ours = [lease for lease in leases if self._desk.leases.is_ours(lease)]
        added = sorted({lease.record.name for lease in ours if lease.state is not State.UNWANTED})
        gone = sorted({lease.record.name for lease in ours if lease.state is State.UNWANTED})
        told = {"provider": target.provider, "zone": target.zone, "serial": receipt.serial, "changed": receipt.changed}
        if added:
            emit("written", names=added, **told)
        if gone:
            emit("withdrawn", names=gone, **told)

    async def aclose(self, patience: float) -> None:
        """Let rounds under way finish, at most ``patience`` seconds; then cut them off. The journal knows of them."""
        deadline = Deadline.after(self._desk.clock, patience)
        while self._tasks and not deadline.has_passed():
            await asyncio.wait(set(self._tasks), timeout=deadline.left())
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _change(lease: Lease) -> Change:
    if lease.state is State.UNWANTED:
        return Remove(lease.record)
    # A TLSA record stands until somebody takes it back: none of its own says when it may go.
    return Add(lease.record, lease.ttl, note(lease) if lease.record.type == "TXT" else "")


def _apart(leases: Sequence[Lease]) -> list[list[Lease]]:
    """``leases`` in groups that fail together: one run's values at one name, which must appear at once."""
    groups: dict[tuple[str, str, str], list[Lease]] = {}
    for lease in leases:
        groups.setdefault((lease.run, lease.record.name, lease.record.type), []).append(lease)
    return list(groups.values())


def _file_name(zone: str) -> str:
    """A lock's file name: the zone as far as a file name takes it, and a digest that is its own."""
    digest = hashlib.sha256(zone.encode()).hexdigest()[:12]
    return f"zone-{zone.replace('/', '_')[:100]}-{digest}"
