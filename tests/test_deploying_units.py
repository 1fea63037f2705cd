"""Units of systemd: reloaded or restarted where they run, left alone where they do not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from dnsbroker.deploying import units
from dnsbroker.deploying.units import Reloaded

#: A systemctl that knows one unit of each kind and writes down how it was called.
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$LOG"
for unit in "$@"; do :; done
case "$*" in
is-active*)
    case "$unit" in
    nginx) echo active ;;
    starting) echo activating; exit 3 ;;
    stopped | gone) echo inactive; exit 3 ;;
    broken) echo active ;;
    crashed) echo failed; exit 3 ;;
    silent) sleep 60 ;;
    esac
    ;;
*)
    case "$unit" in
    gone) echo "Failed to try-reload-or-restart gone.service: Unit gone.service not found." >&2; exit 5 ;;
    broken) echo "a line"; echo "Job for broken.service failed." >&2; exit 1 ;;
    hanging) sleep 60 ;;
    esac
    ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which that systemctl is the first to be found."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.defpath}", "LOG": str(tmp_path / "log")}


def reloaded(unit: str, environment: dict[str, str]) -> Reloaded:
    return asyncio.run(units.reload(unit, environment))


@pytest.mark.parametrize(("unit", "state"), [("nginx", "active"), ("starting", "activating")])
def test_a_unit_that_runs_is_reloaded_or_restarted(environment: dict[str, str], unit: str, state: str) -> None:
    """By the one verb of systemctl that means just this; it never asks for a password."""
    end = reloaded(unit, environment)
    assert end == Reloaded(unit, state)
    assert end.is_running
    assert Path(environment["LOG"]).read_text().splitlines() == [
        f"is-active -- {unit}",
        f"--no-ask-password try-reload-or-restart -- {unit}",
    ]


@pytest.mark.parametrize(("unit", "state"), [("stopped", "inactive"), ("crashed", "failed")])
def test_a_unit_that_does_not_run_is_left_alone(environment: dict[str, str], unit: str, state: str) -> None:
    """And that is no failure."""
    end = reloaded(unit, environment)
    assert end == Reloaded(unit, state)
    assert not end.is_running


def test_a_unit_that_is_not_there_is_a_failure(environment: dict[str, str]) -> None:
    """Its name is wrong, or its package was removed; systemd's own words say so."""
    end = reloaded("gone", environment)
    assert end.error.startswith("systemctl ended with status 5: Failed to")
    assert "not found" in end.error


def test_a_unit_that_fails_to_reload_is_told_with_where_to_look(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line of systemctl, and the journal of the unit; where systemd does not run at all, that is no use."""
    monkeypatch.setattr(units, "BOOTED", tmp_path)
    end = reloaded("broken", environment)
    assert end.error == "systemctl ended with status 1: Job for broken.service failed."
    assert end.output == "a line\nJob for broken.service failed.\n"
    assert "journalctl -u broken" in end.hint
    monkeypatch.setattr(units, "BOOTED", tmp_path / "missing")
    assert "deploy_hooks" in reloaded("broken", environment).hint


def test_a_unit_that_hangs_is_not_waited_for_for_ever(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute and a half in earnest."""
    monkeypatch.setattr(units, "PATIENCE", 0.5)
    assert reloaded("hanging", environment).error == "systemctl was stopped at its time-out"


def test_a_systemd_that_does_not_say_whether_a_unit_runs_holds_up_nobody(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reloaded all the same, if it runs; and what it serves is looked at, as after every reload."""
    monkeypatch.setattr(units, "BRIEF", 0.5)
    end = reloaded("silent", environment)
    assert end == Reloaded("silent", "unknown")
    assert end.is_running


def test_without_systemd_the_way_out_is_a_hook(tmp_path: Path) -> None:
    """On a host of another kind, or in a container."""
    end = reloaded("nginx", {"PATH": str(tmp_path)})
    assert "no systemctl" in end.error
    assert "deploy_hooks" in end.hint
