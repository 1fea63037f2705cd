"""Bring a zone back to what it was when the lab started, whatever a test did to it.

Rule: changes go in through the front door (API, dynamic update), and secondaries are looked at, record by record.
Refused: guessing from names what a test left; everything that differs goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dns.rdatatype

from lab import wire
from lab.bind import Bind
from lab.powerdns import PowerDNS

SERVERS_OWN = {"SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY", "TYPE65534"}
"""Record types that servers keep by themselves."""

Content = Mapping[tuple[str, str], Any]
"""RRsets by name and type: what an administrator put into a zone."""


def served_content(address: str, zone: str) -> dict[tuple[str, str], tuple[int, frozenset[str]]]:
    """TTL and values of each RRset that a server transfers, without those that servers keep by themselves."""
    content = {}
    for name, rdataset in wire.transfer(address, zone).iterate_rdatasets():
        record_type = dns.rdatatype.to_text(rdataset.rdtype)
        if record_type not in SERVERS_OWN:
            content[name.to_text().lower(), record_type] = (rdataset.ttl, frozenset(map(str, rdataset)))
    return content


def powerdns_content(server: PowerDNS, zone: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Each RRset as the API shows it, disabled records and comments included."""
    return {
        (rrset["name"], rrset["type"]): rrset | {"records": sorted(rrset["records"], key=str)}
        for rrset in server.settings_of(zone)["rrsets"]
        if rrset["type"] not in SERVERS_OWN
    }


def restore_powerdns(server: PowerDNS, zone: str, pristine: Content, soa_edit_api: str) -> None:
    """Bring back the RRsets and SOA-EDIT-API; the serial moves if an RRset had changed."""
    present = powerdns_content(server, zone)
    changes: list[dict[str, object]] = [
        {"name": name, "type": kind, "changetype": "DELETE"} for name, kind in present if (name, kind) not in pristine
    ]
    changes += [{**rrset, "changetype": "REPLACE"} for place, rrset in pristine.items() if present.get(place) != rrset]
    if changes:
        server.set_soa_edit_api(zone, "INCREASE")
        server.patch(zone, changes)
        server.notify(zone)
    if server.settings_of(zone)["soa_edit_api"] != soa_edit_api:
        server.set_soa_edit_api(zone, soa_edit_api)


def move_serial(server: PowerDNS, zone: str, soa_edit_api: str) -> None:
    """Make secondaries transfer a zone that has changed behind their backs, its serial unmoved."""
    server.set_soa_edit_api(zone, "INCREASE")
    server.replace(zone, f"no-such-name.{zone}", [])
    server.set_soa_edit_api(zone, soa_edit_api)
    server.notify(zone)


def restore_bind(server: Bind, zone: str, pristine: Content) -> None:
    """Bring back the RRsets by one dynamic update."""
    present = served_content(server.address, zone)
    wrong = {place for place in present if present[place] != pristine.get(place)}
    missing = {place: pristine[place] for place in pristine if present.get(place) != pristine[place]}
    if wrong or missing:
        server.update(zone, delete={place: [] for place in wrong})
    for place, (ttl, values) in missing.items():
        server.update(zone, add={place: sorted(values)}, ttl=ttl)


def is_same(first: str, second: str, zone: str) -> Callable[[], bool]:
    """The question whether two servers serve the same serial and records now."""

    def look() -> bool:
        try:
            if wire.serial(first, zone) != wire.serial(second, zone):
                return False
            return served_content(first, zone) == served_content(second, zone)
        except wire.UNANSWERED:
            return False

    return look
