"""dehydrated when something goes wrong: it ends soon, says why, and DNS is clean, if not now then next time."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dehydrated_host import Dehydrated
from lab.configuration import Table
from lab.misbehaving import Behaviour
from lab.processes import look_until
from lab.rig import Lab
from program import Program
from underway import open_leases

#: For waits that are bound to fail: no longer than it takes.
SHORT: Table = {"propagation": {"timeout": "3s"}}
NAME = "_acme-challenge.example.test"
#: Seconds for which a value stands that nobody takes back.
HOUR = 3600
Hosts = Callable[..., Dehydrated]


@pytest.fixture(scope="module")
def account(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Dehydrated:
    """A directory with an account at the lab's CA, for the others to take."""
    running_lab.clean()
    home = tmp_path_factory.mktemp("account") / "dehydrated"
    return Dehydrated(home, running_lab.pebble, Path("unused.toml")).registered()


@pytest.fixture
def dehydrated(lab: Lab, account: Dehydrated, configure: Callable[..., Path], tmp_path: Path) -> Hosts:
    """A dehydrated for these lines: ``dehydrated(*lines, chained=True, overrides=None)``."""

    def made(*lines: str, chained: bool = True, overrides: Table | None = None) -> Dehydrated:
        settings = [f"HOOK_CHAIN={'yes' if chained else 'no'}"]
        return account.another(tmp_path / "dehydrated", configure(None, overrides), *lines, settings=settings)

    return made


def assert_clean(lab: Lab, state: Path, *names: str) -> None:
    """Nothing stands at any server, nothing is open."""
    assert open_leases(state) == []
    for name in names:
        look_until(lambda name=name: not lab.leftovers(name), f"nothing at {name}")  # type: ignore[misc]


def test_a_secondary_that_never_follows_ends_an_unchained_run(lab: Lab, dehydrated: Hosts, tmp_path: Path) -> None:
    """In bounded time, with the server named on stderr; DNS is clean, although dehydrated itself cleans nothing."""
    host = dehydrated("flaky.test *.flaky.test", chained=False, overrides=SHORT)
    lab.misbehaving.behave(Behaviour(stale=True))
    ran = host().failed(1)
    assert "ns.flaky.test (127.0.0.31) is stale" in ran.stderr
    assert [call.name for call in host.calls if "challenge" in call.name] == ["deploy_challenge"]
    assert host.called("deploy_challenge")[0].status == 3
    assert lab.values("powerdns", "_acme-challenge.flaky.test") == frozenset()
    lab.misbehaving.behave()
    assert_clean(lab, tmp_path / "state", "_acme-challenge.flaky.test")


def test_a_second_call_that_fails_takes_the_first_one_s_value_along(
    lab: Lab, dehydrated: Hosts, tmp_path: Path
) -> None:
    """The first value stood on every server by then; the second one has no time to get there."""
    host = dehydrated("example.test *.example.test", chained=False)
    hurried: Table = {"propagation": {"timeout": "1ms"}}
    (tmp_path / "hurried.toml").write_text(lab.config(tmp_path / "state", overrides=hurried))
    second = f"[ ! -e $BASEDIR/one ] || DNSBROKER_CONFIG={tmp_path}/hurried.toml; touch $BASEDIR/one"
    host.interfere({"deploy_challenge": second})
    ran = host().failed(1)
    assert [call.status for call in host.called("deploy_challenge")] == [0, 3]
    assert NAME in ran.stderr
    assert host.called("clean_challenge") == []
    assert_clean(lab, tmp_path / "state", NAME)


# -- killed --


@contextlib.contextmanager
def killed_while_waiting(lab: Lab, host: Dehydrated, state: Path) -> Iterator[None]:
    """A run that is killed, with its hook, when its values stand at the primary and a secondary is waited for."""
    lab.freeze("nsd")
    process = subprocess.Popen(
        host.command("--cron"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        look_until(lambda: [kind for kind, _ in open_leases(state)] == ["present"] * 2, "both values are written")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    lab.thaw("nsd")
    assert len(lab.values("powerdns", NAME)) == 2
    assert (host.home / "lock").exists()
    host.forget()
    yield


def test_the_next_run_sweeps_what_a_killed_one_left(lab: Lab, dehydrated: Hosts, tmp_path: Path) -> None:
    """Before anything else, though it has nothing to order any more."""
    host = dehydrated("example.test *.example.test")
    with killed_while_waiting(lab, host, tmp_path / "state"):
        (host.home / "domains.txt").write_text("")
        assert host().succeeded().stderr == ""
    assert [call.name for call in host.calls] == ["startup_hook", "exit_hook"]
    assert_clean(lab, tmp_path / "state", NAME)


def test_gc_sweeps_what_a_killed_run_left(
    lab: Lab, dehydrated: Hosts, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """At once: the process that would have asked the CA is seen to be gone."""
    host, program = dehydrated("example.test *.example.test"), Program(tmp_path / "dnsbroker.toml")
    with killed_while_waiting(lab, host, program.state):
        program("gc").succeeded()
    assert_clean(lab, program.state, NAME)


# -- the way to the CA --


def test_an_error_shortens_what_stands_and_the_next_run_sweeps_it(lab: Lab, dehydrated: Hosts, tmp_path: Path) -> None:
    """Dehydrated dies at the first answer to a challenge: no clean_challenge, an exit_hook that is not the end."""
    host = dehydrated("example.test *.example.test")
    host.break_curl("*/chalZ/*")
    host().failed(1)
    assert [call.name for call in host.calls][-2:] == ["deploy_challenge", "exit_hook"]
    assert host.calls[-1].words[1].startswith("Problem connecting to server")
    assert len(lab.values("powerdns", NAME)) == 2
    assert longest_life(tmp_path / "state") < HOUR / 2
    (host.home / "domains.txt").write_text("")
    host().succeeded()
    assert_clean(lab, tmp_path / "state", NAME)


def longest_life(state: Path) -> float:
    """Seconds from when an open lease was taken to when it expires, of the one that has most; left alone, an hour."""
    database = sqlite3.connect(state / "state.db", timeout=10)
    with contextlib.closing(database):
        ((longest,),) = database.execute("SELECT max(expires - created) FROM lease WHERE state <> 'closed'").fetchall()
    return float(longest)


def test_a_run_that_keeps_going_is_swept_at_its_end(lab: Lab, dehydrated: Hosts, tmp_path: Path) -> None:
    """With --keep-going a certificate's error is told to no hook: what stands goes when the whole run is over."""
    host = dehydrated("example.test *.example.test")
    host.break_curl("*/chalZ/*")
    host("--cron", "--keep-going").failed(1)
    assert [call.words for call in host.calls if "challenge" in call.name or "exit" in call.name][1:] == [
        ("exit_hook",)
    ]
    assert_clean(lab, tmp_path / "state", NAME)
