"""Withdrawing what dead runs and expired promises left in DNS, as far as the journal knows of it."""

from __future__ import annotations

from datetime import UTC, datetime

from dnsbroker.errors import BrokerError
from dnsbroker.journal import Lease
from dnsbroker.run import Run


async def sweep(run: Run) -> dict[Lease, BrokerError]:
    """Withdraw all that nobody alive answers for; returns what could not be, with the reason. Raises StoreError.

    A value whose write got no receipt may yet appear: its lease stays open, and is looked at again by a later sweep.
    Old history is forgotten on the way.
    """
    run.runs.forget_dead()
    run.leases.prune()
    found = run.leases.sweepable(run.runs.is_alive)
    if not found:
        return {}
    run.emit("swept", names=sorted({lease.record.name for lease in found}))
    return await run.writer.withdraw(found)


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
