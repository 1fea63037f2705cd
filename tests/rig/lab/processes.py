"""Run one server in the foreground: start it, look until it is ready, stop, freeze or thaw it.

Rule: nothing is slept for; readiness is seen on the wire, and a server that dies while it is waited for says why with
the end of its log. Refused: daemons that fork away; each process leads a session of its own, which ends as a whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

# An ordinary user's PATH has no sbin, where Debian keeps the servers.
SEARCH_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
START_SECONDS = 30.0
STOP_SECONDS = 5.0
STOPPED = frozenset("TtZX")  # proc(5): stopped, traced, or no longer there


class LabError(Exception):
    """The lab cannot do what it was asked; the message says which server, and shows its log's end."""


def executable(name: str) -> str:
    """The path of the program ``name``; LabError if it is not installed."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        raise LabError(f"{name} is not installed: run tests/rig/install-packages")
    return path


def run(command: Sequence[str | Path], *, stdin: str | None = None, cwd: Path | None = None) -> str:
    """What ``command`` prints; LabError with its complaint if it fails or takes a minute."""
    words = [executable(str(command[0])), *map(str, command[1:])]
    done = subprocess.run(words, input=stdin, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(words)}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def look_until(seen: Callable[[], bool], what: str, seconds: float = 30.0, interval: float = 0.01) -> None:
    """Look every ``interval`` seconds until ``seen()``; LabError that names ``what`` after ``seconds``."""
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not seen():
        if time.monotonic() >= deadline:
            raise LabError(f"not seen within {seconds:g} s: {what}")
        pause.wait(interval)


def thread_states(group: int) -> set[str]:
    """The letters by which proc(5) tells what each thread of the process group ``group`` does."""
    states = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if _fields_of(stat)[2] == str(group):
                states |= {_fields_of(each)[0] for each in stat.parent.glob("task/*/stat")}
    return states


def _fields_of(stat: Path) -> list[str]:
    """State, parent, process group and so on: what follows the command's name, which may hold anything."""
    return stat.read_text(errors="replace").rpartition(")")[2].split()


class Process:
    """One program in the foreground, in a session of its own, its output appended to a log file.

    ``on_line`` is called in a thread with each line of the output and the time of the monotonic clock when it came.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        on_line: Callable[[float, str], None] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab", buffering=0) as output:
            self._popen = subprocess.Popen(
                [executable(str(command[0])), *map(str, command[1:])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if on_line else output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                start_new_session=True,
            )
        if on_line:
            threading.Thread(target=self._read_lines, args=[on_line], name=f"{name}-log", daemon=True).start()

    def _read_lines(self, on_line: Callable[[float, str], None]) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as lines, self.log.open("ab", buffering=0) as output:
            for line in lines:
                on_line(time.monotonic(), line.decode(errors="replace").rstrip())
                output.write(line)

    @property
    def pid(self) -> int:
        """The process id, which is that of its group as well."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def suspend(self) -> None:
        """Stop every thread of the group; when this returns none of them answers any more.

        The signal alone is not enough: on a busy machine a thread that waits for a processor still answers a question.
        """
        self.signal(signal.SIGSTOP)
        look_until(lambda: not (thread_states(self.pid) - STOPPED), f"{self.name} stands still")

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end, and after ``seconds`` make it and its children end."""
        self.signal(signal.SIGCONT)
        if self.is_running and seconds:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(seconds)
        self.signal(signal.SIGKILL)
        self._popen.wait()

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def await_ready(self, is_ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Look until it is ready; LabError with its log's end if it dies or takes longer than ``seconds``."""
        try:
            look_until(lambda: not self.is_running or is_ready(), f"{self.name} is ready", seconds)
        except LabError as late:
            raise LabError(f"{late}; its log ends:\n{self.tail()}") from None
        if not self.is_running:
            raise LabError(f"{self.name} ended with status {self._popen.returncode}; its log ends:\n{self.tail()}")


class Server(ABC):
    """One server of the lab: its files in ``directory``, its service at ``address`` and ``port``.

    A context manager: prepared and ready inside, stopped afterwards. Restarting keeps its data.
    """

    def __init__(self, name: str, directory: Path, *, address: str, port: int = 53) -> None:
        self.name = name
        self.directory = directory
        self.address = address
        self.port = port
        self._process: Process | None = None

    @abstractmethod
    def write_files(self) -> None:
        """Create configuration and data in the directory, which is there."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments; it stays in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers as it should, looked at from outside."""

    def prepare(self) -> None:
        """Create everything that it needs to start."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.write_files()

    def launch(self) -> None:
        """Start the process without waiting for it; nothing if it runs."""
        if not self.is_running:
            self._process = Process(self.name, self.command(), self.directory / f"{self.name}.log")

    def await_ready(self) -> None:
        """Wait until it is ready."""
        self.process.await_ready(self.is_ready)

    def start(self) -> None:
        """Start it and wait until it is ready; nothing if it runs."""
        if not self.is_running:
            self.launch()
            self.await_ready()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it; its files stay. With 0 seconds it is killed."""
        if self._process is not None:
            self._process.stop(seconds)
            self._process = None

    def freeze(self) -> None:
        """Make it silent: it keeps its sockets and answers nothing."""
        self.process.suspend()

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self.process.signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.is_running

    @property
    def process(self) -> Process:
        """Its process; LabError while it is stopped."""
        if self._process is None:
            raise LabError(f"{self.name} is not running")
        return self._process

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.directory / f"{self.name}.log"

    def __enter__(self) -> Self:
        self.prepare()
        try:
            self.start()
        except BaseException:
            self.stop(0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def with_environment(variables: Mapping[str, str], command: Sequence[str | Path]) -> list[str | Path]:
    """``command`` with further environment variables."""
    return ["env", *(f"{name}={value}" for name, value in variables.items()), *command]
