"""What SOA-EDIT-API and SOA-EDIT do to a serial: the vector table, what is mended, and what cannot be."""

from __future__ import annotations

import pytest

from dnsbroker_powerdns.serial import KINDS, Effect, Serials, cure, is_dated, judge, served, stored_after, with_api

NOW = 1795176000  # 2026-11-20 12:00 UTC, a Friday; the signing week began on the Thursday
WEEK = 1795046400

STANDS, MOVES, LATER = Effect.STANDS, Effect.MOVES, Effect.MOVES_WITH_TIME

# stored, SOA-EDIT-API, SOA-EDIT, stored after, served before, served after, effect
VECTORS = [
    (1, "", "", 1, 1, 1, STANDS),
    (1, "DEFAULT", "", 2026112001, 1, 2026112001, MOVES),
    (2026112001, "DEFAULT", "", 2026112002, 2026112001, 2026112002, MOVES),
    (2026112099, "DEFAULT", "", 2026112100, 2026112099, 2026112100, MOVES),
    (2026123101, "DEFAULT", "", 2026123102, 2026123101, 2026123102, MOVES),
    (4294967295, "DEFAULT", "", 0, 4294967295, 0, MOVES),
    (4294967295, "INCREASE", "", 0, 4294967295, 0, MOVES),
    (2026112001, "EPOCH", "", NOW, 2026112001, NOW, STANDS),
    (NOW, "EPOCH", "", NOW, NOW, NOW, LATER),
    (NOW - 1, "EPOCH", "", NOW, NOW - 1, NOW, MOVES),
    (10, "INCEPTION-INCREMENT", "", 10, 10, 10, STANDS),
    (10, "FOO", "", 10, 10, 10, STANDS),
    (10, "SOA-EDIT", "", 10, 10, 10, STANDS),
    (10, "SOA-EDIT", "NONE", 10, 10, 10, STANDS),
    (10, "SOA-EDIT", "INCEPTION-EPOCH", WEEK, WEEK, WEEK, STANDS),
    (10, "SOA-EDIT", "INCREMENT-WEEKS", 2978, 2978, 5946, MOVES),
    (10, "SOA-EDIT-INCREASE", "", 11, 10, 11, MOVES),
    (10, "SOA-EDIT-INCREASE", "INCEPTION-EPOCH", NOW, WEEK, NOW, MOVES),
    (10, "SOA-EDIT-INCREASE", "INCEPTION-INCREMENT", 2026111901, 2026111901, 2026111902, MOVES),
    (2026112001, "SOA-EDIT-INCREASE", "INCEPTION-INCREMENT", 2026112002, 2026112002, 2026112003, MOVES),
    (10, "INCREASE", "INCEPTION-EPOCH", 11, WEEK, WEEK, STANDS),
    (10, "INCREASE", "INCEPTION-INCREMENT", 11, 2026111901, 2026111901, STANDS),
    (10, "INCREASE", "INCREMENT-WEEKS", 11, 2978, 2979, MOVES),
    (2026112001, "DEFAULT", "INCEPTION-INCREMENT", 2026112002, 2026112002, 2026112003, MOVES),
    (2026112001, "DEFAULT", "INCEPTION-EPOCH", 2026112002, 2026112001, 2026112002, MOVES),
    (10, "DEFAULT", "EPOCH", 2026112001, NOW, NOW, LATER),
]


@pytest.mark.parametrize(("stored", "api", "edit", "after", "served_before", "served_after", "effect"), VECTORS)
def test_a_vector_is_predicted(
    stored: int, api: str, edit: str, after: int, served_before: int, served_after: int, effect: Effect
) -> None:
    """Each row's stored and served serials, and whether secondaries would follow; kinds compare without case."""
    for spelt in (Serials(stored, api, edit), Serials(stored, api.lower(), edit.lower())):
        assert stored_after(spelt, NOW) == after
        judgement = judge(spelt, NOW)
        assert (judgement.before, judgement.after) == (served_before, served_after)
        assert judgement.effect is effect
        assert bool(judgement.reason) is (effect is STANDS)


@pytest.mark.parametrize("vector", [row for row in VECTORS if row[-1] is STANDS])
def test_what_stands_has_a_cure_that_moves(vector: tuple[int, str, str, int, int, int, Effect]) -> None:
    """The value that auto would set makes the served serial newer."""
    serials = Serials(*vector[:3])
    kind = cure(serials, NOW)
    assert kind in KINDS
    assert judge(with_api(serials, kind), NOW).effect is MOVES


@pytest.mark.parametrize(
    ("stored", "edit", "default_edit", "expected"),
    [
        (1, "", "", "INCREASE"),
        (NOW, "", "", "INCREASE"),
        (10, "INCREMENT-WEEKS", "", "INCREASE"),
        (10, "INCEPTION-EPOCH", "", "SOA-EDIT-INCREASE"),
        (10, "inception-increment", "", "SOA-EDIT-INCREASE"),
        (2026112001, "", "", "DEFAULT"),
        (2026112001, "INCREMENT-WEEKS", "", "DEFAULT"),
        (10, "", "INCEPTION-EPOCH", "DEFAULT"),  # the server's default hides the +1, which is all it would do
        (10, "NONE", "INCEPTION-EPOCH", "INCREASE"),  # NONE wards off the server's default
    ],
)
def test_the_gentlest_cure_is_chosen(stored: int, edit: str, default_edit: str, expected: str) -> None:
    """One more in general, the edited serial where it is edited, a date where it is a date."""
    assert cure(Serials(stored, "", edit, default_edit), NOW) == expected


@pytest.mark.parametrize(
    ("stored", "api", "edit", "reason"),
    [
        (1, "", "", "SOA-EDIT-API is not set"),
        (10, "INCEPTION-INCREMENT", "", "PowerDNS knows no SOA-EDIT-API INCEPTION-INCREMENT"),
        (2026112001, "EPOCH", "", f"back from 2026112001 to {NOW}"),
        (10, "SOA-EDIT", "", "where no SOA-EDIT is set"),
        (10, "SOA-EDIT", "INCEPTION-EPOCH", "SOA-EDIT INCEPTION-EPOCH hides"),
        (10, "INCREASE", "INCEPTION-EPOCH", "SOA-EDIT INCEPTION-EPOCH hides"),
    ],
)
def test_the_reason_names_the_setting(stored: int, api: str, edit: str, reason: str) -> None:
    """A person learns which setting it is, and what it does."""
    assert reason in judge(Serials(stored, api, edit), NOW).reason


def test_a_server_clock_that_is_ahead_is_no_alarm() -> None:
    """EPOCH wrote a moment minutes ahead of us: the server's clock will be past it; hours are another thing."""
    assert judge(Serials(NOW + 200, "EPOCH", ""), NOW).effect is LATER
    assert judge(Serials(NOW + 200, "EPOCH", ""), NOW).not_before == NOW + 201
    assert judge(Serials(NOW + 7200, "EPOCH", ""), NOW).effect is STANDS


def test_a_date_of_another_time_zone_moves_all_the_same() -> None:
    """DEFAULT goes by the server's local date: tomorrow's stored serial grows by one, yesterday's becomes today's."""
    for stored in (2026112101, 2026111901):
        assert judge(Serials(stored, "DEFAULT", ""), NOW).effect is MOVES


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (2026111899, 2026111901),
        (2026111900, 2026111902),
        (2026111901, 2026111902),
        (2026111902, 2026111903),
        (2026112199, 2026112200),
        (2026112200, 2026112200),
    ],
)
def test_inception_increment_steps_over_two_reserved_serials(stored: int, shown: int) -> None:
    """Within two days of the signing week's start the served serial runs ahead of the stored one."""
    assert served(stored, "INCEPTION-INCREMENT", NOW) == shown


@pytest.mark.parametrize(
    ("serial", "expected"),
    [(2026112001, True), (1999010100, True), (1795176000, False), (2026130101, False), (2026022901, False), (1, False)],
)
def test_a_date_is_known_from_other_numbers(serial: int, expected: bool) -> None:
    """A month that does not exist, or a moment of the Unix clock, is no date."""
    assert is_dated(serial) is expected
