"""A revocation list is believed where it is the issuer's, in date and about this certificate, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.errors import PemInvalid

AUTHORITY = Authority()
NOW = START + timedelta(days=3)
REVOKED = START + timedelta(days=1)
SERIAL = 0xA7
PART = "http://crl.test/7.crl"


def _points(*urls: str) -> x509.CRLDistributionPoints:
    names = [x509.UniformResourceIdentifier(url) for url in urls]
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None) for name in names])


CHAIN = AUTHORITY.issue(keys.generate("ecdsa-p256"), ["a.test"], serial=SERIAL, extensions=[_points(PART)])


def _scope(url: str = "", *, cas: bool = False, indirect: bool = False) -> x509.IssuingDistributionPoint:
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url)] if url else None,
        relative_name=None,
        only_contains_user_certs=bool(url) and not cas,
        only_contains_ca_certs=cas,
        only_some_reasons=None,
        indirect_crl=indirect,
        only_contains_attribute_certs=False,
    )


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("form", [bytes, _pem])
def test_a_revoked_certificate_is_found_with_its_moment(form: Callable[[bytes], bytes]) -> None:
    """In either form of the list; the moment is aware."""
    assert keys.revoked_at(form(AUTHORITY.revocations({5: START, SERIAL: REVOKED})), CHAIN, NOW) == REVOKED


def test_a_certificate_that_is_not_on_the_list_is_not_revoked() -> None:
    """The twin: another one's serial number."""
    assert keys.revoked_at(AUTHORITY.revocations({5: REVOKED}), CHAIN, NOW) is None
    assert keys.revoked_at(AUTHORITY.revocations({}), CHAIN, NOW) is None


def test_a_part_of_a_list_counts_where_the_certificate_points_to_it() -> None:
    """Large CAs cut their lists up."""
    assert keys.revoked_at(AUTHORITY.revocations({SERIAL: REVOKED}, extensions=[_scope(PART)]), CHAIN, NOW) == REVOKED


def _stranger() -> bytes:
    """Of the right name and the wrong key."""
    return Authority().revocations({})


def _altered() -> bytes:
    octets = bytearray(AUTHORITY.revocations({SERIAL: REVOKED}))
    octets[-1] ^= 1
    return bytes(octets)


def _expired() -> bytes:
    return AUTHORITY.revocations({}, next_update=NOW - timedelta(seconds=1))


def _other_part() -> bytes:
    return AUTHORITY.revocations({}, extensions=[_scope("http://crl.test/8.crl")])


def _of_authorities() -> bytes:
    return AUTHORITY.revocations({}, extensions=[_scope(cas=True)])


def _indirect() -> bytes:
    return AUTHORITY.revocations({}, extensions=[_scope(PART, indirect=True)])


def _difference() -> bytes:
    """A delta is silent about all that was revoked before it."""
    return AUTHORITY.revocations({}, extensions=[x509.DeltaCRLIndicator(4)])


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "fail_stranger": (_stranger, "not signed by the certificate's issuer"),
    "fail_other_name": (lambda: Authority("other").revocations({}), "not signed by the certificate's issuer"),
    "fail_altered": (_altered, "not signed by the certificate's issuer"),
    "fail_expired": (_expired, "expired"),
    "fail_other_part": (_other_part, "not the one that covers"),
    "fail_of_authorities": (_of_authorities, "not the one that covers"),
    "fail_indirect": (_indirect, "not the one that covers"),
    "fail_difference": (_difference, "of a kind"),
    "fail_garbage": (lambda: b"<html>", "cannot be read"),
    "fail_empty": (bytes, "cannot be read"),
}


@pytest.mark.parametrize(("made", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_list_that_proves_nothing_is_refused(made: Callable[[], bytes], reason: str) -> None:
    """Silence of such a list must not pass for a certificate in order."""
    with pytest.raises(PemInvalid, match=reason):
        keys.revoked_at(made(), CHAIN, NOW)


def test_fail_without_the_issuer_no_list_can_be_checked() -> None:
    """A leaf alone is not enough."""
    with pytest.raises(PemInvalid, match="without the issuer's certificate"):
        keys.revoked_at(AUTHORITY.revocations({}), keys.read_chain(CHAIN)[0], NOW)


def test_only_what_can_be_fetched_by_http_is_a_place_of_a_list() -> None:
    """LDAP is not spoken here; a certificate may name none."""
    points = _points("ldap://ldap.test/cn=x", PART, "HTTPS://crl.test/a")
    pem = AUTHORITY.issue(keys.generate("ecdsa-p256"), ["a.test"], extensions=[points])
    assert keys.crl_urls(pem) == (PART, "HTTPS://crl.test/a")
    assert keys.crl_urls(AUTHORITY.issuing_pem) == ()
