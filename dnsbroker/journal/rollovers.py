"""What is remembered for DANE, across processes: RRsets that were seen, clocks, steps of roll-overs, what is served.

Values only, in text: what follows from them is decided elsewhere. Moments are seconds since the epoch. What is over is
kept for a year and a little, so that a picture can be drawn of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import timedelta

from dnsbroker.clock import Clock
from dnsbroker.journal.database import Journal

_KEPT = timedelta(days=400).total_seconds()


@dataclass(frozen=True)
class Sight:
    """A TLSA RRset at an owner name as ``server`` (an address; empty: about to be written) had it.

    It was given out from ``first`` to ``last``; ``is_current``: no other has been seen there since. ``records`` are
    values ``3 1 1 hex``, ``ttl`` is in seconds.
    """

    server: str
    records: frozenset[str]
    ttl: int
    first: float
    last: float
    is_current: bool


@dataclass(frozen=True)
class Progress:
    """Where the roll-over of one certificate stands: the ``step``, since when, why, and until when it waits.

    ``is_asked``: a person asked for a new key; ``is_emergency``: for its use at once. ``verified_since``: since when
    every address serves the live key. ``refused``: the serial number of a certificate that was taken back after its
    deployment, empty for none. ``no_authority_until``: until then no record of a CA is published, since a certificate
    for a compromised key is still valid under it; 0 for none. ``given_up``: the key (hex SHA-256 of the SPKI) that was
    given up in an emergency last. ``objections``: why something that is configured is not published, or what is not
    wanted any more is not taken away, in words.
    """

    certificate: str
    step: str
    since: float
    reason: str
    until: float | None = None
    is_asked: bool = False
    is_emergency: bool = False
    verified_since: float | None = None
    refused: str = ""
    no_authority_until: float = 0.0
    given_up: str = ""
    objections: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepTaken:
    """A step that the roll-over of a certificate came to, at ``at``, and why."""

    at: float
    step: str
    reason: str


@dataclass(frozen=True)
class Published:
    """An endpoint for which records were published: the owner names where they stand, and the certificates meant.

    ``is_withdrawn``: a person took DANE back; ``serve_until``: until then caches may hold its records, and for longer
    while there are addresses of name servers that give them out yet: ``given_by``.
    """

    endpoint: str
    owners: tuple[str, ...]
    certificates: tuple[str, ...]
    is_withdrawn: bool = False
    serve_until: float = 0.0
    given_by: tuple[str, ...] = ()

    def is_over(self, now: float) -> bool:
        """Whether a person took DANE back, and nobody can have its records any more."""
        return self.is_withdrawn and not self.given_by and self.serve_until <= now


@dataclass(frozen=True)
class Served:
    """The key (hex SHA-256 of the SPKI) that ``address`` was seen to serve, from ``first`` to ``last``."""

    endpoint: str
    address: str
    spki_sha256: str
    first: float
    last: float


class Rollovers:
    """What is remembered, in a journal. Each method raises StoreError."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def sights(self, owner: str, since: float = 0.0) -> tuple[Sight, ...]:
        """Every RRset seen at ``owner`` that is current, or whose ``last`` is not before ``since``, oldest first."""
        rows = self._journal.rows(
            "SELECT * FROM tlsa_sight WHERE owner = ? AND (is_current OR last >= ?) ORDER BY first, last, server",
            (owner, since),
        )
        return tuple(_sight(row) for row in rows)

    def keep_sights(self, owner: str, sights: Iterable[Sight]) -> None:
        """Keep ``sights``, all that is still believed: what was kept besides is history, and current no more.

        Those with the same server, records, TTL and first are replaced, others are added. What was kept while the clock
        was ahead goes: it is among ``sights`` as it is to be remembered.
        """
        with self._journal.transaction() as database:
            database.execute("DELETE FROM tlsa_sight WHERE owner = ? AND last > ?", (owner, self._now()))
            database.execute("UPDATE tlsa_sight SET is_current = 0 WHERE owner = ? AND is_current", (owner,))
            database.executemany(
                "INSERT OR REPLACE INTO tlsa_sight (owner, server, records, ttl, first, last, is_current)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (owner, one.server, _text(sorted(one.records)), one.ttl, one.first, one.last, one.is_current)
                    for one in sights
                ],
            )
            database.execute("DELETE FROM tlsa_sight WHERE NOT is_current AND last < ?", (self._oldest(),))

    def clocks(self, owner: str) -> Mapping[str, float]:
        """Since when each record at ``owner`` has been everywhere, by its value."""
        rows = self._journal.rows("SELECT record, since FROM tlsa_clock WHERE owner = ? ORDER BY record", (owner,))
        return {row["record"]: row["since"] for row in rows}

    def keep_clocks(self, owner: str, clocks: Mapping[str, float], *, is_whole: bool) -> None:
        """Exactly these clocks from now on; ``is_whole``: every address answered at the last look."""
        with self._journal.transaction() as database:
            database.execute("DELETE FROM tlsa_clock WHERE owner = ?", (owner,))
            database.executemany(
                "INSERT INTO tlsa_clock (owner, record, since) VALUES (?, ?, ?)",
                [(owner, record, since) for record, since in clocks.items()],
            )
            database.execute("INSERT OR REPLACE INTO tlsa_look (owner, is_whole) VALUES (?, ?)", (owner, is_whole))

    def was_whole(self, owner: str) -> bool:
        """Whether every address answered at the last look; not so where there was none."""
        rows = self._journal.rows("SELECT is_whole FROM tlsa_look WHERE owner = ?", (owner,))
        return bool(rows and rows[0]["is_whole"])

    def progress(self, certificate: str) -> Progress | None:
        """Where its roll-over stands, as it was last written down."""
        rows = self._journal.rows("SELECT * FROM rollover WHERE certificate = ?", (certificate,))
        return _progress(rows[0]) if rows else None

    def all_progress(self) -> tuple[Progress, ...]:
        """All of them, by certificate."""
        return tuple(_progress(row) for row in self._journal.rows("SELECT * FROM rollover ORDER BY certificate"))

    def keep_progress(self, progress: Progress) -> None:
        """Keep it; a step that is another one than before, or for another reason, goes into the history as well."""
        came_to = (progress.step, progress.reason)
        with self._journal.transaction() as database:
            before = database.execute(
                "SELECT step, reason FROM rollover WHERE certificate = ?", (progress.certificate,)
            ).fetchone()
            database.execute(
                "INSERT OR REPLACE INTO rollover (certificate, step, since, reason, until, is_asked, is_emergency,"
                " verified_since, refused, no_authority_until, given_up, objections)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*astuple(progress)[:-1], _text(progress.objections)),
            )
            if before is None or tuple(before) != came_to:
                database.execute(
                    "INSERT INTO rollover_step (certificate, at, step, reason) VALUES (?, ?, ?, ?)",
                    (progress.certificate, self._now(), *came_to),
                )
                database.execute("DELETE FROM rollover_step WHERE at < ?", (self._oldest(),))

    def forget_progress(self, certificate: str) -> None:
        """Nobody looks after ``certificate`` any more; its history stays for its time."""
        with self._journal.transaction() as database:
            database.execute("DELETE FROM rollover WHERE certificate = ?", (certificate,))

    def steps(self, certificate: str) -> tuple[StepTaken, ...]:
        """The history of its roll-overs, oldest first."""
        rows = self._journal.rows("SELECT * FROM rollover_step WHERE certificate = ? ORDER BY id", (certificate,))
        return tuple(StepTaken(row["at"], row["step"], row["reason"]) for row in rows)

    def published(self) -> tuple[Published, ...]:
        """Every endpoint for which records were published, and not forgotten."""
        return tuple(_published(row) for row in self._journal.rows("SELECT * FROM tlsa_endpoint ORDER BY endpoint"))

    def keep_published(self, published: Published) -> None:
        """Keep what is known of one endpoint."""
        owners, certificates = _text(published.owners), _text(published.certificates)
        with self._journal.transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO tlsa_endpoint (endpoint, owners, certificates, is_withdrawn, serve_until,"
                " given_by) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    published.endpoint,
                    owners,
                    certificates,
                    published.is_withdrawn,
                    published.serve_until,
                    _text(published.given_by),
                ),
            )

    def forget_published(self, endpoint: str) -> None:
        """Nothing of ours stands for ``endpoint`` any more."""
        with self._journal.transaction() as database:
            database.execute("DELETE FROM tlsa_endpoint WHERE endpoint = ?", (endpoint,))

    def see(self, endpoint: str, served: Collection[tuple[str, str]], at: float) -> None:
        """At ``at``, each address served a key: pairs of address and hex SHA-256 of the SPKI.

        An address that was not seen has no pair. One may serve several keys, of different algorithms.
        """
        with self._journal.transaction() as database:
            database.execute(  # noted while the clock was ahead: nothing after it would count
                "UPDATE OR REPLACE tlsa_served SET first = min(first, ?2), last = ?2 WHERE endpoint = ?1 AND last > ?3",
                (endpoint, at, self._now()),
            )
            before = {address: _seen_last(database, endpoint, address) for address, _ in served}
            for address, key in dict.fromkeys(served):
                first = before[address].get(key, at)
                database.execute(
                    "INSERT INTO tlsa_served (endpoint, address, spki_sha256, first, last) VALUES (?1, ?2, ?3, ?4, ?5)"
                    " ON CONFLICT DO UPDATE SET last = max(last, ?5)",
                    (endpoint, address, key, first, at),
                )
            database.execute("DELETE FROM tlsa_served WHERE last < ?", (self._oldest(),))

    def served(self, endpoint: str) -> tuple[Served, ...]:
        """What was seen there, oldest first."""
        rows = self._journal.rows(
            "SELECT * FROM tlsa_served WHERE endpoint = ? ORDER BY first, address, spki_sha256", (endpoint,)
        )
        return tuple(
            Served(row["endpoint"], row["address"], row["spki_sha256"], row["first"], row["last"]) for row in rows
        )

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _oldest(self) -> float:
        """From when on what is over is kept."""
        return self._now() - _KEPT


def _seen_last(database: sqlite3.Connection, endpoint: str, address: str) -> dict[str, float]:
    """The keys that ``address`` served at the last look that saw any, each with the first moment of it."""
    rows = database.execute(
        "SELECT spki_sha256, first FROM tlsa_served WHERE endpoint = ?1 AND address = ?2"
        " AND last = (SELECT max(last) FROM tlsa_served WHERE endpoint = ?1 AND address = ?2)",
        (endpoint, address),
    )
    return {row["spki_sha256"]: row["first"] for row in rows}


def _text(values: Iterable[str]) -> str:
    return json.dumps(list(values))


def _values(text: str) -> tuple[str, ...]:
    return tuple(map(str, json.loads(text)))


def _sight(row: sqlite3.Row) -> Sight:
    records = frozenset(_values(row["records"]))
    return Sight(row["server"], records, row["ttl"], row["first"], row["last"], bool(row["is_current"]))


def _progress(row: sqlite3.Row) -> Progress:
    return Progress(
        row["certificate"],
        row["step"],
        row["since"],
        row["reason"],
        until=row["until"],
        is_asked=bool(row["is_asked"]),
        is_emergency=bool(row["is_emergency"]),
        verified_since=row["verified_since"],
        refused=row["refused"],
        no_authority_until=row["no_authority_until"],
        given_up=row["given_up"],
        objections=_values(row["objections"]),
    )


def _published(row: sqlite3.Row) -> Published:
    return Published(
        row["endpoint"],
        _values(row["owners"]),
        _values(row["certificates"]),
        is_withdrawn=bool(row["is_withdrawn"]),
        serve_until=row["serve_until"],
        given_by=_values(row["given_by"]),
    )
