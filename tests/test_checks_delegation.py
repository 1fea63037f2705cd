"""The way to a record, on loopback servers: every alias and every cut is looked for on every server it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.checks.delegation import broken, delegation
from dnsbroker.errors import BrokerError, DelegationBroken, LookupFailed, NoProvider
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.testing import FakeClock
from watching import NAME, ORIGIN, Stage, stage

#: Patient: no server is silent here, but one may be slow on a busy machine.
EXCHANGE = Exchange(2.0, 2.0)
OTHER = "@ NS ns\nns A 127.0.0.31\n"


@pytest.fixture
def two() -> Iterator[Stage]:
    """``example.test.`` on two servers, ``other.test.`` on one of its own."""
    with stage() as made:
        made.tree.zone("other.test.", OTHER, "127.0.0.31")
        made.tree.delegate("other NS ns.other", "ns.other A 127.0.0.31")
        yield made


def found(scene: Stage, name: str = NAME, *, ignore: tuple[str, ...] = ()) -> list[Finding]:
    """What is wrong with the way from ``name``."""

    async def story() -> tuple[Finding, ...]:
        finder = Finder(scene.tree.config(), EXCHANGE, FakeClock())
        return await delegation(await finder.find(name), finder, EXCHANGE, ignore=ignore)

    return list(asyncio.run(story()))


def failure(scene: Stage, name: str = NAME) -> Finding:
    """The finding for why the place of ``name`` cannot be found."""
    finder = Finder(scene.tree.config(), EXCHANGE, FakeClock())
    with pytest.raises(BrokerError) as caught:
        asyncio.run(finder.find(name))
    return broken(name, caught.value)


def everywhere(scene: Stage, *lines: str) -> None:
    """Have ``lines`` in both copies."""
    for copy in scene.copies:
        copy.add(*lines)


def label(scene: Stage, number: int) -> str:
    """A server as it is called."""
    return f"ns{number}.example.test ({scene.server(number).ip}:{scene.names.port})"


class TestAlias:
    """N14: a CNAME or DNAME that not every server has."""

    RECORDS = (
        ("_acme-challenge CNAME x.other.test.", NAME, "CNAME"),
        ("tree DNAME other.test.", "_acme-challenge.tree.example.test.", "DNAME"),
    )

    @pytest.mark.parametrize(("line", "name", "kind"), RECORDS)
    def test_n14_missing_on_one_secondary(self, two: Stage, line: str, name: str, kind: str) -> None:
        """As surely a failed validation as a missing TXT."""
        two.copy(1).add(line)
        (finding,) = found(two, name)
        assert (finding.check, finding.severity, finding.subject) == ("alias-missing", Severity.ERROR, name)
        assert finding.message.startswith(f"{label(two, 2)} has no {kind} at ")
        assert finding.evidence == (Evidence(label(two, 2), "NXDOMAIN", 1),)
        assert f"have ns2.example.test transfer example.test from {label(two, 1)} again" in finding.hint

    @pytest.mark.parametrize(("line", "name", "kind"), RECORDS)
    def test_the_same_everywhere_is_passed_over(self, two: Stage, line: str, name: str, kind: str) -> None:
        """The twin; each server was asked for it."""
        everywhere(two, line)
        assert found(two, name) == []
        assert kind in {entry.type for entry in two.names.log if entry.server == two.server(2).ip}

    def test_one_that_leads_elsewhere(self, two: Stage) -> None:
        """What it has instead is the evidence."""
        two.copy(1).add("_acme-challenge CNAME x.other.test.")
        two.copy(2).add("_acme-challenge CNAME old.other.test.")
        (finding,) = found(two)
        assert "has CNAME old.other.test at _acme-challenge.example.test, where others have x" in finding.message
        assert finding.evidence[0].record == "CNAME old.other.test"

    @pytest.mark.parametrize("rcode", ["REFUSED", "SERVFAIL"])
    def test_who_does_not_answer_for_the_zone_is_not_judged_here(self, two: Stage, rcode: str) -> None:
        """That is a fault of its own."""
        two.copy(1).add("_acme-challenge CNAME x.other.test.")
        two.server(2).behaviour.rcode = rcode
        assert found(two) == []

    def test_who_is_ignored_is_not_asked(self, two: Stage) -> None:
        """By name or address."""
        two.copy(1).add("_acme-challenge CNAME x.other.test.")
        assert found(two, ignore=("ns2.example.test.",)) == found(two, ignore=("127.0.0.22",)) == []

    def test_where_nothing_is_delegated_nobody_is_asked(self, two: Stage) -> None:
        """A denial of the challenge name that many servers remember would outlive the write."""
        assert found(two) == []
        assert {entry.server for entry in two.names.log if entry.name == NAME} == {two.server(1).ip}


class TestChain:
    """How long it is, and whether a wildcard makes it."""

    @pytest.mark.parametrize(("hops", "is_long"), [(8, False), (9, True)])
    def test_resolvers_give_up_after_some(self, two: Stage, hops: int, is_long: bool) -> None:
        """Sixteen are followed here, but not by everybody."""
        ends = [*(f"a{number}" for number in range(1, hops)), "x.other.test."]
        everywhere(two, *(f"{a} CNAME {b}" for a, b in zip(["_acme-challenge", *ends], ends, strict=False)))
        findings = found(two)
        assert [(one.check, one.severity) for one in findings] == [("long-chain", Severity.WARNING)] * is_long
        assert [len(one.evidence) for one in findings] == [hops] * is_long

    def test_n15_a_wildcard_s_is_not_followed(self, two: Stage) -> None:
        """It is told, for somebody may have meant it as a delegation; a CNAME of its own is none of that."""
        everywhere(two, "* CNAME x.other.test.")
        (finding,) = found(two)
        assert (finding.check, finding.severity) == ("wildcard-alias", Severity.NOTICE)
        assert finding.evidence == (Evidence(record="_acme-challenge.example.test -> x.other.test"),)
        everywhere(two, "_acme-challenge CNAME y.other.test.")
        assert found(two) == []


class TestCut:
    """The zone in which the record stands, in its parent."""

    @pytest.fixture
    def child(self, two: Stage) -> Stage:
        """N13: the challenge name is a zone of its own, on another server."""
        two.tree.zone(NAME, "@ NS ns.other.test.", "127.0.0.31")
        two.copy(1).add("_acme-challenge NS ns.other.test.")
        return two

    def test_a_parent_s_secondary_that_does_not_delegate(self, child: Stage) -> None:
        """A resolver that asks that one is told that the name does not exist."""
        (finding,) = found(child)
        assert (finding.check, finding.severity, finding.subject) == ("undelegated", Severity.ERROR, NAME)
        assert finding.evidence == (Evidence(label(child, 2), "NXDOMAIN", 1),)
        assert "add the NS records of _acme-challenge.example.test (ns.other.test) to example.test" in finding.hint

    def test_n13_one_that_all_delegate(self, child: Stage) -> None:
        """The twin."""
        assert found(child, ignore=("127.0.0.22",)) == []
        child.copy(2).add("_acme-challenge NS ns.other.test.")
        assert found(child) == []

    def test_one_that_stands_beside_its_parent(self, two: Stage) -> None:
        """Such servers never refer; where one of them lacks the child, it denies."""
        for server in two.servers:
            server.zone(NAME, "@ SOA ns host 1 3600 600 86400 60\n@ NS ns1.example.test.\n@ NS ns2.example.test.\n")
        assert found(two) == []
        two.server(2).zones.pop()
        assert [finding.check for finding in found(two)] == ["undelegated"]

    def test_top_level_domains_are_left_alone(self, two: Stage) -> None:
        """They have many servers and no such faults."""
        assert found(two) == []
        assert not [entry for entry in two.names.log if entry.server == "127.0.0.11" and entry.type == "NS"]


class TestBroken:
    """Ways that end nowhere: one finding, the chain as evidence, the cure as the error has it."""

    @pytest.mark.parametrize(
        ("lines", "check"),
        [
            (["_acme-challenge CNAME A", "a CNAME _ACME-Challenge"], "alias-loop"),
            (["_acme-challenge CNAME x.nowhere."], "dangling-alias"),
            (["_acme-challenge CNAME x.dead.test."], "dangling-alias"),
            (["_acme-challenge CNAME a0", *(f"a{number} CNAME a{number + 1}" for number in range(16))], "long-chain"),
        ],
    )
    def test_n12_aliases(self, two: Stage, lines: list[str], check: str) -> None:
        """A circle, however it is spelled; a domain that is not there; servers that are not; no end."""
        two.tree.delegate("dead NS ns.dead", "ns.dead A 127.0.0.99")
        everywhere(two, *lines)
        finding = failure(two)
        assert (finding.check, finding.severity, finding.subject) == (check, Severity.ERROR, NAME)
        assert finding.evidence[0].record.startswith("_acme-challenge.example.test -> ")
        assert finding.hint

    def test_a_dname_onto_nothing(self, two: Stage) -> None:
        """The DNAME is what has to be changed."""
        everywhere(two, "tree DNAME nowhere.")
        finding = failure(two, "_acme-challenge.tree.example.test.")
        assert finding.check == "dangling-alias"
        assert "the DNAME at tree.example.test" in finding.hint

    def test_a_name_in_no_zone(self, two: Stage) -> None:
        """Without an alias it is the name itself."""
        finding = failure(two, "_acme-challenge.www.corp.")
        assert (finding.check, finding.evidence) == ("no-zone", (Evidence(record="NXDOMAIN"),))
        assert "dns.servers" in finding.hint

    def test_a_zone_that_no_provider_holds(self, two: Stage) -> None:
        """In the words of the error."""
        finding = broken(NAME, NoProvider("nobody", name=NAME, zone=ORIGIN, hint="configure one"))
        assert (finding.check, finding.message, finding.hint) == ("no-provider", "nobody", "configure one")

    def test_errors_without_a_chain(self) -> None:
        """Whatever else happens while a place is looked for."""
        lookup = LookupFailed("no", name=NAME, server="ns", rcode="SERVFAIL", hint="do")
        assert broken(NAME, lookup).evidence == (Evidence("ns", "SERVFAIL"),)
        assert broken(NAME, DelegationBroken("no", name=NAME, chain=["a"])).check == "dangling-alias"
        assert broken(ORIGIN, BrokerError("no", hint="do")).check == "no-zone"
