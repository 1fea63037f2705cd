"""When what was live before is put back, and when the next key is not used: each by what forbids it alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnsbroker.rolling import Act, Situation, move
from dnsbroker.rolling.situation import Case
from rolling_values import chain, key, look, records, remembered, site

LIVE, NEXT, BEFORE = chain("live", "A"), key("next"), chain("before", "A")
NOW = 1_000_000.0
STANDING = remembered(look(0, records(LIVE)), look(10, records(LIVE, NEXT)))
BOTH = remembered(look(0, records(LIVE, BEFORE, NEXT)))

STEADY = Situation(NOW, LIVE, NEXT, served=(LIVE,), verified_since=0.0, sites=(site(STANDING),))
#: What was deployed last has its service dead, and records of what was before it still stand.
DEAD = replace(
    STEADY,
    served=(),
    verified_since=None,
    lost=("192.0.2.1",),
    previous=BEFORE,
    has_old_records=True,
    sites=(site(BOTH),),
)


def test_what_broke_its_service_is_taken_back() -> None:
    """The twin of all that follow."""
    assert move(DEAD).act is Act.ROLL_BACK


def test_what_no_record_names_is_not_put_back() -> None:
    """It would answer, and be refused; also where that is so at one owner name of two."""
    assert move(replace(DEAD, sites=(site(STANDING),))).act is not Act.ROLL_BACK
    elsewhere = site(STANDING, owner="_465._tcp.mail.example.org.")
    assert move(replace(DEAD, sites=(site(BOTH), elsewhere))).act is not Act.ROLL_BACK


def test_what_one_name_server_does_not_name_is_not_put_back() -> None:
    """Others naming it does not help who asks that one: also where it is silent now, and had no record of it last."""
    apart = look(10, records(LIVE, BEFORE), records(LIVE))
    assert move(replace(DEAD, sites=(site(remembered(apart)),))).act is not Act.ROLL_BACK
    silent = remembered(apart, look(20, records(LIVE, BEFORE), None))
    assert move(replace(DEAD, sites=(site(silent),))).act is not Act.ROLL_BACK


def test_what_every_name_server_names_is_put_back_whatever_else_they_have() -> None:
    """The twin: they differ, and each names it, one that is silent now when it was heard last."""
    apart = look(10, records(LIVE, BEFORE), records(BEFORE))
    assert move(replace(DEAD, sites=(site(remembered(apart)),))).act is Act.ROLL_BACK
    silent = remembered(apart, look(20, records(LIVE, BEFORE), None))
    assert move(replace(DEAD, sites=(site(silent),))).act is Act.ROLL_BACK


def test_a_service_that_serves_the_live_key_everywhere_is_not_failing() -> None:
    """Whatever address of another age does not answer."""
    assert move(replace(DEAD, served=(LIVE,), verified_since=NOW)).act is not Act.ROLL_BACK


def test_in_an_emergency_nothing_is_put_back() -> None:
    """The key before is the one to be rid of."""
    assert move(replace(DEAD, is_emergency=True)).act is not Act.ROLL_BACK


def test_the_next_key_that_is_ripe_is_used() -> None:
    """The twin of all that follow."""
    assert Case(STEADY).next_gate.is_open
    assert move(replace(STEADY, is_due=True, is_new_key_wanted=True)).act is Act.ORDER_NEXT


@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ({"refused": "0a1b"}, "was taken back"),
        ({"has_old_records": True}, "still stand"),
        ({"is_pressing": True}, "ends soon"),
        ({"next": key("third")}, ""),
    ],
    ids=["its predecessor was taken back", "a roll-over is not over", "time is short", "it is not ripe"],
)
def test_a_ripe_key_is_not_used_where(obstacle: dict[str, object], words: str) -> None:
    """Each of these alone forbids it, and says so; in an emergency none of them does."""
    gate = Case(replace(STEADY, **obstacle)).next_gate  # type: ignore[arg-type] # fields of it
    assert not gate.is_open
    assert words in gate.reason
    assert Case(replace(STEADY, is_emergency=True, **obstacle)).next_gate.is_open  # type: ignore[arg-type] # as above
