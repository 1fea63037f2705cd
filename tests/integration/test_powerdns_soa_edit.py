"""Serials on a real PowerDNS: whatever SOA-EDIT-API and SOA-EDIT say, a change is served, or not made at all."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dnsbroker.errors import SerialStuck
from dnsbroker.records import Receipt, rfc1982_newer
from lab import powerdns
from powerdns_zones import NAME, add, apply, asked, made, new_name, running, served_serial, stored


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[powerdns.PowerDNS]:
    """A PowerDNS of this module's own."""
    with running(tmp_path_factory.mktemp("powerdns")) as started:
        yield started


NOW = "now"
SETTINGS = [
    # stored, SOA-EDIT-API, SOA-EDIT, whether a change is served without our help
    (1, "", "", False),
    (1, "DEFAULT", "", True),
    (2026112001, "DEFAULT", "", True),
    (4294967295, "DEFAULT", "", True),
    (4294967295, "INCREASE", "", True),
    (2026112001, "EPOCH", "", False),
    (NOW, "EPOCH", "", True),
    (10, "INCEPTION-INCREMENT", "", False),
    (10, "FOO", "", False),
    (10, "SOA-EDIT", "", False),
    (10, "SOA-EDIT", "INCEPTION-EPOCH", False),
    (10, "SOA-EDIT", "INCREMENT-WEEKS", True),
    (10, "SOA-EDIT-INCREASE", "", True),
    (10, "SOA-EDIT-INCREASE", "INCEPTION-EPOCH", True),
    (10, "SOA-EDIT-INCREASE", "INCEPTION-INCREMENT", True),
    (10, "INCREASE", "INCEPTION-EPOCH", False),
    (10, "INCREASE", "INCEPTION-INCREMENT", False),
    (10, "INCREASE", "INCREMENT-WEEKS", True),
    (10, "DEFAULT", "EPOCH", True),
]


def zone_with(server: powerdns.PowerDNS, serial: int | str, api: str, edit: str) -> str:
    """A zone with this stored serial and these settings, never asked for before so that nothing is cached."""
    zone = new_name()
    number = int(time.time()) if serial == NOW else serial
    soa = {"content": f"ns1.{zone} hostmaster.{zone} {number} 3600 900 604800 60", "disabled": False}
    rrset = {"name": zone, "type": "SOA", "ttl": 60, "records": [soa]}
    document = {"name": zone, "kind": "Master", "nameservers": [f"ns1.{zone}"], "soa_edit_api": "", "rrsets": [rrset]}
    assert server.api("POST", "/zones", document).status == 201
    for key, value in (("soa_edit", edit), ("soa_edit_api", api)):
        assert server.api("PUT", f"/zones/{zone}", {key: value}).status == 204
    return zone


@pytest.mark.parametrize(("serial", "api", "edit", "works"), SETTINGS)
def test_every_setting_ends_in_a_served_serial(
    server: powerdns.PowerDNS, serial: int | str, api: str, edit: str, works: bool
) -> None:
    """With auto each change is served under a newer serial; what works is left alone."""
    zone = zone_with(server, serial, api, edit)
    before = stored(server, zone)
    for value in ("first", "second"):
        receipt = apply(server, zone, add(zone, value))
        after = stored(server, zone)
        assert receipt.serial is not None
        assert rfc1982_newer(receipt.serial, before["edited_serial"])
        if edit != "EPOCH":
            assert receipt.serial == after["edited_serial"] == served_serial(server, zone)
        before = after
    assert (before["soa_edit_api"] == api) is works
    assert before["kind"] == "Master"
    assert before["soa_edit"] == edit


@pytest.mark.parametrize(("serial", "api", "edit"), [row[:3] for row in SETTINGS if not row[3]])
def test_a_setting_that_may_not_be_touched_is_an_error_before_anything_is_written(
    server: powerdns.PowerDNS, serial: int | str, api: str, edit: str
) -> None:
    """With false the zone stays as it was, to the letter."""
    zone = zone_with(server, serial, api, edit)
    before = stored(server, zone)
    with pytest.raises(SerialStuck):
        apply(server, zone, add(zone), soa_edit_api=False)
    assert stored(server, zone) == before


def test_a_zone_made_by_pdnsutil_is_mended(server: powerdns.PowerDNS) -> None:
    """As an administrator makes it: signed, and without SOA-EDIT-API; pdnsutil shows what became of it."""
    server.create_zone("made-by-hand.test", signed=True)
    receipt = apply(server, "made-by-hand.test.", add("made-by-hand.test."))
    assert receipt.serial == served_serial(server, "made-by-hand.test.")
    assert "SOA-EDIT-API was unset and is now INCREASE" in receipt.warnings[0]
    assert "INCREASE" in server.pdnsutil("get-meta", "made-by-hand.test", "SOA-EDIT-API")
    assert apply(server, "made-by-hand.test.", add("made-by-hand.test.", "more")).warnings == ()


def test_a_native_zone_is_written_without_a_serial(server: powerdns.PowerDNS) -> None:
    """With false its unset SOA-EDIT-API is nobody's trouble; the change is served all the same."""
    zone = made(server, kind="Native", soa_edit_api="")
    before = served_serial(server, zone)
    assert apply(server, zone, add(zone), soa_edit_api=False) == Receipt(changed=True, serial=None)
    assert served_serial(server, zone) == before
    assert asked(server, NAME.format(zone), "TXT").answer
