"""Units of systemd that serve a certificate: reloaded, or restarted where they cannot be.

Rule: a unit that does not run is left as it is; whether it should run is not for us to say.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dnsbroker.deploying.hooks import DEFAULT_PATH, HookEnd, run_program

#: Seconds that a unit may take; a restart waits for it to end and to begin.
PATIENCE = 90.0
#: Seconds for the question whether it runs.
BRIEF = 5.0

#: Where it is a directory, systemd runs this host (sd_booted(3)); a container may have systemctl all the same.
BOOTED = Path("/run/systemd/system")

#: Where systemd did not say in time: what is served is looked at all the same.
_UNKNOWN = "unknown"
_HERE = ("active", "reloading", "activating", "refreshing", _UNKNOWN)
_NO_SYSTEMD = "there is no systemctl on the PATH of this run"
_NO_SYSTEMD_HINT = "where systemd does not manage the program, let a command in deploy_hooks reload it"


@dataclass(frozen=True)
class Reloaded:
    """What became of ``unit``: nothing where ``state`` says that it does not run; else ``error`` where it failed."""

    unit: str
    state: str
    output: str = ""
    error: str = ""
    hint: str = ""

    @property
    def is_running(self) -> bool:
        """Whether there was anything to reload."""
        return self.state in _HERE


async def reload(unit: str, environment: Mapping[str, str]) -> Reloaded:
    """Have ``unit`` reloaded, or restarted where it cannot be, by the systemctl of the environment's PATH.

    Raises nothing; cancelling it leaves systemd to end what it began.
    """
    variables = {"PATH": DEFAULT_PATH, **environment}
    systemctl = shutil.which("systemctl", path=variables["PATH"])
    if systemctl is None:
        return Reloaded(unit, "", error=_NO_SYSTEMD, hint=_NO_SYSTEMD_HINT)
    asked = await run_program([systemctl, "is-active", "--", unit], variables, BRIEF)
    state = _UNKNOWN if asked.timed_out else asked.output.strip().rpartition("\n")[2]
    command = [systemctl, "--no-ask-password", "try-reload-or-restart", "--", unit]
    end = await run_program(command, variables, PATIENCE)
    if end.succeeded:
        return Reloaded(unit, state, end.output)
    return Reloaded(unit, state, end.output, _reason(end), _hint(unit))


def _hint(unit: str) -> str:
    return f"`systemctl status {unit}` and `journalctl -u {unit}` say more" if BOOTED.is_dir() else _NO_SYSTEMD_HINT


def _reason(end: HookEnd) -> str:
    said = end.output.strip().rpartition("\n")[2]
    return f"systemctl {end.told()}" + (f": {said}" if said else "")
