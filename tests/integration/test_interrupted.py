"""Whenever Ctrl-C or SIGTERM comes, the run is over in two seconds; DNS and journal hold nothing of it."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.processes import look_until
from lab.rig import Lab
from lab.topology import RESOLVER
from underway import Underway, at, open_leases

#: What a run may take to end after the signal, in seconds: two, and as much again on a machine that is busy. What waits
#: for a server that does not answer takes five at least.
SOON = 4.0
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
#: The events of a run in their order; at the first of each the signal is sent.
MOMENTS = ("place", "key", "order", "written", "server", "propagated", "asked", "validated", "withdrawn")

#: One for each moment, so that none has to outlast what the CA may have kept of the one before. BIND tells its
#: secondary of a second change five seconds late, so it takes part where nobody waits for that.
CERTIFICATES = {
    moment: [f"{moment}.example.test", f"*.{moment}.example.test", f"{moment}.flaky.test"]
    + ([f"{moment}.bind.test"] if moment in MOMENTS[:5] else [])
    for moment in (*MOMENTS, "one")
}
ONE = "_acme-challenge.one.example.test"


def assert_clean(lab: Lab, state: Path, *names: str) -> None:
    """Nothing stands at any primary, nothing is open, nobody counts as alive."""
    for name in (f"_acme-challenge.{name}" for name in names if not name.startswith("*")):
        assert lab.values(lab.domain_of(name).primary, name) == frozenset(), name
    assert open_leases(state) == []
    assert list((state / "runs").iterdir()) == []


def assert_followed(lab: Lab, names: Iterable[str]) -> None:
    """What is gone at the primaries goes everywhere."""
    for name in (f"_acme-challenge.{name}" for name in names if not name.startswith("*")):
        look_until(lambda name=name: not lab.leftovers(name), f"nothing at {name}")  # type: ignore[misc]


def test_a_signal_at_each_event_of_a_run_leaves_nothing(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """Before the order, at the write, waiting, asked, validated, finalizing: the same clean end."""
    configuration = configure(CERTIFICATES)
    for moment, number in zip(MOMENTS, itertools.cycle(STATUS)):
        with Underway(configuration, "issue", moment, halting=at(moment).line) as run:
            run.await_halt()
            status, seconds = run.stop(number)
        assert (status, seconds < SOON) == (STATUS[number], True), (moment, status, seconds, run.events)
        assert_clean(lab, tmp_path / "state", *CERTIFICATES[moment])
    assert_followed(lab, (name for names in CERTIFICATES.values() for name in names))
    with Underway(configuration, "issue", "one") as run:
        assert run.end() == 0, run.events


def test_a_signal_at_any_time_leaves_nothing(lab: Lab, configure: Callable[..., Path], tmp_path: Path) -> None:
    """Not only at events: every tenth of a second on the way, however far the run has come by then."""
    configuration = configure(CERTIFICATES)
    pause = time.monotonic
    for tenth in range(2, 16, 2):
        number = signal.SIGINT if tenth % 4 else signal.SIGTERM
        with Underway(configuration, "issue", "one", "--force") as run:
            moment = pause() + tenth / 10
            look_until(lambda moment=moment: pause() >= moment, "the moment", 5, 0.005)  # type: ignore[misc]
            status, seconds = run.stop(number)
        assert status in (STATUS[number], 0) and seconds < SOON, (tenth, status, seconds, run.events)
        if (tmp_path / "state").exists():
            assert_clean(lab, tmp_path / "state", *CERTIFICATES["one"])
    assert_followed(lab, CERTIFICATES["one"])


def test_a_signal_while_a_server_is_waited_for_leaves_nothing(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """A silent secondary holds the run up, and not its end."""
    lab.freeze("nsd")
    with Underway(configure({"one": ["one.example.test"]}), "issue", "one") as run:
        run.await_event("server", seen=lambda event: event["verdict"] == "green")
        status, seconds = run.stop(signal.SIGINT)
    lab.thaw("nsd")
    assert status == 130 and seconds < SOON
    assert_clean(lab, tmp_path / "state", "one.example.test")


def test_a_signal_while_the_cache_of_the_ca_is_outlasted_leaves_nothing(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """Holding is a wait like any other."""
    configuration = configure({"one": ["one.example.test"]}, {"providers": {"powerdns": {"ttl": "30s"}}})
    with Underway(configuration, "issue", "one") as run:
        assert run.end() == 0, run.events
    with Underway(configuration, "issue", "one", "--force") as run:
        run.await_event("held")
        status, seconds = run.stop(signal.SIGTERM)
    assert status == 143 and seconds < SOON
    assert_clean(lab, tmp_path / "state", "one.example.test")


def test_a_signal_while_the_ca_is_silent_leaves_nothing(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """A CA that does not answer keeps nobody from leaving: the authorization is given up only if it can be."""
    lab.freeze("nsd")
    with Underway(configure({"one": ["one.example.test"]}), "issue", "one") as run:
        run.await_event("written")
        lab.freeze("pebble")
        lab.thaw("nsd")
        run.await_event("asked")
        status, seconds = run.stop(signal.SIGINT)
    lab.thaw("pebble")
    assert status == 130 and seconds < SOON
    assert_clean(lab, tmp_path / "state", "one.example.test")


@pytest.mark.parametrize("name", ["one.example.test", "one.bind.test"])
def test_an_interrupted_present_takes_its_value_back(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    """What was asked for did not come about, and nobody will clean it up."""
    secondary = "nsd" if "example" in name else "knot"
    lab.freeze(secondary)
    with Underway(configure(), "txt", "present", f"_acme-challenge.{name}", "interrupted") as run:
        run.await_event("written")
        status, seconds = run.stop(signal.SIGINT)
    lab.thaw(secondary)
    assert status == 130 and seconds < SOON
    assert_clean(lab, tmp_path / "state", name)


def test_a_provider_that_hangs_is_left_to_gc(lab: Lab, configure: Callable[..., Path], tmp_path: Path) -> None:
    """Five seconds are given to the clean-up; then the run ends, its lease open, and gc does the rest.

    The frozen service may still do what it was asked, so that gc keeps the lease open until it cannot any more.
    """
    configuration = configure({"one": ["one.example.test"]})
    with Underway(configuration, "issue", "one", halting='"order"') as run:
        run.await_halt()
        lab.freeze("powerdns")
        run.send(signal.SIGCONT)
        look_until(lambda: bool(open_leases(tmp_path / "state")), "a lease")
        status, seconds = run.stop(signal.SIGINT)
    assert status == 130 and 4 < seconds < 20, (status, seconds)
    assert [event["name"] for event in run.events if event["event"] == "left"] == [f"{ONE}."]
    assert open_leases(tmp_path / "state")
    lab.thaw("powerdns")
    with Underway(configuration, "gc") as gc:  # which looks again when nothing can come any more; we need not wait
        gc.await_event("waiting")
        assert lab.values("powerdns", ONE) == frozenset()
        assert gc.stop(signal.SIGTERM)[0] == 143
    assert open_leases(tmp_path / "state")


def test_a_second_signal_leaves_the_rest_to_gc(lab: Lab, configure: Callable[..., Path], tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice wants to go now; what stands is in the journal."""
    configuration = configure({"one": ["one.example.test"]})
    lab.freeze("nsd")
    with Underway(configuration, "issue", "one") as run:
        run.await_event("written")
        lab.freeze("powerdns")
        run.send(signal.SIGINT)
        look_until(lambda: any(state == "unwanted" for state, _ in open_leases(tmp_path / "state")), "a withdrawal")
        status, seconds = run.stop(signal.SIGINT)
    lab.thaw("powerdns")
    lab.thaw("nsd")
    assert status == 130 and seconds < SOON
    assert len(open_leases(tmp_path / "state")) == 1
    with Underway(configuration, "gc") as gc:
        assert gc.end() == 0, gc.events
    assert_clean(lab, tmp_path / "state", "one.example.test")


def test_a_signal_while_a_host_is_looked_for_ends_the_run(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """The system's own resolver cannot be cancelled: the process goes without it."""
    configuration = configure({"one": ["one.example.test"]}, {"acme": {"directory": "https://acme.flaky.test/dir"}})
    with Underway(configuration, "issue", "one", halting='"place"') as run:
        run.await_halt()
        lab.freeze("unbound")
        run.send(signal.SIGCONT)
        look_until(lambda: is_asked(RESOLVER), "the question for the host")
        status, seconds = run.stop(signal.SIGINT)
    lab.thaw("unbound")
    assert status == 130 and seconds < SOON
    assert_clean(lab, tmp_path / "state", "one.example.test")


def test_a_second_signal_does_not_wait_for_a_hook_that_does_not_listen(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """The first one asks the hook to end and leaves it its time; the second one kills it with all that it started.

    What a hook before the order stopped is started again all the same.
    """
    pid, asked, log = tmp_path / "pid", tmp_path / "asked", tmp_path / "log"
    stubborn = f"trap 'touch {asked}' TERM; echo $$ > {pid}; while :; do sleep 61; done"
    hooks = {"deploy_hooks": [stubborn], "post_hooks": [f"echo post >> {log}"]}
    configuration = configure({"one": ["one.example.test"]}, {"certificates": {"one": hooks}})
    with Underway(configuration, "issue", "one") as run:
        look_until(lambda: pid.exists() and bool(pid.read_text()), "the hook", 20, 0.01)
        run.send(signal.SIGINT)
        look_until(asked.exists, "the hook that does not listen")
        assert is_session_there(int(pid.read_text()))
        status, seconds = run.stop(signal.SIGINT)
    assert status == 130 and seconds < SOON
    assert not is_session_there(int(pid.read_text()))
    assert log.read_text() == "post\n"
    assert_clean(lab, tmp_path / "state", "one.example.test")


def is_asked(ip: str) -> bool:
    """Whether a datagram waits for the name server there, as the kernel tells it."""
    there = f"{int.from_bytes(ip_address(ip).packed, sys.byteorder):08X}:0035"
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()]
    return any(fields[1] == there and not fields[4].endswith(":00000000") for fields in lines)


def is_session_there(leader: int) -> bool:
    """Whether any process of that session is left, zombies apart."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, _, _, session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                return True
    return False
