"""What the hooks of other ACME clients were asked for, by the session that ties their processes together.

A value is *parked* until a later call of its session writes it: that one claims it, by the id of its run. The leases of
a value are found by the value itself, and by the run that claimed it; there is no other tie, so that none can be
missing. What a session has failed in is kept to be told at its end. Everything here expires: no client promises another
call.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from dnsbroker.clock import Clock
from dnsbroker.errors import BrokerError
from dnsbroker.journal.clients import client_run
from dnsbroker.journal.database import Journal

Values = Mapping[str, frozenset[str]]

#: How long, in seconds, a value that a hook was asked for is of use to anybody.
LIFE = timedelta(hours=1).total_seconds()
_FAILURES_KEPT = timedelta(days=1).total_seconds()
# What still has a lease is to be found by its session as long as that stands.
_FORGET = (
    "DELETE FROM hooked WHERE expires <= ? AND NOT EXISTS"
    " (SELECT 1 FROM lease WHERE run = hooked.run AND value = hooked.value AND state <> 'closed')"
)
# The leases of what a session, the second value, was asked for.
_LEASES = (
    "state <> 'closed' AND expires IS NOT NULL AND EXISTS (SELECT 1 FROM hooked WHERE session = ?2 AND session <> ''"
    " AND value = lease.value AND (name = lease.name OR run = lease.run))"
)


@dataclass(frozen=True)
class Failed:
    """An error that a session met: its ``kind``, message and hint, and the certificate it concerned, if one."""

    kind: str
    message: str
    hint: str
    certificate: str


class Sessions:
    """The sessions in a journal. Names are canonical owner names, as asked for. Each method raises StoreError."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def ask(self, session: str, values: Values, tokens: Mapping[str, str], *, run: str = "") -> int:
        """Write down that ``session`` wants ``values``, to be written by ``run``; parked where that is empty.

        ``tokens`` are those of the challenges, by value. Returns the last value's number.
        """
        now, ident = self._now(), 0
        with self._journal.transaction() as database:
            database.execute(_FORGET, (now,))
            for name, value in _pairs(values):
                row = database.execute(
                    "INSERT INTO hooked (session, name, value, token, run, expires)"
                    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session, name, value) DO UPDATE SET"
                    " token = excluded.token, run = excluded.run, expires = excluded.expires RETURNING id",
                    (session, name, value, tokens.get(value, ""), run, now + LIFE),
                ).fetchone()
                ident = row["id"]
        return ident

    def claim(self, sessions: Iterable[str], run: str) -> Values:
        """The parked values of ``sessions``; ``run`` has claimed them from now on."""
        with self._journal.transaction() as database:
            rows = [row for session in sessions for row in self._parked(database, session)]
            database.executemany("UPDATE hooked SET run = ? WHERE id = ?", [(run, row["id"]) for row in rows])
        return _by_name(rows)

    def _parked(self, database: sqlite3.Connection, session: str) -> list[sqlite3.Row]:
        return database.execute(
            "SELECT * FROM hooked WHERE session = ? AND run = '' AND expires > ?", (session, self._now())
        ).fetchall()

    def supersede(self, session: str) -> None:
        """Another run has begun in its place: what it has parked is forgotten, and what it has in DNS is over."""
        with self._journal.transaction() as database:
            database.execute("DELETE FROM hooked WHERE session = ? AND run = ''", (session,))
        self.hasten(session, 0.0)

    def supersede_gone(self) -> None:
        """The same for every run of a client of which the process was seen, and is no more.

        Where but a process group was seen, it may have been that of one call.
        """
        for session in self.named(""):
            run = client_run(session)
            if run is not None and run.pid and run.is_gone:
                self.supersede(session)

    def values(self, session: str) -> Values:
        """All that ``session`` still has, parked or not; an empty one has nothing."""
        return _by_name(self._journal.rows("SELECT * FROM hooked WHERE session = ? AND session <> ''", (session,)))

    def has_any(self, session: str) -> bool:
        """Whether there is anything to end: values, or failures to be told."""
        return bool(self.values(session) or self.failures(session))

    def named(self, beginning: str) -> tuple[str, ...]:
        """The sessions that have anything, and whose names begin so."""
        is_meant = "WHERE substr(session, 1, length(?1)) = ?1"
        rows = self._journal.rows(
            f"SELECT session FROM hooked {is_meant} UNION SELECT session FROM hooked_failure {is_meant}", (beginning,)
        )
        return tuple(row["session"] for row in rows)

    def leases(self, name: str, value: str) -> tuple[int, ...]:
        """The open leases, by number, that hooks or others of their kind have for ``value`` as asked for ``name``."""
        rows = self._journal.rows(
            "SELECT id FROM lease WHERE type = 'TXT' AND value = ?2 AND state <> 'closed' AND expires IS NOT NULL"
            " AND (name = ?1 OR run IN (SELECT run FROM hooked WHERE name = ?1 AND value = ?2)) ORDER BY id",
            (name, value),
        )
        return tuple(row["id"] for row in rows)

    def hasten(self, session: str, seconds: float) -> None:
        """What ``session`` has expires in ``seconds``, if it did not sooner."""
        until = self._now() + seconds
        with self._journal.transaction() as database:
            database.execute(f"UPDATE lease SET expires = min(expires, ?1) WHERE {_LEASES}", (until, session))
            database.execute(
                "UPDATE hooked SET expires = min(expires, ?) WHERE session = ? AND session <> ''", (until, session)
            )

    def prolong(self, session: str, run: str) -> None:
        """What ``run`` has written, and ``session`` before it, is of use for its full time from now on."""
        now = self._now()
        values = (now + LIFE, session, run, now)
        with self._journal.transaction() as database:
            database.execute(
                f"UPDATE lease SET expires = ?1 WHERE expires < ?1 AND (run = ?3 OR expires > ?4 AND {_LEASES})", values
            )
            database.execute(
                "UPDATE hooked SET expires = ?1 WHERE run = ?3 OR session = ?2 AND session <> '' AND expires > ?4",
                values,
            )

    def unpark(self, values: Values) -> bool:
        """Forget ``values`` where nobody has claimed any of them and no lease holds them; whether that was so."""
        pairs = _pairs(values)
        with self._journal.transaction() as database:
            for name, value in pairs:
                rows = database.execute("SELECT run FROM hooked WHERE name = ? AND value = ?", (name, value)).fetchall()
                if not rows or any(row["run"] for row in rows) or self.leases(name, value):
                    return False
            database.executemany("DELETE FROM hooked WHERE name = ? AND value = ?", pairs)
        return True

    def forget(self, values: Values) -> None:
        """Forget that anybody asked for ``values``."""
        with self._journal.transaction() as database:
            database.executemany("DELETE FROM hooked WHERE name = ? AND value = ?", _pairs(values))

    def name_of(self, session: str, token: str) -> str:
        """The name for which ``session`` asked with the challenge's ``token``; empty where none is known."""
        rows = self._journal.rows(
            "SELECT name FROM hooked WHERE session = ? AND token = ? AND token <> '' ORDER BY id DESC LIMIT 1",
            (session, token),
        )
        return str(rows[0]["name"]) if rows else ""

    def failed(self, session: str, error: BrokerError) -> None:
        """Write down what ``session`` has met, to be told at its end; of an empty one nobody would ask."""
        if not session:
            return
        with self._journal.transaction() as database:
            database.execute(
                "INSERT INTO hooked_failure (session, at, kind, message, hint, certificate) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(session, self._now(), error.kind, error.message, error.hint),
                    str(getattr(error, "certificate", "")),
                ),
            )

    def failures(self, session: str) -> tuple[Failed, ...]:
        """What ``session`` has met, oldest first; the same again is told once."""
        rows = self._journal.rows(
            "SELECT * FROM hooked_failure WHERE session = ? AND at > ? ORDER BY at, rowid",
            (session, self._now() - _FAILURES_KEPT),
        )
        found = (Failed(row["kind"], row["message"], row["hint"], row["certificate"]) for row in rows)
        return tuple(dict.fromkeys(found))

    def end(self, session: str) -> None:
        """Forget ``session``: what it asked for and what it has met. Its leases stay; an empty one is nobody's."""
        if not session:
            return
        with self._journal.transaction() as database:
            database.execute("DELETE FROM hooked WHERE session = ?", (session,))
            database.execute("DELETE FROM hooked_failure WHERE session = ?", (session,))

    def prune(self) -> None:
        """Forget what has expired; a clock that was ahead makes nothing last longer than the rest."""
        now = self._now()
        with self._journal.transaction() as database:
            database.execute("UPDATE hooked SET expires = ?1 WHERE expires > ?1", (now + LIFE,))
            database.execute(_FORGET, (now,))
            database.execute("DELETE FROM hooked_failure WHERE at <= ?", (now - _FAILURES_KEPT,))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _pairs(values: Values) -> list[tuple[str, str]]:
    return [(name, value) for name, texts in values.items() for value in sorted(texts)]


def _by_name(rows: list[sqlite3.Row]) -> Values:
    found: dict[str, frozenset[str]] = {}
    for row in rows:
        found[row["name"]] = found.get(row["name"], frozenset()) | {row["value"]}
    return found
