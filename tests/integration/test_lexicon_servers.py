"""The bridge to dns-lexicon, with its PowerDNS driver on a real PowerDNS: the contract suite, and other writers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import dns.rdata
import pytest

from dnsbroker.records import RecordType, RRset
from dnsbroker.settings import Secret
from dnsbroker.testing import AdapterContract, Scene, SideDoor, Stage, surroundings
from dnsbroker_lexicon import Lexicon, LexiconSettings
from lab import powerdns
from powerdns_zones import asked, make_zone, new_name, running, served_serial


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[powerdns.PowerDNS]:
    """A PowerDNS of this module's own."""
    with running(tmp_path_factory.mktemp("powerdns")) as started:
        yield started


def adapter_for(server: powerdns.PowerDNS, *zones: str, key: str = "") -> Lexicon:
    secrets = {"auth_token": Secret("the test", lambda: key or server.api_key)}
    settings = LexiconSettings(service="powerdns", secrets=secrets, options={"pdns_server": server.url}, zones=zones)
    return Lexicon(settings, surroundings())


class _Wire(SideDoor):
    """Plants through the API, sees on the wire. Serials play no part: dns-lexicon has no word for them."""

    def __init__(self, server: powerdns.PowerDNS, zone: str) -> None:
        self._server = server
        self._zone = zone

    async def plant(self, name: str, type: RecordType, ttl: int, values: Iterable[str]) -> None:
        contents = [_quoted(value) if type == "TXT" else value for value in values]
        self._server.replace(self._zone, name, contents, record_type=type, ttl=ttl)

    async def see(self, name: str, type: RecordType) -> RRset | None:
        answer = asked(self._server, name, type).answer
        if not answer:
            return None
        values = (b"".join(rdata.strings).decode() if type == "TXT" else rdata.to_text() for rdata in answer[0])
        return RRset(name, type, answer[0].ttl, frozenset(values))

    async def writes(self) -> int | None:
        return served_serial(self._server, self._zone)  # INCREASE: one for each PATCH


def _quoted(value: str) -> str:
    """A TXT value in presentation form, as dnspython writes it."""
    octets = value.encode()
    strings = [octets[start : start + 255] for start in range(0, len(octets), 255)]
    wire = b"".join(bytes([len(string)]) + string for string in strings)
    return dns.rdata.from_wire("IN", "TXT", wire, 0, len(wire)).to_text()


class TestLexiconPowerDNS(AdapterContract):
    """The contract suite through dns-lexicon's driver for PowerDNS."""

    @pytest.fixture
    def stage(self, server: powerdns.PowerDNS) -> Stage:
        """A zone with a child, made for one test."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[Scene]:
            zone = new_name()
            make_zone(server, zone)
            make_zone(server, f"child.{zone}")
            adapter = adapter_for(server, zone, f"child.{zone}")
            yield Scene(adapter, zone, _Wire(server, zone), f"child.{zone}")
            await adapter.aclose()

        return opened
