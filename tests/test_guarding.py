"""May a new key be used? TLSA records on name servers that answer over the wire say what they hold."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import ssl
from collections.abc import Iterator, Sequence

import dns.rdata
import pytest

from authority import Authority
from dnsbroker import guarding, keys
from dnsbroker.endpoints import parse
from dnsbroker.guarding import Guard, Guarded, covered, covers
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.testing import FakeClock
from dnsbroker.testing.nameserver import NameServers, Zone
from dnsbroker.testing.tree import Tree
from dnsbroker.tlsa.records import subjects

EXAMPLE = "@ NS ns\nns A 127.0.0.12\nwww A 127.0.0.1\nmail A 127.0.0.1\n"
OTHER = "@ NS ns\nns A 127.0.0.14\n"
NAMES = ("example.test", "*.example.test")

OLD_KEY, NEW_KEY = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
AUTHORITY = Authority()
OLD_CHAIN = AUTHORITY.issue(OLD_KEY, NAMES)
OLD, NEW = keys.public_key_of(OLD_KEY), keys.public_key_of(NEW_KEY)
CERTIFICATE = ssl.PEM_cert_to_DER_cert(keys.read_chain(OLD_CHAIN)[0])
ISSUER = keys.public_key_in(AUTHORITY.issuing_pem)


def sha256(octets: bytes) -> str:
    """In hex."""
    return hashlib.sha256(octets).hexdigest()


def sha512(octets: bytes) -> str:
    """In hex."""
    return hashlib.sha512(octets).hexdigest()


HELD = f"3 1 1 {sha256(OLD)}"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """The root and ``test.``, with ``example.test.`` and ``other.test.`` delegated."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns.example", "ns.example A 127.0.0.12")
        tree.delegate("other NS ns.other", "ns.other A 127.0.0.14")
        yield tree


@pytest.fixture
def example(tree: Tree) -> Zone:
    """``example.test.``, without a TLSA record or an MX."""
    return tree.zone("example.test.", EXAMPLE, "127.0.0.12")[0]


def blocked(
    tree: Tree, names: Sequence[str] = NAMES, *, verify: Sequence[str] = (), new: bytes = NEW
) -> tuple[Guarded, ...]:
    """What speaks against the new key."""
    exchange = Exchange(0.3, 0.3)
    guard = Guard(Finder(tree.config(), exchange, FakeClock()), exchange)
    found = asyncio.run(guard.look(names, [parse(text) for text in verify], OLD_CHAIN, new))
    return tuple(item for item in found if item.holds_key or item.by_certificate)


def endpoints(found: Sequence[Guarded]) -> list[str]:
    """The services that hold the key."""
    return [each.endpoint for each in found if each.holds_key]


@pytest.mark.usefixtures("example")
def test_nothing_published_is_nothing_to_guard(tree: Tree) -> None:
    """Denials, of the host or of the record alone, let the new key through."""
    assert blocked(tree, ("example.test", "www.example.test", "*.example.test")) == ()


@pytest.mark.parametrize(
    "record",
    [
        HELD,
        f"3 1 2 {sha512(OLD)}",
        f"3 1 0 {OLD.hex()}",
        f"1 1 1 {sha256(OLD)}",
        f"2 1 1 {sha256(OLD)}",
    ],
)
def test_a_record_for_the_present_key_holds_it(tree: Tree, example: Zone, record: str) -> None:
    """Whatever its usage and its digest; upper-case hex in the zone makes no difference."""
    example.add(f"_443._tcp TLSA {record.upper()}")
    (found,) = blocked(tree)
    assert found == Guarded("_443._tcp.example.test.", "https://example.test", (record,), (record,))
    assert found.holds_key
    assert str(found) == (
        f"the TLSA record {record} at _443._tcp.example.test names the present key, and none there names the new one"
    )


@pytest.mark.parametrize(
    "record",
    [
        f"3 1 1 {sha256(NEW)}",
        f"3 1 1 {sha256(b'another key')}",
        f"3 1 9 {sha256(OLD)}",
        f"3 2 1 {sha256(OLD)}",
        f"9 1 1 {sha256(OLD)}",
        f"2 1 1 {sha256(ISSUER)}",
        f"0 1 1 {sha256(ISSUER)}",
        f"3 1 1 {sha256(b'')}",
    ],
)
def test_any_other_record_lets_the_new_key_through(tree: Tree, example: Zone, record: str) -> None:
    """Another key's, a CA's, one that nobody can read."""
    example.add(f"_443._tcp TLSA {record}", f"_25._tcp TLSA {record}")
    assert blocked(tree) == ()


def add_cut_off(zone: Zone, name: str) -> None:
    """Add a record of ``3 1 1`` for the present key that lacks the last octet, which no zone file may have."""
    changed = copy.deepcopy(zone.data)
    held = changed.find_rdataset(name, "TLSA", create=True)
    held.add(dns.rdata.GenericRdata(held.rdclass, held.rdtype, bytes([3, 1, 1]) + bytes.fromhex(sha256(OLD))[:-1]), 60)
    zone.data = changed


def test_a_record_that_is_cut_off_names_no_key(tree: Tree, example: Zone) -> None:
    """Nor does it hide one that does, or make the answer unreadable."""
    add_cut_off(example, "_25._tcp.example.test.")
    assert blocked(tree) == ()
    example.add(f"_25._tcp TLSA {HELD}")
    (found,) = blocked(tree)
    assert found.by_key == (HELD,)
    assert set(found.records) == {HELD, f"3 1 1 {sha256(OLD)[:-2]}"}


def test_a_record_for_the_new_key_beside_it_lets_it_through(tree: Tree, example: Zone) -> None:
    """It is a roll-over that somebody has prepared."""
    example.add(f"_443._tcp TLSA {HELD}", f"_443._tcp TLSA 3 1 1 {sha256(NEW)}")
    assert blocked(tree) == ()


def test_a_record_for_the_new_key_of_another_kind_does_not(tree: Tree, example: Zone) -> None:
    """A client that judges by the other kind would be left without a match."""
    example.add(f"_443._tcp TLSA {HELD}", f"_443._tcp TLSA 3 1 2 {sha512(NEW)}")
    (found,) = blocked(tree)
    assert found.by_key == (HELD,)
    assert len(found.records) == 2


def test_a_record_elsewhere_for_the_new_key_does_not_help(tree: Tree, example: Zone) -> None:
    """Each service is looked at by itself."""
    example.add(f"_443._tcp TLSA {HELD}", f"_25._tcp TLSA 3 1 1 {sha256(NEW)}")
    assert endpoints(blocked(tree)) == ["https://example.test"]


@pytest.mark.parametrize("new", [NEW, OLD])
@pytest.mark.parametrize("record", [f"3 0 1 {sha256(CERTIFICATE)}", f"1 0 0 {CERTIFICATE.hex()}"])
def test_a_record_for_the_certificate_is_told_with_either_key(
    tree: Tree, example: Zone, record: str, new: bytes
) -> None:
    """It holds no key, for keeping the key would not save it."""
    example.add(f"_25._tcp TLSA {record}")
    (found,) = blocked(tree, new=new)
    assert found.by_certificate == (record,)
    assert not found.holds_key
    assert str(found).endswith("names the present certificate, not its key alone, and matches no renewed one")


def test_the_same_key_again_is_never_held(tree: Tree, example: Zone) -> None:
    """Renewing with it changes nothing for any record of keys."""
    example.add(f"_443._tcp TLSA {HELD}")
    assert blocked(tree, new=OLD) == ()


def test_mail_hosts_that_the_names_cover_are_looked_at(tree: Tree, example: Zone) -> None:
    """A wildcard's name stands for them; ports 25 and 443."""
    example.add("@ MX 10 mail", f"_25._tcp.mail TLSA {HELD}", f"_443._tcp.mail TLSA {HELD}")
    assert endpoints(blocked(tree, ["*.example.test"])) == ["smtp://mail.example.test", "https://mail.example.test"]


def test_mail_hosts_that_they_do_not_cover_are_not(tree: Tree, example: Zone) -> None:
    """Somebody else's certificate stands there: another zone's host, one that is two labels deeper."""
    example.add("@ MX 10 mail.other.test.", "@ MX 20 a.mail", f"_25._tcp.a.mail TLSA {HELD}")
    tree.zone("other.test.", OTHER + f"_25._tcp.mail TLSA {HELD}\n", "127.0.0.14")
    assert blocked(tree) == ()
    assert endpoints(blocked(tree, (*NAMES, "mail.other.test"))) == ["smtp://mail.other.test"]


def test_a_null_mx_and_an_unusable_one_name_no_host(tree: Tree, example: Zone) -> None:
    """RFC 7505; and a host name with a blank in it."""
    example.add("@ MX 0 .", r"www MX 10 a\032b")
    assert blocked(tree, (*NAMES, "www.example.test")) == ()


def test_hosts_behind_a_wildcard_alone_are_unknown_and_not_asked(tree: Tree, example: Zone) -> None:
    """Unless an MX or ``verify`` names them."""
    example.add(f"_443._tcp.www TLSA {HELD}")
    assert blocked(tree, ["*.example.test"]) == ()
    assert endpoints(blocked(tree, ["*.example.test"], verify=["https://www.example.test"])) == [
        "https://www.example.test"
    ]


def test_whatever_verify_names_is_looked_at(tree: Tree, example: Zone) -> None:
    """With its port; where it names a usual one, its own words are told."""
    example.add(f"_993._tcp.mail TLSA {HELD}", f"_443._tcp TLSA {HELD}", f"_465._tcp.mail TLSA {HELD}")
    found = blocked(tree, ["example.test"], verify=["imaps://mail.example.test", "tls://example.test:443"])
    assert sorted(endpoints(found)) == ["imaps://mail.example.test", "tls://example.test:443"]


def test_a_wildcard_record_holds_the_key(tree: Tree, example: Zone) -> None:
    """It stands for the owner name, which itself is not there."""
    example.add(f"*._tcp.www TLSA {HELD}")
    assert endpoints(blocked(tree, ["www.example.test"])) == ["smtp://www.example.test", "https://www.example.test"]


def test_a_record_behind_an_alias_of_its_owner_holds_the_key(tree: Tree, example: Zone) -> None:
    """In another zone, as one set for many hosts often stands."""
    example.add("_25._tcp.mail CNAME tlsa.other.test.")
    tree.zone("other.test.", OTHER + f"tlsa TLSA {HELD}\n", "127.0.0.14")
    (found,) = blocked(tree, ["mail.example.test"])
    assert (found.owner, found.records) == ("_25._tcp.mail.example.test.", (HELD,))


def test_a_record_at_what_the_host_is_an_alias_of_holds_the_key(tree: Tree, example: Zone) -> None:
    """Clients look there first (RFC 7671 section 7)."""
    example.add("shop CNAME web.other.test.")
    tree.zone("other.test.", OTHER + f"web A 127.0.0.1\n_443._tcp.web TLSA {HELD}\n", "127.0.0.14")
    (found,) = blocked(tree, ["shop.example.test"])
    assert (found.owner, found.endpoint) == ("_443._tcp.web.other.test.", "https://shop.example.test")


def test_internationalised_names_are_looked_up_in_punycode(tree: Tree) -> None:
    """And shown as people write them."""
    tree.delegate("xn--bcher-kva NS ns.example")
    zone = tree.zone("xn--bcher-kva.test.", "@ NS ns.example.test.\n", "127.0.0.12")[0]
    zone.add("@ MX 10 mail", f"_25._tcp.mail TLSA {HELD}")
    (found,) = blocked(tree, ["bücher.test", "*.bücher.test"])
    assert (found.owner, found.endpoint) == ("_25._tcp.mail.xn--bcher-kva.test.", "smtp://mail.bücher.test")


def test_what_any_server_still_serves_holds_the_key(tree: Tree) -> None:
    """A secondary that lags would go on telling it to clients."""
    tree.delegate("two NS ns1.two", "two NS ns2.two", "ns1.two A 127.0.0.15", "ns2.two A 127.0.0.16")
    text = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.15\nns2 A 127.0.0.16\n"
    _, second = tree.zone("two.test.", text, "127.0.0.15", "127.0.0.16")
    second.add(f"_443._tcp TLSA {HELD}")
    assert endpoints(blocked(tree, ["two.test"])) == ["https://two.test"]


def test_servers_that_fail_leave_it_unknown(tree: Tree, example: Zone) -> None:
    """That is not the same as nothing, and it holds the key."""
    example.behaviour.rcode = "SERVFAIL"
    found = blocked(tree, ["www.example.test"])
    assert [each.endpoint for each in found] == [
        "the mail hosts of www.example.test",
        "smtp://www.example.test",
        "https://www.example.test",
    ]
    assert all(each.holds_key and "SERVFAIL" in each.unknown for each in found)
    assert "cannot be told: no server of example.test answers" in str(found[0])


def test_one_zone_that_fails_hides_nothing_of_another(tree: Tree, example: Zone) -> None:
    """What was found is told beside what was not."""
    example.add(f"_443._tcp.www TLSA {HELD}")
    found = blocked(tree, ["www.example.test"], verify=["https://www.other.test"])
    assert [(each.endpoint, bool(each.unknown)) for each in found] == [
        ("https://www.example.test", False),
        ("https://www.other.test", True),
    ]


def test_servers_that_are_silent_leave_it_unknown_in_time(
    tree: Tree, example: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of it is bounded."""
    monkeypatch.setattr(guarding, "ALL", 0.1)
    example.behaviour.silent = True
    found = blocked(tree, ["www.example.test"])
    assert {each.unknown for each in found if each.owner.startswith("_")} == {
        "no answer about _25._tcp.www.example.test within 0.1 s",
        "no answer about _443._tcp.www.example.test within 0.1 s",
    }


@pytest.mark.usefixtures("example")
def test_a_host_that_does_not_exist_is_asked_about_once(tree: Tree) -> None:
    """The challenge name stands below it: a server that has denied the host may go on denying it for a minute."""
    assert blocked(tree, ["new.example.test"]) == ()
    assert [asked for asked in tree.servers.asked() if "new.example.test." in asked] == ["new.example.test. SOA"]


def test_an_alias_that_leads_nowhere_exists(tree: Tree, example: Zone) -> None:
    """The denial is about what it leads to, and records may stand there."""
    example.add("shop CNAME gone", f"_443._tcp.shop TLSA {HELD}")
    assert endpoints(blocked(tree, ["shop.example.test"])) == ["https://shop.example.test"]


@pytest.mark.usefixtures("example")
def test_no_resolver_hears_of_any_of_it(tree: Tree) -> None:
    """A denial that a resolver stretches could hide a challenge."""
    blocked(tree, (*NAMES, "www.example.test"))
    assert not [asked for asked in tree.servers.asked(tree.resolver) if "example.test." in asked]


@pytest.mark.parametrize(
    ("identifiers", "host", "verdict"),
    [
        (["mail.example.test"], "mail.example.test.", True),
        (["*.example.test"], "mail.example.test.", True),
        (["*.example.test"], "a.mail.example.test.", False),
        (["*.example.test"], "example.test.", False),
        (["example.test"], "mail.example.test.", False),
        (["*.ample.test"], "mail.example.test.", False),
        (["*.bücher.test"], "mail.xn--bcher-kva.test.", True),
    ],
)
def test_a_wildcard_covers_one_label(identifiers: list[str], host: str, verdict: bool) -> None:
    """Neither none nor two."""
    assert covers(identifiers, host) is verdict


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ([HELD], True),
        ([f"3 0 1 {sha256(CERTIFICATE)}"], True),
        ([f"2 1 1 {sha256(ISSUER)}"], True),
        ([f"3 1 1 {sha256(NEW)}", HELD], True),
        ([f"3 1 1 {sha256(NEW)}"], False),
        ([f"3 1 1 {sha256(ISSUER)}"], False),
        ([f"2 1 1 {sha256(OLD)}"], False),
        ([f"2 1 1 {sha256(keys.public_key_in(AUTHORITY.root_pem))}"], False),
        (["garbage", "3 1 1", f"3 1 1 {sha256(b'')}"], False),
        ([], False),
    ],
)
def test_a_chain_is_covered_by_a_record_for_its_leaf_or_for_a_ca_in_it(records: list[str], verdict: bool) -> None:
    """A CA that is not sent, and a leaf taken for a CA, are no match."""
    assert covered(records, subjects(OLD_CHAIN)) is verdict
