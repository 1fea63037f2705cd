"""Contents, zones and plans of the PowerDNS adapter: what is read, what is kept, what is asked for."""

from __future__ import annotations

import json
from typing import Any

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.records import Add, Change, Record, Remove, Swap
from dnsbroker_powerdns.contents import escaped_again, to_content, to_value
from dnsbroker_powerdns.plan import Unplannable, body, plan
from dnsbroker_powerdns.zone import ZoneState, zone_state
from literal_powerdns import NAME, rrset, zone

OURS = Add(Record(NAME, "TXT", "ours"), 5)
GONE = Remove(Record(NAME, "TXT", "ours"))


def state(*rrsets: dict[str, Any]) -> ZoneState:
    """The zone with these RRsets, as far as it concerns our name."""
    return zone_state(zone(*rrsets), (NAME,))


def operations(current: ZoneState, *changes: Change) -> list[dict[str, Any]]:
    """The operations of the PATCH that makes the changes."""
    wanted = plan("example.org.", changes).wanted(current)
    found: list[dict[str, Any]] = json.loads(body(wanted))["rrsets"]
    return found


@given(st.binary(max_size=600))
def test_any_octets_survive_content(octets: bytes) -> None:
    """Whatever a TXT record holds comes back from our content, and a foreign parser reads the same in it."""
    value = octets.decode("utf-8", "surrogateescape")
    content = to_content("TXT", value)
    assert to_value("TXT", content) == value
    rdata: Any = dns.rdata.from_text("IN", "TXT", content)
    assert b"".join(rdata.strings) == octets


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ('"abc"', "abc"),
        ('"ab" "cd"', "abcd"),
        ("bare word", "bareword"),
        (r'"say \"hi\" \\ \059"', 'say "hi" \\ ;'),
        (r'"\195\188"', "ü"),
        ('"ü"', "ü"),
        (r'"\999"', "999"),
        ('"unclosed', "unclosed"),
        ("", ""),
    ],
)
def test_any_content_can_be_read(content: str, value: str) -> None:
    """Several strings, bare words, escapes of every kind, and what nobody should have written."""
    assert to_value("TXT", content) == value


def test_octets_that_are_no_text_stay_apart() -> None:
    """A foreign octet 255 is not the text backslash-255, or removing one would remove the other."""
    assert to_value("TXT", r'"\255"') != to_value("TXT", r'"\\255"')


def test_strings_hold_at_most_255_octets() -> None:
    """A longer value is several strings, split between octets, not letters."""
    assert to_content("TXT", "a" * 256) == '"' + "a" * 255 + '" "a"'
    assert to_content("TXT", "") == '""'
    assert to_content("TXT", "a" * 254 + "ü").endswith(r'a\195" "\188"')


def test_escaping_again_can_be_undone_once() -> None:
    """Backslash, quote and octets each get one escape more."""
    assert escaped_again(r'"a \"b\" \\ \195"') == r'"a \\\"b\\\" \\\\ \\195"'
    assert escaped_again('"plain" "text"') == '"plain" "text"'


def test_only_the_names_asked_for_are_kept() -> None:
    """Servers that do not filter, and foreign comment-only RRsets in a filtered answer, change nothing."""
    foreign = rrset(name="www.example.org.", type="A", comments=[{"content": "hello", "account": "", "modified_at": 1}])
    assert set(state(foreign, rrset('"x"')).rrsets) == {(NAME, "TXT")}


@pytest.mark.parametrize(
    ("kind", "known_as"),
    [
        ("Master", "primary"),
        ("Slave", "secondary"),
        ("Primary", "primary"),
        ("Native", "native"),
        ("Consumer", "consumer"),
    ],
)
def test_kinds_are_known_by_both_their_names(kind: str, known_as: str) -> None:
    """5.x still says Master and Slave; the newer words are understood too."""
    found = zone_state(zone(kind=kind), ())
    assert found.kind == known_as
    assert found.takes_changes is (known_as not in ("secondary", "consumer"))


def test_everything_foreign_is_sent_back_as_it_was() -> None:
    """Foreign values letter by letter, disabled records, the TTL; comments stay where they are not mentioned."""
    current = rrset('"for" "eign"', r'"\"quoted\" \195\188"', ttl=3600)
    current["records"].append({"content": '"asleep"', "disabled": True, "modified_at": 1790000000})
    current["comments"] = [{"content": "hands off", "account": "me", "modified_at": 1790000000}]
    (operation,) = operations(state(current), OURS)
    assert operation == {
        "name": NAME,
        "type": "TXT",
        "changetype": "REPLACE",
        "ttl": 3600,
        "records": [*current["records"], {"content": '"ours"', "disabled": False}],
    }


def test_apex_and_wildcard_are_one_operation() -> None:
    """Two values at one name replace one RRset once."""
    (operation,) = operations(state(), OURS, Add(Record(NAME, "TXT", "wildcard"), 5))
    assert [record["content"] for record in operation["records"]] == ['"ours"', '"wildcard"']
    assert operation["ttl"] == 5


def test_removing_the_last_value_deletes() -> None:
    """Without records and comments the RRset is deleted, without a TTL."""
    assert operations(state(rrset('"ours"')), GONE) == [{"name": NAME, "type": "TXT", "changetype": "DELETE"}]


def test_removing_the_last_value_keeps_comments_and_disabled_records() -> None:
    """Deleting would take them along."""
    comment = {"content": "hands off", "account": "me", "modified_at": 1790000000}
    (operation,) = operations(state(rrset('"ours"', comments=[comment])), GONE)
    assert operation == {
        "name": NAME, "type": "TXT", "changetype": "REPLACE", "ttl": 60, "records": [], "comments": [comment]
    }  # fmt: skip
    asleep = rrset('"ours"')
    asleep["records"].append({"content": '"asleep"', "disabled": True})
    (operation,) = operations(state(asleep), GONE)
    assert operation["changetype"] == "REPLACE"
    assert operation["records"] == [{"content": '"asleep"', "disabled": True}]


def test_a_disabled_record_is_no_value() -> None:
    """Adding its value switches it on, for the server takes no record twice; removing it changes nothing."""
    asleep = rrset()
    asleep["records"].append({"content": '"ours"', "disabled": True})
    (operation,) = operations(state(asleep), OURS)
    assert operation["records"] == [{"content": '"ours"', "disabled": False}]
    assert operations(state(asleep), GONE) == []


def test_a_record_that_is_there_twice_is_sent_once() -> None:
    """Concurrent writers can leave one record in two rows; the server would not take both back."""
    (operation,) = operations(state(rrset('"twice"', '"twice"')), OURS)
    assert [record["content"] for record in operation["records"]] == ['"twice"', '"ours"']


def test_the_same_text_in_other_strings_is_the_same_value() -> None:
    """A validator joins the strings, so nothing is added."""
    assert operations(state(rrset('"ou" "rs"')), OURS) == []


def test_an_alias_is_in_the_way_of_a_value() -> None:
    """A CNAME at the name is told by its target; withdrawing there is no trouble."""
    current = state(rrset("elsewhere.example.", type="CNAME"))
    with pytest.raises(Unplannable, match="an alias of elsewhere") as caught:
        operations(current, OURS)
    assert caught.value.alias
    assert operations(current, GONE) == []


def test_a_disabled_alias_is_in_nobodys_way() -> None:
    """What is not served does not count."""
    alias = rrset(type="CNAME")
    alias["records"].append({"content": "elsewhere.example.", "disabled": True})
    assert len(operations(state(alias), OURS)) == 1


def test_ttl_survives_a_replaced_value() -> None:
    """An RRset whose only value is exchanged has not been away."""
    (operation,) = operations(state(rrset('"ours"', ttl=3600)), GONE, Add(Record(NAME, "TXT", "new"), 5))
    assert operation["ttl"] == 3600


def test_changes_after_a_swap_build_on_it() -> None:
    """Asked for again, the same changes are met already."""
    changes = (Swap(NAME, "TXT", frozenset(), frozenset({"a"}), 60), Add(Record(NAME, "TXT", "b"), 5))
    (operation,) = operations(state(), *changes)
    assert [record["content"] for record in operation["records"]] == ['"a"', '"b"']
    assert operations(state(rrset('"a"', '"b"')), *changes) == []


def test_names_are_sent_in_their_canonical_form() -> None:
    """Unicode, capitals and a missing dot."""
    (operation,) = operations(state(), Add(Record("_ACME-Challenge.Bücher.example.ORG", "TXT", "x"), 5))
    assert operation["name"] == "_acme-challenge.xn--bcher-kva.example.org."


def test_a_foreign_tlsa_of_any_spelling_is_compared_by_value() -> None:
    """Capitals and blanks in the hex do not make another record; what is no TLSA at all is left alone."""
    name = "_443._tcp.example.org."
    current = zone_state(zone(rrset("3 1 1 ABCD EF01", "nonsense", name=name, type="TLSA")), (name,))
    assert operations(current, Add(Record(name, "TLSA", "3 1 1 abcdef01"), 60)) == []
    (operation,) = operations(current, Remove(Record(name, "TLSA", "3 1 1 abcdef01")))
    assert operation["records"] == [{"content": "nonsense", "disabled": False}]
