"""What people see of real runs afterwards: of one that went well, and of one that was killed in the middle."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.rig import Lab
from program import Program
from underway import Underway

CERTIFICATES = {"one": ["example.test", "*.example.test"], "two": ["two.example.test"]}
OWNER = "_acme-challenge.example.test."


def log_of(program: Program, *arguments: str) -> list[dict[str, Any]]:
    """The entries of the log."""
    entries: list[dict[str, Any]] = program("--json", "log", *arguments).succeeded().result["entries"]
    return entries


def test_runs_are_known_afterwards(lab: Lab, configure: Callable[..., Path]) -> None:
    """What a killed run left is told, and who took it away; the next run's story is whole, its certificate well."""
    configuration = configure(CERTIFICATES)
    program = Program(configuration)
    with Underway(configuration, "issue", "one", halting='"written"') as run:
        run.await_halt()
        run.stop(signal.SIGKILL)
    (left,) = {item["name"] for item in program("--json", "status").succeeded().result["left"]}
    assert left == OWNER
    (written,) = [entry for entry in log_of(program, "one") if entry["event"] == "written"]
    assert OWNER in written["names"]

    program("renew", "two").succeeded()
    *_, swept, withdrawn = log_of(program, "one")
    assert (swept["event"], withdrawn["event"]) == ("swept", "withdrawn")
    assert swept["run"] == withdrawn["run"] != written["run"]
    entries = log_of(program, "two")
    assert {entry["run"] for entry in entries} == {withdrawn["run"]}
    kinds = [entry["event"] for entry in entries]
    moments = [kinds.index(kind) for kind in ("order", "written", "asked", "validated", "withdrawn", "issued")]
    assert moments == sorted(moments)
    assert all("value" not in entry for entry in entries)

    told = program("--json", "status", "two").succeeded().result
    assert (told["certificates"][0]["status"], told["needs_person"], told["left"]) == ("ok", False, [])
    (shown,) = program("--json", "show", "two").succeeded().result["certificates"]
    assert shown["serial"] == told["certificates"][0]["serial"]
    assert shown["account"] == "default" and shown["records"] == [] and shown["failures"] is None


def test_a_monitor_and_a_person_hear_of_it(lab: Lab, configure: Callable[..., Path], tmp_path: Path) -> None:
    """A deployment fails: once told, in the metrics until it is done, and told again when it is."""
    metrics, mail, broken = tmp_path / "dnsbroker.prom", tmp_path / "mail", tmp_path / "broken"
    broken.touch()
    overrides = {
        "metrics": str(metrics),
        "alert_hooks": [f'{{ echo "$DNSBROKER_SUMMARY"; cat; }} >> {mail}'],
        "certificates": {"two": {"deploy_hooks": [f"! test -e {broken}"]}},
    }
    program = Program(configure({"two": ["two.example.test"]}, overrides))

    def told() -> str:
        return "\n".join(line for line in metrics.read_text().splitlines() if not line.startswith("#"))

    program("renew").failed(7)
    assert 'dnsbroker_certificate_not_after_seconds{certificate="two"} ' in told()
    assert 'dnsbroker_deploy_pending{certificate="two"} 1\n' in told()
    assert told().endswith("dnsbroker_last_run_status 7")
    first = mail.read_text()
    assert first.startswith("two: not deployed\n") and "dnsbroker renew ended with status 7" in first
    program("renew").failed(7)
    assert mail.read_text() == first
    assert "two: not deployed, needs a person" in program("-q", "status").failed(4).stdout
    broken.unlink()
    program("renew").succeeded()
    assert 'dnsbroker_deploy_pending{certificate="two"} 0\n' in told()
    assert mail.read_text().removeprefix(first).startswith("two: all is well again\n")
    assert program("-q", "status").succeeded().stdout == ""
