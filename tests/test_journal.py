"""The journal keeps every value that is, or may be, in DNS, across processes and their deaths."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from dnsbroker.errors import StoreError
from dnsbroker.journal import Answers, FileLock, Journal, Lease, Leases, Run, Runs, State
from dnsbroker.records import Record
from dnsbroker.testing import FakeClock

ZONE = "example.org."
NAME = "_acme-challenge.example.org."


def record(value: str) -> Record:
    return Record(NAME, "TXT", value)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def leases(tmp_path: Path, clock: FakeClock) -> Leases:
    return Leases(Journal(tmp_path), "run-1", clock)


def alive(run: str) -> bool:
    return True


def dead(run: str) -> bool:
    return False


def present(leases: Leases, value: str) -> Lease:
    """A lease whose value was written, with a receipt."""
    (lease,) = leases.want("corp", ZONE, [record(value)], ttl=5)
    taken = leases.take("corp", ZONE, is_alive=alive)
    leases.written(taken, serial=7)
    return leases.by_id([lease.id])[0]


def test_a_value_is_written_down_before_it_is_sent(leases: Leases) -> None:
    """What is wanted stands in the journal, and is what a flush takes."""
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    assert lease.state is State.WANTED
    assert [item.record.value for item in leases.take("corp", ZONE, is_alive=alive)] == ["a"]
    assert leases.by_id([lease.id])[0].state is State.SENDING


def test_a_receipt_makes_it_present_and_a_second_one_closes_it(leases: Leases) -> None:
    """The whole life of a lease."""
    lease = present(leases, "a")
    assert (lease.state, lease.serial) == (State.PRESENT, 7)
    leases.withdraw([lease.id])
    leases.written(leases.take("corp", ZONE, is_alive=alive), serial=8)
    assert leases.by_id([lease.id])[0].state is State.CLOSED
    assert leases.open() == ()


def test_what_was_never_sent_is_closed_without_a_write(leases: Leases) -> None:
    """A run that ends before its flush leaves nothing to do."""
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    leases.withdraw([lease.id])
    assert leases.take("corp", ZONE, is_alive=alive) == ()


def test_a_write_without_receipt_stays_suspect_for_its_time(leases: Leases, clock: FakeClock) -> None:
    """A removal proves nothing while the first request may still be under way at the service."""
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    taken = leases.take("corp", ZONE, is_alive=alive)
    leases.sent(taken, clock.now().timestamp() + 10)
    leases.withdraw([lease.id])
    leases.written(leases.take("corp", ZONE, is_alive=alive), serial=8)
    assert leases.by_id([lease.id])[0].state is State.UNWANTED
    clock.turn(11)
    leases.written(leases.take("corp", ZONE, is_alive=alive), serial=8)
    assert leases.by_id([lease.id])[0].state is State.CLOSED


def test_the_first_request_is_suspected_in_the_transaction_that_takes(leases: Leases, clock: FakeClock) -> None:
    """Killed between the two, the run has left it so; a withdrawal needs no such doubt."""
    until = clock.now().timestamp() + 10
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    (taken,) = leases.take("corp", ZONE, is_alive=alive, may_act_until=until)
    assert (taken.suspect_until, leases.by_id([lease.id])[0].suspect_until) == (None, until)
    leases.written([taken], serial=7)
    leases.withdraw([lease.id])
    leases.take("corp", ZONE, is_alive=alive, may_act_until=until)
    assert leases.by_id([lease.id])[0].suspect_until is None


def test_what_an_earlier_write_may_still_do_is_not_forgotten_over_a_refusal(leases: Leases, clock: FakeClock) -> None:
    """The last attempt certainly did nothing; the one before, of a process that died over it, perhaps."""
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    until = clock.now().timestamp() + 10
    leases.sent(leases.take("corp", ZONE, is_alive=alive), until)
    again = leases.take("corp", ZONE, is_alive=alive)
    leases.sent(again, until + 5)
    leases.unsent(again, "refused", certainly=True)
    (left,) = leases.by_id([lease.id])
    assert (left.state, left.suspect_until) == (State.UNWANTED, until)


def test_a_withdrawal_during_the_write_is_not_lost(leases: Leases) -> None:
    """A value withdrawn while it is sent is unwanted when its receipt comes, not present."""
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    taken = leases.take("corp", ZONE, is_alive=alive)
    leases.withdraw([lease.id])
    leases.written(taken, serial=7)
    assert leases.by_id([lease.id])[0].state is State.UNWANTED


def test_a_value_that_two_want_stays_until_the_second_lets_go(leases: Leases) -> None:
    """One of two holders withdraws: nothing is sent, the value is still wanted."""
    first, second = present(leases, "same"), present(leases, "same")
    leases.withdraw([first.id])
    assert leases.take("corp", ZONE, is_alive=alive) == ()
    leases.withdraw([second.id])
    assert len(leases.take("corp", ZONE, is_alive=alive)) == 1


def test_a_value_that_stood_there_before_is_never_withdrawn(leases: Leases) -> None:
    """Somebody else's value, presented again by us, is not ours to take."""
    (lease,) = leases.want("corp", ZONE, [record("theirs")], ttl=5, found=[record("theirs")])
    assert lease.foreign
    leases.withdraw([lease.id])
    assert leases.take("corp", ZONE, is_alive=alive) == ()


def test_a_value_of_ours_that_stands_is_not_taken_for_foreign(leases: Leases) -> None:
    """The negative twin: what stands by a lease of ours is ours."""
    present(leases, "ours")
    (again,) = leases.want("corp", ZONE, [record("ours")], ttl=5, expires=9e9, found=[record("ours")])
    assert not again.foreign


def test_a_dead_runs_wishes_are_not_fulfilled_but_swept(tmp_path: Path, clock: FakeClock) -> None:
    """Nobody waits for a dead run's value: it is not sent, and its lease is swept."""
    journal = Journal(tmp_path)
    theirs, ours = Leases(journal, "dead", clock), Leases(journal, "ours", clock)
    theirs.want("corp", ZONE, [record("a")], ttl=5)
    assert ours.take("corp", ZONE, is_alive=dead) == ()
    assert [lease.run for lease in ours.sweepable(dead)] == ["dead"]
    assert ours.sweepable(alive) == ()


def test_an_expiry_counts_once_the_run_that_wrote_is_dead(tmp_path: Path, clock: FakeClock) -> None:
    """It may still wait for its value; of its own it knows itself, and before its time nothing is over."""
    journal = Journal(tmp_path)
    theirs, ours = Leases(journal, "theirs", clock), Leases(journal, "ours", clock)
    for leases in (theirs, ours):
        leases.want("corp", ZONE, [record("a")], ttl=5, expires=clock.now().timestamp() + 60)
    assert ours.sweepable(dead) == ()
    clock.turn(61)
    assert [lease.run for lease in ours.sweepable(alive)] == ["ours"]
    assert [lease.run for lease in ours.sweepable(dead)] == ["theirs", "ours"]


def test_another_live_runs_wishes_are_sent_along(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever holds the zone's lock writes for all."""
    journal = Journal(tmp_path)
    Leases(journal, "other", clock).want("corp", ZONE, [record("a")], ttl=5)
    ours = Leases(journal, "ours", clock)
    ours.want("corp", ZONE, [record("b")], ttl=5)
    assert {lease.record.value for lease in ours.take("corp", ZONE, is_alive=alive)} == {"a", "b"}


def test_what_expires_goes_by_that_alone(tmp_path: Path, clock: FakeClock) -> None:
    """A hook's process is gone at once; its value lives until it expires."""
    journal = Journal(tmp_path)
    Leases(journal, "hook", clock).want("corp", ZONE, [record("a")], ttl=5, expires=clock.now().timestamp() + 60)
    ours = Leases(journal, "ours", clock)
    assert ours.sweepable(dead) == ()
    clock.turn(61)
    assert len(ours.sweepable(dead)) == 1


def test_a_killed_process_is_dead_and_a_living_one_is_not(tmp_path: Path) -> None:
    """The kernel gives the lock back at SIGKILL."""
    program = (
        "import sys, pathlib\n"
        "from dnsbroker.clock import SystemClock\n"
        "from dnsbroker.journal import Run\n"
        "with Run(pathlib.Path(sys.argv[1]), SystemClock()) as run:\n"
        "    print(run.id, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdin is not None
    run = child.stdout.readline().strip()
    assert Runs(tmp_path).is_alive(run)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    child.stdin.close()
    assert not Runs(tmp_path).is_alive(run)


def test_our_own_run_is_alive_and_then_gone(tmp_path: Path, clock: FakeClock) -> None:
    """A run that ends takes its lock file with it."""
    with Run(tmp_path, clock) as run:
        assert Runs(tmp_path).is_alive(run.id)
    assert not (tmp_path / "runs" / run.id).exists()


def test_one_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    """The second one is told no, and who has it."""
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.try_acquire()
    assert not second.try_acquire()
    assert second.holder() == os.getpid()
    first.release()
    assert second.try_acquire()
    second.release()


def test_the_journal_is_ours_alone(tmp_path: Path) -> None:
    """Nobody else may read what is in the journal, whatever the umask."""
    before = os.umask(0)
    try:
        Journal(tmp_path).close()
    finally:
        os.umask(before)
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    """What a newer program wrote is not guessed at."""
    Journal(tmp_path).close()
    database = sqlite3.connect(tmp_path / "state.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="newer dnsbroker"):
        Journal(tmp_path)


def test_a_damaged_journal_is_an_error_that_names_it(tmp_path: Path) -> None:
    """No traceback, and the file is named."""
    (tmp_path / "state.db").write_text("this is no database, and long enough to be looked at " * 20)
    with pytest.raises(StoreError, match=r"state\.db"):
        Journal(tmp_path)


def test_a_moment_that_a_wrong_clock_wrote_down_is_not_waited_for(tmp_path: Path, clock: FakeClock) -> None:
    """The clock was a day ahead and has been set right: no request and no denial lasts that long."""
    journal = Journal(tmp_path)
    leases, answers = Leases(journal, "run-1", clock), Answers(journal)
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    tomorrow = clock.now() + timedelta(days=1)
    leases.sent(leases.take("corp", ZONE, is_alive=alive), tomorrow.timestamp())
    answers.deny(NAME, tomorrow)
    leases.prune()
    suspect_until = leases.by_id([lease.id])[0].suspect_until
    assert suspect_until == (clock.now() + timedelta(minutes=4)).timestamp()
    assert answers.denied_until(NAME) == clock.now() + timedelta(hours=1)


def test_a_moment_that_can_be_right_is_left_as_it_is(tmp_path: Path, clock: FakeClock) -> None:
    """The negative twin: a request under way and a fresh denial are still outlasted."""
    journal = Journal(tmp_path)
    leases, answers = Leases(journal, "run-1", clock), Answers(journal)
    (lease,) = leases.want("corp", ZONE, [record("a")], ttl=5)
    soon = clock.now() + timedelta(seconds=30)
    leases.sent(leases.take("corp", ZONE, is_alive=alive), soon.timestamp())
    answers.deny(NAME, soon)
    leases.prune()
    assert leases.by_id([lease.id])[0].suspect_until == soon.timestamp()
    assert answers.denied_until(NAME) == soon


class TestAnswers:
    """What the CA may still hold."""

    def test_the_first_values_at_a_name_are_held_back_for_nothing(
        self, tmp_path: Path, leases: Leases, clock: FakeClock
    ) -> None:
        """Nothing of ours stood there: no older answer can be about."""
        lease = present(leases, "a")
        answers = Answers(Journal(tmp_path))
        assert answers.stale_until(NAME, "TXT", [lease.id], clock.now(), 5) is None

    def test_values_that_left_within_a_ttl_hold_the_next_ones(
        self, tmp_path: Path, leases: Leases, clock: FakeClock
    ) -> None:
        """The CA may have cached the old set just before it left."""
        old = present(leases, "old")
        leases.withdraw([old.id])
        leases.written(leases.take("corp", ZONE, is_alive=alive), serial=8)
        clock.turn(3)
        new = present(leases, "new")
        answers = Answers(Journal(tmp_path))
        assert answers.stale_until(NAME, "TXT", [new.id], clock.now(), 5) == clock.now() + timedelta(seconds=6)
        assert answers.stale_until(NAME, "TXT", [new.id], clock.now(), 2) is None

    def test_a_cache_that_counts_whole_seconds_is_outlasted(
        self, tmp_path: Path, leases: Leases, clock: FakeClock
    ) -> None:
        """What it took late in a second it keeps, of a TTL of five, for nearly six."""
        old = present(leases, "old")
        leases.withdraw([old.id])
        leases.written(leases.take("corp", ZONE, is_alive=alive), serial=8)
        clock.turn(5.4)
        new = present(leases, "new")
        answers = Answers(Journal(tmp_path))
        assert answers.stale_until(NAME, "TXT", [new.id], clock.now(), 5) is not None
        clock.turn(0.7)
        assert answers.stale_until(NAME, "TXT", [new.id], clock.now(), 5) is None

    def test_values_that_still_stand_hold_the_next_ones(self, tmp_path: Path, leases: Leases, clock: FakeClock) -> None:
        """Another run's value, written before, may be cached without ours."""
        present(leases, "other")
        clock.turn(100)
        new = present(leases, "new")
        assert Answers(Journal(tmp_path)).stale_until(NAME, "TXT", [new.id], clock.now(), 5) is not None

    def test_values_of_the_same_or_a_later_write_do_not(self, tmp_path: Path, leases: Leases, clock: FakeClock) -> None:
        """Whoever saw those saw ours too."""
        first, second = leases.want("corp", ZONE, [record("a"), record("b")], ttl=5)
        leases.written(leases.take("corp", ZONE, is_alive=alive), serial=7)
        present(leases, "later")
        answers = Answers(Journal(tmp_path))
        assert answers.stale_until(NAME, "TXT", [first.id], clock.now(), 5) is None
        assert answers.stale_until(NAME, "TXT", [second.id], clock.now(), 5) is None

    def test_values_for_which_the_ca_was_never_asked_hold_nothing(
        self, tmp_path: Path, leases: Leases, clock: FakeClock
    ) -> None:
        """A run that gave up waiting must not make the next one wait as long again, for ever."""
        old = present(leases, "old")
        answers = Answers(Journal(tmp_path))
        answers.never_asked([old.id])
        new = present(leases, "new")
        assert answers.stale_until(NAME, "TXT", [new.id], clock.now(), 3600) is None

    def test_a_denial_holds_until_its_time(self, tmp_path: Path, leases: Leases, clock: FakeClock) -> None:
        """After an NXDOMAIN at the CA, its negative TTL has to run out."""
        lease = present(leases, "a")
        answers = Answers(Journal(tmp_path))
        answers.deny(NAME, clock.now() + timedelta(seconds=30))
        assert answers.stale_until(NAME, "TXT", [lease.id], clock.now(), 5) == clock.now() + timedelta(seconds=30)
        clock.turn(31)
        assert answers.stale_until(NAME, "TXT", [lease.id], clock.now(), 5) is None
