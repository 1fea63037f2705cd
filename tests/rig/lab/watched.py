"""A program that gets a certificate, watched from outside: who had its records when, when the CA asked, when it ended.

Rule: times come from the servers, from the resolver's log and from the file system, never from what the program says of
itself; all are seconds since it was started. Refused: judging.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.observer import Observer
from lab.processes import LabError, look_until
from lab.rig import Lab

AT_ONCE = 2
"""Values at one challenge name: the apex and its wildcard have it in common."""

COARSE = 0.01
"""Seconds by which a file's time may lie before the moment at which it was made: kernels keep it coarsely."""


@dataclass(frozen=True)
class Line:
    """One line that the program printed, and when."""

    at: float
    text: str


@dataclass(frozen=True)
class Watched:
    """One run.

    Attributes:
        command: what was run.
        status: its exit status; None if it did not end in time and was ended.
        ended: when it ended.
        lines: what it printed, stdout and stderr together.
        there: for each address of each name server, when it first had every value; None if it never had.
        gone: the same for when it first had none of them again.
        asked: when the CA asked its resolver for the challenge.
        asked_by_others: when anybody else did.
        live: when the path given to :func:`watch` last changed; None if there is none.
    """

    command: Sequence[str]
    status: int | None
    ended: float
    lines: Sequence[Line]
    there: Mapping[str, float | None]
    gone: Mapping[str, float | None]
    asked: Sequence[float]
    asked_by_others: Sequence[float]
    live: float | None

    @property
    def everywhere(self) -> float | None:
        """When the slowest address first had every value; None if one never had."""
        return latest(self.there.values())

    @property
    def output(self) -> str:
        """All that it printed."""
        return "".join(f"{line.text}\n" for line in self.lines)


def latest(moments: Iterable[float | None]) -> float | None:
    """The last of the moments; None if there is none, or one never came."""
    known = list(moments)
    return max((moment for moment in known if moment is not None), default=None) if None not in known else None


class Watch:
    """Watches what happens at ``challenge`` in a lab; with ``seconds`` as the longest that a program may take."""

    def __init__(self, lab: Lab, challenge: str, *, seconds: float = 120.0) -> None:
        self._lab = lab
        self._challenge = challenge
        self._seconds = seconds

    def run(self, command: Sequence[str | Path], *, live: Path | None = None, cwd: Path | None = None) -> Watched:
        """Run ``command`` to its end, and look on until its records have left every server.

        ``live`` is a path (a link is not followed) that success makes or replaces.
        """
        self._lab.unbound.forget_queries()
        known = self._standing()
        with self._lab.observer(self._challenge) as observer:
            began, since = time.monotonic(), time.time()
            lines: list[Line] = []
            status = self._end_of(command, cwd or self._lab.directory, lines)
            ended = time.monotonic()
            self._await_gone(observer, known)
        return Watched(
            command=[str(word) for word in command],
            status=status,
            ended=ended - began,
            lines=[Line(line.at - began, line.text) for line in lines],
            there=_since(began, observer.first(lambda seen: len(seen - known) >= AT_ONCE)),
            gone=_since(began, {label: _left(observer, label, known) for label in observer.history}),
            asked=self._asked(began, by_ca=True),
            asked_by_others=self._asked(began, by_ca=False),
            live=_changed(live, since),
        )

    def _standing(self) -> frozenset[str]:
        """Values of others, which any server may have."""
        members = self._lab.domain_of(self._challenge).members
        return frozenset().union(*(self._lab.values(member, self._challenge) for member in members))

    def _end_of(self, command: Sequence[str | Path], cwd: Path, lines: list[Line]) -> int | None:
        program = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
        )
        reader = threading.Thread(target=_read, args=[program, lines], name="watched", daemon=True)
        reader.start()
        try:
            reader.join(self._seconds)
            return None if reader.is_alive() else program.wait()
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            reader.join()

    def _await_gone(self, observer: Observer, known: frozenset[str]) -> None:
        """Secondaries lag behind a withdrawal as they do behind a record; what stays is seen in the result."""
        try:
            look_until(
                lambda: all(not seen or seen[-1].values <= known for seen in observer.history.values()), "all gone", 15
            )
        except LabError:
            return

    def _asked(self, began: float, *, by_ca: bool) -> list[float]:
        queries = self._lab.unbound.queries(self._challenge)
        return [query.at - began for query in queries if (query.client == self._lab.pebble.address) == by_ca]


def _read(program: subprocess.Popen[bytes], lines: list[Line]) -> None:
    assert program.stdout is not None
    with program.stdout as output:
        lines.extend(Line(time.monotonic(), line.decode(errors="replace").rstrip()) for line in output)


def _left(observer: Observer, label: str, known: frozenset[str]) -> float | None:
    """When a server had nothing new any more, for good; None if it still has, or never had."""
    sightings = observer.history[label]
    had = any(seen.values - known for seen in sightings)
    return sightings[-1].at if had and sightings[-1].values <= known else None


def _since(began: float, moments: Mapping[str, float | None]) -> dict[str, float | None]:
    return {label: None if at is None else at - began for label, at in moments.items()}


def _changed(path: Path | None, since: float) -> float | None:
    if path is None or not os.path.lexists(path):
        return None
    moment = path.lstat().st_mtime - since
    return moment if moment >= -COARSE else None
