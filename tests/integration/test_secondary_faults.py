"""A secondary that is stale or ignored, a primary that is dead: verdict, the exit status, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.misbehaving import Behaviour
from lab.processes import look_until
from lab.rig import Lab
from program import Program, Ran
from underway import open_leases

NAME = "_acme-challenge.flaky.test"
CERTIFICATES = {"one": ["flaky.test", "*.flaky.test"]}
#: For waits that are bound to fail: no longer than it takes.
SHORT = {"propagation": {"timeout": "3s"}}
Programs = Callable[..., Program]


def assert_nothing_left(lab: Lab, name: str, state: Path) -> None:
    """Gone at the primary, and at every server once it behaves; no lease open."""
    assert lab.values(lab.domain_of(name).primary, name) == frozenset()
    assert open_leases(state) == []
    lab.misbehaving.behave()
    look_until(lambda: not lab.leftovers(name), f"nothing at {name}")


def verdicts(ran: Ran, address: str) -> list[str]:
    """What was told of an address, in order."""
    return [event["verdict"] for event in ran.named("server") if event["address"] == address]


def test_a_stale_secondary_is_never_tolerated(lab: Lab, program: Programs, tmp_path: Path) -> None:
    """It answers, with the old zone: status 3, the table with its serial, a hint that computes the cure."""
    lab.misbehaving.behave(Behaviour(stale=True))
    run = program(CERTIFICATES, SHORT)
    ran = run("issue", "one").failed(3)
    message, hint = ran.error
    serial = lab.serial("misbehaving", "flaky.test")
    assert f"ns.flaky.test (127.0.0.31) is stale: has no TXT of ours, at serial {serial}, needs" in message
    assert "127.0.0.12" not in message, "only who disagrees is named"
    assert "refreshes every" in hint and "--ignore ns.flaky.test" in hint and "NOTIFY" in hint
    assert not run.live("one").exists()
    assert_nothing_left(lab, NAME, tmp_path / "state")


@pytest.mark.parametrize("ignored", ["ns.flaky.test", "127.0.0.31"])
def test_a_server_is_ignored_by_name_or_by_address(lab: Lab, program: Programs, tmp_path: Path, ignored: str) -> None:
    """The others agree, and that is enough; who was ignored is said."""
    lab.misbehaving.behave(Behaviour(stale=True))
    run = program(overrides=SHORT)
    run("txt", "present", NAME, "ours", "--no-wait").succeeded()
    ran = run("wait", NAME, "--value", "ours", "--ignore", ignored).succeeded()
    assert "127.0.0.12" in ran.stdout and "127.0.0.31" not in ran.stdout
    assert "ns.flaky.test (127.0.0.31) is ignored" in ran.stderr
    run("txt", "cleanup", NAME, "ours").succeeded()
    assert_nothing_left(lab, NAME, tmp_path / "state")


def test_ignoring_a_dead_server_gets_the_certificate(lab: Lab, program: Programs, tmp_path: Path) -> None:
    """The whole run, at once: nobody waits for the ten seconds that silence otherwise takes."""
    lab.misbehaving.behave(Behaviour(silent=True))
    run = program(CERTIFICATES, {"propagation": {"timeout": "9s"}})
    ran = run("--json", "issue", "one", "--ignore", "ns.flaky.test").succeeded()
    assert any("ignored" in event["message"] for event in ran.named("warning"))
    assert run.live("one").exists()
    assert_nothing_left(lab, NAME, tmp_path / "state")


def test_a_dead_primary_is_the_providers_failure(lab: Lab, program: Programs, tmp_path: Path) -> None:
    """Nothing can be written, which is not a matter of propagation: status 1, and the service is named."""
    lab.stop("powerdns")
    run = program({"one": ["www.example.test"]}, SHORT)
    message, _ = run("issue", "one").failed(1).error
    assert "powerdns" in message
    lab.start("powerdns")
    assert open_leases(tmp_path / "state") == []
