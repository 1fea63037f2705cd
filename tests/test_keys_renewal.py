"""By which name a CA knows a certificate, who issued its chain, and a private key's digest."""

from __future__ import annotations

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import PemInvalid

AUTHORITY = Authority()


def _identified(identifier: bytes, serial: int) -> str:
    """A certificate of the given issuer's key identifier and serial number."""
    pem = AUTHORITY.issue(keys.generate("ecdsa-p256"), ["a.test"], serial=serial)
    found = x509.load_pem_x509_certificate(pem.encode())
    old = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert old is not None
    # Same length in, same length out: what is read from the octets does not need a signature that verifies.
    der = found.public_bytes(Encoding.DER).replace(old, identifier)
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def test_the_identifier_is_the_one_of_the_rfc() -> None:
    """RFC 9773 section 4.1: its own vector, whose serial number has the high bit set and gets an octet before it."""
    pem = _identified(bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4"), 0x87654321)
    assert keys.renewal_id(pem) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


@pytest.mark.parametrize(("serial", "told"), [(0x01, "AQ"), (0x7F, "fw"), (0x80, "AIA"), (0x00FF00, "AP8A")])
def test_a_serial_number_is_written_as_in_the_certificate(serial: int, told: str) -> None:
    """Two's complement: an octet of zero only where the sign would be wrong without it."""
    pem = AUTHORITY.issue(keys.generate("ecdsa-p256"), ["a.test"], serial=serial)
    identifier = keys.renewal_id(pem)
    assert identifier is not None
    assert identifier.partition(".")[2] == told
    assert "=" not in identifier


def test_a_certificate_that_does_not_name_its_issuers_key_has_no_identifier() -> None:
    """Nobody can be asked about it; that is no error."""
    assert keys.renewal_id(AUTHORITY.issuing_pem) is None


def test_the_issuer_of_the_topmost_certificate_is_named() -> None:
    """It is the root's name, whether or not the root is sent along."""
    chain = AUTHORITY.issue(keys.generate("ecdsa-p256"), ["a.test"])
    assert keys.top_issuer(chain) == "test root"
    assert keys.top_issuer(chain + AUTHORITY.root_pem) == "test root"
    assert keys.top_issuer(keys.read_chain(chain)[0]) == "test issuing"


@pytest.mark.parametrize("read", [keys.renewal_id, keys.top_issuer, keys.crl_urls])
def test_fail_what_is_no_certificate_has_neither(read: object) -> None:
    """An empty file is refused, not taken for a certificate that says nothing."""
    assert callable(read)
    with pytest.raises(PemInvalid):
        read("")


@pytest.mark.parametrize("key_type", ["ecdsa-p384", "rsa2048"])
def test_a_keys_digest_is_its_certificates(key_type: str) -> None:
    """So that a TLSA record or a bar on a compromised key can be compared with either; openssl agrees."""
    key = keys.generate(key_type)
    der = subprocess.run(
        ["openssl", "pkey", "-pubout", "-outform", "DER"], input=key.encode(), capture_output=True, check=True
    ).stdout
    told = subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der, capture_output=True, check=True).stdout
    assert keys.spki_sha256_of(key) == keys.describe(AUTHORITY.issue(key, ["a.test"])).spki_sha256
    assert keys.spki_sha256_of(key) == told.decode().split()[0]
