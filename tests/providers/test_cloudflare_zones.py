"""How the Cloudflare adapter finds a zone: by names as they are, with whatever the token may see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudflare import ALL, NONE, Account, Cloudflare, Fault, Token, only
from cloudflare.credentials import no_listing
from cloudflare.replies import refused, success
from cloudflare_clients import Adapter, adapter, add, played, secret
from dnsbroker.adapter import KeepsNotes, TellsServers
from dnsbroker.errors import AuthRejected, ProviderError, ProviderUnavailable, ZoneMissing
from dnsbroker.testing import FakeClock

CHALLENGE = "_acme-challenge.www.example.com."


@pytest.fixture
def service() -> Iterator[Cloudflare]:
    """With two zones that are below one another, and one that only looks so."""
    with Cloudflare() as started:
        for name in ("example.com", "b.example.com", "ample.com"):
            started.add_zone(name)
        yield started


def by_name(service: Cloudflare) -> Adapter:
    """An adapter whose token must not list zones, but may ask for each by its name."""
    token = service.add_token(zone_read=only(*service.zones))
    listing = Fault(refused(no_listing(token)).response())
    service.fail_next(listing, "GET", "/zones?per_page")
    return adapter(service.url, token.secret)


def asked_zones(service: Cloudflare) -> list[str]:
    """The names by which zones were asked for; empty for a list of all."""
    return [seen.query.get("name", "") for seen in service.requests if seen.path == "/zones"]


@pytest.mark.parametrize("may_list", [True, False])
@pytest.mark.parametrize(
    ("name", "zone"),
    [
        (CHALLENGE, "example.com."),
        ("_acme-challenge.x.b.example.com.", "b.example.com."),
        ("B.Example.COM", "b.example.com."),
        ("*.ample.com.", "ample.com."),
        ("com.", None),
    ],
)
def test_the_longest_zone_on_label_boundaries_is_found(
    service: Cloudflare, may_list: bool, name: str, zone: str | None
) -> None:
    """Of a parent and its child the child, never one that merely ends in the same letters."""
    client = adapter(service.url, service.add_token().secret) if may_list else by_name(service)
    assert played(client, lambda client: client.find_zone(name)) == zone


def test_a_zone_that_only_ends_in_the_same_letters_is_none(service: Cloudflare) -> None:
    """The negative twin, on label boundaries; a token that may not list is not even told so."""
    name = "_acme-challenge.counterexample.com."
    assert played(adapter(service.url, service.add_token().secret), lambda client: client.find_zone(name)) is None
    with pytest.raises(ZoneMissing, match="must not look"):
        played(by_name(service), lambda client: client.find_zone(name))


def test_forty_names_cost_one_question(service: Cloudflare) -> None:
    """All zones at once, believed for some minutes, then asked for again."""
    clock = FakeClock()
    client = adapter(service.url, service.add_token().secret, clock=clock)

    async def act(client: Adapter) -> None:
        for number in range(40):
            assert await client.find_zone(f"_acme-challenge.host{number}.example.com.") == "example.com."
        assert asked_zones(service) == [""]
        service.add_zone("late.example.com")
        clock.turn(301)
        assert await client.find_zone("_acme-challenge.late.example.com.") == "late.example.com."
        assert asked_zones(service) == ["", ""]

    played(client, act)


def test_a_token_for_one_zone_is_told_nothing_of_others(service: Cloudflare) -> None:
    """Each name is asked for, the longest first, and a refusal to list is no more than "not this one", and why."""
    client = by_name(service)

    async def act(client: Adapter) -> None:
        assert await client.find_zone(CHALLENGE) == "example.com."
        assert asked_zones(service)[1:] == ["_acme-challenge.www.example.com", "www.example.com", "example.com"]
        assert await client.find_zone(CHALLENGE) == "example.com."
        with pytest.raises(ZoneMissing):
            await client.find_zone("_acme-challenge.example.net.")
        assert await client.zones() == ("ample.com.", "b.example.com.", "example.com.")

    played(client, act)
    assert asked_zones(service).count("example.com") == 1


def test_a_token_without_the_right_to_look_is_told_so(service: Cloudflare) -> None:
    """It lists nothing, nothing is found, and that is why; as with what is read, and in the examination."""
    client = adapter(service.url, service.add_token(zone_read=NONE).secret)

    async def act(client: Adapter) -> None:
        assert await client.zones() is None
        for call in (client.find_zone, lambda name: client.read("example.com.", name, "TXT")):
            with pytest.raises(ZoneMissing, match=r"must not look for it: .*account\.zone\.list") as caught:
                await call(CHALLENGE)
            assert "give it Zone:Read" in caught.value.hint
            assert "zone_ids" in caught.value.hint
        findings = await client.examine(["example.com."], fix=False)
        assert [found.hint for found in findings if found.check == "zone-missing"] == [caught.value.hint]

    played(client, act)
    assert len(asked_zones(service)) == len(set(asked_zones(service))) + 1  # the list: for zones(), and to find one


def test_a_zone_that_is_refused_is_asked_for_again_in_time(service: Cloudflare) -> None:
    """The token is given the right: five minutes later the zone is there."""
    clock, token = FakeClock(), service.add_token(zone_read=NONE)
    client = adapter(service.url, token.secret, clock=clock)

    async def act(client: Adapter) -> None:
        with pytest.raises(ZoneMissing):
            await client.find_zone(CHALLENGE)
        token.zone_read = ALL
        clock.turn(301)
        assert await client.find_zone(CHALLENGE) == "example.com."

    played(client, act)


def test_with_ids_no_zone_is_looked_up(service: Cloudflare) -> None:
    """The token needs no Zone:Read, for reading and writing alike; what is not in the table is not held."""
    ids = {zone.name: zone.id for zone in service.zones if zone.name.endswith("example.com")}
    client = adapter(service.url, service.add_token(zone_read=NONE).secret, zone_ids=ids)

    async def act(client: Adapter) -> None:
        assert await client.zones() == ("example.com.", "b.example.com.")
        assert await client.find_zone("_acme-challenge.x.b.example.com.") == "b.example.com."
        assert await client.find_zone("ample.com.") is None
        assert (await client.apply("example.com.", [add(CHALLENGE)])).changed
        assert await client.name_servers("example.com.") == frozenset()
        with pytest.raises(ZoneMissing):
            await client.apply("ample.com.", [add("x.ample.com.")])

    played(client, act)
    assert {seen.path.split("/")[3] for seen in service.requests} == {"dns_records"}


def test_a_wrong_id_is_told_with_its_key(service: Cloudflare) -> None:
    """No route for that id: the hint says where it was configured."""
    client = adapter(service.url, service.add_token().secret, zone_ids={"example.com": "0" * 32})
    with pytest.raises(ZoneMissing, match="7003") as caught:
        played(client, lambda client: client.read("example.com.", CHALLENGE, "TXT"))
    assert "zone_ids" in caught.value.hint
    assert caught.value.tried == ("example.com.",)


def test_more_than_a_page_of_zones_is_listed_to_the_end() -> None:
    """51 zones are two pages, and each is found."""
    with Cloudflare() as service:
        for number in range(51):
            service.add_zone(f"zone{number:02}.example")
        client = adapter(service.url, service.add_token().secret)

        async def act(client: Adapter) -> None:
            assert len(await client.zones() or ()) == 51
            assert await client.find_zone("a.zone50.example.") == "zone50.example."

        played(client, act)
        assert [seen.query["page"] for seen in service.requests] == ["1", "2"] * 2
        assert {seen.query["per_page"] for seen in service.requests} == {"50"}


def test_a_very_long_list_is_not_read_for_one_name() -> None:
    """After the first of many pages each name is asked for."""
    with Cloudflare() as service:
        for number in range(201):
            service.add_zone(f"zone{number:03}.example")
        client = adapter(service.url, service.add_token().secret)
        assert played(client, lambda client: client.find_zone("_acme-challenge.zone200.example.")) == "zone200.example."
        assert asked_zones(service) == ["", "_acme-challenge.zone200.example", "zone200.example"]


@pytest.mark.parametrize("may_list", [True, False])
def test_one_name_in_two_accounts_is_not_guessed(service: Cloudflare, may_list: bool) -> None:
    """The error has both accounts, and nothing is written to either; other zones are none the worse."""
    other = Account("Another")
    service.add_zone("example.com", other)
    client = adapter(service.url, service.add_token().secret) if may_list else by_name(service)

    async def act(client: Adapter) -> None:
        assert await client.find_zone("x.ample.com.") == "ample.com."
        with pytest.raises(ProviderError, match="several accounts") as caught:
            await client.find_zone(CHALLENGE)
        assert {other.id, service.account.id} <= set(str(caught.value).replace(",", " ").split())
        assert "zone_ids" in caught.value.hint
        with pytest.raises(ProviderError, match="several accounts"):
            await client.apply("example.com.", [add(CHALLENGE)])

    played(client, act)
    assert service.changing == []


def test_the_looking_token_only_looks_up(service: Cloudflare) -> None:
    """One token for zones, the other for records; neither can do the other's work."""
    looking: Token = service.add_token(dns_edit=NONE)
    editing = service.add_token(zone_read=NONE)
    client = adapter(service.url, editing.secret, zone_api_token=secret(looking.secret))
    assert played(client, lambda client: client.apply("example.com.", [add(CHALLENGE)])).changed
    for seen in service.requests:
        wanted = looking if seen.path == "/zones" else editing
        assert seen.headers["authorization"] == f"Bearer {wanted.secret}"


def test_the_global_key_travels_with_its_address(service: Cloudflare) -> None:
    """In the two headers of old, with a warning that tells what to do instead, once."""
    key = service.add_key("me@example.org")
    client = adapter(service.url, api_email=key.email, api_key=secret(key.key))

    async def act(client: Adapter) -> tuple[str, ...]:
        first = await client.apply("example.com.", [add(CHALLENGE)])
        assert (await client.apply("example.com.", [add(CHALLENGE, "second")])).warnings == ()
        return first.warnings

    (warning,) = played(client, act)
    assert "global key" in warning
    assert "api_token" in warning
    assert all("authorization" not in seen.headers for seen in service.requests)


def test_the_servers_of_a_zone_are_the_services_word(service: Cloudflare) -> None:
    """Whatever its status: who is not delegated to them is found out by that."""
    moved = service.add_zone("moved.example", status="moved", name_servers=("Cy.ns.example", "dee.ns.example"))
    client = adapter(service.url, service.add_token().secret)
    assert isinstance(client, TellsServers)
    assert isinstance(client, KeepsNotes)

    async def act(client: Adapter) -> None:
        assert await client.find_zone(f"x.{moved.name}.") == "moved.example."
        assert await client.name_servers("moved.example.") == {"cy.ns.example.", "dee.ns.example."}
        with pytest.raises(ZoneMissing):
            await client.name_servers("example.net.")

    played(client, act)


def test_with_ids_and_a_looking_token_servers_are_known(service: Cloudflare) -> None:
    """The zone is then asked for by its id."""
    ids = {zone.name: zone.id for zone in service.zones}
    looking = service.add_token(dns_edit=NONE)
    editing = service.add_token(zone_read=NONE)
    client = adapter(service.url, editing.secret, zone_ids=ids, zone_api_token=secret(looking.secret))
    found = played(client, lambda client: client.name_servers("example.com."))
    assert found == {"ada.ns.cloudflare.test.", "bob.ns.cloudflare.test."}


def test_a_zone_that_is_gone_is_looked_for_again(service: Cloudflare) -> None:
    """It was deleted and made anew, with another id."""
    client = adapter(service.url, service.add_token().secret)

    async def act(client: Adapter) -> None:
        await client.apply("example.com.", [add(CHALLENGE)])
        service.zones.remove(service.zones[0])
        service.add_zone("example.com")
        with pytest.raises(ZoneMissing):
            await client.apply("example.com.", [add(CHALLENGE)])
        assert (await client.apply("example.com.", [add(CHALLENGE)])).changed

    played(client, act)


def test_a_token_that_does_not_work_is_told_at_once(service: Cloudflare) -> None:
    """Not taken for one that holds no zone."""
    client = adapter(service.url, service.add_token(status="expired").secret)
    with pytest.raises(AuthRejected, match="9109"):
        played(client, lambda client: client.find_zone(CHALLENGE))
    assert len(service.requests) == 1


def test_a_list_that_changes_while_it_is_read_is_not_believed() -> None:
    """What moved to a page that was read already would be missed; the next attempt sees it whole."""
    with Cloudflare() as service:
        for number in range(60):
            service.add_zone(f"zone{number:02}.example")
        token = service.add_token(zone_read=ALL)
        shown = [zone.document(token) for zone in service.zones[:50]]
        info = {"page": 1, "per_page": 50, "count": 50, "total_count": 61, "total_pages": 2}
        service.fail_next(Fault(success(shown, info=info).response()), "GET", "page=1", times=3)
        client = adapter(service.url, token.secret)
        with pytest.raises(ProviderUnavailable, match="changed while it was read"):
            played(client, lambda client: client.zones())
        assert len(played(client, lambda client: client.zones()) or ()) == 60
