"""Leases: the life of each record value of ours, from the wish to the confirmed withdrawal.

::

    wanted ──sent──▶ sending ──receipt──▶ present
      │                 │                    │
      │ withdrawn       ├────withdrawn───────┤
      ▼                 ▼                    ▼
    closed ◀──receipt── unwanted ◀───────────┘

A write without a receipt may still take effect until ``suspect_until``: such a lease is not closed before then, however
often its value was removed. Who withdraws a lease answers for it from then on, as the run that wanted it did before. A
value that somebody else wants as well stays, and with it the suspicion. Closed leases stay as history. Moments are
seconds since the epoch.

TLSA records are nobody's leftovers: whether one may go depends on what is served. So no sweep takes them, nor does any
failure take them back, whatever became of the run that wrote them; they go when they are withdrawn, and a newer lease
answers for what a dead run began.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

from dnsbroker.clock import Clock
from dnsbroker.journal.database import Journal
from dnsbroker.journal.lease import Lease, State, read_lease
from dnsbroker.journal.moments import CLOCK_SLACK
from dnsbroker.records import Record, RecordType

_HISTORY = timedelta(days=400).total_seconds()
# What lies further ahead was written by a clock that was wrong, and would be waited for as long as that was.
_LONGEST_REQUEST = timedelta(minutes=4).total_seconds()
_LONGEST_DENIAL = timedelta(hours=1).total_seconds()


class Leases:
    """The leases in a journal, on behalf of the run ``run``."""

    def __init__(self, journal: Journal, run: str, clock: Clock) -> None:
        self._journal = journal
        self._run = run
        self._clock = clock

    def want(
        self,
        provider: str,
        zone: str,
        records: Sequence[Record],
        *,
        ttl: int,
        expires: float | None = None,
        found: Collection[Record] = (),
        found_since: float = 0.0,
    ) -> tuple[Lease, ...]:
        """Write down that ``records`` shall be in ``zone``, before anything is sent.

        Those of ``found`` stood there before, when they were looked for at ``found_since``, and belong to nobody here
        unless they were ours at that time: they are used, and never withdrawn.
        """
        now = self._now()
        foreign = {record for record in found if not self._was_ours(record, found_since)}
        with self._journal.transaction() as database:
            ids = [
                database.execute(
                    "INSERT INTO lease"
                    " (run, provider, zone, name, type, value, ttl, state, foreign_value, created, expires)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(self._run, provider, zone, record.name, record.type, record.value, ttl),
                        State.PRESENT if record in foreign else State.WANTED,
                        record in foreign,
                        now,
                        expires,
                    ),
                ).lastrowid
                for record in records
            ]
        return self.by_id(ident for ident in ids if ident is not None)

    def take_over(self, leases: Iterable[Lease], *, is_alive: Callable[[str], bool]) -> None:
        """Let ``leases`` answer from now on for what dead runs have there of the same values.

        Those runs' own leases are closed, but for one whose write may still take effect. Of what expires only TLSA
        records have a newer lease that answers for all.
        """
        dead = [
            other
            for lease in leases
            for other in self._open(
                "id <> ? AND provider = ? AND zone = ? AND name = ? AND type = ? AND value = ? AND state <> 'closed'"
                " AND (expires IS NULL OR type = 'TLSA') AND (suspect_until IS NULL OR suspect_until <= ?)",
                (lease.id, lease.provider, lease.zone, *_identity(lease.record), self._now()),
            )
            if not is_alive(other.withdrawer or other.run)
        ]
        with self._journal.transaction() as database:
            for other in dead:
                _close_for_another(database, other, self._now())

    def has_left(self, leases: Iterable[Lease]) -> bool:
        """Whether a value of ``leases`` was there by an earlier lease of ours that is closed."""
        return any(
            self._journal.rows(
                "SELECT 1 FROM lease WHERE id < ? AND name = ? AND type = ? AND value = ? AND NOT foreign_value"
                " AND write IS NOT NULL AND state = 'closed' LIMIT 1",
                (lease.id, *_identity(lease.record)),
            )
            for lease in leases
        )

    def adopt(self, provider: str, zone: str, record: Record, *, expires: float | None = None) -> tuple[Lease, ...]:
        """A lease for a value that is there by no lease of ours, so that its withdrawal is journalled too.

        It is for those who withdraw it now, unless ``expires`` says otherwise.
        """
        with self._journal.transaction() as database:
            ident = database.execute(
                "INSERT INTO lease (run, provider, zone, name, type, value, ttl, state, created, expires)"
                " VALUES (?, ?, ?, ?, ?, ?, 0, 'present', ?, ?)",
                (
                    *(self._run, provider, zone, record.name, record.type, record.value, self._now()),
                    self._now() if expires is None else expires,
                ),
            ).lastrowid
        assert ident is not None  # noqa: S101 - for the type checker
        return self.by_id([ident])

    def by_id(self, ids: Iterable[int]) -> tuple[Lease, ...]:
        """Those leases as they are now, in the order of ``ids``."""
        wanted = list(ids)
        marks = ",".join("?" * len(wanted))
        rows = self._journal.rows(f"SELECT * FROM lease WHERE id IN ({marks})", tuple(wanted))
        found = {row["id"]: read_lease(row) for row in rows}
        return tuple(found[ident] for ident in wanted)

    def open(self) -> tuple[Lease, ...]:
        """Every lease that is not closed, oldest first."""
        return self._open("state <> 'closed'", ())

    def standing(self, record: Record) -> tuple[Lease, ...]:
        """Leases by which ``record`` is, or may be, there; those that are being withdrawn included."""
        return self._open(
            "name = ? AND type = ? AND value = ? AND state <> 'closed'", (record.name, record.type, record.value)
        )

    def at(self, name: str, type: RecordType) -> tuple[Lease, ...]:
        """Every lease at an owner name that is not closed, foreign values included, oldest first."""
        return self._open("name = ? AND type = ? AND state <> 'closed'", (name, type))

    def last(self, record: Record) -> Lease | None:
        """The latest lease that ``record`` had, closed or not."""
        rows = self._journal.rows(
            "SELECT * FROM lease WHERE name = ? AND type = ? AND value = ? ORDER BY id DESC LIMIT 1",
            (record.name, record.type, record.value),
        )
        return read_lease(rows[0]) if rows else None

    def _was_ours(self, record: Record, since: float) -> bool:
        """Whether any lease of ours for ``record`` has been open since then."""
        return bool(
            self._journal.rows(
                "SELECT 1 FROM lease WHERE name = ? AND type = ? AND value = ? AND NOT foreign_value"
                " AND (state <> 'closed' OR closed >= ?) LIMIT 1",
                (record.name, record.type, record.value, since),
            )
        )

    def is_ours(self, lease: Lease) -> bool:
        """Whether this run wanted the lease, or withdraws it."""
        return self._run in (lease.run, lease.withdrawer)

    def is_to_go(self, lease: Lease) -> bool:
        """Whether the value goes with the lease: it is not somebody else's, nor wanted by another lease."""
        return not lease.foreign and not self._journal.rows(*_other_holder(lease))

    def _open(self, condition: str, values: tuple[object, ...]) -> tuple[Lease, ...]:
        # By the bare id SQLite would walk through years of closed leases, which need no sorting, to find the few.
        rows = self._journal.rows(f"SELECT * FROM lease WHERE {condition} ORDER BY +id", values)
        return tuple(read_lease(row) for row in rows)

    def take(
        self, provider: str, zone: str, *, is_alive: Callable[[str], bool], may_act_until: float | None = None
    ) -> tuple[Lease, ...]:
        """All that is to be sent for ``zone``, whichever process asked for it, marked as being sent in one new write.

        The caller holds the zone's lock: what is being sent already was left by a process that died over it. With
        ``may_act_until`` the first request for all of them goes out now, as for ``sent``; the leases returned know of
        earlier ones alone.
        """
        with self._journal.transaction() as database:
            rows = database.execute(
                "SELECT * FROM lease WHERE provider = ? AND zone = ? AND state IN ('wanted', 'sending', 'unwanted')"
                " ORDER BY id",
                (provider, zone),
            ).fetchall()
            pending = [lease for lease in map(read_lease, rows) if self._is_for_sending(lease, is_alive)]
            leases = tuple(lease for lease in pending if not self._is_left_to_another(database, lease))
            if leases:
                self._mark_as_sent(database, zone, leases)
            if may_act_until is not None:
                _suspect(database, leases, may_act_until)
        return leases

    def _is_left_to_another(self, database: sqlite3.Connection, lease: Lease) -> bool:
        return lease.state is State.UNWANTED and _close_for_another(database, lease, self._now())

    def _mark_as_sent(self, database: sqlite3.Connection, zone: str, leases: Sequence[Lease]) -> None:
        write = database.execute("INSERT INTO write (zone, at) VALUES (?, ?)", (zone, self._now())).lastrowid
        database.executemany(
            "UPDATE lease SET state = 'sending', write = ? WHERE id = ? AND state <> 'unwanted'",
            [(write, lease.id) for lease in leases],
        )

    def _is_for_sending(self, lease: Lease, is_alive: Callable[[str], bool]) -> bool:
        """Whether somebody still waits for it: a dead run's wishes are not fulfilled, only cleaned up after."""
        return lease.state is State.UNWANTED or lease.run == self._run or is_alive(lease.run)

    def sent(self, leases: Sequence[Lease], may_act_until: float) -> None:
        """A request for ``leases`` goes out now; without a receipt it may take effect until then."""
        with self._journal.transaction() as database:
            _suspect(database, leases, may_act_until)

    def written(self, leases: Sequence[Lease], serial: int | None) -> None:
        """A receipt came for ``leases``: what was sent is present, what was unwanted is gone."""
        now = self._now()
        with self._journal.transaction() as database:
            for lease in leases:
                if lease.state is State.UNWANTED:
                    _close(database, lease.id, now)
                else:
                    database.execute(
                        "UPDATE lease SET suspect_until = NULL, serial = ?, trouble = NULL,"
                        " state = CASE state WHEN 'sending' THEN 'present' ELSE state END WHERE id = ?",
                        (serial, lease.id),
                    )

    def unsent(self, leases: Sequence[Lease], trouble: str, *, certainly: bool) -> None:
        """No receipt came for ``leases``; ``certainly`` where nothing was made of them.

        What this run wanted it wants no more; what another did goes back into the queue, for that run to see itself. A
        TLSA record that may stand stays in doubt: taking it out again could be worse than having it.
        What an earlier write may still do, of which ``leases`` as they were taken know, is suspected as before.
        """
        now = self._now()
        with self._journal.transaction() as database:
            for lease in leases:
                is_clear = certainly and (lease.suspect_until is None or lease.suspect_until <= now)
                database.execute(
                    "UPDATE lease SET trouble = ?, suspect_until = CASE WHEN ? THEN ? ELSE suspect_until END,"
                    " state = CASE WHEN state <> 'sending' THEN state WHEN run <> ? THEN 'wanted'"
                    " WHEN ? THEN 'closed' WHEN type = 'TLSA' THEN 'sending' ELSE 'unwanted' END WHERE id = ?",
                    (trouble, certainly, lease.suspect_until, self._run, is_clear, lease.id),
                )
                database.execute(
                    "UPDATE lease SET closed = ? WHERE id = ? AND state = 'closed' AND closed IS NULL", (now, lease.id)
                )
                database.execute(
                    "UPDATE lease SET withdrawer = ? WHERE id = ? AND state = 'unwanted' AND withdrawer IS NULL",
                    (self._run, lease.id),
                )

    def withdraw(self, ids: Iterable[int]) -> None:
        """Mark leases for withdrawal. What never was sent, is not ours or is wanted by others is closed at once."""
        now = self._now()
        with self._journal.transaction() as database:
            for ident in ids:
                lease = read_lease(database.execute("SELECT * FROM lease WHERE id = ?", (ident,)).fetchone())
                if lease.state is State.CLOSED:
                    continue
                never_sent = lease.state is State.WANTED and lease.suspect_until is None
                if never_sent or lease.foreign:
                    _close(database, ident, now, force=True)
                elif not _close_for_another(database, lease, now):
                    database.execute(
                        "UPDATE lease SET state = 'unwanted', withdrawer = ?, trouble = NULL WHERE id = ?",
                        (self._run, ident),
                    )

    def sweepable(self, is_alive: Callable[[str], bool]) -> tuple[Lease, ...]:
        """Open leases that nobody alive answers for, expired ones, and those whose withdrawal has failed.

        One that expires while another run that wrote it lives is still waited for. Those of TLSA records are none.
        """
        now = self._now()
        alive: dict[str, bool] = {self._run: True}

        def lives(run: str) -> bool:
            if run not in alive:
                alive[run] = is_alive(run)
            return alive[run]

        swept = (lease for lease in self.open() if lease.record.type != "TLSA")
        return tuple(lease for lease in swept if self._is_over(lease, now, lives))

    def _is_over(self, lease: Lease, now: float, lives: Callable[[str], bool]) -> bool:
        if lease.state is State.UNWANTED:
            if lease.withdrawer == self._run:
                return lease.trouble is not None or lease.suspect_until is not None
            return lease.trouble is not None or not lives(lease.withdrawer or lease.run)
        is_elsewhere = lease.run != self._run and lives(lease.run)
        return not lives(lease.run) if lease.expires is None else lease.expires <= now and not is_elsewhere

    def prune(self) -> None:
        """Forget closed leases and writes of long ago, and do not believe in a future that cannot be."""
        now = self._now()
        before = now - _HISTORY
        with self._journal.transaction() as database:
            database.execute("DELETE FROM lease WHERE state = 'closed' AND closed < ?", (before,))
            database.execute(
                "DELETE FROM write WHERE at < ? AND id NOT IN (SELECT write FROM lease WHERE write IS NOT NULL)",
                (before,),
            )
            database.execute("DELETE FROM denial WHERE until < ?", (before,))
            database.execute(
                "UPDATE lease SET suspect_until = min(suspect_until, ?1), created = min(created, ?2),"
                " expires = expires - max(0, created - ?2)"
                " WHERE state <> 'closed' AND (suspect_until > ?1 OR created > ?2 + ?3)",
                (now + _LONGEST_REQUEST, now, CLOCK_SLACK),
            )
            database.execute("UPDATE denial SET until = ?1 WHERE until > ?1", (now + _LONGEST_DENIAL,))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _identity(record: Record) -> tuple[str, str, str]:
    return record.name, record.type, record.value


def _other_holder(lease: Lease) -> tuple[str, tuple[object, ...]]:
    """The question for another lease by which the same value is wanted there, and its values."""
    return (
        "SELECT * FROM lease WHERE id <> ? AND zone = ? AND name = ? AND type = ? AND value = ?"
        " AND state IN ('wanted', 'sending', 'present') ORDER BY foreign_value LIMIT 1",
        (lease.id, lease.zone, lease.record.name, lease.record.type, lease.record.value),
    )


def _close_for_another(database: sqlite3.Connection, lease: Lease, now: float) -> bool:
    """Close a lease where somebody else wants the same value, and have that one know that the value may stand."""
    row = database.execute(*_other_holder(lease)).fetchone()
    if row is None:
        return False
    suspect_until = max(now, lease.suspect_until or 0.0, row["suspect_until"] or 0.0)
    database.execute("UPDATE lease SET suspect_until = ? WHERE id = ?", (suspect_until, row["id"]))
    _close(database, lease.id, now, force=True)
    return True


def _suspect(database: sqlite3.Connection, leases: Sequence[Lease], until: float) -> None:
    database.executemany(
        "UPDATE lease SET suspect_until = ? WHERE id = ? AND state = 'sending'", [(until, lease.id) for lease in leases]
    )


def _close(database: sqlite3.Connection, ident: int, now: float, *, force: bool = False) -> None:
    """Close a lease, unless a write of it may still take effect."""
    database.execute(
        "UPDATE lease SET state = 'closed', closed = ?"
        " WHERE id = ? AND (? OR suspect_until IS NULL OR suspect_until <= ?)",
        (now, ident, force, now),
    )
