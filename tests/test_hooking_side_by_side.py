"""Several runs of one client at one place at the same time: each ends for itself, and sweeps after the dead alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker.hooking.calls import Ended, Started
from hooks_bench import Host, heeded, host

PLACE = "dehydrated /etc/dehydrated"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


@pytest.fixture
def alive() -> Iterator[int]:
    """The process group of another run of the client, which goes on until the test is over."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, process_group=0) as process:
        yield process.pid


@pytest.fixture
def dead() -> int:
    """A process group that is there no more."""
    with subprocess.Popen(["true"], process_group=0) as process:
        return process.pid


def test_a_run_s_start_and_end_leave_those_beside_it_alone(bench: Host, alive: int, dead: int) -> None:
    """They have a lock each, with a suffix of its own."""
    bench.call(heeded("a", session=f"{PLACE} {alive}"))
    mine = f"{PLACE} {dead}"
    for call in (Started(mine), heeded("b", session=mine), Ended(mine)):
        assert not bench.call(call).failures
    assert bench.standing() == {"a"}


def test_a_start_sweeps_after_a_run_whose_processes_are_gone(bench: Host, dead: int) -> None:
    """The twin: with the same place alone, and not with one whose name only begins like it."""
    for number, place in enumerate((PLACE, f"{PLACE}-2", f"{PLACE} 2")):
        bench.call(heeded(f"v{number}", session=f"{place} {dead}"))
    assert not bench.call(Started(f"{PLACE} {dead + 1}")).failures
    assert bench.standing() == {"v1", "v2"}
