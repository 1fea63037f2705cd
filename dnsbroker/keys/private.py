"""Private keys: made, read, and named by their type.

They go in and out as unencrypted PKCS#8 in PEM; what no CA accepts, or what would need a passphrase, is refused, but
that a key which another client chose may be of any kind. No error holds key material.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from dnsbroker.errors import ConfigError, PemInvalid

CURVES: dict[str, ec.EllipticCurve] = {"ecdsa-p256": ec.SECP256R1(), "ecdsa-p384": ec.SECP384R1()}
_RSA_BITS = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}

KEY_TYPES = (*CURVES, *_RSA_BITS)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def generate(key_type: str) -> str:
    """A new private key of ``key_type`` (one of KEY_TYPES); ValueError for another."""
    if key_type in CURVES:
        return pkcs8(ec.generate_private_key(CURVES[key_type]))
    if key_type in _RSA_BITS:
        return pkcs8(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[key_type]))
    raise ValueError(f"no key type {key_type!r}")


def pkcs8(key: PrivateKey) -> str:
    """The key as it is kept."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def key_type_of(key_pem: str) -> str:
    """Which of KEY_TYPES the private key is. Raises PemInvalid where it is none of them."""
    return kind_of(load(key_pem).public_key())


def spki_sha256_of(key_pem: str) -> str:
    """The SHA-256 of the key's public half (SubjectPublicKeyInfo), in lower-case hex. Raises PemInvalid."""
    public = load(key_pem).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


def read_key(path: Path) -> str:
    """The private key in the PEM file ``path`` (PKCS#8, SEC1 or PKCS#1; certificates beside it do no harm).

    Raises ConfigError where it cannot be read, is encrypted, or is none of KEY_TYPES.
    """
    try:
        return pkcs8(load(path.read_bytes().decode("ascii", "replace")))
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        hint = f"name a file with a private key in PEM; ls -l {path} shows who may read it"
        raise ConfigError(f"cannot be read: {words}", path=str(path), hint=hint) from error
    except PemInvalid as error:
        raise ConfigError(error.message, path=str(path), hint=error.hint) from error


def load(pem: str) -> PrivateKey:
    """The key in ``pem``, if it is one that CAs accept."""
    key = parsed(pem)
    if not isinstance(key, PrivateKey) or kind_of(key.public_key()) not in KEY_TYPES:
        kind = kind_of(key.public_key())
        hint = f"use one of {', '.join(KEY_TYPES)}"
        raise PemInvalid("private key", f"{kind} is not a key type to use here", hint=hint)
    return key


def parsed(pem: str) -> PrivateKeyTypes:
    """The key in ``pem``, of whatever kind: another client may have chosen it."""
    try:
        return load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:  # how the library says that it lacks a password
        hint = "no command asks for a passphrase: decrypt a copy with `openssl pkey -in FILE -out COPY`"
        raise PemInvalid("private key", "it is encrypted", hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "a PEM file begins with -----BEGIN PRIVATE KEY-----; `openssl pkey -in FILE` writes one"
        raise PemInvalid("private key", "there is none in PEM form that can be read", hint=hint) from error


def kind_of(key: object) -> str:
    """Which of KEY_TYPES a public key of the library is, or a name in their manner."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        names = {curve.name: key_type for key_type, curve in CURVES.items()}
        return names.get(key.curve.name, f"ecdsa-{key.curve.name}")
    return type(key).__name__.removesuffix("PublicKey").lower()
