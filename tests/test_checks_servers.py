"""A zone's servers on loopback: each fault is named with its evidence and its cure, and without it nothing is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from dnsbroker.checks.serials import Announced, newest_of
from dnsbroker.checks.servers import servers
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.exchange import Address, Answer, Exchange, Untestable
from dnsbroker.lookup.place import Finder
from dnsbroker.testing import FakeClock
from watching import ORIGIN, Stage, stage

#: Of patience with servers that answer, however slow the machine is.
PATIENT = (10.0, 10.0)
#: Of patience where one is silent, which costs that time.
HASTY = (0.5, 0.5)


@contextmanager
def patient(*ips: str, also: Sequence[str] = ()) -> Iterator[Stage]:
    """A stage whose zone is found however slow its servers are."""
    with stage(*ips, also=also) as made:
        made.finder = Finder(made.tree.config(), Exchange(*PATIENT), made.clock)
        yield made


@pytest.fixture
def two() -> Iterator[Stage]:
    """A primary and one secondary."""
    with patient() as made:
        yield made


def found(
    scene: Stage, *, clock: FakeClock | None = None, exchange: Exchange | None = None, **kw: Any
) -> list[Finding]:
    """What is wrong with the servers of the stage's zone."""

    async def story() -> tuple[Finding, ...]:
        zone = await scene.finder.zone_of(ORIGIN)
        return await servers(zone, exchange or Exchange(*PATIENT), clock or FakeClock(), **kw)

    return list(asyncio.run(story()))


def answering(value: bool) -> Announced:
    """A service that says so."""

    async def announced() -> bool:
        return value

    return announced


def words(findings: list[Finding]) -> list[tuple[str, str]]:
    """The check and the severity of each."""
    return [(finding.check, str(finding.severity)) for finding in findings]


def label(scene: Stage, number: int) -> str:
    """The second server, say, as it is called."""
    return f"ns{number}.example.test ({scene.server(number).ip}:{scene.names.port})"


def test_sound_servers_are_passed_over_in_silence(two: Stage) -> None:
    """The twin of all that follows: two servers, both transports, one serial."""
    assert found(two) == []
    assert {(entry.type, entry.tcp) for entry in two.names.log if entry.server == two.server(2).ip} >= {
        ("SOA", True),
        ("SOA", False),
    }


@pytest.mark.parametrize(
    ("kind", "check", "why"),
    [
        ("REFUSED", "lame-server", "REFUSED"),
        ("NOTAUTH", "lame-server", "NOTAUTH"),
        ("upward", "lame-server", "refers to ."),
        ("not_authoritative", "lame-server", "answers without authority"),
        ("SERVFAIL", "broken-server", "SERVFAIL"),
    ],
)
def test_n7_a_server_that_does_not_answer_for_the_zone(two: Stage, kind: str, check: str, why: str) -> None:
    """It is named with what it says instead, and where it is listed."""
    misbehave(two, kind)
    (finding,) = found(two)
    assert (finding.check, finding.severity, finding.subject) == (check, Severity.WARNING, ORIGIN)
    assert finding.message.startswith(label(two, 2))
    assert finding.evidence == (Evidence(label(two, 2), why),)
    assert "ns2.example.test" in finding.hint


def misbehave(scene: Stage, kind: str) -> None:
    """Have the second server answer so, once the zone is found."""
    asyncio.run(scene.finder.zone_of(ORIGIN))
    if kind.isupper():
        scene.server(2).behaviour.rcode = kind
    else:
        setattr(scene.server(2).behaviour, kind, True)


def test_a_server_that_has_only_the_parent_is_lame(two: Stage) -> None:
    """It answers, with authority, for another zone."""
    asyncio.run(two.finder.zone_of(ORIGIN))
    two.server(2).zones.clear()
    two.server(2).zone("test.", "@ SOA ns host 1 60 60 60 60\n")
    (finding,) = found(two)
    assert finding.check == "lame-server"
    assert finding.evidence[0].record == "answers for test instead"


@pytest.mark.parametrize(
    ("listed", "words_"),
    [("parent", "the delegation in the parent (at the registrar), which alone"), ("zone", "zone's own NS records")],
)
def test_n5_n6_one_that_a_single_side_names(listed: str, words_: str) -> None:
    """Both sides count; what to change depends on which of them names it, and that they differ is said too."""
    also = ["@ NS ns3", "ns3 A 127.0.0.23"] if listed == "zone" else []
    with patient(also=also) as scene:
        if listed == "parent":
            scene.tree.delegate("example NS ns3.example", "ns3.example A 127.0.0.23")
        scene.tree.server("127.0.0.23")
        mismatch, lame = found(scene)
    assert (mismatch.check, mismatch.severity) == ("ns-mismatch", Severity.WARNING)
    assert "ns3.example.test" in mismatch.message
    assert lame.check == "lame-server"
    assert words_ in lame.hint


@pytest.mark.parametrize(("require", "severity"), [("all-reachable", "warning"), ("all", "error")])
@pytest.mark.parametrize("stopped", [True, False])
def test_n25_a_dead_server_is_as_grave_as_the_policy(two: Stage, require: str, severity: str, stopped: bool) -> None:
    """Where every server has to agree it fails the wait."""
    asyncio.run(two.finder.zone_of(ORIGIN))
    if stopped:
        two.server(2).stop()
    two.server(2).behaviour.silent = True
    findings = found(two, require=require, exchange=Exchange(*HASTY))
    assert words(findings) == [("silent-server", severity)]
    assert "UDP: " in findings[0].evidence[0].record
    assert "TCP: " in findings[0].evidence[0].record
    assert "take it out of the NS records" in findings[0].hint


def test_where_nobody_answers_it_is_an_error(two: Stage) -> None:
    """Whatever the policy."""
    asyncio.run(two.finder.zone_of(ORIGIN))
    two.server(1).behaviour.rcode = "SERVFAIL"
    two.server(2).behaviour.rcode = "REFUSED"
    assert words(found(two)) == [("broken-server", "error"), ("lame-server", "error")]


@pytest.mark.parametrize(("behaviour", "check"), [("close_tcp", "no-tcp"), ("drop_udp", "no-udp")])
def test_n9_either_transport_may_be_closed(two: Stage, behaviour: str, check: str) -> None:
    """A CA needs both."""
    misbehave(two, behaviour)
    findings = found(two, exchange=Exchange(*HASTY))
    assert words(findings) == [(check, "warning")]
    assert f"port {two.names.port} to ns2.example.test" in findings[0].hint


def test_an_ipv6_address_that_is_silent_is_told_apart() -> None:
    """The same server answers by IPv4."""
    with patient("127.0.0.21", "127.0.0.22", also=["ns2 AAAA ::1"]) as scene:
        (sixth,) = scene.tree.zone(ORIGIN, "", "::1")
        assert found(scene) == []
        sixth.behaviour.silent = True
        (finding,) = found(scene, exchange=Exchange(*HASTY))
        assert (finding.check, finding.severity) == ("silent-ipv6", Severity.WARNING)
        assert finding.evidence[0].server == f"ns2.example.test ([::1]:{scene.names.port})"


def test_n3_an_address_family_that_this_host_lacks_is_untested() -> None:
    """Neither sound nor a fault."""

    class WithoutIPv6(Exchange):
        async def ask(self, address: Address, *question: Any, **options: Any) -> Answer:
            if address.is_v6:
                raise Untestable(address, "network is unreachable")
            return await super().ask(address, *question, **options)

    with patient("127.0.0.21", "127.0.0.22", also=["ns2 AAAA 2001:db8::1"]) as scene:
        findings = found(scene, exchange=WithoutIPv6(*PATIENT))
        assert words(findings) == [("untested", "notice")]


class TestSerials:
    """Do the secondaries follow?"""

    def test_n1_one_that_stays_behind_is_named_with_both_serials(self, two: Stage) -> None:
        """After looking again for some seconds; the cure has the zone's own numbers."""
        two.publish("value", at=[1], serial=9)
        clock = FakeClock()
        (finding,) = found(two, clock=clock)
        assert (finding.check, finding.severity) == ("stale-server", Severity.ERROR)
        assert finding.evidence == (Evidence(label(two, 2), serial=1), Evidence(label(two, 1), serial=9))
        assert finding.hint.startswith(
            f"ns2.example.test refreshes every 3600 s: have {label(two, 1)} send it NOTIFY, let it accept that"
        )
        assert "propagation.timeout to 65m" in finding.hint
        assert clock.slept == [0.5, 1.5, 3.0, 5.0]

    def test_a_transfer_under_way_is_no_fault(self, two: Stage) -> None:
        """One that follows between two looks is passed over, and is not waited for any longer."""
        two.publish("value", at=[1], serial=9)
        clock = Following(lambda: two.publish("value", at=[2], serial=9))
        assert found(two, clock=clock) == []
        assert clock.slept == [0.5]

    def test_nor_is_a_zone_that_changes_all_the_time(self, two: Stage) -> None:
        """It has to reach what another one had at the first look, not what that one has by now."""
        two.publish("value", at=[1], serial=9)
        clock = Following(lambda: (two.copy(2).bump(9), two.copy(1).bump(10)))
        assert found(two, clock=clock) == []

    def test_n20_a_serial_that_went_round_is_newer(self, two: Stage) -> None:
        """0 is newer than 4294967295."""
        two.copy(1).bump(0)
        two.copy(2).bump(4294967295)
        (finding,) = found(two)
        assert [entry.serial for entry in finding.evidence] == [4294967295, 0]

    def test_a_primary_behind_its_secondary_is_what_has_to_be_raised(self, two: Stage) -> None:
        """No secondary takes an older serial; the cure is not at the secondary."""
        two.copy(2).bump(9)
        (finding,) = found(two)
        assert finding.evidence[0].server == label(two, 1)
        assert "raise the serial of example.test on ns1.example.test" in finding.hint

    def test_without_a_newest_one_all_are_named(self, two: Stage) -> None:
        """Exactly half the circle apart, RFC 1982 says nothing."""
        two.copy(2).bump(1 + 2**31)
        clock = FakeClock()
        (finding,) = found(two, clock=clock)
        assert finding.check == "serials-differ"
        assert [entry.serial for entry in finding.evidence] == [1, 1 + 2**31]
        assert clock.slept == []

    def test_what_the_service_has_counts_as_the_newest(self, two: Stage) -> None:
        """Behind a hidden primary all servers may lag alike; with the same serial nothing is said."""
        assert found(two, written=1) == []
        assert [finding.check for finding in found(two, written=2)] == ["stale-server", "stale-server"]
        assert "2" in found(two, written=2)[0].message

    def test_before_the_service_sent_its_notify_nobody_is_blamed(self, two: Stage) -> None:
        """A warning: PowerDNS takes up to a minute for what others changed. Once it has, it is an error."""
        two.publish("value", at=[1], serial=9)
        (finding,) = found(two, written=9, announced=answering(False))
        assert (finding.check, finding.severity) == ("stale-server", Severity.WARNING)
        assert "which has not sent NOTIFY yet" in finding.message
        (finding,) = found(two, written=9, announced=answering(True))
        assert finding.severity is Severity.ERROR

    def test_a_primary_that_is_behind_its_service_needs_no_notify(self, two: Stage) -> None:
        """Only secondaries wait for one."""
        found_at = {one.evidence[0].server: one.severity for one in found(two, written=2, announced=answering(False))}
        assert found_at == {label(two, 1): Severity.ERROR, label(two, 2): Severity.WARNING}

    def test_who_follows_without_a_notify_shows_that_the_others_could(self) -> None:
        """Then one was sent by somebody, or all look often enough."""
        with patient("127.0.0.21", "127.0.0.22", "127.0.0.23") as three:
            three.publish("value", at=[1, 3], serial=9)
            (finding,) = found(three, written=9, announced=answering(False))
            assert finding.severity is Severity.ERROR

    def test_one_that_is_silent_has_no_serial(self, two: Stage) -> None:
        """It is silent, and not behind as well."""
        two.publish("value", at=[1], serial=9)
        misbehave(two, "SERVFAIL")
        assert words(found(two)) == [("broken-server", "warning")]

    @pytest.mark.parametrize(
        ("serials", "newest"),
        [
            ([7], 7),
            ([7, 9, 8], 9),
            ([2**32 - 1, 0], 0),
            ([], None),
            ([0, 2**31], None),
            ([0, 2**31 - 1, 2**32 - 2], None),
        ],
    )
    def test_the_newest_is_newer_than_every_other(self, serials: list[int], newest: int | None) -> None:
        """Three may go round in a circle."""
        assert newest_of(serials) == newest


class Following(FakeClock):
    """Does something once, while somebody sleeps."""

    def __init__(self, follow: Callable[[], object]) -> None:
        super().__init__()
        self._follow = follow

    async def sleep(self, seconds: float) -> None:
        """Turn the clock, and follow."""
        await super().sleep(seconds)
        if len(self.slept) == 1:
            self._follow()


class TestTheSet:
    """Who is a server at all."""

    def test_a_name_without_an_address(self) -> None:
        """Nobody can ask it."""
        with patient(also=["@ NS nowhere"]) as scene:
            scene.tree.delegate("example NS nowhere.example")
            findings = found(scene)
            assert words(findings) == [("no-address", "warning")]
            assert "nowhere.example.test has no address" in findings[0].message

    def test_glue_that_the_zone_does_not_confirm(self, two: Stage) -> None:
        """Resolvers start at the glue; the address is asked as well."""
        two.tree.delegate("ns2.example A 127.0.0.29")
        assert words(found(two)) == [("glue-differs", "warning"), ("silent-server", "warning")]

    def test_one_server_is_none_too_many(self) -> None:
        """A notice; where the configuration names the servers it is not their set."""
        with patient("127.0.0.21") as scene:
            assert words(found(scene)) == [("one-server", "notice")]
            zone = asyncio.run(scene.finder.zone_of(ORIGIN))
            private = replace(
                zone, servers=tuple(replace(one, in_parent=False, in_child=False) for one in zone.servers)
            )
            assert asyncio.run(servers(private, scene.exchange, FakeClock())) == ()

    @pytest.mark.parametrize("name", ["ns2.example.test.", "127.0.0.22", "alias.example.test."])
    def test_one_that_is_ignored_is_named_and_not_judged(self, name: str) -> None:
        """By name, by second name, by address; nothing is asked of it."""
        with patient(also=["@ NS alias", "alias A 127.0.0.22"]) as scene:
            scene.tree.delegate("example NS alias.example", "alias.example A 127.0.0.22")
            misbehave(scene, "REFUSED")
            assert [finding.check for finding in found(scene)] == ["lame-server"]
            scene.names.log.clear()
            assert words(found(scene, ignore=(name,))) == [("ignored-server", "notice")]
            assert scene.names.asked(scene.server(2)) == []
