"""What is published is written together, held back while the CA may remember otherwise, and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from dnsbroker.adapter import Adapter
from dnsbroker.clock import Deadline
from dnsbroker.config.model import PropagationConfig, ProviderConfig
from dnsbroker.errors import Held, ProviderUnavailable, RateLimited
from dnsbroker.events import Emitter, Event
from dnsbroker.journal import Answers, Journal, Lease, Leases, Runs
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place
from dnsbroker.propagation import Outcome, Watcher
from dnsbroker.publishing import Located, Publisher
from dnsbroker.records import Record, RecordType, RRset
from dnsbroker.routing import Route, Routing, Target
from dnsbroker.tasks import together
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService, surroundings
from dnsbroker.testing.memory import MemorySettings
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from dnsbroker.writer import Announcement, Writer
from fake_zone import zone

ZONE = zone("example.org.", minimum=60)
TARGET = Target("corp", ZONE.name)
TTL = 5
#: Caches count whole seconds.
KEPT = TTL + 1


def located(host: str = "www") -> Located:
    owner = f"_acme-challenge.{host}.example.org."
    return Located(owner, Place(owner, owner, ZONE), Route(TARGET, TTL, 0.0))


class Bench:
    """A publisher over a service in memory, and a clock that a test turns."""

    def __init__(self, state_dir: Path, tree: Tree, held: str = ZONE.name) -> None:
        self.clock = FakeClock()
        self.told: list[Event] = []
        self.service = MemoryService(held)
        emit = Emitter(self.clock, self.told.append)
        self.adapter: Adapter = MemoryProvider(MemorySettings(self.service), surroundings("corp"))
        journal = Journal(state_dir)
        self.leases = Leases(journal, "run", self.clock)
        self.writer = Writer(self.leases, Runs(state_dir), state_dir, self.find, self.clock, emit, timeout=60.0)
        exchange = Exchange()
        finder = Finder(tree.config(), exchange, self.clock)
        watcher = Watcher(exchange, finder.resolvers, self.clock, emit, PropagationConfig())
        self.publisher = Publisher(
            finder,
            Routing({"corp": self.provider()}, lambda _: self.adapter, emit, self.clock, finder.service_addresses),
            self.writer,
            lambda: watcher,
            Answers(journal),
            self.clock,
            emit,
        )

    def find(self, provider: str) -> Adapter:
        return self.adapter

    def provider(self) -> ProviderConfig:
        return ProviderConfig("corp", MemoryProvider, MemorySettings(self.service), "memory")

    async def write(self, item: Located, *values: str) -> tuple[Lease, ...]:
        with self.publisher.announced([item]) as announcement:
            written = await self.publisher.write({item.name: frozenset(values)}, {item.name: item}, announcement)
        return written[item.name]

    async def hold(
        self, item: Located, leases: Sequence[Lease], seconds: float, limit: float | None = None, ttl: int = TTL
    ) -> float:
        """For how long the CA is not asked, every server having the values of ``leases`` now."""
        begun = self.clock.monotonic()
        outcome = Outcome(self.clock.now(), ttl, ())
        deadline = Deadline.after(self.clock, seconds)
        names = {item.name: item}
        await self.publisher.outlast_caches(names, {item.name: leases}, {item.name: outcome}, deadline, limit)
        return self.clock.monotonic() - begun

    def standing(self, host: str = "www") -> set[str]:
        rrset = self.service.rrset(ZONE.name, located(host).name, "TXT")
        return set(rrset.values) if rrset else set()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    with NameServers() as servers:
        return Bench(tmp_path, Tree(servers))


def test_the_first_values_at_a_name_are_held_for_nothing(bench: Bench) -> None:
    """No older answer of ours can be about."""

    async def story() -> None:
        leases = await bench.write(located(), "a", "b")
        assert await bench.hold(located(), leases, 60) == 0

    asyncio.run(story())
    assert len(bench.service.seen) == 1


def test_values_that_stood_there_before_hold_the_next_for_a_ttl(bench: Bench) -> None:
    """The CA may have cached the set without ours just before all servers had it: it is asked a TTL after that."""

    async def story() -> None:
        await bench.write(located(), "theirs")
        bench.clock.turn(100)
        leases = await bench.write(located(), "ours")
        assert await bench.hold(located(), leases, 60) == pytest.approx(KEPT)

    asyncio.run(story())
    assert [event["seconds"] for event in bench.told if event["event"] == "held"] == [KEPT]


@pytest.mark.parametrize(("gone_for", "held"), [(KEPT - 1, KEPT), (KEPT + 1, 0)])
def test_values_that_left_hold_the_next_only_within_a_ttl(bench: Bench, gone_for: float, held: float) -> None:
    """What left longer ago than a TTL is in no cache any more."""

    async def story() -> None:
        await bench.publisher.withdraw(await bench.write(located(), "before"))
        bench.clock.turn(gone_for)
        leases = await bench.write(located(), "ours")
        assert await bench.hold(located(), leases, 60) == pytest.approx(held)

    asyncio.run(story())


def test_values_at_another_name_hold_nothing(bench: Bench) -> None:
    """The negative twin: a cache keeps names apart."""

    async def story() -> None:
        await bench.write(located("mail"), "theirs")
        assert await bench.hold(located(), await bench.write(located(), "ours"), 60) == 0

    asyncio.run(story())


def test_a_ca_that_keeps_answers_no_longer_than_it_says_is_believed(bench: Bench) -> None:
    """A limit of the CA's own counts where it is below the TTL."""

    async def story() -> None:
        await bench.write(located(), "theirs")
        leases = await bench.write(located(), "ours")
        assert await bench.hold(located(), leases, 60, limit=2) == pytest.approx(3)

    asyncio.run(story())


def test_a_hold_beyond_the_deadline_is_told_at_once(bench: Bench) -> None:
    """Accepted, not yet: the moment is in the error, and nobody waits in vain. The next run need not wait as long."""

    async def story() -> None:
        first = await bench.write(located(), "theirs")
        await bench.publisher.withdraw(first)
        leases = await bench.write(located(), "ours")
        before = bench.clock.now()
        with pytest.raises(Held) as caught:
            await bench.hold(located(), leases, KEPT - 1)
        assert caught.value.until == before + timedelta(seconds=KEPT)
        assert caught.value.hint.endswith("raise propagation.timeout")
        assert bench.clock.now() == before
        await bench.publisher.withdraw(leases)
        bench.clock.turn(KEPT + 0.5)
        assert await bench.hold(located(), await bench.write(located(), "again"), KEPT - 1) == 0

    asyncio.run(story())


def test_a_hold_for_the_sake_of_others_values_tells_whose_the_time_is(bench: Bench) -> None:
    """A TTL is one for all values at a name, and theirs was there first."""

    async def story() -> None:
        await bench.write(located(), "theirs")
        leases = await bench.write(located(), "ours")
        with pytest.raises(Held) as caught:
            await bench.hold(located(), leases, KEPT, ttl=300)
        assert caught.value.hint.endswith(
            "; _acme-challenge.www.example.org has a TTL of 300 s, not our 5 s: lower that of the other values there"
        )

    asyncio.run(story())


def test_after_a_denial_the_negative_ttl_is_outlasted(bench: Bench) -> None:
    """The CA said NXDOMAIN: it may believe that for as long as the zone's SOA says."""

    async def story() -> None:
        bench.publisher.deny(located())
        bench.clock.turn(20)
        leases = await bench.write(located(), "ours")
        assert await bench.hold(located(), leases, 600) == pytest.approx(40)

    asyncio.run(story())


def test_what_could_not_be_withdrawn_is_told_and_kept(bench: Bench) -> None:
    """The lease, its reason, an event; it is not raised over whatever else goes on."""

    async def story() -> None:
        leases = await bench.write(located(), "ours")
        bench.service.fail(ProviderUnavailable("gone", provider="corp"), times=4)
        await bench.publisher.withdraw(leases)
        assert {lease.id for lease in bench.publisher.left} == {lease.id for lease in leases}

    asyncio.run(story())
    assert [event["name"] for event in bench.told if event["event"] == "left"] == [located().name]
    assert bench.standing() == {"ours"}


def test_a_failed_write_is_no_failed_withdrawal(bench: Bench) -> None:
    """Several values fail to be written, and are taken back: nothing is left, and nothing is said to be."""

    async def story() -> None:
        bench.service.fail(ProviderUnavailable("gone", provider="corp"), times=4)
        item = located()
        with bench.publisher.announced([item]) as announcement:
            with pytest.raises(ProviderUnavailable):
                await bench.publisher.write({item.name: frozenset("ab")}, {item.name: item}, announcement)
            await bench.publisher.withdraw(announcement.leases)

    asyncio.run(story())
    assert bench.publisher.left == {}
    assert bench.standing() == set()


def test_names_without_values_hold_nobody(bench: Bench) -> None:
    """An authorization that is valid already needs no write, and keeps no other task's write waiting."""

    async def story() -> None:
        other = located("other")
        with bench.publisher.announced([located()]) as idle:
            idle.narrow(())
            async with asyncio.timeout(60):
                await bench.write(other, "a")

    asyncio.run(story())
    assert bench.standing("other") == {"a"}


def test_two_hundred_certificates_cost_a_handful_of_writes(bench: Bench) -> None:
    """Each is a task of its own, with its own pace at the CA; the zone sees few writes all the same."""
    hosts = [f"c{number}" for number in range(200)]

    async def paced(turns: int) -> None:
        for _ in range(turns):
            await asyncio.wait({asyncio.ensure_future(asyncio.to_thread(int))})

    async def certificate(number: int, host: str, announcement: Announcement) -> None:
        await paced(number % 7)
        item = located(host)
        with announcement:
            written = await bench.publisher.write(
                {item.name: frozenset({f"{host}-apex", f"{host}-wildcard"})}, {item.name: item}, announcement
            )
        assert bench.standing(host) == {f"{host}-apex", f"{host}-wildcard"}
        await paced(number % 5)
        await bench.publisher.withdraw(written[item.name])

    async def story() -> None:
        announced = [bench.publisher.announced([located(host)]) for host in hosts]
        await together(certificate(*args) for args in zip(range(200), hosts, announced, strict=True))

    asyncio.run(story())
    assert len(bench.service.seen) <= 6
    assert bench.leases.open() == ()
    assert not bench.service.rrsets(ZONE.name)


def test_what_is_odd_about_a_zone_is_told_once(tmp_path: Path) -> None:
    """Forty names in one zone are no reason to say forty times that one of its servers has no address."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns1.example", "ns1.example A 127.0.0.12")
        tree.zone("example.test.", "@ NS ns1\n@ NS gone\nns1 A 127.0.0.12", "127.0.0.12")
        bench = Bench(tmp_path, tree, "example.test.")
        names = [f"_acme-challenge.host{number}.example.test." for number in range(40)]
        assert list(asyncio.run(bench.publisher.locate(names))) == names
    told = [event["message"] for event in bench.told if event["event"] == "warning"]
    assert len(told) == len(set(told))
    assert "the name server gone.example.test has no address" in told


class Limited(MemoryProvider):
    """Wants to be left alone for ``seconds`` first, whoever asks; ``times`` counts who did before that."""

    clock: FakeClock
    seconds = 0.0
    times = 0

    def refuse(self) -> None:
        left = self.seconds - self.clock.monotonic()
        if left > 0:
            self.times += 1
            raise RateLimited("too many requests", provider="corp", retry_after=left)

    async def find_zone(self, name: str) -> str | None:
        self.refuse()
        return await super().find_zone(name)

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        self.refuse()
        return await super().read(zone, name, type)


@pytest.fixture
def tree() -> Iterator[Tree]:
    """With the zone example.test."""
    with NameServers() as servers:
        found = Tree(servers)
        found.delegate("example NS ns1.example", "ns1.example A 127.0.0.12")
        found.zone("example.test.", "@ NS ns1\nns1 A 127.0.0.12", "127.0.0.12")
        yield found


def limited(state_dir: Path, tree: Tree, seconds: float) -> tuple[Bench, Limited]:
    """A bench whose service wants to be left alone for so long, and its adapter."""
    bench = Bench(state_dir, tree, "example.test.")
    adapter = Limited(MemorySettings(bench.service), surroundings("corp"))
    adapter.clock, adapter.seconds = bench.clock, seconds
    bench.adapter = adapter
    return bench, adapter


def test_a_service_that_wants_to_be_left_alone_is_asked_for_the_zone_later(tmp_path: Path, tree: Tree) -> None:
    """As long as a write could wait, too; of many names, the zone is asked for once, and the wait told once."""
    bench, adapter = limited(tmp_path, tree, 40)
    names = [f"_acme-challenge.host{number}.example.test." for number in range(40)]
    assert list(asyncio.run(bench.publisher.locate(names))) == names
    assert [event["seconds"] for event in bench.told if event["event"] == "waiting"] == [40.0]
    assert adapter.times == 1


def test_a_service_that_wants_to_be_left_alone_for_too_long_is_not_waited_for(tmp_path: Path, tree: Tree) -> None:
    """The negative twin: at once, the error says for how long."""
    bench, _ = limited(tmp_path, tree, 61)
    with pytest.raises(RateLimited) as caught:
        asyncio.run(bench.publisher.locate(["_acme-challenge.example.test."]))
    assert caught.value.retry_after == 61
    assert bench.clock.slept == []


def test_a_service_that_wants_to_be_left_alone_is_asked_for_what_stands_later(tmp_path: Path, tree: Tree) -> None:
    """Before a value is presented that somebody may have put there."""
    bench, _ = limited(tmp_path, tree, 40)
    target = Target("corp", "example.test.")
    record = Record("_acme-challenge.example.test.", "TXT", "ours")
    assert asyncio.run(bench.writer.standing(target, [record])) == frozenset()
    assert bench.clock.monotonic() == 40
