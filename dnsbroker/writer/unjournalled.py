"""The last resort of a run whose journal cannot be written (a full disk, mostly): its values leave DNS all the same.

A removal needs no lease to be safe; the leases stay open, and the next run finds nothing to be done for them. Refused:
removing what the journal, which can still be read, says that somebody else wants too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dnsbroker.clock import Deadline
from dnsbroker.errors import BrokerError, ConfigError, ProviderError, StoreError
from dnsbroker.journal import Lease
from dnsbroker.records import Remove
from dnsbroker.retry import retrying
from dnsbroker.routing import Target
from dnsbroker.tasks import all_through
from dnsbroker.writer.zone import Desk

_ATTEMPTS = 3


async def remove(desk: Desk, leases: Collection[Lease]) -> dict[Lease, BrokerError]:
    """Take the values of ``leases`` out of DNS; returns those that could not be, each with its error."""
    groups: dict[Target, list[Lease]] = {}
    for lease in leases:
        groups.setdefault(Target(lease.provider, lease.zone), []).append(lease)
    parts = await all_through(_remove_from(desk, target, group) for target, group in groups.items())
    return {lease: error for part in parts for lease, error in part.items()}


async def _remove_from(desk: Desk, target: Target, leases: Sequence[Lease]) -> dict[Lease, BrokerError]:
    try:
        lock = await desk.locked(target)
    except (ProviderError, StoreError) as error:
        return dict.fromkeys(leases, error)
    try:
        changes = [Remove(lease.record) for lease in leases if desk.leases.is_to_go(lease)]
        if changes:
            adapter, deadline = desk.adapter(target.provider), Deadline.after(desk.clock, desk.timeout)
            await retrying(lambda: adapter.apply(target.zone, changes), attempts=_ATTEMPTS, deadline=deadline)
    except (ProviderError, ConfigError, StoreError) as error:
        return dict.fromkeys(leases, error)
    finally:
        lock.release()
    return {}
