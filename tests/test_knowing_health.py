"""When a certificate needs a person, and when the next run sees to it: each verdict with its opposite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsbroker.config import CertificateConfig
from dnsbroker.errors import ConfigError, StoreError
from dnsbroker.journal import Answer, Attempt, Backoff, Lease, Observed, State, Step
from dnsbroker.keys import Leaf
from dnsbroker.knowing.health import WORDS, Health, Known, judge, judge_records
from dnsbroker.records import Record
from dnsbroker.store import Lineage, Provenance

NAME = "example.test"
CA = "https://ca.test/dir"
START = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
PATIENCE = 3 * DAY
WANTED = CertificateConfig(name=NAME, names=(NAME,))


def there(lifetime: timedelta = 90 * DAY, names: tuple[str, ...] = (NAME,)) -> Known:
    """A certificate that is configured, and was issued at START."""
    leaf = Leaf(names, START, START + lifetime, 1, "test issuing", "ecdsa-p256", "00")
    lineage = Lineage(NAME, Path("live"), Path("archive"), "", leaf, Provenance(CA, START))
    return Known(NAME, configured=WANTED, lineage=lineage, directory=CA)


def failing(since: datetime, failures: int = 4) -> Attempt:
    """A series of failures, tried again tomorrow."""
    return Attempt(NAME, failures, since, since, since + DAY, "acme", "the CA said no", "ask it why")


def after(known: Known, age: timedelta) -> Health:
    """How it is so long after START."""
    return judge(known, START + age, PATIENCE)


def test_a_young_certificate_is_well() -> None:
    """And there is nothing to say about it."""
    assert after(there(), DAY) == Health(NAME, "ok", False, ())


def test_one_that_is_due_is_left_to_the_next_run() -> None:
    """With the reason."""
    health = after(there(), 60 * DAY + HOUR)
    assert (health.status, health.needs_person) == ("due", False)
    assert health.findings == (
        "past two thirds of its lifetime since 2026-04-30 06:30 UTC; the next `dnsbroker renew` sees to it",
    )


def test_one_that_is_due_for_long_and_that_nobody_tried_needs_a_person() -> None:
    """The next run cannot be believed in: no timer runs."""
    health = after(there(), 63 * DAY + HOUR)
    assert (health.status, health.needs_person) == ("due", True)
    assert "does the timer run?" in health.findings[0]


def test_one_that_is_due_by_the_configuration_alone_is_since_that_was_changed() -> None:
    """A change that nobody carries out needs a person as well; where no file configures it, nobody knows since when."""
    changed = replace(there(names=("other.test",)), changed=START + 46 * DAY)
    assert not after(changed, 49 * DAY).needs_person
    late = after(changed, 49 * DAY + HOUR)
    assert (late.status, late.needs_person) == ("due", True)
    assert "names changed: +example.test -other.test, and no run has tried; does the timer run?" in late.findings[0]
    assert not after(replace(changed, changed=None), 50 * DAY).needs_person


def test_a_configuration_of_long_ago_makes_no_age_late() -> None:
    """What is due by its age is since that day; what is not due is well."""
    old = replace(there(), changed=START - DAY)
    assert after(old, 59 * DAY).status == "ok"
    assert not after(old, 60 * DAY + HOUR).needs_person


def test_one_that_is_due_and_has_to_wait_for_the_ca_blames_no_timer() -> None:
    """The negative twin: runs there were. Where it is late, it needs a person all the same."""
    waiting = replace(there(), backoff=Backoff(START + 65 * DAY, "too busy"))
    health = after(waiting, 64 * DAY)
    assert health.needs_person and not any("timer" in finding for finding in health.findings)
    assert not after(waiting, 61 * DAY).needs_person


def test_the_cas_advice_counts_and_not_the_age() -> None:
    """Before its moment all is well, whatever the age; after it, it is due."""
    answer = Answer("id", "ari", "u", START, START, START + 70 * DAY, START + 72 * DAY, START + 71 * DAY)
    advised = replace(there(), answer=answer)
    assert after(advised, 70 * DAY).status == "ok"
    assert after(advised, 72 * DAY).status == "due"


def test_a_revoked_one_is_due() -> None:
    """The next run replaces it; where none does for days, a person has to look."""
    revoked = replace(there(), answer=Answer("id", "crl", "", START, START, revoked_at=START + DAY))
    assert "revoked on 2026-03-02" in after(revoked, 2 * DAY).findings[0]
    assert not after(revoked, 2 * DAY).needs_person
    assert after(revoked, 5 * DAY).needs_person


def test_failing_for_a_while_needs_nobody() -> None:
    """It is tried again; both are told, and the failure comes first."""
    health = after(replace(there(), attempt=failing(START + 61 * DAY)), 63 * DAY)
    assert (health.status, health.needs_person) == ("failing", False)
    assert health.findings[0] == (
        "failed 4 times in a row since 2026-05-01 06:30 UTC: the CA said no; ask it why;"
        " tried again after 2026-05-02 06:30 UTC"
    )


def test_failing_for_longer_than_configured_needs_a_person() -> None:
    """Counted from the first failure of the series."""
    assert after(replace(there(), attempt=failing(START + 61 * DAY)), 64 * DAY + HOUR).needs_person


def test_failing_while_a_third_of_what_was_left_goes_by_needs_a_person() -> None:
    """Of a short life, days are too many: of 72 hours left at the first failure, 24 are gone."""
    short = replace(there(lifetime=6 * DAY), attempt=failing(START + 3 * DAY))
    assert not after(short, 4 * DAY).needs_person
    assert after(short, 4 * DAY + timedelta(minutes=1)).needs_person


def test_a_failure_of_what_was_not_due_is_forgotten_by_the_verdict() -> None:
    """A renewal that was forced and failed: the certificate is well, and nobody tries again before it is due."""
    forced = replace(there(), attempt=failing(START + DAY))
    assert after(forced, 30 * DAY).status == "ok"
    due = after(forced, 60 * DAY + HOUR)
    assert (due.status, due.needs_person) == ("failing", False)


def test_what_the_ca_demands_is_told() -> None:
    """It needs nobody by itself."""
    health = after(
        replace(there(), backoff=Backoff(START + 62 * DAY, "too busy"), attempt=failing(START + 60 * DAY)), 61 * DAY
    )
    assert "the CA asked not to come back before 2026-05-02 06:30 UTC: too busy; a later run goes on" in health.findings
    assert not health.needs_person


def test_an_expired_one_needs_a_person() -> None:
    """At once, and not a moment before."""
    assert (after(there(), 90 * DAY).status, after(there(), 90 * DAY).needs_person) == ("expired", True)
    tried = replace(there(), attempt=failing(START + 90 * DAY - HOUR))
    assert after(tried, 90 * DAY - timedelta(seconds=3599)).status == "failing"


def test_one_that_was_never_issued_is_missing_and_needs_nobody() -> None:
    """The next run obtains it."""
    health = after(Known(NAME, configured=WANTED), DAY)
    assert (health.status, health.needs_person) == ("missing", False)


def test_one_that_was_never_issued_and_that_nobody_tried_needs_a_person() -> None:
    """Counted from the last change of what configures it."""
    wanted = Known(NAME, configured=WANTED, changed=START)
    assert not after(wanted, 3 * DAY).needs_person
    late = after(wanted, 3 * DAY + HOUR)
    assert (late.status, late.needs_person) == ("missing", True)
    (told,) = late.findings
    assert told.startswith("there is no certificate yet, and no run has tried; does the timer run? `dnsbroker renew ")


def test_one_that_was_never_issued_may_fail_as_long_as_any() -> None:
    """And not longer; since when it is configured does not count then."""
    wanted = Known(NAME, configured=WANTED, attempt=failing(START, 1), changed=START - 9 * DAY)
    early, late = after(wanted, 3 * DAY), after(wanted, 3 * DAY + HOUR)
    assert (early.status, early.needs_person) == ("failing", False)
    assert (late.status, late.needs_person) == ("failing", True)
    assert late.findings[0].startswith("failed once since")
    assert not any("timer" in finding for finding in late.findings)


MISTAKE = Attempt(NAME, 2, START, START + DAY, START + DAY, "config", "no group 'x' on this host", "make it")


@pytest.mark.parametrize("age", [2 * DAY, 61 * DAY], ids=["not due", "due"])
def test_a_mistake_in_the_configuration_needs_a_person_at_once(age: timedelta) -> None:
    """Whether the certificate is due, or only its files are not as they are to be."""
    health = after(replace(there(), attempt=replace(MISTAKE, since=START + age, last=START + age)), age)
    assert (health.status, health.needs_person) == ("misconfigured", True)
    assert health.findings[0].endswith(": no group 'x' on this host; make it; the next `dnsbroker renew` tries again")


def test_a_mistake_that_keeps_a_certificate_from_coming_about_needs_a_person_at_once() -> None:
    """The word is that of what to mend; what nothing configures is nobody's mistake any more."""
    health = after(Known(NAME, configured=WANTED, attempt=MISTAKE), DAY)
    assert (health.status, health.needs_person) == ("misconfigured", True)
    assert after(replace(there(), configured=None, attempt=MISTAKE), 2 * DAY).status == "unmanaged"


def test_a_damaged_one_needs_a_person() -> None:
    """With the words of the error and its cure."""
    damage = StoreError("live/x: it leads nowhere", path="live/x", hint="restore it")
    health = after(Known(NAME, configured=WANTED, damage=damage), DAY)
    assert (health.status, health.needs_person) == ("damaged", True)
    assert health.findings == ("live/x: it leads nowhere; restore it",)


def test_one_whose_configuration_is_wrong_needs_a_person() -> None:
    """Nothing renews it, however young it is."""
    wrong = replace(there(), configured=None, trouble=ConfigError("no such key", key="mood"))
    health = after(wrong, DAY)
    assert (health.status, health.needs_person) == ("misconfigured", True)


def test_one_that_no_configuration_names_is_told_of() -> None:
    """It needs somebody when it expires; until then it may be meant so."""
    alone = replace(there(), configured=None)
    assert (after(alone, 80 * DAY).status, after(alone, 80 * DAY).needs_person) == ("unmanaged", False)
    assert "`dnsbroker delete example.test`" in after(alone, 80 * DAY).findings[0]
    assert after(alone, 90 * DAY).needs_person


def test_a_deployment_that_failed_needs_a_person_at_once() -> None:
    """With the step and its words."""
    steps = (Step("copy /etc/x", "done", START, ""), Step("hook true", "failed", START, "ended with status 1"))
    health = after(replace(there(), steps=steps), DAY)
    assert (health.status, health.needs_person) == ("not deployed", True)
    assert health.findings == (
        "hook true failed on 2026-03-01 06:30 UTC: ended with status 1; the next `dnsbroker renew` tries again",
    )


def test_a_deployment_under_way_does_not() -> None:
    """What is planned is done by the next run at the latest; what is done is not told."""
    steps = (Step("copy /etc/x", "done", START, ""), Step("hook true", "planned", START, ""))
    health = after(replace(there(), steps=steps), DAY)
    assert (health.status, health.needs_person) == ("not deployed", False)
    assert len(health.findings) == 1
    assert after(replace(there(), steps=steps[:1]), DAY).status == "ok"


def test_a_hook_that_is_owed_after_an_attempt_in_vain_needs_a_person() -> None:
    """Though there is no certificate: it may be what starts a service again."""
    health = after(
        Known(NAME, configured=WANTED, steps=(Step("post true", "failed", START, "ended with status 1"),)), DAY
    )
    assert (health.status, health.needs_person) == ("not deployed", True)
    assert "post true failed on" in health.findings[0]


@pytest.mark.parametrize("covered", [True, False])
def test_a_tlsa_record_that_does_not_match_needs_a_person_at_once(covered: bool) -> None:
    """And one that matches does not."""
    seen = Observed("smtp://mx.example.test", NAME, covered, START, "3 1 1 names another key")
    health = after(replace(there(), observed=(seen,)), DAY)
    assert health.needs_person is not covered
    assert health.status == ("ok" if covered else "not covered")


def test_the_gravest_word_is_the_certificates() -> None:
    """And its sentences come in that order."""
    bad = replace(
        there(),
        attempt=failing(START + 80 * DAY),
        observed=(Observed("https://a.test", NAME, False, START, "none matches"),),
        steps=(Step("hook true", "failed", START, "no"),),
    )
    health = after(bad, 91 * DAY)
    assert health.status == "expired"
    assert [sentence.split()[0] for sentence in health.findings] == [
        "expired",
        "https://a.test:",
        "hook",
        "failed",
        "expired",
    ]
    assert WORDS[0] == "damaged" and WORDS[-1] == "ok"


def lease(created: datetime, trouble: str | None) -> Lease:
    """A value that nobody alive answers for."""
    record = Record("_acme-challenge.example.test.", "TXT", "value")
    moment = created.timestamp()
    return Lease(
        1, "run", "corp", "example.test.", record, 5, State.UNWANTED, False, moment, None, None, 1, 7, "run", trouble
    )


def test_what_a_dead_run_left_in_dns_is_told_and_left_to_the_next_run() -> None:
    """With the command that takes it away."""
    health = judge_records([lease(START, None)], START + 9 * DAY, PATIENCE)
    assert not health.needs_person
    assert health.findings == (
        "TXT at _acme-challenge.example.test, left since 2026-03-01 06:30 UTC;"
        " `dnsbroker gc` or the next `dnsbroker renew` withdraws it",
    )
    assert judge_records([], START, PATIENCE) == Health("", "ok", False, ())


def test_a_record_that_cannot_be_withdrawn_for_days_needs_a_person() -> None:
    """And one for hours does not."""
    assert judge_records([lease(START, "refused")], START + 4 * DAY, PATIENCE).needs_person
    assert not judge_records([lease(START, "refused")], START + 2 * DAY, PATIENCE).needs_person
