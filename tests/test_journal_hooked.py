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
    """Whoever parked them; a second claim gets nothing."""
    assert bench.park("a") != bench.park("b")
    assert bench.sessions.claim([SESSION], "one") == {NAME: {"a", "b"}}
    assert bench.sessions.claim([SESSION], "two") == {}


def test_another_sessions_values_are_not_claimed(bench: Bench) -> None:
    """The negative twin: nor what a run was asked for without parking it."""
    bench.park("theirs", session="certbot other.org")
    bench.ask("dead", "direct")
    assert bench.sessions.claim([SESSION], "one") == {}


def test_a_value_parked_anew_is_to_be_written_anew(bench: Bench) -> None:
    """A CA may hand out the same challenge again after a run that was killed."""
    bench.park("a")
    bench.sessions.claim([SESSION], "one")
    bench.park("a")
    assert bench.sessions.claim([SESSION], "two") == {NAME: {"a"}}


def test_what_is_superseded_is_forgotten_where_it_was_parked_and_over_where_it_stands(bench: Bench) -> None:
    """A lease is found by its session as long as it stands."""
    bench.park("parked")
    bench.ask("dead", "written")
    lease = bench.lease("dead", "written")
    bench.sessions.supersede(SESSION)
    bench.sessions.prune()
    assert bench.sessions.values(SESSION) == {NAME: {"written"}}
    assert bench.expiry(lease) == 0
    Leases(bench.journal, "next", bench.clock).withdraw([lease.id])
    bench.journal.rows("UPDATE lease SET state = 'closed' RETURNING id")
    bench.sessions.prune()
    assert bench.sessions.values(SESSION) == {}


def test_nobody_else_is_superseded(bench: Bench) -> None:
    """The negative twin."""
    bench.park("parked", session="certbot other.org")
    bench.ask("theirs", "written", session="certbot other.org")
    lease = bench.lease("theirs", "written")
    bench.sessions.supersede(SESSION)
    assert bench.sessions.values("certbot other.org") == {NAME: {"parked", "written"}}
    assert bench.expiry(lease) == LIFE


def test_what_is_everywhere_has_its_full_time_from_then_on(bench: Bench) -> None:
    """With what its session has had before, so that the first of many names outlasts the wait for the last."""
    bench.ask("before", "a")
    bench.ask("mine", "b")
    leases = bench.lease("before", "a"), bench.lease("mine", "b")
    bench.clock.turn(LIFE - 60)
    bench.sessions.prolong(SESSION, "mine")
    assert [bench.expiry(lease) for lease in leases] == [LIFE, LIFE]
    bench.clock.turn(LIFE - 60)
    bench.sessions.prune()
    assert bench.sessions.values(SESSION) == {NAME: {"a", "b"}}


def test_what_is_over_or_another_s_does_not_get_more_time(bench: Bench) -> None:
    """The negative twin: nor what nobody can tell the session of."""
    bench.ask("killed", "a")
    over = bench.lease("killed", "a", expires=10)
    bench.ask("theirs", "b", session="certbot other.org")
    bench.ask("none", "c", session="")
    others = bench.lease("theirs", "b"), bench.lease("none", "c")
    bench.clock.turn(60)
    for session in (SESSION, ""):
        bench.sessions.prolong(session, "mine")
    assert bench.expiry(over) == -50
    assert [bench.expiry(lease) for lease in others] == [LIFE - 60] * 2


def test_a_clock_that_was_ahead_keeps_nothing_for_longer(bench: Bench) -> None:
    """Neither what was asked for nor its lease outlasts the rest once the clock is right; what is on time stays."""
    bench.ask("early", "early")
    early = bench.lease("early", "early")
    bench.clock.turn(365 * 24 * 3600)
    bench.park("late")
    late = bench.lease("late", "late")
    bench.clock.turn(-365 * 24 * 3600 + 30)
    bench.sessions.prune()
    Leases(bench.journal, "", bench.clock).prune()
    assert (bench.expiry(early), bench.expiry(late)) == (LIFE - 30, LIFE)
    bench.clock.turn(LIFE + 1)
    bench.sessions.prune()
    assert "late" not in bench.sessions.values(SESSION).get(NAME, ())


def test_what_is_parked_expires(bench: Bench) -> None:
    """A call that never came would have written it within the hour."""
    bench.park("stale")
    bench.clock.turn(LIFE - 1)
    bench.park("fresh")
    bench.clock.turn(2)
    assert bench.sessions.claim([SESSION], "one") == {NAME: {"fresh"}}
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
        bench.sessions.claim([SESSION], "one")
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
    bench.park("parked")
    soon, late = bench.lease("mine", "a", expires=60), bench.lease("mine", "b")
    bench.sessions.hasten(SESSION, 300)
    assert (bench.expiry(soon), bench.expiry(late)) == (60, 300)
    bench.ask("next", "b")
    assert bench.expiry(bench.lease("next", "b")) == LIFE
    bench.clock.turn(301)
    bench.sessions.prune()
    assert bench.sessions.values(SESSION) == {NAME: {"a", "b"}}


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
