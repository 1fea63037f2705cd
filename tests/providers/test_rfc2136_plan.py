"""What the RFC 2136 adapter decides to write, without a server."""

from __future__ import annotations

from collections.abc import Sequence

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dnsbroker.errors import NameInvalid
from dnsbroker.records import Add, Change, Record, RecordType, Remove, Swap
from dnsbroker_rfc2136.plan import Edit, Mismatch, message, plan
from dnsbroker_rfc2136.values import Standing, by_value, rdata_of, value_of

NAME = "_acme-challenge.example.org."
LETTERS = some.sampled_from("abcde")
OCTETS = some.binary(max_size=600).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
TEXTS = some.text(max_size=600) | OCTETS


def txt(*strings: str) -> dns.rdata.Rdata:
    """A TXT rdata of these character-strings."""
    return dns.rdata.from_text("IN", "TXT", " ".join(f'"{string}"' for string in strings))


def standing(*values: str, ttl: int = 3600, type: RecordType = "TXT") -> Standing:
    """These values at NAME."""
    return Standing(NAME, type, ttl if values else 0, {value: (rdata_of(type, value),) for value in values})


def planned(before: Standing, *changes: Change) -> Sequence[Edit]:
    """The edits for ``changes`` where ``before`` stands."""
    return plan(changes, {(NAME, before.type): before})


def add(value: str, ttl: int = 5) -> Add:
    """Add a TXT value."""
    return Add(Record(NAME, "TXT", value), ttl)


def remove(value: str) -> Remove:
    """Remove a TXT value."""
    return Remove(Record(NAME, "TXT", value))


def swap(expected: set[str], desired: set[str], ttl: int = 5) -> Swap:
    """Swap the TXT RRset."""
    return Swap(NAME, "TXT", frozenset(expected), frozenset(desired), ttl)


def sent(*edits: Edit) -> list[str]:
    """The prerequisite and update sections in a reader's form: ``CLASS TTL TYPE DATA``."""
    made = message("example.org.", edits)
    told = []
    for rrset in [*made.prerequisite, *made.update]:
        kind = dns.rdataclass.to_text(rrset.deleting if rrset.deleting is not None else rrset.rdclass)
        data = rrset[0].to_text() if len(rrset) else "-"
        told.append(f"{kind} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {data}")
    return told


def test_an_add_is_one_record_of_class_in() -> None:
    """RFC 2136 section 2.5.1."""
    assert sent(*planned(standing(), add("ours"))) == ['IN 5 TXT "ours"']


def test_an_add_takes_the_ttl_that_is_there() -> None:
    """BIND would rewrite the whole RRset's otherwise."""
    assert sent(*planned(standing("foreign", ttl=3600), add("ours"))) == ['IN 3600 TXT "ours"']


def test_a_ttl_of_nothing_is_not_sent() -> None:
    """PowerDNS does not take it for an add."""
    assert sent(*planned(standing("foreign", ttl=0), add("ours"))) == ['IN 1 TXT "ours"']


def test_a_remove_is_by_value() -> None:
    """RFC 2136 section 2.5.4; the RRset as a whole is never deleted."""
    assert sent(*planned(standing("ours", "foreign"), remove("ours"))) == ['NONE 0 TXT "ours"']


def test_a_value_is_removed_as_it_stands() -> None:
    """Another client may have cut it into strings differently, perhaps in two ways."""
    before = Standing(NAME, "TXT", 60, {"ours": (txt("ou", "rs"), txt("our", "s"))})
    assert sent(*planned(before, remove("ours"))) == ['NONE 0 TXT "ou" "rs"', 'NONE 0 TXT "our" "s"']


def test_a_value_is_there_however_it_is_cut() -> None:
    """And is not added a second time."""
    assert planned(Standing(NAME, "TXT", 60, {"ours": (txt("ou", "rs"),)}), add("ours")) == ()


def test_what_is_not_seen_is_deleted_all_the_same() -> None:
    """An earlier request may still be on its way; a delete without effect is no write."""
    (edit,) = planned(standing(), remove("ours"))
    assert sent(edit) == ['NONE 0 TXT "ours"']
    assert not edit.has_effect


def test_a_swap_is_guarded_by_every_value() -> None:
    """RFC 2136 section 2.4.2."""
    edits = planned(standing("old"), swap({"old"}, {"new"}))
    assert sent(*edits) == ['IN 0 TXT "old"', 'NONE 0 TXT "old"', 'IN 5 TXT "new"']


def test_a_swap_from_nothing_is_guarded_by_absence() -> None:
    """RFC 2136 section 2.4.3."""
    assert sent(*planned(standing(), swap(set(), {"new"}))) == ["NONE 0 TXT -", 'IN 5 TXT "new"']


def test_a_swap_of_something_else_is_a_mismatch() -> None:
    """With what was found."""
    with pytest.raises(Mismatch) as caught:
        planned(standing("foreign"), swap({"old"}, {"new"}))
    assert caught.value.expected == {"old"}
    assert caught.value.standing.values == {"foreign"}


def test_a_tlsa_value_that_no_record_can_hold_is_refused() -> None:
    """The length of a digest is known."""
    with pytest.raises(NameInvalid):
        plan([Add(Record(NAME, "TLSA", "3 1 1 abcd"), 5)], {(NAME, "TLSA"): standing(type="TLSA")})


CHANGES = some.lists(LETTERS.map(add) | LETTERS.map(remove), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(some.sets(LETTERS), CHANGES)
def test_only_what_is_mentioned_is_touched(there: set[str], changes: list[Change]) -> None:
    """Whatever the changes, foreign values stay, and the last word about a value holds."""
    wanted = set(there)
    for change in changes:
        assert isinstance(change, Add | Remove)
        (wanted.add if isinstance(change, Add) else wanted.discard)(change.record.value)
    after = set(there)
    for edit in planned(standing(*there), *changes):
        after -= {value_of(rdata) for rdata in edit.remove}
        after |= {value_of(rdata) for rdata in edit.add}
        assert edit.is_done(standing(*after))
    assert after == wanted


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_text_comes_back_octet_by_octet(text: str) -> None:
    """Over the wire and through presentation form, cut at 255 octets."""
    rdata = rdata_of("TXT", text)
    wire = rdata.to_wire()
    assert wire is not None
    assert value_of(dns.rdata.from_wire("IN", "TXT", wire, 0, len(wire))) == text
    assert value_of(dns.rdata.from_text("IN", "TXT", rdata.to_text())) == text


def test_equal_values_of_an_rrset_are_one_value() -> None:
    """Whose rdata are all kept."""
    rrset = dns.rrset.from_rdata_list(NAME, 60, [txt("ab"), txt("a", "b"), txt("c")])
    assert {value: len(rdatas) for value, rdatas in by_value(rrset).items()} == {"ab": 2, "c": 1}
