"""The checks of DNSSEC and CAA among real signers and a real validating resolver: silent where all is sound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.checks.caa import Authority, caa, caa_servers
from dnsbroker.checks.dnssec import dnssec
from dnsbroker.clock import SystemClock
from dnsbroker.config import DNSConfig
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.caa import CAASets
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from lab.rig import Lab
from lab.topology import DOMAINS, RESOLVER, Domain

NSEC3 = Domain("nsec3.test", "powerdns", records="www A 127.0.0.100\na.b A 127.0.0.100\n")
"""A zone of PowerDNS alone, whose kind of denial the tests change."""


def found(zone: str) -> list[Finding]:
    """What the checks of zones have to say of ``zone``."""

    async def story() -> list[Finding]:
        clock, exchange = SystemClock(), Exchange()
        finder = Finder(DNSConfig(resolvers=(RESOLVER,)), exchange, clock)
        whole = await finder.zone_of(f"{zone}.")
        permitted = await caa(f"*.{zone}", CAASets(finder, clock), Authority(("ca.test",), ""))
        signed = await dnssec(whole, exchange, finder.resolvers(), clock)
        return [*signed, *permitted, *await caa_servers(whole, exchange)]

    return asyncio.run(story())


def words(zone: str, *, least: Severity = Severity.WARNING) -> set[str]:
    """The kinds of what is found, notices only where they are asked for."""
    return {finding.check for finding in found(zone) if least is Severity.NOTICE or finding.severity != Severity.NOTICE}


@pytest.fixture
def nsec3(lab: Lab) -> Iterator[Lab]:
    """The lab, with that zone."""
    lab.create_zone(NSEC3)
    try:
        yield lab
    finally:
        lab.drop_zone(NSEC3.name)


def test_sound_zones_of_every_signer_are_passed_in_silence(lab: Lab) -> None:
    """PowerDNS and BIND with NSEC as they sign by default, served by NSD and Knot as well, and one below another."""
    for domain in DOMAINS:
        told = words(domain.name, least=Severity.NOTICE)
        assert told == (set() if domain.signed else {"not-signed"}), found(domain.name)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"nsec3param": "1 0 0 -", "nsec3narrow": True}, set()),
        ({"nsec3param": "1 0 0 -", "nsec3narrow": False}, set()),
        ({"nsec3param": "1 0 5 abcd", "nsec3narrow": False}, {"nsec3-iterations"}),
        ({"nsec3param": "1 0 0 -", "nsec3narrow": False, "api_rectify": False}, {"denial-unsound"}),
    ],
    ids=["narrow", "plain", "iterated", "unrectified"],
)
def test_nsec3_proves_in_every_form_where_the_zone_is_rectified(
    nsec3: Lab, parameters: dict[str, object], expected: set[str]
) -> None:
    """Narrow is a lie for each question; iterations cost, and prove; a zone still ordered for NSEC does not."""
    nsec3.powerdns.api("PUT", f"/zones/{NSEC3.name}.", parameters).expect(204)
    assert words(NSEC3.name, least=Severity.NOTICE) == expected, found(NSEC3.name)


@pytest.mark.parametrize("is_narrow", [True, False])
def test_wildcards_are_no_fault(nsec3: Lab, is_narrow: bool) -> None:
    """One that has the type that is asked for, and one that has not."""
    nsec3.powerdns.api("PUT", f"/zones/{NSEC3.name}.", {"nsec3param": "1 0 0 -", "nsec3narrow": is_narrow}).expect(204)
    for type, value in (("A", "127.0.0.100"), ("TXT", '"x"')):
        nsec3.powerdns.replace(NSEC3.name, f"*.{NSEC3.name}", [value], record_type=type)
        assert words(NSEC3.name, least=Severity.NOTICE) == set(), found(NSEC3.name)


def test_a_ds_of_another_key_is_found_at_the_servers_and_at_the_resolver(nsec3: Lab) -> None:
    """The resolver gives the data to nobody but who does not want it validated."""
    wrong = "12345 13 2 " + "ab" * 32
    nsec3.root.update("test", delete={(NSEC3.name, "DS"): []})
    nsec3.root.update("test", add={(NSEC3.name, "DS"): [wrong]})
    told = {finding.check: finding for finding in found(NSEC3.name)}
    assert set(told) == {"ds-mismatch", "resolver-says-bogus"}
    (ds,) = nsec3.powerdns.ds(NSEC3.name)
    assert f"put {NSEC3.name}. DS {ds} into the parent" in told["ds-mismatch"].hint
    assert "SERVFAIL, but NOERROR with CD" in [one.record for one in told["resolver-says-bogus"].evidence]
