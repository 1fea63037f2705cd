"""A value presented again for longer is noted so: a search from another state directory leaves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.config import Config, ProviderConfig
from dnsbroker.events import Emitter
from dnsbroker.records import Record, later_note
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.sweeping import search
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.memory import MemorySettings

ZONE = "example.org."
RECORD = Record(f"_acme-challenge.{ZONE}", "TXT", "ours")
EARLY, LATE = "dnsbroker: delete after 2026-11-20T12:00:00Z", "dnsbroker: delete after 2026-11-20T22:00:00Z"


class Bench:
    """Two state directories, one service."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.service = MemoryService(ZONE)

    def alone(self, state: str, story: Callable[[Run], Coroutine[Any, Any, Any]]) -> Any:
        """What ``story`` returns, played with a run of its own."""
        config = Config.from_dict({"state_dir": str(self.directory / state), "dns": {"resolvers": ["127.0.0.1"]}})
        provider = ProviderConfig("corp", MemoryProvider, MemorySettings(self.service), "memory")

        async def play() -> Any:
            async with Run(replace(config, providers={"corp": provider}), self.clock, Emitter(self.clock, None)) as run:
                return await story(run)

        return asyncio.run(play())

    def present(self, seconds: float) -> None:
        """Have the value there for so long from now."""

        async def story(run: Run) -> None:
            target = Target("corp", ZONE)
            until = self.clock.now().timestamp() + seconds
            with run.writer.announce([target]) as announcement:
                await run.writer.add(target, [RECORD], ttl=5, announcement=announcement, expires=until)

        self.alone("one", story)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("spans", [(2.0, 36000.0), (36000.0, 2.0)], ids=["longer", "shorter"])
def test_what_somebody_wants_for_longer_is_left(bench: Bench, spans: tuple[float, float]) -> None:
    """Whichever of the two wants came first; and it is found once both are over."""
    for seconds in spans:
        bench.present(seconds)
    bench.clock.turn(60)
    assert len(bench.alone("two", search).waiting) == 1
    assert bench.service.rrset(ZONE, RECORD.name, "TXT") is not None
    bench.clock.turn(36000)
    assert len(bench.alone("two", search).withdrawn) == 1


def test_a_person_s_note_is_not_moved_on(bench: Bench) -> None:
    """What is not ours to the letter stays, and so does the value beside it."""
    bench.present(2.0)
    bench.service.plant(ZONE, RECORD.name, "TXT", 5, [RECORD.value], note=f"{EARLY} please")
    bench.present(36000.0)
    assert bench.service.notes(ZONE) == {RECORD: f"{EARLY} please"}


@pytest.mark.parametrize(
    ("standing", "note", "kept"),
    [
        (EARLY, LATE, LATE),
        (LATE, EARLY, LATE),
        (EARLY, "", EARLY),
        (EARLY, "a person's", EARLY),
        ("a person's", LATE, "a person's"),
        ("", LATE, ""),
        (f"{EARLY} ", LATE, f"{EARLY} "),
    ],
)
def test_a_note_of_ours_moves_on_and_no_other_does(standing: str, note: str, kept: str) -> None:
    """Never to an earlier moment."""
    assert later_note(standing, note) == kept
