"""The bridge to dns-lexicon, with its PowerDNS driver on a real PowerDNS: the contract suite, and a certificate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

import dns.rdata
import pytest

from dnsbroker.errors import AuthRejected, ProviderUnavailable, ZoneMissing
from dnsbroker.records import Change, Receipt, RecordType, Remove, RRset
from dnsbroker.settings import Secret
from dnsbroker.testing import AdapterContract, Scene, SideDoor, Stage, surroundings
from dnsbroker_lexicon import Lexicon, LexiconSettings
from lab import powerdns
from lab.rig import Lab
from powerdns_zones import NAME, add, asked, made, make_zone, new_name, patched, records, running, served_serial
from program import Program


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[powerdns.PowerDNS]:
    """A PowerDNS of this module's own."""
    with running(tmp_path_factory.mktemp("powerdns")) as started:
        yield started


def adapter_for(server: powerdns.PowerDNS, *zones: str, key: str = "", kind: type[Lexicon] = Lexicon) -> Lexicon:
    secrets = {"auth_token": Secret("the test", lambda: key or server.api_key)}
    settings = LexiconSettings(service="powerdns", secrets=secrets, options={"pdns_server": server.url}, zones=zones)
    return kind(settings, surroundings())


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


class _Again(Lexicon):
    """Asks again, as the program does: PowerDNS with SQLite may refuse one of two changes that come at once."""

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        for _ in range(3):
            with contextlib.suppress(ProviderUnavailable):
                return await super().apply(zone, changes)
        return await super().apply(zone, changes)


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
            adapter = adapter_for(server, zone, f"child.{zone}", kind=_Again)
            yield Scene(adapter, zone, _Wire(server, zone), f"child.{zone}")
            await adapter.aclose()

        return opened


def test_what_is_not_served_stays_too(server: powerdns.PowerDNS) -> None:
    """A disabled record and a comment beside ours, through adding and removing."""
    zone = made(server)
    asleep = {"content": '"asleep"', "disabled": True}
    comment = {"content": "hands off", "account": "somebody", "modified_at": 1790000000}
    patched(server, zone, {"name": NAME.format(zone), "type": "TXT", "records": [asleep], "comments": [comment]})
    bridge = adapter_for(server, zone)
    assert asyncio.run(bridge.apply(zone, [add(zone)])).changed
    assert asyncio.run(bridge.apply(zone, [Remove(add(zone).record)])).changed
    (rrset,) = records(server, zone)
    assert (rrset["records"], rrset["comments"], rrset["ttl"]) == ([asleep], [comment], 3600)


def test_the_server_s_refusals_are_told_apart(server: powerdns.PowerDNS) -> None:
    """A wrong key, and a zone that is configured here and not there; both are findings as well."""
    zone = made(server)
    with pytest.raises(AuthRejected) as caught:
        asyncio.run(adapter_for(server, zone, key="not-the-key").read(zone, zone, "TXT"))
    assert "not-the-key" not in f"{caught.value} {caught.value.hint}"
    bridge = adapter_for(server, zone, "nowhere.test.")
    with pytest.raises(ZoneMissing):
        asyncio.run(bridge.apply("nowhere.test.", [add("nowhere.test.")]))
    (finding,) = asyncio.run(bridge.examine([zone, "nowhere.test."], fix=False))
    assert (finding.check, finding.subject) == ("zone-missing", "nowhere.test")


def test_a_certificate_is_issued_through_the_bridge(lab: Lab, program: Callable[..., Program]) -> None:
    """Apex and wildcard, two values at one name, by a driver that rewrites the whole RRset; nothing is left of it."""
    zone, challenge = "example.test", "_acme-challenge.example.test"
    lab.powerdns.set_soa_edit_api(zone, "INCREASE")  # dns-lexicon knows nothing of serials
    bridge = {
        "type": "lexicon",
        "service": "powerdns",
        "options": {"pdns_server": lab.powerdns.url},
        "secrets": {"auth_token": {"file": str(lab.powerdns.api_key_file)}},
        "zones": [zone],
    }
    overrides = {"providers": {"powerdns": None, "bridge": bridge}, "propagation": {"settle": "0s"}}
    dnsbroker = program({zone: [zone, f"*.{zone}"]}, overrides)
    ran = dnsbroker("--json", "issue", zone).succeeded()
    assert [event["provider"] for event in ran.named("written")] == ["bridge"]
    assert (dnsbroker.live(zone) / "fullchain.pem").exists()
    lab.await_values(challenge, [])
