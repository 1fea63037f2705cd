"""Whose clock is wrong, by the word of those who were talked to."""

from __future__ import annotations

import pytest

from dnsbroker.checks.skew import Reading, skew
from dnsbroker.findings import Severity


@pytest.mark.parametrize("ahead", [0.0, 1.4, -59.0, 60.0])
def test_what_the_way_of_a_message_explains_is_passed_over(ahead: float) -> None:
    """As is nobody's word at all."""
    assert skew([Reading("ca.test", ahead)]) == ()
    assert skew([]) == ()


@pytest.mark.parametrize(
    ("ahead", "severity", "told"),
    [
        (61.0, Severity.WARNING, "61 s behind that of ca.test"),
        (-300.0, Severity.WARNING, "300 s ahead of that of ca.test"),
        (301.0, Severity.ERROR, "301 s behind that of ca.test"),
        (-86400.0, Severity.ERROR, "86400 s ahead of that of ca.test"),
    ],
)
def test_this_hosts_clock_is_told_with_its_error(ahead: float, severity: Severity, told: str) -> None:
    """In seconds; from where signatures are refused on it is an error."""
    (finding,) = skew([Reading("ca.test", ahead)])
    assert (finding.check, finding.severity, finding.subject) == ("clock-skew", severity, "this host")
    assert told in finding.message
    assert "chrony" in finding.hint


def test_all_who_say_so_are_named_and_the_nearest_counts() -> None:
    """Of two that differ from us, the one that differs least is nearer to the truth about us."""
    (finding,) = skew([Reading("one.test", 500.0), Reading("other.test", 200.0)])
    assert finding.severity == Severity.WARNING
    assert "other.test" in finding.message
    assert [(seen.server, seen.record) for seen in finding.evidence] == [
        ("one.test", "+500 s"),
        ("other.test", "+200 s"),
    ]


def test_who_is_alone_with_its_time_is_wrong() -> None:
    """Where somebody agrees with this host, it is the other's clock."""
    (finding,) = skew([Reading("right.test", 0.5), Reading("wrong.test", -4000.0)])
    assert (finding.check, finding.severity, finding.subject) == ("clock-skew", Severity.WARNING, "wrong.test")
    assert "4000 s behind this host's" in finding.message
