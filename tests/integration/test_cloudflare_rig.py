"""The faithful Cloudflare: its handwritten rules for records, and that nothing gets past the description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudflare import Cloudflare, Zone, description
from cloudflare.asking import NAME, Visitor, codes

TLSA = {"usage": 3, "selector": 1, "matching_type": 1, "certificate": "ab" * 32}


def txt(name: str, content: str = '"ours"') -> dict[str, object]:
    """A record for a batch."""
    return {"type": "TXT", "name": f"{name}.example.com", "content": content, "ttl": 60}


@pytest.fixture
def service() -> Iterator[Cloudflare]:
    """A service without name servers."""
    with Cloudflare() as running:
        yield running


@pytest.fixture
def zone(service: Cloudflare) -> Zone:
    """A zone on the free plan."""
    return service.add_zone("example.com")


@pytest.fixture
def client(service: Cloudflare) -> Visitor:
    """Somebody who may do everything."""
    return Visitor(service, service.add_token())


# The description


def test_a_request_that_the_description_does_not_allow_fails_the_test() -> None:
    """In its query, its body or its path; what it allows passes."""
    with pytest.raises(AssertionError), Cloudflare() as service:
        Visitor(service, service.add_token())("GET", "/zones", per_page=100)
    with Cloudflare() as service:
        client, zone = Visitor(service, service.add_token()), service.add_zone("example.com")
        client("GET", "/zones", per_page=50)
        assert service.violations == []
        client("GET", "/zones", nmae="example.com")
        client("GET", "/accounts")
        client("POST", f"/zones/{zone.id}/dns_records", {"type": "TXT", "name": NAME})
        assert len(service.forgive()) == 3


def test_a_reply_that_the_description_does_not_allow_is_seen() -> None:
    """The twin of every other test here, whose replies are all held against it."""
    call = description.call("GET", "/zones/" + "0" * 32)
    assert call is not None
    right = {"success": True, "errors": [], "messages": [], "result": None}
    assert description.reply_violations(call, 404, right | {"success": False, "errors": [{"code": 0}]}) != []
    assert description.reply_violations(call, 404, right | {"success": False}) == []
    assert description.reply_violations(call, 200, right | {"result": {"name": "example.com"}}) != []
    assert description.reply_violations(call, 500, right) != []


def test_tlsa_in_words_is_against_the_description_and_refused(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """It is made of its data; content alone earns the real one's own sentence."""
    answer = client.create(zone, "3 1 1 abcd", type="TLSA")
    assert codes(answer) == [400, 9101]
    assert answer.json()["errors"][0]["message"] == "usage is a required data field."
    assert len(service.forgive()) == 1


# Records


def test_a_text_is_stored_as_it_is_sent(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """With its quotes or without; only a string that is too long comes back in several."""
    for number, content in enumerate(("bare", '"quoted"', '"two" "strings"', 'in "the" middle')):
        assert client.create(zone, content, name=f"n{number}.example.com").json()["result"]["content"] == content
    long = client.create(zone, f'"{"x" * 300}"').json()["result"]["content"]
    assert long == f'"{"x" * 255}" "{"x" * 45}"'
    assert service.texts(zone, NAME) == ["x" * 300]


def test_a_record_has_what_records_have_since_2024(zone: Zone, client: Visitor) -> None:
    """No zone in it, and a comment that may be null."""
    plain = client.create(zone).json()["result"]
    assert {"zone_id", "zone_name", "locked"}.isdisjoint(plain)
    assert plain["comment"] is None
    assert client.create(zone, '"noted"', comment="dnsbroker").json()["result"]["comment"] == "dnsbroker"
    assert [one["comment"] for one in client.records(zone, comment__contains="BROKER")] == ["dnsbroker"]


def test_names_are_completed_and_lower(zone: Zone, client: Visitor) -> None:
    """What does not end in the zone's name gets it appended."""
    for sent, kept in (("@", "example.com"), ("WWW.Example.com", "www.example.com"), ("a.org", "a.org.example.com")):
        assert client.create(zone, name=sent).json()["result"]["name"] == kept


def test_filters_ignore_case(zone: Zone, client: Visitor) -> None:
    """So that a client which does not compare for itself takes another's token for its own."""
    client.create(zone, '"Token"')
    client.create(zone, '"tOKEN"')
    for query in ({"name": NAME.upper()}, {"name__exact": NAME}, {"content__exact": '"token"'}, {"match": "all"}):
        assert len(client.records(zone, type="TXT", **query)) == 2
    assert client.records(zone, content="token") == []


def test_tlsa_comes_back_in_capitals(zone: Zone, client: Visitor) -> None:
    """In its data and in its words."""
    told = client.create(zone, None, type="TLSA", data=TLSA).json()["result"]
    assert told["data"] == TLSA | {"certificate": "AB" * 32}
    assert told["content"] == "3 1 1 " + "AB" * 32


REFUSED: dict[str, tuple[dict[str, object], list[int]]] = {
    "the very same": ({"content": '"there"'}, [400, 81058]),
    "the same in other words": ({"content": "there"}, [400, 81057]),
    "beside a CNAME": ({"name": "alias.example.com"}, [400, 81054]),
    "a CNAME beside others": ({"type": "CNAME", "content": "a.example"}, [400, 81053]),
    "a wrong address": ({"type": "A", "content": "::1"}, [400, 9005]),
    "TTL too low": ({"ttl": 30}, [400, 9021]),
    "not printable": ({"content": "Grüße"}, [400, 9051]),
    "too long": ({"content": "x" * 2049}, [400, 9015]),
    "a long comment": ({"comment": "x" * 101}, [400, 1004]),
    "a comment in lines": ({"comment": "a\nb"}, [400, 1004]),
    "no certificate": ({"type": "TLSA", "content": None, "data": {"usage": 3}}, [400, 9101]),
}


@pytest.mark.parametrize(("asked", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_has_its_code(
    service: Cloudflare, zone: Zone, client: Visitor, asked: dict[str, Any], expected: list[int]
) -> None:
    """And is not stored."""
    service.plant(zone, NAME, "TXT", '"there"')
    service.plant(zone, "alias", "CNAME", "elsewhere.example")
    assert codes(client.create(zone, **asked)) == expected
    assert len(service.see(zone)) == 2


def test_the_texts_of_a_name_have_a_sum(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """Four of the longest fit, one more does not."""
    service.plant(zone, NAME, "TXT", *(letter * 2048 for letter in "abcd"))
    assert codes(client.create(zone)) == [400, 83011]
    assert client.create(zone, name="other.example.com").status_code == 200


def test_enterprise_may_have_shorter_ttls_and_automatic_is_for_all(service: Cloudflare, client: Visitor) -> None:
    """The other side of two of the refusals."""
    zone = service.add_zone("example.com", plan="enterprise")
    assert client.create(zone, ttl=30, comment="x" * 101).status_code == 200
    assert client.create(zone, '"more"', ttl=1).status_code == 200


def test_a_record_is_changed_but_not_its_type(zone: Zone, client: Visitor) -> None:
    """PATCH and PUT keep the identifier; deleting twice is 81044."""
    path = f"/zones/{zone.id}/dns_records/{client.create(zone, comment='old').json()['result']['id']}"
    assert client("PATCH", path, {"content": '"new"'}).json()["result"]["comment"] == "old"
    assert codes(client("PATCH", path, {"type": "CNAME", "content": "a.example"})) == [400, 1004]
    whole = client("PUT", path, {"type": "TXT", "name": NAME, "content": '"whole"', "ttl": 120})
    assert whole.json()["result"]["comment"] is None
    assert client("GET", path).json() == whole.json()
    assert client("DELETE", path).json()["result"] == {"id": path.rpartition("/")[2]}
    assert codes(client("DELETE", path)) == [404, 81044]


# Batches


def test_a_batch_deletes_before_it_posts(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """Whatever its order, so that a value can be written again and a type be changed."""
    old, alias = *service.plant(zone, NAME, "TXT", '"same"'), *service.plant(zone, "alias", "CNAME", "a.example")
    posts = [txt("_acme-challenge", '"same"'), txt("alias")]
    told = client.batch(zone, posts=posts, deletes=[{"id": old.id}, {"id": alias.id}]).json()["result"]
    assert [len(told[kind]) for kind in ("deletes", "patches", "puts", "posts")] == [2, 0, 0, 2]
    assert {(one.name, one.type) for one in service.see(zone)} == {(NAME, "TXT"), ("alias.example.com", "TXT")}


def test_a_batch_is_all_or_nothing(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """One bad post undoes the deletion before it."""
    old = service.plant(zone, NAME, "TXT", '"there"')
    answer = client.batch(zone, deletes=[{"id": old[0].id}], posts=[txt("a"), txt("a")])
    assert codes(answer) == [400, 81058]
    assert service.see(zone) == old


@pytest.mark.parametrize(("plan", "status"), [("free", 400), ("pro", 200)])
def test_a_batch_on_the_free_plan_has_200_changes_at_most(service: Cloudflare, plan: Any, status: int) -> None:
    """Deletes count, too."""
    client, zone = Visitor(service, service.add_token()), service.add_zone("example.com", plan=plan)
    gone = service.plant(zone, "gone", "TXT", '"gone"')[0]
    posts = [txt(f"n{number}") for number in range(200)]
    assert client.batch(zone, posts=posts, deletes=[{"id": gone.id}]).status_code == status
    assert len(service.see(zone)) == {400: 1, 200: 200}[status]
