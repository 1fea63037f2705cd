"""TXT and TLSA values on their way through dns-lexicon's drivers, in each of the forms that these use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.errors import NameInvalid
from dnsbroker.records import octets_text
from dnsbroker_lexicon.contents import canonical, value_of, written

VALUES = st.binary(max_size=600).map(octets_text) | st.text('ab"\\ 0', max_size=300)


@given(VALUES)
def test_what_is_written_is_read_back(value: str) -> None:
    """By drivers that show what they were handed."""
    assert value_of("TXT", written("TXT", value)) == value


@given(VALUES)
def test_what_lost_its_outer_quotes_is_read_back(value: str) -> None:
    """By drivers that quote what is not quoted, and strip all quotes off both ends of what they show."""
    handed = written("TXT", value)
    stored = handed if handed.startswith('"') else f'"{handed}"'
    assert value_of("TXT", stored) == value
    assert value_of("TXT", stored.strip('"')) == value


@pytest.mark.parametrize("value", ["gfj9Xq-_Rg85nM_Iu1CgkJNVXGZkAiMyhAGrFQ", "v=STSv1; id=1;", "a" * 255, "x"])
def test_what_a_ca_asks_for_is_handed_on_as_it_is(value: str) -> None:
    """The only form in which all drivers agree."""
    assert written("TXT", value) == value


@pytest.mark.parametrize(
    ("value", "handed"),
    [
        ("a" * 256, f'"{"a" * 255}" "a"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\", r'"back\\"'),
        ("é", r'"\195\169"'),
        (" a", '" a"'),
        ("", '""'),
    ],
)
def test_what_is_odd_is_handed_on_as_a_zone_file_has_it(value: str, handed: str) -> None:
    """RFC 1035 section 5.1."""
    assert written("TXT", value) == handed


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ('"plain"', "plain"),
        ('"one" "two"', "onetwo"),
        ('"one""two"', "onetwo"),
        ("plain words", "plain words"),
        ('one" "two', "onetwo"),
        (r"\000\255", "\0\udcff"),
        ('an "odd" one', 'an "odd" one'),
        ('"', '"'),
    ],
)
def test_what_a_driver_shows_is_taken_apart_as_far_as_it_can_be(content: str, value: str) -> None:
    """And is its own value where it cannot."""
    assert value_of("TXT", content) == value


def test_capitals_make_another_text() -> None:
    """But not another TLSA value."""
    assert value_of("TXT", "OURS") != value_of("TXT", "ours")
    assert value_of("TLSA", "3 1 1 AB CD") == canonical("TLSA", "3 1 1 abcd") == written("TLSA", "3 1 1 abcd")


def test_what_is_no_tlsa_is_not_written_and_stays_what_it_is() -> None:
    """Ours is refused; a stranger's is none of our business."""
    assert value_of("TLSA", "nonsense") == "nonsense"
    with pytest.raises(NameInvalid):
        canonical("TLSA", "nonsense")
