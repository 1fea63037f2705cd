"""The checks among real servers: silent about sound zones of every make, and right about wildcards and empty names."""

from __future__ import annotations

import asyncio

import pytest

from dnsbroker.checks.delegation import delegation
from dnsbroker.checks.servers import servers
from dnsbroker.checks.shadowing import shadowing
from dnsbroker.checks.timing import timing
from dnsbroker.clock import Deadline, SystemClock
from dnsbroker.config import DNSConfig
from dnsbroker.config.model import PropagationConfig
from dnsbroker.errors import NotPropagated
from dnsbroker.events import Emitter
from dnsbroker.findings import Finding
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.propagation import Expectation, Watcher
from lab.rig import Lab
from lab.topology import RESOLVER

EXCHANGE = Exchange()
CLOCK = SystemClock()


def finder() -> Finder:
    """One that remembers nothing."""
    return Finder(DNSConfig(resolvers=(RESOLVER,)), EXCHANGE, CLOCK)


async def examined(name: str) -> list[Finding]:
    """Whatever is found about the zone of ``name`` and the way to its record."""
    found = finder()
    place = await found.find(name)
    zones = {zone.name: zone for zone in (place.zone, *(hop.zone for hop in place.hops))}
    by_zone = await asyncio.gather(*(servers(zone, EXCHANGE, CLOCK) for zone in zones.values()))
    by_place = await asyncio.gather(delegation(place, found, EXCHANGE), shadowing(place, found))
    by_time = [timing(zone) for zone in zones.values()]
    return [finding for findings in (*by_zone, *by_place, *by_time) for finding in findings]


def test_nothing_is_said_of_sound_zones(lab: Lab) -> None:
    """Four makes, signed and not, a child zone, a CNAME and a DNAME to another service."""
    hosts = [
        "flaky.test",
        "example.test",
        "www.bind.test",
        "a.sub.example.test",
        "cname.example.test",
        "dname.bind.test",
    ]

    async def story() -> list[list[Finding]]:
        return list(await asyncio.gather(*(examined(f"_acme-challenge.{host}.") for host in hosts)))

    assert asyncio.run(story()) == [[]] * len(hosts)


@pytest.mark.parametrize("zone", ["example.test", "bind.test"])
def test_n28_a_wildcard_of_a_real_server(lab: Lab, zone: str) -> None:
    """PowerDNS and BIND, both signing: found, and no more once the host is there by itself."""
    write(lab, zone, f"*.wild.{zone}")
    name = f"_acme-challenge.host.wild.{zone}."
    (finding,) = asyncio.run(shadowed(name))
    assert finding.message.startswith(f"host.wild.{zone} lives only by *.wild.{zone},")
    write(lab, zone, f"host.wild.{zone}")
    assert asyncio.run(shadowed(name)) == ()


async def shadowed(name: str) -> tuple[Finding, ...]:
    """What would vanish with a record for ``name``."""
    found = finder()
    return await shadowing(await found.find(name), found)


def write(lab: Lab, zone: str, name: str) -> None:
    """Give ``name`` an address, the way the zone's service takes it."""
    if zone == "bind.test":
        lab.bind.update(zone, add={(f"{name}.", "A"): ["192.0.2.7"]})
    else:
        lab.powerdns.replace(zone, f"{name}.", ["192.0.2.7"], record_type="A")


def test_n29_a_zone_of_powerdns_that_is_not_rectified(lab: Lab) -> None:
    """The record is there, and the name above it denied, so it is not; where PowerDNS rectifies as it writes, it is."""
    good, bad = (f"_acme-challenge.a.{label}.flaky.test." for label in ("good", "bad"))
    lab.powerdns.replace("flaky.test", good, ['"value"'])
    asyncio.run(waited(good, 20.0))
    lab.powerdns.pdnsutil("set-meta", "flaky.test", "API-RECTIFY", "0")
    try:
        lab.powerdns.replace("flaky.test", bad, ['"value"'])
        with pytest.raises(NotPropagated, match=r"is hidden: has it, but denies that bad\.flaky\.test above it exists"):
            asyncio.run(waited(bad, 2.0))
    finally:
        lab.powerdns.pdnsutil("set-meta", "flaky.test", "API-RECTIFY")


async def waited(name: str, seconds: float) -> None:
    """Wait until the primary shows the value, at most so many seconds."""
    place = await finder().find(name)
    config = PropagationConfig(ignore=("ns2.example.test.", "ns.flaky.test."))
    watcher = Watcher(EXCHANGE, lambda: (), CLOCK, Emitter(CLOCK, None), config)
    expectation = Expectation(place, "TXT", frozenset({"value"}), None)
    await watcher.wait(expectation, Deadline.after(CLOCK, seconds))
