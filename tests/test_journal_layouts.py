"""A journal of an older layout is brought to the present one in place, and loses nothing by it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dnsbroker.errors import StoreError
from dnsbroker.journal import Attempts, Barred, History, Journal, Leases, Runs
from dnsbroker.journal.layouts import STEPS
from dnsbroker.records import Record
from dnsbroker.testing import FakeClock

#: What the first release laid out and wrote, as SQLite dumped it: a value that stands and one that was withdrawn.
FIRST = """
CREATE TABLE lease (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    provider TEXT NOT NULL,
    zone TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    ttl INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wanted', 'sending', 'present', 'unwanted', 'closed')),
    foreign_value INTEGER NOT NULL DEFAULT 0,
    unasked INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    expires REAL,
    suspect_until REAL,
    write INTEGER,
    serial INTEGER,
    closed REAL,
    withdrawer TEXT,
    trouble TEXT
);
INSERT INTO lease VALUES(1,'20261119T080000-17-aaaaaa','corp','example.org.','_acme-challenge.example.org.','TXT',
'gone',5,'closed',0,0,1795075200.0,NULL,NULL,1,4,1795075210.0,'20261119T080000-17-aaaaaa',NULL);
INSERT INTO lease VALUES(2,'20261120T080000-18-bbbbbb','corp','example.org.','_acme-challenge.example.org.','TXT',
'here',5,'present',0,0,1795161600.0,NULL,NULL,2,5,NULL,NULL,NULL);
CREATE INDEX lease_open ON lease (zone, state) WHERE state <> 'closed';
CREATE INDEX lease_name ON lease (name, type);
CREATE TABLE write (id INTEGER PRIMARY KEY, zone TEXT NOT NULL, at REAL NOT NULL);
INSERT INTO write VALUES(1,'example.org.',1795075201.0);
INSERT INTO write VALUES(2,'example.org.',1795161601.0);
CREATE TABLE denial (name TEXT PRIMARY KEY, until REAL NOT NULL);
INSERT INTO denial VALUES('_acme-challenge.example.org.',1795161700.0);
PRAGMA user_version = 1;
"""


def first_layout(state_dir: Path) -> None:
    """Write ``state.db`` as the first release left it."""
    database = sqlite3.connect(state_dir / "state.db")
    database.executescript(FIRST)
    database.close()


def schema(path: Path) -> set[tuple[str, str]]:
    """Every table and index, by name and text."""
    database = sqlite3.connect(path)
    found = set(database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    database.close()
    return found


def test_an_old_journal_has_the_layout_of_a_new_one(tmp_path: Path) -> None:
    """Table by table, index by index."""
    old, new = tmp_path / "old", tmp_path / "new"
    for directory in (old, new):
        directory.mkdir()
    first_layout(old)
    for directory in (old, new):
        Journal(directory).close()
    assert schema(old / "state.db") == schema(new / "state.db")


def test_an_old_journals_leases_are_all_there(tmp_path: Path) -> None:
    """What stands in DNS by an older program is still ours to withdraw."""
    first_layout(tmp_path)
    journal = Journal(tmp_path)
    clock = FakeClock()
    (lease,) = Leases(journal, "now", clock).sweepable(Runs(tmp_path).is_alive)
    assert lease.record == Record("_acme-challenge.example.org.", "TXT", "here")
    Attempts(journal, clock).succeeded("example.org")
    assert not Barred(journal).is_barred("00")


def test_an_old_journals_writes_are_history(tmp_path: Path) -> None:
    """The runs of the older program kept none, but their leases tell."""
    first_layout(tmp_path)
    told = History(Journal(tmp_path), "now").entries()
    assert [(entry.run[-6:], entry.event) for entry in told] == [
        ("aaaaaa", "written"),
        ("aaaaaa", "withdrawn"),
        ("bbbbbb", "written"),
    ]


def test_a_journal_is_brought_forward_once(tmp_path: Path) -> None:
    """Opened again, it is only looked at: another process may be writing at that moment."""
    first_layout(tmp_path)
    Journal(tmp_path).close()
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    Journal(tmp_path).close()
    assert other.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)
    other.close()


def test_a_journal_that_cannot_be_brought_forward_stays_as_it_was(tmp_path: Path) -> None:
    """All of the step, or none: a table of that name is somebody's, and is not written over."""
    first_layout(tmp_path)
    database = sqlite3.connect(tmp_path / "state.db")
    database.execute("CREATE TABLE barred_key (theirs TEXT)")
    database.commit()
    before = schema(tmp_path / "state.db")
    with pytest.raises(StoreError, match="barred_key"):
        Journal(tmp_path)
    assert schema(tmp_path / "state.db") == before
    assert database.execute("PRAGMA user_version").fetchone()[0] == 1
    database.close()
