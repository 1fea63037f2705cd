"""Finding the place, on name servers that answer over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.config import DNSConfig
from dnsbroker.errors import DelegationBroken, LookupFailed, NameInvalid
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder, Hop, Place
from dnsbroker.testing import FakeClock
from dnsbroker.testing.nameserver import NameServers, Zone
from dnsbroker.testing.tree import Tree

EXAMPLE = """
@ NS ns1
@ NS ns2
ns1 A 127.0.0.12
ns2 A 127.0.0.13
"""
OTHER = """
@ NS ns
ns A 127.0.0.14
"""
NAME = "_acme-challenge.example.test."


@pytest.fixture
def tree() -> Iterator[Tree]:
    """The root and ``test.``, with ``example.test.`` on two servers and ``other.test.`` on one."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns1.example", "example NS ns2.example", "ns1.example A 127.0.0.12")
        tree.delegate("ns2.example A 127.0.0.13", "other NS ns.other", "ns.other A 127.0.0.14")
        yield tree


@pytest.fixture
def example(tree: Tree) -> Zone:
    """``example.test.`` at its first server; the second has the same."""
    return tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13")[0]


@pytest.fixture
def other(tree: Tree) -> Zone:
    """``other.test.``."""
    return tree.zone("other.test.", OTHER, "127.0.0.14")[0]


def finder(tree: Tree, config: DNSConfig | None = None) -> Finder:
    """One that is patient: no server is silent here."""
    return Finder(config or tree.config(), Exchange(10.0, 10.0), FakeClock())


def find(tree: Tree, name: str = NAME, config: DNSConfig | None = None) -> Place:
    """Where ``name`` has to be written."""
    return asyncio.run(finder(tree, config).find(name))


def hops(place: Place) -> list[tuple[str, str, str, str]]:
    """The aliases of ``place`` with the zone each stands in."""
    return [(hop.kind, hop.owner, hop.target, hop.zone.name) for hop in place.hops]


@pytest.mark.usefixtures("example", "other")
class TestZone:
    """The zone cut above the name."""

    def test_is_found_from_the_root_down(self, tree: Tree) -> None:
        """The record stands where its name says, in the deepest zone above it."""
        place = find(tree)
        assert (place.challenge, place.owner, place.zone.name, place.hops) == (NAME, NAME, "example.test.", ())
        assert place.zone.soa.serial == 1

    def test_holds_names_of_any_depth_and_form(self, tree: Tree) -> None:
        """Missing names below it, other case, no final dot, Unicode."""
        tree.zone("xn--bcher-kva.test.", EXAMPLE, "127.0.0.12")
        tree.delegate("xn--bcher-kva NS ns1.example")
        assert find(tree, "_acme-challenge.a.b.c.Example.TEST").zone.name == "example.test."
        assert find(tree, "_acme-challenge.bücher.test").zone.name == "xn--bcher-kva.test."

    def test_ends_at_labels(self, tree: Tree) -> None:
        """``ample.test.`` is another zone than ``example.test.``, also where servers are configured."""
        tree.zone("ample.test.", OTHER, "127.0.0.14")
        tree.delegate("ample NS ns.other")
        place = find(tree, NAME, tree.config({"ample.test.": ("127.0.0.14",)}))
        assert place.zone.name == "example.test."
        assert find(tree, "_acme-challenge.ample.test.").zone.name == "ample.test."

    def test_n13_may_begin_at_the_challenge_name(self, tree: Tree, example: Zone) -> None:
        """N13: the challenge name is delegated to a server of its own."""
        example.add("_acme-challenge NS ns.other.test.")
        tree.zone(NAME, "@ NS ns.other.test.", "127.0.0.14")
        place = find(tree)
        assert (place.owner, place.zone.name) == (NAME, NAME)
        assert [str(server.address.ip) for server in place.zone.servers] == ["127.0.0.14"]

    @pytest.mark.parametrize("apex", [NAME, "sub.example.test.", "a.sub.example.test."])
    def test_may_stand_beside_its_parent(self, tree: Tree, apex: str) -> None:
        """Where one server has parent and child it never refers, and its SOA tells."""
        tree.zone(apex, EXAMPLE, "127.0.0.12", "127.0.0.13")
        name = apex if apex == NAME else f"_acme-challenge.a.{apex}"
        place = find(tree, name)
        assert (place.owner, place.zone.name) == (name, apex)

    def test_goes_on_below_a_name_that_is_denied(self, tree: Tree, example: Zone) -> None:
        """An unrectified zone denies names that have names below; the challenge name itself is asked all the same."""
        example.add("_acme-challenge.www CNAME _acme-challenge.other.test.")
        for zone in (
            zone for server in tree.servers.servers for zone in server.zones if zone.origin == "example.test."
        ):
            zone.behaviour.denied = frozenset({"www.example.test."})
            zone.data = example.data
        assert find(tree, "_acme-challenge.www.example.test.").zone.name == "other.test."

    def test_zone_of_follows_no_alias(self, tree: Tree, example: Zone) -> None:
        """It is about the name, not about where a record would go."""
        example.add("www CNAME www.other.test.")
        assert asyncio.run(finder(tree).zone_of("www.example.test")).name == "example.test."

    def test_many_names_share_the_walk(self, tree: Tree) -> None:
        """Forty names of a zone ask for its ancestors once."""

        async def story() -> None:
            found = finder(tree)
            await asyncio.gather(*(found.find(f"_acme-challenge.h{number}.example.test.") for number in range(40)))
            await found.find("_acme-challenge.h0.example.test.")

        asyncio.run(story())
        asked = tree.servers.asked()
        assert [asked.count(f"{name} SOA") for name in (".", "test.", "_acme-challenge.h0.example.test.")] == [1, 2, 1]
        assert asked.count("example.test. NS") == 1

    @pytest.mark.parametrize("name", ["", "a..test.", "_acme-challenge.exa mple.test."])
    def test_of_no_name_is_none(self, tree: Tree, name: str) -> None:
        """What is no name is refused before anybody is asked."""
        with pytest.raises(NameInvalid):
            find(tree, name)
        assert tree.servers.log == []


@pytest.mark.usefixtures("example", "other")
class TestAliases:
    """CNAME and DNAME delegation."""

    def test_n10_a_cname_leads_to_another_zone(self, tree: Tree, example: Zone) -> None:
        """N10: the final zone decides, and N14: the hop tells which servers must have the CNAME."""
        example.add("_acme-challenge CNAME Challenge.Other.test.")
        place = find(tree)
        assert (place.challenge, place.owner, place.zone.name) == (NAME, "challenge.other.test.", "other.test.")
        assert hops(place) == [("CNAME", NAME, "challenge.other.test.", "example.test.")]
        assert [server.address.ip for server in place.hops[0].zone.servers] == ["127.0.0.12", "127.0.0.13"]

    def test_a_chain_is_followed_to_its_end(self, tree: Tree, example: Zone, other: Zone) -> None:
        """Back into the first zone too."""
        example.add("_acme-challenge CNAME one.other.test.", "three CNAME four.other.test.")
        other.add("one CNAME two", "two CNAME three.example.test.")
        place = find(tree)
        assert place.owner == "four.other.test."
        assert [hop.owner.split(".")[0] for hop in place.hops] == ["_acme-challenge", "one", "two", "three"]

    @pytest.mark.parametrize("name", ["_acme-challenge.tree.example.test.", "_acme-challenge.a.b.tree.example.test."])
    def test_n11_a_dname_replaces_the_suffix(self, tree: Tree, example: Zone, name: str) -> None:
        """N11: below a DNAME every name is another one; the DNAME is what all servers must have."""
        example.add("tree DNAME Leaf.other.test.")
        place = find(tree, name)
        assert place.owner == name.replace("tree.example", "leaf.other")
        assert hops(place) == [("DNAME", "tree.example.test.", "leaf.other.test.", "example.test.")]

    def test_a_dname_does_not_redirect_its_own_name(self, tree: Tree, example: Zone) -> None:
        """The twin of N11 (RFC 6672 section 2.3)."""
        example.add("_acme-challenge.x DNAME other.test.")
        assert find(tree, "_acme-challenge.x.example.test.").hops == ()

    @pytest.mark.parametrize(
        ("records", "chain"),
        [
            (["_acme-challenge CNAME _ACME-Challenge"], "_acme-challenge.example.test -> _acme-challenge.example.test"),
            (["_acme-challenge CNAME B", "b CNAME C.Example.TEST.", "c CNAME _Acme-CHALLENGE"],
             "_acme-challenge.example.test -> b.example.test -> c.example.test -> _acme-challenge.example.test"),
        ],
    )  # fmt: skip
    def test_n12_a_circle_is_an_error_that_shows_it(
        self, tree: Tree, example: Zone, records: list[str], chain: str
    ) -> None:
        """N12: however its names are spelled."""
        example.add(*records)
        with pytest.raises(DelegationBroken, match=f"turns in a circle: {chain}$") as caught:
            find(tree)
        assert caught.value.chain[0] == "_acme-challenge.example.test"
        last = chain.split(" -> ")[-2]
        assert caught.value.hint == f"change or delete the CNAME at {last}, which leads back to {caught.value.chain[0]}"

    def test_n12_a_circle_of_dnames_too(self, tree: Tree, example: Zone, other: Zone) -> None:
        """The record that closes it is named with its kind."""
        example.add("a DNAME B.other.test.")
        other.add("b DNAME a.Example.test.")
        with pytest.raises(DelegationBroken, match="turns in a circle") as caught:
            find(tree, "_acme-challenge.a.example.test.")
        assert caught.value.chain[0] == caught.value.chain[-1]
        assert caught.value.hint.startswith("change or delete the DNAME at b.other.test,")

    @pytest.mark.parametrize(("aliases", "is_fine"), [(16, True), (17, False)])
    def test_a_chain_has_an_end(self, tree: Tree, example: Zone, aliases: int, is_fine: bool) -> None:
        """Sixteen aliases are followed, seventeen are refused."""
        example.add("_acme-challenge CNAME a1", *(f"a{number} CNAME a{number + 1}" for number in range(1, aliases)))
        if is_fine:
            assert len(find(tree).hops) == aliases
            return
        with pytest.raises(DelegationBroken, match="more than 16 aliases") as caught:
            find(tree)
        assert "the first alias, at _acme-challenge.example.test" in caught.value.hint

    @pytest.mark.parametrize(
        ("target", "message", "cure"),
        [
            ("x.dead.test.", "no server of dead.test answers", "mend the delegation of dead.test"),
            ("x.nowhere.", "x.nowhere is in no zone below the root", "dns.servers"),
            ("bad\\.label.test.", "leads to no usable name", "letters, digits"),
        ],
    )
    def test_a_dangling_alias_is_an_error_with_the_chain(
        self, tree: Tree, example: Zone, target: str, message: str, cure: str
    ) -> None:
        """Servers that are not there, a domain that is not there, a name that cannot be."""
        tree.delegate("dead NS ns.dead", "ns.dead A 127.0.0.99")
        example.add(f"_acme-challenge CNAME {target}")
        with pytest.raises(DelegationBroken, match=message) as caught:
            find(tree)
        assert caught.value.chain == ("_acme-challenge.example.test", target.removesuffix("."))
        assert caught.value.hint.startswith("change the CNAME at _acme-challenge.example.test")
        assert cure in caught.value.hint

    @pytest.mark.parametrize("target", [".", "nowhere.", "dead.test."])
    def test_a_dname_onto_nothing_is_one_too(self, tree: Tree, example: Zone, target: str) -> None:
        """With the DNAME as what has to be changed, and the name that it makes at the chain's end."""
        tree.delegate("dead NS ns.dead", "ns.dead A 127.0.0.99")
        example.add(f"tree DNAME {target}")
        with pytest.raises(DelegationBroken, match="leads to a name that cannot be written") as caught:
            find(tree, "_acme-challenge.tree.example.test.")
        assert caught.value.chain[-1] == f"_acme-challenge.{target}".removesuffix(".").removesuffix(".")
        assert caught.value.hint.startswith("change the DNAME at tree.example.test, or")


@pytest.mark.usefixtures("example", "other")
class TestWildcard:
    """A CNAME that only a wildcard makes."""

    SIGNED = """
*.s CNAME x.other.test.
*.s RRSIG CNAME 13 3 60 20300101000000 20200101000000 1 example.test. AAAA
_acme-challenge.s CNAME x.other.test.
_acme-challenge.s RRSIG CNAME 13 4 60 20300101000000 20200101000000 1 example.test. AAAA
"""

    def test_n15_is_not_followed(self, tree: Tree, example: Zone) -> None:
        """N15: at the name's own level and above it; the record will stand in its place."""
        example.add("* CNAME x.other.test.")
        for name in (NAME, "_acme-challenge.a.b.example.test."):
            place = find(tree, name)
            assert (place.owner, place.zone.name, place.hops) == (name, "example.test.", ())
            assert place.unfollowed == "x.other.test."

    def test_an_own_cname_beside_it_is_followed(self, tree: Tree, example: Zone) -> None:
        """The twin: another target than the wildcard's is the name's own."""
        example.add("* CNAME x.other.test.", "_acme-challenge CNAME y.other.test.")
        assert (find(tree).owner, find(tree).unfollowed) == ("y.other.test.", "")

    def test_signatures_decide_where_there_are_any(self, tree: Tree, example: Zone) -> None:
        """Even where name and wildcard have the same target."""
        example.add(*self.SIGNED.strip().splitlines())
        assert find(tree, "_acme-challenge.s.example.test.").owner == "x.other.test."
        assert find(tree, "_acme-challenge.z.s.example.test.").hops == ()
        siblings = [entry for entry in tree.servers.log if entry.type == "CNAME" and not entry.name.startswith("_acme")]
        assert {entry.server for entry in siblings} <= {"127.0.0.12", "127.0.0.13"}


def test_values_are_values(tree: Tree, example: Zone, other: Zone) -> None:
    """Two finds of one place are equal."""
    example.add("_acme-challenge CNAME x.other.test.")
    first, second = find(tree), find(tree)
    assert first == second
    assert isinstance(first.hops[0], Hop)


def test_a_name_in_the_root_zone_is_an_error(tree: Tree) -> None:
    """It is a mistake or a private name, and the hint says what to do about either."""
    with pytest.raises(LookupFailed, match=r"_acme-challenge.www.corp is in no zone below the root") as caught:
        find(tree, "_acme-challenge.www.corp.")
    assert "dns.servers" in caught.value.hint


def test_an_address_that_a_service_s_own_zone_has_not_is_asked_of_nobody_else(tree: Tree, example: Zone) -> None:
    """A resolver that was told so could hold it against the challenge names; localhost is the system's, as ever."""
    assert asyncio.run(finder(tree).service_addresses("ns1.example.test")) == ("127.0.0.12",)
    with pytest.raises(LookupFailed, match=r"no\.example\.test has no address"):
        asyncio.run(finder(tree).service_addresses("no.example.test"))
    assert asyncio.run(finder(tree).service_addresses("localhost"))
