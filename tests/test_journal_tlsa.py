"""Leases of TLSA records: nothing takes them but a withdrawal; each with its opposite among the others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dnsbroker.journal import NEVER, Journal, Lease, Leases, State
from dnsbroker.records import Record, RecordType
from dnsbroker.testing import FakeClock

ZONE = "example.org."
NAME = "_25._tcp.mail.example.org."
VALUE = "3 1 1 " + "ab" * 32


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.fixture
def leases(journal: Journal, clock: FakeClock) -> Leases:
    return Leases(journal, "run-1", clock)


def alive(run: str) -> bool:
    return True


def dead(run: str) -> bool:
    return False


def wanted(leases: Leases, type: RecordType = "TLSA", expires: float | None = NEVER) -> Lease:
    (lease,) = leases.want("corp", ZONE, [Record(NAME, type, VALUE)], ttl=60, expires=expires)
    return lease


def taken(leases: Leases, type: RecordType = "TLSA", expires: float | None = NEVER) -> Lease:
    ident = wanted(leases, type, expires).id
    (lease,) = [one for one in leases.take("corp", ZONE, is_alive=alive) if one.id == ident]
    leases.sent([lease], leases._now() + 60)
    return lease


def test_no_sweep_takes_one_however_late_it_is(leases: Leases, clock: FakeClock) -> None:
    """A TXT value of the same kind is over."""
    leases.written([taken(leases)], 7)
    clock.turn(timedelta(days=3650).total_seconds())
    assert leases.sweepable(dead) == ()
    leases.written([taken(leases, "TXT", clock.now().timestamp() - 1)], 8)
    assert [lease.record.type for lease in leases.sweepable(dead)] == ["TXT"]


def test_one_whose_writing_failed_stays_in_doubt_and_is_not_taken_out(leases: Leases) -> None:
    """A TXT value is taken back with the next write."""
    leases.unsent([taken(leases)], "no reply", certainly=False)
    (lease,) = leases.at(NAME, "TLSA")
    assert lease.state is State.SENDING
    assert leases.sweepable(dead) == ()
    leases.unsent([taken(leases, "TXT", None)], "no reply", certainly=False)
    (text,) = leases.at(NAME, "TXT")
    assert text.state is State.UNWANTED


def test_one_that_was_certainly_not_written_is_closed(leases: Leases, clock: FakeClock) -> None:
    """There is nothing to be in doubt about."""
    wanted(leases)
    (lease,) = leases.take("corp", ZONE, is_alive=alive)
    leases.unsent([lease], "refused", certainly=True)
    assert leases.at(NAME, "TLSA") == ()


def test_a_newer_lease_answers_for_what_a_dead_run_began(journal: Journal, clock: FakeClock) -> None:
    """Not for what a living one did."""
    earlier, later = Leases(journal, "run-1", clock), Leases(journal, "run-2", clock)
    wanted(earlier)
    new = wanted(later)
    later.take_over([new], is_alive=alive)
    assert len(later.at(NAME, "TLSA")) == 2
    later.take_over([new], is_alive=dead)
    assert [lease.id for lease in later.at(NAME, "TLSA")] == [new.id]


def test_a_dead_runs_wish_is_not_fulfilled(journal: Journal, clock: FakeClock) -> None:
    """Whether it still is one, the next look tells."""
    wanted(Leases(journal, "run-1", clock))
    assert Leases(journal, "run-2", clock).take("corp", ZONE, is_alive=dead) == ()


def test_what_is_adopted_for_good_never_expires(leases: Leases, clock: FakeClock) -> None:
    """What is adopted to be withdrawn does at once."""
    (kept,) = leases.adopt("corp", ZONE, Record(NAME, "TLSA", VALUE), expires=NEVER)
    assert (kept.state, kept.expires, kept.foreign) == (State.PRESENT, NEVER, False)
    (going,) = leases.adopt("corp", ZONE, Record(NAME, "TXT", VALUE))
    assert going.expires == clock.now().timestamp()


def test_pruning_keeps_what_is_there(leases: Leases, clock: FakeClock) -> None:
    """Also where the clock was wrong when it was written: its expiry stays out of reach."""
    clock.turn(timedelta(days=3650).total_seconds())
    leases.written([taken(leases)], 7)
    clock.turn(-timedelta(days=3650).total_seconds())
    leases.prune()
    (lease,) = leases.at(NAME, "TLSA")
    assert lease.state is State.PRESENT
    assert lease.expires is not None
    assert lease.expires > clock.now().timestamp() + timedelta(days=36500).total_seconds()
