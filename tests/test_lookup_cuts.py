"""Whom the walk asks, and whom never; what it does where servers fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from dnsbroker.config import DNSConfig
from dnsbroker.errors import LookupFailed
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder, Place
from dnsbroker.testing import FakeClock
from dnsbroker.testing.nameserver import NameServers, Server
from dnsbroker.testing.tree import Tree

EXAMPLE = """
@ NS ns1
@ NS ns2
ns1 A 127.0.0.12
ns2 A 127.0.0.13
"""
NAME = "_acme-challenge.www.example.test."


@pytest.fixture
def tree() -> Iterator[Tree]:
    """The root, ``test.`` and ``example.test.`` on two servers."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns1.example", "example NS ns2.example")
        tree.delegate("ns1.example A 127.0.0.12", "ns2.example A 127.0.0.13")
        tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13")
        yield tree


@pytest.fixture
def pair(tree: Tree) -> list[Server]:
    """The two servers of ``example.test.``."""
    return [tree.server("127.0.0.12"), tree.server("127.0.0.13")]


def find(tree: Tree, name: str = NAME, config: DNSConfig | None = None, seconds: float = 0.3) -> Place:
    """Where ``name`` has to be written; each transport may take ``seconds``."""
    return asyncio.run(Finder(config or tree.config(), Exchange(seconds, seconds), FakeClock()).find(name))


def root_out_of_reach(tree: Tree) -> None:
    """As in a network that lets nothing out."""
    tree.root.stop()


class TestResolver:
    """N16: what a resolver may be asked."""

    def test_n16_only_the_root_where_the_root_answers(self, tree: Tree) -> None:
        """Its NS and their addresses, and nothing else; every other question goes without recursion."""
        find(tree)
        assert tree.servers.asked(tree.resolver) == [". NS", "a.root. A"]
        assert {entry.recursion for entry in tree.servers.log if entry.server != tree.resolver.ip} == {False}

    def test_n16_one_level_more_where_the_root_is_out_of_reach(self, tree: Tree) -> None:
        """From the top down to the first zone whose servers answer; there its servers' addresses are asked too."""
        root_out_of_reach(tree)
        assert find(tree).zone.name == "example.test."
        assert tree.servers.asked(tree.resolver) == [". NS", "a.root. A", "test. NS", "ns.test. A"]

    def test_n16_never_the_challenge_name(self, tree: Tree) -> None:
        """Not even where nobody answers, nor is any name asked that is no ancestor."""
        root_out_of_reach(tree)
        for server in (tree.top, tree.server("127.0.0.12"), tree.server("127.0.0.13")):
            server.stop()
        with pytest.raises(LookupFailed, match=r"no zone above .* answers this host") as caught:
            find(tree)
        asked = [entry.split()[0] for entry in tree.servers.asked(tree.resolver) if entry.endswith(" NS")]
        assert asked == [".", "test.", "example.test.", "www.example.test."]
        assert all(part in caught.value.message for part in ("127.0.0.10", "127.0.0.12", "connection refused"))
        assert "dns.servers" in caught.value.hint

    def test_a_resolver_that_knows_no_root_is_of_use_below(self, tree: Tree) -> None:
        """A private resolver may have no idea of the root."""
        tree.resolver.zone(".", "@ SOA a. h. 1 1 1 1 1")
        assert find(tree).zone.name == "example.test."

    def test_what_the_resolver_did_not_know_is_told(self, tree: Tree) -> None:
        """For then it is the resolver, not the network, that has to be looked at."""
        tree.resolver.behaviour.denied = frozenset({".", "test.", "example.test.", "www.example.test."})
        with pytest.raises(
            LookupFailed, match=r"example.test: resolver 127.0.0.53:\d+: knows no name server of it \(NX"
        ):
            find(tree)

    def test_without_a_resolver_the_error_names_it(self, tree: Tree) -> None:
        """It is the first to be asked."""
        tree.resolver.stop()
        with pytest.raises(LookupFailed, match=r"no resolver answers this host \(resolver 127.0.0.53:\d+: UDP"):
            find(tree)

    def test_n35_configured_servers_need_no_resolver(self, tree: Tree) -> None:
        """N35: neither it nor anybody above is asked."""
        tree.resolver.stop()
        place = find(tree, NAME, tree.config({"example.test.": ("127.0.0.13",)}))
        assert place.zone.name == "example.test."
        assert {entry.server for entry in tree.servers.log} == {"127.0.0.13"}


class TestConfigured:
    """Split horizon: ``dns.servers``."""

    def test_their_soa_tells_the_zone(self, tree: Tree) -> None:
        """The configured name may stand below the apex, and be the challenge name itself."""
        for key in ("www.example.test.", NAME):
            place = find(tree, NAME, tree.config({key: ("127.0.0.12",)}))
            assert (place.zone.name, [server.address.ip for server in place.zone.servers]) == (
                "example.test.",
                ["127.0.0.12"],
            )

    def test_a_zone_below_on_the_same_servers_is_theirs(self, tree: Tree) -> None:
        """Its own NS may speak of the outer world."""
        tree.zone("www.example.test.", "@ NS ns.public.example.", "127.0.0.12")
        place = find(tree, NAME, tree.config({"example.test.": ("127.0.0.12",)}))
        assert (place.zone.name, [server.address.ip for server in place.zone.servers]) == (
            "www.example.test.",
            ["127.0.0.12"],
        )

    def test_a_delegation_below_is_followed(self, tree: Tree) -> None:
        """They do not have what they refer to others for."""
        tree.zone("corp.", "@ NS ns\nwww NS ns.www\nns.www A 127.0.0.21", "127.0.0.20")
        tree.zone("www.corp.", "@ NS ns\nns A 127.0.0.21", "127.0.0.21")
        place = find(tree, "_acme-challenge.www.corp.", tree.config({"corp.": ("127.0.0.20",)}))
        assert (place.zone.name, [server.address.ip for server in place.zone.servers]) == ("www.corp.", ["127.0.0.21"])

    def test_the_longest_match_wins(self, tree: Tree) -> None:
        """A configured zone below another is asked at its own servers."""
        tree.zone("corp.", "@ NS ns", "127.0.0.20")
        tree.zone("www.corp.", "@ NS ns", "127.0.0.21")
        config = tree.config({"corp.": ("127.0.0.20",), "www.corp.": ("127.0.0.21",)})
        assert find(tree, "_acme-challenge.www.corp.", config).zone.name == "www.corp."
        assert find(tree, "_acme-challenge.mail.corp.", config).zone.name == "corp."

    def test_their_failure_is_not_made_good_by_others(self, tree: Tree) -> None:
        """Who configures servers does not want the public ones to be asked."""
        with pytest.raises(LookupFailed, match=r"127.0.0.99:\d+: UDP: connection refused"):
            find(tree, NAME, tree.config({"example.test.": ("127.0.0.99",)}))
        assert tree.servers.log == []


class TestFailures:
    """Servers that do not do what they should."""

    def test_one_server_only_is_asked_about_the_challenge(self, tree: Tree) -> None:
        """Siblings on one database keep a denial for a minute."""
        find(tree)
        assert len({entry.server for entry in tree.servers.log if entry.name == NAME}) == 1

    def test_the_primary_is_the_one_that_is_asked(self, tree: Tree, pair: list[Server]) -> None:
        """A secondary on the primary's database would keep the denial, the primary forgets it with the write."""
        for server in pair:
            server.zones.clear()
            server.zone("example.test.", "@ SOA ns2 host 1 60 60 60 60" + EXAMPLE)
        find(tree)
        assert {entry.server for entry in tree.servers.log if entry.name == NAME} == {"127.0.0.13"}
        pair[1].stop()
        assert find(tree).zone.name == "example.test.", "a primary that is down is no obstacle"

    @pytest.mark.parametrize("silent", [0, 1])
    def test_a_silent_server_costs_a_moment(self, tree: Tree, pair: list[Server], silent: int) -> None:
        """Far less than its time-out, whichever of the two it is."""
        pair[silent].behaviour.silent = True
        begun = time.monotonic()
        assert len(find(tree, seconds=5).zone.servers) == 2
        assert time.monotonic() - begun < 4.5

    @pytest.mark.parametrize("fault", ["REFUSED", "SERVFAIL", "NOTIMP", "lame", "upward"])
    def test_a_lame_server_is_passed_over(self, tree: Tree, pair: list[Server], fault: str) -> None:
        """Its word counts for nothing, the other's does."""
        first = pair[0].behaviour
        first.not_authoritative = fault == "lame"
        first.upward = fault == "upward"
        first.rcode = fault if fault.isupper() else ""
        assert find(tree).zone.name == "example.test."

    def test_a_server_may_fail_on_the_way(self, tree: Tree, pair: list[Server]) -> None:
        """The one that answered a moment ago is replaced by another."""

        async def story() -> Place:
            found = Finder(tree.config(), Exchange(0.3, 0.3), FakeClock())
            await found.zone_of("example.test.")
            pair[0].stop()
            return await found.find(NAME)

        assert asyncio.run(story()).zone.name == "example.test."

    def test_where_all_fail_each_is_named_with_its_fault(self, tree: Tree, pair: list[Server]) -> None:
        """The message is the whole diagnosis."""
        pair[0].behaviour.rcode = "REFUSED"
        pair[1].stop()
        with pytest.raises(LookupFailed) as caught:
            find(tree)
        assert caught.value.message.startswith("no server of example.test answers for example.test (")
        assert all(part in caught.value.message for part in ("127.0.0.12", "REFUSED", "127.0.0.13", "refused"))
        assert "mend the delegation of example.test" in caught.value.hint

    def test_a_server_that_has_the_parent_only_is_lame(self, tree: Tree, pair: list[Server]) -> None:
        """It denies, with authority, what it should know."""
        pair[0].zones.clear()
        pair[0].zone("test.", "@ SOA ns h 1 1 1 1 1\n@ NS ns")
        assert find(tree).zone.name == "example.test."

    def test_a_failure_is_not_kept(self, tree: Tree, pair: list[Server]) -> None:
        """The same finder finds once the servers are back."""

        async def story() -> Place:
            found = Finder(tree.config(), Exchange(0.3, 0.3), FakeClock())
            for server in pair:
                server.stop()
            with pytest.raises(LookupFailed):
                await found.find(NAME)
            for server in pair:
                server.start()
            return await found.find(NAME)

        assert asyncio.run(story()).zone.name == "example.test."

    @pytest.mark.parametrize("names", [("a",), ("a", "b"), ("b", "a")])
    def test_zones_that_need_each_other_fail_at_once(self, tree: Tree, names: tuple[str, ...]) -> None:
        """No glue anywhere: the addresses of each are in the other."""
        tree.delegate("a NS ns.b", "b NS ns.a")

        async def story() -> list[object]:
            found = Finder(tree.config(), Exchange(5, 5), FakeClock())
            async with asyncio.timeout(2):
                asked = (found.find(f"_acme-challenge.x.{name}.test.") for name in names)
                return list(await asyncio.gather(*asked, return_exceptions=True))

        assert [type(outcome) for outcome in asyncio.run(story())] == [LookupFailed] * len(names)

    def test_a_host_without_ipv6_finds_all_the_same(self, tree: Tree) -> None:
        """An AAAA that cannot be reached is a server of the zone, and no obstacle."""
        tree.delegate("six NS ns.six", "ns.six AAAA 2001:db8::1", "ns.six A 127.0.0.12")
        tree.zone("six.test.", "@ NS ns\nns AAAA 2001:db8::1\nns A 127.0.0.12", "127.0.0.12")
        place = find(tree, "_acme-challenge.six.test.")
        assert [server.address.ip for server in place.zone.servers] == ["127.0.0.12", "2001:db8::1"]


class TestAddresses:
    """Where a service's host is."""

    def addresses(self, tree: Tree, host: str) -> tuple[str, ...]:
        """What the finder says."""
        return asyncio.run(Finder(tree.config(), Exchange(0.3, 0.3), FakeClock()).addresses(host))

    def test_its_own_zone_is_asked(self, tree: Tree) -> None:
        """Not a resolver, whose cache might stretch a denial."""
        assert self.addresses(tree, "NS1.example.test") == ("127.0.0.12",)
        assert tree.servers.asked(tree.resolver) == [". NS", "a.root. A"]

    def test_an_address_is_its_own(self, tree: Tree) -> None:
        """In its canonical form, and nobody is asked."""
        assert self.addresses(tree, "2001:DB8:0::1") == ("2001:db8::1",)
        assert tree.servers.log == []

    def test_the_system_knows_its_own_names(self, tree: Tree) -> None:
        """As any other program's user expects."""
        assert "127.0.0.1" in self.addresses(tree, "localhost")

    def test_nobody_knows_is_an_error(self, tree: Tree) -> None:
        """With the name."""
        with pytest.raises(LookupFailed, match=r"no address for nothing\.invalid"):
            self.addresses(tree, "nothing.invalid")
