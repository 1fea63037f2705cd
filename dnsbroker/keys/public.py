"""Public keys as octets: the SubjectPublicKeyInfo in DER (RFC 5280 section 4.1), as TLSA records digest it.

What a certificate holds is cut out of it, never encoded anew, which would give other octets for some keys.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dnsbroker.keys.certificates import loaded, spki
from dnsbroker.keys.private import parsed


def public_key_in(certificate_pem: str) -> bytes:
    """The public key in the first certificate. Raises PemInvalid."""
    return spki(loaded(certificate_pem)[0])


def public_key_of(key_pem: str) -> bytes:
    """The public key that belongs to a private one, of whatever kind. Raises PemInvalid."""
    return parsed(key_pem).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_key_requested(request_der: bytes) -> bytes:
    """The public key in a certificate signing request that ``csr`` or ``read_request`` has made sure of."""
    key = x509.load_der_x509_csr(request_der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
