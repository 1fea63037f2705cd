"""What the CA's resolver may still have cached about a challenge name, kept by final owner name across processes.

When all servers have our values (the moment V), the CA may yet hold an older RRset of that name, without them: if other
values of ours stood there before ours were written, or left within one TTL before V, it has to wait until V plus
that TTL. After a denial it is asked again when the negative TTL has run out. Nothing waits here: this says until when.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from dnsbroker.journal.database import Journal
from dnsbroker.records import RecordType

# Caches count in whole seconds: what came late in one is kept to the end of the last.
_WHOLE_SECOND = 1.0


class Answers:
    """What the journal knows about answers that a CA may have kept."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def stale_until(
        self, name: str, type: RecordType, ours: Collection[int], everywhere_at: datetime, ttl: float
    ) -> datetime | None:
        """Until when an answer without the leases ``ours`` may be cached; None where none can be.

        ``everywhere_at`` is the moment V, ``ttl`` the RRset's largest TTL in seconds that the CA respects.
        """
        kept = ttl + _WHOLE_SECOND
        horizon = everywhere_at.timestamp() - kept
        marks = ",".join("?" * len(ours))
        rows = self._journal.rows(
            "SELECT 1 FROM lease WHERE name = ? AND type = ? AND write IS NOT NULL"
            f" AND write < (SELECT max(write) FROM lease WHERE id IN ({marks})) AND id NOT IN ({marks})"
            " AND NOT unasked AND (state <> 'closed' OR closed > ?) LIMIT 1",
            (name, type, *ours, *ours, horizon),
        )
        candidates = [everywhere_at + timedelta(seconds=kept)] if rows else []
        denied = self.denied_until(name)
        if denied is not None and denied > everywhere_at:
            candidates.append(denied)
        return max(candidates, default=None)

    def never_asked(self, leases: Collection[int]) -> None:
        """Write down that the CA was not asked while ``leases`` stood, so that nobody has to wait because of them.

        Without it, a run that gave up waiting for the cache would make the next one wait as long again, for ever.
        """
        with self._journal.transaction() as database:
            database.executemany("UPDATE lease SET unasked = 1 WHERE id = ?", [(ident,) for ident in leases])

    def deny(self, name: str, until: datetime) -> None:
        """Write down that the CA was told that ``name`` does not exist, and may believe it ``until`` then."""
        with self._journal.transaction() as database:
            database.execute(
                "INSERT INTO denial (name, until) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET until = excluded.until",
                (name, until.timestamp()),
            )

    def denied_until(self, name: str) -> datetime | None:
        """Until when the CA may believe that ``name`` does not exist, by what it told us."""
        rows = self._journal.rows("SELECT until FROM denial WHERE name = ?", (name,))
        return datetime.fromtimestamp(rows[0]["until"], UTC) if rows else None
