"""The writer sends all that is pending for a zone in one write, and loses nothing to failure or cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from dnsbroker.adapter import Adapter
from dnsbroker.clock import SystemClock
from dnsbroker.errors import (
    AuthRejected,
    BrokerError,
    ConfigError,
    Conflict,
    ProviderError,
    ProviderUnavailable,
    RecordRejected,
)
from dnsbroker.events import Emitter, Event
from dnsbroker.journal import Journal, Lease, Leases, Runs, State
from dnsbroker.records import Add, Change, Receipt, Record, RecordType, RRset
from dnsbroker.routing import Target
from dnsbroker.testing import MemoryProvider, MemoryService, surroundings
from dnsbroker.testing.memory import MemorySettings
from dnsbroker.writer import Writer

ZONE = "example.org."
TARGET = Target("corp", ZONE)


def record(value: str, host: str = "www") -> Record:
    return Record(f"_acme-challenge.{host}.{ZONE}", "TXT", value)


class Bench:
    """A writer over a service in memory; ``told`` are its events."""

    def __init__(self, state_dir: Path, service: MemoryService | None = None, run: str = "run") -> None:
        self.service = service or MemoryService(ZONE)
        self.adapter: Adapter = MemoryProvider(MemorySettings(self.service), surroundings("corp"))
        self.told: list[Event] = []
        clock = self.clock = SystemClock()
        self.leases = Leases(Journal(state_dir), run, clock)
        emit = Emitter(clock, self.told.append)
        self.writer = Writer(self.leases, Runs(state_dir), state_dir, self.find, clock, emit, timeout=5.0)

    def find(self, provider: str) -> Adapter:
        return self.adapter

    async def add(self, *records: Record, expires: float | None = None) -> tuple[Lease, ...]:
        with self.writer.announce([TARGET]) as announcement:
            return await self.writer.add(TARGET, records, ttl=5, announcement=announcement, expires=expires)

    def standing(self, host: str = "www") -> set[str]:
        rrset = self.service.rrset(ZONE, record("", host).name, "TXT")
        return set(rrset.values) if rrset else set()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_apex_and_wildcard_travel_in_one_write(bench: Bench) -> None:
    """Two values at one name are one write, and one receipt."""
    leases = asyncio.run(bench.add(record("a"), record("b")))
    assert bench.standing() == {"a", "b"}
    assert len(bench.service.seen) == 1
    assert {lease.serial for lease in leases} == {bench.service.serial(ZONE)}


def test_tasks_that_announced_share_one_write(bench: Bench) -> None:
    """A task that comes later, but had announced itself, is waited for."""

    async def story() -> None:
        early, late = bench.writer.announce([TARGET]), bench.writer.announce([TARGET])
        first = asyncio.ensure_future(bench.writer.add(TARGET, [record("a")], ttl=5, announcement=early))
        for _ in range(5):
            await asyncio.wait({first}, timeout=0.01)
        assert bench.service.seen == []
        await bench.writer.add(TARGET, [record("b", "mail")], ttl=5, announcement=late)
        await first

    asyncio.run(story())
    assert len(bench.service.seen) == 1


def test_a_task_that_gives_up_holds_nobody(bench: Bench) -> None:
    """An announcement that is settled without changes lets the others go."""

    async def story() -> None:
        early, never = bench.writer.announce([TARGET]), bench.writer.announce([TARGET])
        first = asyncio.ensure_future(bench.writer.add(TARGET, [record("a")], ttl=5, announcement=early))
        await asyncio.wait({first}, timeout=0.01)
        never.settle()
        await asyncio.wait_for(first, 60)

    asyncio.run(story())
    assert bench.standing() == {"a"}


def test_withdrawing_leaves_foreign_values(bench: Bench) -> None:
    """Only our own value goes."""
    bench.service.plant(ZONE, record("").name, "TXT", 3600, ["foreign"])

    async def story() -> Mapping[Lease, BrokerError]:
        return await bench.writer.withdraw(await bench.add(record("a")))

    assert asyncio.run(story()) == {}
    assert bench.standing() == {"foreign"}
    assert bench.leases.open() == ()


def test_a_transient_failure_is_tried_again(bench: Bench) -> None:
    """A lost reply costs a second look, not the certificate."""
    bench.service.fail(ProviderUnavailable("no answer", provider="corp"), after=True)
    leases = asyncio.run(bench.add(record("a")))
    assert leases[0].state is State.PRESENT
    assert bench.standing() == {"a"}


class Picky(MemoryProvider):
    """Refuses whatever is written at ``bad``."""

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        if any(isinstance(change, Add) and ".bad." in change.record.name for change in changes):
            raise RecordRejected("not here", provider="corp", zone=zone)
        return await super().apply(zone, changes)


def test_a_refused_name_fails_alone(bench: Bench) -> None:
    """Two certificates in one write: the one that is refused does not take the other along."""
    bench.adapter = Picky(MemorySettings(bench.service), surroundings("corp"))

    async def story() -> list[object]:
        with bench.writer.announce([TARGET]) as one, bench.writer.announce([TARGET]) as two:
            good = bench.writer.add(TARGET, [record("a")], ttl=5, announcement=one)
            bad = bench.writer.add(TARGET, [record("b", "bad")], ttl=5, announcement=two)
            return list(await asyncio.gather(good, bad, return_exceptions=True))

    good, bad = asyncio.run(story())
    assert isinstance(bad, RecordRejected)
    assert isinstance(good, tuple)
    assert bench.standing() == {"a"}


def test_a_failed_withdrawal_is_told_and_stays_open(bench: Bench) -> None:
    """What could not be taken back is still in the journal, for the next run."""

    async def story() -> Mapping[Lease, BrokerError]:
        leases = await bench.add(record("a"))
        bench.service.fail(RecordRejected("read only", provider="corp"), times=2)
        return await bench.writer.withdraw(leases)

    failed = asyncio.run(story())
    assert [error.message for error in failed.values()] == ["provider corp: read only"]
    assert [lease.state for lease in bench.leases.open()] == [State.UNWANTED]


def test_a_refusal_closes_the_lease_at_once(bench: Bench) -> None:
    """The service says that nothing was done: nobody waits, and nothing is to be cleaned up."""
    bench.service.fail(RecordRejected("no", provider="corp"))
    with pytest.raises(RecordRejected):
        asyncio.run(bench.add(record("a")))
    assert bench.leases.open() == ()


@pytest.mark.parametrize("error", [RecordRejected, AuthRejected, Conflict])
def test_any_error_after_the_fact_leaves_the_lease_open(bench: Bench, error: type[ProviderError]) -> None:
    """The twin: whatever its class, without the adapter's word the value may stand, as it does here."""
    bench.service.fail(error("no", provider="corp"), after=True)

    async def story() -> None:
        with pytest.raises(error):
            await bench.add(record("a"))
        (lease,) = bench.leases.open()
        assert (lease.state, bench.standing()) == (State.UNWANTED, {"a"})
        assert await bench.writer.withdraw([lease]) == {}

    asyncio.run(story())
    assert bench.standing() == set()


class Doubtful(MemoryProvider):
    """Fails with what it was given once it has written, and refuses whatever comes later."""

    wrote = False

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        error = RecordRejected("not here", provider="corp", zone=zone)
        error.nothing_done = self.wrote
        if not self.wrote:
            await super().apply(zone, changes)
        self.wrote = True
        raise error


def test_what_a_first_attempt_may_have_done_is_not_forgotten_over_the_second(bench: Bench) -> None:
    """All together left something, each name by itself was refused: all of it stays in the journal."""
    bench.adapter = Doubtful(MemorySettings(bench.service), surroundings("corp"))
    with pytest.raises(RecordRejected):
        asyncio.run(bench.add(record("a"), record("b", "mail")))
    assert (bench.standing(), bench.standing("mail")) == ({"a"}, {"b"})
    assert [lease.state for lease in bench.leases.open()] == [State.UNWANTED] * 2


class Watched(MemoryProvider):
    """Looks into the journal while it writes, and fails."""

    leases: Leases
    until: float | None = None

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        self.until = self.leases.open()[0].suspect_until
        raise AuthRejected("no", provider="corp", zone=zone)


def test_a_write_is_suspected_for_all_the_time_that_an_adapter_may_take(bench: Bench) -> None:
    """The last change goes out when one request's time is over; after an error nothing more goes out."""
    adapter = Watched(MemorySettings(bench.service), surroundings("corp"))
    adapter.leases, bench.adapter = bench.leases, adapter
    before = bench.clock.now().timestamp()
    with pytest.raises(AuthRejected):
        asyncio.run(bench.add(record("a")))
    after = bench.clock.now().timestamp()
    suspect_until = bench.leases.open()[0].suspect_until
    assert adapter.until is not None and suspect_until is not None
    assert before <= adapter.until - 2 * adapter.request_timeout <= after
    assert before <= suspect_until - adapter.request_timeout <= after


class Slow(MemoryProvider):
    """Takes its time over a write; ``begun`` is set when one is under way."""

    begun: asyncio.Event
    proceed: asyncio.Event

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        self.begun.set()
        await self.proceed.wait()
        return await super().apply(zone, changes)


def test_a_cancelled_task_leaves_nothing(bench: Bench) -> None:
    """Cancelled in the middle of its write: the write ends, and is undone."""
    slow = Slow(MemorySettings(bench.service), surroundings("corp"))
    bench.adapter = slow

    async def story() -> None:
        slow.begun, slow.proceed = asyncio.Event(), asyncio.Event()
        announcement = bench.writer.announce([TARGET])
        task = asyncio.ensure_future(bench.writer.add(TARGET, [record("a")], ttl=5, announcement=announcement))
        await slow.begun.wait()
        task.cancel()
        await asyncio.wait({task})
        slow.proceed.set()
        assert await bench.writer.withdraw(announcement.leases) == {}

    asyncio.run(story())
    assert bench.standing() == set()
    assert bench.leases.open() == ()


def test_two_runs_share_a_zone_without_loss(tmp_path: Path) -> None:
    """Two runs, one service: every value of both stands, and both withdraw their own alone."""
    service = MemoryService(ZONE)
    one, two = Bench(tmp_path, service, "one"), Bench(tmp_path, service, "two")

    async def story() -> None:
        mine, theirs = await asyncio.gather(one.add(record("a")), two.add(record("b")))
        assert one.standing() == {"a", "b"}
        await one.writer.withdraw(mine)
        assert one.standing() == {"b"}
        await two.writer.withdraw(theirs)

    asyncio.run(story())
    assert one.standing() == set()


def test_a_value_of_somebody_elses_is_used_and_left(bench: Bench) -> None:
    """``txt present`` of a value that stands already: there, and still there after the cleanup."""
    bench.service.plant(ZONE, record("").name, "TXT", 300, ["theirs"])

    async def story() -> None:
        await bench.writer.withdraw(await bench.add(record("theirs"), record("ours"), expires=9e9))

    asyncio.run(story())
    assert bench.standing() == {"theirs"}


def test_a_provider_that_is_gone_from_the_configuration_is_an_error(tmp_path: Path) -> None:
    """The error reaches whoever asked, and the lease stays."""
    bench = Bench(tmp_path)

    def find(provider: str) -> Adapter:
        raise ConfigError("not configured")

    bench.writer = Writer(
        bench.leases, Runs(tmp_path), tmp_path, find, SystemClock(), Emitter(SystemClock(), None), 5.0
    )
    with pytest.raises(ConfigError):
        asyncio.run(bench.add(record("a")))
    assert len(bench.leases.open()) == 1


class Crowded(MemoryProvider):
    """Counts how many read at once; each reads for as long as others come."""

    reading = most = 0

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        Crowded.reading += 1
        Crowded.most = max(Crowded.most, Crowded.reading)
        for _ in range(50):
            await SystemClock().sleep(0)
        Crowded.reading -= 1
        return await super().read(zone, name, type)


def test_what_stands_at_forty_names_is_read_a_few_at_once(bench: Bench) -> None:
    """One by one takes seconds where a service is far, all at once is a burst; what stands is found all the same."""
    Crowded.reading = Crowded.most = 0
    bench.adapter = Crowded(MemorySettings(bench.service), surroundings("corp"))
    names = [record("a", f"host{number}") for number in range(40)]
    for found in names[7], names[31]:
        bench.service.plant(ZONE, found.name, "TXT", 5, ["a"])
    assert asyncio.run(bench.writer.standing(TARGET, names)) == {names[7], names[31]}
    assert Crowded.most == 4
