"""`tlsa check`, what DNS says: each fault on the way to the records is found by its word, with its twin beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import dns.flags
import dns.message
import dns.rdatatype
import pytest

from dane_scene import HOST, HOSTS, IPS, ORIGIN, Scene, standing
from dnsbroker import keys
from dnsbroker.config import DNSConfig
from dnsbroker.dane.believing import is_trusted
from dnsbroker.endpoints import parse
from dnsbroker.errors import ConfigError, LookupFailed
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.address import Address
from dnsbroker.settings import Rejected
from dnsbroker.testing.behaviour import Behaviour
from signing import DAY, NOW, ZoneKey

HOUR = timedelta(hours=1)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The world in its best state."""
    with standing() as made:
        yield made


def server(scene: Scene, number: int) -> str:
    """A name server as evidence names it."""
    return f"ns{number + 1}.{ORIGIN.rstrip('.')} ({IPS[number]}:{scene.tree.servers.port})"


def told_by(finding: Finding) -> dict[str, str]:
    """What the evidence says of each server."""
    return {one.server: one.record for one in finding.evidence}


def test_a_sound_endpoint_is_passed(scene: Scene) -> None:
    """With the records' name proved and the chain accepted at its address, asked for by its host."""
    report = scene.look()
    (checked,) = report.endpoints
    assert report.all_findings == ()
    assert checked.is_good
    (owner,) = checked.owners
    assert (owner.name, owner.standing, len(owner.records)) == (f"{scene.owner}.example.test.", "secure", 2)
    assert {(sight.address, sight.algorithm) for sight in checked.sights} == {("127.0.0.1", "ecdsa")}
    assert all(sight.verdict and sight.verdict.accepted for sight in checked.sights)
    assert set(scene.service.names) == {HOST}


def test_what_was_seen_are_events(scene: Scene) -> None:
    """One for the endpoint, with its addresses, and one for each finding."""
    scene.have(HOSTS)
    scene.look()
    checked, finding = scene.told
    assert checked["event"] == "checked"
    assert (checked["endpoint"], checked["good"]) == (str(scene.endpoint), False)
    assert checked["addresses"] == [{"address": "127.0.0.1", "base": HOST, "algorithm": "ecdsa"}]
    assert (finding["event"], finding["check"], finding["severity"]) == ("finding", "no-records", "error")


# Names.


def test_case_1_a_port_has_no_zero_before_it() -> None:
    """The twin is written as usual, and stands in the owner name so."""
    with pytest.raises(Rejected, match="begins with a zero"):
        parse("https://www.example.org:0443")
    assert parse("smtp://mail.example.org").tlsa_name == "_25._tcp.mail.example.org."


def test_case_2_an_internationalised_host_is_asked_for_in_a_labels(scene: Scene) -> None:
    """However it was written."""
    endpoint = parse(f"tls://MÜLLER.example.test:{scene.port}")
    owner = f"_{scene.port}._tcp.xn--mller-kva"
    scene.present(scene.issue(["xn--mller-kva.example.test"]))
    scene.have("xn--mller-kva A 127.0.0.1\n" + scene.records("3 1 1", owner=owner))
    assert scene.found(endpoint) == {}
    assert scene.service.names[0] == "xn--mller-kva.example.test"


# Whom to believe.


def test_without_a_resolver_that_may_be_trusted_nothing_is_proved(scene: Scene) -> None:
    """The cure is told, and everything else is looked at all the same."""
    scene.trust_ad = False
    finding = scene.only("no-trusted-resolver")
    assert finding.severity is Severity.ERROR
    assert "unbound" in finding.hint
    assert [one for one in scene.tree.servers.asked(scene.tree.resolver) if "TLSA" in one] == []
    (checked,) = scene.look().endpoints
    assert checked.owners[0].standing == "unproved"
    assert all(sight.verdict and sight.verdict.accepted for sight in checked.sights)


def test_a_resolver_that_does_not_validate_is_none_to_trust(scene: Scene) -> None:
    """Although it is on this host."""
    scene.tree.resolver.behaviour.validates = False
    assert "does not validate" in scene.only("no-trusted-resolver").message


def test_a_resolver_that_is_silent_is_no_fault_of_the_endpoint(scene: Scene) -> None:
    """Nothing could be looked at: an error of its own."""
    scene.tree.resolver.behaviour.silent = True
    with pytest.raises(LookupFailed, match="no resolver answers this host"):
        scene.look()


def test_by_default_only_loopback_is_trusted() -> None:
    """One resolver elsewhere is one too many, unless the configuration says otherwise."""
    here, there = Address("127.0.0.1"), Address("192.0.2.53")
    assert is_trusted(DNSConfig(), (here, Address("::1")))
    assert not is_trusted(DNSConfig(), (here, there))
    assert is_trusted(DNSConfig(trust_ad=True), (there,))
    assert not is_trusted(DNSConfig(trust_ad=False), (here,))


# DNSSEC of each link.


def test_case_33_servfail_is_an_error_and_not_no_record(scene: Scene) -> None:
    """Bogus where it is there without validating; else there is just no answer."""
    name = f"{scene.owner}.example.test."
    scene.tree.resolver.behaviour.bogus = frozenset({name})
    found = scene.found()
    assert set(found) == {"bogus"}
    assert "mail waits" in found["bogus"].message
    assert any("no signature" in one.record for one in found["bogus"].evidence)
    scene.tree.resolver.behaviour.bogus = frozenset()
    scene.tree.resolver.behaviour.failing = frozenset({"TLSA"})
    assert set(scene.found()) == {"unanswered"}


def test_a_denial_that_is_proved_is_no_record(scene: Scene) -> None:
    """The twin: then the endpoint is without DANE, and no mail waits."""
    scene.have(HOSTS)
    finding = scene.only("no-records")
    assert finding.severity is Severity.ERROR
    assert f"tls://{HOST}:{scene.port}" in finding.hint


def test_records_that_are_not_proved_are_no_dane(scene: Scene) -> None:
    """Clients do not heed them, whatever they say."""
    scene.tree.resolver.behaviour.insecure = frozenset({f"{scene.owner}.example.test."})
    finding = scene.only("insecure")
    assert "no DANE" in finding.message
    assert finding.evidence[0].record == f"{scene.owner}.example.test. TLSA, without AD"


def test_addresses_that_are_not_proved_are_no_dane(scene: Scene) -> None:
    """RFC 7672 section 2.2.2: clients do not even look for records."""
    scene.tree.resolver.behaviour.insecure = frozenset({f"{HOST}."})
    assert "do not look for TLSA" in scene.only("insecure").message


def test_bogus_addresses_are_found(scene: Scene) -> None:
    """For each type that is asked for."""
    scene.tree.resolver.behaviour.bogus = frozenset({f"{HOST}."})
    told = {one.check for one in scene.look().all_findings}
    assert told == {"bogus"}


def test_case_34_an_insecure_hop_makes_the_records_insecure(scene: Scene) -> None:
    """The records' name is an alias into another zone, which is not signed; the hop is named."""
    shared = "_dane.plain.test."
    plain = scene.tree.zone("plain.test.", "@ NS ns\nns A 127.0.0.31\n", "127.0.0.31")
    scene.tree.delegate("plain NS ns.plain", "ns.plain A 127.0.0.31")
    plain[0].add(*scene.records(owner="_dane").splitlines())
    scene.have(f"{HOSTS}{scene.owner} CNAME {shared}\n")
    scene.tree.resolver.behaviour.insecure = frozenset({f"{scene.owner}.example.test.", shared})
    found = scene.found()
    assert set(found) == {"insecure", "not-signed"}
    assert found["insecure"].evidence[0].record == f"{scene.owner}.example.test. CNAME {shared}, without AD"
    assert "plain.test" in found["not-signed"].message


def test_an_alias_into_another_signed_zone_is_sound(scene: Scene) -> None:
    """The twin: every hop is proved, at every server of both zones."""
    other = ZoneKey("other.test.")
    (zone,) = scene.tree.zone("other.test.", "@ NS ns\nns A 127.0.0.31\n", "127.0.0.31")
    zone.add(*scene.records(owner="_dane").splitlines())
    other.sign_zone(zone)
    scene.tree.delegate("other NS ns.other", "ns.other A 127.0.0.31", f"other DS {other.ds}")
    scene.have(f"{HOSTS}{scene.owner} CNAME _dane.other.test.\n")
    assert scene.found() == {}
    scene.have(f"{HOSTS}{scene.owner} CNAME _dane.other.test.\n", scene.copies[0])
    scene.have(HOSTS, scene.copies[1])
    assert "lacks the CNAME" in scene.found()["servers-differ"].message


def test_case_32_an_unsigned_zone_is_without_dane(scene: Scene) -> None:
    """Its parent has no DS; who validates says insecure, and the zone itself has it no better."""
    scene.tree.test.remove(ORIGIN, "DS")
    names = frozenset({f"{HOST}.", f"{scene.owner}.example.test."})
    scene.tree.resolver.behaviour.insecure = names
    assert {one.check for one in scene.look().all_findings} == {"insecure", "not-signed"}
    scene.trust_ad = False
    assert set(scene.found()) == {"no-trusted-resolver", "not-signed"}


# The host.


def test_case_5_a_host_that_is_an_alias_has_two_names(scene: Scene) -> None:
    """Records at both: each is judged, asked for by its own name."""
    both = scene.records("3 1 1") + scene.records("3 1 1", owner=f"_{scene.port}._tcp.real")
    scene.have("mail CNAME real\nreal A 127.0.0.1\n" + both)
    (checked,) = scene.look().endpoints
    assert checked.findings == ()
    assert [owner.name for owner in checked.owners] == [
        f"_{scene.port}._tcp.{host}.example.test." for host in ("real", "mail")
    ]
    assert {sight.base for sight in checked.sights} == {"real.example.test", HOST}
    assert set(scene.service.names) == {"real.example.test", HOST}


def test_records_at_one_of_the_two_names_alone_are_a_warning(scene: Scene) -> None:
    """The twin: some clients look at the other one only."""
    scene.have("mail CNAME real\nreal A 127.0.0.1\n" + scene.records("3 1 1"))
    finding = scene.only("alias-one-name")
    assert f"_{scene.port}._tcp.real.example.test" in finding.hint
    scene.have("mail CNAME real\nreal A 127.0.0.1\n")
    assert set(scene.found()) == {"no-records"}


def test_an_alias_of_what_is_not_proved_leaves_the_host_itself(scene: Scene) -> None:
    """The alias is proved: clients look below the host alone, and records there count."""
    (plain,) = scene.tree.zone("plain.test.", "@ NS ns\nns A 127.0.0.31\nreal A 127.0.0.1\n", "127.0.0.31")
    scene.tree.delegate("plain NS ns.plain", "ns.plain A 127.0.0.31")
    scene.have("mail CNAME real.plain.test.\n" + scene.records("3 1 1"))
    bent = _Only(unproved=frozenset({(f"{HOST}.", "A"), (f"{HOST}.", "AAAA")}))
    scene.tree.resolver.behaviour = bent
    (checked,) = scene.look().endpoints
    assert [owner.name for owner in checked.owners] == [f"{scene.owner}.example.test."]
    assert [finding.check for finding in checked.findings] == ["alias-insecure"]
    assert checked.is_good
    assert plain.origin == "plain.test."


def test_a_host_without_address_is_found(scene: Scene) -> None:
    """With a word of wildcards, which records below the host hide."""
    scene.have("* A 127.0.0.1\n" + scene.records("3 1 1"))
    assert "*.example.test" in scene.only("no-address").hint


def test_a_host_that_lives_by_a_wildcard_would_vanish(scene: Scene) -> None:
    """Told before there are records."""
    scene.have("* A 127.0.0.1\n")
    assert set(scene.found()) == {"no-records", "wildcard-shadowing"}


# At the authoritative servers.


def test_case_36_an_address_that_drops_the_records_is_found(scene: Scene) -> None:
    """One address answers, another one does not: not propagated."""
    scene.copies[1].behaviour.failing = frozenset({"TLSA"})
    finding = scene.only("server-fails")
    assert told_by(finding) == {server(scene, 1): "it answers SERVFAIL"}


def test_a_silent_server_is_found(scene: Scene) -> None:
    """It will come back with whatever it had."""
    scene.copies[1].behaviour.silent = True
    assert server(scene, 1) in told_by(scene.only("server-fails"))


def test_servers_that_differ_are_found(scene: Scene) -> None:
    """Who has what is told."""
    scene.have(HOSTS + scene.records("3 1 1"), scene.copies[1])
    found = scene.found()
    assert set(found) == {"servers-differ"}
    assert told_by(found["servers-differ"])[server(scene, 1)].startswith("3 1 1 ")
    assert "2 1 1" in told_by(found["servers-differ"])[server(scene, 0)]


def test_case_35_a_server_that_denies_a_name_above_is_found(scene: Scene) -> None:
    """It has the records, and says NXDOMAIN for `_tcp`, where nothing else stands."""
    scene.copies[1].behaviour.denied = frozenset({f"_tcp.{HOST}."})
    finding = scene.only("ent-denied")
    assert told_by(finding) == {server(scene, 1): f"NXDOMAIN for _tcp.{HOST}."}


def test_a_server_without_signatures_is_found(scene: Scene) -> None:
    """The zone as it was before it was signed."""
    text = HOSTS + scene.records()
    scene.copies[1].load(
        f"@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\n@ NS ns2\nns1 A {IPS[0]}\nns2 A {IPS[1]}\n{text}"
    )
    assert server(scene, 1) in told_by(scene.only("bogus-signature"))


def test_a_ds_of_another_key_is_found(scene: Scene) -> None:
    """The signatures would hold by themselves, but nobody in the parent vouches for the key."""
    scene.tree.test.remove(ORIGIN, "DS")
    scene.tree.delegate(f"example DS {ZoneKey(ORIGIN).ds}")
    finding = scene.only("bogus-signature")
    assert set(told_by(finding).values()) == {"no DS in the parent proves a key of the zone"}


def test_signatures_that_are_over_are_found(scene: Scene) -> None:
    """And told as such, with their end."""
    scene.have(HOSTS + scene.records(), scene.copies[1], since=NOW - 9 * DAY, until=NOW - HOUR)
    finding = scene.only("bogus-signature")
    assert list(told_by(finding)) == [server(scene, 1)]


def test_signatures_that_end_soon_are_a_warning(scene: Scene) -> None:
    """The twin: they hold still, and should have been renewed; those that are always short are none."""
    scene.have(HOSTS + scene.records(), since=NOW - 30 * DAY, until=NOW + DAY)
    finding = scene.only("signature-expires")
    assert finding.severity is Severity.WARNING
    scene.have(HOSTS + scene.records(), since=NOW - HOUR, until=NOW + 12 * HOUR)
    assert scene.found() == {}


def test_records_by_a_wildcard_are_told(scene: Scene) -> None:
    """They count, and a notice says what ends them."""
    scene.have(HOSTS + scene.records("3 1 1", owner="*._tcp.mail"))
    found = scene.found()
    assert "wildcard-made" in found
    assert found["wildcard-made"].severity is Severity.NOTICE


def test_a_resolver_that_remembers_other_records_is_told(scene: Scene) -> None:
    """What clients are given counts for the verdict, and for nothing worse than a notice where it holds."""
    old = scene.records("3 1 1")
    scene.tree.resolver.zone(ORIGIN, f"@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\n{HOSTS}{old}")
    finding = scene.only("resolver-behind")
    assert "60 s" in finding.message


def test_what_all_servers_have_let_go_is_not_left_behind(scene: Scene) -> None:
    """A cache has it for a TTL yet; in the twin one server does."""
    gone = scene.records("3 1 1", chain=scene.issue([HOST], _other_key()))
    scene.configured(str(scene.endpoint))
    remembered = HOSTS + scene.records() + gone
    scene.tree.resolver.zone(ORIGIN, f"@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\n{remembered}")
    assert set(scene.found(scene.endpoint)) == {"resolver-behind", "no-next-key"}
    scene.have(remembered, scene.copies[1])
    assert "stale-record" in scene.found(scene.endpoint)


def test_what_all_servers_have_let_go_is_not_left_behind_where_nothing_is_configured(scene: Scene) -> None:
    """The same of an endpoint of others."""
    gone = scene.records("3 1 1", chain=scene.issue([HOST], _other_key()))
    remembered = HOSTS + scene.records() + gone
    scene.tree.resolver.zone(ORIGIN, f"@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\n{remembered}")
    scene.only("resolver-behind")
    scene.have(remembered, scene.copies[1])
    assert "unmatched-record" in scene.found()


def test_a_resolver_that_remembers_stale_records_alone_refuses(scene: Scene) -> None:
    """The twin: what a cache may still give out has to match."""
    stale = scene.records("3 1 1", chain=scene.authority.issue(_other_key(), [HOST]))
    scene.tree.resolver.zone(ORIGIN, f"@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\n{HOSTS}{stale}")
    assert {"refused", "resolver-behind"} <= set(scene.found())


def test_there_is_nothing_to_check_without_a_name(scene: Scene) -> None:
    """And without a table."""
    with pytest.raises(ConfigError, match="nothing to check"):
        scene.look(configured=True)


def _other_key() -> str:
    return keys.generate("ecdsa-p256")


@dataclass
class _Only(Behaviour):
    """A resolver that validates, and for which only these questions have answers that are not proved."""

    unproved: frozenset[tuple[str, str]] = frozenset()
    validates: bool = True

    def bend(self, query: dns.message.Message, reply: dns.message.Message, *, tcp: bool) -> None:
        """Without AD for those."""
        super().bend(query, reply, tcp=tcp)
        asked = query.question[0]
        if (asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype)) in self.unproved:
            reply.flags &= ~dns.flags.AD
