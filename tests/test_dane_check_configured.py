"""`tlsa check` of what is configured, and what is known of authorities: missing, strange, too late, grown old."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from dane_scene import HOST, HOSTS, Scene, standing
from dnsbroker import keys
from dnsbroker.dane.kinds import of_authorities
from dnsbroker.dane.subjects import Subject
from dnsbroker.errors import StoreError
from dnsbroker.findings import Finding, Severity
from dnsbroker.tlsa import authorities
from dnsbroker.tlsa.computing import of_chain
from dnsbroker.tlsa.records import parse as record

TODAY = authorities.AS_OF


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The world in its best state."""
    with standing() as made:
        yield made


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


def test_where_there_are_no_records_the_cure_is_to_publish_them(scene: Scene) -> None:
    """The twin: of what is not configured they have to be computed."""
    scene.have(HOSTS)
    assert "tlsa compute" in scene.only("no-records").hint
    scene.configured(str(scene.endpoint))
    assert "tlsa publish" in scene.found(scene.endpoint)["no-records"].hint


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


def test_behind_a_shared_name_other_machines_have_next_keys(scene: Scene) -> None:
    """The twin: with ``addresses``, a record that matches nothing is likely theirs."""
    other = scene.issue([HOST], keys.generate("ecdsa-p256"))
    scene.configured(str(scene.endpoint), addresses=("192.0.2.1",))
    scene.have(HOSTS + scene.records() + scene.records("3 1 1", chain=other))
    assert set(scene.found(scene.endpoint)) == {"no-next-key", "unmatched-record"}


def test_what_another_table_wants_is_no_stranger(scene: Scene) -> None:
    """Two endpoints may share their records, by an alias for one."""
    chain = scene.issue([HOST], keys.generate("ecdsa-p256"))
    table = scene.configured(str(scene.endpoint))
    scene.tables += (replace(table, endpoint=("https://other.example.test",), certificate=("other",)),)
    scene.subjects["other"] = Subject("other", live=of_chain(chain), live_pem=chain)
    scene.have(HOSTS + scene.records() + scene.records("3 1 1", chain=chain))
    assert set(scene.found(scene.endpoint)) == {"no-next-key"}


def test_while_a_bad_certificate_is_valid_no_record_of_a_ca_is_missed(scene: Scene) -> None:
    """After a key was lost: under 2 1 1 the certificate for it would be accepted."""
    scene.configured(str(scene.endpoint))
    scene.without_authority = frozenset({"mail"})
    scene.have(HOSTS + scene.records("3 1 1"))
    assert set(scene.found(scene.endpoint)) == {"no-next-key"}


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


def _next(scene: Scene, key: str) -> str:
    """The line of the zone for a key to come."""
    from dnsbroker import tlsa

    (value,) = tlsa.compute(key, ["3 1 1"])
    return f"{scene.owner} TLSA {value}\n"
