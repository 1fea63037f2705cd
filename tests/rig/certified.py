"""Certificates with their keys, each as a test wants it: expired, too long a path, no CA, of whatever names.

::

    root = certified("root")
    leaf = certified("leaf", root, authority=False, names=["mail.example.org"])
    chain = leaf.pem + root.pem
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Extension = x509.ExtensionType | tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Certified:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def tlsa(self, kind: str) -> str:
        """The TLSA record of that kind: worked out anew, by other means than the program's."""
        _, selector, matching = kind.split()
        octets = self.certificate.public_bytes(Encoding.DER)
        if selector == "1":
            octets = self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        data = {"0": octets.hex(), "1": sha256(octets).hexdigest(), "2": sha512(octets).hexdigest()}[matching]
        return f"{kind} {data}"


def key() -> Key:
    """A new one."""
    return ec.generate_private_key(ec.SECP256R1())


def certified(
    called: str,
    by: Certified | None = None,
    *,
    authority: bool | None = True,
    path_length: int | None = None,
    names: Sequence[str] = (),
    days: tuple[int, int] = (-30, 30),
    own_key: Key | None = None,
    extensions: Iterable[Extension] = (),
    is_critical: bool = True,
) -> Certified:
    """A certificate for ``called`` (empty: no subject), by itself or ``by`` another.

    ``authority`` None leaves basicConstraints out, which are critical where ``is_critical``; ``days`` are counted from
    NOW; ``extensions`` are critical where they come with True.
    """
    own = own_key or key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, called)] if called else [])
    begin, end = (NOW + timedelta(days=day) for day in days)
    builder = x509.CertificateBuilder(by.certificate.subject if by else subject, subject, own.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(authority, path_length), critical=is_critical)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    for item in extensions:
        extension, critical = item if isinstance(item, tuple) else (item, False)
        builder = builder.add_extension(extension, critical=critical)
    signer = by.key if by else own
    wanted = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Certified(builder.sign(signer, wanted), own)
