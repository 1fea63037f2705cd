"""Certificates as the links of a path (RFC 5280 section 6.1): what each says of itself, and who has signed whom.

Nothing is decided here. A server may send any certificates in any order, so that none is refused for its place; what
cannot be read at all is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from dnsbroker.errors import PemInvalid
from dnsbroker.keys.certificates import loaded, spki
from dnsbroker.keys.constraints import Constraints, Names

T = TypeVar("T", bound=x509.ExtensionType)

#: What a critical extension may be and do no harm: it is heeded here, or by rules of policy that nobody asks for.
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
#: All that the library raises for a certificate that is none.
_UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_FOR_SERVERS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)


@dataclass(frozen=True)
class Link:
    """One certificate of a chain, in DER.

    What it says is read when it is asked for; ``links`` and ``link`` have made sure that it can be.
    """

    der: bytes

    @cached_property
    def _certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @cached_property
    def public_key(self) -> bytes:
        """The SubjectPublicKeyInfo as it stands in the certificate."""
        return spki(self._certificate)

    @cached_property
    def names(self) -> Names:
        """What it is for, and what it is called."""
        return Names.of(self._certificate)

    @property
    def called(self) -> str:
        """How people speak of it."""
        return self.names.called

    @property
    def not_before(self) -> datetime:
        """Aware, in UTC."""
        return self._certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Aware, in UTC."""
        return self._certificate.not_valid_after_utc

    @cached_property
    def is_authority(self) -> bool:
        """Whether it is a CA's, and may sign certificates (RFC 5280 sections 4.2.1.9 and 4.2.1.3)."""
        constraints, usage = self._said(x509.BasicConstraints), self._said(x509.KeyUsage)
        return constraints is not None and constraints.ca and (usage is None or usage.key_cert_sign)

    @property
    def path_length(self) -> int | None:
        """How many CAs may stand below it; None for any number."""
        constraints = self._said(x509.BasicConstraints)
        return constraints.path_length if constraints else None

    @property
    def constraints(self) -> Constraints | None:
        """Which names may stand below it; None for any."""
        found = self._said(x509.NameConstraints)
        return Constraints(found) if found else None

    @property
    def is_for_servers(self) -> bool:
        """Whether TLS servers may use it, or whom it certifies, as far as it says (RFC 5280 section 4.2.1.12)."""
        usage = self._said(x509.ExtendedKeyUsage)
        return usage is None or any(purpose in _FOR_SERVERS for purpose in usage)

    @property
    def is_self_issued(self) -> bool:
        """Whether it names itself as its issuer."""
        return self._certificate.subject == self._certificate.issuer

    @property
    def not_understood(self) -> str:
        """The object identifier of a critical extension that a verifier has to refuse; empty without one."""
        strange = (item.oid for item in self._certificate.extensions if item.critical and item.oid not in _UNDERSTOOD)
        return next((oid.dotted_string for oid in strange), "")

    def has_signed(self, other: Link) -> bool:
        """Whether it is the issuer of ``other``, by name and by a signature that is still believed: none over SHA-1."""
        try:
            other._certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def check(self) -> None:
        """Read all that others take for granted. Raises whatever the library does."""
        _ = self._certificate.extensions, self.public_key, self.names

    def _said(self, kind: type[T]) -> T | None:
        try:
            return self._certificate.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None


def links(pem: str) -> tuple[Link, ...]:
    """The certificates in ``pem``, in their order, whatever that is. Raises PemInvalid."""
    return tuple(_checked(certificate.public_bytes(Encoding.DER)) for certificate in loaded(pem))


def link(der: bytes) -> Link:
    """One certificate. Raises PemInvalid."""
    return _checked(der)


def _checked(der: bytes) -> Link:
    found = Link(der)
    try:
        found.check()
    except _UNREADABLE as error:
        raise PemInvalid("certificate", "it is in DER that cannot be read") from error
    return found
