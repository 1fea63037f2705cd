"""What the TLSA records of an endpoint were last seen to say about a certificate's key: does one of them name it?

Only what was seen is told; an endpoint that was never looked at, or has no records, is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dnsbroker.clock import Clock
from dnsbroker.journal.database import Journal
from dnsbroker.journal.moments import at


@dataclass(frozen=True)
class Observed:
    """Whether the TLSA records of ``endpoint`` cover the key of ``certificate``, as seen ``at`` (aware, UTC)."""

    endpoint: str
    certificate: str
    covered: bool
    at: datetime
    message: str


class Observations:
    """The observations in a journal. Each method raises StoreError."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def observe(self, certificate: str, seen: Iterable[tuple[str, bool, str]]) -> None:
        """Keep what was ``seen`` of ``certificate`` (endpoint, covered, message) in place of all that was before."""
        now = self._clock.now().timestamp()
        with self._journal.transaction() as database:
            database.execute("DELETE FROM observation WHERE certificate = ?", (certificate,))
            database.executemany(
                "INSERT OR REPLACE INTO observation (endpoint, certificate, covered, at, message)"
                " VALUES (?, ?, ?, ?, ?)",
                [(endpoint, certificate, covered, now, message) for endpoint, covered, message in seen],
            )

    def all(self) -> tuple[Observed, ...]:
        """Every observation, by endpoint and certificate."""
        rows = self._journal.rows("SELECT * FROM observation ORDER BY endpoint, certificate")
        return tuple(
            Observed(row["endpoint"], row["certificate"], bool(row["covered"]), at(row["at"]), row["message"])
            for row in rows
        )

    def forget(self, certificate: str) -> None:
        """Forget what was seen of ``certificate``."""
        self.observe(certificate, ())
