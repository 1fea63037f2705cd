"""The command line: ``main`` is what the program ``dnsbroker`` runs.

Each command's module is imported when that command is called, and nothing here prints, reads the configuration or
imports asyncio.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with ``arguments`` (the process's own where None); returns the exit status.

    Example: ``main(["--version"])``.
    """
    try:
        from dnsbroker.cli.program import run

        return run(arguments)
    except KeyboardInterrupt:  # while the command line itself was loading
        return 130
