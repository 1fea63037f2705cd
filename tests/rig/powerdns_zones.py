"""Zones of a real PowerDNS for the adapter's tests: made, changed and looked at behind the adapter's back.

Rule: each zone is new, so that no cache of the server knows it. Refused: the shared lab's zones.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.query

from dnsbroker.records import Add, Change, Receipt, Record
from dnsbroker.settings import Secret
from dnsbroker.testing import surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from lab import powerdns

NAME = "_acme-challenge.{}"

_numbers = itertools.count(1)


@contextmanager
def running(directory: Path) -> Iterator[powerdns.PowerDNS]:
    """A PowerDNS of one test module's own, on ports that need no privilege."""
    with powerdns.PowerDNS(directory, address="127.0.0.11", port=5311, api_port=8311) as server:
        yield server


def new_name() -> str:
    """A zone's name that nobody has asked for."""
    return f"zone{next(_numbers)}.test."


def adapter_for(server: powerdns.PowerDNS, **settings: Any) -> PowerDNS:
    """An adapter for the server."""
    key = Secret("the test", lambda: server.api_key)
    return PowerDNS(PowerDNSSettings(url=server.url, api_key=key, **settings), surroundings())


def asked(server: powerdns.PowerDNS, name: str, type: str) -> dns.message.Message:
    """What the server answers on the wire."""
    return dns.query.tcp(dns.message.make_query(name, type), server.address, port=server.port, timeout=5)


def served_serial(server: powerdns.PowerDNS, zone: str) -> int:
    """The serial on the wire."""
    (rrset,) = asked(server, zone, "SOA").answer
    return int(rrset[0].serial)


def make_zone(server: powerdns.PowerDNS, zone: str, **settings: Any) -> None:
    """A zone made through the API, which is quick."""
    document = {"name": zone, "kind": "Master", "nameservers": [f"ns1.{zone}"], "soa_edit_api": "INCREASE", **settings}
    assert server.api("POST", "/zones", document).status == 201
    # Until the first change, 4.7.3 serves an older serial than it has stored.
    server.replace(zone, f"nothing.{zone}", [])


def made(server: powerdns.PowerDNS, **settings: Any) -> str:
    """The name of a fresh zone."""
    zone = new_name()
    make_zone(server, zone, **settings)
    return zone


def add(zone: str, value: str = "ours", name: str = NAME) -> Add:
    """Adding a value at the challenge name of the zone."""
    return Add(Record(name.format(zone), "TXT", value), 5)


def apply(server: powerdns.PowerDNS, zone: str, *changes: Change, **settings: Any) -> Receipt:
    """The receipt for changes made by an adapter of their own."""

    async def play() -> Receipt:
        provider = adapter_for(server, **settings)
        try:
            return await provider.apply(zone, changes)
        finally:
            await provider.aclose()

    return asyncio.run(play())


def stored(server: powerdns.PowerDNS, zone: str) -> dict[str, Any]:
    """The whole zone as the API shows it."""
    document: dict[str, Any] = json.loads(server.api("GET", f"/zones/{zone}").body)
    return document


def records(server: powerdns.PowerDNS, zone: str, type: str = "TXT") -> list[dict[str, Any]]:
    """The RRsets of a type in the zone."""
    return [rrset for rrset in stored(server, zone)["rrsets"] if rrset["type"] == type]


def patched(server: powerdns.PowerDNS, zone: str, *rrsets: dict[str, Any]) -> None:
    """RRsets replaced behind the adapter's back."""
    operations = [{"changetype": "REPLACE", "ttl": 3600, **rrset} for rrset in rrsets]
    assert server.api("PATCH", f"/zones/{zone}", {"rrsets": operations}).status == 204
