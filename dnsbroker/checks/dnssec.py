"""DNSSEC: does a signed zone prove itself at every server, today and tomorrow, and do resolvers think so too?

Rule: servers are asked about the apex, and about one random name below it that cannot exist; resolvers about the apex
alone, and only for data that is there; about a zone in which nothing but a challenge stands they are not asked at all.
What an AD bit says is missed where it is not there, and never relied on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from dnsbroker.checks import signing
from dnsbroker.checks.servers import is_ignored
from dnsbroker.clock import Clock
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.proofs import can_be_checked, outdated
from dnsbroker.lookup.validating import Opinion, opinion
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import is_within, labels, shown
from dnsbroker.tasks import together


async def dnssec(
    zone: Zone,
    exchange: Exchange,
    resolvers: Sequence[Address],
    clock: Clock,
    *,
    challenges: Collection[str] = (),
    ignore: Collection[str] = (),
) -> tuple[Finding, ...]:
    """What about the signatures of ``zone`` makes, or will make, a CA that validates refuse its answers.

    A zone without a DS in its parent is not looked at further. That a resolver does not validate is the same finding
    for every zone. ``challenges`` are the owner names of challenges and of their records, about which no resolver is
    asked; the servers in ``ignore`` (owner names, IP addresses) are left out.
    """
    if not zone.ds:
        return _without_ds(zone)
    if not can_be_checked(zone.ds):
        return (_outdated(zone, zone.ds, "no validator knows the algorithm of its DS: the zone counts as unsigned"),)
    now = clock.now()
    counted = [server for server in zone.servers if not is_ignored(server, ignore)]
    heard = () if _is_of_challenges(zone.name, challenges) else resolvers
    views, opinions = await asyncio.gather(
        together(signing.look(zone, server, exchange, now) for server in counted),
        together(_asked(zone, exchange, resolver) for resolver in heard),
    )
    old = outdated(zone.ds)
    return (
        *signing.findings(zone, [view for view in views if view], now),
        *([_outdated(zone, old, "validators give up the algorithm or digest of its DS")] if old else []),
        *(finding for found in opinions for finding in found),
    )


def _is_of_challenges(zone: str, challenges: Collection[str]) -> bool:
    """Whether a resolver that looks for ``zone`` meets the owner of a challenge, whose NSEC it would keep.

    By that it may deny the value that is about to be written there (RFC 8198).
    """
    return "_acme-challenge" in labels(zone) or any(is_within(zone, owner) for owner in challenges)


def _without_ds(zone: Zone) -> tuple[Finding, ...]:
    """Not signed, or not known to be; of a zone with configured servers nobody said that the world sees it."""
    if not any(server.in_parent or server.in_child for server in zone.servers):
        return ()
    unknown = [oddity.text for oddity in zone.oddities if oddity.kind == "ds-unknown"]
    if not unknown and any(server.in_parent for server in zone.servers):
        return (_unsigned(zone),)
    return (
        Finding(
            check="ds-unknown",
            severity=Severity.WARNING if unknown else Severity.NOTICE,
            subject=shown(zone.name),
            message="whether it is signed could not be learnt, so its signatures were not looked at",
            hint="let the servers of its parent zone answer this host",
            evidence=tuple(Evidence(record=text) for text in unknown),
        ),
    )


def _unsigned(zone: Zone) -> Finding:
    return Finding(
        check="not-signed",
        severity=Severity.NOTICE,
        subject=shown(zone.name),
        message="its parent has no DS for it: certificates need none, DANE does",
        hint="sign the zone, then have its DS put into the parent",
    )


def _outdated(zone: Zone, ds: Sequence[str], message: str) -> Finding:
    return Finding(
        check="weak-algorithm",
        severity=Severity.WARNING,
        subject=shown(zone.name),
        message=message,
        hint="roll over to ECDSAP256SHA256 (13) with a SHA-256 DS (digest type 2)",
        evidence=tuple(Evidence("the parent", f"{zone.name} DS {value}") for value in ds),
    )


async def _asked(zone: Zone, exchange: Exchange, resolver: Address) -> tuple[Finding, ...]:
    """What ``resolver`` thinks of the zone; never asked about a name below the apex, nor for what is not there."""
    seen = await opinion(exchange, resolver, zone.name, "SOA")
    if seen.has_data:
        return () if seen.is_validated else (await _not_validated(zone, exchange, resolver),)
    unchecked = await opinion(exchange, resolver, zone.name, "SOA", unchecked=True)
    if seen.rcode == "SERVFAIL" and unchecked.has_data:
        return (_bogus(zone, resolver, seen),)
    return (_failing(zone, resolver, seen),)


async def _not_validated(zone: Zone, exchange: Exchange, resolver: Address) -> Finding:
    """Whether the resolver validates at all, as the root's own servers show, or no chain leads to the zone."""
    root = await opinion(exchange, resolver, ".", "NS")
    if root.is_validated:
        return Finding(
            check="insecure-parent",
            severity=Severity.NOTICE,
            subject=shown(zone.name),
            message="the zone is signed, but no chain of trust leads to it: to validators it is unsigned",
            hint="have the zones above it signed too, each with its DS in its parent",
            evidence=(Evidence(f"resolver {resolver}", f"{zone.name} SOA without AD"),),
        )
    return Finding(
        check="resolver-does-not-validate",
        severity=Severity.NOTICE,
        subject=f"resolver {resolver}",
        message="it does not validate, or does not tell that it does",
        hint="for DANE, set dns.resolvers to one that does, best on this host",
        evidence=(Evidence(f"resolver {resolver}", "signed zones without AD"),),
    )


def _bogus(zone: Zone, resolver: Address, seen: Opinion) -> Finding:
    return Finding(
        check="resolver-says-bogus",
        severity=Severity.ERROR,
        subject=shown(zone.name),
        message=f"the resolver {resolver} refuses the zone as bogus, and so will a CA that validates",
        hint="mend its signatures or its DS; where nothing else is found, let the resolver forget what it has cached",
        evidence=tuple(
            Evidence(f"resolver {resolver}", words) for words in ("SERVFAIL, but NOERROR with CD", *seen.explained)
        ),
    )


def _failing(zone: Zone, resolver: Address, seen: Opinion) -> Finding:
    told = f"{seen.rcode} without the SOA" if seen.rcode else seen.reason
    return Finding(
        check="resolver-fails",
        severity=Severity.NOTICE,
        subject=shown(zone.name),
        message=f"the resolver {resolver} cannot say whether it accepts the zone",
        hint="does it reach the zone's servers, and does it see the same zone as the world?",
        evidence=tuple(Evidence(f"resolver {resolver}", words) for words in (told, *seen.explained)),
    )
