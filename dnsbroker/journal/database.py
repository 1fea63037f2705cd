"""The file ``state.db``: opened, laid out, and written in short transactions that are on disk when they return.

A transaction begins IMMEDIATE, waits a bounded time for other processes and never spans an await. A newer layout than
this program knows is refused rather than guessed at. What SQLite raises leaves here as StoreError.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnsbroker.errors import StoreError
from dnsbroker.journal.layouts import STEPS

_BUSY_SECONDS = 10.0


class Journal:
    """An open ``state.db``. One connection, used by one thread (the event loop's).

    Who only looks does not ``create`` the file: where there is none, or no ``state_dir`` is given, an empty one in
    memory stands for it; and whatever would write fails.
    """

    def __init__(self, state_dir: Path | None, *, create: bool = True) -> None:
        self.path = state_dir / "state.db" if state_dir else Path(":memory:")
        with self._explained():
            is_there = state_dir is not None and (create or self.path.exists())
            if is_there:
                self._create_private()
            file = self.path if is_there else ":memory:"
            self._connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
            if not create:
                self._connection.execute("PRAGMA query_only = ON")
        except BaseException:
            self.close()
            raise

    def _create_private(self) -> None:
        """The file exists and is readable by us alone before SQLite opens it."""
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _prepare(self) -> None:
        with self._explained():
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA secure_delete = OFF")
        self._lay_out()

    def _lay_out(self) -> None:
        """Bring the file to the present layout, in one transaction; one that has it already is only looked at."""
        if self._layout() == len(STEPS):
            return
        with self.transaction() as database:
            layout = self._layout()
            if layout > len(STEPS):
                raise StoreError(
                    f"{self.path}: written by a newer dnsbroker (layout {layout})",
                    path=str(self.path),
                    hint="use the newer program, or another state_dir",
                )
            for statement in "".join(STEPS[layout:]).split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {len(STEPS)}")

    def _layout(self) -> int:
        return int(self.rows("PRAGMA user_version")[0][0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one IMMEDIATE transaction: all of it on disk, or none. Raises StoreError."""
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise

    def rows(self, question: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """The rows that answer ``question``, read outside any transaction."""
        with self._explained():
            return self._connection.execute(question, values).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self.path}: {getattr(error, 'strerror', None) or error}", path=str(self.path), hint=cure(error)
            ) from error

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._connection.close()


def cure(error: Exception) -> str:
    """What to do where SQLite or the system says no."""
    text = str(error)
    if "disk is full" in text or "disk I/O" in text or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "make room on the disk that holds state_dir; nothing was sent that is not written down"
    if "locked" in text:
        return "another process has held the journal for long; look for a stopped dnsbroker"
    if "malformed" in text or "not a database" in text:
        return "move the file away and run `dnsbroker gc` after restoring a copy"
    if "unable to open" in text:  # SQLite does not say why; a disk may have no room for one file more
        return "let the user that runs dnsbroker write below state_dir, and see that its disk has room"
    return "let the user that runs dnsbroker write below state_dir, or set state_dir"
