"""The check of DNSSEC: each fault of a signed zone is named with who has it, and a sound zone is passed in silence."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from dnsbroker.checks.dnssec import dnssec
from dnsbroker.clock import SystemClock
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Zone as FoundZone
from dnsbroker.testing.nameserver import NameServers, Zone
from dnsbroker.testing.tree import Tree
from signing import DAY, NOW, ZoneKey

ORIGIN = "example.test."
IPS = ("127.0.0.21", "127.0.0.22")
RECORDS = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\nwww A 127.0.0.100\n"
HOUR = timedelta(hours=1)


@dataclass
class Scene:
    """A zone signed by ``key`` at two servers, with its DS in the parent, and a resolver that validates."""

    tree: Tree
    key: ZoneKey
    copies: list[Zone]

    def resign(self, *copies: Zone, key: ZoneKey | None = None, records: str = RECORDS, **times: object) -> None:
        """Have these copies signed anew, by another key or for another time."""
        for each in copies:
            each.load(f"@ SOA ns1 host 1 3600 600 86400 60\n{records}")
        (key or self.key).sign_zone(*copies, **times)  # type: ignore[arg-type]

    def found(self, **changes: object) -> dict[str, Finding]:
        """What the check finds, by kind; ``changes`` are made to what was found out about the zone before."""

        async def story() -> tuple[Finding, ...]:
            clock, exchange = SystemClock(), Exchange(10.0, 10.0)
            finder = Finder(self.tree.config(), exchange, clock)
            zone: FoundZone = replace(await finder.zone_of(ORIGIN), **changes)  # type: ignore[arg-type]
            return await dnssec(zone, exchange, finder.resolvers(), clock)

        told = asyncio.run(story())
        assert len({finding.check for finding in told}) == len(told), told
        return {finding.check: finding for finding in told}

    def only(self, check: str) -> Finding:
        """The one finding, which is of this kind."""
        told = self.found()
        assert list(told) == [check], told
        return told[check]


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The zone in its best state."""
    with NameServers() as servers:
        tree, key = Tree(servers), ZoneKey(ORIGIN)
        copies = tree.zone(ORIGIN, RECORDS, *IPS)
        key.sign_zone(*copies)
        tree.delegate("example NS ns1.example", "example NS ns2.example", f"example DS {key.ds}")
        tree.delegate("ns1.example A 127.0.0.21", "ns2.example A 127.0.0.22")
        tree.resolver.behaviour.validates = True
        yield Scene(tree, key, copies)


def told_by(finding: Finding) -> dict[str, str]:
    """What the evidence says of each server."""
    return {one.server: one.record for one in finding.evidence}


def test_a_sound_zone_is_passed_in_silence(scene: Scene) -> None:
    """And the resolver is asked for its SOA alone: what is below the apex, or not there, is never asked of it."""
    assert scene.found() == {}
    asked = scene.tree.servers.asked(scene.tree.resolver)
    assert [question for question in asked if "example" in question] == ["example.test. SOA"]


def test_no_server_is_asked_about_a_challenge_name(scene: Scene) -> None:
    """The name that cannot exist is a random one, a new one for each server."""
    scene.found()
    asked = {entry.name for entry in scene.tree.servers.log if entry.server in IPS and entry.type == "TXT"}
    assert len(asked) == len(IPS)
    assert not any("_acme" in name for name in asked)


def test_an_unsigned_zone_is_a_notice(scene: Scene) -> None:
    """Certificates do not need it, and nobody asks a resolver."""
    scene.tree.test.remove(ORIGIN, "DS")
    finding = scene.only("not-signed")
    assert finding.severity is Severity.NOTICE
    assert "example.test. SOA" not in scene.tree.servers.asked(scene.tree.resolver)


def test_n26_one_server_without_signatures(scene: Scene) -> None:
    """A secondary that serves the zone as it was before it was signed."""
    scene.copies[1].load(f"@ SOA ns1 host 1 3600 600 86400 60\n{RECORDS}")
    finding = scene.only("unsigned-server")
    assert finding.severity is Severity.ERROR
    assert told_by(finding) == {f"ns2.example.test ({address(scene, 1)})": "no DNSKEY (NOERROR)"}
    assert "at 1 of 2 addresses" in finding.message


def test_n26_one_server_with_keys_and_without_signatures(scene: Scene) -> None:
    """A server that strips what it does not know."""
    stripped = copy.deepcopy(scene.copies[1].data)
    for type in ("SOA", "NS"):
        stripped.delete_rdataset(ORIGIN, "RRSIG", type)
    scene.copies[1].data = stripped
    finding = scene.only("unsigned-server")
    assert told_by(finding) == {f"ns2.example.test ({address(scene, 1)})": "SOA, NS without a signature"}


def test_a_server_that_does_not_give_its_keys(scene: Scene) -> None:
    """The largest answer of all, and often the one that a firewall keeps back; then nothing else can be checked."""
    scene.tree.server(IPS[1]).behaviour.failing = frozenset({"DNSKEY"})
    finding = scene.only("unsigned-server")
    assert told_by(finding) == {f"ns2.example.test ({address(scene, 1)})": "no DNSKEY (SERVFAIL)"}


def test_keys_that_no_trusted_key_has_signed(scene: Scene) -> None:
    """The key that the DS names is there, but it is another one that signs."""
    other = ZoneKey(ORIGIN)
    scene.resign(scene.copies[1], key=other)
    scene.copies[1].add(f"@ DNSKEY {scene.key.public.to_text()}")
    finding = scene.only("bogus-signature")
    own, strange = (key.ds.split()[0] for key in (scene.key, other))
    assert finding.evidence[0].record == f"DNSKEY: signed by key {strange} instead of {own}"


def test_a_ds_and_no_keys_at_all_is_bogus(scene: Scene) -> None:
    """The parent promises what nobody keeps; the resolver refuses the zone."""
    for each in scene.copies:
        each.load(f"@ SOA ns1 host 1 3600 600 86400 60\n{RECORDS}")
    scene.tree.resolver.behaviour.bogus = frozenset({ORIGIN})
    told = scene.found()
    assert set(told) == {"unsigned-server", "resolver-says-bogus"}
    assert "at every address" in told["unsigned-server"].message


def test_a_ds_of_another_key(scene: Scene) -> None:
    """The hint is the record that the parent should have."""
    scene.tree.test.remove(ORIGIN, "DS")
    scene.tree.delegate(f"example DS {ZoneKey(ORIGIN).ds}")
    finding = scene.only("ds-mismatch")
    assert f"put {ORIGIN} DS {scene.key.ds} into the parent" in finding.hint


def test_one_server_with_another_key_is_to_take_the_zone_anew(scene: Scene) -> None:
    """Its DS is not put into the parent: nobody knows whose key that is."""
    other = ZoneKey(ORIGIN)
    scene.resign(scene.copies[1], key=other)
    finding = scene.only("ds-mismatch")
    assert "at 1 of 2 addresses" in finding.message
    assert "have that server take the zone anew" in finding.hint
    assert "into the parent" not in finding.hint and other.ds not in finding.hint


def test_a_second_ds_for_a_key_to_come_is_no_fault(scene: Scene) -> None:
    """As in a roll-over."""
    scene.tree.delegate(f"example DS {ZoneKey(ORIGIN).ds}")
    assert scene.found() == {}


def test_a_server_with_keys_of_its_own_that_the_ds_names_too_is_no_fault(scene: Scene) -> None:
    """Two services, each signing by itself (RFC 8901)."""
    other = ZoneKey(ORIGIN)
    scene.tree.delegate(f"example DS {other.ds}")
    scene.resign(scene.copies[1], key=other)
    assert scene.found() == {}


def test_a_record_changed_behind_the_signers_back(scene: Scene) -> None:
    """Its signature does not verify any more."""
    scene.copies[1].bump(7)
    finding = scene.only("bogus-signature")
    assert told_by(finding) == {f"ns2.example.test ({address(scene, 1)})": "SOA: its signature does not fit it"}


def test_n26_signatures_that_are_over(scene: Scene) -> None:
    """As a secondary serves them that has not transferred the zone for weeks."""
    scene.resign(scene.copies[1], since=NOW - 20 * DAY, until=NOW - HOUR)
    finding = scene.only("signature-expires")
    assert finding.severity is Severity.ERROR
    (record,) = told_by(finding).values()
    assert f"SOA signed until {NOW - HOUR:%Y-%m-%d %H:%M} UTC" in record


@pytest.mark.parametrize(
    ("lived", "left", "expected"),
    [
        (14 * DAY, 30 * timedelta(minutes=1), Severity.ERROR),
        (14 * DAY, DAY, Severity.WARNING),
        (30 * DAY, 4 * DAY, None),
        (12 * DAY, 2 * DAY, None),
        (DAY, DAY, None),
        (HOUR, 2 * HOUR, None),
    ],
)
def test_signatures_that_end_soon(scene: Scene, lived: timedelta, left: timedelta, expected: Severity | None) -> None:
    """Less than three days, unless that is their nature: some servers sign each answer for hours, or for two days."""
    scene.resign(*scene.copies, since=NOW - lived, until=NOW + left)
    told = scene.found()
    assert [finding.severity for finding in told.values()] == ([expected] if expected else []), told


def test_signatures_from_the_future(scene: Scene) -> None:
    """Somebody's clock is wrong."""
    scene.resign(scene.copies[0], since=NOW + HOUR, until=NOW + DAY)
    finding = scene.only("signature-early")
    assert "set the clock" in finding.hint
    (record,) = told_by(finding).values()
    assert f"SOA signed from {NOW + HOUR:%Y-%m-%d %H:%M} UTC" in record


def test_a_denial_without_proof(scene: Scene) -> None:
    """One server lost the chain of NSEC records; a CA's resolver gets no denial from it, and no answer either."""
    scene.copies[1].remove(ORIGIN, "NSEC")
    finding = scene.only("denial-unsound")
    assert list(told_by(finding)) == [f"ns2.example.test ({address(scene, 1)})"]
    assert "example.test TLSA: no NSEC or NSEC3 record is given" in finding.evidence[0].record


def test_a_wildcard_in_a_signed_zone_is_no_fault(scene: Scene) -> None:
    """The random name then exists by it, without the type."""
    scene.resign(*scene.copies, records=f"{RECORDS}* A 127.0.0.100\n")
    assert scene.found() == {}


def test_servers_that_do_not_answer_are_left_to_others(scene: Scene) -> None:
    """Lame, broken and silent ones are named once, by the check of servers."""
    for rcode in ("REFUSED", "SERVFAIL"):
        scene.tree.server(IPS[1]).behaviour.rcode = rcode
        assert scene.found() == {}
    scene.tree.server(IPS[1]).stop()
    assert scene.found() == {}


@pytest.mark.parametrize("ds", ["12345 200 2 " + "ab" * 32, "12345 1 2 " + "ab" * 32, "12345 13 99 " + "ab" * 32])
def test_an_algorithm_that_nobody_knows_any_more(scene: Scene, ds: str) -> None:
    """To validators the zone is unsigned, and its signatures do not matter."""
    scene.tree.test.remove(ORIGIN, "DS")
    scene.tree.delegate(f"example DS {ds}")
    finding = scene.only("weak-algorithm")
    assert finding.severity is Severity.WARNING


def test_a_digest_that_validators_give_up(scene: Scene) -> None:
    """SHA-1 alone is a warning; beside SHA-256 it is none."""
    sha1 = f"{scene.key.ds.split()[0]} 13 1 " + "ab" * 20
    assert "weak-algorithm" in scene.found(ds=(sha1,))
    assert scene.found(ds=(sha1, scene.key.ds)) == {}


def test_a_resolver_that_says_bogus_is_believed_with_its_own_words(scene: Scene) -> None:
    """It answers where it is told not to validate, so it is not the way to the servers."""
    scene.tree.resolver.behaviour.bogus = frozenset({ORIGIN})
    finding = scene.only("resolver-says-bogus")
    assert finding.severity is Severity.ERROR
    assert [one.record for one in finding.evidence] == [
        "SERVFAIL, but NOERROR with CD",
        "EDE 6 (DNSSEC Bogus): no signature",
    ]


def test_a_resolver_that_fails_anyway_proves_nothing(scene: Scene) -> None:
    """It fails with CD too: a notice about it, not about the zone."""
    scene.tree.resolver.behaviour.failing = frozenset({"SOA"})
    assert scene.only("resolver-fails").severity is Severity.NOTICE


def test_a_resolver_that_does_not_validate_is_a_notice_that_names_no_zone(scene: Scene) -> None:
    """So that it is told once, however many zones are looked at."""
    scene.tree.resolver.behaviour.validates = False
    finding = scene.only("resolver-does-not-validate")
    assert finding.severity is Severity.NOTICE
    assert "example" not in f"{finding.subject} {finding.message} {finding.hint} {finding.evidence}"


def test_n27_a_zone_below_one_that_is_not_signed(scene: Scene) -> None:
    """Its signatures prove nothing to anybody; nothing fails by it."""
    scene.tree.resolver.behaviour.insecure = frozenset({ORIGIN})
    assert scene.only("insecure-parent").severity is Severity.NOTICE


def address(scene: Scene, number: int) -> str:
    """A server's address as findings have it."""
    return f"{IPS[number]}:{scene.tree.servers.port}"


def test_a_zone_whose_parent_says_nothing_of_its_ds(scene: Scene) -> None:
    """A warning: what was not looked at may be wrong."""
    scene.tree.top.behaviour.failing = frozenset({"DS"})
    finding = scene.only("ds-unknown")
    assert finding.severity is Severity.WARNING
    assert "SERVFAIL" in finding.evidence[0].record


def test_a_zone_with_configured_servers_is_not_looked_at(scene: Scene) -> None:
    """Whether the world validates it nobody here can know."""
    (server, *_) = asyncio.run(Finder(scene.tree.config(), Exchange(), SystemClock()).zone_of(ORIGIN)).servers
    assert scene.found(ds=(), servers=(replace(server, in_parent=False, in_child=False),)) == {}
