"""TLSA records and other clients' certificates: nothing goes live, or is brought to daemons, that they do not cover."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from authority import START, Authority
from dnsbroker.cli import exit_status
from dnsbroker.errors import Held, KeyGuarded, LookupFailed
from dnsbroker.guarding import Guard, Guarded
from dnsbroker.hooking import Answer
from dnsbroker.hooking.calls import Deploy, Ended
from dnsbroker.tlsa.computing import USUAL
from hooked_host import AUTHORITY, KEY, NEW, NEWER, SESSION, admitted, chain
from kept_elsewhere import Kept
from managed_host import RIPE, Managed, covered
from remembered_tlsa import OWNER


@pytest.fixture
def host(tmp_path: Path) -> Managed:
    """One whose certificate is due."""
    return Managed(tmp_path)


# -- before a certificate goes live --


@pytest.mark.parametrize("reference", ["a.test", ""])
def test_an_uncovered_certificate_does_not_go_live(tmp_path: Path, reference: str) -> None:
    """By a name, or by a directory without any table; a covered one does, with its key there or not."""
    host = Managed(tmp_path, reference=reference)
    if not reference:
        host.tables, host.settings = {}, {"names": ["ours.test"]}
    covered(host, NEWER)
    (refused,) = host.call(admitted(host.kept, NEW, chain(NEW, 2))).failures
    assert isinstance(refused, Held)
    assert exit_status.of(refused) == exit_status.HELD
    assert "does not go live" in refused.message
    assert "dehydrated orders again in a later run" in refused.hint
    good = admitted(host.kept, NEWER, chain(NEWER, 3))
    assert host.call(good) == Answer()
    good.key.unlink()
    assert host.call(good) == Answer()
    bad = admitted(host.kept, NEW, chain(NEW, 4))
    bad.key.unlink()
    assert host.call(bad).failures


def test_a_published_key_that_caches_may_not_know_yet_does_not_go_live(host: Managed) -> None:
    """Till the very moment that is told."""
    covered(host)
    host.lay_out(NEW)
    host.call(Ended(SESSION, host.home))
    call = admitted(host.kept, NEW, chain(NEW, 2))
    (refused,) = host.call(call).failures
    assert isinstance(refused, Held)
    assert refused.until == host.now + RIPE
    host.later(RIPE)
    assert host.call(call) == Answer()


def test_a_chain_of_another_authority_does_not_go_live_under_its_predecessor_s_record(host: Managed) -> None:
    """Its key is the present one; of its own authority it is all the same."""
    host.records.kinds = USUAL
    covered(host)
    other = Authority("other").issue(KEY, ["a.test"], serial=2)
    (refused,) = host.call(admitted(host.kept, KEY, other)).failures
    assert "2 1 1" in refused.message
    assert host.call(admitted(host.kept, KEY, AUTHORITY.issue(KEY, ["a.test"], serial=3))) == Answer()


def test_a_chain_of_another_authority_goes_live_loudly_where_the_live_one_ends_soon(host: Managed) -> None:
    """Clients that follow the standard are content with its key; one whose key is not covered does not, ever."""
    host.records.kinds = USUAL
    covered(host)
    host.now = START + timedelta(days=85)
    host.later(timedelta())
    authority = Authority("other")
    assert host.call(admitted(host.kept, KEY, authority.issue(KEY, ["a.test"], serial=2))) == Answer()
    (told,) = host.warnings()
    assert "what is live ends soon" in told
    assert host.call(admitted(host.kept, NEW, authority.issue(NEW, ["a.test"], serial=3))).failures


def test_the_guard_has_nothing_to_say_of_records_that_are_looked_after(
    host: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for all the same, for there may be others."""
    found = [Guarded(OWNER, "smtp://a.test", ("3 1 1 00",), by_key=("3 1 1 00",))]

    async def look(*_: object) -> tuple[Guarded, ...]:
        return tuple(found)

    monkeypatch.setattr(Guard, "look", look)
    host.settings["tlsa_guard"] = True
    covered(host, NEW)
    call = admitted(host.kept, NEW, chain(NEW, 2))
    assert host.call(call) == Answer()
    found.append(Guarded("_443._tcp.a.test.", "https://a.test", ("3 1 1 00",), by_key=("3 1 1 00",)))
    (refused,) = host.call(call).failures
    assert isinstance(refused, KeyGuarded)
    assert refused.names == ("_443._tcp.a.test.",)


# -- what daemons get --


def certbot(host: Managed) -> Deploy:
    """As its deploy hook says it."""
    return Deploy("", host.kept.directory, is_alone=True)


@pytest.fixture
def renewed(tmp_path: Path) -> Managed:
    """A host with certbot, whose certificate was deployed, and its record is known everywhere."""
    host = Managed(tmp_path, "certbot")
    host.settings["copies"] = [{"to": str(tmp_path / "copies")}]
    host.now = START + timedelta(days=1)
    host.later(timedelta())
    assert host.call(certbot(host)) == Answer(changed=True)
    host.later(RIPE)
    host.records.brought.clear()
    host.said()
    return host


def test_certbot_with_the_same_key_is_deployed_and_nothing_is_written(renewed: Managed) -> None:
    """The record names the key, not its file; certbot writes a copy."""
    before = renewed.records.records
    renewed.kept.renew(KEY, chain(KEY, 2))
    assert renewed.call(certbot(renewed)).failures == ()
    assert renewed.words == ["deploy", "post"]
    assert renewed.records.records == before
    assert len(before) == 1


def test_certbot_with_a_new_key_brings_nothing_to_its_users_until_that_is_known(renewed: Managed) -> None:
    """It is published at once; a later run deploys it."""
    renewed.kept.renew(NEW, chain(NEW, 2))
    (held,) = renewed.call(certbot(renewed)).failures
    assert isinstance(held, Held)
    assert held.until == renewed.now + RIPE
    assert held.message.startswith("a.test is not deployed")
    assert "--reuse-key" in held.hint
    assert renewed.records.names(NEW)
    assert renewed.said() == []
    copy = renewed.directory / "copies/privkey.pem"
    assert copy.read_text() == KEY
    renewed.later(RIPE)
    assert renewed.call(Deploy("", renewed.kept.directory, is_new=False)).failures == ()
    assert renewed.words == ["deploy", "post"]
    assert copy.read_text() == NEW


def test_for_dehydrated_that_is_told_and_no_failure(host: Managed) -> None:
    """Nor is it one at the session's end: it waits for its time."""
    host.call(Ended(SESSION, host.home))
    host.kept.renew(NEW, chain(NEW, 2))
    answer = host.deploy(is_heeded=False)
    assert answer.failures == ()
    assert answer.told[0].startswith("a.test is not deployed")
    assert (host.failed, host.said()) == ((), [])


def test_a_trouble_with_dns_is_one_of_certbot_s_hook_and_nothing_uncovered_is_deployed(
    renewed: Managed,
) -> None:
    """The present key is, whatever DNS says then."""
    renewed.records.error = LookupFailed("no name server answers", name=OWNER, hint="look at them")
    renewed.kept.renew(NEW, chain(NEW, 2))
    (failure,) = renewed.call(certbot(renewed)).failures
    assert isinstance(failure, Held)
    assert renewed.said() == []
    renewed.kept.renew(KEY, chain(KEY, 3))
    assert renewed.call(certbot(renewed)).failures == (renewed.records.error,)
    assert renewed.words == ["deploy", "post"]


def test_a_directory_without_a_table_of_its_own_has_its_records_brought_up_to_date(tmp_path: Path) -> None:
    """There is nothing to deploy; another directory is still nobody's."""
    host = Managed(tmp_path, "certbot", reference="")
    host.settings = {"names": ["ours.test"]}
    host.kept.renew(NEW, chain(NEW, 2))
    assert host.call(certbot(host)) == Answer()
    assert host.records.names(NEW)
    assert host.events == []
    other = Kept(tmp_path, "certbot", "client/letsencrypt/live/b.test")
    other.renew(KEY, chain(KEY, 3, "b.test"))
    host.call(Deploy("", other.directory, is_alone=True))
    assert [event["event"] for event in host.events] == ["unknown_lineage"]
    assert len(host.records.brought) == 1
