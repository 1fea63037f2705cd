"""Another user of this host, who tries to read a file.

Where this process may become somebody else, it does so and tries; elsewhere the permission bits are judged as the
kernel judges them.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Visitor:
    """A user in one group."""

    uid: int
    gid: int

    def can_read(self, top: Path, path: str) -> bool:
        """Whether this user, given the directory ``top``, can read ``path`` below it; links are followed."""
        return self._tries(top, path) if can_become_others() else self._may(top, path)

    def _tries(self, top: Path, path: str) -> bool:
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        status = 1
        try:
            directory = os.open(top, os.O_PATH)
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)
            os.read(os.open(path, os.O_RDONLY, dir_fd=directory), 1)
            status = 0
        finally:
            os._exit(status)

    def _may(self, top: Path, path: str) -> bool:
        target = Path(os.path.realpath(top / path))
        way = [parent for parent in target.parents if parent.is_relative_to(os.path.realpath(top))]
        return all(self._has(directory, 0o1) for directory in way) and self._has(target, 0o4)

    def _has(self, path: Path, bit: int) -> bool:
        facts = path.stat()
        mode = stat.S_IMODE(facts.st_mode)
        if facts.st_uid == self.uid:
            return bool(mode >> 6 & bit)
        return bool((mode >> 3 if facts.st_gid == self.gid else mode) & bit)


def can_become_others() -> bool:
    """Whether this is root with all user numbers, not the root of a namespace that has but one."""
    everything = Path("/proc/self/uid_map").read_text().split()[-1] == "4294967295"
    return os.geteuid() == 0 and everything


def some_group() -> int:
    """A group number that this process may give to a file."""
    return 4242 if can_become_others() else os.getegid()
