"""The PowerDNS adapter on a real PowerDNS: the contract suite, serials, disabled records, lost updates."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import pytest

from dnsbroker.records import RecordType, RRset
from dnsbroker.settings import Secret
from dnsbroker.testing import AdapterContract, Scene, SideDoor, Stage, surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from lab import powerdns


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[powerdns.PowerDNS]:
    """A PowerDNS of this module's own, on ports that need no privilege."""
    directory = tmp_path_factory.mktemp("powerdns")
    with powerdns.PowerDNS(directory, address="127.0.0.11", port=5311, api_port=8311) as running:
        yield running


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


class _Wire(SideDoor):
    """Plants through the API, sees on the wire."""

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

    async def serial(self, zone: str) -> int | None:
        return served_serial(self._server, zone)

    async def writes(self) -> int | None:
        return served_serial(self._server, self._zone)  # INCREASE: one for each PATCH


def _quoted(value: str) -> str:
    """A TXT value in presentation form, as dnspython writes it."""
    octets = value.encode()
    strings = [octets[start : start + 255] for start in range(0, len(octets), 255)]
    wire = b"".join(bytes([len(string)]) + string for string in strings)
    return dns.rdata.from_wire("IN", "TXT", wire, 0, len(wire)).to_text()


_numbers = itertools.count(1)


def make_zone(server: powerdns.PowerDNS, zone: str, **settings: Any) -> None:
    """A zone made through the API, which is quick."""
    document = {"name": zone, "kind": "Master", "nameservers": [f"ns1.{zone}"], "soa_edit_api": "INCREASE", **settings}
    assert server.api("POST", "/zones", document).status == 201
    # Until the first change, 4.7.3 serves an older serial than it has stored.
    server.replace(zone, f"ns1.{zone}", ["127.0.0.11"], record_type="A")


class TestPowerDNSServer(AdapterContract):
    """The contract suite on PowerDNS as Debian ships it."""

    @pytest.fixture
    def stage(self, server: powerdns.PowerDNS) -> Stage:
        """A zone with a child, made for one test."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[Scene]:
            zone = f"contract{next(_numbers)}.test."
            make_zone(server, zone)
            make_zone(server, f"child.{zone}")
            adapter = adapter_for(server)
            yield Scene(adapter, zone, _Wire(server, zone), f"child.{zone}")
            await adapter.aclose()

        return opened
