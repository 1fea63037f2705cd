"""The PowerDNS adapter against literal HTTP: the API's traps, and what every refusal means to a person."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest

from dnsbroker.errors import (
    AuthRejected,
    BrokerError,
    ConfigError,
    Conflict,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
    ZoneMissing,
)
from dnsbroker.records import Add, Record, Remove
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from literal_powerdns import BASE, CLOSED, NAME, SILENT, Literal, Told, refused, rrset, text, told, zone
from loopback import LoopbackServer, Response

KEY = "s3cret-api-key"
ADD = Add(Record(NAME, "TXT", "ours"), 5)
ZONE = "example.org."


class Hasty(PowerDNS):
    """The adapter with little patience."""

    request_timeout: ClassVar[float] = 0.3


class Brief(PowerDNS):
    """The adapter that waits for less than a service may ask for, and long enough for one that answers."""

    request_timeout: ClassVar[float] = 6.0


def adapter(url: str, make: type[PowerDNS] = PowerDNS, key: str = KEY, **settings: Any) -> PowerDNS:
    """An adapter whose waits cost nothing."""
    made = PowerDNSSettings(url=url, api_key=Secret("the test", lambda: key), **settings)
    return make(made, surroundings("corp", clock=FakeClock()))


def played(
    server: LoopbackServer, act: Callable[[PowerDNS], Awaitable[object]], make: type[PowerDNS] = PowerDNS
) -> object:
    """What ``act`` gives with an adapter for the server."""

    async def play() -> object:
        async with server:
            provider = adapter(server.url, make)
            try:
                return await act(provider)
            finally:
                await provider.aclose()

    return asyncio.run(play())


def applied(server: LoopbackServer, make: type[PowerDNS] = PowerDNS) -> object:
    """What adding our value gives."""
    return played(server, lambda provider: provider.apply(ZONE, [ADD]), make)


def read(server: LoopbackServer) -> object:
    """What reading our RRset gives."""
    return played(server, lambda provider: provider.read(ZONE, NAME, "TXT"))


def failed(kind: type[BrokerError], server: LoopbackServer, make: type[PowerDNS] = PowerDNS) -> Any:
    """The error, of exactly this kind, with which adding our value fails; it never holds the key."""
    with pytest.raises(kind) as caught:
        applied(server, make)
    error = caught.value
    assert type(error) is kind
    assert KEY not in f"{error} {error.hint} {error.fields()} {error!r}"
    return error


def refusing(*replies: Told) -> Literal:
    """A server that refuses the write."""
    return Literal(read=[told(zone())], patch=replies)


def test_requests_avoid_the_traps() -> None:
    """JSON by its exact name, one connection for each request, the key in its header, bodies declared as JSON."""
    server = refusing(refused("no"))
    failed(RecordRejected, server)
    for request in server.requests:
        assert request.headers["accept"] == "application/json"
        assert request.headers["connection"] == "close"
        assert request.headers["x-api-key"] == KEY
    assert server.requests[-1].headers["content-type"] == "application/json"


def test_a_get_has_no_body() -> None:
    """What is only asked is sent without content."""
    server = Literal(read=[told(zone())])
    assert read(server) is None
    assert {request.method for request in server.requests} == {"GET"}
    assert all(request.body == b"" and "content-type" not in request.headers for request in server.requests)


@pytest.mark.parametrize("zone_id", ["=5Fdmarc.example.org.", "0=2F25.example.org.", "=2E"])
def test_the_zone_id_is_used_as_it_is(zone_id: str) -> None:
    """4.7 knows no other escape than its own; %2F would be another zone to it."""
    server = Literal(zone_id=zone_id, read=[told(zone(rrset('"x"')))])
    read(server)
    assert server.requests[-1].target == f"{BASE}/zones/{zone_id}"


@pytest.mark.parametrize("version", ["4.7.3", "4.8.5", "4.9.17", "0.0.1234.0.master.gabcdef"])
def test_before_5_the_whole_zone_is_read(version: str) -> None:
    """A filtered read would not show disabled records; a build without a number is taken for an old one."""
    server = Literal(version, read=[told(zone())])
    read(server)
    assert server.requests[-1].target == f"{BASE}/zones/example.org."


@pytest.mark.parametrize("version", ["5.0.7", "5.1.4", "5.2.0-alpha0"])
def test_from_5_on_one_name_is_read(version: str) -> None:
    """All types of it, for an alias may be in the way."""
    server = Literal(version, read=[told(zone())])
    read(server)
    assert server.requests[-1].target == f"{BASE}/zones/example.org.?rrset_name={NAME}"


def test_many_names_are_read_at_once() -> None:
    """From 5.0 on, too, where that many requests would take longer."""
    server = Literal("5.0.7", read=[told(zone())])
    changes = [Remove(Record(f"_acme-challenge.host{number}.example.org.", "TXT", "x")) for number in range(17)]
    played(server, lambda provider: provider.apply(ZONE, changes))
    assert server.asked("read") == ["read"]


def test_a_server_that_cannot_filter_zones_is_searched() -> None:
    """An exact match in the whole list, never the first entry."""
    listed = [{"name": f"{name}.", "id": f"{name}."} for name in ("ample.org", "sub.example.org", "example.org")]

    async def three_questions(provider: PowerDNS) -> object:
        assert await provider.find_zone("_acme-challenge.www.example.org") == ZONE
        assert await provider.find_zone("_acme-challenge.counterexample.org") is None
        return await provider.zones()

    found = played(Literal(zones=[told(listed)]), three_questions)
    assert found == ("ample.org.", "sub.example.org.", "example.org.")


def test_its_servers_are_those_of_the_zones_own_ns_records() -> None:
    """In small letters; a disabled record names nobody, nor does a delegation below the apex."""
    off = {"content": "ns9.example.org.", "disabled": True}
    apex = rrset("NS1.Example.org.", "ns.cloud.example.", name=ZONE, type="NS")
    apex["records"].append(off)
    server = Literal(read=[told(zone(apex, rrset("ns.child.example.", name="child.example.org.", type="NS")))])
    assert played(server, lambda provider: provider.name_servers("Example.org")) == {
        "ns1.example.org.",
        "ns.cloud.example.",
    }
    assert played(Literal(read=[told(zone())]), lambda provider: provider.name_servers(ZONE)) == frozenset()


def test_its_serial_is_the_one_that_is_served() -> None:
    """Which SOA-EDIT may have made another than the one that is kept."""
    server = Literal(read=[told(zone(serial=10, edited_serial=12, soa_edit="INCREMENT-WEEKS"))])
    assert played(server, lambda provider: provider.serial("Example.org")) == 12


@pytest.mark.parametrize("fields", [{"kind": "Native"}, {"soa_edit": "EPOCH", "edited_serial": 1795046400}])
def test_a_serial_that_nobody_has_to_follow_is_none(fields: dict[str, Any]) -> None:
    """Of a zone that is replicated with its database, or whose serial is another one each second."""
    server = Literal(read=[told(zone(**fields))])
    assert played(server, lambda provider: provider.serial(ZONE)) is None


def test_zones_are_asked_for_by_exact_name() -> None:
    """The longest first, a wildcard's star never."""
    server = Literal(zones=[told([])])
    assert played(server, lambda provider: provider.find_zone("*.www.example.org")) is None
    assert [request.target.split("?")[1] for request in server.requests] == [
        f"zone={name}&dnssec=false" for name in ("www.example.org.", "example.org.", "org.")
    ]


def test_a_name_outside_the_zone_is_refused_without_a_request() -> None:
    """It would be for the server to refuse, but there is nothing to ask."""
    server = Literal()
    with pytest.raises(RecordRejected, match="not in this zone"):
        played(server, lambda provider: provider.apply(ZONE, [Add(Record("a.example.net.", "TXT", "x"), 5)]))
    assert server.requests == []


# Refusals


@pytest.mark.parametrize(
    "reply", [told({"error": "Unauthorized"}, 401), text(401, "Unauthorized"), Response(401), Response(403)]
)
def test_a_wrong_key_is_not_tried_again(reply: Response, caplog: pytest.LogCaptureFixture) -> None:
    """One request; the hint says where the key comes from, and neither error nor log shows it."""
    caplog.set_level(logging.DEBUG)
    server = Literal(zones=[reply])
    error = failed(AuthRejected, server)
    assert len(server.requests) == 1
    assert "the test" in error.hint
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "reply",
    [
        told({"error": "Not Found"}, 404),
        text(404, "Not Found"),
        refused("Could not find domain 'example.org.'"),
    ],
)
def test_a_zone_that_went_away_is_missing(reply: Response) -> None:
    """404, or the 422 of old; the id is asked for anew the next time."""
    server = Literal(read=[reply])
    error = failed(ZoneMissing, server)
    assert (error.provider, error.zone, error.tried) == ("corp", ZONE, (ZONE,))


def test_a_forgotten_zone_is_looked_for_again() -> None:
    """A zone that was deleted and made again has perhaps another id."""
    server = Literal(read=[text(404, "Not Found"), told(zone())])

    async def twice(provider: PowerDNS) -> object:
        with pytest.raises(ZoneMissing):
            await provider.read(ZONE, NAME, "TXT")
        return await provider.read(ZONE, NAME, "TXT")

    assert played(server, twice) is None
    assert server.asked("zones") == ["zones", "zones"]


def test_an_api_that_is_off_is_told_from_a_missing_zone() -> None:
    """Nothing is found below /api/v1: the hint says what to switch on."""
    error = failed(ProviderError, Literal(zones=[text(404, "Not Found")]))
    assert "api=yes" in error.hint
    assert not error.transient


def test_nobody_listening_is_worth_another_try() -> None:
    """The hint says what has to run."""
    with pytest.raises(ProviderUnavailable) as caught:
        asyncio.run(adapter("http://127.0.0.1:9").zones())
    assert "webserver=yes" in caught.value.hint
    assert "cannot be reached" in str(caught.value)


def test_a_closed_socket_is_an_address_that_is_not_allowed() -> None:
    """Tried a few times, then told with the setting's name; whether a change was made is not known."""
    server = refusing(CLOSED)
    error = failed(ProviderUnavailable, server)
    assert "webserver-allow-from" in error.hint
    assert server.asked("patch") == ["patch"] * 3


def test_a_silent_server_is_given_up_in_time() -> None:
    """No request takes longer than it may, however long the server would."""
    server = refusing(SILENT)
    error = failed(ProviderUnavailable, server, Hasty)
    assert "no complete reply within 0.3 s" in str(error)
    assert "webserver-allow-from" not in error.hint
    assert "database" in error.hint


def test_a_proxy_that_fails_is_named() -> None:
    """The server is not to be looked for in vain; the proxy's password is in no message."""
    with pytest.raises(ProviderUnavailable) as caught:
        asyncio.run(adapter("http://127.0.0.1:9", proxy="http://user:secret@127.0.0.1:10").zones())
    assert "127.0.0.1:10" in caught.value.hint
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_lost_reply_is_made_up_for_by_reading() -> None:
    """The change was made although the reply got lost: reading again shows it, and nothing is sent twice."""
    server = Literal(read=[told(zone()), told(zone(rrset('"ours"'), serial=11))], patch=[CLOSED])
    receipt: Any = applied(server)
    assert (receipt.changed, receipt.serial) == (True, 11)
    assert server.asked("patch", "notify") == ["patch", "notify"]


@pytest.mark.parametrize(
    "reply",
    [
        refused("Error while retrieving SQLite query results: database is locked"),
        text(500, "Internal Server Error"),
        told({"error": "Internal Server Error"}, 500),
        Response(502, (), b"<html><h1>Bad Gateway</h1></html>"),
    ],
)
def test_trouble_inside_the_server_is_tried_again(reply: Response) -> None:
    """A locked SQLite file among others: another attempt succeeds; three that fail are told with a hint."""
    after = zone(rrset('"ours"'), serial=11)
    server = Literal(read=[told(zone()), told(zone()), told(after)], patch=[reply, Response(204)])
    assert getattr(applied(server), "serial", None) == 11
    server = refusing(reply)
    error = failed(ProviderUnavailable, server)
    assert "database is locked" in error.hint
    assert len(server.asked("patch")) == 3


def test_a_redirect_is_not_followed() -> None:
    """Neither request nor key reach the other place; its address is told."""

    async def play() -> list[object]:
        async with LoopbackServer(lambda _: Response(500)) as thief:
            moved = Response(307, (("Location", f"{thief.url}/api/v1"),))
            async with Literal(zones=[moved]) as server:
                with pytest.raises(ProviderError) as caught:
                    await adapter(server.url).zones()
            assert f"a redirect to {thief.url}" in str(caught.value)
            assert not caught.value.transient
            return list(thief.requests)

    assert asyncio.run(play()) == []


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (refused("RRset a. IN TXT: Name is out of zone"), "RRset a. IN TXT: Name is out of zone"),
        (refused("first", "second", "first"), "first; second"),
        (text(400, "Bad Request"), "Bad Request"),
        (Response(405, (), b"<!html><title>Method Not Allowed</title>"), "Method Not Allowed"),
        (Response(422, (), b"\xff\xfe"), "\ufffd\ufffd"),
        (refused("red \x1b[31m\r\u202eend"), "red [31m end"),
        (Response(422), ""),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(reply: Response, said: str) -> None:
    """JSON with one error or several, plain text, HTML, and octets that are no text; once, for it would not change."""
    server = refusing(reply)
    error = failed(RecordRejected, server)
    assert (error.status, error.detail) == (str(reply.status), said)
    assert server.asked("patch") == ["patch"]
    assert not error.transient


def test_other_data_at_the_name_is_a_conflict() -> None:
    """Should a CNAME appear between reading and writing."""
    failed(Conflict, refusing(refused(f"RRset {NAME} IN TXT: Conflicts with pre-existing RRset")))


def test_a_proxy_that_slows_us_down_is_obeyed() -> None:
    """A gateway before the server may limit requests; PowerDNS itself does not."""
    server = refusing(Response(429, (("Retry-After", "7"),)))
    assert failed(RateLimited, server, Brief).retry_after == 7


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b'"text"', b"[1, 2]", b'{"error": "none"}'])
def test_something_else_that_answers_is_not_taken_for_powerdns(body: bytes) -> None:
    """200 with anything but what the API says."""
    with pytest.raises(ProviderError, match="PowerDNS would not say") as caught:
        played(Literal(zones=[Response(200, (), body)]), lambda provider: provider.find_zone("example.org"))
    assert "4.7 or newer" in caught.value.hint


def test_a_change_that_the_server_would_not_read_is_not_sent() -> None:
    """PowerDNS closes on more than 2 MiB."""
    server = refusing(Response(204))
    changes = [Add(Record(NAME, "TXT", f"{number:06d}" * 200), 5) for number in range(2000)]
    with pytest.raises(RecordRejected, match="reads no more than"):
        played(server, lambda provider: provider.apply(ZONE, changes))
    assert server.asked("patch", "put") == []


@pytest.mark.parametrize("key", ["", "   \n", "schlüssel", "two\nlines"])
def test_a_key_that_no_header_can_carry_is_told_before_any_request(key: str) -> None:
    """The secret's source is named, the secret is not."""
    with pytest.raises(ConfigError, match="the secret from the test is no API key") as caught:
        asyncio.run(adapter("http://127.0.0.1:9", key=key).zones())
    assert not key.strip() or key.strip() not in str(caught.value)


def test_a_key_file_may_end_its_line() -> None:
    """The key is what stands on it."""

    async def play() -> str:
        async with Literal(zones=[told([])]) as server:
            await adapter(server.url, key=f"{KEY}\n").zones()
        return server.requests[0].headers["x-api-key"]

    assert asyncio.run(play()) == KEY
