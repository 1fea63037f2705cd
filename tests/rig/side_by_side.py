"""The whole suite in three shares at once, each in a namespace of its own: python tests/rig/side_by_side.py [ARG...].

What tests wait for costs no time twice. The first share is told as it goes, the others when they have ended; ARG goes
to every pytest. Tests with servers that failed are run again, alone, and count where all of them pass then: with two
processors for three shares a server may be late. They are told, for a test that fails then is a defect to be mended.
Refused a second chance: more than a few, unit tests, and files that cannot be collected.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

NAMESPACE = Path(__file__).with_name("namespace")
WITH_SERVERS = "tests/integration/"
#: So many failures may be the machine's; more are the program's.
FEW = 3

#: What the second share has. The first has the rest of tests/integration, the third the unit tests.
SECOND = (
    *("backing_off", "certbot", "clients_together", "commands_in_lab", "dehydrated", "dehydrated_deployment"),
    *("dehydrated_faults", "demo", "doctor_in_lab", "interrupted", "left_behind", "many_processes", "moving_in"),
    *("other_clients", "propagation_in_lab", "recipes", "revoking", "secondary_faults"),
)


class Share:
    """A pytest with these files, started at once, its output in ``log``, or shown if there is none."""

    def __init__(self, files: Sequence[str], arguments: Sequence[str], cache: Path, log: Path | None) -> None:
        self._cache = cache
        self._log = log
        command = [str(NAMESPACE), sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments, *files]
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(log.open("wb")) if log else None
            self._process = subprocess.Popen(command, stdout=output, stderr=output and subprocess.STDOUT)

    def failed(self) -> Sequence[str]:
        """Wait for its end, and show it; the tests that failed. Where it is not for tests to say, its files did."""
        status = self._process.wait()
        if self._log:
            print(self._log.read_text(errors="replace"), flush=True)
        last = self._cache / "v/cache/lastfailed"
        found = sorted(json.loads(last.read_text())) if status == 1 and last.exists() else []
        return found if found or not status else [f"pytest itself: status {status}"]

    def stop(self) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def shares() -> list[list[str]]:
    """The test files of each share that has any."""
    divided: list[list[str]] = [[], [], []]
    for path in sorted(Path("tests").rglob("test_*.py")):
        name = path.stem.removeprefix("test_")
        rest = 0 if str(path).startswith(WITH_SERVERS) else 2
        divided[1 if name in SECOND else rest].append(str(path))
    return [files for files in divided if files]


def has_second_chance(failed: Sequence[str]) -> bool:
    """Whether they may be run again: a few, each a test with servers."""
    return len(failed) <= FEW and all(test.startswith(WITH_SERVERS) and "::" in test for test in failed)


def tell(heading: str, tests: Sequence[str]) -> None:
    """Say it where nobody overlooks it."""
    print("\n".join(("", "!" * 80, heading, *(f"    {test}" for test in tests), "!" * 80)), flush=True)


@contextlib.contextmanager
def started(divided: Sequence[Sequence[str]], arguments: Sequence[str]) -> Iterator[list[Share]]:
    """A share for each list of files, at once; none outlives us."""
    running: list[Share] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for number, files in enumerate(divided):
                log = Path(scratch, f"{number}.log") if number else None
                running.append(Share(files, arguments, Path(scratch, f"{number}.cache"), log))
            yield running
        finally:
            for share in running:
                share.stop()


def main(arguments: Sequence[str]) -> int:
    """0 where all went well, at the second attempt at the latest."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with started(shares(), arguments) as running:
        failed = [test for share in running for test in share.failed()]
    if not failed or not has_second_chance(failed):
        return bool(failed)
    tell("failed beside others, and run again alone:", failed)
    with started([failed], arguments) as (again,):
        failed_again = again.failed()
    if failed_again:
        tell("failed a second time:", failed_again)
    else:
        tell("passed alone: a test that needs its second chance has to be mended:", failed)
    return bool(failed_again)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
