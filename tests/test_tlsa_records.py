"""TLSA records as values: what they name, what is unusable, and text that is none."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.errors import NameInvalid
from dnsbroker.tlsa.records import Kind, Subject, Tlsa, made, parse

#: The smallest octets that are in DER what a certificate is, and a public key.
CERTIFICATE, PUBLIC_KEY = bytes.fromhex("3003020101"), bytes.fromhex("3003020102")
SUBJECT = Subject(CERTIFICATE, PUBLIC_KEY)
KINDS = [Kind(usage, selector, matching) for usage in range(4) for selector in (0, 1) for matching in (0, 1, 2)]

each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
fields = st.integers(0, 255)


@each_kind
def test_a_record_made_for_a_subject_names_it_and_no_other(kind: Kind) -> None:
    """The octets selected decide, be they whole or digested; the others do not matter."""
    record = made(kind, SUBJECT)
    assert record.unusable == ""
    assert record.names(SUBJECT)
    assert record.names(Subject(CERTIFICATE, b"other")) is (kind.selector == 0)
    assert record.names(Subject(b"other", PUBLIC_KEY)) is (kind.selector == 1)


@each_kind
def test_the_data_is_what_the_standard_says(kind: Kind) -> None:
    """RFC 6698 sections 2.1.2 and 2.1.3, by another way than the code's."""
    octets = CERTIFICATE if kind.selector == 0 else PUBLIC_KEY
    wanted = {0: octets.hex(), 1: hashlib.sha256(octets).hexdigest(), 2: hashlib.sha512(octets).hexdigest()}
    assert str(made(kind, SUBJECT)) == f"{kind.usage} {kind.selector} {kind.matching} {wanted[kind.matching]}"


@given(st.builds(Tlsa, st.builds(Kind, fields, fields, fields), st.binary(min_size=1, max_size=80)))
def test_the_text_of_any_record_reads_as_itself(record: Tlsa) -> None:
    """Usable or not; and nobody is named by what is unusable."""
    assert parse(str(record)) == record
    if record.unusable:
        assert not record.names(SUBJECT)


@pytest.mark.parametrize("text", ["3 1 1 " + "AB" * 32, " 03  1 1  " + "ab " * 32])
def test_the_text_may_be_written_otherwise(text: str) -> None:
    """As zone files and services have it."""
    assert parse(text) == Tlsa(Kind(3, 1, 1), b"\xab" * 32)


@pytest.mark.parametrize("text", ["", "3 1 1", "3 1 1 abc", "3 1 1 xy", "256 1 1 ab", "3 1 ab", "-1 1 1 ab"])
def test_text_that_is_no_record_is_refused(text: str) -> None:
    """Rather than read as one that names nothing."""
    with pytest.raises(NameInvalid):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("4 1 1 " + "ab" * 32, "usage 4 is unknown"),
        ("255 1 1 " + "ab" * 32, "usage 255 is unknown"),
        ("3 2 1 " + "ab" * 32, "selector 2 is unknown"),
        ("3 1 3 " + "ab" * 32, "matching type 3 is unknown"),
        ("3 1 1 " + "ab" * 31, "its digest has 31 octets instead of 32"),
        ("3 1 1 " + "ab" * 33, "its digest has 33 octets instead of 32"),
        ("2 0 2 " + "ab" * 32, "its digest has 32 octets instead of 64"),
        ("3 0 0 " + "ab" * 32, "its data is no DER"),
        ("3 1 0 30", "its data is no DER"),
        ("3 1 0 30030201", "its data is no DER"),
        ("3 1 0 3003020101ff", "its data is no DER"),
        ("3 1 0 30840000000302", "its data is no DER"),
    ],
)
def test_what_no_client_can_use_says_why(text: str, why: str) -> None:
    """RFC 6698 section 4.1."""
    assert parse(text).unusable == why


def test_long_octets_are_der_too() -> None:
    """The twin of what is no DER: a length of more than one octet."""
    assert parse("3 0 0 308200c8" + "05" * 200).unusable == ""


def test_a_digest_of_nothing_is_known_and_names_nothing() -> None:
    """Who read an empty file published it; a subject without a certificate is not named by it either."""
    empty = parse(f"3 0 1 {hashlib.sha256(b'').hexdigest()}")
    assert empty.is_of_nothing
    assert not empty.names(Subject(b"", PUBLIC_KEY))
    assert parse(f"3 1 2 {hashlib.sha512(b'').hexdigest()}").is_of_nothing
    assert not made(Kind(3, 0, 1), SUBJECT).is_of_nothing


def test_no_record_is_made_of_a_kind_that_nobody_knows() -> None:
    """It would be published and help no one."""
    with pytest.raises(ValueError, match="usage 4 is unknown"):
        made(Kind(4, 1, 1), SUBJECT)
