"""Several runs of one client at one place at the same time: each ends for itself, and sweeps after the dead alone."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.hooking.calls import Ended, Present, Started, Stumbled
from dnsbroker.journal.clients import pid_namespace
from hooks_bench import ZONE, Host, cleanup, heeded, host, spaced

HERE = pid_namespace()
PLACE = f"dehydrated /etc/dehydrated {HERE}"
NAMES = f"certbot example.test {HERE}"
HOUR = 3600


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
    bench.call(heeded("a", session=f"{PLACE} {alive} 0"))
    mine = f"{PLACE} {dead} 0"
    for call in (Started(mine), heeded("b", session=mine), Ended(mine)):
        assert not bench.call(call).failures
    assert bench.standing() == {"a"}


def test_a_start_sweeps_after_a_run_whose_processes_are_gone(bench: Host, dead: int) -> None:
    """The twin: with the same place alone, and not with one whose name only begins like it."""
    for number, place in enumerate(
        (PLACE, f"dehydrated /etc/dehydrated-2 {HERE}", f"dehydrated /etc/dehydrated 2 {HERE}")
    ):
        bench.call(heeded(f"v{number}", session=f"{place} {dead} 0"))
    assert not bench.call(Started(f"{PLACE} {dead + 1} 0")).failures
    assert bench.standing() == {"v1", "v2"}


def first(value: str, following: int, session: str) -> Present:
    """The first call of certbot's for these names."""
    return replace(spaced(value, following, session=session), is_first=True)


def test_what_a_killed_certbot_had_parked_is_never_written(bench: Host, dead: int) -> None:
    """The next run for the same names writes its own values; the time of the others need not be over."""
    bench.call(first("dead", 1, f"{NAMES} 0 {dead}"))
    mine = f"{NAMES} 0 {dead + 1}"
    for call in (first("a", 1, mine), spaced("b", session=mine)):
        assert not bench.call(call).failures
    assert bench.standing() == {"a", "b"}


def test_what_a_certbot_beside_it_has_parked_it_writes_itself(bench: Host, alive: int, dead: int) -> None:
    """The negative twin: it lives, and has the same names; both have their values and clean up for themselves."""
    theirs, mine = f"{NAMES} 0 {alive}", f"{NAMES} 0 {dead}"
    bench.call(first("a", 1, theirs))
    for call in (first("c", 1, mine), spaced("d", session=mine)):
        bench.call(call)
    assert bench.standing() == {"c", "d"}
    bench.call(spaced("b", session=theirs))
    assert bench.standing() == {"a", "b", "c", "d"}
    for value in ("c", "d"):
        assert not bench.call(cleanup(value, session=mine)).failures
    assert bench.standing() == {"a", "b"}


def test_a_certbot_that_begins_again_writes_nothing_of_before(bench: Host, alive: int) -> None:
    """It is one process; its first call tells that it counts anew."""
    session = f"{NAMES} 0 {alive}"
    for call in (first("before", 1, session), first("a", 1, session), spaced("b", session=session)):
        bench.call(call)
    assert bench.standing() == {"a", "b"}


def test_in_a_process_group_another_certbot_with_the_same_names_may_live(bench: Host, alive: int) -> None:
    """The negative twin: where the process is not seen, nothing is forgotten that may be another's."""
    session = f"{NAMES} {alive} 0"
    for call in (first("a", 1, session), first("b", 1, session), spaced("c", session=session)):
        bench.call(call)
    assert bench.standing() == {"a", "b", "c"}


def test_two_certbots_of_one_script_are_told_apart(bench: Host, alive: int) -> None:
    """They have the same names and the same process group; each writes what it has parked itself, and no more."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        ours, theirs = f"{NAMES} 0 {alive}", f"{NAMES} 0 {other.pid}"
        for call in (first("a", 1, ours), first("b", 1, theirs), spaced("c", session=ours)):
            bench.call(call)
        assert bench.standing() == {"a", "c"}
        bench.call(spaced("d", session=theirs))
        assert bench.standing() == {"a", "b", "c", "d"}


def test_where_processes_cannot_be_told_nothing_that_is_parked_is_forgotten(bench: Host) -> None:
    """The negative twin: another one with the same names may live."""
    for call in (first("a", 1, NAMES), first("b", 1, NAMES), spaced("c", session=NAMES)):
        bench.call(call)
    assert bench.standing() == {"a", "b", "c"}


def test_calls_with_a_process_group_each_belong_together(bench: Host, dead: int) -> None:
    """Programs like sudo and timeout make one for what they start, and it is gone with the call."""
    for number, value in enumerate("abc"):
        session = f"{NAMES} {dead + number} 0"
        bench.call(first(value, 2, session) if number == 0 else spaced(value, 2 - number, session=session))
    assert bench.standing() == {"a", "b", "c"}


def test_what_a_killed_certbot_has_in_dns_goes_with_the_next_one_s_values(bench: Host, alive: int, dead: int) -> None:
    """At its cleanup, or by gc; what one that lives has stays, whatever it is for."""
    for value, session in (("dead", f"{NAMES} 0 {dead}"), ("beside", f"{NAMES} 0 {alive}")):
        bench.call(first(value, 0, session))
    bench.call(first("mine", 0, f"{NAMES} 0 {dead + 1}"))
    assert bench.standing() == {"dead", "beside", "mine"}
    assert not bench.call(cleanup("mine", session=f"{NAMES} 0 {dead + 1}")).failures
    assert bench.standing() == {"beside"}


def test_gc_takes_out_what_a_killed_client_left(bench: Host, alive: int, dead: int) -> None:
    """At once, where its process was seen; not what one has that lives, nor what may have been one call's group."""
    for number, numbers in enumerate((f"0 {dead}", f"0 {alive}", f"{dead} 0")):
        bench.call(heeded(f"v{number}", session=f"{PLACE} {numbers}"))
    bench.call(heeded("elsewhere", session=f"dehydrated /etc/dehydrated {HERE + 1} 0 {dead}"))
    assert bench.collect() == 1
    assert bench.standing() == {"v1", "v2", "elsewhere"}


def test_what_is_waited_for_does_not_expire(bench: Host) -> None:
    """However long that takes, and whatever a second dehydrated meets that finds the lock taken."""
    bench.clock.is_patient, bench.service.stuck, bench.timeout = True, {ZONE}, 2 * HOUR

    async def story() -> None:
        task = asyncio.ensure_future(bench.called(heeded("a", session=PLACE)))
        while not bench.service.seen:
            await SystemClock().sleep(0.01)
        await bench.called(Stumbled(PLACE))
        bench.clock.turn(HOUR + 1)
        await bench.called(Started(f"{PLACE} elsewhere"))
        assert bench.standing() == {"a"}
        bench.service.follow(ZONE)
        assert not (await task).failures

    asyncio.run(story())
    bench.clock.turn(HOUR - 60)
    assert (bench.collect(), bench.standing()) == (0, {"a"})
    bench.clock.turn(61)
    assert (bench.collect(), bench.standing()) == (1, set())


def test_a_clock_that_was_ahead_leaves_nothing_for_longer(bench: Host) -> None:
    """Nor does one that is right take anything before its time."""
    year = 365 * 24 * HOUR
    bench.clock.turn(year)
    bench.call(heeded("ahead"), wait=False)
    bench.clock.turn(-year)
    assert (bench.collect(), bench.standing()) == (0, {"ahead"})
    bench.clock.turn(HOUR + 1)
    assert (bench.collect(), bench.standing()) == (1, set())
