"""What is to be done about a certificate, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnsbroker.rolling import Act, Memory, Situation, Step, move
from dnsbroker.rolling.situation import Case
from dnsbroker.rolling.table import ROWS
from dnsbroker.tlsa.computing import Presented
from rolling_values import EE, TA, chain, key, look, records, remembered, site

LIVE, NEXT, NEW = chain("live", "A"), key("next"), chain("next", "A")
OTHER = chain("next", "B")
BOTH = (EE, TA)
NOW = 1_000_000.0

STANDING = remembered(look(0, records(LIVE)), look(10, records(LIVE, NEXT)))
FRESH = remembered(look(0, records(LIVE)), look(NOW - 10, records(LIVE, NEXT)))
OF_CA = remembered(look(0, records(LIVE, NEXT) | records(LIVE, kinds=BOTH)))

STEADY = Situation(NOW, LIVE, NEXT, served=(LIVE,), verified_since=0.0, sites=(site(STANDING),))
UNRIPE = replace(STEADY, sites=(site(FRESH),))
HELD = replace(STEADY, held=OTHER, sites=(site(OF_CA, BOTH),))
GONE_LIVE = replace(STEADY, live=NEW, next=key("third"), has_old_records=True, served=(NEW,), verified_since=None)
#: An owner name that is to have no records any more, while caches may hold some.
GONE = site(remembered(look(0, records(LIVE, NEXT)), look(NOW - 10, records())), kinds=(), owner="_25._tcp.gone.test")

_TWO = (records(LIVE, NEXT), records(LIVE, NEXT))
#: In an emergency, with a chain for the next key, one server is silent that had its record, or never had.
DEAD, NEVER = (
    replace(
        STEADY,
        is_emergency=True,
        held=NEW,
        sites=(site(remembered(look(0, *before), look(NOW, _TWO[0], None)), silent="s1"),),
    )
    for before in (_TWO, (records(LIVE), records(LIVE)))
)

CASES = {
    "nothing is left to move": (STEADY, Act.REST, Step.STEADY),
    "no next key": (replace(STEADY, next=None), Act.STAGE, Step.STAGED),
    "its record is not written": (replace(STEADY, next=key("third")), Act.REST, Step.STAGED),
    "its record is not everywhere": (
        replace(STEADY, sites=(site(remembered(look(0, records(LIVE, NEXT), records(LIVE)))),)),
        Act.REST,
        Step.PUBLISHED,
    ),
    "caches may hold a set without it": (UNRIPE, Act.REST, Step.PROPAGATED),
    "a new key is asked for": (replace(STEADY, is_asked=True), Act.ORDER_NEXT, Step.RIPE),
    "it is asked for too early": (replace(UNRIPE, is_asked=True), Act.REST, Step.PROPAGATED),
    "due, and no new key is wanted": (replace(STEADY, is_due=True), Act.ORDER_PRESENT, Step.STEADY),
    "due, and the next key is ripe": (
        replace(STEADY, is_due=True, is_new_key_wanted=True),
        Act.ORDER_NEXT,
        Step.RIPE,
    ),
    "due, and the next key is not ripe": (
        replace(UNRIPE, is_due=True, is_new_key_wanted=True),
        Act.ORDER_PRESENT,
        Step.PROPAGATED,
    ),
    "due, and time is short": (
        replace(STEADY, is_due=True, is_new_key_wanted=True, is_pressing=True),
        Act.ORDER_PRESENT,
        Step.PROPAGATED,
    ),
    "asked for, ripe, and time is short": (
        replace(STEADY, is_asked=True, is_pressing=True),
        Act.REST,
        Step.RIPE,
    ),
    "nothing is there": (replace(STEADY, live=None), Act.REST, Step.UNPUBLISHED),
    "the first certificate": (replace(STEADY, live=None, is_due=True), Act.ORDER_PRESENT, Step.UNPUBLISHED),
    "a further endpoint was withdrawn": (replace(STEADY, sites=(*STEADY.sites, GONE)), Act.REST, Step.STEADY),
    "all were withdrawn, and no cache has a record": (replace(STEADY, sites=()), Act.REST, Step.STEADY),
    "the only endpoint was withdrawn": (replace(STEADY, sites=(GONE,)), Act.REST, Step.UNPUBLISHED),
    "no record stands": (replace(STEADY, sites=(site(remembered(look(0, records()))),)), Act.REST, Step.UNPUBLISHED),
    "the live key's record is not everywhere": (
        replace(STEADY, sites=(site(remembered(look(0, records(NEXT)))),)),
        Act.REST,
        Step.PUBLISHED,
    ),
    "a chain that every view names": (replace(STEADY, held=NEW), Act.GO_LIVE, Step.ISSUED),
    "a chain of another issuer": (HELD, Act.REST, Step.HELD),
    "the same, and time is short": (replace(HELD, is_pressing=True), Act.GO_LIVE_LOUDLY, Step.ISSUED),
    "a chain for a key that is not covered, and time is short": (
        replace(UNRIPE, held=NEW, is_pressing=True),
        Act.DISCARD,
        Step.HELD,
    ),
    "a chain for the present key, not covered, and time is short": (
        replace(
            STEADY,
            held=chain("live", "B"),
            is_pressing=True,
            sites=(site(remembered(look(0, records(LIVE, kinds=(TA,)))), (TA,)),),
        ),
        Act.REST,
        Step.HELD,
    ),
    "not every address serves the new key": (GONE_LIVE, Act.REST, Step.DEPLOYED),
    "an address is not seen": (replace(GONE_LIVE, unseen=("192.0.2.1",)), Act.REST, Step.DEPLOYED),
    "old records have a moment more": (replace(GONE_LIVE, verified_since=NOW - 59), Act.REST, Step.VERIFIED),
    "old records are about to go": (replace(GONE_LIVE, verified_since=NOW - 60), Act.REST, Step.VERIFIED),
    "no roll-over begins before the last one is over": (
        replace(STEADY, has_old_records=True, is_asked=True),
        Act.REST,
        Step.VERIFIED,
    ),
    "what was deployed serves nothing": (
        replace(GONE_LIVE, lost=("192.0.2.1",), previous=LIVE, served=()),
        Act.ROLL_BACK,
        Step.STUCK,
    ),
    "what was deployed serves what no record names": (
        replace(GONE_LIVE, previous=LIVE, served=(chain("wrong", "A"),)),
        Act.ROLL_BACK,
        Step.STUCK,
    ),
    "there is nothing to go back to": (
        replace(GONE_LIVE, lost=("192.0.2.1",), unseen=("192.0.2.1",), served=()),
        Act.REST,
        Step.DEPLOYED,
    ),
    "it was taken back": (replace(STEADY, refused="0a1b"), Act.REST, Step.STUCK),
    "it was taken back, and it is due": (replace(STEADY, refused="0a1b", is_due=True), Act.REST, Step.STUCK),
    "it was taken back, and time is short": (
        replace(STEADY, refused="0a1b", is_due=True, is_pressing=True),
        Act.ORDER_PRESENT,
        Step.STUCK,
    ),
    "it is to be taken back, and there is a way": (
        replace(STEADY, refused="0a1b", serial="0a1b", previous=LIVE),
        Act.ROLL_BACK,
        Step.STUCK,
    ),
    "it is to be taken back, and there is none": (
        replace(STEADY, refused="0a1b", serial="0a1b"),
        Act.REST,
        Step.STUCK,
    ),
    "the live key was revoked as compromised": (
        replace(UNRIPE, is_due=True, is_key_barred=True),
        Act.ORDER_NEXT,
        Step.PUBLISHED,
    ),
    "the same, and a chain for it is held": (
        replace(STEADY, is_key_barred=True, held=LIVE),
        Act.DISCARD,
        Step.HELD,
    ),
    "an emergency, and a chain that has to wait, and time is short": (
        replace(
            STEADY, is_emergency=True, is_pressing=True, held=NEW, sites=(site(remembered(look(0, records(LIVE)))),)
        ),
        Act.REST,
        Step.HELD,
    ),
    "an emergency, and the next key is ripe": (replace(STEADY, is_emergency=True), Act.ORDER_NEXT, Step.RIPE),
    "an emergency, and it is not": (replace(UNRIPE, is_emergency=True), Act.ORDER_NEXT, Step.PUBLISHED),
    "an emergency, and there is none": (replace(STEADY, is_emergency=True, next=None), Act.STAGE, Step.STAGED),
    "an emergency, and the chain is for the bad key": (
        replace(STEADY, is_emergency=True, held=LIVE),
        Act.DISCARD,
        Step.HELD,
    ),
    "an emergency, and the new chain is not covered everywhere": (
        replace(UNRIPE, is_emergency=True, held=NEW),
        Act.GO_LIVE_LOUDLY,
        Step.ISSUED,
    ),
    "an emergency, and a server that had its record is silent": (DEAD, Act.GO_LIVE_LOUDLY, Step.ISSUED),
    "an emergency, and a server that had none is silent": (NEVER, Act.REST, Step.HELD),
    "an emergency, and its record is not everywhere": (
        replace(STEADY, is_emergency=True, held=NEW, sites=(site(remembered(look(0, records(LIVE)))),)),
        Act.REST,
        Step.HELD,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_move(case: str) -> None:
    """And words that say why."""
    situation, act, step = CASES[case]
    decided = move(situation)
    assert (decided.act, decided.step) == (act, step), decided.reason
    assert decided.reason and not decided.reason.endswith(".")


def test_every_row_has_a_case() -> None:
    """None is there for nothing, and none hides behind another."""
    first = {next(row for row in ROWS if row.condition(Case(situation))) for situation, _, _ in CASES.values()}
    assert [number for number, row in enumerate(ROWS) if row not in first] == []


def test_another_client_s_certificate_is_never_ordered_nor_its_key_made() -> None:
    """Whatever is due, asked for or pressing."""
    for situation, _, _ in CASES.values():
        foreign = move(replace(situation, is_ordered_here=False))
        assert foreign.act not in (Act.STAGE, Act.ORDER_NEXT, Act.ORDER_PRESENT)


def test_another_client_s_certificate_without_a_next_key_is_steady() -> None:
    """Certbot lays none out."""
    decided = move(replace(STEADY, next=None, is_ordered_here=False))
    assert decided.is_over


def test_only_rest_in_steady_is_the_end() -> None:
    """A renewal that is due is left to do."""
    assert move(STEADY).is_over
    assert not move(replace(STEADY, is_due=True)).is_over


def test_a_wait_says_until_when() -> None:
    """Two hours after the last look that may have missed the old set."""
    decided = move(UNRIPE)
    assert decided.until == NOW - 10 + 7200
    assert move(replace(GONE_LIVE, verified_since=NOW - 59)).until == NOW + 1


def test_a_renewal_that_falls_back_says_why() -> None:
    """The operator wanted a new key."""
    reason = move(replace(UNRIPE, is_due=True, is_new_key_wanted=True)).reason
    assert reason.startswith("a renewal keeps the present key, for the next one has to wait: caches may hold")


def test_where_no_record_is_to_stand_none_is_said_to() -> None:
    """The twin has both."""
    assert "on every name server" not in move(replace(STEADY, sites=())).reason
    assert move(STEADY).reason == "the records of the present key and of the next one are on every name server"


def test_an_address_with_another_key_is_named_with_the_cure() -> None:
    """Another client's certificate is none that is deployed here."""
    behind = replace(GONE_LIVE, strange=("smtp://mail.test at 192.0.2.1 serves the key 00ff…", "and another"))
    told = move(behind).reason
    assert all(words in told for words in (*behind.strange, "reload what serves there, then `dnsbroker deploy`"))
    foreign = move(replace(behind, is_ordered_here=False, next=None)).reason
    assert foreign.endswith("reload what serves there, then `dnsbroker tlsa advance`")


def test_what_presses_may_not_go_back_in_an_emergency() -> None:
    """The key before is the one that is not to be used."""
    failing = replace(GONE_LIVE, lost=("192.0.2.1",), previous=LIVE, served=(), is_emergency=True)
    assert move(failing).act is not Act.ROLL_BACK


def test_nothing_known_is_no_licence() -> None:
    """Before the first look no key is ripe."""
    unknown = replace(STEADY, is_asked=True, sites=(site(Memory()),))
    assert move(unknown).act is Act.REST


def test_a_silent_server_is_named_with_what_becomes_of_it() -> None:
    """In an emergency: what it may do, or, where it never had the record, how to go on without it."""
    dead = move(DEAD).reason
    assert "s1: no answer within 10 s" in dead
    assert dead.count("not every name server answers") == 1
    assert dead.endswith("what a silent one may give out refuses the new key until it follows")
    never = move(NEVER).reason
    assert "s1: no answer within 10 s" in never
    assert never.endswith("take it out of the delegation")


def test_a_record_that_a_server_that_answers_lacks_is_waited_for_in_an_emergency() -> None:
    """Whoever else is silent: that one does follow."""
    lagging = remembered(look(0, *_TWO, records(LIVE)), look(NOW, None, _TWO[0], records(LIVE)))
    decided = move(replace(DEAD, sites=(site(lagging, silent="s0"),)))
    assert decided.act is Act.REST
    assert "delegation" not in decided.reason


@pytest.mark.parametrize("next_key", [NEXT, key("third")])
def test_where_a_server_is_silent_no_record_is_said_to_be_missing(next_key: Presented) -> None:
    """It is named, with what it said; the twin, where all answer, says what is missing."""
    silent = site(remembered(look(0, *_TWO), look(NOW, _TWO[0], None)), silent="s1")
    told = move(replace(STEADY, next=next_key, sites=(silent,))).reason
    assert told.startswith(
        "the records of what is live are not seen on every name server: not every name server answers"
    )
    assert "(s1: no answer within 10 s)" in told
    lacking = site(remembered(look(0, records(LIVE, NEXT), records(NEXT))))
    told = move(replace(STEADY, sites=(lacking,))).reason
    assert told.startswith("the records of what is live are not on every name server for")
