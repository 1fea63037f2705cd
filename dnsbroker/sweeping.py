"""Withdrawing what dead runs and expired promises left in DNS: by the journal, and what it forgot by our own notes.

Rule: nothing is removed without a lease, which a note alone can bring about where it is ours, its moment has passed,
and no lease holds the value. What services keep no notes of, and what a person noted, is never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dnsbroker.adapter import KeepsNotes
from dnsbroker.clock import Deadline
from dnsbroker.errors import BrokerError, RateLimited
from dnsbroker.journal import Lease, Sessions
from dnsbroker.records import Record
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.writer.notes import delete_after

_ZONES_AT_ONCE = 8


async def sweep(run: Run, targets: Collection[Target] | None = None) -> dict[Lease, BrokerError]:
    """Withdraw all that nobody alive answers for; returns what could not be, with the reason. Raises StoreError.

    Where ``targets`` are given, only there. A value whose write got no receipt may yet appear: its lease stays open,
    and is looked at again by a later sweep. Old history is forgotten on the way, and what hooks were asked for in vain.
    """
    run.runs.forget_dead()
    run.leases.prune()
    Sessions(run.journal, run.clock).prune()
    found = over(run)
    if targets is not None:
        found = tuple(lease for lease in found if Target(lease.provider, lease.zone) in targets)
    if not found:
        return {}
    run.emit("swept", names=sorted({lease.record.name for lease in found}))
    return await run.writer.withdraw(found)


def over(run: Run) -> tuple[Lease, ...]:
    """All that nobody alive answers for, killed clients of hooks included. Raises StoreError."""
    Sessions(run.journal, run.clock).supersede_gone()
    return run.leases.sweepable(run.runs.is_alive)


async def sweep_out(run: Run) -> dict[Lease, BrokerError]:
    """``sweep``, again and again until nothing can appear any more that a killed run had sent."""
    while True:
        failed = await sweep(run)
        suspects = [
            lease.suspect_until
            for lease in run.leases.sweepable(run.runs.is_alive)
            if lease.suspect_until is not None and lease not in failed
        ]
        if failed or not suspects:
            return failed
        until = datetime.fromtimestamp(max(suspects), UTC)
        seconds = max(0.05, (until - run.clock.now()).total_seconds())
        run.emit("waiting", seconds=round(seconds, 1), reason="a write of a killed run may still take effect")
        await run.clock.sleep(seconds)


@dataclass(frozen=True)
class Forgotten:
    """A record of ours that the journal knows nothing of: where it stands, and after which moment it may be deleted."""

    target: Target
    record: Record
    until: datetime


@dataclass(frozen=True)
class Searched:
    """What came of looking for forgotten records.

    ``withdrawn`` are gone, ``waiting`` were left because their moment has not passed, ``failed`` could not be
    withdrawn. ``unsearched`` says of a provider why it could not be looked through; ``errors`` are those of providers
    and zones that could have been.
    """

    withdrawn: tuple[Forgotten, ...] = ()
    waiting: tuple[Forgotten, ...] = ()
    unsearched: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[BrokerError, ...] = ()
    failed: tuple[Forgotten, ...] = ()


async def search(run: Run) -> Searched:
    """Withdraw what a lost state directory forgot, as far as services keep our notes; each provider fails alone.

    What could not be withdrawn is told by the publisher. Raises StoreError.
    """
    # One after another: two providers may be two ways to the same records.
    parts = [await _search(run, provider) for provider in run.config.providers]
    return Searched(
        tuple(item for part in parts for item in part.withdrawn),
        tuple(item for part in parts for item in part.waiting),
        {provider: why for part in parts for provider, why in part.unsearched.items()},
        tuple(error for part in parts for error in part.errors),
        tuple(item for part in parts for item in part.failed),
    )


async def _search(run: Run, provider: str) -> Searched:
    try:
        adapter = run.routing.adapter(provider)
        if not isinstance(adapter, KeepsNotes):
            return Searched(unsearched={provider: "it keeps no notes, so what was forgotten there cannot be told"})
        zones = run.config.providers[provider].zones or await adapter.zones()
    except BrokerError as error:
        return Searched(errors=(error,))
    if not zones:
        why = "it cannot list its zones" if zones is None else "it lists no zone, as far as its credentials may see"
        return Searched(unsearched={provider: f"{why}: name them in its `zones`"})
    forgotten, errors = await _found(run, adapter, [Target(provider, zone) for zone in zones])
    now = run.clock.now()
    withdrawn, failed = await _withdrawn(run, [item for item in forgotten if item.until <= now])
    waiting = tuple(item for item in forgotten if item.until > now)
    return Searched(withdrawn, waiting, errors=errors, failed=failed)


async def _found(
    run: Run, adapter: KeepsNotes, targets: Sequence[Target]
) -> tuple[list[Forgotten], tuple[BrokerError, ...]]:
    """What is ours in the zones of ``targets``, and the errors of those that could not be looked through.

    A service that wants to be left alone is, and asked again if that is in time; else it ends the search, as one error.
    """
    deadline = Deadline.after(run.clock, run.config.propagation.timeout)
    forgotten: list[Forgotten] = []
    errors: list[BrokerError] = []
    while targets:
        looked = await _looked(run, adapter, targets)
        forgotten += (item for part in looked.values() if isinstance(part, tuple) for item in part)
        limits = {target: part for target, part in looked.items() if isinstance(part, RateLimited)}
        errors += (part for part in looked.values() if isinstance(part, BrokerError) and part not in limits.values())
        targets = list(limits)
        if limits and not await _is_patient(run, limits.values(), deadline):
            errors.append(next(iter(limits.values())))
            break
    return forgotten, tuple(errors)


async def _is_patient(run: Run, limits: Iterable[RateLimited], deadline: Deadline) -> bool:
    """Wait as long as the service wants to be left alone, if that is not past ``deadline``."""
    limit = max(limits, key=lambda limit: limit.retry_after)
    seconds = max(1.0, limit.retry_after)
    if seconds > deadline.left():
        return False
    run.emit("waiting", seconds=round(seconds, 1), reason=limit.message)
    await run.clock.sleep(seconds)
    return True


async def _looked(
    run: Run, adapter: KeepsNotes, targets: Sequence[Target]
) -> dict[Target, tuple[Forgotten, ...] | BrokerError]:
    """What is ours at each of ``targets``, or why that is not known; after a first limit nobody is asked any more."""
    slots = asyncio.Semaphore(_ZONES_AT_ONCE)
    limits: list[RateLimited] = []

    async def look(target: Target) -> tuple[Forgotten, ...] | BrokerError:
        async with slots:
            if limits:
                return limits[0]
            try:
                return _ours(run, target, await adapter.notes(target.zone))
            except RateLimited as error:
                limits.append(error)
                return error
            except BrokerError as error:
                return error

    return dict(zip(targets, await asyncio.gather(*map(look, targets)), strict=True))


def _ours(run: Run, target: Target, notes: Mapping[Record, str]) -> tuple[Forgotten, ...]:
    """The TXT records with a note of ours that no open lease holds, whoever has it."""
    found = ((record, delete_after(note)) for record, note in sorted(notes.items()) if record.type == "TXT")
    return tuple(
        Forgotten(target, record, until)
        for record, until in found
        if until is not None and not run.leases.standing(record)
    )


async def _withdrawn(run: Run, forgotten: Sequence[Forgotten]) -> tuple[tuple[Forgotten, ...], tuple[Forgotten, ...]]:
    """Withdraw the ``forgotten``, each by a lease from now on; those that are gone, and those that could not be."""
    leases = {
        lease: item
        for item in forgotten
        for lease in run.leases.adopt(item.target.provider, item.target.zone, item.record)
    }
    if not leases:
        return (), ()
    run.emit("swept", names=sorted({lease.record.name for lease in leases}))
    failed = await run.writer.withdraw(leases)
    run.publisher.report(failed)
    left = {lease.id for lease in failed}
    return (
        tuple(item for lease, item in leases.items() if lease.id not in left),
        tuple(item for lease, item in leases.items() if lease.id in left),
    )
