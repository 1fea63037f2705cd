"""What the Cloudflare adapter writes, and what it leaves alone: batches, spellings, limits, TLSA, notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudflare import (
    Cloudflare,
    Fault,
    Zone,
)
from cloudflare.replies import success
from cloudflare_clients import Adapter, adapter, add, played, remove
from dnsbroker.adapter import KeepsNotes
from dnsbroker.errors import Conflict, NameInvalid, RecordRejected
from dnsbroker.records import Add, Change, Receipt, Record, Remove, Swap
from dnsbroker_cloudflare.plan import plan
from dnsbroker_cloudflare.stored import StoredRecord

ZONE = "example.com."
NAME = "_acme-challenge.example.com."
ONE, TWO = "3 1 1 " + "ab" * 32, "3 1 1 " + "cd" * 32


@pytest.fixture
def service() -> Iterator[Cloudflare]:
    """With one zone."""
    with Cloudflare() as started:
        started.add_zone("example.com")
        yield started


@pytest.fixture
def zone(service: Cloudflare) -> Zone:
    """The zone."""
    return service.zones[0]


def applied(service: Cloudflare, *changes: Change) -> Receipt:
    """The receipt for the changes, from an adapter that knows nothing of earlier ones."""
    client = adapter(service.url, service.add_token().secret)
    return played(client, lambda client: client.apply(ZONE, changes))


def bodies(service: Cloudflare) -> list[Any]:
    """What the requests that change something said."""
    assert {seen.path.rpartition("/")[2] for seen in service.changing} <= {"batch"}
    return [seen.body for seen in service.changing]


def test_apex_and_wildcard_are_one_batch(service: Cloudflare, zone: Zone) -> None:
    """Two posts at one name, quoted; both go by their ids, by a process that did not write them."""
    receipt = applied(service, add(NAME, "apex"), add(NAME, "wildcard"))
    assert receipt.atomic
    name = NAME.rstrip(".")
    wanted = [{"type": "TXT", "name": name, "ttl": 60, "content": f'"{value}"'} for value in ("apex", "wildcard")]
    assert bodies(service) == [{"posts": wanted}]
    ids = {record.value: ident for record, ident in receipt.record_ids.items()}
    assert ids == {one.content.strip('"'): one.id for one in service.see(zone, NAME)}
    assert applied(service, remove(NAME, "apex"), remove(NAME, "wildcard")).changed
    assert {each["id"] for each in bodies(service)[1]["deletes"]} == set(ids.values())
    assert service.see(zone) == []


def test_an_order_costs_one_look_one_batch_and_one_proof(service: Cloudflare) -> None:
    """Beside the question for the zones."""
    applied(service, add(NAME, "apex"), add(NAME, "wildcard"))
    assert [(seen.method, seen.path.rpartition("/")[2]) for seen in service.requests] == [
        ("GET", "zones"),
        ("GET", "dns_records"),
        ("POST", "batch"),
        ("GET", "dns_records"),
    ]


def test_forty_names_are_one_changing_request_each_way(service: Cloudflare, zone: Zone) -> None:
    """And hardly more to look, in a zone with other records."""
    for number in range(20):
        service.plant(zone, f"other{number}", "TXT", "a", "b")
    names = [f"_acme-challenge.host{number}.example.com." for number in range(40)]
    assert applied(service, *(add(name) for name in names)).atomic
    assert len(service.changing) == 1
    assert applied(service, *(remove(name) for name in names)).atomic
    assert len(service.changing) == 2
    assert len(service.requests) <= 10
    assert len(service.see(zone)) == 40


def test_two_names_among_very_many_records_are_looked_at_one_by_one(service: Cloudflare) -> None:
    """Where all TXT records would be more pages than there are names."""
    info = {"page": 1, "per_page": 2000, "count": 0, "total_count": 4500, "total_pages": 3}
    service.fail_next(Fault(success([], info=info).response()), "GET", "?type=TXT&per_page", times=2)
    changes = [add(f"_acme-challenge.{name}.example.com.") for name in ("one", "two")]
    assert applied(service, *changes).changed
    assert [seen.query.get("name.exact") for seen in service.requests if "type" in seen.query] == [
        None,
        "_acme-challenge.one.example.com",
        "_acme-challenge.two.example.com",
    ] * 2


@pytest.mark.parametrize("content", ['"ours"', "ours", '"ou" "rs"', '"o\\117rs"'])
def test_a_value_is_the_same_however_it_is_quoted(service: Cloudflare, zone: Zone, content: str) -> None:
    """It is not written again, and it is withdrawn."""
    service.plant(zone, NAME, "TXT", content)
    assert not applied(service, add(NAME)).changed
    assert service.changing == []
    assert applied(service, remove(NAME)).changed
    assert service.see(zone) == []


def test_both_spellings_of_a_value_go_together(service: Cloudflare, zone: Zone) -> None:
    """In DNS they are one."""
    made = service.plant(zone, NAME, "TXT", '"other"', '"ours"')
    # The service itself takes no second one; older records may be there all the same.
    bare = service.plant(zone, "elsewhere", "TXT", "ours")[0]
    zone.records[bare.id] = type(bare)(**{**vars(bare), "name": "_acme-challenge.example.com"})
    applied(service, remove(NAME))
    assert service.see(zone) == [made[0]]


def test_a_value_that_differs_in_case_is_not_ours(service: Cloudflare, zone: Zone) -> None:
    """The service's own filters ignore case."""
    service.plant(zone, NAME, "TXT", '"OURS"', '"ours "', '"ours longer"')
    assert not applied(service, remove(NAME)).changed
    assert applied(service, add(NAME)).changed
    assert applied(service, remove(NAME)).changed
    assert service.texts(zone, NAME) == ["OURS", "ours ", "ours longer"]


def test_only_ours_is_taken_away(service: Cloudflare, zone: Zone) -> None:
    """Foreign values stay as they are, with id, TTL and comment; the new one takes their TTL."""
    foreign = service.plant(zone, NAME, "TXT", "foreign", '"quoted"', ttl=1, comment="theirs")
    applied(service, add(NAME))
    assert [one.ttl for one in service.see(zone, NAME) if one not in foreign] == [1]
    applied(service, remove(NAME))
    assert service.see(zone) == foreign


# Limits


def test_more_than_a_batch_holds_is_split_between_names(service: Cloudflare, zone: Zone) -> None:
    """201 values: 200 at most at once, no name's torn apart, and the receipt says that they did not come together."""
    names = [f"_acme-challenge.host{number}.example.com." for number in range(67)]
    changes = [add(name, value) for name in names for value in ("a", "b", "c")]
    receipt = applied(service, *changes)
    assert (receipt.changed, receipt.atomic) == (True, False)
    assert [len(body["posts"]) for body in bodies(service)] == [198, 3]
    assert len(service.see(zone)) == 201


def test_what_just_fits_is_one_batch() -> None:
    """The twin: 200."""
    changes = [add(f"_acme-challenge.host{number}.example.com.", value) for number in range(100) for value in "ab"]
    assert [len(batch) for batch in plan(ZONE, changes).left([])] == [200]


def test_one_name_with_more_than_a_batch_is_torn() -> None:
    """There is no other way; what is deleted goes first."""
    old = [f"3 1 1 {number:064x}" for number in range(150)]
    new = [f"3 1 1 {number:064x}" for number in range(1000, 1100)]
    standing = [StoredRecord(value, NAME, "TLSA", value, 60, "", {}) for value in old]
    batches = plan(ZONE, [Swap(NAME, "TLSA", frozenset(old), frozenset(new), 60)]).left(standing)
    assert [(len(batch.deletes), len(batch.posts)) for batch in batches] == [(150, 50), (0, 50)]


def test_one_bad_record_keeps_its_neighbours_away(service: Cloudflare, zone: Zone) -> None:
    """All or nothing: the error is told, and nothing was applied."""
    changes = [add("_acme-challenge.b.example.com."), add(NAME, "x" * 2100)]
    with pytest.raises(RecordRejected, match="9015") as caught:
        applied(service, *changes)
    assert (caught.value.status, caught.value.transient) == ("9015", False)
    assert service.see(zone) == []


@pytest.mark.parametrize(("asked", "written"), [(30, 60), (5, 60), (100_000, 86_400)])
def test_a_ttl_that_is_not_taken_is_brought_within_bounds(
    service: Cloudflare, zone: Zone, asked: int, written: int
) -> None:
    """With a warning, once for each adapter."""
    client = adapter(service.url, service.add_token().secret)

    async def act(client: Adapter) -> list[tuple[str, ...]]:
        changes = [[add(name, ttl=asked)] for name in (NAME, "_acme-challenge.b.example.com.")]
        return [(await client.apply(ZONE, change)).warnings for change in changes]

    first, second = played(client, act)
    assert str(asked) in first[0]
    assert f"{written} s" in first[0]
    assert second == ()
    assert {one.ttl for one in service.see(zone)} == {written}


def test_a_ttl_that_is_taken_is_no_matter(service: Cloudflare, zone: Zone) -> None:
    """The twin: both bounds; and a Remove has none."""
    assert applied(service, add(NAME, ttl=60), add(f"b.{NAME}", ttl=86_400)).warnings == ()
    assert applied(service, remove(NAME)).warnings == ()
    assert {one.ttl for one in service.see(zone)} == {86_400}


# TLSA


def test_tlsa_goes_out_by_its_fields(service: Cloudflare, zone: Zone) -> None:
    """Never as content, and never by changing another record's type."""
    service.plant(zone, NAME, "TXT", '"text"')
    applied(service, Add(Record(NAME, "TLSA", ONE), 300), remove(NAME, "text"))
    (body,) = bodies(service)
    data = {"usage": 3, "selector": 1, "matching_type": 1, "certificate": "ab" * 32}
    assert body["posts"] == [{"type": "TLSA", "name": NAME.rstrip("."), "ttl": 300, "data": data}]
    assert set(body) == {"deletes", "posts"}


def test_tlsa_in_capitals_is_the_same(service: Cloudflare, zone: Zone) -> None:
    """The service gives it back so; the second run changes nothing."""
    change = Add(Record(NAME, "TLSA", ONE), 300)
    assert applied(service, change).changed
    assert service.see(zone)[0].content == "3 1 1 " + "AB" * 32
    assert not applied(service, change).changed
    assert applied(service, Remove(Record(NAME, "TLSA", ONE.upper()))).changed


@pytest.mark.parametrize("proxied", [True, False])
def test_tlsa_for_a_proxied_host_is_warned_of(service: Cloudflare, zone: Zone, proxied: bool) -> None:
    """Its clients see another certificate; a host that is DNS only is as it should be. Both are written."""
    (host,) = service.plant(zone, "www", "A", "192.0.2.1")
    zone.records[host.id] = replace(host, proxied=proxied)
    receipt = applied(service, Add(Record("_443._tcp.www.example.com.", "TLSA", ONE), 300))
    assert receipt.changed
    assert [warning.partition(",")[0] for warning in receipt.warnings] == [
        "provider cf: www.example.com is proxied"
    ] * proxied


def test_what_is_proxied_is_asked_before_anything_is_written(service: Cloudflare, zone: Zone) -> None:
    """Whoever is cancelled over it has written nothing; after the write only the proof is read."""
    applied(service, *(Add(Record(f"_443._tcp.w{number}.example.com.", "TLSA", ONE), 300) for number in range(9)))
    methods = [seen.method for seen in service.requests]
    assert methods[methods.index("POST") :] == ["POST", "GET"]


def test_a_swap_gives_what_stays_the_new_ttl(service: Cloudflare, zone: Zone) -> None:
    """By a patch of the TTL alone: record, id and comment stay."""
    (kept,) = service.plant(zone, NAME, "TLSA", ONE, ttl=3600, comment="theirs")
    applied(service, Swap(NAME, "TLSA", frozenset((ONE,)), frozenset((ONE, TWO)), 120))
    found = {one.content.lower(): one for one in service.see(zone)}
    assert {one.ttl for one in found.values()} == {120}
    assert (found[ONE].id, found[ONE].comment) == (kept.id, "theirs")


@pytest.mark.parametrize("value", ["3 1 1", "3 1 1 xyz", "a b c d"])
def test_what_is_no_tlsa_is_refused_without_a_request(service: Cloudflare, value: str) -> None:
    """In words; to remove it is no fault, for it cannot be there."""
    with pytest.raises(RecordRejected) as caught:
        applied(service, Add(Record(NAME, "TLSA", value), 300))
    assert "correct" in caught.value.hint
    assert service.requests == []
    assert not applied(service, Remove(Record(NAME, "TLSA", value))).changed


# What stands in the way


def test_a_cname_at_the_name_is_a_conflict(service: Cloudflare, zone: Zone) -> None:
    """With the advice to follow it."""
    service.plant(zone, NAME, "CNAME", "elsewhere.example.net")
    with pytest.raises(Conflict, match="81054") as caught:
        applied(service, add(NAME))
    assert "CNAME" in caught.value.hint
    assert not caught.value.transient
    assert len(service.changing) == 1


def test_a_name_outside_the_zone_is_refused_without_a_request(service: Cloudflare) -> None:
    """Also one that merely ends in the zone's letters."""
    with pytest.raises(RecordRejected, match="not in this zone") as caught:
        applied(service, add("_acme-challenge.counterexample.com."))
    assert "provider" in caught.value.hint
    with pytest.raises((RecordRejected, NameInvalid)):
        applied(service, add("a b.example.com."))
    assert service.requests == []


# Notes


def test_a_note_becomes_a_comment(service: Cloudflare, zone: Zone) -> None:
    """On one line and no longer than is taken; every note of the zone can be read again, whoever wrote it."""
    applied(service, add(NAME, note="dnsbroker run 17\r\nX: " + "y" * 200))
    service.plant(zone, "elsewhere", "TXT", "foreign", comment="theirs")
    service.plant(zone, "bare", "TXT", "without")
    service.plant(zone, "www", "A", "192.0.2.1", comment="no text")
    (ours,) = service.see(zone, NAME)
    assert ours.comment is not None
    assert len(ours.comment) == 100
    client = adapter(service.url, service.add_token().secret)
    assert isinstance(client, KeepsNotes)
    assert played(client, lambda client: client.notes(ZONE)) == {
        Record(NAME, "TXT", "ours"): ours.comment,
        Record("elsewhere.example.com.", "TXT", "foreign"): "theirs",
    }


def test_a_note_of_ours_moves_on(service: Cloudflare, zone: Zone) -> None:
    """By a patch of the comment alone: record, id and TTL stay; and never back."""
    early, late = (f"dnsbroker: delete after 20{year}-01-01T00:00:00Z" for year in (30, 31))
    (kept,) = service.plant(zone, NAME, "TXT", "ours", ttl=1, comment=early)
    (foreign,) = service.plant(zone, "foreign", "TXT", "ours", comment="theirs")
    changes = (add(NAME, note=late), add("foreign.example.com.", note=late))
    applied(service, *changes)
    (found,) = service.see(zone, NAME)
    assert (found.id, found.content, found.ttl, found.comment) == (kept.id, kept.content, 1, late)
    assert service.see(zone, "foreign") == [foreign]
    assert not applied(service, add(NAME, note=early)).changed
    assert service.see(zone, NAME) == [found]
    assert len(service.changing) == 1


def test_a_note_makes_no_difference(service: Cloudflare, zone: Zone) -> None:
    """A value that stands with another note, or none, is not touched."""
    before = service.plant(zone, NAME, "TXT", '"ours"')
    assert not applied(service, add(NAME, note="another")).changed
    assert service.see(zone) == before
