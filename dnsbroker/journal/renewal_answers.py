"""What was heard about when a certificate wants renewing: a CA's window (RFC 9773), or a revocation, by certificate id.

Kept, so that nobody is asked again too soon and the moment chosen in a window stays chosen. What it means is decided
elsewhere.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dnsbroker.journal.database import Journal
from dnsbroker.journal.moments import at, kept, read

Source = Literal["ari", "crl", "none"]


@dataclass(frozen=True)
class Answer:
    """What is known about the certificate ``id`` (RFC 9773 section 4.1), asked for at ``url``; moments are aware, UTC.

    ``moment`` is the instant chosen between ``start`` and ``end``; ``explanation`` a URL; ``failures`` those in a row.
    """

    id: str
    source: Source
    url: str
    asked_at: datetime
    ask_again_at: datetime
    start: datetime | None = None
    end: datetime | None = None
    moment: datetime | None = None
    explanation: str = ""
    revoked_at: datetime | None = None
    failures: int = 0


class RenewalAnswers:
    """The answers in a journal. Each method raises StoreError."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def keep(self, answer: Answer) -> None:
        """Keep ``answer`` in place of what is known by its id."""
        with self._journal.transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO renewal_answer (id, source, url, asked_at, ask_again_at, window_start,"
                " window_end, moment, explanation, revoked_at, failures) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(answer.id, answer.source, answer.url, kept(answer.asked_at), kept(answer.ask_again_at)),
                    *(kept(answer.start), kept(answer.end), kept(answer.moment), answer.explanation),
                    *(kept(answer.revoked_at), answer.failures),
                ),
            )

    def get(self, id: str) -> Answer | None:
        """What is known about the certificate ``id``."""
        rows = self._journal.rows("SELECT * FROM renewal_answer WHERE id = ?", (id,))
        return _answer(rows[0]) if rows else None

    def forget(self, id: str) -> None:
        """Forget it: the certificate has been replaced or is gone."""
        with self._journal.transaction() as database:
            database.execute("DELETE FROM renewal_answer WHERE id = ?", (id,))


def _answer(row: sqlite3.Row) -> Answer:
    return Answer(
        id=row["id"],
        source=row["source"],
        url=row["url"],
        asked_at=at(row["asked_at"]),
        ask_again_at=at(row["ask_again_at"]),
        start=read(row["window_start"]),
        end=read(row["window_end"]),
        moment=read(row["moment"]),
        explanation=row["explanation"],
        revoked_at=read(row["revoked_at"]),
        failures=row["failures"],
    )
