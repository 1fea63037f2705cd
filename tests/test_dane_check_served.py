"""`tlsa check`, what is served: each case in which a client accepts or refuses, with its twin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from dane_scene import HOST, HOSTS, Scene, standing
from dnsbroker import keys
from dnsbroker.dane.kinds import of_authorities
from dnsbroker.dane.subjects import Subject
from dnsbroker.endpoints import parse
from dnsbroker.errors import StoreError
from dnsbroker.findings import Finding, Severity
from dnsbroker.tlsa import authorities
from dnsbroker.tlsa.records import parse as record
from signing import NOW
from tls_service import Talk

TODAY = authorities.AS_OF


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The world in its best state."""
    with standing() as made:
        yield made


# Verdicts.


def test_case_19_usage_3_minds_neither_dates_nor_names(scene: Scene) -> None:
    """Accepted; that other clients mind the date is a warning."""
    scene.present(scene.issue(["other.example.test"], valid=(-30, -1)))
    scene.have(HOSTS + scene.records("3 1 1"))
    finding = scene.only("other-clients")
    assert finding.severity is Severity.WARNING
    assert "expired" in finding.message


@pytest.mark.parametrize(("names", "valid"), [([HOST], (-30, -1)), (["other.example.test"], (-1, 30))])
def test_case_20_usage_2_minds_both(scene: Scene, names: list[str], valid: tuple[int, int]) -> None:
    """The same certificates under 2 1 1 alone are refused, with the address told."""
    scene.present(scene.issue(names, valid=valid))
    scene.have(HOSTS + scene.records("2 1 1"))
    finding = scene.only("refused")
    assert finding.severity is Severity.ERROR
    assert [one.server for one in finding.evidence] == ["127.0.0.1 ecdsa"] or len(finding.evidence) == 1


def test_case_21_a_root_that_is_not_sent_is_found_by_nobody(scene: Scene) -> None:
    """Even if this host knew it; the record is told as matching nothing."""
    root = keys.read_chain(scene.authority.root_pem)[0]
    scene.have(f"{HOSTS}{scene.owner} TLSA {_of_authority(root)}\n")
    found = scene.found()
    assert {"refused", "unmatched-record"} == set(found)
    assert "no CA that is sent along" in found["refused"].message


def test_case_22_usage_2_is_not_for_the_leaf(scene: Scene) -> None:
    """Its digest under usage 2 is refused."""
    leaf = keys.read_chain(scene.chain)[0]
    scene.have(f"{HOSTS}{scene.owner} TLSA {_of_authority(leaf)}\n")
    assert "usage 2 is for the CAs" in scene.found()["refused"].message


def test_case_23_a_wildcard_is_one_label(scene: Scene) -> None:
    """`*.example.test` is not for `example.test` under 2 1 1, and under 3 1 1 it does not matter."""
    endpoint, owner = parse(f"tls://example.test:{scene.port}"), f"_{scene.port}._tcp"
    scene.present(scene.issue(["*.example.test"]))
    scene.have("@ A 127.0.0.1\n" + scene.records("2 1 1", owner=owner))
    assert set(scene.found(endpoint)) == {"refused"}
    scene.have("@ A 127.0.0.1\n" + scene.records("3 1 1", owner=owner))
    assert scene.found(endpoint) == {}


def test_case_25_a_leaf_for_clients_is_a_warning(scene: Scene) -> None:
    """Under 2 1 1: accepted, and many clients look at it."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    begin = NOW - timedelta(days=1)
    scene.present(scene.authority.issue(scene.key, [HOST], not_before=begin, extensions=[usage]))
    scene.have(HOSTS + scene.records("2 1 1"))
    assert "extended key usage" in scene.only("other-clients").message


def test_case_26_a_private_authority_passes(scene: Scene) -> None:
    """No local store is asked: that of this test is in none."""
    scene.have(HOSTS + scene.records("2 1 1"))
    assert scene.found() == {}


def test_case_27_a_stale_kind_beside_a_good_one_is_told_apart(scene: Scene) -> None:
    """The client accepts the chain; RFC 7671 section 8.1 is not kept."""
    other = scene.authority.issue(keys.generate("ecdsa-p256"), [HOST])
    root = keys.read_chain(scene.authority.root_pem)[0]
    scene.have(f"{HOSTS}{scene.records('3 1 1')}{scene.owner} TLSA {_of_authority(root)}\n")
    report = scene.look()
    assert {"kind-uncovered", "unmatched-record"} == {one.check for one in report.all_findings}
    assert all(sight.verdict and sight.verdict.accepted for sight in report.endpoints[0].sights)
    assert other


def test_case_28_a_stale_stronger_digest_is_refused(scene: Scene) -> None:
    """Clients go by 3 1 2 alone."""
    other = scene.authority.issue(keys.generate("ecdsa-p256"), [HOST])
    scene.have(HOSTS + scene.records("3 1 1") + scene.records("3 1 2", chain=other))
    assert "refused" in scene.found()


def test_case_29_unusable_records_alone_are_refused(scene: Scene) -> None:
    """Nothing vouches for the chain, and no public CA does instead."""
    scene.have(HOSTS, unusable=b"\3\1\1" + bytes(31))
    found = scene.found()
    assert {"unusable-record", "refused"} == set(found)
    assert "no public CA" in found["refused"].message


def test_an_unusable_record_beside_a_good_one_is_a_warning(scene: Scene) -> None:
    """The twin: clients drop it."""
    scene.have(HOSTS + scene.records("3 1 1"), unusable=b"\3\1\1" + bytes(31))
    assert scene.only("unusable-record").severity is Severity.WARNING


def test_the_digest_of_nothing_is_named(scene: Scene) -> None:
    """Whoever made it read an empty file."""
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    scene.have(f"{HOSTS}{scene.records('3 1 1')}{scene.owner} TLSA 3 1 1 {nothing}\n")
    assert "empty file" in scene.only("digest-of-nothing").message


def test_case_16_more_than_twelve_records_are_a_warning(scene: Scene) -> None:
    """Twelve are none."""
    more = [f"{scene.owner} TLSA 3 1 1 {number:064x}\n" for number in range(1, 13)]
    scene.have(HOSTS + scene.records("3 1 1") + "".join(more))
    told = {one.check for one in scene.look().all_findings}
    assert told == {"many", "unmatched-record"}
    scene.have(HOSTS + scene.records("3 1 1") + "".join(more[:-1]))
    assert {one.check for one in scene.look().all_findings} == {"unmatched-record"}


def test_what_compute_refuses_is_a_warning_by_the_same_word(scene: Scene) -> None:
    """It matches today, and not after the next renewal."""
    scene.have(HOSTS + scene.records("3 0 1"))
    assert "next renewal" in scene.only("whole-certificate").message


def test_case_31_both_algorithms_have_to_be_covered(scene: Scene) -> None:
    """ECDSA is, RSA beside it is not."""
    rsa = keys.generate("rsa2048")
    chain = scene.issue([HOST], rsa)
    scene.have(HOSTS + scene.records("3 1 1"))
    scene.service.present_too(rsa, chain)
    finding = scene.only("refused")
    assert [one.server.rpartition(" ")[2] for one in finding.evidence] == ["rsa"]
    scene.have(HOSTS + scene.records("3 1 1") + scene.records("3 1 1", chain=chain))
    assert scene.found() == {}


def test_a_next_key_s_record_is_told_without_blame(scene: Scene) -> None:
    """Of an endpoint that is not configured nobody knows what it is for."""
    coming = scene.records("3 1 1", chain=scene.issue([HOST], keys.generate("ecdsa-p256")))
    scene.have(HOSTS + scene.records("3 1 1") + coming)
    assert scene.only("unmatched-record").severity is Severity.NOTICE


# Reaching the service.


def test_every_address_counts(scene: Scene) -> None:
    """One of two addresses does not answer."""
    scene.have("mail A 127.0.0.1\nmail A 127.0.0.99\n" + scene.records("3 1 1"))
    finding = scene.only("unreachable")
    assert [one.server for one in finding.evidence] == ["127.0.0.99"]


def test_case_17_no_starttls_is_an_error() -> None:
    """The service is reached, and goes on in the clear: clients that see records do not deliver."""

    async def without(talk: Talk) -> None:
        await talk.say("220 mail.example.test ESMTP\r\n")
        await talk.hear("EHLO [127.0.0.1]\r\n")
        await talk.say("250 mail.example.test\r\n")
        await talk.hang()

    with standing(without) as scene:
        finding = scene.found(parse(f"smtp://{HOST}:{scene.port}"))["no-tls"]
    assert finding.message == "it does not offer STARTTLS"


async def _smtp(talk: Talk) -> None:
    await talk.say("220 mail.example.test ESMTP\r\n")
    await talk.hear("EHLO [127.0.0.1]\r\n")
    await talk.say("250-mail.example.test\r\n250 STARTTLS\r\n")
    await talk.hear("STARTTLS\r\n")
    await talk.say("220 go on\r\n")


# Mail.


@pytest.fixture
def mail() -> Iterator[Scene]:
    """A world whose service is a mail server on a port of its own, as its table says."""
    with standing(_smtp) as made:
        made.configured(f"smtp://{HOST}", "smtp://mx2.example.test", records=("3 1 1",))
        yield made


def of_mail(scene: Scene, *lines: str, kinds: tuple[str, ...] = ("3 1 1",)) -> str:
    """The zone of a mail domain: its MX, and records for each of two hosts."""
    both = "".join(scene.records(*kinds, owner=f"_25._tcp.{host}") for host in ("mail", "mx2"))
    return "\n".join((*lines, "mail A 127.0.0.1", "mx2 A 127.0.0.1", both))


def test_case_3_each_mail_host_is_an_endpoint(mail: Scene) -> None:
    """Two owner names, and none at the domain."""
    mail.have(of_mail(mail, "@ MX 10 mail", "@ MX 20 mx2"))
    report = mail.look(mail=["Example.Test"])
    assert [(str(one.endpoint), one.via) for one in report.endpoints] == [
        (f"smtp://{HOST}", "example.test MX"),
        ("smtp://mx2.example.test", "example.test MX"),
    ]
    assert all(one.is_good for one in report.endpoints)
    asked = mail.tree.servers.asked(mail.tree.resolver)
    assert {one for one in asked if one.endswith("TLSA")} == {
        f"_25._tcp.{host}.example.test. TLSA" for host in ("mail", "mx2")
    }


def test_one_bare_mail_host_is_an_error(mail: Scene) -> None:
    """Preference comes before security: any host may be used."""
    mail.have(
        f"@ MX 10 mail\n@ MX 20 mx2\nmx2 A 127.0.0.1\nmail A 127.0.0.1\n{mail.records('3 1 1', owner='_25._tcp.mail')}"
    )
    first, second = mail.look(mail=["example.test"]).endpoints
    assert first.is_good
    assert "no-records" in {finding.check for finding in second.findings}


def test_case_24_the_mail_domain_is_a_name_under_usage_2(mail: Scene) -> None:
    """Where the MX is proved; named as an endpoint, the host alone is."""
    mail.present(mail.issue(["example.test"]))
    mail.have(of_mail(mail, "@ MX 10 mail", kinds=("2 1 1",)))
    mail.configured(f"smtp://{HOST}", records=("2 1 1",))
    assert mail.look(mail=["example.test"]).endpoints[0].is_good
    assert "refused" in mail.found(parse(f"smtp://{HOST}"))


def test_the_mail_domain_is_no_name_where_its_mx_is_not_proved(mail: Scene) -> None:
    """The twin: anybody could have led us here."""
    mail.present(mail.issue(["example.test"]))
    mail.have(of_mail(mail, "@ MX 10 mail", kinds=("2 1 1",)))
    mail.configured(f"smtp://{HOST}", records=("2 1 1",))
    mail.tree.resolver.behaviour.insecure = frozenset({"example.test."})
    found = mail.found(mail=["example.test"])
    assert {"insecure", "refused"} <= set(found)
    assert found["insecure"].subject == "example.test MX"


def test_a_bogus_mx_leads_nowhere(mail: Scene) -> None:
    """Mail waits; nothing is looked at beyond."""
    mail.tree.resolver.behaviour.bogus = frozenset({"example.test."})
    report = mail.look(mail=["example.test"])
    assert report.endpoints == ()
    assert [one.check for one in report.findings] == ["bogus"]


def test_a_domain_without_mx_gets_its_mail_itself(mail: Scene) -> None:
    """RFC 5321 section 5.1."""
    mail.configured("smtp://example.test")
    mail.have("@ A 127.0.0.1\n" + mail.records(owner="_25._tcp"))
    mail.present(mail.issue(["example.test"]))
    report = mail.look(mail=["example.test"])
    assert [str(one.endpoint) for one in report.endpoints] == ["smtp://example.test"]
    assert not report.has_error
    assert report.findings[0].check == "implicit-mx"


def test_a_null_mx_takes_no_mail(mail: Scene) -> None:
    """RFC 7505: nothing to look at, and nothing wrong."""
    mail.have("@ MX 0 .\n")
    report = mail.look(mail=["example.test"])
    assert (report.endpoints, [one.check for one in report.findings]) == ((), ["null-mx"])
    assert not report.has_error


def test_an_mx_host_with_an_underscore_is_unusable(mail: Scene) -> None:
    """The others are looked at."""
    mail.have(of_mail(mail, "@ MX 5 mail_out", "@ MX 10 mail"))
    report = mail.look(mail=["example.test"])
    assert [one.check for one in report.findings] == ["mx-host-unusable"]
    assert len(report.endpoints) == 1


# SRV.


async def _xmpp(talk: Talk) -> None:
    await talk.hear(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server'"
        " xmlns:stream='http://etherx.jabber.org/streams' to='example.test' version='1.0'>"
    )
    tls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    await talk.say(f"<?xml version='1.0'?><stream:stream version='1.0'><stream:features>{tls}</stream:features>")
    await talk.hear(tls)
    await talk.say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")


def test_an_srv_leads_to_host_and_port() -> None:
    """The stream is for the domain, SNI and records are the target's."""
    with standing(_xmpp) as scene:
        srv = f"_xmpp-server._tcp SRV 0 5 {scene.port} mail\n"
        scene.have(srv + HOSTS + scene.records("3 1 1"))
        report = scene.look(services=["_xmpp-server._tcp.example.test"])
        (checked,) = report.endpoints
        assert str(checked.endpoint) == f"xmpp-server://{HOST}:{scene.port}"
        assert report.all_findings == ()
        assert set(scene.service.names) == {HOST}


@pytest.mark.parametrize(
    ("line", "word", "is_wrong"),
    [
        ("_imaps._tcp SRV 0 0 0 .", "srv-not-offered", False),
        ("_imaps._tcp SRV 0 0 993 bad_host", "srv-target-unusable", True),
        ("www A 127.0.0.1", "no-srv", True),
    ],
)
def test_an_srv_that_leads_nowhere_is_told(scene: Scene, line: str, word: str, is_wrong: bool) -> None:
    """That a service is not offered is no fault."""
    scene.have(line + "\n")
    report = scene.look(services=["_imaps._tcp.example.test"])
    assert [one.check for one in report.findings] == [word]
    assert report.has_error == is_wrong


# What is configured.


def test_a_configured_endpoint_in_order_is_passed(scene: Scene) -> None:
    """Live and next key are published: the latter's record is no stranger."""
    coming = keys.generate("ecdsa-p256")
    scene.configured(str(scene.endpoint), next_key=coming)
    scene.since = dict.fromkeys((one.split(" TLSA ")[1] for one in _next(scene, coming).splitlines()), 1.0)
    scene.have(HOSTS + scene.records() + _next(scene, coming))
    assert scene.look(configured=True).all_findings == ()


def test_a_missing_record_of_the_live_key_is_an_error(scene: Scene) -> None:
    """Clients accept the chain by the other kind, and the configuration wants both."""
    scene.configured(str(scene.endpoint))
    scene.have(HOSTS + scene.records("3 1 1"))
    found = scene.found(scene.endpoint)
    assert set(found) == {"missing-record", "no-next-key"}
    assert "tlsa publish" in found["missing-record"].hint


def test_a_next_key_that_is_not_published_is_a_warning(scene: Scene) -> None:
    """And told as unripe: where it is not, it cannot ripen."""
    scene.configured(str(scene.endpoint), next_key=keys.generate("ecdsa-p256"))
    assert scene.only("next-unpublished").severity is Severity.WARNING


def test_a_renewal_before_the_next_key_is_ripe_is_a_warning(scene: Scene) -> None:
    """It has been everywhere for no time at all, and renewal is due."""
    coming = keys.generate("ecdsa-p256")
    scene.chain = scene.issue([HOST], valid=(-80, 10))
    scene.present(scene.chain)
    scene.configured(str(scene.endpoint), next_key=coming)
    scene.have(HOSTS + scene.records() + _next(scene, coming))
    assert "may be used from" in scene.only("next-unripe").message


def test_strange_records_are_told_apart(scene: Scene) -> None:
    """One that names what is served is somebody's, one that names nothing was left behind."""
    other = scene.issue([HOST], keys.generate("ecdsa-p256"))
    scene.configured(str(scene.endpoint))
    scene.have(HOSTS + scene.records("3 1 1", "2 1 1", "3 1 2") + scene.records("3 1 1", chain=other))
    found = scene.found()
    assert {"foreign-record", "stale-record"} <= set(found)
    assert found["foreign-record"].evidence[0].record.startswith("3 1 2")


def test_a_withdrawn_endpoint_is_left_out_and_told(scene: Scene) -> None:
    """Unless it is named."""
    scene.configured(str(scene.endpoint))
    scene.withdrawn = frozenset({str(scene.endpoint)})
    report = scene.look(configured=True)
    assert (report.endpoints, [one.check for one in report.findings]) == ((), ["withdrawn"])
    assert len(scene.look(scene.endpoint).endpoints) == 1


def test_a_certificate_that_cannot_be_read_is_a_warning(scene: Scene) -> None:
    """The endpoint is looked at all the same."""
    scene.configured(str(scene.endpoint))
    trouble = StoreError("cannot be read: permission denied", path="live/mail", hint="ls -l live/mail")
    scene.subjects["mail"] = Subject("mail", trouble=trouble)
    found = scene.found(scene.endpoint)
    assert found["certificate-unreadable"].hint == "ls -l live/mail"
    assert "refused" not in found


# Authorities.


def test_a_retired_authority_is_named() -> None:
    """By its name, and what to publish."""
    (finding,) = known("3586d4ec" + "0" * 56)
    assert finding.check == "issuer-retiring"
    assert "Let's Encrypt E5" in finding.message


def test_one_authority_of_several_is_by_chance() -> None:
    """With the root above it, or with all of them, it is not."""
    issuing = {one.name: one.digest for one in authorities.KNOWN if one.family == "YE"}
    assert [one.check for one in known(issuing["YE1"])] == ["issuer-by-chance"]
    assert known(issuing["YE1"], issuing["Root YE"]) == []
    assert known(*(issuing[name] for name in ("YE1", "YE2", "YE3"))) == []


def test_a_root_that_is_never_sent_is_told() -> None:
    """Clients do not look for it in a store of their own."""
    (unsent,) = [one.digest for one in authorities.KNOWN if one.state == "unsent"]
    assert [one.check for one in known(unsent)] == ["issuer-unsent"]


def test_what_is_known_of_authorities_grows_old() -> None:
    """A year after its date, where it is of use at all."""
    (root,) = [one.digest for one in authorities.KNOWN if one.name == "Root YE"]
    later = TODAY + timedelta(days=366)
    assert [one.check for one in known(root, today=later)] == ["authorities-outdated"]
    assert known("ab" * 32, today=later) == []


def test_every_known_digest_is_one() -> None:
    """No key is there twice."""
    digests = [one.digest for one in authorities.KNOWN]
    assert len({digest[:8] for digest in digests}) == len(digests)
    assert all(len(one.digest) == (8 if one.state == "retired" else 64) for one in authorities.KNOWN)


def known(*digests: str, today: date = TODAY) -> list[Finding]:
    """What is known of 2 1 1 records with these digests."""
    return list(of_authorities("x", [record(f"2 1 1 {digest}") for digest in digests], [], today))


def _of_authority(pem: str) -> str:
    """The 2 1 1 record of whatever certificate."""
    from dnsbroker.tlsa.computing import of_chain
    from dnsbroker.tlsa.records import DANE_TA, SHA256, SPKI, Kind, made

    return str(made(Kind(DANE_TA, SPKI, SHA256), of_chain(pem).leaf))


def _next(scene: Scene, key: str) -> str:
    """The line of the zone for a key to come."""
    from dnsbroker import tlsa

    (value,) = tlsa.compute(key, ["3 1 1"])
    return f"{scene.owner} TLSA {value}\n"
