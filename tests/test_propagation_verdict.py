"""What one answer means, and when the answers of a zone are enough: vectors, and properties of every table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.propagation.verdict import (
    Finding,
    Policy,
    ServerVerdict,
    Sight,
    Verdict,
    Want,
    confirmed,
    decide,
    judge,
)

NAME = "_acme-challenge.example.test."
WANT = Want(NAME, "TXT", frozenset({"apex", "wildcard"}), serial=10)
BOTH = frozenset({"apex", "wildcard"})
GOOD = Sight("NOERROR", True, values=BOTH, serial=10)

SIGHTS = {
    "all values at the serial": (GOOD, "green"),
    "n18 foreign values beside ours": (replace(GOOD, values=BOTH | {"foreign"}), "green"),
    "n22 all values at an older serial": (replace(GOOD, serial=9), "green"),
    "all values, no serial known": (replace(GOOD, serial=None), "green"),
    "n9 all values, by TCP only": (replace(GOOD, tcp_only=True), "green"),
    "all values in an answer cut short": (replace(GOOD, cut_short=True), "green"),
    "n19 one of two values": (replace(GOOD, values=frozenset({"apex"}), serial=9), "partial"),
    "one of two values at the serial": (replace(GOOD, values=frozenset({"apex"})), "partial"),
    "n1 none of ours at an older serial": (replace(GOOD, values=frozenset({"foreign"}), serial=9), "stale"),
    "NXDOMAIN at an older serial": (Sight("NXDOMAIN", True, serial=9), "stale"),
    "NODATA, no serial known": (Sight("NOERROR", True), "stale"),
    "n17 values that differ in case": (replace(GOOD, values=frozenset({"Apex", "WILDCARD"}), serial=9), "stale"),
    "n21 none of ours at the serial": (Sight("NOERROR", True, serial=10), "lost"),
    "none of ours at a newer serial": (Sight("NXDOMAIN", True, serial=11), "lost"),
    "none of ours, half the circle away": (Sight("NOERROR", True, serial=10 + 2**31), "stale"),
    "n7 the values without authority": (replace(GOOD, authoritative=False), "lame"),
    "n7 REFUSED": (Sight("REFUSED"), "lame"),
    "NOTAUTH": (Sight("NOTAUTH"), "lame"),
    "n7 a referral": (Sight("NOERROR", True, refers=True), "lame"),
    "SERVFAIL": (Sight("SERVFAIL"), "broken"),
    "FORMERR, also without EDNS": (Sight("FORMERR"), "broken"),
    "NOTIMP": (Sight("NOTIMP"), "broken"),
    "cut short before the values": (Sight("NOERROR", True, cut_short=True, serial=10), "broken"),
    "n26 the values with a wrong signature": (replace(GOOD, fault="it does not hold"), "bogus"),
    "nothing": (Sight(silent="UDP: no answer within 2 s; TCP: connection refused"), "unreachable"),
    "n3 no way to that family": (Sight(silent="network is unreachable", untestable=True), "untested"),
}


@pytest.mark.parametrize(("sight", "verdict"), SIGHTS.values(), ids=SIGHTS.keys())
def test_what_a_look_means(sight: Sight, verdict: str) -> None:
    """Each row of the table of verdicts."""
    assert judge(sight, WANT).verdict == verdict


@pytest.mark.parametrize(("serial", "verdict"), [(9, "stale"), (10, "green"), (11, "green"), (None, "green")])
def test_a_value_that_had_left_counts_from_its_new_serial_on(serial: int | None, verdict: str) -> None:
    """An address with the old serial has it from before, and is about to lose it."""
    assert judge(replace(GOOD, serial=serial), replace(WANT, returned=True)).verdict == verdict
    assert judge(replace(GOOD, serial=serial), replace(WANT, returned=True, serial=None)).verdict == "green"


@pytest.mark.parametrize(
    ("served", "needed", "verdict"),
    [
        (4294967295, 0, "stale"),
        (0, 4294967295, "lost"),
        (4294967290, 5, "stale"),
        (5, 4294967290, "lost"),
        (7, 7, "lost"),
        (2**31 - 1, 0, "lost"),
        (2**31, 0, "stale"),
    ],
)
def test_n20_serials_go_round(served: int, needed: int, verdict: str) -> None:
    """Newer is newer by RFC 1982: 0 comes after 4294967295."""
    want = replace(WANT, serial=needed)
    assert judge(Sight("NOERROR", True, serial=served), want).verdict == verdict


def test_the_serial_explains_and_the_words_say_how() -> None:
    """What is missing, where the server is, and where it has to be."""
    assert judge(Sight("NOERROR", True, serial=9), WANT) == Finding(
        Verdict.STALE, "has no TXT of ours, at serial 9, needs 10", 9
    )
    assert judge(Sight("NOERROR", True, values=frozenset({"apex"})), WANT).detail == "has 1 of 2 values"
    assert judge(Sight("NOERROR", True, serial=11), WANT).detail.endswith("although its serial 11 is new enough")


def test_n21_one_look_is_not_enough_for_lost() -> None:
    """The SOA and the values are two questions, and a transfer may come between them."""
    lost = judge(Sight("NOERROR", True, serial=10), WANT)
    assert confirmed(lost, 1).verdict is Verdict.STALE
    assert confirmed(lost, 2).verdict is Verdict.LOST
    assert confirmed(Finding(Verdict.GREEN), 1).verdict is Verdict.GREEN


def state(verdict: Verdict, *looks: float, server: str = "ns1.", silent_for: float = 0.0) -> ServerVerdict:
    """An address with that verdict, looked at so often in a row."""
    return ServerVerdict(server, f"{server}:{verdict}", Finding(verdict), looks=looks, silent_for=silent_for)


def green(*looks: float, server: str = "ns1.") -> ServerVerdict:
    return state(Verdict.GREEN, *looks, server=server)


REACHABLE = Policy("all-reachable", rounds=2)
ALL = Policy("all", rounds=2)
WRONG = [Verdict.BOGUS, Verdict.LOST, Verdict.STALE, Verdict.PARTIAL, Verdict.UNASKED]


class TestRounds:
    """Two complete rounds, one after the other."""

    def test_two_looks_at_each_are_two_rounds(self) -> None:
        """The usual case, two interleaved series."""
        assert decide([green(0.0, 0.2), green(0.01, 0.21)], REACHABLE).through

    def test_one_look_more_is_missing(self) -> None:
        """The first round is told, so that the next can be hurried; it is not enough."""
        decision = decide([green(0.0, 0.2), green(0.15)], REACHABLE)
        assert (decision.through, decision.agreed_at) == (False, 0.15)

    def test_looks_before_the_last_one_agreed_do_not_count_twice(self) -> None:
        """The first address, green for long, is looked at again after the last one became so."""
        early = [0.0, 0.2, 0.4]
        assert not decide([green(*early), green(5.0, 5.2)], REACHABLE).through
        assert decide([green(*early, 5.1), green(5.0, 5.2)], REACHABLE).through

    def test_two_looks_in_a_blink_are_one(self) -> None:
        """Two looks at one address less than 200 ms apart prove no steadiness."""
        assert not decide([green(0.0, 0.1)], REACHABLE).through
        assert decide([green(0.0, 0.1, 0.2)], REACHABLE).through

    def test_as_many_rounds_as_configured(self) -> None:
        """One is enough where one is asked for, four are not where five are."""
        looks = tuple(number / 4 for number in range(4))
        assert decide([green(0.0)], replace(REACHABLE, rounds=1)).through
        assert not decide([green(*looks)], replace(REACHABLE, rounds=5)).through
        assert decide([green(*looks, 1.0)], replace(REACHABLE, rounds=5)).through

    def test_a_lame_one_is_looked_at_twice_too(self) -> None:
        """It may have been asked in the moment in which it loaded the zone."""
        assert not decide([green(0.0, 0.2), state(Verdict.LAME, 0.2)], REACHABLE).through


class TestTolerance:
    """N25 and N7: who may be missing."""

    @pytest.mark.parametrize("verdict", [Verdict.UNREACHABLE, Verdict.BROKEN])
    def test_n25_silence_is_tolerated_after_ten_seconds(self, verdict: Verdict) -> None:
        """Not before; and SERVFAIL is a kind of silence."""
        row = [green(0.0, 0.2), state(verdict, 0.0, silent_for=9.9)]
        assert not decide(row, REACHABLE).through
        row[1] = state(verdict, 0.0, silent_for=10.0)
        assert decide(row, REACHABLE) == replace(decide(row, REACHABLE), through=True, tolerated=(row[1],))

    def test_n7_a_lame_server_is_tolerated_at_once(self) -> None:
        """It does answer, and says that it has no such zone."""
        assert decide([green(0.0, 0.2), state(Verdict.LAME, 0.0, 0.2)], REACHABLE).through

    @pytest.mark.parametrize("verdict", [Verdict.UNREACHABLE, Verdict.BROKEN, Verdict.LAME])
    def test_n25_all_tolerates_none(self, verdict: Verdict) -> None:
        """``require = "all"``: it fails the wait, however long."""
        row = [green(0.0, 0.2), state(verdict, 0.0, 0.2, silent_for=1000)]
        assert decide(row, REACHABLE).through
        assert not decide(row, ALL).through

    def test_somebody_must_have_answered_rightly(self) -> None:
        """Where all are silent, lame or out of reach, nothing is proved; nor where nobody is left."""
        for verdict in (Verdict.UNREACHABLE, Verdict.LAME, Verdict.UNTESTED):
            assert not decide([state(verdict, 0.0, 0.2, silent_for=1000)], REACHABLE).through
        assert not decide([], REACHABLE).through

    def test_n3_an_address_out_of_our_reach_does_not_count(self) -> None:
        """Neither pass nor failure; but where all must answer, its server has agreed at another address."""
        row = [green(0.0, 0.2, server="ns1."), state(Verdict.UNTESTED, 0.0, server="ns2.")]
        assert decide(row, REACHABLE).through
        assert not decide(row, ALL).through
        assert decide([*row, green(0.0, 0.2, server="ns2.")], ALL).through

    @pytest.mark.parametrize("verdict", WRONG)
    def test_a_wrong_answer_is_never_tolerated(self, verdict: Verdict) -> None:
        """However long it lasts, and whoever else agrees."""
        row = [green(0.0, 0.2), green(0.0, 0.2), state(verdict, *range(60), silent_for=1000.0)]
        assert not decide(row, REACHABLE).through


times = st.lists(st.floats(0, 30), max_size=6).map(lambda looks: tuple(sorted(looks)))
addresses = st.builds(
    lambda verdict, looks, silent, server: state(verdict, *looks, server=server, silent_for=silent),
    st.sampled_from(list(Verdict)) | st.just(Verdict.GREEN),
    times,
    st.floats(0, 30),
    st.sampled_from(["ns1.", "ns2.", "ns3."]),
)
steady = st.builds(
    lambda looks, server: green(*looks, server=server),
    st.lists(st.floats(0, 2), min_size=8, max_size=12).map(lambda looks: tuple(sorted(looks))),
    st.sampled_from(["ns1.", "ns2.", "ns3."]),
)
tables = st.lists(addresses, max_size=5) | st.lists(steady | addresses, min_size=1, max_size=3) | st.lists(steady)
policies = st.builds(Policy, st.sampled_from(["all-reachable", "all"]), rounds=st.integers(1, 4))


class TestAlways:
    """What holds for every table of verdicts."""

    @given(tables, policies)
    def test_never_through_with_a_wrong_answer(self, states: list[ServerVerdict], policy: Policy) -> None:
        """Who answers for the zone, yet lacks a value or proves nothing, holds it up."""
        if any(one.verdict in WRONG for one in states):
            assert not decide(states, policy).through

    @given(tables, policies)
    def test_through_only_with_a_green_one_that_was_steady(self, states: list[ServerVerdict], policy: Policy) -> None:
        """Who was not tolerated was seen green once in every round, at moments that are apart."""
        decision = decide(states, policy)
        if not decision.through:
            return
        counted = [one for one in states if one not in decision.tolerated]
        assert counted
        assert all(one.verdict is Verdict.GREEN and len(one.looks) >= policy.rounds for one in counted)
        assert all(one.looks[-1] - one.looks[0] >= (policy.rounds - 1) * (policy.apart - 0.002) for one in counted)
        latest = max(one.looks[0] for one in counted)
        assert policy.rounds == 1 or all(one.looks[-1] > latest for one in counted)

    @given(tables, policies)
    def test_a_stricter_policy_lets_no_more_through(self, states: list[ServerVerdict], policy: Policy) -> None:
        """More rounds, more patience or "all" never turn a no into a yes."""
        stricter = [
            replace(policy, rounds=policy.rounds + 1),
            replace(policy, patience=policy.patience + 5),
            replace(policy, require="all"),
        ]
        if any(decide(states, one).through for one in stricter):
            assert decide(states, policy).through

    @given(tables.filter(bool), policies, st.data())
    def test_leaving_one_out_hurts_only_if_it_was_needed(
        self, states: Sequence[ServerVerdict], policy: Policy, data: st.DataObject
    ) -> None:
        """Ignoring an address that is not green keeps through what was through."""
        out = data.draw(st.sampled_from(states))
        if out.verdict is not Verdict.GREEN and decide(states, policy).through:
            assert decide([one for one in states if one is not out], policy).through
