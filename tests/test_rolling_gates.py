"""When a key may be ordered for, and when a chain may be served."""

from __future__ import annotations

from dataclasses import replace

from dnsbroker.rolling import Memory, for_chain, for_key
from dnsbroker.rolling.gates import uncovered
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind, Subject, Tlsa, made
from rolling_values import EE, OWNER, TA, chain, key, look, of_leaf, records, remembered, site

LIVE, NEXT = chain("live", "A"), key("next")
ONE, TWO = records(LIVE), records(LIVE, NEXT)
BOTH = (EE, TA)
EE_512 = Kind(3, 1, 2)


def test_every_kind_has_to_name_the_chain() -> None:
    """A good 3 1 1 beside a stale 2 1 1 passes clients, and is not covered all the same (RFC 7671 section 8)."""
    stale = made(TA, Subject(b"ca B", b"ca key B"))
    assert uncovered(ONE | {stale}, LIVE) == (TA,)
    assert uncovered(records(LIVE, kinds=BOTH), LIVE) == ()


def test_a_stale_digest_of_another_type_is_a_kind_of_its_own() -> None:
    """Clients go by the strongest digest alone, and would refuse (RFC 7671 section 9)."""
    assert uncovered(ONE | {of_leaf(NEXT, EE_512)}, LIVE) == (EE_512,)


def test_records_that_no_client_can_use_demand_nothing() -> None:
    """They are dropped first; a digest of nothing is none of those, and names nothing."""
    assert uncovered(frozenset({Tlsa(Kind(3, 1, 2), b"short"), Tlsa(Kind(9, 1, 1), bytes(32))}), LIVE) == ()
    of_nothing = made(EE, Subject(b"", b""))
    assert uncovered(frozenset({of_nothing}), LIVE) == (EE,)
    assert uncovered(frozenset({of_nothing}), Presented(Subject(b"", b""))) == (EE,)


def test_all_four_usages_count() -> None:
    """Some clients know usages 0 and 1."""
    for kind, other in ((Kind(1, 1, 1), Subject(b"c", b"other")), (Kind(0, 1, 1), Subject(b"c", b"other"))):
        assert uncovered(frozenset({made(kind, other)}), LIVE) == (kind,)


def test_a_leaf_is_no_authority() -> None:
    """Usage 2 of the leaf's own key names nothing that is sent along."""
    assert uncovered(frozenset({made(TA, LIVE.leaf)}), LIVE) == (TA,)


def test_no_records_accept_everything() -> None:
    """Nothing published, nothing enforced."""
    assert uncovered(frozenset(), LIVE) == ()


def test_a_key_is_ripe_when_no_cache_can_hold_a_set_without_it() -> None:
    """An old TTL of an hour, and everywhere from 0 on: not before two hours have passed."""
    memory = remembered(look(-10, ONE), look(0, TWO))
    gate = for_key(NEXT, [site(memory)], 7199)
    assert not gate.is_open
    assert gate.opens_at == 7200
    assert "caches may hold records 3 1 1" in gate.reason
    assert for_key(NEXT, [site(memory)], 7200).is_open


def test_a_cached_denial_needs_no_wait_but_min_wait() -> None:
    """No TLSA means no DANE: any chain is accepted by whoever holds that."""
    memory = remembered(look(-10, records()), look(0, TWO))
    gate = for_key(NEXT, [site(memory, min_wait=600.0)], 599)
    assert (gate.is_open, gate.opens_at) == (False, 600)
    assert "is on every name server" in gate.reason
    assert "it may be relied on from" in gate.reason
    assert for_key(NEXT, [site(memory, min_wait=600.0)], 600).is_open


def test_one_of_two_owner_names_is_not_enough() -> None:
    """A key is served at both."""
    ripe = site(remembered(look(-10, ONE), look(0, TWO)))
    late = site(remembered(look(-10, ONE), look(0, ONE)), owner="_443._tcp.www.example.org.")
    gate = for_key(NEXT, [ripe, late], 100_000)
    assert not gate.is_open
    assert gate.opens_at is None
    assert gate.missing == (("_443._tcp.www.example.org.", of_leaf(NEXT)),)
    assert for_key(NEXT, [ripe], 100_000).is_open


def test_a_silent_server_holds_the_step() -> None:
    """It may come back with the old set; time alone does not help."""
    memory = remembered(look(-10, ONE, ONE), look(0, TWO, TWO), look(100_000, TWO, None))
    gate = for_key(NEXT, [site(memory)], 100_000)
    assert not gate.is_open
    assert gate.opens_at is None
    assert gate.reason.startswith("not every name server answers")


def test_what_a_silent_server_may_lack_is_told_as_that_and_not_as_missing() -> None:
    """Of a chain: the record may be there; the twin lacks it at one that answers."""
    new, before, after = chain("next", "A"), records(LIVE, kinds=BOTH), records(LIVE, chain("next", "A"), kinds=BOTH)
    silent, lacking = (remembered(look(-10, before, before), look(0, after, late)) for late in (None, before))
    gate = for_chain(new, [site(silent, BOTH)], 100_000, live=LIVE)
    assert gate.reason.startswith("not every name server answers")
    gate = for_chain(new, [site(lacking, BOTH)], 100_000, live=LIVE)
    assert "is not on every name server" in gate.reason


def test_a_key_needs_no_record_of_a_certificate() -> None:
    """There is none yet to make it of: the chain will wait for it."""
    assert for_key(NEXT, [site(remembered(look(0, TWO)), (EE, Kind(3, 0, 1)))], 100_000).is_open


def test_a_new_issuer_is_held_until_every_view_names_it() -> None:
    """Its record is missing; then it is young; then old sets are in caches; then the way is open."""
    new = chain("next", "B")
    before = remembered(look(0, records(LIVE, new, kinds=(EE,)) | records(LIVE, kinds=BOTH)))
    gate = for_chain(new, [site(before, BOTH)], 50_000, live=LIVE)
    assert not gate.is_open
    assert gate.opens_at is None
    assert gate.missing == ((OWNER, made(TA, new.authorities[0])),)
    after = before.after(look(50_000, records(LIVE, new, kinds=BOTH)))
    assert for_chain(new, [site(after, BOTH)], 50_001, live=LIVE).opens_at == 57_200
    assert for_chain(new, [site(after, BOTH)], 57_200, live=LIVE).is_open


def test_an_alternate_chain_without_the_root_that_is_named_is_held() -> None:
    """The key of a CA that is not sent along names nothing."""
    long, short = chain("live", "I", "root"), chain("live", "I")
    memory = remembered(look(0, records(long, kinds=BOTH)))
    assert not for_chain(short, [site(memory, BOTH)], 100_000, live=long).is_open


def test_a_renewal_with_the_same_key_and_issuer_is_never_held() -> None:
    """It relies on nothing new: a silent server, a young record or a short signature is no reason."""
    renewed = replace(LIVE, leaf=Subject(b"another certificate", LIVE.leaf.public_key))
    young = remembered(look(0, records(LIVE, kinds=BOTH)))
    silent = young.after(look(10, records(LIVE, kinds=BOTH), None))
    unsigned = remembered(look(0, records(LIVE, kinds=BOTH), expires=None))
    for memory in (Memory(), young, silent, unsigned):
        assert for_chain(renewed, [site(memory, BOTH)], 20, live=LIVE).is_open


def test_a_new_key_is_held_for_all_of_these() -> None:
    """The twin."""
    new, both = chain("next", "A"), records(LIVE, chain("next", "A"), kinds=BOTH)
    young = remembered(look(-10, records()), look(0, both))
    silent = young.after(look(100_000, both, None))
    unsigned = remembered(look(0, both, expires=None))
    assert not for_chain(new, [site(young, BOTH)], 20, live=LIVE).is_open
    assert not for_chain(new, [site(silent, BOTH)], 200_000, live=LIVE).is_open
    assert not for_chain(new, [site(unsigned, BOTH)], 200_000, live=LIVE).is_open
    assert for_chain(new, [site(young, BOTH)], 3600, live=LIVE).is_open


def test_a_view_that_the_live_chain_fails_too_does_not_hold_its_successor() -> None:
    """What is broken already is not made worse."""
    stale = frozenset({made(TA, Subject(b"ca Z", b"ca key Z"))})
    memory = remembered(look(0, ONE | stale))
    assert for_chain(LIVE, [site(memory)], 100_000, live=LIVE).is_open
    assert not for_chain(LIVE, [site(memory)], 100_000).is_open


def test_where_time_runs_out_the_leaf_is_enough() -> None:
    """Conforming clients accept a match of one kind, if it is one that all of them can use."""
    new = chain("next", "B")
    memory = remembered(look(0, records(LIVE, NEXT) | records(LIVE, kinds=BOTH)))
    assert not for_chain(new, [site(memory, BOTH)], 100_000, live=LIVE).is_open
    assert for_chain(new, [site(memory, BOTH)], 100_000, leaf_only=True, live=LIVE).is_open


def test_where_time_runs_out_a_view_without_usage_3_has_to_be_covered_whole() -> None:
    """Usage 1 is nothing to a mail server, and 2 1 1 alone speaks of the issuer."""
    new = chain("next", "B")
    only_ca = remembered(look(0, records(LIVE, kinds=(TA,))))
    pkix = frozenset({made(Kind(1, 1, 1), new.leaf)})
    for memory in (only_ca, remembered(look(0, records(LIVE, kinds=(TA,)) | pkix))):
        assert not for_chain(new, [site(memory, BOTH)], 100_000, leaf_only=True, live=LIVE).is_open


def test_one_ripe_record_of_a_kind_will_do() -> None:
    """The issuing CA is new in the set, the top one is not."""
    new = chain("live", "I2", "root")
    old = chain("live", "I1", "root")
    memory = remembered(look(0, records(old, kinds=BOTH)))
    memory = memory.after(look(50_000, records(old, kinds=BOTH) | {made(TA, new.authorities[0])}))
    assert for_chain(new, [site(memory, BOTH)], 50_001, live=old).is_open


def test_what_was_there_before_the_first_look_may_be_in_caches_for_twice_the_ttl_found() -> None:
    """The journal is new, or lost: nobody knows since when the next key stands beside the present one."""
    new, day = chain("next", "A"), 86400
    memory = remembered(look(0, records(LIVE, new, kinds=BOTH), ttl=day))
    for gate in (for_key(NEXT, [site(memory)], 2 * day - 1), for_chain(new, [site(memory)], 2 * day - 1, live=LIVE)):
        assert (gate.is_open, gate.opens_at) == (False, 2 * day)
        assert "when it was looked at first" in gate.reason
    assert for_key(NEXT, [site(memory)], 2 * day).is_open
    assert for_chain(new, [site(memory)], 2 * day, live=LIVE).is_open
    assert not for_chain(LIVE, [site(memory)], 3600).is_open, "whether this is what was served nobody says"


def test_what_is_not_known_holds_no_renewal() -> None:
    """Whatever caches have: what names the present key and issuer names its successor too."""
    renewed = replace(LIVE, leaf=Subject(b"another certificate", LIVE.leaf.public_key))
    for kinds in ((EE,), (TA,), BOTH):
        memory = remembered(look(0, records(LIVE, kinds=kinds)))
        assert for_chain(renewed, [site(memory, kinds)], 0, live=LIVE).is_open


def test_an_issuer_that_is_named_too_is_relied_on_once_nothing_unknown_is_left() -> None:
    """Caches may hold a 2 1 1 of the present one alone; nor does a whole certificate come again."""
    other, both = chain("live", "B"), records(LIVE, chain("live", "B"), kinds=BOTH)
    memory = remembered(look(0, both, ttl=86400))
    assert for_chain(other, [site(memory, BOTH)], 3600, live=LIVE).opens_at == 2 * 86400
    assert for_chain(other, [site(memory, BOTH)], 3600, live=LIVE, leaf_only=True).is_open
    assert not for_chain(chain("next", "A"), [site(memory, BOTH)], 3600, live=LIVE, leaf_only=True).is_open
    whole = Kind(3, 0, 1)
    named = remembered(look(0, records(LIVE, other, kinds=(EE, whole)), ttl=86400))
    assert not for_chain(other, [site(named, (EE, whole))], 3600, live=LIVE).is_open


def test_records_that_no_client_can_use_are_no_reason_to_hold_a_renewal() -> None:
    """They are none of the kinds that count."""
    memory = remembered(look(0, ONE | {Tlsa(Kind(3, 1, 2), b"short"), Tlsa(Kind(9, 1, 1), bytes(32))}))
    renewed = replace(LIVE, leaf=Subject(b"another certificate", LIVE.leaf.public_key))
    assert for_chain(renewed, [site(memory)], 0, live=LIVE).is_open
