"""Signed zones: an answer whose signatures do not hold is no answer to a CA that validates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.name
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from dnsbroker.clock import Deadline
from dnsbroker.propagation import Outcome
from dnsbroker.testing.nameserver import Zone
from watching import NAME, ORIGIN, Stage, stage

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class Signer:
    """A zone key that signs everything itself, and the DS that the parent has of it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public = dns.dnssec.make_dnskey(self._key.public_key(), 13, flags=257)
        self._apex = dns.name.from_text(ORIGIN)
        self.ds = dns.dnssec.make_ds(self._apex, self.public, "SHA256").to_text()

    def signature(
        self, label: str, type: str, *values: str, since: datetime = NOW - DAY, until: datetime = NOW + DAY
    ) -> str:
        """The line of an RRSIG over that RRset."""
        rrset = dns.rrset.from_text(dns.name.from_text(label, self._apex), 60, "IN", type, *values)
        made = dns.dnssec.sign(rrset, self._key, self._apex, self.public, inception=since, expiration=until)
        return f"{label} RRSIG {made.to_text()}"

    def publish_keys(self, *copies: Zone) -> None:
        """Have the DNSKEY and its signature in ``copies`` and no other."""
        text = self.public.to_text()
        for copy in copies:
            copy.remove(ORIGIN, "DNSKEY")
            copy.remove(ORIGIN, "RRSIG")
            copy.add(f"@ DNSKEY {text}", self.signature("@", "DNSKEY", text))


@pytest.fixture
def signer() -> Signer:
    """The zone's key."""
    return Signer()


@pytest.fixture
def signed(signer: Signer) -> Iterator[Stage]:
    """Two servers with a signed zone; the value stands at the primary, rightly signed."""
    with stage() as made:
        made.tree.delegate(f"example DS {signer.ds}")
        signer.publish_keys(*made.copies)
        made.copy(1).add("_acme-challenge TXT value", signer.signature("_acme-challenge", "TXT", "value"))
        yield made


def add(scene: Stage, *lines: str) -> None:
    """Have the value, and ``lines`` beside it, at the secondary."""
    scene.copy(2).add("_acme-challenge TXT value", *lines)


def test_right_signatures_are_green(signed: Stage, signer: Signer) -> None:
    """And the key is asked for once, not in every look."""
    add(signed, signer.signature("_acme-challenge", "TXT", "value"))
    assert signed.wait("value", serial=None, rounds=4).verdicts
    assert signed.names.asked().count("example.test. DNSKEY") <= 2


def test_n26_a_missing_signature_is_bogus(signed: Stage) -> None:
    """A secondary that serves the zone unsigned; it is never tolerated, and ignoring it is no cure."""
    add(signed)
    error = signed.failure("value", serial=None)
    assert "is bogus: the zone is signed, but the answer is not" in error.message
    assert (
        error.hint == "a CA that validates will refuse that answer: have ns2.example.test serve the zone freshly signed"
    )


def test_n26_an_expired_signature_is_bogus(signed: Stage, signer: Signer) -> None:
    """As a secondary serves it that has not transferred the zone for weeks."""
    add(signed, signer.signature("_acme-challenge", "TXT", "value", until=NOW - timedelta(minutes=5)))
    assert "is bogus: its signature does not hold" in signed.failure("value", serial=None).message


def test_n26_a_signature_that_is_over_within_the_hour_is_bogus(signed: Stage, signer: Signer) -> None:
    """The CA looks later than we do."""
    add(signed, signer.signature("_acme-challenge", "TXT", "value", until=NOW + timedelta(minutes=50)))
    assert "is bogus: its signature is over at" in signed.failure("value", serial=None).message


def test_n26_what_was_right_is_looked_at_again_when_its_time_comes(signed: Stage, signer: Signer) -> None:
    """A signature that ends while somebody waits was green, and is bogus."""
    proof = signer.signature("brief", "TXT", "value", until=datetime.now(UTC) + timedelta(minutes=65))
    signed.copy(1).add("brief TXT value", proof)

    def later() -> None:
        signed.clock.later = timedelta(minutes=10)

    error = signed.failure("value", name=f"brief.{ORIGIN}", seconds=2.5, serial=None, meanwhile=later, after=1.5)
    assert "ns1.example.test" in error.message
    assert signed.told(1) == ["green", "bogus"]


def test_n26_a_signature_proves_its_own_name_only(signed: Stage, signer: Signer) -> None:
    """The same value at another name, with the signature copied there: once right is not right everywhere."""
    proof = signer.signature("_acme-challenge", "TXT", "value")
    add(signed, proof)
    for copy in signed.copies:
        copy.add("_acme-copied TXT value", proof.replace("_acme-challenge", "_acme-copied", 1))

    async def story() -> list[Outcome | BaseException]:
        names = (NAME, f"_acme-copied.{ORIGIN}")
        expected = [await signed.expectation("value", name=name, serial=None) for name in names]
        watcher, deadline = signed.watcher(), Deadline.after(signed.clock, 1.0)
        return await asyncio.gather(*(watcher.wait(one, deadline) for one in expected), return_exceptions=True)

    right, copied = asyncio.run(story())
    assert isinstance(right, Outcome)
    assert "is bogus" in str(copied)


def test_n26_a_signature_from_the_future_is_bogus(signed: Stage, signer: Signer) -> None:
    """Its time has not come."""
    add(signed, signer.signature("_acme-challenge", "TXT", "value", since=NOW + timedelta(hours=1)))
    assert "is bogus" in signed.failure("value", serial=None).message


def test_n26_a_signature_over_other_data_is_bogus(signed: Stage, signer: Signer) -> None:
    """The records were changed behind the signer's back."""
    add(signed, signer.signature("_acme-challenge", "TXT", "another"))
    assert "is bogus: its signature does not hold" in signed.failure("value", serial=None).message


def test_n26_a_signature_by_a_key_that_no_ds_names_is_bogus(signed: Stage) -> None:
    """Somebody else's key signs well, too; without the DS that proves nothing."""
    stranger = Signer()
    stranger.publish_keys(*signed.copies)
    for copy in signed.copies:
        copy.load("@ SOA ns1 host 2 3600 600 86400 60\n@ NS ns1\nns1 A 127.0.0.21\n")
        copy.add("_acme-challenge TXT value", stranger.signature("_acme-challenge", "TXT", "value"))
    stranger.publish_keys(*signed.copies)
    assert "no DS of the parent names a key of the zone" in signed.failure("value", serial=None).message


def test_a_new_key_during_the_wait_is_learnt(signed: Stage, signer: Signer) -> None:
    """A roll-over while somebody waits makes nothing bogus for longer than it is."""
    new = Signer()
    asyncio.run(signed.finder.find(NAME))

    def roll() -> None:
        both = [key.public.to_text() for key in (signer, new)]
        for copy in signed.copies:
            copy.remove(ORIGIN, "DNSKEY")
            copy.remove(ORIGIN, "RRSIG")
            copy.add(*(f"@ DNSKEY {text}" for text in both), signer.signature("@", "DNSKEY", *both))
        add(signed, new.signature("_acme-challenge", "TXT", "value"))

    assert signed.wait("value", serial=None, meanwhile=roll).verdicts
    assert "bogus" not in signed.told(2)


def test_n27_an_insecure_zone_needs_no_signature(signer: Signer) -> None:
    """Without a DS nobody validates, be there signatures or not, right or wrong."""
    with stage() as scene:
        signer.publish_keys(*scene.copies)
        for copy in scene.copies:
            copy.add("_acme-challenge TXT value", signer.signature("_acme-challenge", "TXT", "another"))
        assert scene.wait("value", serial=None).verdicts


@pytest.mark.parametrize("ds", ["12345 200 2 " + "ab" * 32, "12345 13 99 " + "ab" * 32, "12345 1 2 " + "ab" * 32])
def test_a_ds_that_nobody_can_check_counts_as_none(ds: str) -> None:
    """Unknown algorithm, unknown digest, abandoned algorithm (RFC 4035 section 5.2)."""
    with stage() as scene:
        scene.tree.delegate(f"example DS {ds}")
        scene.publish("value")
        assert scene.wait("value").verdicts
        assert asyncio.run(scene.finder.find(NAME)).zone.ds


def test_a_zone_without_keys_is_bogus(signed: Stage, signer: Signer) -> None:
    """The parent promises signatures, and nothing is there to check them by."""
    add(signed, signer.signature("_acme-challenge", "TXT", "value"))
    for copy in signed.copies:
        copy.remove(ORIGIN, "DNSKEY")
    assert "the zone has no signed DNSKEY" in signed.failure("value", serial=None).message


def test_n14_n26_an_alias_is_validated_too(signed: Stage, signer: Signer) -> None:
    """A CNAME without a signature in a signed zone is as bogus as a TXT."""
    (other,) = signed.tree.zone("other.test.", "@ NS ns\nns A 127.0.0.31\n", "127.0.0.31")
    signed.tree.delegate("other NS ns.other", "ns.other A 127.0.0.31")
    other.add("x TXT value")
    line = "_acme-challenge.alias CNAME x.other.test."
    proof = signer.signature("_acme-challenge.alias", "CNAME", "x.other.test.")
    signed.copy(1).add(line, proof)
    signed.copy(2).add(line)
    name = f"_acme-challenge.alias.{ORIGIN}"
    assert "is bogus" in signed.failure("value", name=name, serial=None).message
    signed.copy(2).add(proof)
    assert signed.wait("value", name=name, serial=None).verdicts
