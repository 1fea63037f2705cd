"""A CA's own files: a root, an intermediate below it that issues, and the intermediate's revocation list.

Rule: nothing but what a real CA hands out or keeps, in PEM, in one directory. Refused: issuing; that is the work of a
CA program that is given these files.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.pebble import PRIVATE_PEM

HOUR, YEAR = datetime.timedelta(hours=1), datetime.timedelta(days=365)
CRL_LIFETIME = datetime.timedelta(days=7)


def write_authority(directory: Path, name: str) -> None:
    """Write root.pem, issuing.pem, issuing.key and an empty crl.pem for a CA called ``name``."""
    root_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, issuing_name = _named(f"{name} root"), _named(f"{name} issuing")
    root = _certificate(root_name, root_key, root_name, root_key)
    issuing = _certificate(issuing_name, key, root_name, root_key, path_length=0)
    (directory / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (directory / "issuing.pem").write_bytes(issuing.public_bytes(serialization.Encoding.PEM))
    (directory / "issuing.key").touch(mode=0o600)
    (directory / "issuing.key").write_bytes(key.private_bytes(*PRIVATE_PEM))
    write_crl(directory, ())


def write_crl(directory: Path, revoked: Iterable[x509.RevokedCertificate]) -> None:
    """Sign a revocation list that is valid for a week from now, and put it at crl.pem in one step."""
    key = serialization.load_pem_private_key((directory / "issuing.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_pem_x509_certificate((directory / "issuing.pem").read_bytes()).subject)
        .last_update(now)
        .next_update(now + CRL_LIFETIME)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1_000_000)), critical=False)
    )
    for entry in revoked:
        builder = builder.add_revoked_certificate(entry)
    beside = directory / "crl.new"
    beside.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    beside.replace(directory / "crl.pem")


def read_crl(directory: Path) -> x509.CertificateRevocationList:
    """The revocation list at crl.pem."""
    return x509.load_pem_x509_crl((directory / "crl.pem").read_bytes())


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    path_length: int | None = None,
) -> x509.Certificate:
    """A CA's certificate."""
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + 5 * YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
