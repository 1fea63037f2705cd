"""Run a command with the lab around it: ``tests/rig/namespace python -m lab run -- CMD...``.

The command finds ``LAB_DIR`` in its environment; ``lab.json`` there says what is where, ``dnsbroker.toml`` is a
configuration that works (``DNSBROKER_CONFIG`` points at it). Its exit status is passed on.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import types

from lab.processes import LabError, with_environment
from lab.rig import Lab

CERTIFICATES = {
    "example.test": ["example.test", "*.example.test"],
    "bind.test": ["bind.test", "*.bind.test"],
}


def main() -> int:
    """Parse the arguments, start the lab, run the command; the command's status, or 1 if the lab does not start."""
    parser = argparse.ArgumentParser(prog="python -m lab", description="the test lab of real servers")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a command while the lab is there", epilog="example: run -- bash")
    run.add_argument("command", nargs="+", metavar="CMD")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    try:
        with Lab() as lab:
            return run_inside(lab, arguments.command)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run_inside(lab: Lab, command: list[str]) -> int:
    """Write what the command may want to know and run it; its exit status."""
    configuration = lab.directory / "dnsbroker.toml"
    configuration.touch(mode=0o600)
    configuration.write_text(lab.config(lab.directory / "state", certificates=CERTIFICATES))
    (lab.directory / "lab.json").write_text(json.dumps(lab.describe(), indent=2) + "\n")
    environment = {"LAB_DIR": str(lab.directory), "DNSBROKER_CONFIG": str(configuration)}
    child = subprocess.Popen(with_environment(environment, command))
    while True:
        try:
            status = child.wait()
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            continue  # the terminal has told the command as well; what it makes of that is its own affair
        except SystemExit:
            child.terminate()


def _stop(number: int, frame: types.FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
