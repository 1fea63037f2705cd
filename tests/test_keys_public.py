"""Public keys as the octets that TLSA records digest."""

from __future__ import annotations

import hashlib

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import PemInvalid


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa2048"])
def test_key_request_and_certificate_have_the_same_octets(key_type: str) -> None:
    """Whoever knows one of them knows what will be served; the digest of ``3 1 1`` is taken over them."""
    key = keys.generate(key_type)
    chain = Authority().issue(key, ["example.org"])
    octets = keys.public_key_in(chain)
    assert keys.public_key_of(key) == octets
    assert keys.public_key_requested(keys.csr(key, ["example.org"])) == octets
    assert hashlib.sha256(octets).hexdigest() == keys.describe(chain).spki_sha256


def test_another_key_has_others() -> None:
    """The twin: it is not a constant."""
    assert keys.public_key_of(keys.generate("ecdsa-p256")) != keys.public_key_of(keys.generate("ecdsa-p256"))


def test_what_is_none_is_refused() -> None:
    """A key is no certificate, and a certificate no key."""
    key = keys.generate("ecdsa-p256")
    with pytest.raises(PemInvalid):
        keys.public_key_in(key)
    with pytest.raises(PemInvalid):
        keys.public_key_of(Authority().issuing_pem)
