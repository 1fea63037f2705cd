"""What stands at a challenge's name before a run writes there: whose it is by the journal, asked of one server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker.checks.remains import remains
from dnsbroker.errors import LookupFailed
from dnsbroker.findings import Finding, Severity
from dnsbroker.journal import Journal, Lease, Leases
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.records import Record
from dnsbroker.testing import FakeClock
from dnsbroker.testing.nameserver import NameServers, Zone
from dnsbroker.testing.tree import Tree

EXAMPLE = """
@ NS ns1
@ NS ns2
ns1 A 127.0.0.12
ns2 A 127.0.0.13
www A 192.0.2.1
"""
ZONE = "example.test."
NAME = "_acme-challenge.example.test."


@pytest.fixture
def tree() -> Iterator[Tree]:
    """``example.test.`` on two servers."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns1.example", "example NS ns2.example", "ns1.example A 127.0.0.12")
        tree.delegate("ns2.example A 127.0.0.13")
        yield tree


@pytest.fixture
def zones(tree: Tree) -> list[Zone]:
    """The zone at each of its servers."""
    return tree.zone(ZONE, EXAMPLE, "127.0.0.12", "127.0.0.13")


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    """The journal of a run called ``run-1``."""
    return Leases(Journal(tmp_path), "run-1", FakeClock())


def plant(zones: list[Zone], *values: str, ttl: int = 60, name: str = "_acme-challenge") -> None:
    """Serve TXT values, at every server."""
    for zone in zones:
        zone.add(*(f'{name} {ttl} TXT "{value}"' for value in values))


def written(leases: Leases, value: str) -> Lease:
    """A lease of this run's whose value has been written."""
    (lease,) = leases.want("corp", ZONE, [Record(NAME, "TXT", value)], ttl=5)
    leases.written(leases.take("corp", ZONE, is_alive=lambda run: True), serial=7)
    return lease


def left(
    tree: Tree,
    leases: Leases,
    *,
    name: str = NAME,
    patience: float = 600.0,
    cache_limit: float | None = None,
) -> tuple[Finding, ...]:
    """What is found at ``name``, as another run sees it while none of the others lives."""

    async def play() -> tuple[Finding, ...]:
        finder = Finder(tree.config(), Exchange(10.0, 10.0), FakeClock())
        place = await finder.find(name)
        return await remains(place, finder, leases, lambda run: False, patience=patience, cache_limit=cache_limit)

    return asyncio.run(play())


def test_where_nothing_stands_nothing_is_said(tree: Tree, zones: list[Zone], leases: Leases) -> None:
    """The name is asked for at one of the servers, once, and of no resolver."""
    plant(zones, "elsewhere", name="_acme-challenge.www")
    assert left(tree, leases) == ()
    asked = [server for server in tree.servers.servers if f"{NAME} TXT" in tree.servers.asked(server)]
    assert len(asked) == 1
    assert asked[0] is not tree.resolver


def test_what_a_dead_run_left_is_told_with_the_cure(
    tree: Tree, zones: list[Zone], leases: Leases, tmp_path: Path
) -> None:
    """Nobody alive answers for it; where somebody does, it is left to that one."""
    plant(zones, "ours")
    written(leases, "ours")
    assert left(tree, leases) == ()
    (finding,) = left(tree, Leases(Journal(tmp_path), "run-2", FakeClock()))
    assert (finding.check, finding.severity, finding.subject) == ("left-behind", Severity.WARNING, NAME)
    assert "`dnsbroker gc`" in finding.hint
    assert [seen.record for seen in finding.evidence] == ['TXT "ours"']


def test_what_was_withdrawn_and_still_stands_is_told(tree: Tree, zones: list[Zone], leases: Leases) -> None:
    """The journal says that it is gone: it came back, or the server lags."""
    plant(zones, "ours")
    lease = written(leases, "ours")
    leases.withdraw([lease.id])
    leases.written(leases.take("corp", ZONE, is_alive=lambda run: True), serial=8)
    (finding,) = left(tree, leases)
    assert (finding.check, finding.severity) == ("left-behind", Severity.NOTICE)
    assert "`dnsbroker txt cleanup _acme-challenge.example.test ours`" in finding.hint


def test_what_others_wrote_is_worth_knowing_until_it_is_too_much(tree: Tree, zones: list[Zone], leases: Leases) -> None:
    """One value is nobody's trouble; many may be more than a CA reads."""
    plant(zones, "theirs")
    (finding,) = left(tree, leases)
    assert (finding.check, finding.severity) == ("foreign-values", Severity.NOTICE)
    assert "there is a value" in finding.message
    plant(zones, *(f"theirs-{number}" for number in range(19)))
    (finding,) = left(tree, leases)
    assert (finding.check, finding.severity) == ("foreign-values", Severity.WARNING)
    assert "20 values" in finding.message
    assert finding.evidence[-1].record == "and 15 more"


def test_a_value_that_we_only_used_is_not_ours(tree: Tree, zones: list[Zone], leases: Leases, tmp_path: Path) -> None:
    """It stood there before, so it is not called left behind when the run is dead."""
    plant(zones, "theirs")
    record = Record(NAME, "TXT", "theirs")
    leases.want("corp", ZONE, [record], ttl=5, found=[record])
    (finding,) = left(tree, Leases(Journal(tmp_path), "run-2", FakeClock()))
    assert finding.check == "foreign-values"


@pytest.mark.parametrize("name", [NAME, "_acme-challenge.www.example.test."])
def test_what_a_wildcard_lends_does_not_stand_there(tree: Tree, zones: list[Zone], leases: Leases, name: str) -> None:
    """A record of ours takes its place."""
    plant(zones, "v=spf1 -all", name="*")
    plant(zones, "v=spf1 -all", name="*.www")
    assert left(tree, leases, name=name) == ()


def test_an_old_ttl_that_new_values_share_is_told(tree: Tree, zones: list[Zone], leases: Leases) -> None:
    """Where it is longer than a run waits, unless the CA keeps nothing that long."""
    plant(zones, "theirs", ttl=3600)
    assert [finding.check for finding in left(tree, leases)] == ["foreign-values", "long-ttl"]
    finding = left(tree, leases)[1]
    assert finding.severity == Severity.WARNING
    assert "3600 s" in finding.message
    assert [finding.check for finding in left(tree, leases, cache_limit=60.0)] == ["foreign-values"]
    assert [finding.check for finding in left(tree, leases, patience=7200.0)] == ["foreign-values"]


def test_a_zone_made_for_challenges_is_asked_at_its_apex(tree: Tree, zones: list[Zone], leases: Leases) -> None:
    """Its siblings are another zone's."""
    for zone in zones:
        zone.add("_acme-challenge NS ns1.example.test.")
    own = tree.zone(NAME, "@ NS ns1.example.test.\n@ TXT theirs\n", "127.0.0.12")
    assert [finding.check for finding in left(tree, leases)] == ["foreign-values"]
    assert own


def test_servers_that_cannot_be_asked_are_left_to_other_checks(tree: Tree, zones: list[Zone], leases: Leases) -> None:
    """Nothing is raised."""

    async def play() -> tuple[Finding, ...]:
        finder = Finder(tree.config(), Exchange(10.0, 10.0), FakeClock())
        place = await finder.find(NAME)
        for ip in ("127.0.0.12", "127.0.0.13"):
            tree.server(ip).stop()
        with pytest.raises(LookupFailed):
            await finder.ask(NAME, "TXT")
        return await remains(place, finder, leases, lambda run: False)

    plant(zones, "theirs")
    assert asyncio.run(play()) == ()
