"""What is to be done with a new certificate, written down before it goes live, and how far that has come.

A plan belongs to one serial number, or to none: what is owed after attempts of a certificate that never went live. An
older one is dropped when the first step of a newer one has been tried, for only then is the newer certificate known to
be live. What a step does, and in what order, is decided elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dnsbroker.clock import Clock
from dnsbroker.journal.database import Journal
from dnsbroker.journal.moments import at

StepState = Literal["planned", "done", "failed"]


@dataclass(frozen=True)
class Step:
    """One step of a deployment: its ``state`` since ``at`` (aware, UTC), with the ``message`` of a failure."""

    name: str
    state: StepState
    at: datetime
    message: str


class Deployments:
    """The deployments in a journal, by certificate name and serial number (hex, or empty). Each raises StoreError."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def plan(self, certificate: str, serial: str, steps: Sequence[str]) -> None:
        """Write down the ``steps`` that are to come, in order; of a plan that is there, what was done stays done."""
        marks = ",".join("?" * len(steps))
        with self._journal.transaction() as database:
            database.execute(
                f"DELETE FROM deployment WHERE certificate = ? AND serial = ? AND step NOT IN ({marks})",
                (certificate, serial, *steps),
            )
            database.executemany(
                "INSERT INTO deployment (certificate, serial, step, position, state, at)"
                " VALUES (?, ?, ?, ?, 'planned', ?)"
                " ON CONFLICT (certificate, serial, step) DO UPDATE SET position = excluded.position",
                [(certificate, serial, step, position, self._now()) for position, step in enumerate(steps)],
            )

    def done(self, certificate: str, serial: str, step: str) -> None:
        """Write down that ``step`` is done; one that was not planned is from now on."""
        self._note(certificate, serial, step, "done", "")

    def failed(self, certificate: str, serial: str, step: str, message: str) -> None:
        """Write down that ``step`` has failed, and why."""
        self._note(certificate, serial, step, "failed", message)

    def of(self, certificate: str, serial: str) -> tuple[Step, ...]:
        """Every step, in the order in which they were planned."""
        rows = self._journal.rows(
            "SELECT * FROM deployment WHERE certificate = ? AND serial = ? ORDER BY position, rowid",
            (certificate, serial),
        )
        return tuple(_step(row) for row in rows)

    def unfinished(self, certificate: str, serial: str) -> tuple[Step, ...]:
        """Those that are not done."""
        return tuple(step for step in self.of(certificate, serial) if step.state != "done")

    def forget(self, certificate: str) -> None:
        """Forget all plans of ``certificate``."""
        with self._journal.transaction() as database:
            database.execute("DELETE FROM deployment WHERE certificate = ?", (certificate,))

    def _note(self, certificate: str, serial: str, step: str, state: StepState, message: str) -> None:
        with self._journal.transaction() as database:
            if serial:
                database.execute("DELETE FROM deployment WHERE certificate = ? AND serial <> ?", (certificate, serial))
            database.execute(
                "INSERT INTO deployment (certificate, serial, step, position, state, at, message) VALUES (?1, ?2, ?3,"
                " (SELECT count(*) FROM deployment WHERE certificate = ?1 AND serial = ?2), ?4, ?5, ?6)"
                " ON CONFLICT (certificate, serial, step) DO UPDATE SET state = ?4, at = ?5, message = ?6",
                (certificate, serial, step, state, self._now(), message),
            )

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _step(row: sqlite3.Row) -> Step:
    return Step(row["step"], row["state"], at(row["at"]), row["message"])
