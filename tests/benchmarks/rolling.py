"""The proof of roll-overs in larger worlds than the tests have time for: ``tests/benchmarks/rolling.py [STATES]``.

Each world is searched to its end, or to so many states.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))

from rolling_search import LARGE, WORLDS, search


def main() -> int:
    """Search, and say what was found; 1 where something was."""
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 10**7
    faults = 0
    for what, world in (WORLDS | LARGE).items():
        found = search(world, limit)
        faults += bool(found.wrong)
        print(f"{what}: {found.states} states{'' if found.is_all else ', not all'}", flush=True)
        if found.wrong:
            print(f"    {found.wrong}: {' > '.join(found.way)}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
