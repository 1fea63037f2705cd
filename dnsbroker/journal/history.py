"""What was written, withdrawn, asked, answered and deployed, and by which run: kept for half a year, then forgotten.

Events come in as they are told, and are put on disk at most once a second and at the end: a story costs no time, and a
short one is a single transaction. What a killed run did not get to write here is told by its leases, which are on disk
before anything is sent. Listening never fails: an event that cannot be written waits for the next time. An unknown kind
of event is not kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dnsbroker.errors import NameInvalid, StoreError
from dnsbroker.journal.database import Journal
from dnsbroker.journal.moments import at
from dnsbroker.names import challenge_name

if TYPE_CHECKING:
    import asyncio

_ASKED = ("account", "held", "order", "resumed", "asked", "validated", "place")
_ANSWERED = ("failed", "issued", "key", "not_replacing", "revoked", "guarded", "deleted", "rehearsed")
_WRITTEN = ("written", "withdrawn", "left", "swept")
_DEPLOYED = ("copied", "hook", "reloaded", "verified", "deploy_failed", "deployed")
#: The kinds of events that are kept.
KINDS = frozenset((*_ASKED, *_ANSWERED, *_WRITTEN, *_DEPLOYED))
#: How many events are kept at most, the newest ones.
MOST_ROWS = 50_000

# By this row a run says that it came to write down all it had to tell.
_ENDED = "ended"
_KEPT = timedelta(days=180).total_seconds()
_MOST_WAITING = 5_000
_PERIOD = 1.0
_LONGEST_TEXT = 2_000
_LONGEST_LIST = 100


@dataclass(frozen=True)
class Entry:
    """One event of the past: its ``time`` (aware, UTC), the ``run`` that told it, and the event's own fields."""

    time: datetime
    run: str
    command: str
    event: str
    certificate: str
    fields: Mapping[str, object]


class History:
    """The past in a journal, to which the run ``run_id``, called as ``command``, adds its events."""

    def __init__(self, journal: Journal, run_id: str, command: str = "") -> None:
        self._journal = journal
        self._run = run_id
        self._command = command
        self._waiting: list[tuple[object, ...]] = []
        self._flushed: float | None = None
        self._has_rows = False
        self._timer: asyncio.TimerHandle | None = None

    def note(self, event: Mapping[str, object]) -> None:
        """Keep ``event`` where its kind is one that is kept. Raises nothing."""
        kind = str(event.get("event", ""))
        if kind not in KINDS or len(self._waiting) >= _MOST_WAITING:
            return
        moment = datetime.fromisoformat(str(event["time"])).timestamp()
        self._waiting.append(self._row(moment, kind, event))
        self._flushed = moment if self._flushed is None else self._flushed
        if not 0 <= moment - self._flushed < _PERIOD:
            self._flushed = moment
            self._flush_if_possible()
        elif self._timer is None:
            import asyncio

            with suppress(RuntimeError):  # without an event loop nothing waits for long: the end comes soon
                self._timer = asyncio.get_running_loop().call_later(_PERIOD, self._flush_if_possible)

    def _flush_if_possible(self) -> None:
        self._stop_timer()
        with suppress(StoreError):  # whoever cannot write the journal hears of it where that matters
            self.flush()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _row(self, moment: float, kind: str, event: Mapping[str, object]) -> tuple[object, ...]:
        fields = {key: _short(value) for key, value in event.items() if key not in ("event", "time", "certificate")}
        certificate = str(event.get("certificate", ""))
        return moment, self._run, self._command, kind, certificate, json.dumps(fields, default=str)

    def flush(self) -> None:
        """Put on disk what waits for it. Raises StoreError, and what waits goes on waiting."""
        if not self._waiting:
            return
        self._put(self._waiting)
        self._has_rows = True

    def _put(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Put ``rows`` on disk, and forget what is old; after that nothing waits."""
        newest = float(str(rows[-1][0]))
        with self._journal.transaction() as database:
            database.executemany(
                "INSERT INTO event (at, run, command, event, certificate, fields) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
            database.execute("DELETE FROM event WHERE at < ?", (newest - _KEPT,))
            database.execute("DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", (MOST_ROWS,))
        self._waiting.clear()

    def close(self) -> None:
        """Put on disk what waits, and that nothing is missing. May be called more than once, and raises nothing."""
        self._stop_timer()
        if not (self._waiting or self._has_rows):
            return
        moment = self._waiting[-1][0] if self._waiting else self._flushed
        with suppress(StoreError):
            self._put([*self._waiting, (moment, self._run, self._command, _ENDED, "", "{}")])
            self._has_rows = False

    def entries(
        self, certificate: str = "", since: datetime | None = None, names: Iterable[str] = ()
    ) -> tuple[Entry, ...]:
        """What happened, oldest first: all of it, or what concerns ``certificate``, or ``since`` a moment (aware).

        An event that names no certificate concerns one if it is about an owner name at which that one is validated:
        for ``names`` (identifiers) and for those that it is known to have had. Raises StoreError.
        """
        told = self._told()
        found = sorted([*told, *self._untold(told)], key=lambda entry: entry.time)
        if certificate:
            owners = _owners(certificate, told, names)
            found = [entry for entry in found if _is_about(entry, certificate, owners)]
        return tuple(entry for entry in found if since is None or entry.time >= since)

    def owners(self, certificate: str, names: Iterable[str] = ()) -> frozenset[str]:
        """The owner names at which the CA looks for records of ``certificate``, as ``entries``. Raises StoreError."""
        return _owners(certificate, self._told(), names)

    def _told(self) -> list[Entry]:
        return [
            _entry(row) for row in self._journal.rows("SELECT * FROM event WHERE event <> ? ORDER BY at, id", (_ENDED,))
        ]

    def _untold(self, told: Sequence[Entry]) -> list[Entry]:
        """What the leases know of runs that were killed, or that kept no history, and that those did not tell."""
        rows = self._journal.rows(
            "SELECT lease.*, write.at AS written FROM lease JOIN write ON write.id = lease.write"
            " WHERE NOT lease.foreign_value AND lease.state <> 'wanted' ORDER BY lease.id"
        )
        ended = {row["run"] for row in self._journal.rows("SELECT run FROM event WHERE event = ?", (_ENDED,))}
        known = {(entry.run, entry.event, name) for entry in told for name in _listed(entry.fields.get("names"))}
        found = [entry for row in rows for entry in _lease_entries(row) if entry.run not in ended]
        # Values at one name that went in one write are one event, as they are when a run tells.
        unlike = {(entry.time, entry.run, entry.event, str(entry.fields["name"])): entry for entry in found}
        return [entry for key, entry in unlike.items() if key[1:] not in known]


def _short(value: object) -> object:
    """``value`` with its texts and lists cut to what a history needs of them."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"
    if isinstance(value, Mapping):
        return {str(key): _short(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_short(item) for item in value[-_LONGEST_LIST:]]  # a command says last why it failed
    return value


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(at(row["at"]), row["run"], row["command"], row["event"], row["certificate"], json.loads(row["fields"]))


def _lease_entries(row: sqlite3.Row) -> list[Entry]:
    fields = {"provider": row["provider"], "zone": row["zone"], "name": row["name"], "names": [row["name"]]}
    written = Entry(at(row["written"]), row["run"], "", "written", "", {**fields, "serial": row["serial"]})
    if row["closed"] is None:
        return [written]
    return [written, Entry(at(row["closed"]), row["withdrawer"] or row["run"], "", "withdrawn", "", fields)]


def _owners(certificate: str, told: Sequence[Entry], names: Iterable[str]) -> frozenset[str]:
    about = [entry.fields for entry in told if entry.certificate == certificate]
    had = {name for fields in about for key in ("names", "identifier") for name in _listed(fields.get(key))}
    challenges = {owner for owner in map(_challenge, {*had, *names}) if owner}
    places = [entry.fields for entry in told if entry.event == "place"]
    return frozenset((*challenges, *(str(place["owner"]) for place in places if place.get("name") in challenges)))


def _challenge(name: str) -> str | None:
    """Where the CA looks for ``name``; a certificate that came from elsewhere may have others than host names."""
    try:
        return challenge_name(name)
    except NameInvalid:
        return None


def _is_about(entry: Entry, certificate: str, owners: frozenset[str]) -> bool:
    if entry.certificate or "certificates" in entry.fields:
        return certificate in (entry.certificate, *_listed(entry.fields.get("certificates")))
    named = {name for key in ("name", "names", "owner") for name in _listed(entry.fields.get(key))}
    return not named.isdisjoint(owners)


def _listed(value: object) -> list[str]:
    """The names in a field, which holds one, several or none."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return [value] if isinstance(value, str) else []
