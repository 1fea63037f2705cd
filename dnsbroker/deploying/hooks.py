"""One command of a person's, run by the shell: bounded in time and output, and never left behind.

Rule: it gets the environment it is given and nothing else of ours, and ends with all that it started, except what it
sent into the background. What a command means, and when it is due, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from dnsbroker.clock import SystemClock
from dnsbroker.tasks import uninterrupted

#: Where commands are looked for when the environment does not say.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Octets of output that are kept, the last ones.
MOST_OUTPUT = 64 * 1024

_GRACE = 5.0
_LOOK = 0.05
_CANNOT_RUN = 126


@dataclass(frozen=True)
class HookEnd:
    """How a command ended: ``status`` as the shell counts it (128 and the signal), ``output`` of both its streams."""

    status: int
    output: str
    timed_out: bool

    @property
    def succeeded(self) -> bool:
        """Whether it did what it was to do."""
        return self.status == 0 and not self.timed_out

    def told(self) -> str:
        """In a few words, how it ended."""
        return "was stopped at its time-out" if self.timed_out else f"ended with status {self.status}"


async def run_hook(command: str, environment: Mapping[str, str], timeout: float, stdin: bytes = b"") -> HookEnd:
    """Run ``command`` by ``sh -c`` for at most ``timeout`` seconds; its input is ``stdin``, or nothing.

    The command is in a session of its own. At the time-out, and where this is cancelled, the whole session is asked to
    end, and killed where it does not. What it left in the background is not waited for. A command that cannot be
    started has the shell's status for that; nothing is raised.
    """
    variables = {"PATH": DEFAULT_PATH, **environment}
    return await run_program(["/bin/sh", "-c", command], variables, timeout, stdin)


async def run_program(
    arguments: list[str], environment: Mapping[str, str], timeout: float, stdin: bytes = b""
) -> HookEnd:
    """The same for a program without a shell."""
    with _Output() as output, _input(stdin) as source:
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=source,
                stdout=output.writer,
                stderr=output.writer,
                env=dict(environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else ""
            return HookEnd(_CANNOT_RUN, f"cannot be started: {(reason or str(error)).lower()}", timed_out=False)
        output.listen()
        timed_out = await _is_too_long(process, timeout)
        status = process.returncode or 0
        return HookEnd(128 - status if status < 0 else status, output.text(), timed_out)


async def _is_too_long(process: asyncio.subprocess.Process, timeout: float) -> bool:
    """Whether ``process`` had to be stopped after ``timeout`` seconds; it has ended, also where this is cancelled."""
    try:
        async with asyncio.timeout(timeout):
            await process.wait()
    except TimeoutError:
        await uninterrupted(_stop(process))
        return True
    except asyncio.CancelledError:
        await uninterrupted(_stop(process))
        raise
    return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the whole session of ``process``: politely first."""
    # A process ends by the machine's clock, whatever a test's clock says.
    clock = SystemClock()
    end = clock.monotonic() + _GRACE
    try:
        _signal(process, signal.SIGTERM)
        while clock.monotonic() < end and _signal(process, 0):
            await clock.sleep(_LOOK)
    finally:
        _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> bool:
    """Whether there was anybody left in the session to send the signal to; 0 only asks."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it has become somebody else; nobody can do more
        return False
    return True


class _Output:
    """What the command says: the last of it, taken while it runs so that it never waits for us.

    A pipe of our own, for the end of the command is what counts, not that of whoever still holds its streams.
    """

    def __enter__(self) -> Self:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._kept = bytearray()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._reader)
        self._close_writer()
        os.close(self._reader)

    def listen(self) -> None:
        """Begin; the writing end is the command's alone from now on."""
        self._close_writer()
        asyncio.get_running_loop().add_reader(self._reader, self._take)

    def text(self) -> str:
        """Everything said until now, as far as it is kept; what is no UTF-8 is replaced."""
        self._take()  # once is enough: a pipe holds no more than is read; what is in the background may go on talking
        return self._kept.decode("utf-8", "replace")

    def _take(self) -> None:
        try:
            found = os.read(self._reader, MOST_OUTPUT)
        except BlockingIOError:
            return
        self._kept += found
        del self._kept[:-MOST_OUTPUT]
        if not found:
            asyncio.get_running_loop().remove_reader(self._reader)

    def _close_writer(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1


@contextmanager
def _input(content: bytes) -> Iterator[IO[bytes] | int]:
    """A file from which the command reads ``content``, so that nobody waits for whoever does not read."""
    if not content:
        yield asyncio.subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


def lines_of(output: str) -> list[str]:
    """The lines of ``output`` as a terminal may show them: without control characters."""
    return [
        "".join(char if char.isprintable() or char == "\t" else "?" for char in line).rstrip()
        for line in output.splitlines()
        if line.strip()
    ]
