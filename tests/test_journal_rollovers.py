"""What is remembered for DANE between runs: RRsets seen, clocks, steps, endpoints, and what was served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnsbroker.errors import StoreError
from dnsbroker.journal import Journal, Progress, Published, Rollovers, Served, Sight, StepTaken
from dnsbroker.testing import FakeClock

OWNER = "_25._tcp.mail.example.test."
ENDPOINT = "smtp://mail.example.test"
OLD, NEW = "3 1 1 " + "aa" * 32, "3 1 1 " + "bb" * 32
DAY = 86400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def rollovers(tmp_path: Path, clock: FakeClock) -> Rollovers:
    return Rollovers(Journal(tmp_path), clock)


def sight(clock: FakeClock, *records: str, server: str = "192.0.2.1", is_current: bool = True, age: float = 0) -> Sight:
    """One that was seen just once, so many seconds ago."""
    moment = clock.now().timestamp() - age
    return Sight(server, frozenset(records), 3600, moment, moment, is_current)


def test_what_was_seen_is_known_to_another_process(tmp_path: Path, clock: FakeClock) -> None:
    """Records, TTL and moments as they were; another owner has none of it."""
    seen = [sight(clock, OLD, age=9.125), sight(clock, OLD, NEW, server="2001:db8::1"), sight(clock, server="")]
    Rollovers(Journal(tmp_path), clock).keep_sights(OWNER, seen)
    again = Rollovers(Journal(tmp_path), clock)
    assert set(again.sights(OWNER)) == set(seen)
    assert again.sights(OWNER)[0] == seen[0]
    assert again.sights("_25._tcp.other.example.test.") == ()


def test_a_sight_that_goes_on_is_replaced(rollovers: Rollovers, clock: FakeClock) -> None:
    """Not kept twice."""
    seen = sight(clock, OLD)
    rollovers.keep_sights(OWNER, [seen])
    longer = replace(seen, last=seen.last + 60)
    rollovers.keep_sights(OWNER, [longer])
    assert rollovers.sights(OWNER) == (longer,)


def test_the_same_rrset_seen_a_second_time_is_a_sight_of_its_own(rollovers: Rollovers, clock: FakeClock) -> None:
    """It had gone, and came back: both times are known."""
    early, late = sight(clock, OLD, is_current=False, age=500), sight(clock, OLD)
    rollovers.keep_sights(OWNER, [early, late])
    assert rollovers.sights(OWNER) == (early, late)


def test_a_ttl_that_changes_is_a_sight_of_its_own(rollovers: Rollovers, clock: FakeClock) -> None:
    """Even at the same moment: caches may have the longer one."""
    long, short = sight(clock, OLD, is_current=False), replace(sight(clock, OLD), ttl=60)
    rollovers.keep_sights(OWNER, [long, short])
    assert set(rollovers.sights(OWNER)) == {long, short}


def test_what_is_believed_no_more_is_history(rollovers: Rollovers, clock: FakeClock) -> None:
    """It would come back to life otherwise, when the next process reads it. Another owner's is not touched."""
    old, other = sight(clock, OLD, age=DAY), sight(clock, OLD)
    rollovers.keep_sights("_443._tcp.example.test.", [other])
    rollovers.keep_sights(OWNER, [old])
    rollovers.keep_sights(OWNER, [sight(clock, NEW)])
    told = [(sorted(one.records), one.is_current) for one in rollovers.sights(OWNER)]
    assert told == [([OLD], False), ([NEW], True)]
    assert rollovers.sights("_443._tcp.example.test.") == (other,)


def test_a_current_sight_is_told_whatever_its_age(rollovers: Rollovers, clock: FakeClock) -> None:
    """Its server has been silent for long, and may come back with it. One that is over is told up to a moment."""
    current, over = sight(clock, OLD, age=900 * DAY), sight(clock, NEW, is_current=False, age=DAY)
    rollovers.keep_sights(OWNER, [current, over])
    now = clock.now().timestamp()
    assert rollovers.sights(OWNER, now) == (current,)
    assert rollovers.sights(OWNER, now - DAY) == (current, over)


def test_sights_of_more_than_a_year_ago_are_forgotten(rollovers: Rollovers, clock: FakeClock) -> None:
    """Those of a year ago are not."""
    young, old = (sight(clock, OLD, is_current=False, age=days * DAY) for days in (399, 401))
    rollovers.keep_sights(OWNER, [old, young])
    assert rollovers.sights(OWNER) == (young,)


def test_clocks_are_exactly_those_kept_last(rollovers: Rollovers) -> None:
    """A record that vanished anywhere has none, and none is made up for an owner nobody looked at."""
    assert rollovers.clocks(OWNER) == {}
    assert not rollovers.was_whole(OWNER)
    rollovers.keep_clocks(OWNER, {OLD: 10.5, NEW: 20.0}, is_whole=True)
    assert rollovers.clocks(OWNER) == {OLD: 10.5, NEW: 20.0}
    assert rollovers.was_whole(OWNER)
    rollovers.keep_clocks(OWNER, {NEW: 20.0}, is_whole=False)
    assert rollovers.clocks(OWNER) == {NEW: 20.0}
    assert not rollovers.was_whole(OWNER)
    assert rollovers.clocks("_443._tcp.example.test.") == {}


PROGRESS = Progress("example.test", "published", 100.0, "ns2 does not have it yet", until=200.0)


def test_progress_is_kept_whole(tmp_path: Path, clock: FakeClock) -> None:
    """Each field of it, across processes."""
    full = Progress(
        "mail",
        "stuck",
        1.5,
        "taken back",
        None,
        True,
        True,
        2.5,
        "0a1b",
        3.5,
        "ab",
        ("no signatures", "one is foreign"),
    )
    rollovers = Rollovers(Journal(tmp_path), clock)
    rollovers.keep_progress(full)
    rollovers.keep_progress(PROGRESS)
    again = Rollovers(Journal(tmp_path), clock)
    assert again.progress("mail") == full
    assert again.all_progress() == (PROGRESS, full)
    assert again.progress("other.test") is None


def test_a_step_is_in_the_history_once(rollovers: Rollovers, clock: FakeClock) -> None:
    """Not again while it is the same for the same reason, whatever else is different."""
    began = clock.now().timestamp()
    rollovers.keep_progress(PROGRESS)
    clock.turn(60)
    rollovers.keep_progress(replace(PROGRESS, until=300.0, is_asked=True))
    clock.turn(60)
    rollovers.keep_progress(replace(PROGRESS, reason="ns3 does not have it yet"))
    rollovers.keep_progress(replace(PROGRESS, step="ripe", reason="it may be ordered for"))
    assert rollovers.steps("example.test") == (
        StepTaken(began, "published", "ns2 does not have it yet"),
        StepTaken(began + 120, "published", "ns3 does not have it yet"),
        StepTaken(began + 120, "ripe", "it may be ordered for"),
    )
    assert rollovers.steps("other.test") == ()


def test_steps_of_more_than_a_year_ago_are_forgotten(rollovers: Rollovers, clock: FakeClock) -> None:
    """Where the roll-over stands is not, however long ago that was."""
    rollovers.keep_progress(PROGRESS)
    clock.turn(401 * DAY)
    rollovers.keep_progress(replace(PROGRESS, certificate="other.test"))
    assert rollovers.steps("example.test") == ()
    assert rollovers.progress("example.test") == PROGRESS


def test_a_certificate_that_nobody_looks_after_has_no_progress(rollovers: Rollovers) -> None:
    """Its history is there still; forgetting twice does no harm."""
    rollovers.keep_progress(PROGRESS)
    for _ in range(2):
        rollovers.forget_progress("example.test")
    assert rollovers.all_progress() == ()
    assert len(rollovers.steps("example.test")) == 1


def test_endpoints_are_known_until_they_are_forgotten(rollovers: Rollovers) -> None:
    """A withdrawn one as well: caches may hold its records."""
    mail = Published(ENDPOINT, (OWNER, "_25._tcp.alias.example.test."), ("example.test", "/etc/tls/x.pem"))
    web = Published(
        "https://example.test", ("_443._tcp.example.test.",), ("example.test",), True, 5000.5, ("192.0.2.1",)
    )
    for one in (mail, replace(web, is_withdrawn=False), web):
        rollovers.keep_published(one)
    assert rollovers.published() == (web, mail)
    rollovers.forget_published(web.endpoint)
    rollovers.forget_published(web.endpoint)
    assert rollovers.published() == (mail,)


def see(rollovers: Rollovers, clock: FakeClock, *pairs: tuple[str, str]) -> float:
    """Look once a minute; the moment of the look."""
    clock.turn(60)
    rollovers.see(ENDPOINT, pairs, clock.now().timestamp())
    return clock.now().timestamp()


def test_a_key_is_served_from_the_first_sight_to_the_last(rollovers: Rollovers, clock: FakeClock) -> None:
    """Two keys of two algorithms beside each other, and one that comes back after another."""
    first = see(rollovers, clock, ("a", "rsa"), ("a", "ec"), ("b", "ec"))
    second = see(rollovers, clock, ("a", "rsa"), ("a", "ec"))
    third = see(rollovers, clock, ("a", "new"), ("b", "ec"))
    fourth = see(rollovers, clock, ("a", "ec"))
    assert rollovers.served(ENDPOINT) == (
        Served(ENDPOINT, "a", "ec", first, second),
        Served(ENDPOINT, "a", "rsa", first, second),
        Served(ENDPOINT, "b", "ec", first, third),
        Served(ENDPOINT, "a", "new", third, third),
        Served(ENDPOINT, "a", "ec", fourth, fourth),
    )
    assert rollovers.served("https://example.test") == ()


def test_a_look_while_the_clock_was_ahead_does_not_hide_later_ones(rollovers: Rollovers, clock: FakeClock) -> None:
    """No key would ever be served for longer than a moment, or by the word of that look for ever."""
    first = see(rollovers, clock, ("a", "old"), ("b", "old"))
    clock.turn(365 * DAY)
    see(rollovers, clock, ("a", "old"), ("b", "old"))
    clock.turn(-365 * DAY)
    second = see(rollovers, clock, ("a", "new"), ("b", "old"))
    third = see(rollovers, clock, ("a", "new"), ("b", "old"))
    assert set(rollovers.served(ENDPOINT)) == {
        Served(ENDPOINT, "a", "old", first, second),
        Served(ENDPOINT, "a", "new", second, third),
        Served(ENDPOINT, "b", "old", first, third),
    }


def test_what_was_served_more_than_a_year_ago_is_forgotten(rollovers: Rollovers, clock: FakeClock) -> None:
    """What goes on is not."""
    see(rollovers, clock, ("a", "old"), ("b", "same"))
    clock.turn(399 * DAY)
    see(rollovers, clock, ("b", "same"))
    clock.turn(2 * DAY)
    see(rollovers, clock, ("a", "new"))
    assert [one.spki_sha256 for one in rollovers.served(ENDPOINT)] == ["same", "new"]


def test_who_only_looks_writes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """It reads what is there, and an empty journal where there is none."""
    assert Rollovers(Journal(tmp_path, create=False), clock).sights(OWNER) == ()
    Rollovers(Journal(tmp_path), clock).keep_progress(PROGRESS)
    looking = Rollovers(Journal(tmp_path, create=False), clock)
    assert looking.progress("example.test") == PROGRESS
    with pytest.raises(StoreError):
        looking.keep_progress(replace(PROGRESS, step="ripe"))
