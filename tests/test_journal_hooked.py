"""What hooks were asked for ties their processes together in the journal, belongs to its session, and expires."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsbroker.errors import BrokerError, DeployFailed
from dnsbroker.journal import Attempts, Journal, Lease, Leases, Sessions
from dnsbroker.journal.hooked import LIFE
from dnsbroker.records import Record
from dnsbroker.testing import FakeClock

NAME = "_acme-challenge.example.org."
SESSION = "certbot example.org"


def nobody(run: str) -> bool:
    return False


def everybody(run: str) -> bool:
    return True


class Bench:
    """Sessions and leases over one journal, at a time that a test turns."""

    def __init__(self, state_dir: Path) -> None:
        self.clock = FakeClock()
        self.journal = Journal(state_dir)
        self.sessions = Sessions(self.journal, self.clock)

    def park(self, *values: str, session: str = SESSION) -> int:
        return self.sessions.ask(session, {NAME: frozenset(values)}, {})

    def ask(self, run: str, *values: str, session: str = SESSION) -> int:
        return self.sessions.ask(session, {NAME: frozenset(values)}, {}, run=run)

    def lease(self, run: str, value: str, *, name: str = NAME, expires: float | None = LIFE) -> Lease:
        until = None if expires is None else self.clock.now().timestamp() + expires
        records = [Record(name, "TXT", value)]
        (lease,) = Leases(self.journal, run, self.clock).want("corp", "example.org.", records, ttl=5, expires=until)
        return lease

    def expiry(self, lease: Lease) -> float | None:
        """In how many seconds it expires."""
        (now,) = Leases(self.journal, "", self.clock).by_id([lease.id])
        return None if now.expires is None else round(now.expires - self.clock.now().timestamp())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_parked_values_of_a_session_are_claimed_together_and_once(bench: Bench) -> None:
    """Whoever parked them; a second claim, while the first one's run lives, gets nothing."""
    assert bench.park("a") != bench.park("b")
    assert bench.sessions.claim(SESSION, "one", is_alive=everybody) == {NAME: {"a", "b"}}
    assert bench.sessions.claim(SESSION, "two", is_alive=everybody) == {}
    assert bench.sessions.is_underway(SESSION, "two") and not bench.sessions.is_underway(SESSION, "one")


def test_another_sessions_values_are_not_claimed(bench: Bench) -> None:
    """The negative twin: nor what a run was asked for without parking it."""
    bench.park("theirs", session="certbot other.org")
    bench.ask("dead", "direct")
    assert bench.sessions.claim(SESSION, "one", is_alive=nobody) == {}
    assert not bench.sessions.is_underway(SESSION, "one")


def test_what_a_dead_run_claimed_is_claimed_again_unless_it_came_to_an_end(bench: Bench) -> None:
    """A value that is everywhere is nobody's task any more."""
    bench.park("a")
    bench.sessions.claim(SESSION, "dead", is_alive=everybody)
    assert bench.sessions.claim(SESSION, "next", is_alive=nobody) == {NAME: {"a"}}
    bench.sessions.everywhere("next")
    assert bench.sessions.claim(SESSION, "third", is_alive=nobody) == {}
    assert not bench.sessions.is_underway(SESSION, "third")


def test_a_value_parked_anew_is_to_be_written_anew(bench: Bench) -> None:
    """A CA may hand out the same challenge again after a run that was killed."""
    bench.park("a")
    bench.sessions.claim(SESSION, "one", is_alive=nobody)
    bench.sessions.everywhere("one")
    bench.park("a")
    assert bench.sessions.claim(SESSION, "two", is_alive=everybody) == {NAME: {"a"}}


def test_what_is_parked_expires(bench: Bench) -> None:
    """A call that never came would have written it within the hour."""
    bench.park("stale")
    bench.clock.turn(LIFE - 1)
    bench.park("fresh")
    bench.clock.turn(2)
    assert bench.sessions.claim(SESSION, "one", is_alive=nobody) == {NAME: {"fresh"}}
    bench.sessions.prune()
    assert bench.sessions.values(SESSION) == {NAME: {"fresh"}}


def test_what_was_only_parked_is_forgotten_without_a_word_to_anybody(bench: Bench) -> None:
    """It is not in DNS."""
    bench.park("a")
    assert bench.sessions.unpark({NAME: frozenset({"a"})})
    assert bench.sessions.values(SESSION) == {}


@pytest.mark.parametrize("beside", ["nothing", "claimed", "leased"])
def test_what_may_be_in_dns_is_not_forgotten_so(bench: Bench, beside: str) -> None:
    """The negative twin: one that is unknown, that a run has claimed, or that a lease holds; nor what is with it."""
    values = {NAME: frozenset({"a", "b"})}
    bench.park("a")
    if beside == "claimed":
        bench.sessions.claim(SESSION, "one", is_alive=nobody)
        bench.park("b")
    elif beside == "leased":
        bench.park("b")
        bench.lease("older", "b")
    assert not bench.sessions.unpark(values)
    assert "a" in bench.sessions.values(SESSION)[NAME]


def test_a_lease_is_found_by_its_value_and_name_or_the_run_that_claimed_it(bench: Bench) -> None:
    """An alias leads elsewhere, and may be gone when the value is to go."""
    bench.ask("mine", "a")
    here, there = bench.lease("unknown", "a"), bench.lease("mine", "a", name="x.alias.test.")
    assert bench.sessions.leases(NAME, "a") == (here.id, there.id)


def test_leases_of_others_are_not_found(bench: Bench) -> None:
    """The negative twin: another value, another run's at another name, an issuance's own, and one that is closed."""
    bench.ask("mine", "a")
    bench.lease("mine", "b")
    bench.lease("unknown", "a", name="x.alias.test.")
    bench.lease("mine", "a", expires=None)
    Leases(bench.journal, "mine", bench.clock).withdraw([bench.lease("mine", "a").id])
    assert bench.sessions.leases(NAME, "a") == ()


def test_a_session_that_stumbles_has_only_minutes_left(bench: Bench) -> None:
    """What it was asked for, and the leases of that; what is asked for afterwards has its full time."""
    bench.ask("mine", "a", "b")
    soon, late = bench.lease("mine", "a", expires=60), bench.lease("mine", "b")
    bench.sessions.hasten(SESSION, 300)
    assert (bench.expiry(soon), bench.expiry(late)) == (60, 300)
    bench.ask("next", "b")
    assert bench.expiry(bench.lease("next", "b")) == LIFE
    bench.clock.turn(301)
    bench.sessions.prune()
    assert bench.sessions.values(SESSION) == {NAME: {"b"}}


def test_the_stumbling_of_one_session_is_no_matter_of_another(bench: Bench) -> None:
    """The negative twin; and who has no session has nothing to shorten."""
    bench.ask("theirs", "a", session="certbot other.org")
    bench.ask("none", "b", session="")
    others, none = bench.lease("theirs", "a"), bench.lease("none", "b")
    bench.sessions.hasten(SESSION, 300)
    bench.sessions.hasten("", 300)
    assert bench.expiry(others) == bench.expiry(none) == LIFE


def test_a_token_names_the_latest_value_of_its_session(bench: Bench) -> None:
    """And nothing elsewhere; no token is nobody's."""
    bench.sessions.ask(SESSION, {NAME: frozenset({"v"})}, {"v": "tok"})
    bench.park("untold")
    assert bench.sessions.name_of(SESSION, "tok") == NAME
    assert (bench.sessions.name_of("other", "tok"), bench.sessions.name_of(SESSION, "")) == ("", "")


def test_failures_are_told_once_each_and_for_a_day(bench: Bench) -> None:
    """With the certificate, where there is one."""
    error = DeployFailed("reload failed", certificate="example.org", steps=["reload nginx"], hint="start it")
    for _ in range(2):
        bench.sessions.failed(SESSION, error)
    bench.sessions.failed("", BrokerError("whose?"))
    bench.sessions.failed("other", BrokerError("theirs"))
    (failed,) = bench.sessions.failures(SESSION)
    assert (failed.kind, failed.message, failed.hint, failed.certificate) == (
        *("not-deployed", "reload failed", "start it"),
        "example.org",
    )
    assert bench.sessions.failures("") == ()
    bench.clock.turn(24 * 3600 + 1)
    assert bench.sessions.failures(SESSION) == ()


def test_a_session_that_has_ended_is_forgotten_and_no_other(bench: Bench) -> None:
    """Its leases stay what they are."""
    bench.ask("mine", "a")
    lease = bench.lease("mine", "a")
    bench.ask("theirs", "b", session="other")
    for session in (SESSION, "other"):
        bench.sessions.failed(session, BrokerError("no"))
    bench.sessions.end(SESSION)
    assert (bench.sessions.values(SESSION), bench.sessions.failures(SESSION)) == ({}, ())
    assert bench.sessions.values("other") and bench.sessions.failures("other")
    assert bench.expiry(lease) == LIFE


def test_an_empty_session_has_no_values_of_its_own(bench: Bench) -> None:
    """What clients ask for who cannot be told apart is not taken for one client's."""
    bench.ask("one", "a", session="")
    assert bench.sessions.values("") == {}


def test_a_sessions_failures_are_no_certificates(bench: Bench) -> None:
    """They are counted under a name that no certificate can have."""
    attempts = Attempts(bench.journal, bench.clock)
    attempts.failed(f"hook {SESSION}", BrokerError("no"))
    assert attempts.of("example.org") is None and attempts.of(SESSION) is None
