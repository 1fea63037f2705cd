"""Withdrawing what dead runs and expired promises left in DNS, as far as the journal knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from dnsbroker.errors import BrokerError, ConfigError
from dnsbroker.journal import Lease
from dnsbroker.run import Run


async def sweep(run: Run) -> dict[Lease, BrokerError]:
    """Withdraw all that belongs to nobody alive; returns what could not be, with the reason. Raises StoreError.

    A value whose write got no receipt may yet appear: its lease stays open, and is looked at again by a later sweep.
    """
    found = run.leases.sweepable(run.runs.is_alive)
    if not found:
        return {}
    configured, failed = _reachable(run, found)
    run.emit("swept", names=sorted({lease.record.name for lease in found}))
    if configured:
        failed |= await run.writer.withdraw(configured)
    return failed


def _reachable(run: Run, leases: Sequence[Lease]) -> tuple[list[Lease], dict[Lease, BrokerError]]:
    """Those of ``leases`` whose provider is still configured; the others, with what is to be done."""
    configured: list[Lease] = []
    failed: dict[Lease, BrokerError] = {}
    for lease in leases:
        try:
            run.routing.adapter(lease.provider)
            configured.append(lease)
        except ConfigError as error:
            failed[lease] = BrokerError(error.message, hint=error.hint)
    return configured, failed


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
