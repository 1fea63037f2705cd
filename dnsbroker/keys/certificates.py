"""Certificates and their chains as PEM text, leaf first: what they say, and whether they belong together.

A chain in the wrong order, cut off or of two issuers is refused: a daemon would start with it, its clients would not.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from dnsbroker.errors import PemInvalid
from dnsbroker.keys import der
from dnsbroker.keys.private import kind_of, parsed


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

    @property
    def serial_text(self) -> str:
        """The serial number in lower-case hex, as ``archive/NAME/SERIAL`` and every report write it."""
        return format(self.serial, "x")


def matches(key_pem: str, certificate_pem: str) -> bool:
    """Whether the first certificate in ``certificate_pem`` certifies this private key. Raises PemInvalid."""
    return parsed(key_pem).public_key() == public_key(loaded(certificate_pem)[0])


def read_chain(pem: str) -> tuple[str, ...]:
    """Each certificate of a chain (RFC 8555 section 9.1) as PEM of its own, leaf first; text between them is dropped.

    Raises PemInvalid where there is none, the leaf does not stand first, or one is not issued by the next.
    """
    chain = loaded(pem)
    if len(chain) > 1 and _is_authority(chain[0]):
        raise PemInvalid("certificate chain", f"the first, {_called(chain[0])!r}, is a CA's, not the leaf")
    for issued, issuer in pairwise(chain):
        if not _has_issued(issuer, issued):
            reason = f"{_called(issued)!r} is not issued by {_called(issuer)!r}, which follows it"
            raise PemInvalid("certificate chain", reason)
    return tuple(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain)


def describe(pem: str) -> Leaf:
    """The facts of the first certificate in ``pem``. Raises PemInvalid."""
    leaf = loaded(pem)[0]
    return Leaf(
        names=_dns_names(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        serial=leaf.serial_number,
        issuer=_name(leaf.issuer),
        key_type=kind_of(public_key(leaf)),
        spki_sha256=hashlib.sha256(spki(leaf)).hexdigest(),
    )


def top_issuer(chain_pem: str) -> str:
    """Who issued the last certificate of the chain: its common name, or its whole name where it has none.

    Raises PemInvalid.
    """
    return _name(loaded(chain_pem)[-1].issuer)


def renewal_id(pem: str) -> str | None:
    """By which name the CA knows the first certificate in ``pem`` (RFC 9773 section 4.1).

    None where it does not say which key issued it. Raises PemInvalid.
    """
    leaf = loaded(pem)[0]
    try:
        issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, ValueError):
        return None
    # DER is two's complement: a serial number whose first bit is set gets an octet before it.
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, signed=True)
    return f"{_base64url(issuer)}.{_base64url(serial)}" if issuer else None


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def loaded(pem: str) -> list[x509.Certificate]:
    """The certificates in ``pem``, at least one. Raises PemInvalid."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, x509.InvalidVersion) as error:
        raise PemInvalid("certificate", "there is none in PEM form that can be read") from error
    if len(found) < pem.count("-----BEGIN CERTIFICATE-----"):  # the library passes over a block without an end
        raise PemInvalid("certificate", "one is cut off")
    return found


def public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    """The certificate's public key. Raises PemInvalid."""
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


def spki(certificate: x509.Certificate) -> bytes:
    """The public key's octets as the certificate has them (RFC 5280 section 4.1).

    Re-encoding would give others for some keys, and a digest that no TLSA record matches.
    """
    fields = der.elements(certificate.tbs_certificate_bytes)
    has_version = fields[0][0] == 0xA0  # absent in the first version
    return fields[6 if has_version else 5]
