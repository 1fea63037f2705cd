"""Hooks around real orders: what runs when, and what the next run makes up for after a signal or a kill."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.processes import look_until
from lab.rig import Lab
from program import Program
from underway import Underway

NAME = "one.example.test"


def is_alive(pid: str) -> bool:
    """Whether the process still does anything; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def hooked(log: Path, slow: Path) -> dict[str, Any]:
    """A certificate whose hooks write down that they ran; the deploy hook takes a minute unless ``slow`` is gone."""
    return {
        "pre_hooks": [f"echo pre >> {log}"],
        "deploy_hooks": [f"echo $$ > {slow}.pid; test -e {slow} && sleep 60; echo deploy >> {log}"],
        "post_hooks": [f'echo "post +$RENEWED_DOMAINS -$FAILED_DOMAINS" >> {log}'],
    }


def test_a_signal_and_a_kill_in_the_middle_of_a_hook_are_made_up_for(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """A signal takes the hook along and still runs the post hooks; the next run orders nothing, but deploys."""
    log, slow = tmp_path / "log", tmp_path / "slow"
    slow.touch()
    configuration = configure({NAME: [NAME]}, {"certificates": {NAME: hooked(log, slow)}})
    program, pid = Program(configuration), Path(f"{slow}.pid")

    def told() -> list[str]:
        lines = log.read_text().splitlines()
        log.unlink()
        return lines

    with Underway(configuration, "issue") as run:
        look_until(lambda: pid.exists() and bool(pid.read_text()), "the hook", 20.0, 0.01)
        status, seconds = run.stop(signal.SIGTERM)
    assert (status, seconds < 60) == (143, True)
    assert not is_alive(pid.read_text().strip())
    assert told() == ["pre", f"post +{NAME} -"]

    pid.unlink()
    with Underway(configuration, "renew") as run:
        look_until(lambda: pid.exists() and bool(pid.read_text()), "the hook", 20.0, 0.01)
        run.stop(signal.SIGKILL)
    assert not log.exists()

    slow.unlink()
    ran = program("--json", "renew").succeeded()
    assert told() == ["deploy", f"post +{NAME} -"]
    assert ran.named("order") == []
    assert [item["status"] for item in ran.result["certificates"]] == ["deployed"]
    ran = program("--json", "renew").succeeded()
    assert (ran.named("hook"), ran.result["changed"]) == ([], False)


def test_a_pre_hook_that_fails_keeps_the_order_from_being_opened(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """The run ends with 1, and what it stopped is started again by the post hooks, which are retried alone."""
    log, good = tmp_path / "log", tmp_path / "good"
    overrides = {**hooked(log, tmp_path / "slow"), "pre_hooks": ["echo no room >&2; exit 9"]}
    overrides["post_hooks"] += [f"test -e {good}"]  # which fails as well, and still does not make it an issued one
    program = Program(configure({NAME: [NAME]}, {"certificates": {NAME: overrides}}))
    ran = program("--json", "issue").failed(1)
    assert "ended with status 9: no room" in ran.result["error"]["message"]
    assert ran.named("order") == ran.named("written") == []
    assert len(ran.result["errors"]) == 1
    assert log.read_text() == f"post + -{NAME}\n"

    assert f"post test -e {good} failed" in program("status").failed(4).stdout
    ran = program("--json", "renew").failed(7)
    assert [item["status"] for item in ran.result["certificates"]] == ["postponed"]
    good.touch()
    ran = program("--json", "renew").succeeded()
    assert [event["command"] for event in ran.named("hook")] == [f"test -e {good}"]
    assert "test -e" not in program("status").succeeded().stdout


def test_a_deployment_that_fails_again_is_nowhere_called_done(lab: Lab, configure: Callable[..., Path]) -> None:
    """Neither by an event, and with it the log, nor by the result."""
    program = Program(configure({NAME: [NAME]}, {"certificates": {NAME: {"deploy_hooks": ["exit 3"]}}}))
    program("issue").failed(7)
    ran = program("--json", "renew").failed(7)
    assert ran.named("deployed") == []
    assert [item["status"] for item in ran.result["certificates"]] == ["kept"]
