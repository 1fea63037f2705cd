"""What the command line costs before it does anything: its time beside the interpreter's own, and what it imports.

Rule: the two are timed in pairs, one right after the other, so that whatever else the machine does meets both. Refused:
absolute times as a claim.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles

from lab.demo.acts import DNSBROKER
from tables import Table

ALLOWED = 6.0
PAIRS = 40
HEAVY = ("acme", "httpx", "rich", "cryptography")
"""Packages that nobody is to pay for who has not asked for their work."""

CALLS = {
    "the command line's modules": "import dnsbroker.cli, dnsbroker.cli.program",
    "dnsbroker --version": "import dnsbroker.cli; dnsbroker.cli.main(['--version'])",
    "dnsbroker --help": "import dnsbroker.cli; dnsbroker.cli.main(['--help'])",
    "dnsbroker issue --help": "import dnsbroker.cli; dnsbroker.cli.main(['issue', '--help'])",
    "dnsbroker config example": "import dnsbroker.cli; dnsbroker.cli.main(['config', 'example'])",
}


def report() -> bool:
    """Time the version, look at the imports, print both; whether the claims hold."""
    return all([_report_version(), _report_imports()])


def _report_version() -> bool:
    for _ in range(3):  # files into the page cache, bytecode written
        _time([sys.executable, "-c", "pass"]), _time([DNSBROKER, "--version"])
    pairs = [(_time([sys.executable, "-c", "pass"]), _time([DNSBROKER, "--version"])) for _ in range(PAIRS)]
    ratios = [ours / bare for bare, ours in pairs]
    table = Table(["", "median ms"])
    table.row("python -c pass", f"{1000 * median(bare for bare, _ in pairs):.1f}")
    table.row("dnsbroker --version", f"{1000 * median(ours for _, ours in pairs):.1f}")
    table.print(f"Start-up ({PAIRS} pairs)")
    low, middle, high = quantiles(ratios, n=4)
    holds = middle <= ALLOWED
    print(f"ratio, pair by pair: median {middle:.2f}, half of them between {low:.2f} and {high:.2f}")
    print(f"claim: at most {ALLOWED:g} times the interpreter's own start -- {'holds' if holds else 'DOES NOT HOLD'}")
    return holds


def _time(command: list[str | Path]) -> float:
    """Seconds from start to end, with as little of our own in between as there can be."""
    with Path(os.devnull).open("w") as nowhere:
        silent = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        began = time.perf_counter()
        _, status = os.waitpid(
            os.posix_spawn(command[0], list(map(str, command)), _environment(), file_actions=silent), 0
        )
        ended = time.perf_counter()
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return ended - began


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def _report_imports() -> bool:
    table = Table(["", "modules", *HEAVY])
    clean = True
    for title, code in CALLS.items():
        names = _imported(code)
        cells = ["imported" if name in names else "no" for name in HEAVY]
        clean = clean and "imported" not in cells
        table.row(title, str(len(names)), *cells)
    table.print("What is imported")
    print(f"claim: none of {', '.join(HEAVY)} -- {'holds' if clean else 'DOES NOT HOLD'}")
    return clean


def _imported(code: str) -> frozenset[str]:
    tail = "; import sys; print('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return frozenset(done.stderr.split())
