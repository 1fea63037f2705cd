"""A certificate authority in memory: what a CA would send back, made at once, with any serial number and dates.

For tests of what is done with a chain; tests of how one is obtained ask a real CA.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

START = datetime(2026, 11, 1, tzinfo=UTC)


class Authority:
    """A root, and an issuing CA below it that signs leaves; ``root_pem`` is never part of a chain."""

    def __init__(self, name: str = "test") -> None:
        root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self._root_name, self._name = _common_name(f"{name} root"), _common_name(f"{name} issuing")
        self._serials = count(0xA0000001)
        self._root_key = root_key
        root = self._certificate(self._root_name, self._root_name, root_key.public_key(), authority=True)
        self.root_pem = _pem(root, root_key)
        self.issuing_pem = self.issuing_again()

    def issuing_again(self) -> str:
        """Another certificate for the issuing CA's key, as authorities get them from time to time."""
        issuing = self._certificate(self._name, self._root_name, self._key.public_key(), authority=True)
        return _pem(issuing, self._root_key)

    def issue(
        self,
        key_pem: str,
        names: Sequence[str],
        *,
        serial: int | None = None,
        not_before: datetime = START,
        lifetime: timedelta = timedelta(days=90),
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> str:
        """A chain for the private key in ``key_pem``: the leaf (with ``extensions`` of its own), then its issuer."""
        key = load_pem_private_key(key_pem.encode(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        return self.sign(
            key.public_key(), names, serial=serial, not_before=not_before, lifetime=lifetime, extensions=extensions
        )

    def sign(
        self,
        key: CertificatePublicKeyTypes,
        names: Sequence[str],
        *,
        serial: int | None = None,
        not_before: datetime = START,
        lifetime: timedelta = timedelta(days=90),
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> str:
        """The same for a public key, as a CA gets it."""
        builder = self._certificate(
            x509.Name([]), self._name, key, serial=serial, not_before=not_before, lifetime=lifetime
        )
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension in (issuer, *extensions):
            builder = builder.add_extension(extension, critical=False)
        return _pem(builder.add_extension(alternative, critical=True), self._key) + self.issuing_pem

    def revocations(
        self,
        revoked: Mapping[int, datetime],
        *,
        next_update: datetime = START + timedelta(days=7),
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> bytes:
        """The issuing CA's revocation list in DER: serial numbers and moments; ``extensions`` are critical."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(START).next_update(next_update)
        for serial, moment in revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment).build()
            builder = builder.add_revoked_certificate(entry)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _certificate(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        public: CertificatePublicKeyTypes,
        *,
        authority: bool = False,
        serial: int | None = None,
        not_before: datetime = START,
        lifetime: timedelta = timedelta(days=3650),
    ) -> x509.CertificateBuilder:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(next(self._serials) if serial is None else serial)
            .not_valid_before(not_before)
            .not_valid_after(not_before + lifetime)
        )
        return builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _pem(builder: x509.CertificateBuilder, key: CertificateIssuerPrivateKeyTypes) -> str:
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
