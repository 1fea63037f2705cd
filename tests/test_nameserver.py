"""The shipped name server is itself held to what real ones do, for every fake is a claim about the world."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.lookup.exchange import Address, Answer, Exchange, Silent
from dnsbroker.testing.nameserver import NameServers, Server, Zone

PARENT = """
@ SOA ns host 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.10
child NS ns.child
child DS 1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ns.child A 127.0.0.11
deep.empty TXT "here"
*.wild CNAME target
target TXT "at the target" " in two strings"
tree DNAME elsewhere.test.
"""
CHILD = """
@ 300 SOA ns host 4294967295 3600 600 86400 60
@ NS ns
ns A 127.0.0.11
www A 192.0.2.1
big TXT "{0}" "{0}" "{0}" "{0}" "{0}" "{0}"
""".format("x" * 250)


@pytest.fixture
def servers() -> Iterator[NameServers]:
    """An empty group of name servers."""
    with NameServers() as group:
        yield group


@pytest.fixture
def parent(servers: NameServers) -> Server:
    """A server that holds ``test.`` only."""
    server = servers.server("127.0.0.10")
    server.zone("test.", PARENT)
    return server


@pytest.fixture
def child(servers: NameServers) -> Zone:
    """``child.test.`` on a server of its own."""
    return servers.server("127.0.0.11").zone("child.test.", CHILD)


def ask(servers: NameServers, ip: str, name: str, type: str = "SOA", **options: bool) -> Answer:
    """The answer of the server at ``ip``, which may take a fifth of a second."""

    async def asking() -> Answer:
        return await Exchange(0.2, 0.2).ask(Address(ip, servers.port), name, type, **options)

    return asyncio.run(asking())


@pytest.mark.usefixtures("parent")
class TestWhatIsRight:
    """The plain answers of RFC 1034."""

    def test_refers_below_a_cut_with_glue_and_without_aa(self, servers: NameServers) -> None:
        """A name below a delegation gives NS, glue and no authority."""
        answer = ask(servers, "127.0.0.10", "www.child.test.", "A")
        assert answer.referral("www.child.test.") == "child.test."
        assert answer.delegation("child.test.") == {"ns.child.test."}
        assert answer.addresses("ns.child.test.") == {"127.0.0.11"}
        assert not answer.authoritative

    def test_answers_ds_above_the_cut(self, servers: NameServers) -> None:
        """The DS of a child is the parent's own data."""
        answer = ask(servers, "127.0.0.10", "child.test.", "DS")
        assert answer.authoritative
        assert next(iter(answer.values("child.test.", "DS"))).startswith("1 13 2 0011")

    def test_tells_empty_names_from_missing_ones(self, servers: NameServers) -> None:
        """An empty non-terminal is NOERROR, a missing name NXDOMAIN; both bring the SOA."""
        empty = ask(servers, "127.0.0.10", "empty.test.", "TXT")
        missing = ask(servers, "127.0.0.10", "nothing.test.", "TXT")
        assert (empty.rcode, missing.rcode) == ("NOERROR", "NXDOMAIN")
        assert empty.apex("empty.test.") == missing.apex("nothing.test.") == "test."

    def test_expands_wildcards_and_follows_cnames(self, servers: NameServers) -> None:
        """A wildcard CNAME answers with what its target holds; its own name is no match for names that exist."""
        answer = ask(servers, "127.0.0.10", "any.thing.wild.test.", "TXT")
        assert answer.alias("any.thing.wild.test.") == "target.test."
        assert answer.values("target.test.", "TXT") == {"at the target in two strings"}
        assert ask(servers, "127.0.0.10", "wild.test.", "TXT").rcode == "NOERROR"

    def test_synthesises_a_cname_below_a_dname(self, servers: NameServers) -> None:
        """RFC 6672: the DNAME, and the CNAME that it makes; the DNAME's own name is not redirected."""
        answer = ask(servers, "127.0.0.10", "leaf.tree.test.", "TXT")
        assert answer.dname_above("leaf.tree.test.") == "tree.test."
        assert answer.alias("leaf.tree.test.") == "leaf.elsewhere.test."
        assert ask(servers, "127.0.0.10", "tree.test.", "TXT").alias("tree.test.") is None

    def test_refuses_what_it_does_not_hold(self, servers: NameServers) -> None:
        """A name outside every zone is REFUSED."""
        assert ask(servers, "127.0.0.10", "example.org.").rcode == "REFUSED"

    def test_truncates_what_does_not_fit(self, servers: NameServers, child: Zone) -> None:
        """More than the client's payload comes by TCP, whole."""
        answer = ask(servers, "127.0.0.11", "big.child.test.", "TXT")
        assert answer.tcp
        assert answer.values("big.child.test.", "TXT") == {"x" * 1500}

    def test_a_resolver_sees_all_zones_and_logs(self, servers: NameServers, child: Zone) -> None:
        """The stand-in answers with recursion, from the deepest zone, and writes down what it was asked."""
        resolver = servers.resolver("127.0.0.53")
        answer = ask(servers, "127.0.0.53", "www.child.test.", "A", recursion=True)
        assert answer.values("www.child.test.", "A") == {"192.0.2.1"}
        assert not answer.authoritative
        assert servers.asked(resolver) == ["www.child.test. A"]
        assert servers.log[-1].recursion


class TestWhatIsWrong:
    """Each switch does what it says."""

    def test_zones_change_while_they_are_served(self, servers: NameServers, child: Zone) -> None:
        """Added, removed, bumped: seen by the next question, the serial by RFC 1982."""
        child.add('_acme-challenge TXT "one"', '_acme-challenge TXT "two"')
        child.remove("www.child.test.", "A")
        assert child.bump() == 0
        answer = ask(servers, "127.0.0.11", "_acme-challenge.child.test.", "TXT")
        assert answer.values("_acme-challenge.child.test.", "TXT") == {"one", "two"}
        assert ask(servers, "127.0.0.11", "www.child.test.", "A").rcode == "NXDOMAIN"
        soa = ask(servers, "127.0.0.11", "child.test.").soa("child.test.")
        assert soa is not None
        assert (soa.serial, soa.refresh, soa.negative_ttl) == (0, 3600, 60)

    def test_states_alternate(self, servers: NameServers, child: Zone) -> None:
        """Two states take turns, question by question."""
        child.alternate(CHILD + 'www TXT "new"\n')
        seen = [
            len(ask(servers, "127.0.0.11", "www.child.test.", "TXT").values("www.child.test.", "TXT")) for _ in "1234"
        ]
        assert seen == [0, 1, 0, 1]

    @pytest.mark.parametrize("rcode", ["REFUSED", "SERVFAIL", "NOTIMP"])
    def test_an_rcode_for_everything(self, servers: NameServers, child: Zone, rcode: str) -> None:
        """The rcode alone, without AA and records."""
        child.behaviour.rcode = rcode
        answer = ask(servers, "127.0.0.11", "child.test.")
        assert (answer.rcode, answer.authoritative, answer.soa("child.test.")) == (rcode, False, None)

    def test_without_authority_or_upward(self, servers: NameServers, child: Zone) -> None:
        """Both kinds of lameness that answer NOERROR."""
        child.behaviour.not_authoritative = True
        assert not ask(servers, "127.0.0.11", "child.test.").authoritative
        child.behaviour.upward = True
        assert ask(servers, "127.0.0.11", "child.test.").referral("child.test.") == "."

    def test_silence_is_of_the_zone_or_of_the_server(self, servers: NameServers, parent: Server) -> None:
        """A silent zone leaves its neighbour alone, a silent server none."""
        zone = parent.zone("other.test.", CHILD)
        zone.behaviour.silent = True
        with pytest.raises(Silent):
            ask(servers, "127.0.0.10", "other.test.")
        assert ask(servers, "127.0.0.10", "test.").authoritative
        parent.behaviour.silent = True
        with pytest.raises(Silent):
            ask(servers, "127.0.0.10", "test.")

    def test_stops_and_starts(self, servers: NameServers, parent: Server) -> None:
        """A stopped server refuses at once; a started one answers."""
        parent.stop()
        with pytest.raises(Silent, match="connection refused"):
            ask(servers, "127.0.0.10", "test.")
        parent.start()
        assert ask(servers, "127.0.0.10", "test.").authoritative

    def test_delays(self, servers: NameServers, child: Zone) -> None:
        """A delay below the time-out is waited for, one above it is silence."""
        child.behaviour.delay = 0.05
        assert ask(servers, "127.0.0.11", "child.test.").authoritative
        child.behaviour.delay = 1.0
        with pytest.raises(Silent):
            ask(servers, "127.0.0.11", "child.test.")
