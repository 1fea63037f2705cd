"""Failures in a row are counted across processes, tried again ever more seldom, and never up to the CA's own limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsbroker.errors import BrokerError, ConfigError, StoreError
from dnsbroker.journal import Attempts, Journal, spacing
from dnsbroker.testing import FakeClock

NAME = "example.org"
CA = "https://ca.test/dir"
MINUTE = timedelta(minutes=1)
ERROR = BrokerError("the CA said no", hint="ask it why")


class Bench:
    """One journal, opened anew for each question, as by another process."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.clock = FakeClock()

    @property
    def attempts(self) -> Attempts:
        return Attempts(Journal(self.state_dir), self.clock, lambda: 0.5)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 10), (3, 100), (4, 24 * 60), (5, 24 * 60), (400, 24 * 60)]
)
def test_the_time_between_attempts_grows_to_a_day(failures: int, minutes: int) -> None:
    """One, ten, a hundred minutes, then daily."""
    assert spacing(failures, 0.5) == minutes * MINUTE


@pytest.mark.parametrize("failures", [1, 2, 3, 4])
def test_the_jitter_is_a_tenth_either_way(failures: int) -> None:
    """Hosts that failed together do not come back together, and none comes much later."""
    middle = spacing(failures, 0.5)
    assert spacing(failures, 0.0) == middle * 0.9
    assert spacing(failures, 1.0) == middle * 1.1


def test_a_series_is_counted_across_processes(bench: Bench) -> None:
    """With when it began, and the last error."""
    begun = bench.clock.now()
    bench.attempts.failed(NAME, BrokerError("first"))
    bench.clock.turn(120)
    known = bench.attempts.failed(NAME, ERROR)
    assert bench.attempts.of(NAME) == known
    assert (known.certificate, known.failures, known.since, known.last) == (NAME, 2, begun, bench.clock.now())
    assert known.next_try == bench.clock.now() + 10 * MINUTE
    assert (known.kind, known.message, known.hint) == ("error", "the CA said no", "ask it why")


def test_a_success_ends_the_series(bench: Bench) -> None:
    """The next failure is the first of another."""
    bench.attempts.failed(NAME, ERROR)
    bench.attempts.succeeded(NAME)
    assert bench.attempts.of(NAME) is None
    bench.clock.turn(3600)
    known = bench.attempts.failed(NAME, ERROR)
    assert (known.failures, known.since) == (1, bench.clock.now())


def test_another_certificates_success_does_not(bench: Bench) -> None:
    """The negative twin."""
    bench.attempts.failed(NAME, ERROR)
    bench.attempts.succeeded("other.example")
    assert bench.attempts.of(NAME) is not None


def test_a_mistake_is_tried_again_at_once(bench: Bench) -> None:
    """Nobody was contacted, and waiting mends nothing; how often it was in the way is counted."""
    bench.attempts.mistaken(NAME, ConfigError("no such group", hint="name another"))
    bench.clock.turn(3600)
    known = bench.attempts.mistaken(NAME, ConfigError("no such group", hint="name another"))
    assert (known.is_mistake, known.failures, known.next_try) == (True, 2, bench.clock.now())
    assert (known.kind, known.message, known.hint) == ("config", "no such group", "name another")
    assert bench.attempts.of(NAME) == known


def test_mistakes_make_no_later_failure_wait_longer(bench: Bench) -> None:
    """Once it is mended, the first failure is the first; and the other way round."""
    for _ in range(9):
        bench.attempts.mistaken(NAME, ConfigError("wrong"))
    known = bench.attempts.failed(NAME, ERROR)
    assert (known.is_mistake, known.failures, known.next_try - known.last) == (False, 1, MINUTE)
    assert bench.attempts.mistaken(NAME, ConfigError("wrong")).failures == 1


def test_a_mistake_is_one_when_the_clock_was_ahead_too(bench: Bench) -> None:
    """It was a year ahead, and has been set right."""
    bench.clock.turn(timedelta(days=365).total_seconds())
    bench.attempts.mistaken(NAME, ConfigError("wrong"))
    bench.clock.turn(-timedelta(days=365).total_seconds() + 0.3)
    known = bench.attempts.of(NAME)
    assert known is not None and known.is_mistake and known.last == bench.clock.now()


def test_a_clock_that_was_ahead_makes_nobody_wait_for_it(bench: Bench) -> None:
    """It was a year ahead, and has been set right: what was spaced by a minute is."""
    bench.clock.turn(timedelta(days=365).total_seconds())
    bench.attempts.failed(NAME, ERROR)
    bench.clock.turn(-timedelta(days=365).total_seconds())
    known = bench.attempts.of(NAME)
    assert known is not None
    assert (known.since, known.next_try) == (bench.clock.now(), bench.clock.now() + MINUTE)
    bench.clock.turn(61)
    again = bench.attempts.of(NAME)
    assert again is not None and again.next_try < bench.clock.now()


def test_a_clock_that_was_set_back_a_little_changes_nothing(bench: Bench) -> None:
    """The negative twin: clocks are set by seconds every day."""
    known = bench.attempts.failed(NAME, ERROR)
    bench.clock.turn(-2)
    assert bench.attempts.of(NAME) == known


def test_four_failed_validations_within_an_hour_are_enough(bench: Bench) -> None:
    """The fifth is the CA's limit; it is free again an hour after the first."""
    first = bench.clock.now()
    for _ in range(4):
        bench.attempts.validation_failed(CA, [NAME])
        bench.clock.turn(60)
    assert bench.attempts.validations_free_at(CA, [NAME, "www.example.org"]) == first + timedelta(hours=1)


def test_three_are_not(bench: Bench) -> None:
    """The negative twin."""
    for _ in range(3):
        bench.attempts.validation_failed(CA, [NAME])
    assert bench.attempts.validations_free_at(CA, [NAME]) is None


def test_validations_of_long_ago_do_not_count(bench: Bench) -> None:
    """Nor are they kept."""
    for _ in range(4):
        bench.attempts.validation_failed(CA, [NAME])
        bench.clock.turn(1200)
    assert bench.attempts.validations_free_at(CA, [NAME]) is None
    bench.clock.turn(7200)
    bench.attempts.validation_failed(CA, [NAME])
    assert len(Journal(bench.state_dir).rows("SELECT * FROM failed_validation")) == 1


def test_each_name_and_each_ca_is_counted_by_itself(bench: Bench) -> None:
    """As the CA counts them."""
    for _ in range(4):
        bench.attempts.validation_failed(CA, [NAME])
    assert bench.attempts.validations_free_at("https://other.test/dir", [NAME]) is None
    assert bench.attempts.validations_free_at(CA, ["www.example.org"]) is None


def test_the_last_of_several_names_to_be_free_is_waited_for(bench: Bench) -> None:
    """An order needs all of them."""
    for _ in range(4):
        bench.attempts.validation_failed(CA, [NAME])
    bench.clock.turn(600)
    for _ in range(4):
        bench.attempts.validation_failed(CA, ["www.example.org"])
    expected = bench.clock.now() + timedelta(hours=1)
    assert bench.attempts.validations_free_at(CA, [NAME, "www.example.org"]) == expected


def test_what_a_wrong_clock_counted_holds_nobody(bench: Bench) -> None:
    """Validations of next year have not failed."""
    bench.clock.turn(timedelta(days=365).total_seconds())
    for _ in range(4):
        bench.attempts.validation_failed(CA, [NAME])
    bench.clock.turn(-timedelta(days=365).total_seconds())
    assert bench.attempts.validations_free_at(CA, [NAME]) is None


def test_no_journal_is_an_error_of_the_store(bench: Bench) -> None:
    """Like everything about it."""
    attempts = bench.attempts
    (bench.state_dir / "state.db").write_text("no database at all, and long enough to be seen as none " * 40)
    with pytest.raises(StoreError):
        attempts.failed(NAME, ConfigError("wrong"))


def test_moments_are_aware(bench: Bench) -> None:
    """In UTC, wherever the host is."""
    known = bench.attempts.failed(NAME, ERROR)
    assert {moment.tzinfo for moment in (known.since, known.last, known.next_try)} == {UTC}
    assert known.since == datetime(2026, 11, 20, 12, tzinfo=UTC)
