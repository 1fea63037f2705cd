"""What people see of what the journal knows: how each certificate is, metrics for a monitor, alerts for a person.

Everything here is told from the store and the journal, without network. A metrics file or an alert that fails is a
warning, and fails no run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dnsbroker.clock import Clock, SystemClock
from dnsbroker.config import Config
from dnsbroker.errors import StoreError
from dnsbroker.journal import Alerts, Journal, Observations
from dnsbroker.knowing.collecting import Collection
from dnsbroker.knowing.health import Health
from dnsbroker.knowing.metrics import families, write
from dnsbroker.store import Store

if TYPE_CHECKING:
    from dnsbroker.run import Run

__all__ = ["Collection", "Health", "after_run", "survey_health"]


def survey_health(config: Config, store: Store, journal: Journal, clock: Clock | None = None) -> tuple[Health, ...]:
    """How every certificate is, those configured first. Raises StoreError."""
    return Collection(config, store, journal, clock or SystemClock()).health()


async def after_run(run: Run, *, command: str, status: int, story: Sequence[str]) -> None:
    """Write the metrics and tell people, as configured, after ``dnsbroker COMMAND`` with the exit ``status``.

    ``story`` holds the run's lines for a person. What cannot be done is told as a warning; raises nothing.
    """
    try:
        _write_metrics(run, status)
    except StoreError as error:
        hint = error.hint or "set metrics to a file in a directory that is there and that dnsbroker may write"
        run.emit("warning", message=f"the metrics cannot be written: {error.message}", hint=hint)
    try:
        await _alert(run, [f"dnsbroker {command} ended with status {status}", *story])
    except StoreError as error:
        run.emit("warning", message=f"nobody can be told what needs a person: {error.message}", hint=error.hint)


def _write_metrics(run: Run, status: int) -> None:
    if run.config.metrics is None:
        return
    collection = Collection(run.config, run.store, run.journal, run.clock)
    certificates = [collection.known(name) for name in collection.names()]
    observed = Observations(run.journal, run.clock).all()
    write(run.config.metrics, families(certificates, observed, len(collection.open()), run.clock.now(), status))


async def _alert(run: Run, story: Sequence[str]) -> None:
    if not run.config.alert_hooks:
        return
    from dnsbroker.knowing.alerting import Bell  # who only looks runs no hook, and need not know how

    collection = Collection(run.config, run.store, run.journal, run.clock)
    bell = Bell(run.config.alert_hooks, run.config.environment, Alerts(run.journal, run.clock), run.clock, run.emit)
    await bell.ring([*collection.health(), collection.records()], story, run.config.state_dir / "locks" / "alert")
