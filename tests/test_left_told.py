"""A run that is cut off says what it leaves in DNS, whatever it was doing; what is to outlive it is not left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dnsbroker.config import Config, ProviderConfig
from dnsbroker.events import Emitter, Event
from dnsbroker.records import Change, Receipt, Record
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.memory import MemorySettings
from dnsbroker.writer import Announcement

ZONE = "example.org."
TARGET = Target("corp", ZONE)
RECORD = Record(f"_acme-challenge.{ZONE}", "TXT", "ours")


class Mute(MemoryProvider):
    """Writes, and then never answers, while ``is_mute``; ``begun`` is set when it is so."""

    is_mute = True
    begun: asyncio.Event

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        receipt = await super().apply(zone, changes)
        if Mute.is_mute:
            Mute.begun.set()
            await asyncio.Event().wait()
        return receipt


Story = Callable[[Run, Announcement], Awaitable[None]]


@pytest.fixture
def told_of(tmp_path: Path) -> Callable[..., list[str]]:
    """Plays a story in a run that is cut off at its end; the names that it says are left."""
    service, told = MemoryService(ZONE), list[Event]()
    config = replace(
        Config.from_dict({"state_dir": str(tmp_path), "dns": {"resolvers": ["127.0.0.1"]}}),
        providers={"corp": ProviderConfig("corp", Mute, MemorySettings(service), "memory")},
    )
    clock = FakeClock()

    def play(story: Story) -> list[str]:
        async def played() -> None:
            Mute.begun = asyncio.Event()
            async with Run(config, clock, Emitter(clock, told.append)) as run:
                with run.writer.announce([TARGET]) as announcement:
                    await story(run, announcement)
                raise asyncio.CancelledError

        told.clear()
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(played())
        return [str(event["name"]) for event in told if event["event"] == "left"]

    return play


async def present(run: Run, announcement: Announcement) -> None:
    """Have the value there until an hour from now."""
    until = run.clock.now().timestamp() + 3600
    await run.writer.add(TARGET, [RECORD], ttl=5, announcement=announcement, expires=until)


async def cut_off(work: Awaitable[None]) -> None:
    """``work``, cancelled in the middle of its write."""
    task = asyncio.ensure_future(work)
    await Mute.begun.wait()
    task.cancel()
    await asyncio.wait({task})


async def withdrawing(run: Run, announcement: Announcement) -> None:
    """The write is cut off, and so is its withdrawal."""
    await cut_off(present(run, announcement))
    task = asyncio.ensure_future(run.publisher.withdraw(announcement.leases))
    await asyncio.wait({task}, timeout=0.01)
    task.cancel()


def test_a_value_whose_write_was_cut_off_is_told(told_of: Callable[[Story], list[str]]) -> None:
    """It was to outlive the run, and now nobody knows whether it does."""
    Mute.is_mute = True
    assert told_of(lambda run, announcement: cut_off(present(run, announcement))) == [RECORD.name]


def test_a_value_whose_withdrawal_was_cut_off_is_told(told_of: Callable[[Story], list[str]]) -> None:
    """Once."""
    Mute.is_mute = True
    assert told_of(withdrawing) == [RECORD.name]


def test_a_value_that_stands_as_it_should_is_not_told(told_of: Callable[[Story], list[str]]) -> None:
    """The negative twin: it is there, and stays until it expires."""
    Mute.is_mute = False
    assert told_of(present) == []


def test_another_run_s_value_whose_withdrawal_was_cut_off_is_told(told_of: Callable[[Story], list[str]]) -> None:
    """As by ``txt cleanup`` or ``gc``."""
    Mute.is_mute = False
    assert told_of(present) == []
    Mute.is_mute = True

    async def clean(run: Run, announcement: Announcement) -> None:
        await cut_off(run.publisher.withdraw(run.leases.open()))

    assert told_of(clean) == [RECORD.name]
