"""What people were told needs them, since when and when last: they hear of its end, and not every hour until then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from dnsbroker.clock import Clock
from dnsbroker.journal.database import Journal
from dnsbroker.journal.moments import at


@dataclass(frozen=True)
class Told:
    """What was told of ``subject``: first ``since``, and last at ``told`` (aware, UTC), in the words of ``summary``."""

    subject: str
    since: datetime
    told: datetime
    summary: str


class Alerts:
    """The alerts in a journal. Each method raises StoreError."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def all(self) -> tuple[Told, ...]:
        """Every subject that was told of and is not over, the oldest first."""
        rows = self._journal.rows("SELECT * FROM alert ORDER BY since, subject")
        return tuple(Told(row["subject"], at(row["since"]), at(row["told"]), row["summary"]) for row in rows)

    def told(self, summaries: Mapping[str, str], over: Iterable[str]) -> None:
        """Write down that people were told of ``summaries`` by subject, and that those ``over`` are."""
        now = self._clock.now().timestamp()
        with self._journal.transaction() as database:
            database.executemany("DELETE FROM alert WHERE subject = ?", [(subject,) for subject in over])
            database.executemany(
                "INSERT INTO alert (subject, since, told, summary) VALUES (?1, ?2, ?2, ?3)"
                " ON CONFLICT (subject) DO UPDATE SET told = ?2, summary = ?3",
                [(subject, now, summary) for subject, summary in summaries.items()],
            )
