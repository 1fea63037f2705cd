"""The same program, run later: a clock that is ahead, for one process, by libfaketime.

Rule: every clock of the process is ahead by the same time, so that nothing inside can tell; files keep their own times.
Refused: going back, which a second process after a later one would see as a clock that was set right.
"""

from __future__ import annotations

from pathlib import Path

from lab.processes import LabError

#: The dynamic linker reads $LIB as this architecture's own directory.
_LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def later(seconds: float) -> dict[str, str]:
    """The environment of a process whose clock is ``seconds`` ahead; LabError where libfaketime is not installed."""
    if not any(Path("/usr").glob(_LIBRARY.removeprefix("/usr/").replace("$LIB", "lib*/*"))):
        raise LabError("libfaketime is not installed: run tests/rig/install-packages")
    return {"LD_PRELOAD": _LIBRARY, "FAKETIME": f"+{seconds:.0f}", "NO_FAKE_STAT": "1"} if seconds else {}
