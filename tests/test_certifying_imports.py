"""Who configures no DANE pays nothing for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RIG = Path(__file__).parent / "rig"


def test_certifying_imports_nothing_that_looks_after_records() -> None:
    """Nor does a Broker, before it is asked for DANE."""
    code = "import sys, dnsbroker.broker, dnsbroker.certifying\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    modules = done.stdout.split()
    assert "dnsbroker.certifying.covering" in modules
    unwanted = ("dnsbroker.dane", "dnsbroker.rolling", "dnsbroker.rekeying")
    assert [name for name in modules if name.startswith(unwanted)] == []


def imported(home: Path, *tables: str) -> dict[str, list[str]]:
    """What of DANE's code is there after each call of a program."""
    command = [sys.executable, str(RIG / "without_dane.py"), str(home), *tables]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = [line.removeprefix("after ") for line in done.stdout.splitlines() if line.startswith("after ")]
    return {call: modules.split() for call, _, modules in (line.partition(":") for line in told)}


def test_no_command_imports_what_decides_or_looks_after_records(tmp_path: Path) -> None:
    """Neither what orders and deploys, with metrics and alerts after it, nor what only tells."""
    found = imported(tmp_path)
    assert set(found) == {"issue", "renew", "renew --new-key", "deploy", "list", "log", "status", "show"}
    assert [call for call, modules in found.items() if modules] == []


def test_with_a_table_it_is_seen_that_they_are_imported(tmp_path: Path) -> None:
    """The twin: by what has to tell of roll-overs, and not before."""
    found = imported(tmp_path, "with a table")
    assert {"dnsbroker.rolling", "dnsbroker.dane"} <= set(found["status"])
    assert found["list"] == []
