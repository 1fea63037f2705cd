"""The private namespace and the packages: nothing leaks out, nothing is left, and refusals say what to do."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dnsbroker.environment import variables
from lab.processes import look_until
from lab.topology import RESOLVER

RIG = Path(__file__).parents[1] / "rig"
NAMESPACE = str(RIG / "namespace")
AS_ORDINARY_USER = ["unshare", "--map-user=1000", "--map-group=1000"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A finished command, its output as text."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_namespace_passes_on_the_status() -> None:
    """That of the command, of a signal that ended it, and of one that is not there."""
    assert run(NAMESPACE, "sh", "-c", "exit 7").returncode == 7
    assert run(NAMESPACE, "sh", "-c", "kill -9 $$").returncode == 137
    assert run(NAMESPACE, "/no/such/command").returncode == 127


def test_the_namespace_is_a_world_of_its_own() -> None:
    """Only loopback, its own processes, its own resolver."""
    inside = run(NAMESPACE, "sh", "-c", "ip -o link | wc -l; echo $PPID; grep nameserver /etc/resolv.conf")
    assert inside.stdout.split() == ["1", "1", "nameserver", RESOLVER]


@pytest.mark.parametrize(("name", "status"), [("TERM", 143), ("HUP", 143), ("KILL", -9)])
def test_whatever_ends_the_namespace_ends_everything_in_it(name: str, status: int) -> None:
    """A signal to the wrapper ends the command and what it started."""
    script = "exec 2>/dev/null; sleep 300 & echo started; wait"
    # Under nohup SIGHUP is ignored from the start, and no shell can trap such a signal.
    command = ["env", "--default-signal=HUP", NAMESPACE, "sh", "-c", script]
    pipe = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert pipe.stdout is not None
    with pipe.stdout as output:
        assert output.readline() == b"started\n"
        subprocess.run(["kill", f"-{name}", str(pipe.pid)], check=True)
        assert pipe.wait(10) == status
        assert output.read() == b""  # nobody holds the pipe any longer


def test_a_signal_that_comes_too_late_does_no_harm() -> None:
    """Twin: process 1 has gone, and nothing can be started beside it any more; the command's status is passed on."""
    pipe = subprocess.Popen(
        [NAMESPACE, "sh", "-c", "echo started; read line; exit 6"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with pipe:
        try:
            assert pipe.stdin is not None and pipe.stdout is not None
            assert pipe.stdout.readline() == b"started\n"
            first = Path(f"/proc/{pipe.pid}/task/{pipe.pid}/children").read_text().split()[0]
            pipe.send_signal(signal.SIGSTOP)
            pipe.stdin.write(b"on\n")
            pipe.stdin.flush()
            look_until(lambda: has_ended(first), "the end of process 1", 10)
            pipe.send_signal(signal.SIGTERM)
            pipe.send_signal(signal.SIGCONT)
            assert pipe.wait(10) == 6
        finally:
            pipe.kill()


def has_ended(pid: str) -> bool:
    """Whether that process is one that only its parent still has to take note of."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_an_interrupt_reaches_the_command() -> None:
    """Without a terminal Ctrl-C's signal is passed on, and the command may end in its own way."""
    script = "trap 'echo tidied; exit 5' INT; echo started; sleep 300 & wait"
    pipe = subprocess.Popen([NAMESPACE, "sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert pipe.stdout is not None
    with pipe.stdout as output:
        assert output.readline() == b"started\n"
        subprocess.run(["kill", "-INT", str(pipe.pid)], check=True)
        assert pipe.wait(10) == 5
        assert output.read() == b"tidied\n"


@pytest.mark.usefixtures("namespace")
def test_fail_a_host_that_forbids_namespaces_is_told_so() -> None:
    """Twin: without the right to make one there is an error of one line, and a hint."""
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    refused = run(*powerless, NAMESPACE, "true")
    assert refused.returncode == 125
    assert [line.split(":")[0] for line in refused.stderr.splitlines()] == ["error", "hint"]


@pytest.mark.usefixtures("namespace")
def test_the_whole_lab_runs_as_an_ordinary_user() -> None:
    """`python -m lab run` in a namespace that an unprivileged user made; the command's status comes back."""
    script = (
        'test -s "$LAB_DIR/lab.json" && dig +short example.test SOA && dnsbroker_config="$DNSBROKER_CONFIG" && exit 6'
    )
    ran = run(*AS_ORDINARY_USER, NAMESPACE, "env", f"PYTHONPATH={RIG}", sys.executable, "-m", "lab", "run", "--",
              "sh", "-c", script)  # fmt: skip
    assert (ran.returncode, ran.stderr) == (6, "")
    assert ran.stdout.startswith("ns1.example.test. ")


# -- the packages --


def test_installed_packages_are_left_alone(tmp_path: Path) -> None:
    """Nothing missing: silent, and nothing is fetched or unpacked, so that it can be asked every time."""
    for tool in ("apt-get", "sudo"):
        (tmp_path / tool).write_text(f"#!/bin/sh\ntouch {tmp_path}/used\n")
        (tmp_path / tool).chmod(0o755)
    done = run("env", f"PATH={tmp_path}:{variables()['PATH']}", str(RIG / "install-packages"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "used").exists()


@pytest.mark.usefixtures("namespace")
def test_fail_an_ordinary_user_is_told_what_to_ask_for(tmp_path: Path) -> None:
    """Twin: something missing and no right to install it: the packages, and the administrator's command."""
    for name in ("install-packages", "packages.txt"):
        (tmp_path / name).write_text((RIG / name).read_text())
    with (tmp_path / "packages.txt").open("a") as packages:
        packages.write("no-such-package\n")
    (tmp_path / "install-packages").chmod(0o755)
    refused = run(*AS_ORDINARY_USER, str(tmp_path / "install-packages"))
    assert refused.returncode == 1
    assert "no-such-package" in refused.stderr.splitlines()[0]
    assert refused.stderr.splitlines()[1].startswith("hint: let the administrator run: sudo ")
