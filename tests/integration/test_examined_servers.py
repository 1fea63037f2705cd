"""PowerDNS, BIND and Knot as their examinations see them: each fault is named, and a sound server is left in silence.

What is looked at stays as it was: no serial moves, but where ``fix`` mends what was found.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import powerdns_zones
from dnsbroker.adapter import Examines
from dnsbroker.findings import Finding, Severity
from dnsbroker.settings import Secret
from dnsbroker.testing import surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from dynamic import DynamicPowerDNS, KnotPrimary, Target, adapter_for, require_namespace
from lab import wire
from lab.bind import ACME_KEY, LAB_KEY, Bind, Zone
from lab.processes import look_until
from lab.zonefile import zone_text

SECONDARY, BIND, KNOT, POWERDNS = (f"127.0.0.{last}" for last in (34, 36, 37, 38))
WRONG = Secret("a test", lambda: base64.b64encode(b"not the secret").decode())


@pytest.fixture(scope="module", autouse=True)
def inside() -> None:
    """Nothing in here runs elsewhere."""
    require_namespace()


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """A BIND with a zone for the key, one that grants it another name, one to freeze, and one for any address."""
    texts = {
        name: zone_text(name, 1, {"ns1": [BIND]}) for name in ("plain.test", "narrow.test", "frozen.test", "acl.test")
    }
    narrow = [f"{ACME_KEY} name _acme-challenge.www.narrow.test. TXT"]
    zones = [
        Zone("plain.test", texts["plain.test"], signed=False),
        Zone("frozen.test", texts["frozen.test"], signed=False),
        Zone("narrow.test", texts["narrow.test"], signed=False, grants=narrow),
        Zone("acl.test", texts["acl.test"], signed=False, grants=None, options="allow-update { 127.0.0.0/8; };"),
    ]
    with Bind(tmp_path_factory.mktemp("bind"), address=BIND, zones=zones) as server:
        yield server


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnotPrimary]:
    """A Knot."""
    with KnotPrimary(tmp_path_factory.mktemp("knot"), ["plain.test"], address=KNOT) as server:
        yield server


@pytest.fixture(scope="module")
def powerdns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamicPowerDNS]:
    """A PowerDNS with zones for the key, for another key, and for anybody; others are made through its API."""
    with DynamicPowerDNS(tmp_path_factory.mktemp("powerdns"), address=POWERDNS) as server:
        server.create_dynamic_zone("plain.test")
        server.create_dynamic_zone("others.test", keys=[LAB_KEY])
        server.create_dynamic_zone("open.test", keys=[])
        yield server


@pytest.fixture(params=["bind", "knot", "powerdns"])
def anyone(request: pytest.FixtureRequest) -> Target:
    """Each of the three."""
    server: Target = request.getfixturevalue(request.param)
    return server


def updated(server: Target, *zones: str, **changed: Any) -> Sequence[Finding]:
    """What is found at a server that takes dynamic updates; no zone's serial moves."""
    before = [wire.serial(server.address, zone) for zone in zones]
    found = asyncio.run(adapter_for(server, **changed).examine(zones, fix=True))
    assert [wire.serial(server.address, zone) for zone in zones] == before
    return found


def checks(found: Sequence[Finding]) -> list[tuple[str, str]]:
    """Check and severity of each."""
    assert all(finding.message and finding.hint and finding.evidence for finding in found)
    return [(finding.check, finding.severity.value) for finding in found]


# RFC 2136


def test_a_server_that_takes_updates_is_passed_over(anyone: Target) -> None:
    """Nothing is changed by finding that out."""
    assert updated(anyone, "plain.test.") == ()
    assert updated(anyone) == ()


def test_a_wrong_key_is_refused(anyone: Target) -> None:
    """By each server in its own way; without a zone Knot looks at no key."""
    for changed in ({"tsig_secret": WRONG}, {"tsig_name": "other-key"}):
        assert checks(updated(anyone, "plain.test.", **changed)) == [("auth", "error")]
    without = checks(updated(anyone, tsig_secret=WRONG))
    assert without == ([] if isinstance(anyone, KnotPrimary) else [("auth", "error")])


def test_a_policy_is_told_from_its_answers(bind: Bind) -> None:
    """A zone for other names may be right, a frozen one is not, one for any address is open to its neighbours."""
    bind.rndc("freeze", "frozen.test")
    try:
        found = updated(bind, "frozen.test.", "narrow.test.", "acl.test.", "nowhere.test.")
    finally:
        bind.rndc("thaw", "frozen.test")
    assert dict(zip([finding.subject for finding in found], checks(found), strict=True)) == {
        "frozen.test.": ("update-refused", "error"),
        "narrow.test.": ("update-refused", "warning"),
        "acl.test.": ("unsigned-updates", "warning"),
        "nowhere.test.": ("zone-missing", "error"),
    }
    assert "`rndc thaw frozen.test`" in found[0].hint
    assert updated(bind, "frozen.test.") == ()


def test_knots_acl_for_other_types_is_a_policy(tmp_path: Path) -> None:
    """It says BADKEY of a key that it knows."""
    with KnotPrimary(tmp_path, ["plain.test"], address=SECONDARY, types="TLSA") as server:
        assert checks(updated(server, "plain.test.")) == [("update-refused", "warning")]


def test_powerdns_without_a_list_of_keys_takes_updates_from_anybody(powerdns: DynamicPowerDNS) -> None:
    """And refuses a key that is not on the list where there is one."""
    found = updated(powerdns, "open.test.", "others.test.")
    assert checks(found) == [("unsigned-updates", "warning"), ("update-refused", "error")]
    assert "`pdnsutil set-meta others.test TSIG-ALLOW-DNSUPDATE acme-key`" in found[1].hint


def test_a_secondary_takes_no_updates(bind: Bind, tmp_path: Path) -> None:
    """The zone's primary is named."""
    zone = Zone("plain.test", primaries=[BIND])
    secondary = Bind(tmp_path, address=SECONDARY, zones=[zone], name="secondary")
    secondary.keys = bind.keys
    with secondary:
        look_until(lambda: wire.serves(SECONDARY, "plain.test"), "the zone's transfer")
        found = updated(secondary, "plain.test.")
    assert checks(found) == [("update-refused", "error")]
    assert "the zone's primary is ns1.plain.test" in found[0].hint


# PowerDNS, by its API


def examined(server: DynamicPowerDNS, *zones: str, fix: bool = False, **settings: Any) -> Sequence[Finding]:
    """What is found through the API."""

    async def play() -> Sequence[Finding]:
        provider = powerdns_zones.adapter_for(server, **settings)
        assert isinstance(provider, Examines)
        try:
            return await provider.examine(zones, fix=fix)
        finally:
            await provider.aclose()

    before = [wire.serial(server.address, zone) for zone in zones]
    found = asyncio.run(play())
    assert fix or [wire.serial(server.address, zone) for zone in zones] == before
    return found


def test_sound_zones_are_passed_over(powerdns: DynamicPowerDNS) -> None:
    """Signed or not, and after a write, too."""
    signed, plain = "sound.test.", powerdns_zones.made(powerdns)
    powerdns.create_zone(signed, soa_edit_api="INCREASE", signed=True)
    powerdns_zones.apply(powerdns, plain, powerdns_zones.add(plain))
    assert powerdns.settings_of(signed)["dnssec"]
    assert examined(powerdns, plain, signed, fix=True) == ()


def test_a_serial_that_would_stand_is_mended(powerdns: DynamicPowerDNS) -> None:
    """As pdnsutil makes a zone; left alone without --fix, and silent after it."""
    powerdns.create_zone("by-hand.test")
    (finding,) = examined(powerdns, "by-hand.test.")
    assert checks([finding]) == [("serial-stuck", "warning")]
    assert "sets it to INCREASE" in finding.hint
    assert powerdns.settings_of("by-hand.test")["soa_edit_api"] == ""
    (fixed,) = examined(powerdns, "by-hand.test.", fix=True)
    assert fixed.fixed
    assert powerdns.settings_of("by-hand.test")["soa_edit_api"] == "INCREASE"
    assert examined(powerdns, "by-hand.test.") == ()


def test_a_signed_zone_that_is_not_rectified_is_mended(powerdns: DynamicPowerDNS) -> None:
    """The serial stays; for good it is mended by a setting, which is told."""
    zone = "unrectified.test."
    powerdns.create_zone(zone, soa_edit_api="INCREASE", signed=True)
    powerdns.pdnsutil("set-meta", zone, "API-RECTIFY", "0")
    (finding,) = examined(powerdns, zone)
    assert checks([finding]) == [("unrectified", "warning")]
    (fixed,) = examined(powerdns, zone, fix=True)
    assert fixed.fixed
    assert f"`pdnsutil set-meta {zone.rstrip('.')} API-RECTIFY 1`" in fixed.hint
    powerdns.api("PUT", f"/zones/{zone}", {"api_rectify": True}).expect(204)
    assert examined(powerdns, zone) == ()


def test_zones_that_take_no_changes_are_told(powerdns: DynamicPowerDNS) -> None:
    """A secondary's, and one with signatures from elsewhere."""
    powerdns.create_zone("secondary.test", kind="secondary")
    powerdns.create_zone("presigned.test")
    powerdns.pdnsutil("set-presigned", "presigned.test")
    assert checks(examined(powerdns, "secondary.test.", "presigned.test.", fix=True)) == [
        ("read-only-zone", "error"),
        ("presigned-zone", "error"),
    ]


def test_what_is_worth_knowing_of_a_zone_is_a_notice(powerdns: DynamicPowerDNS) -> None:
    """Of the kind Native with several servers, and with a disabled record at a challenge's name."""
    zone = powerdns_zones.made(powerdns, kind="Native")
    servers = [{"content": f"ns{number}.{zone}", "disabled": False} for number in (1, 2)]
    kept = {"name": f"_acme-challenge.{zone}", "type": "TXT", "records": [{"content": '"old"', "disabled": True}]}
    powerdns_zones.patched(powerdns, zone, {"name": zone, "type": "NS", "records": servers}, kept)
    found = examined(powerdns, zone)
    assert checks(found) == [("native-zone", Severity.NOTICE), ("disabled-record", Severity.NOTICE)]


def test_a_wrong_api_key_or_zone_is_told(powerdns: DynamicPowerDNS) -> None:
    """The one once, the other by its name."""
    found = examined(powerdns, "plain.test.", "nowhere.test.")
    assert ("zone-missing", "error") in checks(found)

    settings = PowerDNSSettings(url=powerdns.url, api_key=WRONG)
    refused = asyncio.run(PowerDNS(settings, surroundings()).examine(["plain.test.", "open.test."], fix=True))
    assert checks(refused) == [("auth", "error")]
