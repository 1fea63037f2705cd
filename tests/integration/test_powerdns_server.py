"""The PowerDNS adapter on a real PowerDNS: the contract suite, what is not ours, other writers, refusals."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import dns.rdata
import pytest

from dnsbroker.errors import (
    AuthRejected,
    Conflict,
    ProviderError,
    ProviderUnavailable,
    RecordRejected,
)
from dnsbroker.records import Add, Receipt, Record, RecordType, Remove, RRset
from dnsbroker.settings import Secret
from dnsbroker.testing import AdapterContract, Scene, SideDoor, Stage, surroundings
from dnsbroker.transport import Connections, Reply, Session
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from lab import powerdns
from powerdns_zones import (
    NAME,
    adapter_for,
    add,
    apply,
    asked,
    made,
    make_zone,
    new_name,
    patched,
    records,
    running,
    served_serial,
    stored,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[powerdns.PowerDNS]:
    """A PowerDNS of this module's own."""
    with running(tmp_path_factory.mktemp("powerdns")) as started:
        yield started


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


class TestPowerDNSServer(AdapterContract):
    """The contract suite on PowerDNS as Debian ships it."""

    @pytest.fixture
    def stage(self, server: powerdns.PowerDNS) -> Stage:
        """A zone with a child, made for one test."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[Scene]:
            zone = new_name()
            make_zone(server, zone)
            make_zone(server, f"child.{zone}")
            adapter = adapter_for(server)
            yield Scene(adapter, zone, _Wire(server, zone), f"child.{zone}")
            await adapter.aclose()

        return opened


# What is not ours


def test_disabled_records_and_comments_survive(server: powerdns.PowerDNS) -> None:
    """Through adding, removing, and removing the last value that is served."""
    zone = made(server)
    asleep = {"content": '"asleep"', "disabled": True}
    comment = {"content": "hands off", "account": "somebody", "modified_at": 1790000000}
    patched(server, zone, {"name": NAME.format(zone), "type": "TXT", "records": [asleep], "comments": [comment]})
    apply(server, zone, add(zone))
    (rrset,) = records(server, zone)
    assert {(record["content"], record["disabled"]) for record in rrset["records"]} == {
        ('"asleep"', True),
        ('"ours"', False),
    }
    assert (rrset["comments"], rrset["ttl"]) == ([comment], 3600)
    apply(server, zone, Remove(add(zone).record))
    (rrset,) = records(server, zone)
    assert (rrset["records"], rrset["comments"]) == ([asleep], [comment])


def test_a_comment_without_records_survives(server: powerdns.PowerDNS) -> None:
    """Deleting the RRset would take it along."""
    zone = made(server)
    comment = {"content": "reserved", "account": "somebody", "modified_at": 1790000000}
    operation = {"name": NAME.format(zone), "type": "TXT", "changetype": "REPLACE", "comments": [comment]}
    assert server.api("PATCH", f"/zones/{zone}", {"rrsets": [operation]}).status == 204
    assert apply(server, zone, add(zone)).changed
    assert asked(server, NAME.format(zone), "TXT").answer[0].ttl == 5
    assert apply(server, zone, Remove(add(zone).record)).changed
    assert not asked(server, NAME.format(zone), "TXT").answer
    assert [rrset["comments"] for rrset in stored(server, zone)["rrsets"] if rrset["comments"]] == [[comment]]


class _InStep(Connections):
    """Makes sessions that take turns: each goes on with its PATCH only when all have come to theirs."""

    def __init__(self, parties: int) -> None:
        super().__init__({})
        self._barrier = asyncio.Barrier(parties)

    def session(self, **options: Any) -> Session:
        session = super().session(**options)
        request, first = session.request, [True]

        async def stepping(method: str, url: str, **more: Any) -> Reply:
            if method != "PATCH" or not first.pop():
                return await request(method, url, **more)
            first.append(False)
            await self._barrier.wait()
            try:
                return await request(method, url, **more)
            finally:
                await self._barrier.wait()

        session.request = stepping  # type: ignore[method-assign]  # the one seam at which two writers can be told to meet
        return session


@pytest.mark.parametrize("attempt", range(3))
def test_two_writers_without_a_lock_both_get_their_way(server: powerdns.PowerDNS, attempt: int) -> None:
    """Both read before either writes, so one loses its value, sees that, and writes again."""
    zone = made(server)

    async def play() -> list[Receipt]:
        together = replace(surroundings(), connections=_InStep(2))
        key = Secret("the test", lambda: server.api_key)
        writers = [PowerDNS(PowerDNSSettings(url=server.url, api_key=key), together) for _ in range(2)]
        receipts = await asyncio.gather(
            *(writer.apply(zone, [add(zone, f"value-{number}")]) for number, writer in enumerate(writers))
        )
        for writer in writers:
            await writer.aclose()
        return receipts

    assert all(receipt.changed for receipt in asyncio.run(play()))
    (rrset,) = records(server, zone)
    assert {record["content"] for record in rrset["records"]} == {'"value-0"', '"value-1"'}


def test_one_refused_rrset_of_three_refuses_all(server: powerdns.PowerDNS) -> None:
    """The PATCH is one transaction, and the server's words arrive."""
    zone = made(server)
    bad = Add(Record(f"_443._tcp.{zone}", "TLSA", "3 1 1 no-hex"), 5)
    before = stored(server, zone)
    with pytest.raises(RecordRejected) as caught:
        apply(server, zone, add(zone), bad, add(zone, name="last.{}"))
    assert caught.value.status == "422"
    assert "TLSA" in caught.value.detail
    assert stored(server, zone) == before


# Refusals


def test_a_secondary_is_not_written(server: powerdns.PowerDNS) -> None:
    """Even though this server would take the change, until the next transfer."""
    zone = new_name()
    document = {"name": zone, "kind": "Slave", "masters": ["192.0.2.1"]}
    assert server.api("POST", "/zones", document).status == 201
    with pytest.raises(RecordRejected, match="would not last") as caught:
        apply(server, zone, add(zone))
    assert "192.0.2.1" in caught.value.hint


def test_an_alias_is_a_conflict(server: powerdns.PowerDNS) -> None:
    """Before anything is written."""
    zone = made(server)
    patched(server, zone, {"name": NAME.format(zone), "type": "CNAME", "records": [{"content": "elsewhere.example."}]})
    before = stored(server, zone)
    with pytest.raises(Conflict, match="is an alias of elsewhere"):
        apply(server, zone, add(zone))
    assert stored(server, zone) == before


def test_a_wrong_key_is_refused(server: powerdns.PowerDNS) -> None:
    """By the real server, too."""
    wrong = Secret("the test", lambda: "not the key")
    provider = PowerDNS(PowerDNSSettings(url=server.url, api_key=wrong), surroundings())
    with pytest.raises(AuthRejected) as caught:
        asyncio.run(provider.zones())
    assert "not the key" not in f"{caught.value} {caught.value.hint}"


def test_a_wrong_server_id_is_no_missing_zone(server: powerdns.PowerDNS) -> None:
    """The hint says what it nearly always is."""
    with pytest.raises(ProviderError) as caught:
        apply(server, "example.org.", add("example.org."), server_id="ns1")
    assert "server_id" in caught.value.hint
    assert type(caught.value) is ProviderError


def test_names_with_an_underscore_are_zones(server: powerdns.PowerDNS) -> None:
    """A challenge zone of its own, whose id PowerDNS spells in its own way."""
    zone = f"_acme-challenge.{new_name()}"
    make_zone(server, zone, nameservers=["ns1.test."])
    assert stored(server, zone)["id"].startswith("=5F")
    assert apply(server, zone, Add(Record(zone, "TXT", "at the apex"), 5)).changed
    assert asked(server, zone, "TXT").answer


class _Hasty(PowerDNS):
    """Waits for no lock longer than this."""

    request_timeout: ClassVar[float] = 0.5


def test_a_locked_database_is_worth_another_try(server: powerdns.PowerDNS) -> None:
    """While somebody holds SQLite's lock there is no answer; afterwards the same change succeeds."""
    zone = made(server)
    key = Secret("the test", lambda: server.api_key)
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        provider = _Hasty(PowerDNSSettings(url=server.url, api_key=key), surroundings())
        with pytest.raises(ProviderUnavailable) as caught:
            asyncio.run(provider.apply(zone, [add(zone)]))
        assert caught.value.transient
        database.execute("ROLLBACK")
    apply(server, zone, add(zone))
    assert {record["content"] for record in records(server, zone)[0]["records"]} == {'"ours"'}


# Signed zones


def ordername(server: powerdns.PowerDNS, name: str) -> object:
    """What rectifying notes about a name, None where it never came by."""
    query = "SELECT ordername FROM records WHERE name = ? AND type = 'TXT'"
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        return database.execute(query, (name.rstrip("."),)).fetchone()[0]


@pytest.mark.parametrize("itself", [True, False], ids=["by the server", "by us"])
def test_a_signed_zone_is_rectified(server: powerdns.PowerDNS, itself: bool) -> None:
    """The server does it by default, and we where the zone's metadata keeps it from that."""
    zone = new_name()
    server.create_zone(zone.rstrip("."), soa_edit_api="INCREASE", signed=True)
    if not itself:
        server.pdnsutil("set-meta", zone.rstrip("."), "API-RECTIFY", "0")
        server.replace(zone, f"control.{zone}", ['"x"'])
        assert ordername(server, f"control.{zone}") is None
    assert apply(server, zone, add(zone)).warnings == ()
    assert ordername(server, NAME.format(zone)) is not None
