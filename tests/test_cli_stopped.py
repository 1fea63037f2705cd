"""A run that a signal ended leaves its status to a monitor, at once; people are told by the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: A run that is sent the signal while it waits for what never comes; its status is that of the process.
PROGRAM = """
import asyncio, os, sys
import click
from dnsbroker.cli.options import Options
from dnsbroker.cli.output import Result
from dnsbroker.cli.running import run

async def work(broker):
    os.kill(os.getpid(), int(sys.argv[3]))
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if sys.argv[4] == "cancelled":
            raise
    return Result(status=int(sys.argv[4]))

context = click.Context(click.Command(sys.argv[2]), info_name=sys.argv[2], parent=click.Context(
    click.Command("dnsbroker"), info_name="dnsbroker"), obj=Options(config=sys.argv[1]))
sys.exit(run(context, work, looking=sys.argv[5:] == ["looking"]))
"""


class Host:
    """A configuration with a certificate that a person is needed for, a monitor and a person."""

    def __init__(self, directory: Path) -> None:
        self.metrics, self.mail = directory / "dnsbroker.prom", directory / "mail"
        self.path = directory / "dnsbroker.toml"
        self.said = ""
        self.path.write_text(
            f'''state_dir = "{directory / "state"}"
metrics = "{self.metrics}"
alert_hooks = ["cat >> {self.mail}"]
[certificates."wrong.test"]
mood = 1
'''
        )

    def stop(self, number: int, end: str, command: str = "renew", *more: str) -> int:
        """Have a run stopped; the status it ended with."""
        arguments = [sys.executable, "-c", PROGRAM, str(self.path), command, str(number), end, *more]
        ran = subprocess.run(arguments, capture_output=True, timeout=60, check=False, text=True)
        self.said = ran.stderr
        return ran.returncode

    def told(self) -> str:
        """The status of the last run, by the metrics."""
        return self.metrics.read_text().splitlines()[-1]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("end", ["cancelled", "1"], ids=["stopped at once", "told of what it could not do"])
@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143)])
def test_a_run_that_is_stopped_is_in_the_metrics(host: Host, number: int, status: int, end: str) -> None:
    """With the status of its process; nobody is called."""
    assert host.stop(number, end) == status
    assert host.told() == f"dnsbroker_last_run_status {status}"
    assert not host.mail.exists()


def test_what_came_to_its_end_all_the_same_is_no_run_that_was_stopped(host: Host) -> None:
    """The negative twin: the signal came when all was done, and people are told."""
    assert host.stop(15, "0") == 0
    assert host.told() == "dnsbroker_last_run_status 0"
    assert "wrong.test: misconfigured" in host.mail.read_text()


def test_a_command_that_is_no_run_writes_nothing(host: Host) -> None:
    """However it ends."""
    assert host.stop(15, "cancelled", "wait") == 143
    assert not host.metrics.exists()


def test_who_only_looks_is_not_told_of_withdrawals(host: Host) -> None:
    """It has written nothing; who may have is told what becomes of it."""
    assert host.stop(2, "cancelled", "doctor", "looking") == 130
    assert host.said == "stopping; nothing was written\n"
    assert host.stop(2, "cancelled", "doctor") == 130
    assert "withdrawing what was written" in host.said


@pytest.mark.parametrize("command", ["tlsa publish", "tlsa withdraw"])
def test_who_only_writes_records_for_dane_is_told_that_they_stay(host: Host, command: str) -> None:
    """Clients rely on them; taken back half-way they would do more harm."""
    assert host.stop(2, "cancelled", command) == 130
    assert "what was done to TLSA records stays done" in host.said
    assert "withdrawing" not in host.said
