from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.errors import ConfigError, PemInvalid

NAMES = ("example.test", "*.example.test", "xn--bcher-kva.example.test")
AUTHORITY = Authority()


def openssl(*arguments: str, stdin: bytes = b"") -> str:
    """What ``openssl`` prints: a second opinion on every file format."""
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize("key_type", keys.KEY_TYPES)
def test_a_key_of_each_type_signs_a_request_that_openssl_verifies(key_type: str) -> None:
    """The request is well formed, signed with the digest of its type, and names exactly what was asked, in order."""
    key = keys.generate(key_type)
    shown = openssl("req", "-inform", "DER", "-noout", "-text", "-verify", stdin=keys.csr(key, NAMES))

    assert keys.key_type_of(key) == key_type
    assert key.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert ", ".join(f"DNS:{name}" for name in NAMES) in shown
    assert "Must-Staple" not in shown and "TLS Feature" not in shown
    assert "Subject: \n" in shown
    digest = {"ecdsa-p384": "ecdsa-with-SHA384", "ecdsa-p256": "ecdsa-with-SHA256"}
    assert digest.get(key_type, "sha256WithRSAEncryption") in shown


def test_a_name_of_full_length_fits_a_request() -> None:
    """No common name means no limit of 64 characters."""
    name = ".".join(["a" * 63] * 3) + ".example.test"
    request = x509.load_der_x509_csr(keys.csr(keys.generate("ecdsa-p256"), [name]))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]


def test_two_keys_are_never_the_same() -> None:
    """Generated is generated anew."""
    assert keys.generate("ecdsa-p256") != keys.generate("ecdsa-p256")


def test_an_unknown_key_type_is_not_generated() -> None:
    """A caller's mistake, not a person's: the configuration knows the types."""
    with pytest.raises(ValueError, match="rsa1024"):
        keys.generate("rsa1024")


def test_a_certificate_matches_its_own_key_and_no_other() -> None:
    """Of two keys of one type, one matches."""
    mine, other = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
    chain = AUTHORITY.issue(mine, NAMES)
    assert keys.matches(mine, chain)
    assert not keys.matches(other, chain)
    assert not keys.matches(keys.generate("rsa2048"), chain)


FORMATS = {
    "PKCS#8": ("pkcs8", "-topk8", "-nocrypt"),
    "SEC1": ("ec",),
}


@pytest.mark.parametrize("arguments", FORMATS.values(), ids=FORMATS)
def test_an_existing_ec_key_is_read_in_every_usual_format(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """acme.sh and openssl write EC keys in the older form, with or without their parameters before them."""
    key = keys.generate("ecdsa-p384")
    file = tmp_path / "key.pem"
    file.write_text("-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n")
    with file.open("a") as older:
        older.write(openssl(*arguments, stdin=key.encode()))
    assert keys.read_key(file) == key


def test_an_existing_rsa_key_is_read_in_its_older_format_beside_certificates(tmp_path: Path) -> None:
    """A combined file of key and chain will do."""
    key = keys.generate("rsa2048")
    file = tmp_path / "combined.pem"
    file.write_text(AUTHORITY.issue(key, NAMES) + openssl("rsa", "-traditional", stdin=key.encode()))
    assert "BEGIN RSA PRIVATE KEY" in file.read_text()
    assert keys.read_key(file) == key


REFUSED = {
    "fail_encrypted_pkcs8": (("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes128",
                              "-pass", "pass:x"), "it is encrypted", "openssl pkey"),
    "fail_encrypted_pkcs1": (("genrsa", "-traditional", "-aes128", "-passout", "pass:x", "2048"),
                             "it is encrypted", "openssl pkey"),
    "fail_rsa1024": (("genrsa", "1024"), "rsa1024 is not", "rsa2048"),
    "fail_p521": (("ecparam", "-genkey", "-name", "secp521r1"), "ecdsa-secp521r1 is not", "ecdsa-p256"),
    "fail_ed25519": (("genpkey", "-algorithm", "ed25519"), "ed25519 is not", "ecdsa-p256"),
}  # fmt: skip


@pytest.mark.parametrize(("made_by", "reason", "hint"), REFUSED.values(), ids=REFUSED)
def test_a_key_that_cannot_be_used_is_refused_with_the_way_out(
    tmp_path: Path, made_by: tuple[str, ...], reason: str, hint: str
) -> None:
    """The file, the reason and the cure are named; the key is not shown."""
    file = tmp_path / "key.pem"
    file.write_text(openssl(*made_by))
    with pytest.raises(ConfigError, match=reason) as caught:
        keys.read_key(file)
    assert caught.value.path == str(file)
    assert hint in caught.value.hint
    assert file.read_text().splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """Neither an empty file, nor DER, nor half a PEM block is a key."""
    file = tmp_path / "key.pem"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="none in PEM form"):
        keys.read_key(file)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    """What the system said is passed on."""
    with pytest.raises(ConfigError, match="no such file or directory") as caught:
        keys.read_key(tmp_path / "absent.pem")
    assert caught.value.path == str(tmp_path / "absent.pem")


def test_a_chain_is_taken_apart_leaf_first() -> None:
    """Text between the certificates is dropped; each comes out as PEM of its own."""
    chain = AUTHORITY.issue(keys.generate("ecdsa-p256"), NAMES)
    leaf, issuing = keys.read_chain("subject=/CN=x\r\n" + chain.replace("\n", "\r\n"))
    assert leaf + issuing == chain
    assert keys.describe(leaf).names == NAMES


def test_a_root_may_end_a_chain() -> None:
    """Some CAs send it."""
    chain = AUTHORITY.issue(keys.generate("ecdsa-p256"), NAMES) + AUTHORITY.root_pem
    assert len(keys.read_chain(chain)) == 3


def fail_wrong_order() -> str:
    return AUTHORITY.issuing_pem + AUTHORITY.issue(keys.generate("ecdsa-p256"), NAMES)


def fail_foreign_issuer() -> str:
    """An issuer of the right name and the wrong key."""
    leaf = keys.read_chain(AUTHORITY.issue(keys.generate("ecdsa-p256"), NAMES))[0]
    return leaf + Authority().issuing_pem


def fail_two_leaves() -> str:
    key = keys.generate("ecdsa-p256")
    return AUTHORITY.issue(key, ["b.test"]).replace(AUTHORITY.issuing_pem, "") + AUTHORITY.issue(key, ["a.test"])


def fail_truncated() -> str:
    return AUTHORITY.issue(keys.generate("ecdsa-p256"), NAMES)[:-100]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (fail_wrong_order, "the first, 'test issuing', is a CA's, not the leaf"),
        (fail_foreign_issuer, "'example.test' is not issued by 'test issuing', which follows"),
        (fail_two_leaves, "'b.test' is not issued by 'a.test', which follows"),
        (fail_truncated, "one is cut off"),
        (str, "none in PEM form"),
    ],
)
def test_what_is_no_chain_is_refused(bad: object, reason: str) -> None:
    """A daemon would start with it and its clients would not."""
    assert callable(bad)
    with pytest.raises(PemInvalid, match=reason):
        keys.read_chain(bad())


def test_a_leaf_tells_what_openssl_tells() -> None:
    """Names in their own order, aware moments, the serial number, the issuer's name, and the key's digest."""
    key = keys.generate("rsa2048")
    chain = AUTHORITY.issue(key, ("B.example.test", "a.example.test"), serial=0xAB12, lifetime=timedelta(days=6))
    leaf = keys.describe(chain)

    public = openssl("pkey", "-pubout", "-outform", "PEM", stdin=key.encode())
    digest = openssl("dgst", "-sha256", "-r", stdin=_der(public))
    assert leaf == keys.Leaf(
        names=("b.example.test", "a.example.test"),
        not_before=START,
        not_after=START + timedelta(days=6),
        serial=0xAB12,
        issuer="test issuing",
        key_type="rsa2048",
        spki_sha256=digest.split()[0],
    )


def _der(public_pem: str) -> bytes:
    return subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], input=public_pem.encode(), capture_output=True, check=True
    ).stdout


def test_the_digest_is_of_the_octets_in_the_certificate(tmp_path: Path) -> None:
    """An RSA-PSS key would be encoded anew as plain RSA, with another digest."""
    key, certificate = tmp_path / "pss.key", tmp_path / "pss.pem"
    openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(key))
    openssl("req", "-x509", "-key", str(key), "-subj", "/O=no common name", "-days", "5", "-out", str(certificate))
    raw = _der(openssl("x509", "-in", str(certificate), "-noout", "-pubkey"))
    digest = openssl("dgst", "-sha256", "-r", stdin=raw).split()[0]

    leaf = keys.describe(certificate.read_text())
    assert leaf.spki_sha256 == digest
    assert (leaf.names, leaf.issuer) == ((), "O=no common name")


def test_a_certificate_with_a_foreign_kind_of_key_is_still_described(tmp_path: Path) -> None:
    """Only its type is named; it never equals a configured one."""
    key, certificate = tmp_path / "ed.key", tmp_path / "ed.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
    openssl("req", "-x509", "-key", str(key), "-subj", "/CN=x", "-days", "5", "-out", str(certificate))
    assert keys.describe(certificate.read_text()).key_type == "ed25519"
