"""Denials: each form that a sound zone uses is a proof, and each that lacks a part is none."""

from __future__ import annotations

import base64

import dns.dnssec
import dns.name
import pytest

from dnsbroker.lookup import denial
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.proofs import read_keys
from signing import NOW, ZoneKey, answered, records

ZONE = "example.test."
NAME = f"m1.{ZONE}"
KEY = ZoneKey(ZONE)
KEYS = read_keys(answered(ZONE, "DNSKEY", answer=KEY.keys()), ZONE, (KEY.ds,), NOW)

APEX_TO_A = f"{ZONE} NSEC a.{ZONE} NS SOA RRSIG NSEC DNSKEY"
A_TO_APEX = f"a.{ZONE} NSEC {ZONE} A RRSIG NSEC"


def nsec3(name: str, *types: str, span: tuple[int, int] = (0, 0), iterations: int = 0, flags: int = 0) -> str:
    """The NSEC3 record at the hash of ``name``, from and up to hashes that lie so far from it."""
    own, end = (shifted(hashed(name, iterations), by) for by in span)
    return f"{own}.{ZONE} NSEC3 1 {flags} {iterations} - {end} {' '.join(types)}".strip()


def hashed(name: str, iterations: int = 0) -> str:
    return dns.dnssec.nsec3_hash(name, None, iterations, 1)


def shifted(digest: str, by: int) -> str:
    number = int.from_bytes(base64.b32hexdecode(digest), "big") + by
    return base64.b32hexencode(number.to_bytes(20, "big")).decode()


def authority(*lines: str, key: ZoneKey = KEY) -> list[dns.rrset.RRset]:
    """These records, each signed."""
    return [part for rrset in records(*lines) for part in (rrset, key.signature(rrset))]


def denied(*lines: str, rcode: str = "NXDOMAIN", name: str = NAME, type: str = "TXT") -> str:
    """What is wrong with a denial by these records."""
    return flaw(answered(name, type, rcode=rcode, authority=authority(*lines)), name, type)


def flaw(answer: Answer, name: str = NAME, type: str = "TXT") -> str:
    return denial.flaw(answer, ZONE, name, type, KEYS, NOW)


LIE = (-1, 1)
NARROW = (nsec3(ZONE, "NS", "SOA", span=(0, 1)), nsec3(NAME, span=LIE), nsec3(f"*.{ZONE}", span=LIE))


@pytest.mark.parametrize(
    "lines",
    [
        (APEX_TO_A, A_TO_APEX),
        (f"{ZONE} NSEC {ZONE} NS SOA RRSIG NSEC",),
        (f"m0.{ZONE} NSEC m2.{ZONE} RRSIG NSEC", f"!~.{ZONE} NSEC +.{ZONE} RRSIG NSEC"),
        (nsec3(ZONE, "NS", "SOA"),),
        NARROW,
        (
            nsec3(ZONE, "NS", "SOA", span=(0, 1), iterations=5),
            nsec3(NAME, span=LIE, iterations=5),
            nsec3(f"*.{ZONE}", span=LIE, iterations=5),
        ),
        (nsec3(ZONE, "NS", "SOA", flags=1),),
    ],
    ids=["nsec", "nsec-alone", "white-lies", "nsec3-alone", "nsec3-narrow", "nsec3-iterated", "nsec3-opt-out"],
)
def test_a_name_that_does_not_exist_is_rightly_denied(lines: tuple[str, ...]) -> None:
    """The name and the wildcard that could stand for it (RFC 4470 and narrow NSEC3 make records for the question)."""
    assert denied(*lines) == ""


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ((), "no NSEC or NSEC3 record is given"),
        ((APEX_TO_A,), "no record covers m1.example.test"),
        ((A_TO_APEX,), "no record covers *.example.test"),
        ((f"a.{ZONE} NSEC {NAME} A", APEX_TO_A), "no record covers m1.example.test"),
        (NARROW[1:], "no record stands for example.test"),
        (NARROW[:2], "no record covers *.example.test"),
        ((NARROW[0], NARROW[2]), "no record covers m1.example.test"),
        ((*NARROW[:2], nsec3(f"*.{ZONE}", span=LIE, iterations=1)), "its NSEC3 records differ in their parameters"),
    ],
)
def test_a_denial_that_lacks_a_part_proves_nothing(lines: tuple[str, ...], missing: str) -> None:
    """Each part of the proof, missing."""
    assert denied(*lines) == missing


@pytest.mark.parametrize(
    "lines",
    [
        (f"{NAME} NSEC \\000.{NAME} RRSIG NSEC TYPE128",),
        (f"{NAME} NSEC \\000.{NAME} RRSIG NSEC",),
        (nsec3(NAME, "RRSIG"),),
        (f"*.{ZONE} NSEC z.{ZONE} A RRSIG NSEC",),
        (*NARROW[:2], nsec3(f"*.{ZONE}", "A", span=(0, 1))),
    ],
    ids=["compact", "black-lie", "nsec3-at-it", "wildcard", "nsec3-wildcard"],
)
def test_a_name_that_is_there_without_the_type_is_rightly_denied(lines: tuple[str, ...]) -> None:
    """Compact denial says so of names that do not exist (RFC 9824); or there is a wildcard without that type."""
    assert denied(*lines, rcode="NOERROR") == ""


def test_a_denial_of_a_type_that_its_record_names_proves_nothing() -> None:
    """As it is where a record was made behind the signer's back."""
    line = f"*.{ZONE} NSEC z.{ZONE} TXT RRSIG NSEC"
    assert denied(line, rcode="NOERROR") == "the record for *.example.test says that it has a TXT"


def test_the_apex_without_a_type() -> None:
    """Only a record of its own says so; there is nothing above it."""
    assert denied(APEX_TO_A, rcode="NOERROR", name=ZONE, type="TLSA") == ""
    assert denied(nsec3(ZONE, "NS", "SOA"), rcode="NOERROR", name=ZONE, type="TLSA") == ""
    assert denied(A_TO_APEX, rcode="NOERROR", name=ZONE, type="TLSA") == "no record stands for example.test"


def test_what_a_wildcard_makes_needs_a_proof_that_the_name_itself_is_not_there() -> None:
    """RFC 4035 section 5.3.4, for a CNAME as for the type itself."""
    for type, data in (("TXT", '"x"'), ("CNAME", "elsewhere.test.")):
        (made,) = records(f"{NAME} {type} {data}")
        section = [made, KEY.signature(made, labels=2)]
        assert flaw(answered(NAME, "TXT", answer=section, authority=authority(A_TO_APEX))) == ""
        assert flaw(answered(NAME, "TXT", answer=section)) == "no NSEC or NSEC3 record is given"
        stranger = [made, ZoneKey(ZONE).signature(made, labels=2)]
        wrong = flaw(answered(NAME, "TXT", answer=stranger, authority=authority(A_TO_APEX)))
        assert wrong == f"the {type} that a wildcard makes is not rightly signed"


def test_a_dname_at_the_apex_leaves_nothing_to_deny() -> None:
    """Every name below it is redirected."""
    section = records(f"{ZONE} DNAME other.test.", f"{NAME} CNAME m1.other.test.")
    assert flaw(answered(NAME, "TXT", answer=section)) == ""


def test_a_denial_proves_nothing_without_right_signatures() -> None:
    """Without one, or with a stranger's."""
    bare = records(APEX_TO_A, A_TO_APEX)
    assert (
        flaw(answered(NAME, "TXT", rcode="NXDOMAIN", authority=bare)) == "the signature of its NSEC record is unsigned"
    )
    forged = authority(APEX_TO_A, A_TO_APEX, key=ZoneKey(ZONE))
    assert (
        flaw(answered(NAME, "TXT", rcode="NXDOMAIN", authority=forged)) == "the signature of its NSEC record is wrong"
    )


def test_a_failure_is_no_denial() -> None:
    """PowerDNS answers so where the zone's ordering is not to be had."""
    assert denied(rcode="SERVFAIL") == "SERVFAIL instead of a denial"


def test_iterations_are_told() -> None:
    """The most that any record has; none without NSEC3."""
    lines = (nsec3(ZONE, "SOA", iterations=7),)
    assert denial.iterations(answered(NAME, "TXT", authority=authority(*lines))) == 7
    assert denial.iterations(answered(NAME, "TXT", authority=authority(APEX_TO_A))) == 0
