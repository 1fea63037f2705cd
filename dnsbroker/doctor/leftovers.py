"""What dead runs left in DNS: told, or with ``--fix`` withdrawn, as the next run would.

Its rule: only values that are this broker's by the word of the journal, and for which nobody alive answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from dnsbroker.doctor.alone import Job
from dnsbroker.errors import BrokerError
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.journal import Lease
from dnsbroker.names import shown
from dnsbroker.run import Run


def withdrawing(run: Run, owners: Collection[str] | None) -> Job:
    """The job of withdrawing what dead runs left at ``owners``, or wherever it is."""
    return Job("state_dir", "what earlier runs left", partial(_withdrawn, run, owners))


def telling(run: Run, examined: Collection[str]) -> Job:
    """The job of telling what dead runs left, but for the owner names that are ``examined``."""
    return Job("state_dir", "what earlier runs left", partial(_left, run, examined))


def unread(run: Run) -> tuple[Finding, ...]:
    """That the journal cannot be read: a fault wherever it is not only this user who may not."""
    error = run.unread
    if error is None:
        return ()
    is_forbidden = isinstance(error.__cause__, PermissionError)
    told = f"the journal cannot be read, so what earlier runs left, and what limits them, is not known: {error.message}"
    hint = "run the doctor as the user that runs dnsbroker" if is_forbidden else error.hint
    severity = Severity.WARNING if is_forbidden else Severity.ERROR
    return (Finding("unexamined", severity, "state_dir", told, hint, (Evidence(record=error.path),)),)


async def _left(run: Run, examined: Collection[str]) -> tuple[Finding, ...]:
    found = [lease for lease in run.leases.sweepable(run.runs.is_alive) if lease.record.name not in examined]
    hint = "`dnsbroker doctor --fix` withdraws it, and so do `dnsbroker gc` and the next `dnsbroker renew`"
    return tuple(
        Finding(
            "left-behind",
            Severity.WARNING,
            name,
            f"{_counted(here)} that an earlier run left may stand there still",
            hint,
            _evidence(here),
        )
        for name in sorted({lease.record.name for lease in found})
        if (here := [lease for lease in found if lease.record.name == name])
    )


async def _withdrawn(run: Run, owners: Collection[str] | None) -> tuple[Finding, ...]:
    found = run.leases.sweepable(run.runs.is_alive)
    leases = [lease for lease in found if owners is None or lease.record.name in owners]
    if not leases:
        return ()
    failed = await run.writer.withdraw(leases)
    return tuple(_told(leases, failed))


def _told(leases: Collection[Lease], failed: dict[Lease, BrokerError]) -> Iterable[Finding]:
    for name in sorted({lease.record.name for lease in leases}):
        here = [lease for lease in leases if lease.record.name == name]
        gone = [lease for lease in here if lease not in failed]
        if gone:
            told = f"{_counted(gone)} that an earlier run left {'was' if len(gone) == 1 else 'were'} withdrawn"
            yield Finding("left-behind", Severity.WARNING, name, told, evidence=_evidence(gone), fixed=True)
        stuck = [lease for lease in here if lease in failed]
        if stuck:
            error = failed[stuck[0]]
            told = f"{_counted(stuck)} that an earlier run left could not be withdrawn: {error.message}"
            yield Finding("left-behind", Severity.WARNING, name, told, error.hint, _evidence(stuck))


def _counted(leases: Collection[Lease]) -> str:
    return "1 value" if len(leases) == 1 else f"{len(leases)} values"


def _evidence(leases: Collection[Lease]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(lease.provider, f'{shown(lease.zone)}: {lease.record.type} "{lease.record.value}"') for lease in leases
    )
