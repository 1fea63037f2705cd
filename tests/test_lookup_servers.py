"""All servers of a zone at all their addresses, whoever names them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder, Zone
from dnsbroker.testing import FakeClock
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree

DIGEST = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """The root and ``test.``."""
    with NameServers() as servers:
        yield Tree(servers)


def zone_of(tree: Tree, name: str = "example.test.") -> Zone:
    """The zone as found from the root."""
    return asyncio.run(Finder(tree.config(), Exchange(0.3, 0.3), FakeClock()).zone_of(name))


def listed(zone: Zone) -> list[tuple[str, str, bool, bool]]:
    """Name, address, whether the parent and whether the zone names it."""
    return [(server.name, server.address.ip, server.in_parent, server.in_child) for server in zone.servers]


def test_n4_every_address_of_a_server_counts(tree: Tree) -> None:
    """N4 and N2: each A and each AAAA is a server of its own, also those that the glue leaves out."""
    tree.delegate("example NS ns1.example", "ns1.example A 127.0.0.12")
    tree.zone("example.test.", "@ NS ns1\nns1 A 127.0.0.12\nns1 A 127.0.0.13\nns1 AAAA ::1", "127.0.0.12")
    zone = zone_of(tree)
    assert [server.address.ip for server in zone.servers] == ["127.0.0.12", "127.0.0.13", "::1"]
    assert {server.address.port for server in zone.servers} == {tree.servers.port}
    assert zone.warnings == ()


def test_n5_n6_the_union_of_parent_and_child_counts(tree: Tree) -> None:
    """N5 and N6: who is named by one side only is a server too; that they differ is a warning."""
    tree.delegate("example NS ns1.example", "example NS ns2.example")
    tree.delegate("ns1.example A 127.0.0.12", "ns2.example A 127.0.0.13")
    tree.zone("example.test.", "@ NS ns1\n@ NS ns3\nns1 A 127.0.0.12\nns3 A 127.0.0.14", "127.0.0.12", "127.0.0.13")
    zone = zone_of(tree)
    assert listed(zone) == [
        ("ns1.example.test.", "127.0.0.12", True, True),
        ("ns2.example.test.", "127.0.0.13", True, False),
        ("ns3.example.test.", "127.0.0.14", False, True),
    ]
    assert zone.warnings == (
        "the parent of example.test names ns1.example.test, ns2.example.test, "
        "the zone itself ns1.example.test, ns3.example.test",
    )


def test_one_address_is_asked_once_under_all_its_names(tree: Tree) -> None:
    """Two names with one address are one server; both names are known."""
    tree.delegate("example NS ns1.example", "ns1.example A 127.0.0.12")
    tree.zone("example.test.", "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.12\nns2 A 127.0.0.12", "127.0.0.12")
    (server,) = zone_of(tree).servers
    assert (server.name, server.also) == ("ns1.example.test.", ("ns2.example.test.",))
    assert (server.in_parent, server.in_child) == (True, True)


def test_glue_that_differs_counts_too(tree: Tree) -> None:
    """A CA may follow the parent's glue, so what stands there must have the record; the difference is a warning."""
    tree.delegate("example NS ns1.example", "ns1.example A 127.0.0.12", "ns1.example A 127.0.0.19")
    tree.zone("example.test.", "@ NS ns1\nns1 A 127.0.0.12", "127.0.0.12")
    zone = zone_of(tree)
    assert [server.address.ip for server in zone.servers] == ["127.0.0.12", "127.0.0.19"]
    assert zone.warnings == (
        "the glue of ns1.example.test is 127.0.0.12, 127.0.0.19, its own zone says 127.0.0.12",
    )  # fmt: skip


def test_a_server_without_address_is_named(tree: Tree) -> None:
    """It cannot be asked, and a CA cannot ask it either."""
    tree.delegate("example NS ns1.example", "ns1.example A 127.0.0.12")
    tree.zone("example.test.", "@ NS ns1\n@ NS gone\nns1 A 127.0.0.12", "127.0.0.12")
    zone = zone_of(tree)
    assert zone.without_address == ("gone.example.test.",)
    assert zone.warnings[-1] == "the name server gone.example.test has no address"


def test_a_host_elsewhere_is_asked_in_its_own_zone(tree: Tree) -> None:
    """Without glue, from the root down, and of no resolver; an alias is followed as resolvers do."""
    tree.delegate("example NS ns.other", "other NS ns.other", "ns.other A 127.0.0.14")
    tree.zone("example.test.", "@ NS ns.other.test.\n@ NS alias.other.test.", "127.0.0.14", "127.0.0.15")
    tree.zone("other.test.", "@ NS ns\nns A 127.0.0.14\nalias CNAME really\nreally A 127.0.0.15", "127.0.0.14")
    zone = zone_of(tree)
    assert {server.address.ip for server in zone.servers} == {"127.0.0.14", "127.0.0.15"}
    assert tree.servers.asked(tree.resolver) == [". NS", "a.root. A"]


def test_a_host_whose_zone_is_dead_has_its_glue(tree: Tree) -> None:
    """And where there is none, the reason stands in the warning."""
    tree.delegate("dead NS ns.dead", "ns.dead A 127.0.0.99", "example NS ns1.example", "ns1.example A 127.0.0.12")
    tree.delegate("example NS ns.dead")
    tree.zone("example.test.", "@ NS ns1\n@ NS ns.dead.test.\n@ NS x.dead.test.\nns1 A 127.0.0.12", "127.0.0.12")
    zone = zone_of(tree)
    assert [server.address.ip for server in zone.servers] == ["127.0.0.99", "127.0.0.12"]
    assert zone.without_address == ("x.dead.test.",)
    assert any("x.dead.test has no address: no server of dead.test answers" in warning for warning in zone.warnings)


@pytest.mark.parametrize("is_signed", [True, False])
def test_the_ds_comes_from_the_parent(tree: Tree, is_signed: bool) -> None:
    """And its absence is an answer too."""
    tree.delegate("example NS ns1.example", "ns1.example A 127.0.0.12")
    tree.zone("example.test.", f"@ NS ns1\nns1 A 127.0.0.12\n@ DS 9 13 2 {DIGEST}", "127.0.0.12")
    if is_signed:
        tree.delegate(f"example DS 1 13 2 {DIGEST}")
    assert zone_of(tree).ds == ((f"1 13 2 {DIGEST}",) if is_signed else ())


def test_the_ds_of_a_zone_beside_its_parent(tree: Tree) -> None:
    """One server has both: it answers for the parent where the DS is asked for."""
    tree.delegate("example NS ns.test.", f"example DS 1 13 2 {DIGEST}")
    tree.top.zone("example.test.", "@ SOA ns host 5 1 1 1 1\n@ NS ns.test.")
    zone = zone_of(tree)
    assert (zone.soa.serial, zone.ds) == (5, (f"1 13 2 {DIGEST}",))
    assert listed(zone) == [("ns.test.", "127.0.0.11", True, True)]


def test_n35_configured_servers_are_the_only_ones(tree: Tree) -> None:
    """N35: neither what the parent nor what the zone says adds to them; their port may be their own."""
    tree.zone("example.test.", "@ NS ns1.public.example.\n", "127.0.0.20")
    config = tree.config({"example.test.": ("127.0.0.20", "127.0.0.21:5353")})
    zone = asyncio.run(Finder(config, Exchange(0.3, 0.3), FakeClock()).zone_of("x.example.test."))
    assert listed(zone) == [
        (f"127.0.0.20:{tree.servers.port}", "127.0.0.20", False, False),
        ("127.0.0.21:5353", "127.0.0.21", False, False),
    ]
