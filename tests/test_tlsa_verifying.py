"""What a client that follows RFC 7671 makes of a chain under TLSA records."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from ssl import DER_cert_to_PEM_cert, PEM_cert_to_DER_cert

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certified import NOW, Certified, certified
from dnsbroker.errors import NameInvalid, PemInvalid
from dnsbroker.tlsa.verifying import Verdict, unmatched, verify

HOST = "mail.example.org"
ROOT = certified("root")
ISSUING = certified("issuing", ROOT)
LEAF = certified("", ISSUING, authority=False, names=[HOST])
OTHER = certified("other", ROOT)
CHAIN = LEAF.pem + ISSUING.pem + ROOT.pem
KINDS = [f"{selector} {matching}" for selector in "01" for matching in "012"]
NO_SUCH = "00" * 32
VECTORS = Path(__file__).parent / "vectors"
APPENDIX_C = [line for line in (VECTORS / "rfc6698-appendix-c.txt").read_text().splitlines() if line[0] != "#"]


def asked(records: list[str], chain: str = CHAIN, host: str = HOST, *, ee_name_check: bool = False) -> Verdict:
    """The verdict of this moment."""
    return verify(chain, host, records, now=NOW, ee_name_check=ee_name_check)


def states(verdict: Verdict) -> list[str]:
    """Of each record."""
    return [judged.state for judged in verdict.records]


def leaf_by(issuer: Certified) -> Certified:
    """For HOST."""
    return certified("", issuer, authority=False, names=[HOST])


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_the_leaf_is_enough(kind: str) -> None:
    """Usage 3, whatever the selector and the matching type."""
    verdict = asked([LEAF.tlsa(f"3 {kind}")])
    assert (verdict.accepted, states(verdict), verdict.matched) == (True, ["matches"], (LEAF.tlsa(f"3 {kind}"),))
    assert verdict.why == f"3 {kind}: it names the leaf{'' if kind.startswith('0') else chr(39) + 's key'}"


def test_the_leaf_s_record_is_the_reason_where_several_match() -> None:
    """Whatever the order: it holds longest, and says most."""
    for usages in (("2", "3"), ("3", "2")):
        verdict = asked([{"2": ISSUING, "3": LEAF}[usage].tlsa(f"{usage} 1 1") for usage in usages])
        assert verdict.why == "3 1 1: it names the leaf's key"


def test_a_ca_is_called_as_its_certificate_has_it() -> None:
    """Names of hosts alone are compared in lower case."""
    issuer = certified("Issuing CA 1", ROOT)
    leaf = leaf_by(issuer)
    verdict = asked([issuer.tlsa("2 1 1")], leaf.pem + issuer.pem)
    assert verdict.why == "2 1 1: it names 'Issuing CA 1', to which the leaf leads"
    shouted = certified(HOST.upper(), issuer, authority=False)
    assert asked([issuer.tlsa("2 1 1")], shouted.pem + issuer.pem).accepted


@pytest.mark.parametrize("line", APPENDIX_C, ids=lambda line: line[:3])
def test_the_standard_s_own_example_is_accepted(line: str) -> None:
    """RFC 6698 appendix C: a certificate of X.509's first version, long expired, for another name."""
    chain = DER_cert_to_PEM_cert(bytes.fromhex(APPENDIX_C[0][4:]))
    assert asked([f"3 {line}"], chain).accepted
    assert not asked([f"3 {line}"]).accepted
    assert states(asked([f"1 {line}"], chain)) == ["not_judged"]


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("ecc256", "5978dd1d2d23e992075dc359d5dd14f7ef79748af97f2b7809c9ebfd6016c433"),
        ("rsa-2432", "671b40d05b28c85e9b2a52912abcdce38c0384cc5a7c693ed3148ca1e97632c9"),
    ],
)
def test_digests_that_gnutls_publishes_are_accepted(name: str, digest: str) -> None:
    """For its own test certificates."""
    chain = (VECTORS / f"gnutls-{name}.pem").read_text()
    assert asked([f"3 1 1 {digest}"], chain).accepted
    assert not asked([f"3 1 1 {digest}"]).accepted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", [OTHER, ISSUING, ROOT], ids=["another", "its issuer", "its root"])
def test_a_record_of_anything_else_is_not(kind: str, other: Certified) -> None:
    """The twin: usage 3 is for the leaf alone."""
    verdict = asked([other.tlsa(f"3 {kind}")])
    assert (verdict.accepted, states(verdict), verdict.matched) == (False, ["differs"], ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("anchor", [ISSUING, ROOT], ids=["issuing", "root"])
def test_a_record_of_a_ca_that_is_sent_along_is_enough(kind: str, anchor: Certified) -> None:
    """Usage 2, at any depth of the chain."""
    verdict = asked([anchor.tlsa(f"2 {kind}")])
    assert (verdict.accepted, verdict.matched) == (True, (anchor.tlsa(f"2 {kind}"),))
    assert (
        verdict.why
        == f"2 {kind}: it names '{anchor.certificate.subject.rfc4514_string()[3:]}', to which the leaf leads"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_a_ca_that_is_not_on_the_way_is_not(kind: str) -> None:
    """The twin: not one that is not sent, and not one that is sent and has signed nothing here."""
    assert states(asked([OTHER.tlsa(f"2 {kind}")])) == (["refused"] if kind == "0 0" else ["differs"])
    verdict = asked([OTHER.tlsa(f"2 {kind}")], CHAIN + OTHER.pem)
    assert (verdict.accepted, states(verdict)) == (False, ["refused"])
    assert "no path of signatures leads from 'mail.example.org' to 'other'" in verdict.why


def test_a_root_that_is_not_sent_is_no_anchor() -> None:
    """Whatever a local store holds; only the whole certificate in the record itself makes up for it."""
    short = LEAF.pem + ISSUING.pem
    for kind in ("2 0 1", "2 1 1", "2 1 0"):
        verdict = asked([ROOT.tlsa(kind)], short)
        assert (verdict.accepted, verdict.why) == (False, f"{kind}: it names no CA that is sent along")
    assert asked([ROOT.tlsa("2 0 0")], short).accepted
    assert asked([ISSUING.tlsa("2 1 1")], LEAF.pem).why == "2 1 1: no CA is sent along, for it to name"
    assert asked([ISSUING.tlsa("2 0 0")], LEAF.pem).accepted
    assert not asked([OTHER.tlsa("2 0 0")], LEAF.pem).accepted


@pytest.mark.parametrize("authority", [True, False])
def test_the_leaf_is_no_anchor(authority: bool) -> None:
    """Not even where it is a CA itself, stands in the chain again, or in the record."""
    leaf = certified("self", authority=authority, names=[HOST])
    for kind in KINDS:
        for chain in (leaf.pem, leaf.pem * 2):
            verdict = asked([leaf.tlsa(f"2 {kind}")], chain)
            assert (verdict.accepted, states(verdict)) == (False, ["differs"])
            assert "it names the leaf, and usage 2 is for the CAs" in verdict.why


def test_names_and_dates_of_the_leaf_do_not_matter_to_usage_3() -> None:
    """And that others mind is told."""
    leaf = certified("", ISSUING, authority=False, names=["www.example.com"], days=(-30, -1))
    verdict = asked([leaf.tlsa("3 1 1")], leaf.pem)
    assert verdict.accepted
    assert verdict.warnings == ("the leaf expired on 2026-11-20, which only clients of usage 3 do not mind",)
    assert asked([LEAF.tlsa("3 1 1")]).warnings == ()


def test_a_certificate_may_be_nothing_but_a_key() -> None:
    """Without a name, an issuer or a future, it still has what usage 3 asks for; nobody else's record fits it."""
    bare = certified("", authority=None, days=(-30, -1))
    assert asked([bare.tlsa("3 1 1")], bare.pem).accepted
    assert not asked([LEAF.tlsa("3 1 1")], bare.pem).accepted


def test_names_matter_to_usage_3_where_that_is_asked_for() -> None:
    """Both ways."""
    assert asked([LEAF.tlsa("3 1 1")], ee_name_check=True).accepted
    verdict = asked([LEAF.tlsa("3 1 1")], host="www.example.org", ee_name_check=True)
    assert (verdict.accepted, states(verdict)) == (False, ["refused"])
    assert verdict.why == "3 1 1: the leaf is for mail.example.org, and not for www.example.org"


def test_they_matter_to_usage_2() -> None:
    """Either is enough to be refused, while the CA is the right one."""
    late = certified("", ISSUING, authority=False, names=[HOST], days=(-30, -1))
    early = certified("", ISSUING, authority=False, names=[HOST], days=(1, 30))
    strange = certified("", ISSUING, authority=False, names=["www.example.com"])
    whys = {
        asked([ISSUING.tlsa("2 1 1")], leaf.pem + ISSUING.pem).why.partition(": ")[2] for leaf in (late, early, strange)
    }
    assert whys == {
        "'mail.example.org' expired on 2026-11-20",
        "'mail.example.org' is valid only from 2026-11-22",
        "the leaf is for www.example.com, and not for mail.example.org",
    }


NAMES = {
    "itself": (["example.org"], "example.org", True),
    "in another case": (["Example.ORG"], "EXAMPLE.org.", True),
    "one of many": (["www.example.org", "example.org"], "example.org", True),
    "a label more": (["example.org"], "a.example.org", False),
    "a wildcard for one label": (["*.example.com"], "mail.example.com", True),
    "a wildcard for none": (["*.example.com"], "example.com", False),
    "a wildcard for two": (["*.example.com"], "a.b.example.com", False),
    "a wildcard in part of a label": (["m*.example.com"], "mail.example.com", False),
    "a wildcard in the middle": (["a.*.example.com"], "a.b.example.com", False),
    "a wildcard below a top-level domain": (["*.example"], "mail.example", False),
    "a wildcard for everything": (["*"], "example", False),
    "in Unicode": (["xn--bcher-kva.example.org"], "bücher.example.org", True),
}


@pytest.mark.parametrize("case", NAMES)
def test_the_leaf_has_to_be_for_the_host_under_usage_2_only(case: str) -> None:
    """Usage 3 has no such limit."""
    names, host, is_for = NAMES[case]
    leaf = certified("", ISSUING, authority=False, names=names)
    chain = leaf.pem + ISSUING.pem
    assert asked([ISSUING.tlsa("2 1 1")], chain, host).accepted is is_for
    assert asked([leaf.tlsa("3 1 1")], chain, host).accepted


@pytest.mark.parametrize(("names", "accepted"), [([], True), (["www.example.org"], False)])
def test_a_common_name_counts_only_without_dns_names(names: list[str], accepted: bool) -> None:
    """RFC 7672 section 3.2.3."""
    leaf = certified(HOST, ISSUING, authority=False, names=names)
    assert asked([ISSUING.tlsa("2 1 1")], leaf.pem + ISSUING.pem).accepted is accepted


def test_any_of_several_names_will_do() -> None:
    """For secure MX records the mail domain is one, after the TLSA base (RFC 7672 section 3.2.2)."""
    leaf = certified("", ISSUING, authority=False, names=["example.org"])
    chain, record = leaf.pem + ISSUING.pem, ISSUING.tlsa("2 1 1")
    assert not verify(chain, HOST, [record], now=NOW).accepted
    assert verify(chain, [HOST, "example.org"], [record], now=NOW).accepted
    assert not verify(chain, [HOST, "example.com"], [record], now=NOW).accepted


def test_a_use_for_clients_alone_is_warned_of() -> None:
    """Of the leaf and of CAs; not one for servers, nor one for anything."""
    record = [ROOT.tlsa("2 1 1")]
    clients = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    leaf = certified("", ISSUING, authority=False, names=[HOST], extensions=[clients])
    verdict = asked(record, leaf.pem + ISSUING.pem + ROOT.pem)
    assert verdict.accepted
    assert ["'mail.example.org': the extended key usage is not for TLS servers" in each for each in verdict.warnings]
    middle = certified("middle", ROOT, extensions=[clients])
    assert "'middle'" in asked(record, leaf_by(middle).pem + middle.pem + ROOT.pem).warnings[0]
    for purpose in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
        leaf = certified("", ISSUING, authority=False, names=[HOST], extensions=[x509.ExtendedKeyUsage([purpose])])
        assert asked(record, leaf.pem + ISSUING.pem + ROOT.pem).warnings == ()


def test_the_strongest_digest_alone_counts() -> None:
    """Of each usage and selector: a weaker one that is right is passed over (RFC 7671 section 9)."""
    good, stale = LEAF.tlsa("3 1 1"), OTHER.tlsa("3 1 2")
    verdict = asked([good, stale])
    assert (verdict.accepted, states(verdict)) == (False, ["passed_over", "differs"])
    assert asked([OTHER.tlsa("3 1 1"), LEAF.tlsa("3 1 2")]).accepted
    assert asked([good, OTHER.tlsa("3 0 2")]).accepted
    assert asked([good, OTHER.tlsa("2 1 2")]).accepted


def test_full_data_counts_beside_any_digest() -> None:
    """It is never passed over, nor does it make others so."""
    assert asked([LEAF.tlsa("3 1 0"), OTHER.tlsa("3 1 2")]).accepted
    assert asked([OTHER.tlsa("3 1 0"), LEAF.tlsa("3 1 1")]).accepted


def test_what_is_unusable_makes_nothing_passed_over() -> None:
    """It is dropped before."""
    assert asked([LEAF.tlsa("3 1 1"), "3 1 2 " + NO_SUCH]).accepted


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("3 1 1 " + "00" * 31, "31 octets"),
        ("3 1 2 " + NO_SUCH, "32 octets"),
        ("4 1 1 " + NO_SUCH, "usage 4"),
        ("255 1 1 " + NO_SUCH, "usage 255"),
        ("3 2 1 " + NO_SUCH, "selector 2"),
        ("3 1 3 " + NO_SUCH, "matching type 3"),
        ("2 0 0 3003020101", "no certificate"),
        ("3 1 0 00", "no DER"),
    ],
)
def test_where_all_are_unusable_nothing_is_valid(record: str, why: str) -> None:
    """No public CA is fallen back to; and beside a good one they do no harm."""
    verdict = asked([record])
    assert (verdict.accepted, states(verdict), verdict.unusable) == (False, ["unusable"], (record,))
    assert verdict.why == "no record is usable, so nothing vouches for this chain, and no public CA does instead"
    assert why in verdict.records[0].why
    assert asked([record, LEAF.tlsa("3 1 1")]).accepted


@pytest.mark.parametrize("kind", ["3 1 1", "2 1 1"])
def test_the_digest_of_an_empty_file_says_what_it_is(kind: str) -> None:
    """Tools have published it; a digest of something else is only another one."""
    empty, other = (asked([f"{kind} {sha256(octets).hexdigest()}"]) for octets in (b"", b"other"))
    assert not empty.accepted and not other.accepted
    assert "digest of nothing" in empty.records[0].why
    assert "digest of nothing" not in other.records[0].why


@pytest.mark.parametrize("kind", ["0 1 1", "1 1 1"])
def test_usages_that_need_public_cas_are_not_judged(kind: str) -> None:
    """Alone they vouch for nothing, even where they name the right key."""
    verdict = asked([LEAF.tlsa(kind), ISSUING.tlsa(kind)])
    assert (verdict.accepted, states(verdict)) == (False, ["not_judged"] * 2)
    assert "no record of usage 2 or 3 is usable" in verdict.why
    assert "public CA" in verdict.records[0].why
    assert asked([LEAF.tlsa(kind), LEAF.tlsa("3 1 1")]).accepted


def test_without_records_nothing_is_accepted() -> None:
    """There is nothing to be accepted by."""
    assert asked([]) == replace(asked([]), accepted=False, records=())
    assert "no records" in asked([]).why


def test_a_kind_that_matches_nothing_is_warned_of() -> None:
    """A client passes by the other kind; that each has to match is the server's duty (RFC 7671 section 8.1)."""
    verdict = asked([LEAF.tlsa("3 1 1"), OTHER.tlsa("2 1 1")])
    assert verdict.accepted
    assert [warning.partition(":")[0] for warning in verdict.warnings] == ["no record 2 1 1 matches this chain"]
    assert [str(kind) for kind in unmatched(verdict.records)] == ["2 1 1"]
    assert asked([LEAF.tlsa("3 1 1"), OTHER.tlsa("3 1 1"), ISSUING.tlsa("2 1 1")]).warnings == ()


def test_a_kind_that_is_passed_over_has_to_match_as_well() -> None:
    """Not every client goes by the strongest digest."""
    (warning,) = asked([OTHER.tlsa("3 1 1"), LEAF.tlsa("3 1 2")]).warnings
    assert warning.startswith("no record 3 1 1 matches this chain")


def test_the_time_decides() -> None:
    """The present, unless another is named."""
    record, late = [ISSUING.tlsa("2 1 1")], NOW + timedelta(days=31)
    assert verify(CHAIN, HOST, record, now=NOW).accepted
    assert not verify(CHAIN, HOST, record, now=late).accepted


def test_what_is_none_is_refused() -> None:
    """A chain, a host, a record."""
    with pytest.raises(PemInvalid):
        verify("", HOST, [])
    with pytest.raises(NameInvalid):
        verify(CHAIN, "a..b", [])
    with pytest.raises(NameInvalid):
        verify(CHAIN, HOST, ["3 1 1 nothing"])


@given(st.sampled_from([0, 1]), st.integers(min_value=0), st.integers(1, 255))
def test_one_changed_octet_breaks_a_path(which: int, at: int, change: int) -> None:
    """In whatever certificate below the anchor, and wherever: it is refused, or cannot be read."""
    ders = [bytearray(PEM_cert_to_DER_cert(each.pem)) for each in (LEAF, ISSUING, ROOT)]
    ders[which][at % len(ders[which])] ^= change
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library has an opinion on serial numbers below zero
        try:
            accepted = asked([ROOT.tlsa("2 1 1")], "".join(map(DER_cert_to_PEM_cert, ders))).accepted
        except PemInvalid:
            accepted = False
    assert not accepted


CAST = [LEAF, ISSUING, ROOT, OTHER]


@given(
    st.lists(
        st.tuples(st.sampled_from(CAST), st.sampled_from("23"), st.sampled_from(KINDS)),
        min_size=1,
        max_size=8,
    )
)
def test_whoever_is_accepted_is_so_by_a_record_that_names_the_chain(chosen: list[tuple[Certified, str, str]]) -> None:
    """Records of others alone are never enough, and records of one kind that all match always are."""
    records = [certificate.tlsa(f"{usage} {kind}") for certificate, usage, kind in chosen]
    right = [
        (certificate is LEAF) if usage == "3" else (certificate in (ISSUING, ROOT)) for certificate, usage, _ in chosen
    ]
    verdict = asked(records)
    assert verdict.accepted <= any(right)
    assert verdict.accepted >= all(right)
    assert set(verdict.matched) <= {record for record, is_right in zip(records, right, strict=True) if is_right}
    assert asked(list(reversed(records))).accepted == verdict.accepted
