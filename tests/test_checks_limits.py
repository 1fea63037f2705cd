"""What the doctor says of a CA's limits, of the account and of the CA itself, from what is known without asking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.acme import Directory
from dnsbroker.acme.directory import read_directory
from dnsbroker.checks.limits import Counted, account, clock, counted, directory, limits
from dnsbroker.checks.skew import Reading
from dnsbroker.config import AcmeConfig
from dnsbroker.errors import BrokerError, ConfigError, DirectoryUnreachable
from dnsbroker.findings import Severity
from dnsbroker.journal import Attempts, Backoffs, Journal
from dnsbroker.settings import Secret
from dnsbroker.store import Store
from dnsbroker.testing import FakeClock
from dnsbroker.transport import Reply

CA = "https://ca.test/dir"
NAMES = ("example.org", "www.example.org")
FOUND = Directory(new_nonce="n", new_account="a", new_order="o")
CONFIG = AcmeConfig(directory=CA, agree_tos=True)
MINUTE = timedelta(minutes=1)


class Bench:
    """A journal and what is read from it."""

    def __init__(self, state_dir: Path) -> None:
        self.clock = FakeClock(datetime(2026, 11, 21, 12, tzinfo=UTC))
        journal = Journal(state_dir)
        self.attempts = Attempts(journal, self.clock, lambda: 0.5)
        self.backoffs = Backoffs(journal, self.clock)

    def known(self, certificate: str = "example.org", ca: str = CA) -> Counted:
        return counted(self.attempts, self.backoffs, ca, NAMES, certificate)

    def found(self, certificate: str = "example.org", ca: str = CA) -> list[tuple[str, str, str]]:
        """Check, severity and message of each finding."""
        findings = limits(self.known(certificate, ca), self.clock.now())
        assert all(finding.hint for finding in findings)
        return [(finding.check, finding.severity.value, finding.message) for finding in findings]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_where_nothing_failed_nothing_is_said(bench: Bench) -> None:
    """Of a certificate as of mere names."""
    assert bench.found() == []
    assert bench.found("") == []


def test_what_the_ca_demanded_is_told_with_the_time(bench: Bench) -> None:
    """In the CA's words; for names that are in no certificate what holds for everybody, and no longer than it holds."""
    until = bench.clock.now() + 30 * MINUTE
    bench.backoffs.demanded(CA, until, "too many certificates", "example.org")
    ((check, severity, message),) = bench.found()
    assert (check, severity) == ("rate-limit", "error")
    assert message == "the CA asked not to come back before 2026-11-21 12:30 UTC"
    assert bench.found("") == []
    assert bench.found(ca="https://other.test/dir") == []
    (finding,) = limits(bench.known(), bench.clock.now())
    assert (finding.evidence[0].server, finding.evidence[0].record) == ("ca.test", "too many certificates")
    bench.clock.turn(1801)
    assert bench.found() == []

    bench.backoffs.demanded(CA, bench.clock.now() + MINUTE, "busy")
    assert [check for check, *_ in bench.found("")] == ["rate-limit"]


def test_failed_validations_are_counted_by_name(bench: Bench) -> None:
    """A few are worth knowing; from where one more may lock the name out, they warn."""
    bench.attempts.validation_failed(CA, ["example.org"])
    ((check, severity, message),) = bench.found()
    assert (check, severity) == ("rate-limit", "notice")
    assert message == "one validation of this name failed at ca.test in the last hour"
    for _ in range(3):
        bench.clock.turn(60)
        bench.attempts.validation_failed(CA, ["example.org"])
    ((check, severity, message),) = bench.found("")
    assert (check, severity) == ("rate-limit", "warning")
    assert message.startswith("4 validations of this name failed")
    assert message.endswith("before 2026-11-21 13:00 UTC")
    (finding,) = limits(bench.known(), bench.clock.now())
    assert finding.subject == "example.org"
    assert finding.evidence[0].record == "failed on 2026-11-21 12:00 UTC"
    bench.clock.turn(3601)
    assert bench.found() == []


def test_an_attempt_that_waits_for_its_time_is_told(bench: Bench) -> None:
    """With the command that does not wait; what is a mistake waits for nothing and is told elsewhere."""
    bench.attempts.failed("example.org", BrokerError("the CA said no", hint="ask it why"))
    ((check, severity, message),) = bench.found()
    assert (check, severity) == ("postponed", "warning")
    assert message == "it failed once and is tried again by itself only after 2026-11-21 12:01 UTC"
    (finding,) = limits(bench.known(), bench.clock.now())
    assert finding.hint == "ask it why; `dnsbroker renew example.org` tries at once"
    assert "the CA said no" in finding.evidence[0].record
    bench.clock.turn(61)
    assert bench.found() == []
    bench.attempts.mistaken("example.org", ConfigError("no such key"))
    assert bench.found() == []


def test_an_account_that_is_there_is_passed_over(tmp_path: Path) -> None:
    """One at another CA is none; that no account is there yet is only worth knowing."""
    files = Store(tmp_path).account("default")
    (finding,) = account(CONFIG, files)
    assert (finding.check, finding.severity, finding.subject) == ("no-account", Severity.NOTICE, "account default")
    files.keep_url(CA, "https://ca.test/acct/1")
    assert account(CONFIG, files) == ()
    (finding,) = account(replace(CONFIG, directory="https://other.test/dir"), files)
    assert finding.check == "no-account"


def test_what_nothing_can_be_ordered_with_is_told(tmp_path: Path) -> None:
    """Terms that nobody agreed to, an account that was closed; no key is made by looking."""
    files = Store(tmp_path).account("default")
    unagreed, none = account(replace(CONFIG, agree_tos=False), files)
    assert (unagreed.check, unagreed.severity) == ("terms-not-agreed", Severity.ERROR)
    assert "agree_tos = true in [acme]" in unagreed.hint
    assert none.check == "no-account"
    assert not files.has_key()

    files.key(lambda: keys.generate("ecdsa-p256"))
    files.keep_url(CA, "https://ca.test/acct/1")
    files.retire(CA, datetime(2026, 11, 1, tzinfo=UTC))
    (closed,) = account(CONFIG, files)
    assert (closed.check, closed.severity) == ("account-closed", Severity.ERROR)
    assert "2026-11-01" in closed.message


def test_a_directory_that_asks_for_nothing_is_passed_over() -> None:
    """Nor does one that wants a binding say anything where there is an account, or the binding is configured."""
    wanting = replace(FOUND, external_account_required=True)
    bound = replace(CONFIG, eab_kid="kid-1", eab_hmac_key=Secret("the test", lambda: "never read"))
    assert directory(CONFIG, FOUND, has_account=False) == ()
    assert directory(CONFIG, wanting, has_account=True) == ()
    assert directory(bound, wanting, has_account=False) == ()


def test_a_binding_that_is_missing_is_told() -> None:
    """Before an account is tried in vain."""
    wanting = replace(FOUND, external_account_required=True)
    (finding,) = directory(CONFIG, wanting, has_account=False)
    assert (finding.check, finding.severity) == ("eab-missing", Severity.ERROR)
    assert "eab_kid and eab_hmac_key" in finding.hint


def test_a_ca_that_cannot_be_reached_is_told_in_its_words() -> None:
    """With the hint of the error."""
    error = DirectoryUnreachable("the CA's directory cannot be read: no answer", url=CA, hint="look at the network")
    (finding,) = directory(CONFIG, error, has_account=True)
    assert (finding.check, finding.severity, finding.hint) == ("ca-unreachable", Severity.ERROR, "look at the network")
    assert finding.evidence[0].server == "ca.test"


BODY = b'{"newNonce": "n", "newAccount": "a", "newOrder": "o"}'
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "ahead"),
    [
        ({}, None),
        ({"date": "yesterday"}, None),
        ({"date": "Sat, 21 Nov 2026 12:00:01 GMT"}, 1.0),
        ({"date": "Sat, 21 Nov 2026 13:00:00 +0100"}, 0.0),
        ({"date": "Sat, 21 Nov 2026 11:00:00 GMT"}, -3600.0),
        ({"date": "Sat, 21 Nov 2026 11:00:00 GMT", "age": "3600"}, 0.0),
        ({"date": "Sat, 21 Nov 2026 11:00:00 GMT", "age": "old"}, None),
    ],
)
def test_the_cas_clock_is_read_from_its_directory(headers: dict[str, str], ahead: float | None) -> None:
    """A reply out of a cache is as old as the cache says."""
    found = read_directory(CA, Reply(200, headers, BODY), NOW)
    assert found.clock_ahead == ahead
    assert directory(CONFIG, found, has_account=True) == ()
    assert clock(CONFIG, found) == (None if ahead is None else Reading("ca.test", ahead))


def test_a_ca_that_cannot_be_reached_has_no_clock() -> None:
    """That it cannot be reached is another finding."""
    assert clock(CONFIG, DirectoryUnreachable("no answer", url=CA)) is None
