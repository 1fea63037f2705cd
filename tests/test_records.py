"""Records as values: text and octets, TLSA's one form, serials that turn over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.errors import NameInvalid
from dnsbroker.records import (
    Add,
    Change,
    Goal,
    Record,
    Remove,
    Swap,
    checked_tlsa,
    octets_text,
    quoted_text,
    rfc1982_newer,
    text_octets,
    unquoted_text,
)

DIGEST = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"


@given(st.binary(max_size=300))
def test_octets_survive_as_text(octets: bytes) -> None:
    """Any octets have their own text, UTF-8 or not."""
    assert text_octets(octets_text(octets)) == octets


def test_text_is_utf8() -> None:
    """What can be read is read."""
    assert text_octets("ä") == b"\xc3\xa4"
    assert octets_text(b"\xc3\xa4") == "ä"


class TestZoneFile:
    """A TXT value as a zone file has it."""

    @given(st.binary(max_size=600))
    def test_any_octets_survive(self, octets: bytes) -> None:
        """Written in printable ASCII, in strings that are never too long."""
        content = quoted_text(octets_text(octets))
        assert text_octets(unquoted_text(content)) == octets
        assert content.isascii() and content.isprintable()

    @pytest.mark.parametrize(
        ("value", "content"),
        [
            ("", '""'),
            ("a b", '"a b"'),
            ('say "no"', r'"say \"no\""'),
            ("back\\slash", r'"back\\slash"'),
            ("ä\n", r'"\195\164\010"'),
            ("x" * 256, f'"{"x" * 255}" "x"'),
        ],
    )
    def test_it_is_quoted(self, value: str, content: str) -> None:
        """With escapes for what would end the string, and for what is no printable ASCII."""
        assert quoted_text(value) == content
        assert unquoted_text(content) == value

    @pytest.mark.parametrize(
        ("content", "value"),
        [
            ("bare", "bare"),
            ("two words", "twowords"),
            ('"one""two" three', "onetwothree"),
            ('"never closed', "never closed"),
            (r"\065\"b", 'A"b'),
            (r'"\999"', "999"),
            ('"ends in \\', "ends in "),
        ],
    )
    def test_whatever_there_is_can_be_read(self, content: str, value: str) -> None:
        """As far as it goes."""
        assert unquoted_text(content) == value


class TestGoal:
    """What several changes of one RRset come to."""

    OURS, OTHER = Record("a.test.", "TXT", "ours"), Record("a.test.", "TXT", "other")

    @pytest.mark.parametrize(
        ("changes", "met", "unmet"),
        [
            ([Add(OURS, 5)], {"ours", "foreign"}, {"foreign"}),
            ([Remove(OURS)], {"foreign"}, {"ours", "foreign"}),
            ([Remove(OURS), Add(OURS, 5)], {"ours"}, set()),
            ([Add(OURS, 5), Remove(OURS)], set(), {"ours"}),
            ([Add(OURS, 5), Remove(OTHER)], {"ours", "foreign"}, {"ours", "other"}),
            ([Swap("a.test.", "TXT", frozenset(), frozenset({"ours"}), 5)], {"ours"}, {"ours", "foreign"}),
            ([Swap("a.test.", "TXT", frozenset(), frozenset(), 5), Add(OURS, 5)], {"ours"}, {"ours", "other"}),
            ([Swap("a.test.", "TXT", frozenset(), frozenset({"ours"}), 5), Remove(OURS)], set(), {"ours"}),
        ],
    )
    def test_the_last_change_decides(self, changes: list[Change], met: set[str], unmet: set[str]) -> None:
        """Values of others are no matter, but after a Swap."""
        goal = Goal()
        for change in changes:
            goal = goal.then(change)
        assert goal.is_met(frozenset(met))
        assert not goal.is_met(frozenset(unmet))


class TestTLSA:
    """A TLSA value has one form."""

    @pytest.mark.parametrize(
        "text",
        [
            f"3 1 1 {DIGEST}",
            f"  3  1 1\t{DIGEST.upper()} ",
            f"03 1 01 {DIGEST[:20]} {DIGEST[20:]}",
        ],
    )
    def test_is_kept_in_one_form(self, text: str) -> None:
        """Single blanks, plain numbers, lower-case hex in one piece."""
        assert checked_tlsa(text) == f"3 1 1 {DIGEST}"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "3 1 1",
            "3 1 00",
            "3 1 1 0",
            "3 1 1 xy",
            "x 1 1 00",
            "256 1 1 00",
            "-1 1 1 00",
            "3 1 ² 00",
            "3 1 " + "9" * 5000 + " 00",
        ],
    )
    def test_refuses_anything_else(self, text: str) -> None:
        """With NameInvalid, never another error."""
        with pytest.raises(NameInvalid):
            checked_tlsa(text)


class TestSerial:
    """RFC 1982, the arithmetic of serials."""

    @pytest.mark.parametrize(
        ("serial", "than", "newer"),
        [
            (2, 1, True),
            (1, 1, False),
            (1, 2, False),
            (0, 4294967295, True),
            (4294967295, 0, False),
            (2147483647, 0, True),
            (2147483648, 0, False),
            (0, 2147483648, False),
            (2024010100, 1, True),
        ],
    )
    def test_n20_serials_turn_over(self, serial: int, than: int, newer: bool) -> None:
        """N20: 0 follows 4294967295; the undefined distance is not newer."""
        assert rfc1982_newer(serial, than) is newer

    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
    def test_never_both_ways(self, one: int, other: int) -> None:
        """Of two serials at most one is the newer."""
        assert not (rfc1982_newer(one, other) and rfc1982_newer(other, one))
