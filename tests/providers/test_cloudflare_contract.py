"""The Cloudflare adapter keeps every promise, against a faithful Cloudflare and the description of its API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from cloudflare import ALL, Cloudflare, Zone, only
from cloudflare.text import octets, quoted
from cloudflare_clients import adapter
from dnsbroker.records import RecordType, RRset, octets_text, text_octets
from dnsbroker.testing import AdapterContract, Scene, SideDoor, Stage


class Dashboard(SideDoor):
    """The service's own inside."""

    def __init__(self, service: Cloudflare, zones: Iterable[Zone], *, quotes: bool = True) -> None:
        self._service = service
        self._zones = sorted(zones, key=lambda zone: -len(zone.name))
        self._quotes = quotes

    def _zone(self, name: str) -> Zone:
        return next(zone for zone in self._zones if f".{name}".endswith(f".{zone.name}."))

    async def plant(self, name: str, type: RecordType, ttl: int, values: Iterable[str]) -> None:
        contents = [self._content(value) if type == "TXT" else value for value in values]
        self._service.plant(self._zone(name), name, type, *contents, ttl=ttl)

    def _content(self, value: str) -> str:
        bare = value.isascii() and value.isprintable() and not value.startswith('"')
        return value if bare and not self._quotes else quoted(text_octets(value))

    async def see(self, name: str, type: RecordType) -> RRset | None:
        found = self._service.see(self._zone(name), name, type)
        if not found:
            return None
        values = (octets_text(octets(one.content)) if type == "TXT" else one.content.lower() for one in found)
        return RRset(name, type, min(one.served_ttl for one in found), frozenset(values))

    async def writes(self) -> int | None:
        return sum(seen.status == 200 for seen in self._service.changing)


def stage_for(*, quotes: bool, is_limited: bool) -> Stage:
    """A stage on which others quote or not, and the token is for all zones or for two."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Scene]:
        with Cloudflare() as service:
            zones = [service.add_zone("example.com"), service.add_zone("b.example.com")]
            service.add_zone("ample.com")
            rights = only(*zones) if is_limited else ALL
            token = service.add_token(zone_read=rights, dns_edit=rights)
            client = adapter(service.url, token.secret, provider="contract")
            yield Scene(client, "example.com.", Dashboard(service, zones, quotes=quotes), "b.example.com.")
            await client.aclose()

    return opened


class TestCloudflare(AdapterContract):
    """A token for the whole account; others quote what they write."""

    @pytest.fixture
    def stage(self) -> Stage:
        return stage_for(quotes=True, is_limited=False)


class TestCloudflareLimited(AdapterContract):
    """A token for two zones, which is told nothing of others; others write without quotes."""

    @pytest.fixture
    def stage(self) -> Stage:
        return stage_for(quotes=False, is_limited=True)
