"""What caches may hold of a TLSA RRset, and since when a record is everywhere."""

from __future__ import annotations

from dnsbroker.rolling import Memory
from dnsbroker.rolling.memory import REMEMBERED
from rolling_values import key, look, of_leaf, records, remembered

OLD, NEW = records(key("old")), records(key("old"), key("new"))
NEXT = of_leaf(key("new"))
NOTHING = records()


def _possible(memory: Memory, now: float, min_wait: float = 3600.0) -> set[frozenset[object]]:
    return {frozenset(view.records) for view in memory.possible(now, min_wait)}


def test_a_set_that_was_replaced_is_possible_for_twice_its_ttl_after_the_look_that_missed_it() -> None:
    """It may have been given out until just before that look (RFC 7671 section 8.1)."""
    memory = remembered(look(0, OLD, OLD), look(1000, NEW, NEW))
    assert _possible(memory, 1000 + 7199) == {OLD, NEW}
    assert _possible(memory, 1000 + 7200) == {NEW}


def test_min_wait_counts_where_it_is_longer() -> None:
    """A TTL of seconds is no reason to be hasty, unless the configuration says so."""
    memory = remembered(look(0, OLD, ttl=1), look(10, NEW, ttl=1))
    assert OLD in _possible(memory, 10 + 3599)
    assert OLD not in _possible(memory, 10 + 3599, min_wait=2.0)


def test_the_ttl_that_counts_is_the_one_the_old_set_had() -> None:
    """A TTL that was lowered together with the change shortens nothing."""
    memory = remembered(look(0, OLD, ttl=86400), look(10, NEW, ttl=300))
    assert OLD in _possible(memory, 10 + 2 * 86400 - 1)
    assert OLD not in _possible(memory, 10 + 2 * 86400)


def test_a_ttl_that_changes_alone_is_a_view_of_its_own() -> None:
    """The same records are in caches for as long as they were given out with."""
    memory = remembered(look(0, OLD, ttl=86400), look(10, OLD, ttl=300), look(20, NEW, ttl=300))
    assert OLD in _possible(memory, 10 + 2 * 86400 - 1)


def test_a_record_is_everywhere_once_the_last_server_has_it() -> None:
    """A secondary that lags keeps the clock from starting, be it but an address of a server that has it at another."""
    memory = remembered(look(0, OLD, OLD), look(10, NEW, OLD))
    assert NEXT not in memory.everywhere
    memory = memory.after(look(20, NEW, NEW)).after(look(30, NEW, NEW))
    assert memory.since[NEXT] == 20


def test_an_address_that_has_no_records_at_all_keeps_the_clock_from_starting() -> None:
    """IPv4 drops TLSA and IPv6 answers: that is not everywhere."""
    assert not remembered(look(0, NOTHING, NEW)).everywhere


def test_a_record_that_vanishes_anywhere_starts_anew() -> None:
    """It may have been gone for as long as nobody looked."""
    memory = remembered(look(0, NEW, NEW), look(10, NEW, OLD), look(20, NEW, NEW))
    assert memory.since[NEXT] == 20
    assert memory.since[of_leaf(key("old"))] == 0


def test_a_signature_that_ends_too_early_keeps_the_clock_from_starting() -> None:
    """Else the record might be gone for clients before the time for which it is relied on is over."""
    early = look(0, NEW, NEW, expires=5000.0)
    assert not Memory().after(early, 5001.0).everywhere
    assert Memory().after(early, 5000.0).everywhere == NEW


def test_records_without_a_signature_are_nowhere() -> None:
    """Nothing that is not signed may be relied on."""
    assert not remembered(look(0, NEW, NEW, expires=None)).everywhere


def test_no_clock_outlives_a_silence() -> None:
    """What a server had while it was silent nobody knows."""
    memory = remembered(look(0, NEW, NEW), look(10, NEW, None))
    assert not memory.is_whole and not memory.everywhere
    assert memory.after(look(20, NEW, NEW)).since[NEXT] == 20


def test_a_silent_server_keeps_what_it_had_alive() -> None:
    """It may be giving out the old set to everybody but us."""
    memory = remembered(look(0, OLD, OLD), look(10, NEW, None), look(50_000, NEW, None))
    assert OLD in _possible(memory, 10**6)
    memory = memory.after(look(60_000, NEW, NEW))
    assert OLD in _possible(memory, 60_000 + 7199)
    assert OLD not in _possible(memory, 60_000 + 7200)


def test_a_silence_brings_back_what_was_over() -> None:
    """A server may come back with a zone from before, for a moment that no look sees."""
    settled = remembered(look(0, OLD, OLD), look(10, NEW, NEW), look(100_000, NEW, NEW))
    assert OLD not in _possible(settled, 100_000)
    silent = settled.after(look(200_000, NEW, None)).after(look(200_100, NEW, NEW))
    assert OLD in _possible(silent, 200_100 + 7199)


def test_what_is_older_than_signatures_get_does_not_come_back() -> None:
    """No validating client takes it any more."""
    settled = remembered(look(0, OLD, OLD), look(10, NEW, NEW), look(20 + REMEMBERED, NEW, NEW))
    silent = settled.after(look(30 + REMEMBERED, NEW, None))
    assert OLD not in _possible(silent, 40 + REMEMBERED)


def test_a_server_on_its_way_may_have_given_out_what_came_in_between() -> None:
    """Another machine wrote twice: the secondary followed both changes, and no look saw it at the first."""
    between = records(key("other"))
    memory = remembered(look(0, OLD, OLD), look(10, between, OLD), look(20, NEW, OLD), look(50_000, NEW, NEW))
    assert between in _possible(memory, 50_000 + 7199)
    assert between not in _possible(memory, 50_000 + 7200)


def test_a_look_that_finds_all_in_agreement_revives_nothing() -> None:
    """The twin: what is over stays over."""
    empty = look(-10, NOTHING, NOTHING)
    memory = remembered(empty, look(0, OLD, OLD), look(10, NEW, NEW), look(5000, NEW, NEW), look(9000, OLD, OLD))
    assert memory.is_settled
    assert NEW in _possible(memory, 9000)
    assert {view.last for view in memory.views if view.records == OLD and not view.is_current} == {10}


def test_what_is_about_to_be_written_is_possible_before_anybody_has_it() -> None:
    """A run may die after its write, and another one write over it before a look."""
    memory = remembered(look(0, OLD)).about_to(NEW, 3600, 5)
    assert _possible(memory, 5) == {OLD, NEW}
    later = records(key("later"))
    overtaken = memory.about_to(later, 3600, 10_000).after(look(10_010, later))
    assert NEW in _possible(overtaken, 10_010 + 7199)
    assert NEW not in _possible(overtaken, 10_010 + 7200)


def test_a_write_that_never_turns_up_was_lost() -> None:
    """Else a refused write would bar the way for ever."""
    memory = remembered(look(0, OLD)).about_to(NEW, 3600, 5).after(look(10, OLD))
    assert NEW in _possible(memory, 5 + 7199)
    assert NEW not in _possible(memory, 5 + 7200)


def test_nothing_is_possible_that_nobody_had() -> None:
    """The twin of all that is: a look at nothing leaves an empty set, which accepts any chain."""
    memory = remembered(look(0, NOTHING, NOTHING))
    assert _possible(memory, 0) == {NOTHING}
    assert not memory.anywhere


def test_a_server_that_is_asked_no_more_had_its_set_until_then() -> None:
    """It left the delegation, and caches do not know."""
    memory = remembered(look(0, NEW, OLD), look(10, NEW))
    assert memory.anywhere == NEW
    assert OLD in _possible(memory, 10 + 7199)


def _unknown(memory: Memory) -> list[tuple[float, int]]:
    return [(view.last, view.ttl) for view in memory.views if view.is_unknown]


def test_a_first_look_that_finds_records_does_not_know_what_was_there_before() -> None:
    """Somebody else may have written them a moment ago; nobody gives out what was there, as far as is known."""
    memory = remembered(look(0, OLD, NEW, ttl=86400), look(10, NEW, NEW), look(20, NEW, NEW))
    assert _unknown(memory) == [(10, 86400)], "a server that was on its way may have had it still"
    assert memory.given == {NEW}
    assert memory.everywhere == NEW


def test_a_silence_brings_back_what_is_not_known() -> None:
    """The server may come back with it."""
    memory = remembered(look(0, OLD, OLD), look(10, OLD, OLD), look(20, OLD, None), look(30, OLD, OLD))
    assert _unknown(memory) == [(30, 3600)]


def test_a_server_that_never_answered_may_have_had_what_is_not_known() -> None:
    """The others having had nothing says nothing about it."""
    memory = remembered(look(0, NOTHING, None)).about_to(NEW, 3600, 5).after(look(10, NEW, None))
    assert _unknown(memory.after(look(20, NEW, NEW))) == [(20, 3600)]


def test_after_a_look_that_finds_nothing_all_is_known() -> None:
    """The twin: a first publication waits for nothing; nor does a server that is new, once there are records."""
    memory = remembered(look(0, NOTHING, NOTHING)).about_to(NEW, 3600, 5)
    assert not _unknown(memory.after(look(10, NEW, NOTHING)).after(look(20, NEW, NEW)).after(look(30, NEW, NEW, NEW)))


def test_what_was_noted_while_the_clock_was_ahead_is_as_old_as_the_next_look() -> None:
    """A year of waiting would follow from it else."""
    year = 365 * 86400.0
    memory = remembered(look(year, OLD, OLD)).about_to(NEW, 3600, year).after(look(100, NEW, NEW))
    assert memory.since[of_leaf(key("old"))] == 100
    assert _possible(memory, 100 + 7199) == {OLD, NEW}
    assert _possible(memory, 100 + 7200) == {NEW}
