"""What a lost state directory forgot is found by its notes and withdrawn; nobody else's record is ever touched."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dnsbroker import Broker
from dnsbroker.adapter import Surroundings
from dnsbroker.cli.output import Result, failed
from dnsbroker.cli.records import collected
from dnsbroker.clock import SystemClock
from dnsbroker.config import Config, ProviderConfig
from dnsbroker.errors import NotWithdrawn, ProviderUnavailable, RateLimited
from dnsbroker.events import Emitter, Event
from dnsbroker.journal import Journal, Lease, Leases
from dnsbroker.records import Change, Receipt, Record, RecordType, RRset
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.sweeping import Forgotten, Searched, search
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.memory import MemorySettings

ZONE, OTHER = "example.org.", "example.net."
NAME = f"_acme-challenge.{ZONE}"
TARGET = Target("corp", ZONE)
DAY = timedelta(days=1).total_seconds()


class Bench:
    """A service in memory that keeps notes, a state directory that can be lost, and a clock."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.clock = FakeClock()
        self.service = MemoryService(ZONE, OTHER)
        self.told: list[Event] = []
        self.providers = {"corp": self.provider("corp")}

    def provider(
        self, name: str, adapter: type[Any] = MemoryProvider, zones: tuple[str, ...] = (), **settings: Any
    ) -> ProviderConfig:
        return ProviderConfig(name, adapter, MemorySettings(settings.get("service", self.service)), "memory", zones)

    @property
    def config(self) -> Config:
        raw = {"state_dir": str(self.state_dir), "dns": {"resolvers": ["127.0.0.1"]}}
        return replace(Config.from_dict(raw), providers=self.providers)

    def run(self) -> Run:
        return Run(self.config, self.clock, Emitter(self.clock, self.told.append))

    def alone(self, story: Callable[[Run], Coroutine[Any, Any, Any]]) -> Any:
        """What ``story`` returns, played with a run of its own."""

        async def play() -> Any:
            async with self.run() as run:
                return await story(run)

        return asyncio.run(play())

    def search(self) -> Searched:
        found: Searched = self.alone(search)
        return found

    def leave(self, *values: str, expires: float | None = None) -> None:
        """Have a run write ``values`` and die over it."""

        async def story(run: Run) -> None:
            await write(run, *values, expires=expires)

        self.alone(story)

    def lose(self, *values: str, expires: float | None = None) -> None:
        """The same, and then the state directory is lost."""
        self.leave(*values, expires=expires)
        shutil.rmtree(self.state_dir)

    def standing(self) -> set[str]:
        rrset = self.service.rrset(ZONE, NAME, "TXT")
        return set(rrset.values) if rrset else set()

    def open(self) -> list[str]:
        journal = Journal(self.state_dir)
        leases = Leases(journal, "looking", self.clock).open()
        journal.close()
        return [lease.record.value for lease in leases]


async def write(run: Run, *values: str, expires: float | None = None) -> tuple[Lease, ...]:
    records = [Record(NAME, "TXT", value) for value in values]
    with run.writer.announce([TARGET]) as announcement:
        return await run.writer.add(TARGET, records, ttl=5, announcement=announcement, expires=expires)


def values(found: Sequence[Forgotten]) -> list[str]:
    return [item.record.value for item in found]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state")


def test_what_was_forgotten_is_withdrawn_once_its_moment_has_passed(bench: Bench) -> None:
    """Beside a foreign value, which stays; and by leases, which are closed."""
    bench.service.plant(ZONE, NAME, "TXT", 3600, ["foreign"])
    bench.lose("a", "b")
    bench.clock.turn(DAY)
    found = bench.search()
    assert (values(found.withdrawn), found.waiting, found.unsearched, found.errors) == (["a", "b"], (), {}, ())
    assert (bench.standing(), bench.open()) == ({"foreign"}, [])
    assert [event["names"] for event in bench.told if event["event"] == "swept"] == [[NAME]]
    assert bench.search() == Searched()


def test_what_may_still_be_needed_is_named_and_left(bench: Bench) -> None:
    """The negative twin: another broker, whose journal is elsewhere, may be waiting for it."""
    bench.lose("a")
    bench.lose("hook", expires=bench.clock.now().timestamp() + 3 * DAY)
    bench.clock.turn(DAY - 1)
    assert bench.standing() == {"a", "hook"}
    found = bench.search()
    assert values(found.waiting) == ["a", "hook"]
    assert found.waiting[0] == Forgotten(TARGET, Record(NAME, "TXT", "a"), bench.clock.now() + timedelta(seconds=1))
    bench.clock.turn(1)
    found = bench.search()
    assert (values(found.withdrawn), values(found.waiting), bench.standing()) == (["a"], ["hook"], {"hook"})


OURS = "dnsbroker: delete after 2026-11-01T00:00:00Z"


@pytest.mark.parametrize(
    "note", ["", "challenge of www", OURS.lower(), f"{OURS}!", f"not {OURS}", "dnsbroker: delete after 2026-11-01"]
)
def test_what_a_person_noted_is_not_touched(bench: Bench, note: str) -> None:
    """The negative twin: records without a note, and with one that only looks like ours."""
    bench.service.plant(ZONE, NAME, "TXT", 5, ["by hand"], note=note)
    assert bench.search() == Searched()
    assert bench.standing() == {"by hand"}


class Talkative(MemoryProvider):
    """Tells the notes of every type."""

    async def notes(self, zone: str) -> Mapping[Record, str]:
        return self._service.notes(zone)


def test_no_tlsa_record_is_touched(bench: Bench) -> None:
    """The negative twin: whatever stands in its note, and should the adapter tell of it."""
    bench.providers = {"corp": bench.provider("corp", Talkative)}
    bench.service.plant(ZONE, f"_443._tcp.{ZONE}", "TLSA", 5, ["3 1 1 " + "ab" * 32], note=OURS)
    assert bench.search() == Searched()


def test_what_a_living_run_holds_is_left_alone_however_old_its_note_is(bench: Bench) -> None:
    """The negative twin: this journal knows of it, and so it is no business of a search."""

    async def story(mine: Run) -> None:
        async with bench.run() as other:
            leases = await write(other, "a")
            bench.clock.turn(2 * DAY)
            assert await search(mine) == Searched()
            assert bench.standing() == {"a"}
            await other.writer.withdraw(leases)

    bench.alone(story)
    assert bench.standing() == set()


def test_what_a_dead_run_left_is_the_journals_business(bench: Bench) -> None:
    """A sweep withdraws it, with a lease of its own."""
    bench.leave("a")
    bench.clock.turn(2 * DAY)
    assert bench.search() == Searched()
    assert bench.standing() == {"a"}


def test_a_search_that_is_killed_loses_nothing(bench: Bench) -> None:
    """The lease is in the journal before anything is sent: the next sweep finishes what was begun."""
    bench.lose("a")
    bench.clock.turn(DAY)

    async def killed(run: Run) -> None:
        run.leases.withdraw([lease.id for lease in run.leases.adopt("corp", ZONE, Record(NAME, "TXT", "a"))])

    async def gc() -> int:
        async with Broker(bench.config, clock=bench.clock) as broker:
            return await broker.collect_garbage()

    bench.alone(killed)
    assert bench.open() == ["a"]
    assert bench.search() == Searched()
    assert asyncio.run(gc()) == 1
    assert (bench.standing(), bench.open()) == (set(), [])


def test_what_cannot_be_withdrawn_is_told_and_kept(bench: Bench) -> None:
    """As with any other record: NotWithdrawn, and a lease for the next time."""
    bench.lose("a")
    bench.clock.turn(DAY)
    bench.service.fail(ProviderUnavailable("gone", provider="corp"), times=4)

    async def play() -> None:
        async with Broker(bench.config, clock=bench.clock) as broker:
            found = await broker.search_garbage()
            assert (found.withdrawn, values(found.failed)) == ((), ["a"])
            assert collected(Result(), 0, found).lines == []
            assert not broker.changed
            with pytest.raises(NotWithdrawn, match="gone"):
                broker.check_withdrawn()

    asyncio.run(play())
    assert (bench.standing(), bench.open()) == ({"a"}, ["a"])


def test_two_ways_to_one_service_find_a_record_once(bench: Bench) -> None:
    """And two services with the same zone each lose their own."""
    bench.lose("a")
    copy = MemoryService(ZONE)
    copy.plant(ZONE, NAME, "TXT", 5, ["a"], note=OURS)
    bench.providers |= {"again": bench.provider("again"), "copy": bench.provider("copy", service=copy)}
    bench.clock.turn(DAY)
    assert [item.target.provider for item in bench.search().withdrawn] == ["corp", "copy"]
    assert (bench.standing(), copy.rrset(ZONE, NAME, "TXT")) == (set(), None)


class Plain:
    """Keeps no notes."""

    Settings: ClassVar[type[Any]] = MemorySettings
    default_ttl = default_settle = request_timeout = 1.0

    def __init__(self, settings: MemorySettings, surroundings: Surroundings) -> None:
        self._inner = MemoryProvider(settings, surroundings)

    async def zones(self) -> tuple[str, ...] | None:
        return await self._inner.zones()

    async def find_zone(self, name: str) -> str | None:
        return await self._inner.find_zone(name)

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        return await self._inner.apply(zone, changes)

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        return await self._inner.read(zone, name, type)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Listless(MemoryProvider):
    """Cannot list its zones."""

    async def zones(self) -> tuple[str, ...] | None:
        return None


def test_a_provider_that_cannot_tell_is_named(bench: Bench) -> None:
    """It keeps no notes, or cannot list its zones; where ``zones`` names them, it need not."""
    bench.lose("a")
    bench.clock.turn(DAY)
    bench.providers = {"plain": bench.provider("plain", Plain), "listless": bench.provider("listless", Listless)}
    found = bench.search()
    assert list(found.unsearched) == ["plain", "listless"]
    assert "keeps no notes" in found.unsearched["plain"]
    assert "`zones`" in found.unsearched["listless"]
    bench.providers = {"listless": bench.provider("listless", Listless, (ZONE,))}
    assert values(bench.search().withdrawn) == ["a"]


def test_only_the_zones_that_it_may_write_are_looked_through(bench: Bench) -> None:
    """What ``zones`` leaves out is somebody else's."""
    bench.lose("a")
    bench.clock.turn(DAY)
    bench.providers = {"corp": bench.provider("corp", zones=(OTHER,))}
    assert bench.search() == Searched()
    assert bench.standing() == {"a"}


class Halting(MemoryProvider):
    """Does not answer for one of its zones."""

    async def notes(self, zone: str) -> Mapping[Record, str]:
        if zone == OTHER:
            raise ProviderUnavailable("no answer", provider="corp", zone=zone)
        return await super().notes(zone)


def test_a_zone_that_cannot_be_looked_through_fails_alone(bench: Bench) -> None:
    """The others are searched, and its error is told."""
    bench.lose("a")
    bench.clock.turn(DAY)
    bench.providers = {"corp": bench.provider("corp", Halting)}
    found = bench.search()
    assert (values(found.withdrawn), [error.kind for error in found.errors]) == (["a"], ["unavailable"])


class Empty(MemoryProvider):
    """Lists no zone: its credentials may see none."""

    async def zones(self) -> tuple[str, ...] | None:
        return ()


def test_a_provider_that_lists_no_zone_was_not_searched(bench: Bench) -> None:
    """As one that cannot list them, and not one that has nothing to withdraw."""
    bench.lose("a")
    bench.clock.turn(DAY)
    bench.providers = {"empty": bench.provider("empty", Empty)}
    found = bench.search()
    assert "lists no zone" in found.unsearched["empty"]
    assert "`zones`" in found.unsearched["empty"]
    assert bench.standing() == {"a"}


class Limited(MemoryProvider):
    """Answers for twenty zones, and again for all of them once it was left alone for ``seconds``."""

    clock = FakeClock()
    seconds = 0.0
    asked: ClassVar[list[str]] = []

    async def notes(self, zone: str) -> Mapping[Record, str]:
        Limited.asked.append(zone)
        await SystemClock().sleep(0)
        left = DAY + Limited.seconds - Limited.clock.monotonic()
        if len(Limited.asked) > 20 and left > 0:
            raise RateLimited("too many requests", provider="corp", zone=zone, retry_after=left)
        return await super().notes(zone)


def limited(bench: Bench, seconds: float) -> Searched:
    """What is found of sixty zones, the last of which holds what was forgotten."""
    zones = (*(f"z{number}.example." for number in range(59)), ZONE)
    bench.service = MemoryService(*zones)
    bench.providers = {"corp": bench.provider("corp", Limited, zones)}
    bench.lose("a")
    bench.clock.turn(DAY)
    Limited.clock, Limited.seconds, Limited.asked = bench.clock, seconds, []
    return bench.search()


def test_a_limit_ends_the_search_at_that_provider_as_one_error(bench: Bench) -> None:
    """It asks to be left alone for longer than a run may take: nobody asks on, and one cause is told once."""
    found = limited(bench, 3600)
    assert [error.kind for error in found.errors] == ["rate-limited"]
    assert len(Limited.asked) <= 20 + 8
    assert bench.standing() == {"a"}


def test_a_limit_that_passes_in_time_is_waited_for(bench: Bench) -> None:
    """The negative twin: the rest is searched after it, and only those that were refused are asked for again."""
    found = limited(bench, 30)
    assert (values(found.withdrawn), found.errors, bench.standing()) == (["a"], (), set())
    assert len(Limited.asked) <= 60 + 8
    assert [event["seconds"] for event in bench.told if event["event"] == "waiting"] == [30.0]


# What the command says of it


def test_the_command_tells_what_was_found_left_and_not_searched(bench: Bench) -> None:
    """In words, and as fields."""
    until = bench.clock.now()
    gone, left = (Forgotten(TARGET, Record(NAME, "TXT", value), until) for value in ("a", "b"))
    result = collected(Result(fields={"withdrawn": 2}), 2, Searched((gone,), (left,), {"old": "it keeps no notes"}))
    assert result.lines == [
        "withdrawn: 2 records",
        "withdrawn by the note beside it: 1 record",
        "left: _acme-challenge.example.org at provider corp, until 2026-11-20 12:00:00 UTC",
        "not searched: provider old: it keeps no notes",
    ]
    waiting = {"name": NAME, "provider": "corp", "zone": ZONE, "until": "2026-11-20T12:00:00Z"}
    assert result.fields == {
        "withdrawn": 2,
        "forgotten": 1,
        "waiting": [waiting],
        "unsearched": {"old": "it keeps no notes"},
    }
    assert (result.status, result.failures) == (0, [])


def test_the_command_says_so_where_nothing_was_found() -> None:
    """And does not where it could not look everywhere."""
    assert collected(Result(), 0, Searched()).lines == ["nothing to withdraw"]
    unanswered = collected(Result(), 0, Searched(errors=(ProviderUnavailable("no answer", provider="corp"),)))
    assert (unanswered.lines, unanswered.status) == ([], 1)
    left = collected(failed(NotWithdrawn("left", names=[NAME])), 0, Searched())
    assert (left.lines, left.status) == ([], 6)
