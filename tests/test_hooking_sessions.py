"""A client's run from its start to its end: what it stumbles over, what it cleans up, what is left and told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dnsbroker.errors import DeployFailed, NotWithdrawn, ProviderUnavailable
from dnsbroker.hooking import Answer, at_once
from dnsbroker.hooking.calls import Call, Cleanup, Ended, Present, Refused, Started, Stumbled
from dnsbroker.journal import Journal, Sessions
from dnsbroker.records import Change, Receipt
from dnsbroker.testing import MemoryProvider
from hooks_bench import NAME, OTHER, ZONE, Host, cleanup, heeded, host, spaced

SESSION = "dehydrated /etc/dehydrated"
ELSEWHERE = "dehydrated /elsewhere"
GRACE = 5 * 60
HOUR = 3600

#: As dehydrated passes on what the CA says of a challenge that it refused.
RESPONSE = """\
["type"]\t"dns-01"
["url"]\t"https://ca.test/chall/2"
["status"]\t"invalid"
["error","type"]\t"urn:ietf:params:acme:error:unauthorized"
["error","detail"]\t"Incorrect TXT record found"
["error","status"]\t403
["token"]\t"token-of-b"
"""


class Away(MemoryProvider):
    """Cannot be reached."""

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        raise ProviderUnavailable("away", provider="corp", zone=zone)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def known(bench: Host, call: Call) -> Answer | None:
    """What the journal alone answers."""
    return at_once(call, bench.config, bench.clock)


def note(bench: Host, error: Exception, session: str = SESSION) -> None:
    journal = Journal(bench.config.state_dir)
    assert isinstance(error, DeployFailed)
    Sessions(journal, bench.clock).failed(session, error)
    journal.close()


def told_left(bench: Host) -> str:
    """Why records could not be withdrawn, as people were told."""
    return " ".join(str(event["message"]) for event in bench.told if event["event"] == "left")


def test_h18_a_chain_reaches_each_zone_in_a_single_write(bench: Host) -> None:
    """Three challenges at two names, in one call; cleaned up in one as well."""
    other = f"_acme-challenge.{OTHER}"
    values = {NAME: ["a", "b"], other: ["c"]}
    assert not bench.call(Present(SESSION, values)).failures
    assert sorted(write.zone for write in bench.service.seen) == [ZONE, OTHER]
    assert (bench.standing(), bench.standing(other)) == ({"a", "b"}, {"c"})
    assert not bench.call(Cleanup(SESSION, values, is_forgiving=True)).failures
    assert (len(bench.service.seen), bench.standing(), bench.standing(other), bench.open()) == (4, set(), set(), ())


def test_h21_a_cleanup_that_fails_is_none_for_who_would_lose_an_order(bench: Host) -> None:
    """It is told, left to later sweeps, and told again where the run ends without success."""
    bench.call(heeded("a", session=SESSION))
    bench.adapter = Away
    answer = bench.call(cleanup("a", session=SESSION, forgiving=True))
    assert not answer.failures
    assert ("away" in told_left(bench)) and not answer.told
    ended = bench.call(Ended(SESSION))
    assert [type(error) for error in ended.failures] == [NotWithdrawn]
    assert bench.standing() == {"a"}

    bench.adapter = MemoryProvider
    assert not bench.call(Started(SESSION)).failures
    assert (bench.standing(), bench.open()) == (set(), ())


def test_a_leftover_that_is_gone_at_the_end_is_not_told_again(bench: Host) -> None:
    """The negative twin: the provider is back, and the end of the run withdraws it."""
    bench.call(heeded("a", session=SESSION))
    bench.adapter = Away
    bench.call(cleanup("a", session=SESSION, forgiving=True))
    bench.adapter = MemoryProvider
    ended = bench.call(Ended(SESSION))
    assert (list(ended.failures), list(ended.told), bench.standing()) == ([], [], set())


def test_a_cleanup_that_fails_is_one_for_everybody_else(bench: Host) -> None:
    """The negative twin: their clients go on, and tell it."""
    bench.call(heeded("a"))
    bench.adapter = Away
    assert [type(error) for error in bench.call(cleanup("a")).failures] == [NotWithdrawn]


def test_h22_the_token_tells_which_challenge_was_refused(bench: Host) -> None:
    """The name that is passed is that of another one."""
    bench.call(heeded("a", session=SESSION, name="_acme-challenge.d.example.test."))
    bench.call(heeded("b", session=SESSION, name="_acme-challenge.b.example.test."))
    answer = known(bench, Refused(SESSION, "d.example.test", RESPONSE))
    assert answer is not None
    told = ["the CA refused the challenge of b.example.test: Incorrect TXT record found"]
    assert (list(answer.told), list(answer.failures)) == (told, [])
    for value, name in (("a", "d"), ("b", "b")):
        bench.call(cleanup(value, session=SESSION, forgiving=True, name=f"_acme-challenge.{name}.example.test."))
    ended = bench.call(Ended(SESSION))
    assert (list(ended.told), list(ended.failures)) == (told, [])


@pytest.mark.parametrize("response", ["", '["token"]\t"unknown"\n', "nonsense\n\t\n"])
def test_a_token_that_nobody_knows_names_nobody(bench: Host, response: str) -> None:
    """The negative twin: what the client passes is taken for a guess."""
    bench.call(heeded("b", session=SESSION))
    answer = known(bench, Refused(SESSION, "d.example.test", response))
    assert answer is not None
    assert list(answer.told) == ["the CA refused the challenge of d.example.test or of a name beside it"]


def test_a_refusal_of_which_nothing_is_said_names_no_name(bench: Host) -> None:
    """As dehydrated may call it without arguments."""
    answer = known(bench, Refused(SESSION, "", ""))
    assert answer is not None
    assert list(answer.told) == ["the CA refused the challenge of a name that the client does not tell"]


def test_h23_an_error_is_not_the_end_of_a_run(bench: Host) -> None:
    """Said twice, it deletes nothing; what is asked for afterwards has its full time, and the run ends well."""
    bench.call(heeded("a", session=SESSION))
    for _ in range(2):
        answer = known(bench, Stumbled(SESSION))
        assert answer is not None and not answer.failures
    assert bench.standing() == {"a"}
    (lease,) = bench.open()
    assert lease.expires is not None
    assert 0 < lease.expires - bench.clock.now().timestamp() <= GRACE

    bench.call(heeded("a", "b", session=SESSION))
    expiries = {lease.record.value: lease.expires or 0.0 for lease in bench.open()}
    assert min(expiries.values()) - bench.clock.now().timestamp() > GRACE
    bench.clock.turn(GRACE + 1)
    bench.collect()
    assert bench.standing() == {"a", "b"}
    bench.call(cleanup("a", "b", session=SESSION, forgiving=True))
    ended = known(bench, Ended(SESSION))
    assert ended == Answer() and (bench.standing(), bench.open()) == (set(), ())


def test_after_an_error_that_was_the_end_minutes_are_enough(bench: Host) -> None:
    """Nobody has cleaned up: five minutes later a sweep does, and does not before."""
    bench.call(heeded("a", session=SESSION))
    bench.call(heeded("b", session=ELSEWHERE))
    bench.call(Stumbled(SESSION))
    bench.collect()
    assert bench.standing() == {"a", "b"}
    bench.clock.turn(GRACE + 1)
    assert (bench.collect(), bench.standing()) == (1, {"b"})


def test_h24_the_end_of_a_run_withdraws_what_it_left(bench: Host) -> None:
    """With KEEP_GOING a certificate fails in the middle of a run: its value goes at the end, and no other session's."""
    bench.call(heeded("a", session=SESSION))
    bench.call(heeded("b", session=ELSEWHERE))
    bench.call(heeded("c"))
    assert known(bench, Ended(SESSION)) is None
    ended = bench.call(Ended(SESSION))
    assert (list(ended.failures), bench.standing()) == ([], {"b", "c"})


def test_the_end_of_a_run_tells_again_what_was_not_deployed(bench: Host) -> None:
    """Once; the next run knows nothing of it."""
    bench.call(heeded("a", session=SESSION))
    bench.call(cleanup("a", session=SESSION, forgiving=True))
    for _ in range(2):
        note(bench, DeployFailed("nginx did not reload", certificate="example.test", steps=["reload nginx"]))
    ended = bench.call(Ended(SESSION))
    (error,) = ended.failures
    assert isinstance(error, DeployFailed)
    assert (error.message, error.certificate) == ("nginx did not reload", "example.test")
    assert known(bench, Ended(SESSION)) == Answer()


def test_a_start_withdraws_what_a_dead_run_of_the_same_session_left(bench: Host) -> None:
    """The client holds a lock of its own, so that the earlier run is dead; its failures are forgotten with it."""
    bench.call(heeded("a", session=SESSION))
    note(bench, DeployFailed("nginx did not reload", certificate="example.test", steps=[]))
    bench.call(heeded("b", session=ELSEWHERE))
    assert known(bench, Started(SESSION)) is None
    assert not bench.call(Started(SESSION)).failures
    assert bench.standing() == {"b"}
    assert known(bench, Ended(SESSION)) == Answer()


def test_a_start_withdraws_what_is_over_whoever_left_it(bench: Host) -> None:
    """An hour after a client was killed over it."""
    bench.call(heeded("a"))
    bench.call(spaced("b"))
    bench.clock.turn(HOUR + 1)
    assert not bench.call(Started(SESSION)).failures
    assert (bench.standing(), bench.open()) == (set(), ())


def test_a_start_is_not_held_up_by_what_cannot_be_withdrawn(bench: Host) -> None:
    """A failure would end the run before it has begun: it is told, and no more."""
    bench.call(heeded("a", session=SESSION))
    bench.adapter = Away
    assert bench.call(Started(SESSION)) == Answer()
    assert "away" in told_left(bench)
    assert bench.standing() == {"a"}


def test_what_another_zone_kept_is_no_failure_of_a_run_that_has_nothing_there(bench: Host) -> None:
    """It is told at the run's start, once; its end has its own values alone to take back."""
    elsewhere = f"_acme-challenge.{OTHER}"
    bench.call(heeded("old", name=elsewhere))
    bench.clock.turn(HOUR + 1)
    bench.adapter = Away
    assert bench.call(Started(SESSION)) == Answer()
    assert told_left(bench).count("away") == 1
    bench.adapter, bench.told[:] = MemoryProvider, []
    bench.call(heeded("mine", session=SESSION))
    ended = bench.call(Ended(SESSION))
    assert (list(ended.failures), list(ended.told), told_left(bench)) == ([], [], "")
    assert (bench.standing(), bench.standing(elsewhere)) == (set(), {"old"})
    bench.call(Started(SESSION))
    assert bench.standing(elsewhere) == set()


def test_a_session_that_cannot_be_told_has_nothing_to_end(bench: Host) -> None:
    """The values of other clients that have none either are not taken for its own; what is over goes at a start."""
    bench.call(heeded("a"))
    for call in (Started(""), Stumbled(""), Ended("")):
        assert known(bench, call) == Answer()
    assert bench.standing() == {"a"}
    bench.clock.turn(HOUR + 1)
    assert known(bench, Ended("")) == Answer()
    assert bench.call(Started("")).changed
    assert bench.standing() == set()


def test_where_there_is_nothing_to_do_nobody_is_asked(bench: Host) -> None:
    """Not even for a state directory that is not there yet: that takes a run, which makes it."""
    assert known(bench, Started(SESSION)) == Answer()
    gone = Host(bench.config.state_dir / "new", bench.tree)
    assert known(gone, Started(SESSION)) is None
    assert gone.call(Started(SESSION)) == Answer()
    assert known(gone, Ended(SESSION)) == Answer()


def test_two_sessions_with_the_same_name_have_a_value_each(bench: Host) -> None:
    """As with dehydrated and certbot at once: the cleanup of one leaves the other's, and somebody else's."""
    bench.service.plant(ZONE, NAME, "TXT", 60, ["foreign"])
    bench.call(heeded("a", session=SESSION))
    bench.call(spaced("b"))
    bench.call(cleanup("a", session=SESSION, forgiving=True))
    assert bench.standing() == {"b", "foreign"}
    bench.call(Ended(SESSION))
    assert bench.standing() == {"b", "foreign"}
    bench.call(cleanup("b", session="certbot example.test"))
    assert bench.standing() == {"foreign"}


def test_h31_a_cleanup_without_a_present_takes_out_what_stands(bench: Host) -> None:
    """Asked for twice it is well, too; of a value that nobody knows nothing is said."""
    bench.service.plant(ZONE, NAME, "TXT", 60, ["a", "foreign"])
    for _ in range(2):
        assert not bench.call(cleanup("a")).failures
        assert bench.standing() == {"foreign"}


def test_h31_what_stood_before_we_were_asked_for_it_stays(bench: Host) -> None:
    """The negative twin: a value that was there when it was presented is somebody else's."""
    bench.service.plant(ZONE, NAME, "TXT", 60, ["a"])
    bench.call(heeded("a"))
    for _ in range(2):
        assert not bench.call(cleanup("a")).failures
        assert bench.standing() == {"a"}


def test_a_value_behind_an_alias_goes_also_when_the_alias_is_gone(bench: Host) -> None:
    """The journal knows where it was written."""
    target = f"x.{OTHER}"
    bench.service.alias("_acme-challenge.www.example.test.", target)
    alias = "_acme-challenge.www.example.test."
    bench.call(heeded("a", name=alias))
    assert bench.standing(target) == {"a"}
    bench.service.unalias(alias)
    assert not bench.call(cleanup("a", name="_ACME-challenge.www.Example.test")).failures
    assert (bench.standing(target), bench.open()) == (set(), ())


def test_a_cleanup_takes_along_what_is_over_in_the_same_zone(bench: Host) -> None:
    """As certbot has no start and no end, what a killed run left goes an hour later with the next one's values."""
    bench.call(spaced("old"))
    bench.clock.turn(HOUR + 1)
    bench.call(spaced("new"))
    assert bench.standing() == {"old", "new"}
    assert not bench.call(cleanup("new", session="certbot example.test")).failures
    assert (bench.standing(), bench.open()) == (set(), ())


def test_a_cleanup_leaves_what_is_not_over(bench: Host) -> None:
    """The negative twin."""
    bench.call(spaced("older"))
    bench.call(spaced("new"))
    bench.call(cleanup("new", session="certbot example.test"))
    assert bench.standing() == {"older"}
