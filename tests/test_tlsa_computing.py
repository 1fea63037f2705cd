"""Computed TLSA records, against published ones and against openssl; what is refused, and how it is allowed."""

from __future__ import annotations

import hashlib
import re
import ssl
import subprocess
from pathlib import Path

import pytest

import dnsbroker
from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import ConfigError, NameInvalid, PemInvalid
from dnsbroker.tlsa import compute
from dnsbroker.tlsa.computing import computed, kinds, presented, read
from dnsbroker.tlsa.objections import CHECKS, MOST
from dnsbroker.tlsa.records import Kind

VECTORS = Path(__file__).parent / "vectors"
#: RFC 6698 appendix C, by selector and matching type.
APPENDIX_C = {
    line[:3]: line[4:] for line in (VECTORS / "rfc6698-appendix-c.txt").read_text().splitlines() if line[0] != "#"
}
ALL = tuple(CHECKS)
AUTHORITY = Authority()
KEY = keys.generate("ecdsa-p256")
CHAIN = AUTHORITY.issue(KEY, ["mail.example.org"])
LEAF = keys.read_chain(CHAIN)[0]
NOTHING = hashlib.sha256(b"").hexdigest()


def digest_by_openssl(pem: str) -> str:
    """SHA-256 of the public key in a certificate."""
    shown = subprocess.run(
        ["openssl", "x509", "-pubkey", "-noout"], input=pem.encode(), capture_output=True, check=True
    )
    key = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], input=shown.stdout, capture_output=True, check=True
    )
    return hashlib.sha256(key.stdout).hexdigest()


def ders(chain: str) -> list[bytes]:
    """The certificates in ``chain``, as they are sent."""
    blocks = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", chain, re.DOTALL)
    return [ssl.PEM_cert_to_DER_cert(block) for block in blocks]


# Known answers.


@pytest.mark.parametrize("usage", range(4))
@pytest.mark.parametrize("kind", APPENDIX_C)
def test_the_certificate_of_the_standard_gives_the_records_of_the_standard(usage: int, kind: str) -> None:
    """It is of the first version, which has one field less, and of RSA."""
    pem = ssl.DER_cert_to_PEM_cert(bytes.fromhex(APPENDIX_C["0 0"]))
    assert compute(pem, [f"{usage} {kind}"], allow=ALL) == (f"{usage} {kind} {APPENDIX_C[kind]}",)


@pytest.mark.parametrize("name", ["gnutls-ecc256.pem", "gnutls-rsa-2432.pem"])
def test_certificates_of_gnutls_give_the_records_of_gnutls(name: str) -> None:
    """The record stands above the certificate, in the file."""
    text = (VECTORS / name).read_text()
    assert compute(text, ["3 1 1"]) == (text.splitlines()[1],)


@pytest.mark.parametrize("key_type", keys.KEY_TYPES)
def test_key_request_and_certificate_give_the_same_record(key_type: str) -> None:
    """Before there is a certificate, its 3 1 1 is known; it is never the digest of nothing."""
    key = keys.generate(key_type)
    request = ssl.DER_cert_to_PEM_cert(keys.csr(key, ["example.org"])).replace("TIFICATE", "TIFICATE REQUEST")
    chain = AUTHORITY.issue(key, ["example.org"])
    records = {compute(pem, ["3 1 1"]) for pem in (key, request, chain)}
    assert records == {(f"3 1 1 {digest_by_openssl(chain)}",)}
    assert NOTHING not in str(records)


def test_the_key_of_a_certificate_for_pss_alone_is_digested_as_it_stands(tmp_path: Path) -> None:
    """A library makes plain RSA of it, whose digest no client would find."""
    make = [
        *("openssl", "req", "-x509", "-newkey", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-nodes"),
        *("-subj", "/CN=a.example.org", "-keyout", str(tmp_path / "key.pem")),
    ]
    pem = subprocess.run(make, capture_output=True, text=True, check=True, timeout=60).stdout
    record = f"3 1 1 {digest_by_openssl(pem)}"
    assert compute(pem, ["3 1 1"]) == (record,)
    assert compute((tmp_path / "key.pem").read_text(), ["3 1 1"]) == (record,)


def test_certificates_of_one_ca_key_have_one_2_1_1_and_several_2_0_1() -> None:
    """Why 2 0 1 is warned of: authorities have their intermediates certified again."""
    other = LEAF + AUTHORITY.issuing_again()
    assert compute(CHAIN, ["2 1 1"]) == compute(other, ["2 1 1"])
    assert compute(CHAIN, ["2 0 1"]) != compute(other, ["2 0 1"])


# Which certificate.


def test_unless_asked_otherwise_the_leaf_s_key_and_the_highest_ca_s_are_named() -> None:
    """The CA only where it is sent: a lone leaf gives one record, and so does a key."""
    leaf, top = digest_by_openssl(LEAF), digest_by_openssl(AUTHORITY.issuing_pem)
    assert compute(CHAIN) == (f"3 1 1 {leaf}", f"2 1 1 {top}")
    assert compute(LEAF) == compute(KEY) == (f"3 1 1 {leaf}",)


def test_a_root_is_named_where_it_is_sent_and_only_there() -> None:
    """One in nobody's handshake would be found by nobody."""
    root = digest_by_openssl(AUTHORITY.root_pem)
    assert compute(CHAIN + AUTHORITY.root_pem, ["2 1 1"]) == (f"2 1 1 {root}",)
    assert root not in str(compute(CHAIN, ["2 1 1"]))


def test_what_does_not_lead_up_from_the_leaf_is_no_anchor() -> None:
    """Servers send too much, and in any order; another CA's certificate among it names nobody's issuer."""
    stranger = Authority("stranger").issuing_pem
    sent = presented(ders(LEAF + stranger + AUTHORITY.root_pem + AUTHORITY.issuing_pem))
    assert sent == presented(ders(CHAIN + AUTHORITY.root_pem))
    assert presented(ders(LEAF + stranger)).authorities == ()


def test_a_certificate_that_signs_but_is_no_ca_is_no_anchor(tmp_path: Path) -> None:
    """No client would follow it."""
    (tmp_path / "key.pem").write_text(KEY)
    make = ["openssl", "req", "-x509", "-key", str(tmp_path / "key.pem"), "-subj", "/CN=a", "-days", "3650"]
    either = {}
    for word in ("TRUE", "FALSE"):
        extended = [*make, "-addext", f"basicConstraints=critical,CA:{word}", "-config", "/dev/null"]
        either[word] = subprocess.run(
            [*extended, "-batch"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    (again,) = ders(either["FALSE"])
    (authority,) = ders(either["TRUE"])
    assert presented([again, authority]).authorities != ()
    assert presented([authority, again]).authorities == ()


def test_a_file_out_of_order_is_refused() -> None:
    """A daemon would serve it so; and the CA's key is nobody's leaf."""
    with pytest.raises(PemInvalid, match="is a CA's, not the leaf"):
        compute(AUTHORITY.issuing_pem + LEAF, ["3 1 1"])


def test_several_chains_are_covered_by_all_their_records() -> None:
    """RSA and ECDSA side by side, from one CA: two leaves and one anchor, in the order of the kinds asked for."""
    other = AUTHORITY.issue(keys.generate("rsa2048"), ["mail.example.org"])
    found = computed([read(CHAIN), read(other)], kinds(["2 1 1", "3 1 1"]))
    (anchor,), (leaf,), (second,) = compute(CHAIN, ["2 1 1"]), compute(CHAIN, ["3 1 1"]), compute(other, ["3 1 1"])
    assert list(map(str, found.records)) == [anchor, leaf, second]
    assert computed([read(CHAIN), read(LEAF)], ()).records == computed([read(LEAF)], ()).records


# What is refused.

REFUSED = [
    (CHAIN, ["3 0 1"], None, "whole-certificate"),
    (CHAIN, ["3 0 2", "3 0 1"], None, "whole-certificate"),
    (CHAIN, ["3 1 0"], None, "full-data"),
    (CHAIN, ["2 1 0"], None, "full-data"),
    (CHAIN, ["3 1 2"], None, "sha512-alone"),
    (CHAIN, ["3 1 1", "2 1 2"], None, "sha512-alone"),
    (CHAIN, ["1 1 1"], 25, "pkix"),
    (CHAIN, ["0 1 1"], 25, "pkix"),
    (CHAIN, ["2 1 1"], None, "host-name"),
    (CHAIN, ["3 1 1", "1 1 1"], 443, "host-name"),
    (LEAF, ["2 1 1"], None, "leaf-as-anchor"),
    (KEY, ["2 1 1"], None, "leaf-as-anchor"),
]


@pytest.mark.parametrize(("pem", "asked", "port", "check"), REFUSED)
def test_what_breaks_is_refused_until_it_is_allowed(pem: str, asked: list[str], port: int | None, check: str) -> None:
    """By its own word and no other; the hint has the word."""
    others = [word for word in CHECKS if word != check]
    host = "example.org" if check == "host-name" else "mail.example.org"
    with pytest.raises(ConfigError) as caught:
        compute(pem, asked, host=host, port=port, allow=others)
    assert f"--allow {check} " in caught.value.hint
    assert len(compute(pem, asked, host=host, port=port, allow=[check])) == len(asked)


WARNED = [(["2 0 1"], None, "ca-certificate"), (["1 1 1"], 443, "pkix"), (["0 1 1"], None, "pkix")]


@pytest.mark.parametrize(("asked", "port", "check"), WARNED)
def test_what_may_break_is_told_until_it_is_allowed(asked: list[str], port: int | None, check: str) -> None:
    """And computed all the same."""
    services, wanted = [read(CHAIN)], kinds(asked)
    assert [warning.check for warning in computed(services, wanted, port=port).warnings] == [check]
    assert computed(services, wanted, port=port, allow=[check]).warnings == ()


@pytest.mark.parametrize("asked", [["3 1 1"], ["2 1 1"], ["3 1 1", "2 1 1"], ["3 1 1", "3 1 2"]])
@pytest.mark.parametrize("port", [None, 25, 443])
def test_what_holds_is_computed_without_a_word(asked: list[str], port: int | None) -> None:
    """The twin: nobody learns to allow everything."""
    for host in ("", "mail.example.org", "Mail.Example.ORG."):
        assert computed([read(CHAIN)], kinds(asked), host=host, port=port).warnings == ()


def test_the_thirteenth_record_at_a_name_is_warned_of() -> None:
    """Twelve are not."""
    every = [Kind(usage, selector, matching) for usage in range(4) for selector in (0, 1) for matching in (0, 1, 2)]
    allowed = [word for word in CHECKS if word != "many"]
    for count, told in ((MOST, []), (MOST + 1, ["many"])):
        found = computed([read(CHAIN)], every[:count], allow=allowed)
        assert len(found.records) == count
        assert [warning.check for warning in found.warnings] == told


def test_every_check_is_tried_here() -> None:
    """None is only a word."""
    assert {check for *_, check in (*REFUSED, *WARNED)} | {"many"} == set(CHECKS)


def test_names_do_not_matter_to_3_1_1() -> None:
    """RFC 7671 section 5.1; nor are they known where there is only a key."""
    assert compute(CHAIN, ["3 1 1"], host="other.example.net") == compute(KEY, host="other.example.net")
    with pytest.raises(ConfigError, match=r"the leaf is for mail\.example\.org, and not for other\.example\.net"):
        compute(CHAIN, host="other.example.net")
    with pytest.raises(NameInvalid):
        compute(CHAIN, host="other..example")


@pytest.mark.parametrize("pem", [KEY, LEAF.replace("-----BEGIN", KEY + "-----BEGIN")], ids=["key", "both"])
def test_a_whole_certificate_is_not_computed_from_a_key(pem: str) -> None:
    """It would be the digest of nothing, and no flag makes it another; a file that holds both has the certificate."""
    if "BEGIN CERTIFICATE" in pem:
        assert compute(pem, ["3 0 1"], allow=ALL) == compute(LEAF, ["3 0 1"], allow=ALL)
    else:
        with pytest.raises(ConfigError, match="there is only a key"):
            compute(pem, ["3 0 1"], allow=ALL)


@pytest.mark.parametrize(
    "asked", ["", "3 1", "3 1 1 1", "3 1 x", "4 1 1", "3 2 1", "3 1 3", "1000 1 1", "3,1,1", "٣ 1 1"]
)
def test_what_is_no_kind_is_refused(asked: str) -> None:
    """Allowed or not."""
    with pytest.raises(ConfigError, match="is no kind of TLSA record"):
        compute(CHAIN, [asked], allow=ALL)


def test_an_unknown_word_allows_nothing() -> None:
    """A slip of the pen must not look like leave."""
    with pytest.raises(ConfigError, match="'pkiks' is no check"):
        compute(CHAIN, ["3 1 1"], allow=["pkiks"])


@pytest.mark.parametrize("pem", ["", "text", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_holds_nothing_to_name_is_refused(pem: str) -> None:
    """An empty file above all."""
    with pytest.raises(PemInvalid, match="nothing in it that a TLSA record could name"):
        compute(pem)


def test_the_library_has_it_by_its_own_name() -> None:
    """As the page about the library writes it."""
    assert dnsbroker.tlsa.compute(CHAIN, ["3 1 1"]) == compute(CHAIN, ["3 1 1"])
