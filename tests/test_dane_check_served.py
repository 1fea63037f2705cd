"""`tlsa check`, what is served: each case in which a client accepts or refuses, with its twin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from dane_scene import HOST, HOSTS, Scene, standing
from dnsbroker import keys
from dnsbroker.dane.served import Sight, findings
from dnsbroker.endpoints import parse
from dnsbroker.findings import Severity
from signing import NOW
from tls_service import Talk


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


def test_usages_of_public_authorities_are_not_judged(scene: Scene) -> None:
    """Told as what they are; one that names another key is refused by everybody, and on port 25 all are."""
    scene.have(HOSTS + scene.records("1 1 1"))
    report = scene.look()
    assert {one.check for one in report.all_findings} == {"pkix"}
    assert "public CA" in str(report.endpoints[0].sights[0])
    other = scene.issue([HOST], keys.generate("ecdsa-p256"))
    scene.have(HOSTS + scene.records("1 1 1", chain=other))
    assert "refused" in scene.found()


# Reaching the service.


def test_an_address_that_cannot_be_tested_is_a_notice() -> None:
    """Where that holds for all of them, nothing was seen, which is an error."""
    endpoint = parse(f"https://{HOST}")
    untested = Sight("2001:db8::1", HOST, trouble="network is unreachable", word="address-untested")
    refused = Sight("192.0.2.1", HOST, trouble="connection refused", word="unreachable")
    told = findings(endpoint, [untested, refused], cure="")
    assert {one.check: str(one.severity) for one in told} == {"address-untested": "notice", "unreachable": "error"}
    alone = findings(endpoint, [untested], cure="")
    assert {one.check for one in alone} == {"address-untested", "unseen"}
    assert str(untested) == "not tested"


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
    assert finding.message == "there is no way to TLS: it does not offer STARTTLS"


def _of_authority(pem: str) -> str:
    """The 2 1 1 record of whatever certificate."""
    from dnsbroker.tlsa.computing import of_chain
    from dnsbroker.tlsa.records import DANE_TA, SHA256, SPKI, Kind, made

    return str(made(Kind(DANE_TA, SPKI, SHA256), of_chain(pem).leaf))
