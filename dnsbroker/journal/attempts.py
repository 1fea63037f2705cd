"""How often in a row a certificate has failed, and when it is tried again by itself; across processes.

After the n-th failure it waits 1 minute, 10 minutes, 100 minutes, and a day from then on, each up to a tenth shorter or
longer, so that no two hosts come back together. A mistake in the configuration is tried again by every run: nobody was
contacted, and waiting mends nothing. Failed validations are counted by name and CA as well: a run of them stops before
the CA's own limit. Whether anybody abides by this is decided elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dnsbroker.clock import Clock
from dnsbroker.errors import BrokerError
from dnsbroker.journal.database import Journal
from dnsbroker.journal.moments import CLOCK_SLACK, at

_SPACING = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), timedelta(days=1))
_JITTER = 0.1
# Let's Encrypt allows five for each name, account and hour; the last one is left to a person.
_VALIDATIONS = 4
_WINDOW = timedelta(hours=1).total_seconds()
_OF = "SELECT * FROM attempt WHERE certificate = ?"


@dataclass(frozen=True)
class Attempt:
    """A series of ``failures`` with no success between them, and the error of the last. Moments are aware, UTC."""

    certificate: str
    failures: int
    since: datetime
    last: datetime
    next_try: datetime
    kind: str
    message: str
    hint: str

    @property
    def is_mistake(self) -> bool:
        """Whether a person has to mend something, and nothing is waited for."""
        return self.next_try <= self.last


def spacing(failures: int, share: float) -> timedelta:
    """How long to wait after so many failures in a row; ``share``, from 0 to 1, chooses within the jitter."""
    step = _SPACING[min(max(failures, 1), len(_SPACING)) - 1]
    return step * (1 - _JITTER + 2 * _JITTER * share)


class Attempts:
    """The failures in a journal. ``share`` gives numbers from 0 to 1 for the jitter, by chance where it is not given.

    Each method raises StoreError.
    """

    def __init__(self, journal: Journal, clock: Clock, share: Callable[[], float] | None = None) -> None:
        self._journal = journal
        self._clock = clock
        self._share = share or _chance

    def failed(self, certificate: str, error: BrokerError) -> Attempt:
        """Write down that ``certificate`` has failed with ``error``; what is known about it then."""
        return self._note(certificate, error, is_mistake=False)

    def mistaken(self, certificate: str, error: BrokerError) -> Attempt:
        """Write down that ``error``, a person's to mend, keeps ``certificate`` from being what is configured."""
        return self._note(certificate, error, is_mistake=True)

    def _note(self, certificate: str, error: BrokerError, *, is_mistake: bool) -> Attempt:
        """One failure more; mistakes and other failures are two series, of which the newer one is kept."""
        now = self._now()
        with self._journal.transaction() as database:
            before = self._read(database, certificate)
            if before and (before["next_try"] <= before["last"]) is not is_mistake:
                before = None
            failures = before["failures"] + 1 if before else 1
            pause = 0.0 if is_mistake else spacing(failures, self._share()).total_seconds()
            database.execute(
                "INSERT OR REPLACE INTO attempt (certificate, failures, since, last, next_try, kind, message, hint)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(certificate, failures, before["since"] if before else now, now),
                    *(now + pause, error.kind, error.message, error.hint),
                ),
            )
            return _attempt(database.execute(_OF, (certificate,)).fetchone())

    def succeeded(self, certificate: str) -> None:
        """Forget its failures: the series is over."""
        self.forget(certificate)

    def of(self, certificate: str) -> Attempt | None:
        """The present series of failures; None where the last attempt succeeded, or none was made."""
        rows = self._journal.rows(_OF, (certificate,))
        if rows and rows[0]["last"] > self._now() + CLOCK_SLACK:
            with self._journal.transaction() as database:
                self._read(database, certificate)
            rows = self._journal.rows(_OF, (certificate,))
        return _attempt(rows[0]) if rows else None

    def forget(self, certificate: str) -> None:
        """Forget what is known about ``certificate``."""
        with self._journal.transaction() as database:
            database.execute("DELETE FROM attempt WHERE certificate = ?", (certificate,))

    def validation_failed(self, directory_url: str, identifiers: Iterable[str]) -> None:
        """Write down that the CA at ``directory_url`` tried to validate ``identifiers``, in vain."""
        now = self._now()
        with self._journal.transaction() as database:
            database.execute(
                "DELETE FROM failed_validation WHERE at <= ? OR at > ?", (now - _WINDOW, now + CLOCK_SLACK)
            )
            database.executemany(
                "INSERT INTO failed_validation (directory, identifier, at) VALUES (?, ?, ?)",
                [(directory_url, identifier, now) for identifier in set(identifiers)],
            )

    def failed_validations(self, directory_url: str, identifiers: Iterable[str]) -> dict[str, tuple[datetime, ...]]:
        """When the CA failed to validate each of ``identifiers`` in the last hour, by identifier."""
        now = self._now()
        found = {}
        for identifier in dict.fromkeys(identifiers):
            rows = self._journal.rows(
                "SELECT at FROM failed_validation WHERE directory = ? AND identifier = ? AND at > ? AND at <= ?"
                " ORDER BY at",
                (directory_url, identifier, now - _WINDOW, now + CLOCK_SLACK),
            )
            if rows:
                found[identifier] = tuple(at(row["at"]) for row in rows)
        return found

    def validations_free_at(self, directory_url: str, identifiers: Iterable[str]) -> datetime | None:
        """When all of ``identifiers`` may be validated again by the CA; None where they may be now."""
        moments = (self._free_at(directory_url, identifier) for identifier in set(identifiers))
        latest = max((moment for moment in moments if moment is not None), default=None)
        return None if latest is None else at(latest)

    def _free_at(self, directory: str, identifier: str) -> float | None:
        now = self._now()
        rows = self._journal.rows(
            "SELECT at FROM failed_validation WHERE directory = ? AND identifier = ? AND at > ? AND at <= ?"
            " ORDER BY at DESC LIMIT ?",
            (directory, identifier, now - _WINDOW, now + CLOCK_SLACK, _VALIDATIONS),
        )
        return rows[-1]["at"] + _WINDOW if len(rows) == _VALIDATIONS else None

    def _read(self, database: sqlite3.Connection, certificate: str) -> sqlite3.Row | None:
        """The row as it is, its moments moved back first where the clock was ahead when it was written."""
        now = self._now()
        database.execute(
            "UPDATE attempt SET since = min(since, ?1), next_try = next_try - (last - ?1), last = ?1"
            " WHERE certificate = ?2 AND last > ?3",
            (now, certificate, now + CLOCK_SLACK),
        )
        row: sqlite3.Row | None = database.execute(_OF, (certificate,)).fetchone()
        return row

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _chance() -> float:
    import random  # which few runs need, for few of them fail

    return random.random()  # noqa: S311 - no secret


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        certificate=row["certificate"],
        failures=row["failures"],
        since=at(row["since"]),
        last=at(row["last"]),
        next_try=at(row["next_try"]),
        kind=row["kind"],
        message=row["message"],
        hint=row["hint"],
    )
