"""Processes of a test's own that die at a moment of its choice: before their n-th change of the disk.

Rule: the kill is a real one, so that nothing can be tidied up on the way out.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

CHANGES = (
    *("open", "write", "fsync", "fchmod", "fchown", "chmod"),
    *("mkdir", "rmdir", "symlink", "rename", "replace", "unlink"),
)


def forked(act: Callable[[], object]) -> int:
    """The process that does ``act`` and ends with 0, or with 1 where it fails."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        act()
        status = 0
    finally:
        os._exit(status)


def ended_with(child: int) -> int:
    """Its exit status, or less the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def is_killed_before_change(count: int, act: Callable[[], object]) -> bool:
    """Whether ``act``, in a process of its own, got as far as its ``count``-th change of the disk; it died there."""

    def act_watched() -> None:
        left = count

        def before_call(_frame: FrameType, event: str, function: object) -> None:
            nonlocal left
            is_change = event == "c_call" and getattr(function, "__module__", "") == "posix"
            left -= is_change and getattr(function, "__name__", "") in CHANGES
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(before_call)
        act()
        sys.setprofile(None)

    status = ended_with(forked(act_watched))
    assert status in (0, -signal.SIGKILL)
    return status != 0
