"""What dead runs and expired promises left is withdrawn; what somebody alive answers for is not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.broker import Broker
from dnsbroker.config import Config, ProviderConfig
from dnsbroker.errors import BrokerError, ProviderUnavailable, StoreError
from dnsbroker.events import Emitter, Event
from dnsbroker.journal import Journal, Lease, Leases
from dnsbroker.journal import Run as RunLock
from dnsbroker.records import Change, Receipt, Record
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.sweeping import sweep, sweep_out
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.memory import MemorySettings

ZONE = "example.org."
NAME = f"_acme-challenge.{ZONE}"
TARGET = Target("corp", ZONE)


class Bench:
    """Runs over one state directory and one service in memory, one after another or at the same time."""

    def __init__(self, state_dir: Path) -> None:
        self.clock = FakeClock()
        self.service = MemoryService(ZONE)
        self.told: list[Event] = []
        self.config = replace(
            Config.from_dict({"state_dir": str(state_dir), "dns": {"resolvers": ["127.0.0.1"]}}),
            providers={"corp": ProviderConfig("corp", MemoryProvider, MemorySettings(self.service), "memory")},
        )

    def run(self, config: Config | None = None) -> Run:
        return Run(config or self.config, self.clock, Emitter(self.clock, self.told.append))

    def alone(self, story: Callable[[Run], Coroutine[Any, Any, Any]], config: Config | None = None) -> Any:
        """What ``story`` returns, played with a run of its own."""

        async def play() -> Any:
            async with self.run(config) as run:
                return await story(run)

        return asyncio.run(play())

    def leave(self, *values: str, expires: float | None = None) -> None:
        """Have a run write ``values`` and die over it: its lock is gone, its leases are not."""

        async def story(run: Run) -> None:
            await write(run, *values, expires=expires)

        self.alone(story)

    def standing(self) -> set[str]:
        rrset = self.service.rrset(ZONE, NAME, "TXT")
        return set(rrset.values) if rrset else set()

    def open(self) -> list[tuple[str, str]]:
        journal = Journal(self.config.state_dir)
        leases = Leases(journal, "looking", self.clock).open()
        journal.close()
        return [(lease.state, lease.record.value) for lease in leases]


async def write(run: Run, *values: str, expires: float | None = None) -> tuple[Lease, ...]:
    records = [Record(NAME, "TXT", value) for value in values]
    with run.writer.announce([TARGET]) as announcement:
        return await run.writer.add(TARGET, records, ttl=5, announcement=announcement, expires=expires)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_a_dead_run_left_is_withdrawn(bench: Bench) -> None:
    """Its values go, somebody else's stay, and the names are told."""
    bench.service.plant(ZONE, NAME, "TXT", 3600, ["foreign"])
    bench.leave("a", "b")
    assert bench.standing() == {"a", "b", "foreign"}
    assert bench.alone(sweep) == {}
    assert bench.standing() == {"foreign"}
    assert bench.open() == []
    assert [event["names"] for event in bench.told if event["event"] == "swept"] == [[NAME]]


def test_what_a_living_run_has_is_left_alone(bench: Bench) -> None:
    """The negative twin: its lock is held."""

    async def story(mine: Run) -> None:
        async with bench.run() as other:
            leases = await write(other, "a")
            assert await sweep(mine) == {}
            assert bench.standing() == {"a"}
            await other.writer.withdraw(leases)

    bench.alone(story)
    assert bench.standing() == set()


def test_a_value_that_a_dead_run_left_is_taken_over_by_who_wants_the_same(bench: Bench) -> None:
    """It is never gone meanwhile, goes with its new holder, and nothing is left to sweep."""
    bench.leave("same", "other")

    async def story(run: Run) -> None:
        leases = await write(run, "same")
        assert [lease.record.value for lease in run.leases.sweepable(run.runs.is_alive)] == ["other"]
        assert not run.writer.has_left(run.leases.by_id([1]))
        await sweep(run)
        assert bench.standing() == {"same"}
        await run.writer.withdraw(leases)
        assert bench.standing() == set()
        assert run.writer.has_left(await write(run, "same"))

    bench.alone(story)


def test_a_living_run_s_value_is_not_taken_over(bench: Bench) -> None:
    """The negative twin: it stays until both have let go."""

    async def story(run: Run) -> None:
        async with bench.run() as other:
            theirs = await write(other, "same")
            await run.writer.withdraw(await write(run, "same"))
            assert bench.standing() == {"same"}
            await other.writer.withdraw(theirs)

    bench.alone(story)
    assert bench.standing() == set()


def test_a_write_that_may_still_take_effect_is_not_taken_over(bench: Bench) -> None:
    """Its lease stays open until nothing can come of it any more."""

    async def killed(run: Run) -> None:
        run.leases.want("corp", ZONE, [Record(NAME, "TXT", "same")], ttl=5)
        taken = run.leases.take("corp", ZONE, is_alive=run.runs.is_alive)
        run.leases.sent(taken, bench.clock.now().timestamp() + 30)

    async def story(run: Run) -> None:
        await run.writer.withdraw(await write(run, "same"))
        await sweep_out(run)

    bench.alone(killed)
    bench.alone(story)
    assert (bench.standing(), bench.open()) == (set(), [])
    assert [event["seconds"] for event in bench.told if event["event"] == "waiting"] == [30.0]


def test_what_was_presented_goes_when_it_has_expired_and_not_before(bench: Bench) -> None:
    """The run that presented it is dead at once; that says nothing."""
    bench.leave("hook", expires=bench.clock.now().timestamp() + 60)
    bench.alone(sweep)
    assert bench.standing() == {"hook"}
    bench.clock.turn(61)
    bench.alone(sweep)
    assert bench.standing() == set()


def test_a_withdrawal_that_failed_is_tried_again_by_anyone(bench: Bench) -> None:
    """Also where the run that failed still lives: it has given up."""

    async def story(mine: Run) -> None:
        async with bench.run() as other:
            leases = await write(other, "a")
            bench.service.fail(ProviderUnavailable("gone", provider="corp"), times=4)
            assert len(await other.writer.withdraw(leases)) == 1
            assert await sweep(mine) == {}

    bench.alone(story)
    assert bench.standing() == set()
    assert bench.open() == []


def test_a_cleanup_that_was_killed_is_finished(bench: Bench) -> None:
    """Who withdraws answers for it: a value that expires later goes now, its withdrawer being dead."""
    bench.leave("hook", expires=bench.clock.now().timestamp() + 3600)

    async def killed(run: Run) -> None:
        run.leases.withdraw([lease.id for lease in run.leases.open()])

    bench.alone(killed)
    assert bench.standing() == {"hook"}
    bench.alone(sweep)
    assert bench.standing() == set()


def test_a_withdrawal_under_way_elsewhere_is_left_to_it(bench: Bench) -> None:
    """The negative twin: a living run that is withdrawing needs no help, nor is it called a dead one."""

    async def story(mine: Run) -> None:
        async with bench.run() as other:
            leases = await write(other, "a")
            other.leases.withdraw([lease.id for lease in leases])
            await sweep(mine)
            assert not any(event["event"] == "swept" for event in bench.told)
            await other.writer.withdraw(leases)

    bench.alone(story)


def test_what_cannot_be_withdrawn_is_returned_with_its_reason(bench: Bench) -> None:
    """And stays in the journal."""
    bench.leave("a")
    bench.service.fail(ProviderUnavailable("gone", provider="corp"), times=4)
    failed = bench.alone(sweep)
    assert [error.message for error in failed.values()] == ["provider corp: gone"]
    assert bench.open() == [("unwanted", "a")]


def test_a_provider_that_is_configured_no_more_is_told_and_nothing_is_forgotten(bench: Bench) -> None:
    """Its leases stay until it is there again for one run."""
    bench.leave("a")
    failed: dict[Lease, BrokerError] = bench.alone(sweep_out, replace(bench.config, providers={}))
    (error,) = failed.values()
    assert "'corp' is not configured" in error.message and "[providers.corp]" in error.hint
    assert bench.alone(sweep_out) == {}
    assert bench.standing() == set()


def test_a_write_that_was_cut_off_is_swept_until_it_cannot_come_any_more(bench: Bench) -> None:
    """The service may still do what a killed run asked for: the value appears after the first sweep, and goes too."""

    async def killed(run: Run) -> None:
        run.leases.want("corp", ZONE, [Record(NAME, "TXT", "late")], ttl=5)
        taken = run.leases.take("corp", ZONE, is_alive=run.runs.is_alive)
        run.leases.sent(taken, bench.clock.now().timestamp() + 30)

    bench.alone(killed)

    async def story(run: Run) -> None:
        assert await sweep(run) == {}
        bench.service.plant(ZONE, NAME, "TXT", 5, ["late"])
        assert await sweep_out(run) == {}

    bench.alone(story)
    assert bench.standing() == set()
    assert bench.open() == []
    assert [event["seconds"] for event in bench.told if event["event"] == "waiting"] == [30.0]


def test_a_value_that_is_wanted_again_outlives_the_suspicion(bench: Bench) -> None:
    """Presented, cut off and presented again: no later round takes the second one's value for the first one's."""

    async def killed(run: Run) -> None:
        run.leases.want("corp", ZONE, [Record(NAME, "TXT", "same")], ttl=5, expires=9e9)
        taken = run.leases.take("corp", ZONE, is_alive=run.runs.is_alive)
        run.leases.sent(taken, bench.clock.now().timestamp() + 30)
        await run.writer.withdraw(taken)

    async def again(run: Run) -> None:
        await write(run, "same", expires=9e9)
        await write(run, "other", expires=9e9)
        await sweep(run)

    bench.alone(killed)
    bench.alone(again)
    assert bench.standing() == {"same", "other"}


def test_a_wish_that_inherits_a_standing_value_takes_it_away(bench: Bench) -> None:
    """One holder leaves the value to another that was never sent: when that one goes, so does the value."""

    async def story(run: Run) -> None:
        first = await write(run, "same")
        second = run.leases.want("corp", ZONE, [Record(NAME, "TXT", "same")], ttl=5)
        await run.writer.withdraw(first)
        assert bench.standing() == {"same"}
        await run.writer.withdraw(second)

    bench.alone(story)
    assert bench.standing() == set()


def test_files_of_killed_runs_are_taken_away(bench: Bench) -> None:
    """And the one of a living run is not."""
    bench.alone(sweep)
    dead = bench.config.state_dir / "runs" / "dead"
    dead.touch()

    async def story(run: Run) -> None:
        with RunLock(bench.config.state_dir, bench.clock) as alive:
            await sweep(run)
            assert run.runs.is_alive(alive.id) and run.runs.is_alive(run.lock.id)

    bench.alone(story)
    assert list((bench.config.state_dir / "runs").iterdir()) == []


def test_where_the_journal_fails_the_values_leave_all_the_same(bench: Bench, tmp_path: Path) -> None:
    """A full disk under a run: its values are removed, a value that another holds is not, and a warning is given."""

    async def story(run: Run) -> None:
        leases = await write(run, "ours", "shared")
        await write(run, "shared", expires=9e9)
        broken(run.journal)
        assert await run.writer.withdraw(leases) == {}

    bench.alone(story)
    assert bench.standing() == {"shared"}
    (warning,) = [event for event in bench.told if event["event"] == "warning"]
    assert "journal cannot be written" in str(warning["message"])
    assert len(bench.open()) == 3
    bench.alone(sweep_out)
    assert bench.open() == [("present", "shared")]


def test_where_neither_journal_nor_service_can_be_had_it_is_told(bench: Bench) -> None:
    """The negative twin: what could not be removed is said to be left."""

    async def story(run: Run) -> dict[Lease, BrokerError]:
        leases = await write(run, "ours")
        broken(run.journal)
        bench.service.fail(ProviderUnavailable("gone", provider="corp"), times=3)
        return await run.writer.withdraw(leases)

    assert [error.message for error in bench.alone(story).values()] == ["provider corp: gone"]


def broken(journal: Journal) -> None:
    """Let nothing be written to the journal any more, as on a full disk; it can be read."""
    journal.rows("PRAGMA query_only = ON")
    with pytest.raises(StoreError), journal.transaction() as database:
        database.execute("DELETE FROM lease")


def test_a_cancelled_run_does_not_wait_for_a_service_that_hangs_over_a_dead_runs_record(bench: Bench) -> None:
    """What the dead run left stays in the journal for the next one."""
    bench.leave("a")
    asked, answered = asyncio.Event(), asyncio.Event()

    class Hanging(MemoryProvider):
        async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
            asked.set()
            await answered.wait()
            return await super().apply(zone, changes)

    async def play(config: Config) -> bool:
        async with Broker(config) as broker:
            running = asyncio.ensure_future(broker.renew_all())
            await asked.wait()
            running.cancel()
            ended, _ = await asyncio.wait({running}, timeout=2)
            answered.set()
            await asyncio.wait({running})
            return bool(ended)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        config = Config.from_dict(
            {
                "state_dir": str(bench.config.state_dir),
                "dns": {"resolvers": [f"127.0.0.1:{silent.getsockname()[1]}"]},
                "acme": {"directory": "https://localhost:1/dir", "agree_tos": True},
                "certificates": {"example.org": {}},
            }
        )
        providers = {"corp": ProviderConfig("corp", Hanging, MemorySettings(bench.service), "memory")}
        assert asyncio.run(play(replace(config, providers=providers)))
