"""Whether a certificate revocation list has a certificate on it (RFC 5280 section 5).

A list speaks only where its issuer signed it, it has not expired, and it is the one that covers the certificate:
anything else is refused, for a list comes over plain HTTP and whoever sits on the way would send one that is silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dnsbroker.errors import PemInvalid
from dnsbroker.keys.certificates import loaded


def crl_urls(pem: str) -> tuple[str, ...]:
    """Where the first certificate in ``pem`` says that its revocation would be listed; http and https only.

    Raises PemInvalid.
    """
    return tuple(url for url in _points(loaded(pem)[0]) if url.lower().startswith(("http://", "https://")))


def _points(certificate: x509.Certificate) -> Iterator[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for point in points:
        yield from _uris(point.full_name)


def _uris(names: list[x509.GeneralName] | None) -> Iterator[str]:
    return (name.value for name in names or () if isinstance(name, x509.UniformResourceIdentifier))


def revoked_at(crl: bytes, chain_pem: str, now: datetime) -> datetime | None:
    """When the leaf of ``chain_pem`` was revoked, by the list ``crl`` in DER or PEM; None if it is not on it.

    The moment is aware, in UTC; ``now`` (aware) is for the list's own dates. Raises PemInvalid where the list cannot be
    believed: it is not signed by the certificate after the leaf, has expired, or does not cover the leaf.
    """
    chain = loaded(chain_pem)
    if len(chain) < 2:
        raise PemInvalid("certificate chain", "without the issuer's certificate no revocation list can be checked")
    found = _list(crl)
    _check(found, chain[0], chain[1], now)
    entry = found.get_revoked_certificate_by_serial_number(chain[0].serial_number)
    return entry.revocation_date_utc if entry is not None else None


def _list(crl: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_pem_x509_crl(crl) if b"-----BEGIN" in crl else x509.load_der_x509_crl(crl)
    except ValueError as error:
        raise _unusable("it cannot be read") from error


def _check(
    found: x509.CertificateRevocationList, leaf: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> None:
    if found.issuer != leaf.issuer or found.issuer != issuer.subject or not _is_signed(found, issuer):
        raise _unusable("it is not signed by the certificate's issuer")
    if found.next_update_utc is None or found.next_update_utc < now:
        raise _unusable("it has expired")
    scope = None
    for extension in found.extensions:
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            scope = extension.value
        elif extension.critical:
            raise _unusable("it is of a kind that cannot be read here")
    if scope is not None and not _covers(scope, leaf):
        raise _unusable("it is not the one that covers the certificate")


def _is_signed(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    try:
        return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and found.is_signature_valid(key)
    except (TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False


def _covers(scope: x509.IssuingDistributionPoint, leaf: x509.Certificate) -> bool:
    """Whether a list of this scope would name the leaf: CAs cut their lists into parts, told apart by URL."""
    if scope.indirect_crl or scope.only_contains_ca_certs or scope.only_contains_attribute_certs:
        return False
    if scope.only_some_reasons:
        return False
    return scope.full_name is None or not set(_uris(scope.full_name)).isdisjoint(_points(leaf))


def _unusable(reason: str) -> PemInvalid:
    return PemInvalid("revocation list", reason)
