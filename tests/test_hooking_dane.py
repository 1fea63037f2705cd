"""TLSA records and other clients' runs: none begins that would use up an unknown key, each ends with all published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from authority import START
from dnsbroker.cli import exit_status
from dnsbroker.cli.hook import dehydrated
from dnsbroker.config import DaneConfig
from dnsbroker.errors import Held, KeyGuarded, LookupFailed
from dnsbroker.hooking import Answer, at_once
from dnsbroker.hooking.calls import Call, Ended, Home, Started, Stumbled
from dnsbroker.testing import FakeClock
from hooked_host import KEY, NEW, NEWER, SESSION, chain
from kept_elsewhere import Kept
from managed_host import DUE, RIPE, Managed, covered
from older_clients import fingerprint
from remembered_tlsa import OWNER


@pytest.fixture
def host(tmp_path: Path) -> Managed:
    """One whose certificate is due."""
    return Managed(tmp_path)


# -- before a run --


def test_a_run_that_would_use_up_an_unpublished_key_does_not_begin(host: Managed) -> None:
    """The key is published just then; once caches know it, the same run begins, and files were never touched."""
    covered(host)
    host.lay_out(NEW)
    before = fingerprint(host.kept.directory)
    (refused,) = host.start().failures
    assert isinstance(refused, Held)
    assert exit_status.of(refused) == exit_status.HELD
    assert refused.until == host.now + RIPE
    assert refused.message.startswith("dehydrated does not begin: a.test is due, and would use up a key")
    assert 'PRIVATE_KEY_RENEW="no"' in refused.hint
    assert host.records.names(NEW)
    host.later(RIPE - timedelta(seconds=1))
    assert host.start().failures
    host.later(timedelta(seconds=1))
    assert host.start() == Answer()
    assert fingerprint(host.kept.directory) == before


def test_a_key_that_was_published_after_the_run_before_is_used_at_once(host: Managed) -> None:
    """The twin, and the usual case: it was laid out weeks ago."""
    covered(host, NEW)
    assert host.start() == Answer()
    assert host.records.brought == [("a.test",)]


def test_what_a_failed_run_has_laid_out_instead_is_waited_for(host: Managed) -> None:
    """The attempt used up the key that was known; the next one is another."""
    covered(host, NEW)
    host.lay_out(NEWER)
    assert host.call(Stumbled(SESSION, host.home)) == Answer(changed=False)
    assert host.records.names(NEWER)
    assert host.start().failures
    host.later(RIPE)
    assert host.start() == Answer()


def test_a_certificate_that_is_not_due_lets_every_run_begin(host: Managed) -> None:
    """Nobody is asked for it; a day later it is due."""
    host.lay_out(NEW)
    host.now = START + timedelta(days=58) - timedelta(seconds=1)
    assert host.start() == Answer()
    assert host.records.brought == []
    host.set("PRIVATE_KEY_ROLLOVER=yes", "RENEW_DAYS=33")
    assert host.start().failures


def test_one_with_other_names_is_due(host: Managed) -> None:
    """Its client forces that one; with the same names it does not."""
    host.lay_out(NEW)
    host.now = START + timedelta(days=1)
    domains = host.home.base / "domains.txt"
    domains.write_text("a.test\n")
    assert host.start() == Answer()
    domains.write_text("a.test www.a.test\n")
    assert host.start().failures


def test_a_run_that_keeps_the_key_begins(host: Managed) -> None:
    """Also where that is said for this certificate alone."""
    host.lay_out(NEW)
    host.set("PRIVATE_KEY_RENEW=no", place=host.kept.directory / "config")
    assert host.start() == Answer()
    host.set("PRIVATE_KEY_RENEW=yes", place=host.kept.directory / "config")
    assert host.start().failures


def test_a_run_that_would_make_a_key_of_its_own_does_not_begin(host: Managed) -> None:
    """Without roll-over no key is ever known beforehand, so time mends nothing; what does is said."""
    covered(host, NEW)
    host.set("")
    (refused,) = host.start().failures
    assert isinstance(refused, KeyGuarded)
    assert refused.names == (OWNER,)
    assert 'PRIVATE_KEY_ROLLOVER="yes"' in refused.hint


@pytest.mark.parametrize("rolling", ["PRIVATE_KEY_ROLLOVER=yes", ""])
def test_where_no_record_stands_any_key_will_do(host: Managed, rolling: str) -> None:
    """Something is in the way of the first records; a client without any takes what it gets."""
    host.records.can_write = False
    host.lay_out(NEW)
    host.set(rolling)
    assert host.start() == Answer()


def test_a_key_that_is_none_is_used_up_in_vain(host: Managed) -> None:
    """Its client fails over it, and has another one by then; it is told."""
    host.lay_out("nonsense")
    assert host.start().failures == ()
    (told,) = host.warnings()
    assert str(host.kept.next_key) in told


def test_where_nothing_can_be_seen_no_key_is_used_up(host: Managed) -> None:
    """Name servers that do not answer may have an older set."""
    covered(host, NEW)
    host.records.error = LookupFailed("no name server answers", name=OWNER)
    (refused,) = host.start().failures
    assert "cannot be told: no name server answers" in refused.message


def test_what_is_kept_elsewhere_is_in_nobody_s_way(host: Managed, tmp_path: Path) -> None:
    """Another dehydrated's run, and a certificate that no table speaks of."""
    host.lay_out(NEW)
    other = Kept(tmp_path, "dehydrated", "other/certs/b.test")
    other.renew(KEY, chain(KEY, 2, "b.test"))
    elsewhere = Home(other.directory.parent, other.directory.parent / "config", other.directory.parent)
    assert host.call(Started(SESSION, elsewhere)) == Answer()
    host.records.managed.clear()
    assert host.start() == Answer()
    assert host.records.brought == []


# -- after a run --


@pytest.mark.parametrize("call", [Ended, Stumbled])
def test_after_every_run_what_is_live_and_what_comes_next_is_published(
    host: Managed, call: Callable[[str, Home], Call]
) -> None:
    """Also after one that failed, which may have used up a key; once for all certificates."""
    host.lay_out(NEW)
    host.kept.key.resolve().write_text(NEWER)
    host.call(call(SESSION, host.home))
    assert all(map(host.records.names, (KEY, NEW, NEWER)))
    assert host.records.brought == [("a.test",)]


def test_what_went_wrong_there_is_told_and_a_failure_only_at_the_end(host: Managed) -> None:
    """In the middle of a run dehydrated might go on."""
    host.records.error = LookupFailed("no name server answers", name=OWNER, hint="look at them")
    stumbled = host.call(Stumbled(SESSION, host.home))
    assert (stumbled.failures, stumbled.told) == ((), ("no name server answers; look at them",))
    (failure,) = host.call(Ended(SESSION, host.home)).failures
    assert failure is host.records.error


def test_a_run_where_no_table_speaks_of_anything_is_answered_from_the_journal(host: Managed) -> None:
    """As ever; the twin needs to look."""
    (host.directory / "state").mkdir(exist_ok=True)
    for call in (Started(SESSION, host.home), Ended(SESSION, host.home), Stumbled(SESSION, host.home)):
        assert at_once(call, host.config(), FakeClock(DUE)) is None
        tables, host.tlsa = host.tlsa, ()
        assert at_once(call, host.config(), FakeClock(DUE)) == Answer()
        host.tlsa = (DaneConfig(endpoint=("smtp://a.test",), certificate=("ours",)),)
        assert at_once(call, host.config(), FakeClock(DUE)) == Answer()
        host.tlsa = tables
    assert at_once(Ended(SESSION), host.config(), FakeClock(DUE)) == Answer()


def test_a_run_tells_where_its_certificates_are() -> None:
    """At its beginning and its end; where it does not tell, nothing is looked for."""
    places = {"BASEDIR": "/base", "CERTDIR": "/certs", "CONFIG": "/etc/dehydrated/config"}
    home = Home(Path("/certs"), Path("/etc/dehydrated/config"), Path("/base"))
    for words in (["startup_hook"], ["exit_hook"], ["exit_hook", "no nonce"]):
        call = dehydrated.call(words, places)
        assert isinstance(call, Started | Ended | Stumbled)
        assert call.home == home
        assert dehydrated.call(words, {"CERTDIR": "/certs"}) == type(call)("")


def test_a_run_that_did_not_begin_ends_without_another_look() -> None:
    """The error's words are dehydrated's own; with any other, there may be another key."""
    places = {"BASEDIR": "/base", "CERTDIR": "/certs"}
    refused = dehydrated.call(["exit_hook", "startup_hook hook returned with non-zero exit code"], places)
    assert isinstance(refused, Stumbled)
    assert refused.home is None
    failed = dehydrated.call(["exit_hook", "sync_cert hook returned with non-zero exit code"], places)
    assert isinstance(failed, Stumbled)
    assert failed.home is not None
