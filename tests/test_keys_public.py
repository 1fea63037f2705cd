"""Public keys as the octets that TLSA records digest."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from pathlib import Path

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


#: Keys of which a library may know less than their file says, as openssl makes them.
PECULIAR = {
    "RSA for PSS alone": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    "RSA for PSS with SHA-256 alone": [
        *("-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
        *("-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256"),
    ],
    "a curve that is written out": [
        *("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"),
    ],
    "Ed25519": ["-algorithm", "ED25519"],
}


def openssl(*arguments: str, into: Path) -> str:
    """What openssl writes."""
    subprocess.run(["openssl", *arguments, "-out", str(into)], check=True, capture_output=True, timeout=60)
    return into.read_text(encoding="latin-1")


@pytest.mark.parametrize("kind", PECULIAR)
def test_octets_are_taken_as_they_stand(tmp_path: Path, kind: str) -> None:
    """What the library would make of the key anew is another key to every client; openssl is the judge."""
    kept, scratch = tmp_path / "key.pem", tmp_path / "scratch"
    key = openssl("genpkey", *PECULIAR[kind], into=kept)
    openssl("pkey", "-in", str(kept), "-pubout", "-outform", "DER", into=scratch)
    octets = scratch.read_bytes()
    asked = openssl("req", "-new", "-key", str(kept), "-subj", "/CN=a.example.org", into=scratch)
    certificate = openssl("req", "-x509", "-new", "-key", str(kept), "-subj", "/CN=a.example.org", into=scratch)
    assert keys.public_key_of(key) == octets
    assert keys.public_key_in_request(asked) == octets
    assert keys.public_key_in(certificate) == octets


def test_a_curve_written_out_is_seen_in_the_older_form_of_a_key(tmp_path: Path) -> None:
    """SEC 1 keeps the curve elsewhere; one that is named there is what every other form has."""
    kept, scratch = tmp_path / "key.pem", tmp_path / "scratch"
    for encoding in ("explicit", "named_curve"):
        curve = ("ecparam", "-name", "prime256v1", "-param_enc", encoding, "-genkey")
        key = openssl(*curve, into=kept)
        assert "-----BEGIN EC PRIVATE KEY-----" in key
        openssl("pkey", "-in", str(kept), "-pubout", "-outform", "DER", into=scratch)
        assert keys.public_key_of(key) == scratch.read_bytes()


def test_a_damaged_request_is_refused() -> None:
    """Its digest would be of a key that nobody has; and what is no request says so."""
    asked = ssl.DER_cert_to_PEM_cert(keys.csr(keys.generate("ecdsa-p256"), ["example.org"])).replace(
        "CERTIFICATE", "CERTIFICATE REQUEST"
    )
    lines = asked.splitlines()
    half = len(lines[1]) // 2
    lines[1] = lines[1][:half] + ("B" if lines[1][half] == "A" else "A") + lines[1][half + 1 :]
    assert keys.public_key_in_request(asked)
    for wrong in ("\n".join(lines), "", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"):
        with pytest.raises(PemInvalid, match="certificate signing request"):
            keys.public_key_in_request(wrong)
