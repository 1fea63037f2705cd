"""A dnsbroker that is under way: its events as they come, signals to it, and what it left behind.

Rule: a process of its own, told apart by nothing but its pid; what it left is read in its journal, never asked of it.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from lab.processes import look_until
from program import DNSBROKER

Event = dict[str, Any]
HALTING = Path(__file__).with_name("halting.py")


class Underway:
    """``dnsbroker --json`` with these arguments, started at once; a context manager that leaves no process behind.

    With ``halting`` it stands still from the first line of its output that holds this text, until it gets a signal.
    """

    def __init__(self, configuration: Path, *arguments: str | Path, halting: str = "") -> None:
        self.events: list[Event] = []
        self.error = ""
        program = [sys.executable, HALTING, halting] if halting else [DNSBROKER]
        self._process = subprocess.Popen(
            [*program, "--json", "--config", configuration, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        readers = ((self._read_events, self._process.stdout), (self._read_error, self._process.stderr))
        self._threads = [threading.Thread(target=read, args=[stream], daemon=True) for read, stream in readers]
        for thread in self._threads:
            thread.start()

    def _read_events(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.events.append(json.loads(line))

    def _read_error(self, stream: IO[str]) -> None:
        with stream:
            self.error = stream.read()

    def await_event(self, name: str, *, seconds: float = 20.0, seen: Callable[[Event], bool] = bool) -> Event:
        """The first event of that name for which ``seen`` is true; LabError after ``seconds``."""
        look_until(
            lambda: bool(self._named(name, seen)) or self._process.poll() is not None, f"event {name}", seconds, 0.002
        )
        for thread in self._threads if self._process.poll() is not None else ():
            thread.join(5)
        found = self._named(name, seen)
        assert found, (name, self._process.returncode, self.events, self.error)
        return found[0]

    def await_halt(self, seconds: float = 20.0) -> None:
        """Wait until it stands still; LabError after ``seconds``."""
        assert self.is_halted(seconds), (self._process.returncode, self.events, self.error)

    def is_halted(self, seconds: float = 60.0) -> bool:
        """Whether it comes to stand still, and not to its end first; LabError after ``seconds``."""
        look = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
        look_until(lambda: os.waitid(os.P_PID, self.pid, look) is not None, "the halt, or the end", seconds, 0.002)
        return self._process.poll() is None

    def _named(self, name: str, seen: Callable[[Event], bool] = bool) -> list[Event]:
        return [event for event in list(self.events) if event["event"] == name and seen(event)]

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def has(self, name: str) -> bool:
        """Whether such an event has come."""
        return bool(self._named(name))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, which it takes before anything else if it stands still."""
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)

    def end(self, seconds: float = 60.0) -> int:
        """Wait for its end; the exit status as a shell tells it."""
        status = self._process.wait(seconds)
        for thread in self._threads:
            thread.join(5)
        assert "Traceback" not in self.error, self.error
        return status if status >= 0 else 128 - status

    def stop(self, number: signal.Signals) -> tuple[int, float]:
        """Send a signal and wait for the end: the exit status, and the seconds that it took."""
        begun = time.monotonic()
        self.send(number)
        status = self.end()
        return status, time.monotonic() - begun

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        for thread in self._threads:
            thread.join(5)


def open_leases(state: Path) -> list[tuple[str, str]]:
    """State and value of each lease that is open in the journal below ``state``; none where there is none yet."""
    if not (state / "state.db").exists():
        return []
    database = sqlite3.connect(state / "state.db", timeout=10)
    try:
        return database.execute("SELECT state, value FROM lease WHERE state <> 'closed'").fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return []
    finally:
        database.close()


@dataclass(frozen=True)
class Moment:
    """When a run has come so far: it halts with the ``line``, or has a lease in one of ``leases``, the later ones too.

    A lease is looked at from outside, and may be seen late: such a moment is over at the latest when the run is.
    """

    name: str
    line: str = ""
    leases: tuple[str, ...] = ()

    def await_in(self, run: Underway, state: Path) -> None:
        """Wait until the run, which was started with ``halting=moment.line``, has come so far."""
        if self.line:
            run.await_halt()
            return

        def has_come() -> bool:
            return run.has("result") or any(found in self.leases for found, _ in open_leases(state))

        look_until(has_come, f"a lease {self.leases[0]}", 20, 0.001)


def at(event: str, words: str = "") -> Moment:
    """The moment of the first event of that name; or else, for one that is told often, with those ``words``."""
    return Moment(event, words or f'"event": "{event}"')


#: When the first value is in the journal, and maybe on its way; when its write is under way; when its withdrawal is.
WANTED = Moment("wanted", leases=("wanted", "sending", "present"))
SENDING = Moment("sending", leases=("sending", "present"))
WITHDRAWING = Moment("withdrawing", leases=("unwanted",))
