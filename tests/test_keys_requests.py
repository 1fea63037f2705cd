"""A certificate signing request that somebody brings: read as the CA would read it, or refused before it is sent."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import ConfigError

NAMES = ("example.test", "*.example.test")


def openssl(tmp_path: Path, key: str, *arguments: str) -> Path:
    """A request that openssl made with the key."""
    (tmp_path / "key.pem").write_text(key)
    words = ["openssl", "req", "-new", "-key", str(tmp_path / "key.pem"), "-out", str(tmp_path / "a.csr"), *arguments]
    subprocess.run(words, capture_output=True, check=True)
    return tmp_path / "a.csr"


def alternative(*names: str) -> tuple[str, str]:
    return "-addext", "subjectAltName=" + ",".join(names)


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "rsa2048"])
@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_request_is_read_in_both_forms(tmp_path: Path, key_type: str, form: str) -> None:
    """What goes to the CA is the request itself, octet for octet, with the facts that an order needs beside it."""
    key = keys.generate(key_type)
    subject = alternative("DNS:Example.test", "DNS:*.example.test")
    path = openssl(tmp_path, key, "-subj", "/", *subject, "-outform", form)
    found = keys.read_request(path)
    content = path.read_bytes()
    wanted = content if form == "DER" else x509.load_pem_x509_csr(content).public_bytes(Encoding.DER)
    assert found == keys.Request(wanted, NAMES, key_type, keys.spki_sha256_of(key))


def test_our_own_request_is_read_back(tmp_path: Path) -> None:
    """The names in their order."""
    (tmp_path / "a.csr").write_bytes(keys.csr(keys.generate("ecdsa-p384"), NAMES))
    assert keys.read_request(tmp_path / "a.csr").names == NAMES


def test_a_common_name_counts_beside_the_alternative_names_once(tmp_path: Path) -> None:
    """As a CA reads it (RFC 8555 section 7.4); a name in Unicode is written in A-labels."""
    path = openssl(
        tmp_path, keys.generate("ecdsa-p256"), "-utf8", "-subj", "/CN=bücher.test", *alternative("DNS:a.test")
    )
    assert keys.read_request(path).names == ("xn--bcher-kva.test", "a.test")
    path = openssl(tmp_path, keys.generate("ecdsa-p256"), "-subj", "/CN=a.test", *alternative("DNS:a.test"))
    assert keys.read_request(path).names == ("a.test",)


REFUSED = {
    "fail_must_staple": (
        ("-subj", "/CN=a.test", "-addext", "tlsfeature=status_request"),
        "must-staple: CAs have ended",
    ),
    "fail_address": (("-subj", "/", *alternative("IP:192.0.2.1")), "no DNS name"),
    "fail_mail": (("-subj", "/", *alternative("DNS:a.test", "email:a@a.test")), "'a@a.test', which is no DNS name"),
    "fail_nothing": (("-subj", "/O=nobody"), "it names nothing"),
    "fail_no_host": (("-subj", "/CN=My Company"), "not a usable name"),
    "fail_one_label": (("-subj", "/CN=localhost"), "only one label"),
}


@pytest.mark.parametrize(("arguments", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_cannot_be_ordered_is_refused(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    """The file is named, with the reason and a way to make a better one."""
    path = openssl(tmp_path, keys.generate("ecdsa-p256"), *arguments)
    with pytest.raises(ConfigError, match=reason) as refused:
        keys.read_request(path)
    assert refused.value.path == str(path)
    assert refused.value.hint


@pytest.mark.parametrize(
    "algorithm", [("-algorithm", "ed25519"), ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")]
)
def test_fail_a_key_that_no_ca_certifies(tmp_path: Path, algorithm: tuple[str, ...]) -> None:
    """The hint has the types to choose from."""
    key = subprocess.run(["openssl", "genpkey", *algorithm], capture_output=True, check=True).stdout.decode()
    path = openssl(tmp_path, key, "-subj", "/CN=a.test")
    with pytest.raises(ConfigError, match="its key is of the type") as refused:
        keys.read_request(path)
    assert "ecdsa-p256" in refused.value.hint


def test_fail_a_request_that_was_changed_after_it_was_signed(tmp_path: Path) -> None:
    """One letter of a name suffices."""
    content = keys.csr(keys.generate("ecdsa-p256"), NAMES).replace(b"example", b"examplf")
    (tmp_path / "a.csr").write_bytes(content)
    with pytest.raises(ConfigError, match="signature is not of its own key"):
        keys.read_request(tmp_path / "a.csr")


@pytest.mark.parametrize("content", [b"", b"\x30\x03\x02\x01\x05", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"])
def test_fail_what_is_no_request(tmp_path: Path, content: bytes) -> None:
    """Neither an empty file, nor other DER, nor half of one."""
    (tmp_path / "a.csr").write_bytes(content)
    with pytest.raises(ConfigError, match="no certificate signing request") as refused:
        keys.read_request(tmp_path / "a.csr")
    assert "openssl req" in refused.value.hint


def test_fail_a_request_that_is_not_there(tmp_path: Path) -> None:
    """What the system said is passed on."""
    with pytest.raises(ConfigError, match="no such file or directory"):
        keys.read_request(tmp_path / "absent.csr")


def test_a_request_belongs_to_the_certificate_of_its_key_alone() -> None:
    """Of two certificates for the same names, one is for the key that made the request."""
    mine, other, authority = keys.generate("rsa2048"), keys.generate("rsa2048"), Authority()
    request = keys.csr(mine, NAMES)
    assert keys.request_matches(request, authority.issue(mine, NAMES))
    assert not keys.request_matches(request, authority.issue(other, NAMES))


def test_a_name_twice_given_is_named_once(tmp_path: Path) -> None:
    """Names are a set to the CA."""
    key = load_pem_private_key(keys.generate("ecdsa-p256").encode(), None)
    names = x509.SubjectAlternativeName([x509.DNSName("a.test"), x509.DNSName("A.test")])
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(names, critical=False)
    made = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type] # any private key signs
    (tmp_path / "a.csr").write_bytes(made.public_bytes(Encoding.PEM))
    assert keys.read_request(tmp_path / "a.csr").names == ("a.test",)
