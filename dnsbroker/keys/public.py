"""Public keys as octets: the SubjectPublicKeyInfo in DER (RFC 5280 section 4.1), as TLSA records digest it.

What a certificate or a request holds is cut out of it, never encoded anew, which would give other octets for some keys.
"""

from __future__ import annotations

import base64
import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dnsbroker.errors import PemInvalid
from dnsbroker.keys import der
from dnsbroker.keys.certificates import loaded, spki
from dnsbroker.keys.private import parsed

_KEY = re.compile(r"-----BEGIN ((?:EC )?)PRIVATE KEY-----([^-]*)-----END")
#: Object identifiers in DER: id-RSASSA-PSS (RFC 4055 section 3.1) and id-ecPublicKey (RFC 5480 section 2.1.1).
_RSA_PSS, _EC = bytes.fromhex("06092a864886f70d01010a"), bytes.fromhex("06072a8648ce3d0201")
_SEQUENCE = 0x30


def public_key_in(certificate_pem: str) -> bytes:
    """The public key in the first certificate. Raises PemInvalid."""
    return spki(loaded(certificate_pem)[0])


def public_key_of(key_pem: str) -> bytes:
    """The public key that belongs to a private one, of whatever kind, as a request for it would have it.

    Raises PemInvalid.
    """
    public = parsed(key_pem).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    algorithm = _peculiar_algorithm(key_pem)
    return der.sequence(algorithm, der.elements(public)[1]) if algorithm else public


def _peculiar_algorithm(key_pem: str) -> bytes:
    """The AlgorithmIdentifier that the key is kept with, where the library knows the key by another; else empty.

    That is RSA for PSS alone, and a curve that is written out instead of named.
    """
    found = _KEY.search(key_pem)
    if found is None:
        return b""
    fields = der.elements(base64.b64decode(found[2]))
    if found[1]:  # SEC 1, with the curve in a field of its own (RFC 5915 section 3)
        curves = [der.elements(field)[0] for field in fields[2:] if field[0] == 0xA0]
        return der.sequence(_EC, *curves) if curves and curves[0][0] == _SEQUENCE else b""
    identifier, *parameters = der.elements(fields[1])
    is_written_out = identifier == _EC and parameters[0][0] == _SEQUENCE
    return fields[1] if is_written_out or identifier == _RSA_PSS else b""


def public_key_requested(request_der: bytes) -> bytes:
    """The public key in a certificate signing request that ``csr`` or ``read_request`` has made sure of."""
    return _requested(x509.load_der_x509_csr(request_der))


def public_key_in_request(request_pem: str) -> bytes:
    """The public key in a certificate signing request of whatever kind. Raises PemInvalid."""
    try:
        request = x509.load_pem_x509_csr(request_pem.encode())
        is_signed = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise PemInvalid("certificate signing request", "there is none in PEM form that can be read") from error
    if not is_signed:
        raise PemInvalid("certificate signing request", "its signature is not of its own key: it is damaged")
    return _requested(request)


def _requested(request: x509.CertificateSigningRequest) -> bytes:
    return der.elements(request.tbs_certrequest_bytes)[2]
