"""Keys, requests and certificates as PEM text: the one door to ``cryptography``.

A private key goes in and out as unencrypted PKCS#8, a chain leaf first. Nothing here touches the store or the network;
only ``read_key`` opens a file. No error holds key material.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from dnsbroker.errors import ConfigError, PemInvalid

_CURVES: dict[str, ec.EllipticCurve] = {"ecdsa-p256": ec.SECP256R1(), "ecdsa-p384": ec.SECP384R1()}
_RSA_BITS = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}

KEY_TYPES = (*_CURVES, *_RSA_BITS)

_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Leaf:
    """What a certificate says of itself.

    ``names`` are its DNS names, lower case, in its own order; the moments are aware, in UTC; ``issuer`` is the issuer's
    common name, or its whole name (RFC 4514) where it has none; ``key_type`` is one of KEY_TYPES, or a name in their
    manner for a key of another kind; ``spki_sha256`` is lower-case hex.
    """

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    serial: int
    issuer: str
    key_type: str
    spki_sha256: str


def generate(key_type: str) -> str:
    """A new private key of ``key_type`` (one of KEY_TYPES); ValueError for another."""
    if key_type in _CURVES:
        return _text(ec.generate_private_key(_CURVES[key_type]))
    if key_type in _RSA_BITS:
        return _text(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[key_type]))
    raise ValueError(f"no key type {key_type!r}")


def _text(key: _PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def csr(key_pem: str, names: Sequence[str]) -> bytes:
    """A certificate signing request in DER (RFC 2986) for the identifiers ``names``, in their order.

    They stand in the subject alternative name alone: a subject could only repeat one of them, and not a long one.
    Raises PemInvalid where the key cannot be used.
    """
    key = _private_key(key_pem)
    wanted = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(wanted, critical=False)
    # RFC 5480 section 4: a digest no weaker than the curve
    digest = hashes.SHA384() if _key_type(key.public_key()) == "ecdsa-p384" else hashes.SHA256()
    return request.sign(key, digest).public_bytes(Encoding.DER)


def key_type_of(key_pem: str) -> str:
    """Which of KEY_TYPES the private key is. Raises PemInvalid where it is none of them."""
    return _key_type(_private_key(key_pem).public_key())


def matches(key_pem: str, certificate_pem: str) -> bool:
    """Whether the first certificate in ``certificate_pem`` certifies this private key. Raises PemInvalid."""
    return _private_key(key_pem).public_key() == _public_key(_certificates(certificate_pem)[0])


def read_key(path: Path) -> str:
    """The private key in the PEM file ``path`` (PKCS#8, SEC1 or PKCS#1; certificates beside it do no harm).

    Raises ConfigError where it cannot be read, is encrypted, or is none of KEY_TYPES.
    """
    try:
        return _text(_private_key(path.read_bytes().decode("ascii", "replace")))
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        hint = f"name a file with a private key in PEM; ls -l {path} shows who may read it"
        raise ConfigError(f"cannot be read: {words}", path=str(path), hint=hint) from error
    except PemInvalid as error:
        raise ConfigError(error.message, path=str(path), hint=error.hint) from error


def _private_key(pem: str) -> _PrivateKey:
    """The key in ``pem``, if it is one that CAs accept."""
    key_types = ", ".join(KEY_TYPES)
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:  # how the library says that it lacks a password
        hint = "no command asks for a passphrase: decrypt a copy with `openssl pkey -in FILE -out COPY`"
        raise PemInvalid("private key", "it is encrypted", hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "a PEM file begins with -----BEGIN PRIVATE KEY-----; `openssl pkey -in FILE` writes one"
        raise PemInvalid("private key", "there is none in PEM form that can be read", hint=hint) from error
    if not isinstance(key, _PrivateKey) or _key_type(key.public_key()) not in KEY_TYPES:
        kind = _key_type(key.public_key())
        raise PemInvalid("private key", f"{kind} is not a key type to use here", hint=f"use one of {key_types}")
    return key


def _key_type(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        names = {curve.name: key_type for key_type, curve in _CURVES.items()}
        return names.get(key.curve.name, f"ecdsa-{key.curve.name}")
    return type(key).__name__.removesuffix("PublicKey").lower()


def read_chain(pem: str) -> tuple[str, ...]:
    """Each certificate of a chain (RFC 8555 section 9.1) as PEM of its own, leaf first; text between them is dropped.

    Raises PemInvalid where there is none, the leaf does not stand first, or one is not issued by the next.
    """
    chain = _certificates(pem)
    if len(chain) > 1 and _is_authority(chain[0]):
        raise PemInvalid("certificate chain", f"the first, {_called(chain[0])!r}, is a CA's, not the leaf")
    for issued, issuer in pairwise(chain):
        if not _has_issued(issuer, issued):
            reason = f"{_called(issued)!r} is not issued by {_called(issuer)!r}, which follows it"
            raise PemInvalid("certificate chain", reason)
    return tuple(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain)


def describe(pem: str) -> Leaf:
    """The facts of the first certificate in ``pem``. Raises PemInvalid."""
    leaf = _certificates(pem)[0]
    return Leaf(
        names=_dns_names(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        serial=leaf.serial_number,
        issuer=_name(leaf.issuer),
        key_type=_key_type(_public_key(leaf)),
        spki_sha256=hashlib.sha256(_spki(leaf)).hexdigest(),
    )


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise PemInvalid("certificate", "there is none in PEM form that can be read") from error
    if len(found) < pem.count("-----BEGIN CERTIFICATE-----"):  # the library passes over a block without an end
        raise PemInvalid("certificate", "one is cut off")
    return found


def _public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PemInvalid("certificate", "its public key is of a kind that cannot be used here") from error


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _has_issued(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except ValueError as error:
        raise PemInvalid("certificate", "its extensions cannot be read") from error
    return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))


def _called(certificate: x509.Certificate) -> str:
    """How an error speaks of the certificate; newer leaves have no subject."""
    return _name(certificate.subject) or ", ".join(_dns_names(certificate)[:1])


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _spki(certificate: x509.Certificate) -> bytes:
    """The public key's octets as the certificate has them (RFC 5280 section 4.1).

    Re-encoding would give others for some keys, and a digest that no TLSA record matches.
    """
    tbs = certificate.tbs_certificate_bytes
    at = _element(tbs, 0)[0]
    if tbs[at] == 0xA0:  # the version, absent in the first
        at = _element(tbs, at)[1]
    for _ in ("serialNumber", "signature", "issuer", "validity", "subject"):
        at = _element(tbs, at)[1]
    return tbs[at : _element(tbs, at)[1]]


def _element(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at octet ``at`` begins, and where it ends."""
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(der[at + 2 : start])
    return start, start + length
