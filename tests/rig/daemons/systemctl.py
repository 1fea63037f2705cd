"""A stand-in for ``systemctl``, for systemd does not run in the lab: it does what the unit's ExecReload would.

Rule: every call is written down, and a unit that is unknown, not running or broken ends as systemd has it end. Refused:
everything but looking at units and reloading them.
"""

from __future__ import annotations

import os
from pathlib import Path

from dnsbroker.environment import variables

_SCRIPT = """\
#!/bin/sh
cd "$(dirname "$0")"
verb= units=
for word; do
    case $word in
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else units="$units ${word%.service}"; fi ;;
    esac
done
echo "$verb$units" >>calls
status=0
for unit in $units; do
    case $verb in
    is-active) if [ -e "$unit.reload" ]; then echo active; else echo inactive; status=3; fi ;;
    reload | reload-or-restart | try-reload-or-restart)
        if [ ! -e "$unit.reload" ]; then
            [ "$verb" = try-reload-or-restart ] || { echo "Unit $unit.service not found." >&2; status=5; }
        elif ! sh "$unit.reload"; then
            echo "Job for $unit.service failed." >&2
            status=1
        fi ;;
    *) echo "Unknown command verb $verb." >&2; exit 1 ;;
    esac
done
exit "$status"
"""


class Units:
    """The units that run, by their reload commands; ``directory`` goes in front of PATH."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        (directory / "systemctl").write_text(_SCRIPT)
        (directory / "systemctl").chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """What lets a program find the stand-in."""
        return {"PATH": f"{self._directory}{os.pathsep}{variables()['PATH']}"}

    @property
    def reloads(self) -> list[str]:
        """The units of each call that was to reload some, in their order."""
        calls = self._directory / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.partition(" ")[2] for line in lines if "reload" in line.partition(" ")[0]]

    def running(self, unit: str, reload: str) -> None:
        """The unit runs, and ``reload``, a shell command, reloads it."""
        (self._directory / f"{unit}.reload").write_text(f"{reload}\n")

    def broken(self, unit: str) -> None:
        """The unit runs, and its reload fails."""
        self.running(unit, f"echo '{unit}: configuration file test failed' >&2; exit 1")
