"""Every TXT record of ours is noted with the moment after which it may go; only that very note is read as ours."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dnsbroker.adapter import Adapter
from dnsbroker.events import Emitter
from dnsbroker.journal import Journal, Lease, Leases, Runs
from dnsbroker.records import Record
from dnsbroker.routing import Target
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService, surroundings
from dnsbroker.testing.memory import MemorySettings
from dnsbroker.writer import Writer
from dnsbroker.writer.notes import delete_after, note

ZONE = "example.org."
TEXT = Record(f"_acme-challenge.{ZONE}", "TXT", "ours")
TLSA = Record(f"_443._tcp.{ZONE}", "TLSA", "3 1 1 " + "ab" * 32)


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    """One that lives with a run, made at noon."""
    (made,) = Leases(Journal(tmp_path), "run", FakeClock()).want("corp", ZONE, [TEXT], ttl=5)
    return made


def test_a_record_that_lives_with_a_run_is_for_a_day(lease: Lease) -> None:
    """Longer than any run has a use for it."""
    assert note(lease) == "dnsbroker: delete after 2026-11-21T12:00:00Z"


def test_a_record_with_an_expiry_is_until_then(lease: Lease) -> None:
    """The next whole second: never sooner."""
    expires = datetime(2026, 11, 22, 11, tzinfo=UTC).timestamp()
    assert note(replace(lease, expires=expires)) == "dnsbroker: delete after 2026-11-22T11:00:00Z"
    assert note(replace(lease, expires=expires + 0.1)) == "dnsbroker: delete after 2026-11-22T11:00:01Z"


@pytest.mark.parametrize("expires", [9e9, 1e15, float("inf")])
def test_any_expiry_can_be_noted(lease: Lease, expires: float) -> None:
    """In one line of ASCII that services take; what is beyond all calendars is as late as can be written."""
    written = note(replace(lease, expires=expires))
    assert written.isascii() and len(written) <= 100 and "\n" not in written
    assert delete_after(written) is not None


def test_a_note_is_read_as_it_was_written(lease: Lease) -> None:
    """To the second, in UTC."""
    assert delete_after(note(lease)) == datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "delete after 2026-11-21T12:00:00Z",
        "dnsbroker: delete after the move",
        "dnsbroker: delete after 2026-11-21",
        "dnsbroker: delete after 2026-11-21T12:00:00",
        "dnsbroker: delete after 2026-13-41T12:00:00Z",
        "dnsbroker: delete after 2026-11-21T12:00:00Z, says Ann",
        "dnsbroker: delete after 2026-11-21T12:00:00Z\n",
        "Dnsbroker: delete after 2026-11-21T12:00:00Z",
        "do not: dnsbroker: delete after 2026-11-21T12:00:00Z",
        "dnsbroker: delete after ２０２６-11-21T12:00:00Z",
    ],
)
def test_a_note_by_hand_is_not_ours(foreign: str) -> None:
    """The negative twins: however like ours it looks."""
    assert delete_after(foreign) is None


def test_what_is_written_carries_its_note_unless_it_is_to_stay(tmp_path: Path) -> None:
    """A TLSA record has none: it stands until somebody takes it back."""
    service, clock = MemoryService(ZONE), FakeClock()
    adapter: Adapter = MemoryProvider(MemorySettings(service), surroundings("corp"))
    leases = Leases(Journal(tmp_path), "run", clock)
    writer = Writer(leases, Runs(tmp_path), tmp_path, lambda _: adapter, clock, Emitter(clock, None), timeout=5.0)

    async def play() -> None:
        target = Target("corp", ZONE)
        with writer.announce([target]) as announcement:
            await writer.add(target, [TEXT, TLSA], ttl=5, announcement=announcement)

    asyncio.run(play())
    assert service.notes(ZONE) == {TEXT: "dnsbroker: delete after 2026-11-21T12:00:00Z"}
