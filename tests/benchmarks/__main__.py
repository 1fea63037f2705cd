"""``make bench``, or in the lab's namespace ``python tests/benchmarks [PART...] [--runs N]``.

The exit status is 1 if a claim of the project's does not hold.
"""

from __future__ import annotations

import argparse
import sys

import comparison
import hooks
import propagation
import startup
from lab.processes import LabError
from lab.rig import Lab

PARTS = ("startup", "hooks", "propagation", "comparison")


def main() -> int:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description="dnsbroker's times, and others'")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default all")
    parser.add_argument("--runs", type=int, default=3, help="of each measurement; medians are shown (default 3)")
    arguments = parser.parse_args()
    parts = arguments.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    try:
        holds = measured(parts, arguments.runs)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if holds else 1


def measured(parts: list[str] | tuple[str, ...], runs: int) -> bool:
    """Every part that is asked for; whether all claims hold."""
    holds = startup.report() if "startup" in parts else True
    if set(parts) <= {"startup"}:
        return holds
    with Lab() as lab:
        if "hooks" in parts:
            holds = hooks.report(lab) and holds
        if set(parts) <= {"startup", "hooks"}:
            return holds
        kept, seen = propagation.report(lab, runs)
        propagation.report_phases(seen)
        if "comparison" in parts:
            comparison.report(lab, runs, seen)
    return holds and kept


if __name__ == "__main__":
    sys.exit(main())
