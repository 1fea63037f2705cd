"""What an error of the PowerDNS adapter says of the change: done perhaps, or surely not."""

from __future__ import annotations

import asyncio

import pytest

from dnsbroker.errors import ProviderError, ProviderUnavailable
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from literal_powerdns import ADD, CLOSED, Literal, Told, done, refused, text, told, zone
from loopback import Request, Response


def failed(server: Literal, clock: FakeClock | None = None) -> ProviderError:
    """The error with which adding our value fails."""

    async def play() -> None:
        async with server:
            settings = PowerDNSSettings(url=server.url, api_key=Secret("the test", lambda: "key"))
            client = PowerDNS(settings, surroundings("corp", clock=clock or FakeClock()))
            await client.apply("example.org.", [ADD])

    with pytest.raises(ProviderError) as caught:
        asyncio.run(play())
    return caught.value


@pytest.mark.parametrize(
    ("read", "patch"),
    [
        ([told(zone())], [refused("no")]),
        ([told(zone())], [CLOSED, refused("no")]),
        ([told(zone())], [text(403, "a proxy says no")]),
        ([told(zone())], [text(502, "a proxy got no answer")]),
        ([told(zone()), text(401, "Unauthorized")], [done()]),
        ([told(zone()), text(200, "<html>")], [done()]),
        ([told(zone())], [done()]),
    ],
    ids=["refused", "refused after silence", "proxy", "bad gateway", "read-back refused", "unreadable", "undone"],
)
def test_only_the_server_s_own_refusal_is_sure(read: list[Told], patch: list[Told]) -> None:
    """What else is said of a write, or of the look at it afterwards, says nothing of what stands."""
    server = Literal(read=read, patch=patch)
    assert failed(server).nothing_done == (len(patch) == 1 and patch[0] == refused("no"))
    assert "patch" in server.asked()


@pytest.mark.parametrize("reply", [text(401, "Unauthorized"), CLOSED, text(502, "")])
def test_what_fails_before_the_write_has_done_nothing(reply: Response) -> None:
    """Whatever it is."""
    server = Literal(read=[reply], patch=[done()])
    assert failed(server).nothing_done
    assert "patch" not in server.asked()


def test_what_would_come_late_is_not_sent() -> None:
    """Looking took as long as all may take."""
    clock = FakeClock()

    def slowly(request: Request) -> Response:
        clock.turn(PowerDNS.request_timeout + 1)
        return told(zone())

    server = Literal(read=[slowly], patch=[done()])
    error = failed(server, clock)
    assert isinstance(error, ProviderUnavailable)
    assert error.nothing_done
    assert "patch" not in server.asked()
