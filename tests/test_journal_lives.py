"""What the journal keeps between runs: demands of CAs, deployments, advice, barred keys, observations, alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dnsbroker.journal import (
    Alerts,
    Answer,
    Backoff,
    Backoffs,
    Barred,
    Deployments,
    Journal,
    Observations,
    RenewalAnswers,
    Step,
)
from dnsbroker.testing import FakeClock

NAME = "example.org"
CA = "https://ca.test/dir"
HOUR = timedelta(hours=1)
STEPS = ("copy /etc/x", "hook true", "reload nginx")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


class TestBackoffs:
    """What a CA demanded holds until its time is over, and no longer."""

    @pytest.fixture
    def backoffs(self, journal: Journal, clock: FakeClock) -> Backoffs:
        return Backoffs(journal, clock)

    def test_a_demand_holds_in_another_process(self, tmp_path: Path, backoffs: Backoffs, clock: FakeClock) -> None:
        """For every certificate, and for just its time."""
        backoffs.demanded(CA, clock.now() + HOUR, "too busy")
        other = Backoffs(Journal(tmp_path), clock)
        assert other.until(CA, NAME) == Backoff(clock.now() + HOUR, "too busy")
        clock.turn(3600)
        assert other.until(CA, NAME) is None

    def test_a_demand_for_one_certificate_holds_for_that_one(self, backoffs: Backoffs, clock: FakeClock) -> None:
        """At the CA that made it."""
        backoffs.demanded(CA, clock.now() + HOUR, "too many of these", NAME)
        assert backoffs.until(CA, NAME) is not None
        assert backoffs.until(CA, "other.example") is None
        assert backoffs.until("https://other.test/dir", NAME) is None

    def test_the_later_of_two_holds(self, backoffs: Backoffs, clock: FakeClock) -> None:
        """Whichever of them it is."""
        backoffs.demanded(CA, clock.now() + 2 * HOUR, "busy")
        backoffs.demanded(CA, clock.now() + HOUR, "limit", NAME)
        assert backoffs.until(CA, NAME) == Backoff(clock.now() + 2 * HOUR, "busy")
        backoffs.demanded(CA, clock.now() + 3 * HOUR, "limit", NAME)
        assert backoffs.until(CA, NAME) == Backoff(clock.now() + 3 * HOUR, "limit")

    def test_a_demand_is_not_shortened_by_another(self, backoffs: Backoffs, clock: FakeClock) -> None:
        """A second answer, sent before the first was heard, does not take it back."""
        backoffs.demanded(CA, clock.now() + HOUR, "an hour")
        backoffs.demanded(CA, clock.now() + HOUR / 60, "a minute")
        assert backoffs.until(CA, NAME) == Backoff(clock.now() + HOUR, "an hour")

    def test_a_demand_heard_by_a_clock_that_was_ahead_lasts_as_long_as_it_was_to(
        self, backoffs: Backoffs, clock: FakeClock
    ) -> None:
        """The clock was a year ahead and has been set right."""
        year = timedelta(days=365).total_seconds()
        clock.turn(year)
        backoffs.demanded(CA, clock.now() + HOUR, "busy")
        clock.turn(-year)
        assert backoffs.until(CA, NAME) == Backoff(clock.now() + HOUR, "busy")
        clock.turn(1800)
        assert backoffs.until(CA, NAME) == Backoff(clock.now() + HOUR / 2, "busy")


class TestDeployments:
    """A plan is on disk before a certificate is live, and nothing of it is lost."""

    @pytest.fixture
    def deployments(self, journal: Journal, clock: FakeClock) -> Deployments:
        return Deployments(journal, clock)

    def test_every_step_is_unfinished_until_it_is_done(self, deployments: Deployments, clock: FakeClock) -> None:
        """In the order planned; a failure is kept with its words."""
        deployments.plan(NAME, "a1", STEPS)
        assert [step.name for step in deployments.unfinished(NAME, "a1")] == list(STEPS)
        clock.turn(5)
        deployments.done(NAME, "a1", STEPS[0])
        deployments.failed(NAME, "a1", STEPS[1], "ended with status 1")
        failed = Step(STEPS[1], "failed", clock.now(), "ended with status 1")
        assert deployments.unfinished(NAME, "a1")[0] == failed
        assert [step.state for step in deployments.of(NAME, "a1")] == ["done", "failed", "planned"]

    def test_a_step_that_succeeds_at_last_is_done_without_words(self, deployments: Deployments) -> None:
        """What it said before is over."""
        deployments.plan(NAME, "a1", STEPS[:1])
        deployments.failed(NAME, "a1", STEPS[0], "no")
        deployments.done(NAME, "a1", STEPS[0])
        assert deployments.unfinished(NAME, "a1") == ()
        assert deployments.of(NAME, "a1")[0].message == ""

    def test_planned_again_what_was_done_stays_done(self, deployments: Deployments) -> None:
        """What is no longer wanted goes, what is wanted besides comes; in the new order."""
        deployments.plan(NAME, "a1", STEPS)
        deployments.done(NAME, "a1", STEPS[1])
        deployments.plan(NAME, "a1", ("hook new", STEPS[1]))
        assert [(step.name, step.state) for step in deployments.of(NAME, "a1")] == [
            ("hook new", "planned"),
            (STEPS[1], "done"),
        ]

    def test_a_step_that_nobody_planned_comes_last(self, deployments: Deployments) -> None:
        """A copy that was configured later."""
        deployments.plan(NAME, "a1", STEPS)
        deployments.done(NAME, "a1", "copy /etc/later")
        assert deployments.of(NAME, "a1")[-1].name == "copy /etc/later"

    def test_a_plan_for_what_never_went_live_loses_nothing(self, deployments: Deployments) -> None:
        """A run planned the next one and died: what is live still has its deployment to finish."""
        deployments.plan(NAME, "a1", STEPS)
        deployments.failed(NAME, "a1", STEPS[0], "no")
        deployments.plan(NAME, "b2", STEPS)
        assert len(deployments.unfinished(NAME, "a1")) == 3

    def test_a_step_of_the_next_one_ends_the_plan_before(self, deployments: Deployments) -> None:
        """The negative twin: nobody deploys what is no longer live. Others' plans stay."""
        deployments.plan(NAME, "a1", STEPS)
        deployments.plan("other.example", "c3", STEPS)
        deployments.plan(NAME, "b2", STEPS)
        deployments.done(NAME, "b2", STEPS[0])
        assert deployments.of(NAME, "a1") == ()
        assert len(deployments.unfinished("other.example", "c3")) == 3

    def test_what_is_owed_for_none_that_is_live_ends_with_the_first_step_of_one(self, deployments: Deployments) -> None:
        """Until then it touches no plan."""
        deployments.plan("a", "1", ["x"])
        deployments.failed("a", "", "post y", "no")
        assert [step.name for step in deployments.unfinished("a", "1")] == ["x"]
        assert [step.message for step in deployments.unfinished("a", "")] == ["no"]
        deployments.done("a", "1", "x")
        assert deployments.of("a", "") == ()

    def test_a_certificate_that_is_gone_has_no_plan(self, deployments: Deployments) -> None:
        """Whatever its serial number was."""
        deployments.plan(NAME, "a1", STEPS)
        deployments.forget(NAME)
        assert deployments.of(NAME, "a1") == ()


class TestRenewalAnswers:
    """What was heard about a certificate is kept as it was heard."""

    def test_all_of_an_answer_comes_back(self, journal: Journal, clock: FakeClock) -> None:
        """Every field, also those that are not there."""
        answers = RenewalAnswers(journal)
        bare = Answer(id="aki.serial", source="crl", url="", asked_at=clock.now(), ask_again_at=clock.now() + HOUR)
        full = replace(
            bare,
            source="ari",
            url="https://ca.test/renewal-info",
            start=clock.now() + HOUR,
            end=clock.now() + 3 * HOUR,
            moment=clock.now() + 2 * HOUR,
            explanation="https://ca.test/why",
            revoked_at=clock.now() - HOUR,
            failures=3,
        )
        for answer in (bare, full):
            answers.keep(answer)
            assert answers.get("aki.serial") == answer

    def test_nothing_is_known_of_another_certificate_or_a_forgotten_one(
        self, journal: Journal, clock: FakeClock
    ) -> None:
        """The negative twin."""
        answers = RenewalAnswers(journal)
        answers.keep(Answer("aki.serial", "none", "", clock.now(), clock.now()))
        assert answers.get("aki.other") is None
        answers.forget("aki.serial")
        assert answers.get("aki.serial") is None


class TestBarred:
    """A compromised key is barred for ever."""

    def test_a_key_stays_barred(self, tmp_path: Path, journal: Journal) -> None:
        """In every process, however its digest is written."""
        Barred(journal).bar("AB" * 32, "compromised")
        Barred(journal).bar("ab" * 32, "again")
        assert Barred(Journal(tmp_path)).is_barred("ab" * 32)

    def test_no_other_key_is(self, journal: Journal) -> None:
        """The negative twin."""
        Barred(journal).bar("ab" * 32, "compromised")
        assert not Barred(journal).is_barred("cd" * 32)


def test_an_observation_stands_for_the_one_before(journal: Journal, clock: FakeClock) -> None:
    """An endpoint that was not looked at this time, for it has no records any more, is not told of."""
    observations = Observations(journal, clock)
    observations.observe(NAME, [("smtp://mx.example.org", False, "names another key"), ("https://a.example", True, "")])
    observations.observe("other.example", [("smtp://mx.example.org", True, "")])
    observations.observe(NAME, [("smtp://mx.example.org", True, "")])
    found = [(seen.endpoint, seen.certificate, seen.covered) for seen in observations.all()]
    assert found == [("smtp://mx.example.org", NAME, True), ("smtp://mx.example.org", "other.example", True)]
    observations.forget(NAME)
    assert [seen.certificate for seen in observations.all()] == ["other.example"]


def test_what_people_were_told_is_kept_until_it_is_over(journal: Journal, clock: FakeClock) -> None:
    """Since when, and when last."""
    alerts = Alerts(journal, clock)
    begun = clock.now()
    alerts.told({NAME: "expired"}, ())
    clock.turn(86400)
    alerts.told({NAME: "still expired"}, ())
    (told,) = alerts.all()
    assert (told.since, told.told, told.summary) == (begun, clock.now(), "still expired")
    alerts.told({}, (NAME,))
    assert alerts.all() == ()
