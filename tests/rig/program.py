"""The installed program ``dnsbroker`` as a person or a script runs it, and what it said.

Rule: a process of its own for each call, and nothing asked of it but arguments, environment and exit status. Refused:
looking inside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.processes import with_environment

DNSBROKER = Path(sys.executable).with_name("dnsbroker")
SECONDS = 90


@dataclass(frozen=True)
class Ran:
    """One call: its exit status, and what it wrote."""

    status: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """What ``--json`` printed, one object a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def named(self, event: str) -> list[dict[str, Any]]:
        """The events of one name."""
        return [item for item in self.events if item["event"] == event]

    @property
    def result(self) -> dict[str, Any]:
        """The last object that ``--json`` printed, which is the result and the only one."""
        *before, last = self.events
        assert last["event"] == "result"
        assert all(item["event"] != "result" for item in before)
        return last

    def succeeded(self) -> Ran:
        """The call itself, which must have ended with 0."""
        assert self.status == 0, (self.status, self.stdout, self.stderr)
        return self

    def failed(self, status: int) -> Ran:
        """The call itself, which must have ended with ``status`` and in words, not in a traceback."""
        assert self.status == status, (self.status, self.stdout, self.stderr)
        assert "Traceback" not in self.stderr
        return self

    @property
    def error(self) -> tuple[str, str]:
        """The error line and the hint line at the end of stderr, without their heads."""
        *_, error, hint = self.stderr.splitlines()
        assert error.startswith("error: "), self.stderr
        assert hint.startswith("hint: "), self.stderr
        return error.removeprefix("error: "), hint.removeprefix("hint: ")


class Program:
    """``dnsbroker`` with one configuration file; called with its arguments."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration

    def __call__(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Ran:
        """Run it to its end, which must come within :data:`SECONDS`."""
        command = with_environment({"DNSBROKER_CONFIG": str(self.configuration), **(environment or {})}, [DNSBROKER])
        done = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def live(self, name: str) -> Path:
        """The directory of a certificate's live files."""
        return self.state / "live" / name

    @property
    def state(self) -> Path:
        """The state directory of the tests' configuration."""
        return self.configuration.parent / "state"
