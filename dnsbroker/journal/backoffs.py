"""Until when a CA wants to be left alone (RFC 8555 section 6.6), as it said itself: altogether, or for one certificate.

A demand outlives the process that heard it and holds for every other on this host. It is outlasted, never shortened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dnsbroker.clock import Clock
from dnsbroker.journal.database import Journal
from dnsbroker.journal.moments import CLOCK_SLACK, at


@dataclass(frozen=True)
class Backoff:
    """Until when (aware, UTC) a CA must not be asked, and the words in which it said so."""

    until: datetime
    message: str


class Backoffs:
    """The demands in a journal. Each method raises StoreError."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def demanded(self, directory_url: str, until: datetime, message: str, certificate: str = "") -> None:
        """Write down what the CA at ``directory_url`` demanded, for ``certificate`` or, without one, for everything."""
        now = self._now()
        self._set_right(now)
        with self._journal.transaction() as database:
            database.execute("DELETE FROM backoff WHERE until <= ?", (now,))
            database.execute(
                "INSERT INTO backoff (directory, certificate, demanded, until, message) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (directory, certificate) DO UPDATE SET demanded = excluded.demanded,"
                " until = excluded.until, message = excluded.message WHERE excluded.until > until",
                (directory_url, certificate, now, until.timestamp(), message),
            )

    def until(self, directory_url: str, certificate: str) -> Backoff | None:
        """The demand that holds for ``certificate`` at this CA, the later of two; None where none does any more."""
        now = self._now()
        self._set_right(now)
        rows = self._journal.rows(
            "SELECT until, message FROM backoff WHERE directory = ? AND certificate IN ('', ?) AND until > ?"
            " ORDER BY until DESC LIMIT 1",
            (directory_url, certificate, now),
        )
        return Backoff(at(rows[0]["until"]), rows[0]["message"]) if rows else None

    def _set_right(self, now: float) -> None:
        """Count what was demanded while the clock was ahead from now: so long it was to be, and no longer."""
        if not self._journal.rows("SELECT 1 FROM backoff WHERE demanded > ?", (now + CLOCK_SLACK,)):
            return
        with self._journal.transaction() as database:
            database.execute(
                "UPDATE backoff SET until = until - (demanded - ?1), demanded = ?1 WHERE demanded > ?2",
                (now, now + CLOCK_SLACK),
            )

    def _now(self) -> float:
        return self._clock.now().timestamp()
