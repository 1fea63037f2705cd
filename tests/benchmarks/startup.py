"""What the command line costs before it does anything: its time beside the interpreter's own, and what it imports.

Rule: time is told as a ratio only. Refused: counting what a command imports for its work.
"""

from __future__ import annotations

import subprocess
import sys

from lab.demo.acts import DNSBROKER
from tables import Table
from timing import Pairs, pair

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
        pair([DNSBROKER, "--version"])
    pairs = Pairs(*zip(*(pair([DNSBROKER, "--version"]) for _ in range(PAIRS)), strict=True))
    table = Table(["", "python -c pass ms", "the call ms", "times", "half of them"])
    table.row("dnsbroker --version", *pairs.cells())
    table.print(f"Start-up ({PAIRS} pairs; medians)")
    holds = pairs.ratio <= ALLOWED
    print(f"claim: at most {ALLOWED:g} times the interpreter's own start -- {'holds' if holds else 'DOES NOT HOLD'}")
    return holds


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
