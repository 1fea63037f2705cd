"""Which processes are alive: a run holds an operating-system lock for as long as it lives, however it ends.

Locks are flock(2) on files below ``state_dir/locks`` and ``state_dir/runs``; the kernel frees them at SIGKILL too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType

from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import StoreError
from dnsbroker.journal.database import cure

_FIRST_LOOK = 0.01
_LONGEST_LOOK = 0.1


class FileLock:
    """A lock that one process at a time can hold; its file says which (its pid)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Whether the lock is ours now. Raises StoreError where the file cannot be opened."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreError(f"{self.path}: {reason}", path=str(self.path), hint=cure(error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise StoreError(
                f"{self.path}: {error.strerror}", path=str(self.path), hint="keep state_dir on a local file system"
            ) from error
        if not _is_same_file(descriptor, self.path):
            os.close(descriptor)  # its holder removed the file between our open and our lock
            return self.try_acquire()
        with contextlib.suppress(OSError):  # a full disk: only who asks for the holder's pid misses it
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True

    async def acquire(self, clock: Clock, deadline: Deadline | None = None) -> bool:
        """Wait for the lock; false where ``deadline`` passed first."""
        pause = _FIRST_LOOK
        while not self.try_acquire():
            if deadline is not None and deadline.has_passed():
                return False
            await clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK)
        return True

    def holder(self) -> int | None:
        """The pid of who holds the lock, as far as its file says."""
        try:
            return int(self.path.read_text().strip())
        except (OSError, ValueError):
            return None

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; ``remove`` takes the file away first. May be called more than once."""
        if self._descriptor is None:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


class Run:
    """This process's run: its id, and the lock that says that it lives. A context manager."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self.id = f"{clock.now():%Y%m%dT%H%M%S}-{os.getpid()}-{os.urandom(3).hex()}"
        self._lock = FileLock(state_dir / "runs" / self.id)

    def __enter__(self) -> Run:
        while not self._lock.try_acquire():
            continue  # somebody looks this very moment whether we are dead, and is through at once
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release(remove=True)


class Runs:
    """Asks after other runs on this host."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "runs"

    def is_alive(self, run: str) -> bool:
        """Whether the process with that run id still lives. A dead run's file is taken away."""
        path = self._directory / run
        if not path.exists():
            return False
        lock = FileLock(path)
        if not lock.try_acquire():
            return True
        lock.release(remove=True)
        return False

    def forget_dead(self) -> None:
        """Take away the files of runs that were killed. Raises StoreError."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._directory):
                self.is_alive(name)
