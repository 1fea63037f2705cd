"""Whether the PowerDNS adapter's server has told the secondaries of a change, as its own last NOTIFY shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dnsbroker.adapter import TellsNotified
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from literal_powerdns import Literal, told, zone


@pytest.mark.parametrize(
    ("fields", "is_notified"),
    [
        ({"serial": 10, "notified_serial": 10}, True),
        ({"serial": 11, "notified_serial": 10}, False),
        ({"serial": 11, "notified_serial": 0, "kind": "Native"}, True),
    ],
)
def test_a_change_is_notified_of_some_time_after_it(fields: dict[str, Any], is_notified: bool) -> None:
    """Where the zone is of a kind for which NOTIFY is sent at all."""

    async def play() -> bool:
        async with Literal(read=[told(zone(**fields))]) as server:
            settings = PowerDNSSettings(url=server.url, api_key=Secret("the test", lambda: "key"))
            client: object = PowerDNS(settings, surroundings("corp", clock=FakeClock()))
            assert isinstance(client, TellsNotified)
            return await client.is_notified("Example.org")

    assert asyncio.run(play()) is is_notified
