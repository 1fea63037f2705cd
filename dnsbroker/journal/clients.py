"""Which runs of other ACME clients are alive: told by the numbers at the end of the names of their sessions.

``NAME NAMESPACE GROUP PID``: the client's own process, or, where that was not seen, its process group; the other one is
0. Both count in one PID namespace. Rule: a run of which nothing can be told lives; a number that somebody else has by
now does, too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

_RUN = re.compile(r"(?P<name>.*) (?P<namespace>[0-9]+) (?P<group>[0-9]+) (?P<pid>[0-9]+)", re.DOTALL)


@dataclass(frozen=True)
class ClientRun:
    """One run of the client that calls itself ``name``."""

    name: str
    namespace: int
    group: int
    pid: int

    @property
    def session(self) -> str:
        """What ``client_run`` reads."""
        return f"{self.name} {self.namespace} {self.group} {self.pid}"

    @property
    def is_gone(self) -> bool:
        """Whether all its processes are, for certain."""
        if self.namespace != pid_namespace() or not (self.pid or self.group):
            return False
        try:
            if self.pid:
                os.kill(self.pid, 0)
            else:
                os.killpg(self.group, 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            return False
        return False


def client_run(session: str) -> ClientRun | None:
    """The run whose session that is; None where it has no numbers, so that runs of it cannot be told apart."""
    found = _RUN.fullmatch(session)
    return found and ClientRun(found["name"], *(int(found[key]) for key in ("namespace", "group", "pid")))


def pid_namespace() -> int:
    """The number of our own PID namespace; 0 where that is not to be seen."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
