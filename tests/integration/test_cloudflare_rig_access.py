"""The faithful Cloudflare: who may ask what, how often, what else can go wrong, and that records appear in DNS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from cloudflare import (
    BAD_GATEWAY_AFTER,
    CLOSED,
    CLOSED_AFTER,
    NONE,
    PHANTOM,
    SILENCE_AFTER,
    WEB_SERVER_DOWN,
    Account,
    Cloudflare,
    Token,
    Zone,
    only,
    throttle,
)
from cloudflare.asking import NAME, Visitor, codes
from cloudflare.delegated import Delegated
from dnsbroker.testing import FakeClock
from lab import wire
from lab.processes import look_until
from lab.rig import Lab


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


# Zones and credentials


def test_a_token_for_one_zone_may_not_ask_for_another(service: Cloudflare, zone: Zone) -> None:
    """Code 0 and its sentence, where a token for all zones is told of none."""
    limited = Visitor(service, service.add_token(zone_read=only(zone), dns_edit=only(zone)))
    answer = limited("GET", "/zones", name="com.example")
    assert codes(answer) == [403, 0]
    assert "com.cloudflare.api.account.zone.list" in answer.json()["errors"][0]["message"]
    assert [one["id"] for one in limited("GET", "/zones", name="Example.com").json()["result"]] == [zone.id]
    assert Visitor(service, service.add_token())("GET", "/zones", name="com.example").json()["result"] == []


def test_one_name_in_two_accounts_is_two_zones(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """Told apart by their accounts."""
    service.add_zone("example.com", Account("Other"), status="moved", plan="pro")
    found = client("GET", "/zones", name="example.com").json()["result"]
    assert len({one["account"]["id"] for one in found}) == 2
    assert {one["status"] for one in found} == {"active", "moved"}
    assert len(client("GET", "/zones", account__id=zone.account.id).json()["result"]) == 1


def test_zones_come_in_pages(service: Cloudflare, client: Visitor) -> None:
    """Fifty at most."""
    for number in range(51):
        service.add_zone(f"z{number}.example")
    pages = [client("GET", "/zones", per_page=50, page=page).json() for page in (1, 2)]
    assert [len(page["result"]) for page in pages] == [50, 1]
    assert pages[1]["result_info"] == {"page": 2, "per_page": 50, "count": 1, "total_count": 51, "total_pages": 2}
    assert len(client("GET", "/zones").json()["result"]) == 20


RIGHTS: dict[str, tuple[Callable[[Zone], Token], list[int], list[int]]] = {
    "may edit": (lambda zone: Token(zone_read=NONE, dns_edit=only(zone)), [200], [200]),
    "may read records": (lambda zone: Token(dns_read=only(zone), dns_edit=NONE), [200], [403, 1009]),
    "may read zones": (lambda zone: Token(dns_edit=NONE), [403, 10000], [403, 10000]),
    "expired": (lambda zone: Token(status="expired"), [403, 9109], [403, 9109]),
}


@pytest.mark.parametrize(("make", "reading", "writing"), RIGHTS.values(), ids=RIGHTS)
def test_a_token_does_what_it_may(
    service: Cloudflare, zone: Zone, make: Callable[[Zone], Token], reading: list[int], writing: list[int]
) -> None:
    """To read records and to write them are two rights."""
    token = make(zone)
    service.tokens.append(token)
    client = Visitor(service, token)
    answers = [client("GET", f"/zones/{zone.id}/dns_records"), client.create(zone)]
    seen = [[answer.status_code] if answer.is_success else codes(answer) for answer in answers]
    assert seen == [reading, writing]


def test_a_zone_tells_what_the_asker_may(service: Cloudflare, zone: Zone) -> None:
    """By its permissions, which need no write to be known."""
    token = service.add_token(dns_edit=NONE, dns_read=only(zone))
    told = Visitor(service, token)("GET", f"/zones/{zone.id}").json()["result"]
    assert told["permissions"] == ["#zone:read", "#dns_records:read"]
    assert told["name_servers"] == ["ada.ns.cloudflare.test", "bob.ns.cloudflare.test"]


def test_a_token_is_verified(service: Cloudflare) -> None:
    """One that is expired says so; one of an account is verified elsewhere, and one that nobody has is invalid."""
    good, old = service.add_token(), service.add_token(status="expired", expires_on="2026-01-01T00:00:00Z")
    path = "/user/tokens/verify"
    assert Visitor(service, good)("GET", path).json()["result"] == {"id": good.id, "status": "active"}
    assert Visitor(service, old)("GET", path).json()["result"]["status"] == "expired"
    for token in (service.add_token(account_owned=True), Token()):
        assert codes(Visitor(service, token)("GET", path)) == [401, 1000]


def test_headers_are_looked_at_before_rights(service: Cloudflare, zone: Zone) -> None:
    """What has no right form has a chain, which no other error has any more."""
    key = service.add_key()
    strange: list[tuple[dict[str, str], list[int]]] = [
        ({}, [400, 9106]),
        ({"Authorization": "Bearer short"}, [400, 6003]),
        ({"X-Auth-Email": key.email, "X-Auth-Key": "short"}, [400, 6003]),
        ({"X-Auth-Email": "other@example.org", "X-Auth-Key": key.key}, [403, 9103]),
        ({"Authorization": f"Bearer {Token().secret}"}, [403, 9109]),
    ]
    for headers, expected in strange:
        answer = Visitor(service, headers=headers)("GET", "/zones")
        assert codes(answer) == expected
        assert ("error_chain" in answer.json()["errors"][0]) == (expected == [400, 6003])
    known = Visitor(service, headers={"X-Auth-Email": key.email, "X-Auth-Key": key.key})
    assert known.create(zone).status_code == 200


def test_a_wrong_zone_identifier_is_no_route(client: Visitor) -> None:
    """Two errors, of which a client has to read both."""
    for identifier in ("nonsense", "0" * 32):
        assert codes(client("GET", f"/zones/{identifier}/dns_records")) == [404, 7003, 7000]


# Limits and outages


def test_who_asks_too_much_is_blocked_for_five_minutes(service: Cloudflare, client: Visitor) -> None:
    """All of a user's tokens are, and nobody else's."""
    clock = FakeClock()
    service.service.limit.clock, service.service.limit.requests = clock, 2
    for _ in range(2):
        answer = client("GET", "/zones")
        assert answer.headers["Ratelimit"] == '"default";r=50;t=30'
    refused = Visitor(service, service.add_token())("GET", "/zones")
    assert codes(refused) == [429, 971]
    assert refused.headers["Retry-After"] == "300"
    assert Visitor(service, service.add_token(user="other"))("GET", "/zones").status_code == 200
    clock.turn(299)
    assert client("GET", "/zones").status_code == 429
    clock.turn(1)
    assert client("GET", "/zones").status_code == 200


def test_an_outage_comes_before_the_work_or_after_it(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """The client sees the same and cannot know which."""
    service.fail_next(WEB_SERVER_DOWN, "POST")
    assert client.records(zone) == []
    answer = client.create(zone)
    assert (answer.status_code, answer.headers["Content-Type"]) == (521, "text/html; charset=UTF-8")
    assert service.see(zone) == []
    service.fail_next(BAD_GATEWAY_AFTER, "POST")
    assert client.create(zone).status_code == 502
    assert service.texts(zone, NAME) == ["ours"]


def test_a_line_breaks_before_the_work_or_after_it(service: Cloudflare, zone: Zone) -> None:
    """Closed or silent, and what came is counted all the same."""
    client = Visitor(service, service.add_token())
    for number, (fault, kept) in enumerate(((CLOSED, 0), (CLOSED_AFTER, 1), (SILENCE_AFTER, 2))):
        service.fail_next(fault)
        client.timeout = 0.05 if fault is SILENCE_AFTER else 30.0
        with pytest.raises(httpx.TransportError):
            client.create(zone, f'"{number}"')
        look_until(lambda number=number: len(service.changing) == number + 1, "the request came")  # type: ignore[misc]
        assert len(service.see(zone)) == kept
    assert [(seen.method, seen.status) for seen in service.changing] == [("POST", 0)] * 3


def test_a_phantom_is_a_duplicate_that_no_list_shows(service: Cloudflare, zone: Zone, client: Visitor) -> None:
    """As often as is said, and then no more."""
    service.fail_next(PHANTOM, "POST", times=2)
    for _ in range(2):
        assert codes(client.create(zone)) == [400, 81057]
        assert client.records(zone) == []
    assert client.create(zone).status_code == 200
    service.fail_next(throttle(300))
    assert client("GET", "/zones").headers["Retry-After"] == "300"


# Name servers


def test_records_appear_in_dns_after_a_delay(lab: Lab, cloudflare: Delegated) -> None:
    """In the list at once; at the name servers and the resolver when the delay is over, and not before."""
    zone = cloudflare.delegate("cloud.test")
    client, name = Visitor(cloudflare, cloudflare.add_token()), "_acme-challenge.cloud.test"
    cloudflare.delay = 3600
    late = client.create(zone, '"late"', name=name)
    assert late.status_code == 200
    assert cloudflare.values(name) == set()
    cloudflare.delay = 0
    client.create(zone, "now", name="_acme-challenge")
    look_until(lambda: cloudflare.values(name) == {"late", "now"}, "what stands there is served")
    assert set(wire.values_in(wire.ask(lab.unbound.address, name, "TXT", recursive=True), name, "TXT")) == {
        "late",
        "now",
    }
    client("DELETE", f"/zones/{zone.id}/dns_records/{late.json()['result']['id']}")
    look_until(lambda: cloudflare.values(name) == {"now"}, "what was deleted is served no longer")


def test_universal_ssl_is_served_and_not_listed(cloudflare: Delegated) -> None:
    """Beside what the API knows."""
    zone, name = cloudflare.delegate("cloud.test"), "_acme-challenge.cloud.test"
    client = Visitor(cloudflare, cloudflare.add_token())
    cloudflare.hide(zone, name, "universal")
    assert client.create(zone, name=name).status_code == 200
    look_until(lambda: cloudflare.values(name) == {"universal", "ours"}, "both are served")
    assert [one["content"] for one in client.records(zone)] == ['"ours"']


def test_zones_are_delegated_from_the_labs(lab: Lab, cloudflare: Delegated) -> None:
    """Fifteen at once, below another's, below one of its own, and signed; TLSA is served as well."""
    many = cloudflare.delegate_all(f"cloud{number}.test" for number in range(15))
    signed = cloudflare.delegate("signed.test", signed=True)
    some = [*many[::7], signed, cloudflare.delegate("b.cloud0.test"), cloudflare.delegate("cf.bind.test")]
    for zone in some:
        cloudflare.plant(zone, "_25._tcp.mx", "TLSA", "3 1 1 " + "ab" * 32)
    for zone in some:
        name = f"_25._tcp.mx.{zone.name}"
        look_until(lambda name=name: len(cloudflare.values(name, "TLSA")) == 1, f"{name} is served")  # type: ignore[misc]
        answer = wire.ask(lab.unbound.address, name, "TLSA", recursive=True, dnssec=True)
        assert wire.values_in(answer, name, "TLSA") == ["3 1 1 " + "ab" * 32]
        assert bool(answer.flags & 0x20) == (zone is signed)
