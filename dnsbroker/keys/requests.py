"""Certificate signing requests (RFC 2986): ours, and those that somebody brings.

A request that no CA would sign as it stands, or whose certificate would not work, is refused before it is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.keys.certificates import loaded, public_key
from dnsbroker.keys.private import KEY_TYPES, kind_of, load
from dnsbroker.names import identifier

_ANOTHER = "make one with `openssl req -new -key KEY -subj / -addext subjectAltName=DNS:NAME -out FILE`"


@dataclass(frozen=True)
class Request:
    """A certificate signing request: ``der`` as it goes to the CA, ``names`` as dnsbroker.names makes identifiers.

    ``key_type`` is one of KEY_TYPES, ``spki_sha256`` the digest of its public key in lower-case hex.
    """

    der: bytes
    names: tuple[str, ...]
    key_type: str
    spki_sha256: str


def csr(key_pem: str, names: Sequence[str]) -> bytes:
    """A certificate signing request in DER (RFC 2986) for the identifiers ``names``, in their order.

    They stand in the subject alternative name alone: a subject could only repeat one of them, and not a long one.
    Raises PemInvalid where the key cannot be used.
    """
    key = load(key_pem)
    wanted = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(wanted, critical=False)
    # RFC 5480 section 4: a digest no weaker than the curve
    digest = hashes.SHA384() if kind_of(key.public_key()) == "ecdsa-p384" else hashes.SHA256()
    return request.sign(key, digest).public_bytes(Encoding.DER)


def read_request(path: Path) -> Request:
    """The request in the file ``path``, in PEM or DER.

    Raises ConfigError where it cannot be read, its signature is not of its own key, the key is none of KEY_TYPES, or it
    asks for what no CA gives: other names than DNS names, or must-staple.
    """
    try:
        return _request(path.read_bytes())
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        hint = f"name a file with a certificate signing request; ls -l {path} shows who may read it"
        raise ConfigError(f"cannot be read: {words}", path=str(path), hint=hint) from error
    except _Unusable as error:
        raise ConfigError(str(error), path=str(path), hint=error.hint) from error


class _Unusable(Exception):
    """Why a request is not sent, and what to do."""

    def __init__(self, reason: str, hint: str = _ANOTHER) -> None:
        super().__init__(reason)
        self.hint = hint


def _request(content: bytes) -> Request:
    try:
        is_pem = b"-----BEGIN" in content
        found = x509.load_pem_x509_csr(content) if is_pem else x509.load_der_x509_csr(content)
        is_signed = found.is_signature_valid
        key_type = kind_of(found.public_key())
        extensions = found.extensions
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise _Unusable("there is no certificate signing request in it that can be read") from error
    if not is_signed:
        raise _Unusable("its signature is not of its own key: it was changed after it was made, or damaged")
    if key_type not in KEY_TYPES:
        raise _Unusable(f"its key is of the type {key_type}", f"make one for a key of {', '.join(KEY_TYPES)}")
    if any(isinstance(extension.value, x509.TLSFeature) for extension in extensions):
        reason = "it asks for must-staple: CAs have ended OCSP, and clients refuse such a certificate without an answer"
        raise _Unusable(reason, "make one without the TLS feature extension")
    public = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Request(
        der=found.public_bytes(Encoding.DER),
        names=_names(found),
        key_type=key_type,
        spki_sha256=hashlib.sha256(public).hexdigest(),
    )


def _names(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """What the CA would take the order to be for: the alternative names, and a common name beside them."""
    try:
        found = tuple(dict.fromkeys(identifier(name) for name in _told(request)))
    except NameInvalid as error:
        raise _Unusable(error.message) from error
    if not found:
        raise _Unusable("it names nothing")
    return found


def _told(request: x509.CertificateSigningRequest) -> Iterator[str]:
    for common in request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        yield str(common.value)
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        if not isinstance(name, x509.DNSName):
            raise _Unusable(f"it names {name.value!r}, which is no DNS name and cannot be validated through DNS")
        yield name.value


def request_matches(request_der: bytes, certificate_pem: str) -> bool:
    """Whether the first certificate in ``certificate_pem`` is for the key that made the request. Raises PemInvalid."""
    request = x509.load_der_x509_csr(request_der)
    return request.public_key() == public_key(loaded(certificate_pem)[0])
