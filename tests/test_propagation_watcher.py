"""Waits for real name servers on loopback: who is waited for, who is tolerated, and what is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dnsbroker.lookup.exchange import Address, Answer, Exchange, Untestable
from watching import NAME, ORIGIN, PATIENCE, Stage, stage


class WithoutIPv6(Exchange):
    """As on a host that has no IPv6."""

    async def ask(self, address: Address, *question: Any, **options: Any) -> Answer:
        """An IPv4 address is asked."""
        if address.is_v6:
            raise Untestable(address, "network is unreachable")
        return await super().ask(address, *question, **options)


@pytest.fixture
def two() -> Iterator[Stage]:
    """A primary and one secondary."""
    with stage() as made:
        yield made


def test_everywhere_is_everywhere(two: Stage) -> None:
    """Both servers have the value: through after two rounds, with the TTL and every verdict."""
    two.publish("value")
    begun = time.monotonic()
    outcome = two.wait("value")
    assert time.monotonic() - begun >= 0.2
    assert [(item.server, item.verdict) for item in outcome.verdicts] == [
        ("ns1.example.test.", "green"),
        ("ns2.example.test.", "green"),
    ]
    assert (outcome.ttl, outcome.warnings) == (60, ())
    assert [event["event"] for event in two.events] == ["server", "server", "propagated"]


def test_n1_a_stale_secondary_is_waited_for_and_named(two: Stage) -> None:
    """It is told what it lacks, and the wait is over soon after it does so."""
    two.publish("value", at=[1])
    followed: list[float] = []

    def follow() -> None:
        followed.append(time.monotonic())
        two.publish("value", at=[2])

    two.wait("value", meanwhile=follow, after=0.7)
    assert time.monotonic() - followed[0] < 5
    assert (two.told(1), two.told(2)) == (["green"], ["stale", "green"])
    (stale,) = [event for event in two.events if event.get("verdict") == "stale"]
    assert stale["detail"] == "has no TXT of ours, at serial 1, needs 2"
    assert (stale["name"], stale["zone"], stale["serial"]) == (NAME, ORIGIN, 1)


def test_n30_the_deadline_ends_it_with_a_table(two: Stage) -> None:
    """Nobody is asked for longer, and the error names who disagrees, what it has, and the cure."""
    two.publish("value", at=[1])
    error = two.failure("value", seconds=1)
    port = two.names.port
    assert error.message == (
        "_acme-challenge.example.test is not right on every server of example.test after 1s: "
        f"ns2.example.test (127.0.0.22:{port}) is stale: has no TXT of ours, at serial 1, needs 2"
    )
    assert error.seen_by_server == {
        f"ns1.example.test (127.0.0.21:{port})": "green",
        f"ns2.example.test (127.0.0.22:{port})": "stale: has no TXT of ours, at serial 1, needs 2",
    }
    assert error.hint == (
        "ns2.example.test refreshes every 3600 s and did not follow our NOTIFY: let it accept NOTIFY from "
        f"ns1.example.test (127.0.0.21:{port}), set propagation.timeout to 65m, or leave it out, with "
        "propagation.ignore or once with --ignore ns2.example.test"
    )
    assert not [event for event in two.events if event["event"] == "propagated"]


def test_n4_every_address_of_a_name_is_asked() -> None:
    """One name, two addresses, the second of them stale: it is the address that may be ignored."""
    with stage("127.0.0.21", "127.0.0.22", also=["ns2 A 127.0.0.23"]) as scene:
        scene.tree.zone(ORIGIN, "", "127.0.0.23")
        scene.publish("value")
        error = scene.failure("value")
        assert f"ns2.example.test (127.0.0.23:{scene.names.port}) is stale" in error.message
        assert "127.0.0.22" not in error.message
        assert error.hint.endswith("--ignore 127.0.0.23")
        assert scene.wait("value", ignore=("127.0.0.23",)).verdicts


def test_n2_stale_by_ipv6_only_is_found() -> None:
    """The same server name, up to date at its IPv4 address."""
    with stage("127.0.0.21", "127.0.0.22", also=["ns2 AAAA ::1"]) as scene:
        scene.tree.zone(ORIGIN, "", "::1")
        scene.publish("value")
        assert f"ns2.example.test ([::1]:{scene.names.port}) is stale" in scene.failure("value").message


def test_n3_an_address_that_this_host_cannot_reach_is_untested() -> None:
    """Neither pass nor failure: through without it, and without noise."""
    with stage("127.0.0.21", "127.0.0.22", also=["ns2 AAAA 2001:db8::1"]) as scene:
        scene.publish("value")
        scene.exchange = WithoutIPv6(0.1, 0.1)
        outcome = scene.wait("value")
        assert [item.verdict for item in outcome.verdicts] == ["green", "green", "untested"]
        assert outcome.warnings == ()


@pytest.mark.parametrize("side", ["parent", "zone"])
def test_n5_n6_a_server_that_only_one_side_names_is_asked(side: str) -> None:
    """The CA follows the delegation, other resolvers the zone's own NS set."""
    also = ["@ NS ns3", "ns3 A 127.0.0.23"] if side == "zone" else []
    with stage(also=also) as scene:
        if side == "parent":
            scene.tree.delegate("example NS ns3.example", "ns3.example A 127.0.0.23")
        (third,) = scene.tree.zone(ORIGIN, "", "127.0.0.23")
        scene.publish("value")
        assert "ns3.example.test" in scene.failure("value").message
        third.add("_acme-challenge TXT value")
        assert len(scene.wait("value").verdicts) == 3


class TestWhoIsTolerated:
    """N7 and N25: every kind of absence under every policy."""

    @pytest.mark.parametrize("kind", ["stopped", "silent", "SERVFAIL"])
    def test_silence_is_tolerated_after_a_while(self, two: Stage, kind: str) -> None:
        """Named with what happened, tolerated because the other one answers."""
        two.publish("value")
        begun = time.monotonic()
        outcome = self._with(two, kind, "value")
        assert time.monotonic() - begun >= PATIENCE
        assert outcome.verdicts[1].verdict == ("broken" if kind == "SERVFAIL" else "unreachable")
        (warning,) = outcome.warnings
        assert warning.startswith(f"ns2.example.test (127.0.0.22:{two.names.port}) is ")
        assert warning.endswith("; it was not waited for")

    @pytest.mark.parametrize("kind", ["REFUSED", "upward", "not_authoritative"])
    def test_n7_a_lame_one_at_once(self, two: Stage, kind: str) -> None:
        """It says itself that it is not to be asked; that is told."""
        two.publish("value")
        outcome = self._with(two, kind, "value")
        assert "is lame" in outcome.warnings[0]

    @pytest.mark.parametrize("kind", ["stopped", "silent", "SERVFAIL", "REFUSED"])
    def test_n25_all_fails_the_wait(self, two: Stage, kind: str) -> None:
        """``require = "all"``, whatever the kind; without it the hint says how to go on."""
        two.publish("value")
        assert self._with(two, kind, "value").verdicts  # the twin: it is that policy that fails it
        error = self._with(two, kind, "value", fails=True, require="all")
        assert "ns2.example.test" in error.message
        assert error.hint.endswith("--ignore ns2.example.test")

    def test_tlsa_is_strict_whatever_is_configured(self, two: Stage) -> None:
        """Whoever is silent now may answer with old TLSA records later: neither tolerated nor ignored."""
        for copy in two.copies:
            copy.add("_443._tcp.www TLSA 3 1 1 " + "ab" * 32)
        wanted: dict[str, Any] = {"name": "_443._tcp.www.example.test.", "type": "TLSA", "serial": None}
        assert two.wait("3 1 1 " + "ab" * 32, require="none", settle=0.1, **wanted).verdicts
        two.server(2).behaviour.rcode = "REFUSED"
        error = two.failure("3 1 1 " + "ab" * 32, require="none", settle=0.1, ignore=("ns2.example.test.",), **wanted)
        assert "is lame" in error.message
        assert "--ignore" not in error.hint

    def test_nobody_answers_rightly(self, two: Stage) -> None:
        """Where one is lame and the other silent, nothing is proved."""
        two.publish("value")
        asyncio.run(two.finder.find(NAME))
        two.server(1).behaviour.silent = True
        two.server(2).behaviour.rcode = "REFUSED"
        assert "is lame" in two.failure("value", seconds=PATIENCE + 0.3).message

    def test_one_that_falls_silent_before_the_second_round_is_waited_for(self, two: Stage) -> None:
        """That it was green once is not enough; at the deadline it is said that it hangs."""
        two.publish("value", at=[1])

        def follow() -> None:
            two.server(1).behaviour.silent = True
            two.publish("value", at=[2])

        error = two.failure("value", seconds=0.7, meanwhile=follow, require="all")
        assert "127.0.0.21" in error.message

    @staticmethod
    def _with(scene: Stage, kind: str, value: str, *, fails: bool = False, **config: Any) -> Any:
        """The wait's outcome, or its error, with the second server so."""
        server = scene.server(2)
        asyncio.run(scene.finder.find(NAME))
        if kind == "stopped":
            server.stop()
        elif kind in ("silent", "upward", "not_authoritative"):
            setattr(server.behaviour, kind, True)
        else:
            server.behaviour.rcode = kind
        return scene.failure(value, seconds=PATIENCE + 0.3, **config) if fails else scene.wait(value, **config)


class TestWhoIsIgnored:
    """``propagation.ignore``: by name, by a second name, by address; with a warning each time."""

    @pytest.mark.parametrize("name", ["ns2.example.test.", "127.0.0.22", "alias.example.test."])
    def test_it_is_left_out_with_a_warning(self, name: str) -> None:
        """The other names that lead to the same address count as well."""
        with stage(also=["@ NS alias", "alias A 127.0.0.22"]) as scene:
            scene.publish("value", at=[1])
            assert "stale" in scene.failure("value", seconds=0.4).message
            scene.events.clear()
            outcome = scene.wait("value", ignore=(name,))
            assert len(outcome.verdicts) == 1
            (warning,) = outcome.warnings
            assert warning.endswith(f"(127.0.0.22:{scene.names.port}) is ignored")
            assert [event["message"] for event in scene.events if event["event"] == "warning"] == [warning]
            assert scene.told(2) == []

    def test_nothing_left_to_ask_is_said_at_once(self, two: Stage) -> None:
        """Rather than waited for until the deadline."""
        begun = time.monotonic()
        error = two.failure("value", seconds=5, ignore=("127.0.0.21", "127.0.0.22"))
        assert time.monotonic() - begun < 4.5
        assert error.message == "no server of example.test is left to ask"
        assert "propagation.ignore" in error.hint


class TestTransports:
    """N8 and N9: UDP and TCP."""

    def test_n8_a_truncated_answer_is_fetched(self, two: Stage) -> None:
        """By TCP, silently: that is how it should be."""
        two.publish("value")
        two.server(2).behaviour.truncate_udp = True
        assert two.wait("value").warnings == ()

    def test_n9_dropped_udp_is_green_with_a_warning(self, two: Stage) -> None:
        """A CA asks by UDP first."""
        two.publish("value")
        two.server(2).behaviour.drop_udp = True
        (warning,) = two.wait("value").warnings
        assert warning.endswith("answers by TCP only: a CA needs UDP too")

    def test_an_answer_cut_short_without_tcp_is_as_good_as_none(self, two: Stage) -> None:
        """Neither stale nor lost: broken, and tolerated as such."""
        two.publish("value")
        two.server(2).behaviour.truncate_udp = two.server(2).behaviour.close_tcp = True
        (warning,) = two.wait("value", serial=None).warnings
        assert "is broken: answers by UDP, cut short, and not by TCP" in warning


class TestValues:
    """N17 to N22: the value decides."""

    def test_n19_apex_and_wildcard_are_waited_for_together(self, two: Stage) -> None:
        """One of the two values is partial."""
        two.publish("apex", "wildcard", at=[1])
        two.publish("apex", at=[2], serial=1)
        error = two.failure("apex", "wildcard")
        assert "is partial: has 1 of 2 values, at serial 1, needs 2" in error.message

    def test_n18_n17_foreign_values_are_no_matter_but_case_is(self, two: Stage) -> None:
        """Contains, byte for byte."""
        two.publish("foreign", "Value")
        assert two.wait("Value").verdicts
        assert "ns1.example.test" in two.failure("value").message

    def test_n22_the_value_at_an_older_serial_passes(self, two: Stage) -> None:
        """Databases replicate without serials."""
        two.publish("value")
        assert two.wait("value", serial=99).verdicts

    def test_n21_a_new_serial_without_the_value_is_lost(self, two: Stage) -> None:
        """Told after the second look, and never tolerated."""
        two.publish("value", at=[1])
        two.copy(2).bump(2)
        error = two.failure("value")
        assert two.told(2) == ["stale", "lost"]
        assert "is lost: has no TXT of ours, although its serial 2 is new enough" in error.message
        assert "another copy of the zone" in error.hint

    def test_n20_a_serial_that_went_round_is_newer(self, two: Stage) -> None:
        """4294967295 waits for 0, and is not lost."""
        two.publish("value", at=[1], serial=0)
        two.copy(2).bump(4294967295)
        assert "is stale: has no TXT of ours, at serial 4294967295, needs 0" in two.failure("value", serial=0).message

    def test_n24_machines_that_take_turns_never_pass(self, two: Stage) -> None:
        """Two machines at one address, one of them stale: no two rounds agree; the words say why."""
        two.copy(2).alternate("@ SOA ns1 host 2 3600 600 86400 60\n_acme-challenge TXT value\n")
        two.publish("value", at=[1])
        error = two.failure("value", seconds=1.5)
        assert "had the values and lost them again" in error.message
        assert error.hint.startswith("bring the machines that answer as ns2.example.test in step")

    def test_the_largest_ttl_of_the_rrset_counts(self, two: Stage) -> None:
        """Also that of what stood there before, as a lagging server shows it."""
        two.copy(2).add("_acme-challenge 500 TXT foreign")
        two.publish("value", at=[1])

        def follow() -> None:
            two.copy(2).remove(NAME, "TXT")
            two.publish("value", at=[2])

        assert two.wait("value", meanwhile=follow).ttl == 500
        assert two.wait("value").ttl == 60


class TestTheWayThere:
    """N14: every alias on the way is waited for at every server of its zone."""

    @pytest.mark.parametrize("kind", ["CNAME", "DNAME"])
    def test_n14_an_alias_missing_on_one_secondary(self, two: Stage, kind: str) -> None:
        """The final zone is right; a resolver that asks that secondary still finds nothing."""
        (final,) = two.tree.zone("other.test.", "@ NS ns\nns A 127.0.0.31\n", "127.0.0.31")
        two.tree.delegate("other NS ns.other", "ns.other A 127.0.0.31")
        line = {"CNAME": "_acme-challenge CNAME x.other.test.", "DNAME": "_acme-challenge.d DNAME other.test."}[kind]
        final.add("x TXT value")
        name = {"CNAME": NAME, "DNAME": "x._acme-challenge.d.example.test."}[kind]
        two.copy(1).add(line)
        place = asyncio.run(two.finder.find(name))
        assert [hop.kind for hop in place.hops] == [kind]
        error = two.failure("value", name=name, serial=None)
        assert f"ns2.example.test (127.0.0.22:{two.names.port}) is stale: has no {kind} of ours" in error.message
        two.copy(2).add(line)
        outcome = two.wait("value", name=name, serial=None)
        assert [item.server for item in outcome.verdicts] == [
            "ns1.example.test.",
            "ns2.example.test.",
            "ns.other.test.",
        ]
