"""Finding the place among real servers: signed zones, several makes, a resolver that stretches denials."""

from __future__ import annotations

import asyncio
import time

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.config import DNSConfig
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder, Place
from lab.rig import Lab
from lab.topology import BIND, EXAMPLE, RESOLVER, SUBZONE, Domain

NAME = "_acme-challenge.example.test."


def find(*names: str) -> list[Place]:
    """The places of ``names``, looked for at once by one finder."""

    async def story() -> list[Place]:
        finder = Finder(DNSConfig(resolvers=(RESOLVER,)), Exchange(), SystemClock())
        return list(await asyncio.gather(*map(finder.find, names)))

    return asyncio.run(story())


def served(place: Place) -> dict[str, set[str]]:
    """The addresses of each server of the place's zone."""
    found: dict[str, set[str]] = {}
    for server in place.zone.servers:
        found.setdefault(server.name, set()).add(server.address.ip)
    return found


@pytest.mark.parametrize("domain", [EXAMPLE, BIND, SUBZONE], ids=lambda domain: str(domain.name))
def test_every_server_at_every_address(lab: Lab, domain: Domain) -> None:
    """In each service's zones, also one that is delegated from another service's; with the parent's DS."""
    (place,) = find(f"_acme-challenge.www.{domain.name}.")
    assert (place.zone.name, place.hops) == (f"{domain.name}.", ())
    assert served(place) == {name: set(addresses) for name, addresses in domain.servers.items()}
    assert all(server.in_parent and server.in_child for server in place.zone.servers)
    assert bool(place.zone.ds) is domain.signed
    assert place.zone.warnings == ()


def test_cname_and_dname_lead_to_the_other_service(lab: Lab) -> None:
    """In both directions, from PowerDNS to BIND and back."""
    by_cname, by_dname = find("_acme-challenge.cname.example.test.", "_acme-challenge.dname.bind.test.")
    assert (by_cname.owner, by_cname.zone.name) == ("_acme-challenge.cname.bind.test.", "bind.test.")
    assert [(hop.kind, hop.zone.name) for hop in by_cname.hops] == [("CNAME", "example.test.")]
    assert (by_dname.owner, by_dname.zone.name) == ("_acme-challenge.dname.example.test.", "example.test.")
    assert [(hop.kind, hop.owner, hop.zone.name) for hop in by_dname.hops] == [
        ("DNAME", "dname.bind.test.", "bind.test.")
    ]


def test_a_signed_wildcard_cname_is_not_followed(lab: Lab) -> None:
    """The server's own signature has fewer labels than the name; a CNAME of its own beside it is followed."""
    target = "x.bind.test."
    lab.powerdns.replace("example.test", "*.wild.example.test", [target], record_type="CNAME")
    lab.powerdns.replace("example.test", "_acme-challenge.own.wild.example.test", [target], record_type="CNAME")
    made, own = find("_acme-challenge.any.wild.example.test.", "_acme-challenge.own.wild.example.test.")
    assert (made.zone.name, made.hops) == ("example.test.", ())
    assert (own.owner, own.zone.name) == (target, "bind.test.")


def test_the_resolver_is_asked_for_nothing_near_the_name(lab: Lab) -> None:
    """Its aggressive NSEC cache would deny what is written next, even at names that were never asked."""
    lab.unbound.forget_queries()
    names = [f"_acme-challenge.{host}.example.test." for host in ("www", "mail", "cname", "host")]
    find(NAME, *names)
    assert {(query.name.rstrip("."), query.record_type) for query in lab.unbound.queries()} == {
        ("", "NS"),
        ("ns.test", "A"),
    }


def test_one_server_down_or_hanging_is_no_obstacle(lab: Lab) -> None:
    """Neither a primary that hangs nor a secondary that is down hides the zone or any of its servers."""
    lab.stop("bind-secondary")
    lab.freeze("powerdns")
    begun = time.monotonic()
    (place,) = find(NAME)
    assert time.monotonic() - begun < 20
    assert set(served(place)) == set(EXAMPLE.servers)


def test_it_takes_a_moment(lab: Lab) -> None:
    """Forty names of two zones, from the root: no question is waited for in vain."""
    names = [f"_acme-challenge.h{number}.{zone}." for number in range(20) for zone in ("example.test", "bind.test")]
    begun = time.monotonic()
    places = find(*names)
    assert time.monotonic() - begun < 10
    assert {place.zone.name for place in places} == {"example.test.", "bind.test."}
