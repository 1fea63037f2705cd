"""Memories of owner names, across processes."""

from __future__ import annotations

from pathlib import Path

from dnsbroker.dane.remembering import Remembering
from dnsbroker.journal import Journal, Rollovers
from dnsbroker.rolling import Memory
from dnsbroker.testing import FakeClock
from dnsbroker.tlsa.records import Tlsa
from rolling_values import OWNER, key, look, records

OLD, NEW = records(key("old")), records(key("old"), key("new"))
YEAR = 365 * 86400.0


def seen(state_dir: Path, clock: FakeClock, *sets: frozenset[Tlsa]) -> Memory:
    """What a process of its own remembers after a look."""
    now = clock.now().timestamp()
    remembering = Remembering(Rollovers(Journal(state_dir), clock), clock)
    remembering.looked(OWNER, look(now, *sets, expires=now + YEAR), 3600.0)
    return Remembering(Rollovers(Journal(state_dir), clock), clock).of(OWNER)


def test_a_memory_comes_back_as_it_was(tmp_path: Path) -> None:
    """What nobody saw come included."""
    clock = FakeClock()
    found = seen(tmp_path, clock, OLD, OLD)
    assert [view.is_unknown for view in found.views].count(True) == 1
    assert found.everywhere == OLD


def test_a_clock_that_was_ahead_is_over_with_the_first_look_after_it(tmp_path: Path) -> None:
    """However many looks follow, they begin nothing anew."""
    clock = FakeClock()
    seen(tmp_path, clock, records(), records())
    clock.turn(YEAR)
    seen(tmp_path, clock, OLD, OLD)
    clock.turn(60 - YEAR)
    back = clock.now().timestamp()
    for _ in range(3):
        memory = seen(tmp_path, clock, NEW, NEW)
        clock.turn(3600)
    assert set(memory.since.values()) == {back}
    assert {view.records for view in memory.possible(clock.now().timestamp(), 3600.0)} == {NEW}
    assert max(view.last for view in memory.views if view.records == OLD) == back
