"""What people see of what the journal knows: how each certificate is, metrics for a monitor, alerts for a person.

Everything here is told from the store and the journal, without network. A metrics file or an alert that fails is a
warning, and fails no run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dnsbroker.clock import Clock, Deadline, SystemClock
from dnsbroker.config import Config
from dnsbroker.errors import StoreError
from dnsbroker.journal import Alerts, FileLock, Journal
from dnsbroker.knowing.collecting import Collection
from dnsbroker.knowing.health import Health
from dnsbroker.knowing.metrics import families, write
from dnsbroker.store import Store

if TYPE_CHECKING:
    from dnsbroker.run import Run

__all__ = ["Collection", "Health", "after_run", "survey_health"]

#: From here on an exit status says which signal ended the run.
_SIGNALLED = 128
#: How long a run waits for another one that writes the metrics at this moment.
_TURN_SECONDS = 1.0


def survey_health(config: Config, store: Store, journal: Journal, clock: Clock | None = None) -> tuple[Health, ...]:
    """How every certificate is, those configured first. Raises StoreError."""
    return Collection(config, store, journal, clock or SystemClock()).health()


async def after_run(run: Run, *, command: str, status: int, story: Sequence[str]) -> None:
    """Write the metrics and tell people, as configured, after ``dnsbroker COMMAND`` with the exit ``status``.

    ``story`` holds the run's lines for a person. After a run that a signal ended nobody is told: hooks take time, and
    the next run tells. What cannot be done is told as a warning; raises nothing.
    """
    try:
        await _write_metrics(run, status)
    except StoreError as error:
        hint = error.hint or "set metrics to a file in a directory that is there and that dnsbroker may write"
        run.emit("warning", message=f"the metrics cannot be written: {error.message}", hint=hint)
    if status > _SIGNALLED:
        return
    try:
        await _alert(run, [f"dnsbroker {command} ended with status {status}", *story])
    except StoreError as error:
        run.emit("warning", message=f"nobody can be told what needs a person: {error.message}", hint=error.hint)


async def _write_metrics(run: Run, status: int) -> None:
    if run.config.metrics is None:
        return
    claim = FileLock(run.config.state_dir / "locks" / "metrics")
    if not await claim.acquire(run.clock, Deadline.after(run.clock, _TURN_SECONDS)):
        hint = "look for a stopped dnsbroker; the next run writes them"
        raise StoreError(f"another dnsbroker (pid {claim.holder()}) is at them", path=str(claim.path), hint=hint)
    try:
        collection = Collection(run.config, run.store, run.journal, run.clock)
        certificates = [collection.known(name) for name in collection.names()]
        counted = families(
            certificates,
            collection.observed,
            len(collection.open()),
            run.clock.now(),
            status,
            collection.rollovers,
        )
        write(run.config.metrics, counted)
    finally:
        claim.release()


async def _alert(run: Run, story: Sequence[str]) -> None:
    if not run.config.alert_hooks:
        return
    from dnsbroker.knowing.alerting import Bell  # who only looks runs no hook, and need not know how

    collection = Collection(run.config, run.store, run.journal, run.clock)
    bell = Bell(run.config.alert_hooks, run.config.environment, Alerts(run.journal, run.clock), run.clock, run.emit)
    healths = [*collection.health(), *collection.elsewhere(), collection.records()]
    await bell.ring(healths, story, run.config.state_dir / "locks" / "alert")
