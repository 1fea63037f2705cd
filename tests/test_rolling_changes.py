"""Which TLSA records are wanted, and which one change is harmless."""

from __future__ import annotations

from dnsbroker.rolling import Change, change, wanted
from dnsbroker.tlsa.records import Kind, Subject, Tlsa, made
from rolling_values import EE, TA, chain, key, look, of_leaf, records, remembered

LIVE, NEW, NEXT = chain("live", "A"), chain("new", "A"), key("next")
BOTH = (EE, TA)
NOTHING: frozenset[Tlsa] = frozenset()
FOREIGN = of_leaf(key("somebody else's"))
OF_A = made(TA, LIVE.authorities[0])


def test_wanted_are_the_live_key_the_next_one_and_the_cas_of_what_is_issued() -> None:
    """A key to come has no CA yet."""
    assert wanted(BOTH, [LIVE, NEXT]) == {of_leaf(LIVE), of_leaf(NEXT), OF_A}


def test_which_ca_is_named_is_said() -> None:
    """The top one, the issuing one, or both."""
    long = chain("live", "I", "root")
    issuing, top = (made(TA, each) for each in long.authorities)
    for issuer, expected in (("top", {top}), ("issuing", {issuing}), ("both", {issuing, top})):
        assert wanted([TA], [long], issuer=issuer) == expected


def test_a_pool_of_cas_is_for_2_1_1_alone() -> None:
    """Where that is asked for."""
    pool = ["ab" * 32]
    assert Tlsa(TA, bytes.fromhex(pool[0])) in wanted(BOTH, [LIVE], ta_pool=pool)
    assert wanted([EE], [LIVE], ta_pool=pool) == {of_leaf(LIVE)}


def test_a_key_without_a_certificate_has_no_record_of_one() -> None:
    """Its time comes with the chain."""
    assert wanted([Kind(3, 0, 1), EE], [NEXT]) == {of_leaf(NEXT)}


def test_the_first_set_has_to_match_what_is_served() -> None:
    """It is enforced at once."""
    assert change(records(LIVE), NOTHING, NOTHING, [LIVE], []).add == records(LIVE)
    refused = change(records(LIVE), NOTHING, NOTHING, [NEW], [])
    assert refused == Change(objections=("no records 3 1 1 are added: they would not name all that is served",))


def test_nothing_is_published_blindly() -> None:
    """An address that was not seen may serve anything, and nobody at all is no proof."""
    for served, unseen in (([LIVE], ["192.0.2.1"]), ([], [])):
        refused = change(records(LIVE), NOTHING, NOTHING, served, unseen)
        assert not refused.add
        assert "could not be seen" in refused.objections[0]


def test_what_adds_to_a_kind_that_is_there_needs_nobody_to_be_seen() -> None:
    """The next key can be published while a host is down."""
    both = records(LIVE, NEXT)
    assert change(both, NOTHING, records(LIVE), [], ["192.0.2.1"]).add == {of_leaf(NEXT)}


def test_adding_the_next_key_leaves_the_present_one_and_others_records() -> None:
    """Adding is not replacing."""
    there = records(LIVE) | {FOREIGN}
    assert change(records(LIVE, NEXT), records(LIVE), there, [LIVE], []) == Change(add=frozenset({of_leaf(NEXT)}))


def test_a_new_kind_has_to_name_every_chain_at_every_address() -> None:
    """RSA is covered and ECDSA is not; of two machines behind one name one is not."""
    other = chain("another machine", "B")
    decided = change(wanted(BOTH, [LIVE]), NOTHING, records(LIVE, other), [LIVE, other], [])
    assert not decided.add
    assert "2 1 1" in decided.objections[0]
    assert change(wanted(BOTH, [LIVE, other]), NOTHING, records(LIVE, other), [LIVE, other], []).add


def test_one_kind_that_does_not_fit_keeps_no_other_back() -> None:
    """Each is all or none by itself."""
    decided = change(wanted(BOTH, [LIVE, chain("live", "B")]) - {OF_A}, NOTHING, NOTHING, [LIVE], [])
    assert decided.add == {of_leaf(LIVE)}
    assert len(decided.objections) == 1


def test_additions_come_first_and_alone() -> None:
    """One change at a time (RFC 7671 section 8.4)."""
    old = of_leaf(key("old"))
    there = records(NEW) | {old}
    first = change(records(NEW, NEXT), there, there, [NEW], [])
    assert first == Change(add=frozenset({of_leaf(NEXT)}))
    second = change(records(NEW, NEXT), there | first.add, there | first.add, [NEW], [])
    assert second == Change(remove=frozenset({old}))


def test_only_our_own_go() -> None:
    """Whatever else is there stays."""
    old = of_leaf(key("old"))
    there = records(NEW) | {old, FOREIGN}
    assert change(records(NEW), records(NEW) | {old}, there, [NEW], []).remove == {old}
    assert not change(records(NEW), records(NEW), there, [NEW], []).remove


def test_a_second_run_changes_nothing() -> None:
    """What is there and wanted is right."""
    both = records(LIVE, NEXT)
    assert change(both, both, both, [LIVE], []) == Change()


def test_what_an_address_still_serves_stays_covered() -> None:
    """One of four serves the old key."""
    there = records(LIVE, NEW)
    decided = change(records(NEW), there, there, [NEW, LIVE], [])
    assert not decided.remove
    assert decided.objections == ("the old records 3 1 1 stay: what is served needs them",)
    assert change(records(NEW), there, there, [NEW], []).remove == records(LIVE)


def test_nothing_goes_while_an_address_is_not_seen() -> None:
    """It may serve the old key."""
    there = records(LIVE, NEW)
    assert not change(records(NEW), there, there, [NEW], ["192.0.2.1"]).remove


def test_what_is_to_be_kept_is_kept() -> None:
    """Its time has not come."""
    there = records(LIVE, NEW)
    assert change(records(NEW), there, there, [NEW], [], keep=records(LIVE)) == Change()


def test_the_last_match_of_a_kind_does_not_go() -> None:
    """Others' records of that kind remain, and name nothing that is served."""
    there = records(LIVE) | {OF_A, FOREIGN}
    decided = change(frozenset({OF_A}), records(LIVE), there, [LIVE], [])
    assert not decided.remove
    alone = there - {FOREIGN}
    assert change(frozenset({OF_A}), records(LIVE), alone, [LIVE], []).remove == records(LIVE)


def test_a_record_that_names_nothing_served_may_go_though_more_is_wrong() -> None:
    """It does no good, and somebody else's fault is none of ours."""
    old = of_leaf(key("old"))
    stale = made(TA, Subject(b"ca Z", b"ca key Z"))
    there = records(NEW) | {old, stale}
    assert change(records(NEW), records(NEW) | {old}, there, [NEW], []).remove == {old}


def test_what_a_server_has_from_before_is_not_written_again_until_it_is_through() -> None:
    """Else it would look as if it had arrived, with what came in between still to come."""
    before = records(LIVE, NEXT)
    assert not change(before, NOTHING, records(LIVE), [LIVE], [], passing=[before]).add
    assert change(before, NOTHING, records(LIVE), [LIVE], [], passing=[records(LIVE)]).add


def test_what_is_served_or_live_and_that_nothing_names_waits_for_no_server() -> None:
    """However many have the very set from before: who asks the others refuses it."""
    before = records(LIVE, NEXT)
    for served, live in (([LIVE], []), ([], [LIVE])):
        assert change(before, NOTHING, records(NEXT), served, [], live=live, passing=[before]).add == records(LIVE)
    assert not change(before, NOTHING, records(NEXT), [NEW], [], live=[NEW], passing=[before]).add


def test_what_only_comes_next_waits_although_what_is_served_does_not() -> None:
    """Its clock would begin too early; the reason is told."""
    found = change(
        records(LIVE, NEXT), NOTHING, frozenset({FOREIGN}), [LIVE], [], passing=[records(LIVE, NEXT) | {FOREIGN}]
    )
    assert found.add == records(LIVE)
    assert found.objections == ("a name server may still have that very set from before",)


def test_what_was_announced_last_passes_only_where_a_server_has_it() -> None:
    """Else it was lost, and is written again; what somebody took out at one server is on its way to the others."""
    before, after = records(LIVE), records(LIVE, NEXT)
    announced = remembered(look(0, before, before)).about_to(after, 60, 1)
    assert after not in announced.after(look(2, before, before)).passing
    there = announced.after(look(2, after, after, before))
    assert after in there.after(look(3, before, after, before)).passing
