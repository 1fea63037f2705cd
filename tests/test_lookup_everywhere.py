"""What all servers of a zone say, on name servers that answer over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.errors import LookupFailed, NameInvalid
from dnsbroker.lookup.everywhere import Everywhere, everywhere
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.testing import FakeClock
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree

EXAMPLE = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.12\nns2 A 127.0.0.13\n"
OTHER = "@ NS ns\nns A 127.0.0.14\n"
NAME = "_25._tcp.mail.example.test."
ONE, TWO = "3 1 1 " + 32 * "ab", "3 1 1 " + 32 * "cd"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """``example.test.`` on two servers, ``other.test.`` on one."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns1.example", "example NS ns2.example", "ns1.example A 127.0.0.12")
        tree.delegate("ns2.example A 127.0.0.13", "other NS ns.other", "ns.other A 127.0.0.14")
        yield tree


def found(tree: Tree, name: str = NAME, type: str = "TLSA", *, udp: float = 0.3) -> Everywhere:
    """What is found for ``name``; a try by UDP may take ``udp`` seconds."""
    exchange = Exchange(udp, 0.3)
    return asyncio.run(everywhere(Finder(tree.config(), exchange, FakeClock()), exchange, name, type, patience=0.3))


def test_what_any_server_has_counts(tree: Tree) -> None:
    """One that lags still serves its record to somebody."""
    first, second = tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13")
    first.add(f"_25._tcp.mail TLSA {ONE}")
    second.add(f"_25._tcp.mail TLSA {TWO}")
    assert found(tree) == Everywhere(frozenset({ONE, TWO}))


def test_a_denial_is_an_answer(tree: Tree) -> None:
    """NXDOMAIN, and a name without such a record."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.add("_443._tcp.mail A 127.0.0.1")
    assert found(tree) == Everywhere(frozenset())
    assert found(tree, "_443._tcp.mail.example.test.") == Everywhere(frozenset())


def test_no_resolver_hears_of_the_name(tree: Tree) -> None:
    """Nor of any name in its zone: a denial might be stretched over a challenge name."""
    tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13")
    found(tree)
    assert not [asked for asked in tree.servers.asked(tree.resolver) if "example.test." in asked]


@pytest.mark.parametrize("fault", [{"silent": True}, {"rcode": "SERVFAIL"}, {"rcode": "REFUSED"}, {"upward": True}])
def test_one_server_that_does_not_answer_does_not_matter(tree: Tree, fault: dict[str, object]) -> None:
    """The other one does; and its absence is not a denial either."""
    first, second = tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13")
    second.add(f"_25._tcp.mail TLSA {ONE}")
    for switch, value in fault.items():
        setattr(first.behaviour, switch, value)
    assert found(tree).values == {ONE}


def test_a_silent_server_is_not_waited_for_to_its_end(tree: Tree) -> None:
    """Another one has answered; a slow one that answers soon enough counts still."""
    first, second = tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13")
    second.add(f"_25._tcp.mail TLSA {ONE}")
    second.behaviour.delay = 0.1
    assert found(tree, udp=60.0).values == {ONE}
    first.add(f"_25._tcp.mail TLSA {TWO}")
    second.behaviour.silent = True
    assert found(tree, udp=60.0).values == {TWO}


def test_nobody_s_answer_is_no_denial(tree: Tree) -> None:
    """Both servers fail for that name alone."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.behaviour.rcode = "SERVFAIL"
    with pytest.raises(LookupFailed, match="SERVFAIL"):
        found(tree)


def test_an_alias_leads_to_another_zone(tree: Tree) -> None:
    """Its servers are asked for the rest, whatever the first ones put beside the alias."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.add("_25._tcp.mail CNAME tlsa.Other.test.")
    tree.zone("other.test.", OTHER + f"tlsa TLSA {ONE}\n", "127.0.0.14")
    assert found(tree) == Everywhere(frozenset({ONE}), ("tlsa.other.test.",))


def test_dnames_and_wildcards_lead_on_too(tree: Tree) -> None:
    """Whoever looks the name up gets what they make of it."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.add("_tcp.mail DNAME all.other.test.", "*.web CNAME tlsa.other.test.", f"*.imap TLSA {TWO}")
    tree.zone("other.test.", OTHER + f"_25.all TLSA {ONE}\ntlsa TLSA {ONE}\n", "127.0.0.14")
    assert found(tree) == Everywhere(frozenset({ONE}), ("_25.all.other.test.",))
    assert found(tree, "_443._tcp.web.example.test.") == Everywhere(frozenset({ONE}), ("tlsa.other.test.",))
    assert found(tree, "_143._tcp.imap.example.test.") == Everywhere(frozenset({TWO}))


def test_aliases_that_turn_in_a_circle_lead_nowhere(tree: Tree) -> None:
    """There is an end to it."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.add("_25._tcp.mail CNAME b", "b CNAME _25._tcp.mail")
    assert found(tree) == Everywhere(frozenset(), ("b.example.test.",))


def test_too_long_a_chain_is_an_error(tree: Tree) -> None:
    """No resolver would follow it."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.add("_25._tcp.mail CNAME a0", *(f"a{number} CNAME a{number + 1}" for number in range(20)))
    with pytest.raises(LookupFailed, match="more than 16 aliases"):
        found(tree)


def test_an_alias_into_a_zone_without_servers_is_an_error(tree: Tree) -> None:
    """What stands there cannot be told."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.add("_25._tcp.mail CNAME tlsa.other.test.")
    with pytest.raises(LookupFailed, match=r"other\.test"):
        found(tree)


def test_an_alias_to_no_usable_name_leads_nowhere(tree: Tree) -> None:
    """Nobody publishes there."""
    for zone in tree.zone("example.test.", EXAMPLE, "127.0.0.12", "127.0.0.13"):
        zone.add(r"_25._tcp.mail CNAME a\032b.other.test.")
    assert found(tree) == Everywhere(frozenset())


def test_a_name_below_no_top_level_domain_has_nothing(tree: Tree) -> None:
    """The root servers are not asked for it."""
    assert found(tree, "_25._tcp.mail.internal.") == Everywhere(frozenset())
    assert "_25._tcp.mail.internal. TLSA" not in tree.servers.asked()


def test_what_is_no_name_is_refused(tree: Tree) -> None:
    """Before anything is asked."""
    with pytest.raises(NameInvalid):
        found(tree, "a..b")
