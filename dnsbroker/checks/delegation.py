"""The way from a challenge name to where its record stands: is every alias, and every cut, the same on all servers?

Rule: all servers are asked only for records that are known to stand at a name, so that a sound one learns no denial;
where the way ends nobody is asked. What makes a way end nowhere is told from the error that said so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

from dnsbroker.checks.servers import is_ignored
from dnsbroker.errors import BrokerError, DelegationBroken, LookupFailed, NoProvider
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.asking import lameness
from dnsbroker.lookup.exchange import Answer, Exchange, Silent
from dnsbroker.lookup.place import MOST_HOPS, Finder
from dnsbroker.lookup.zone import Hop, NameServer, Place, Zone
from dnsbroker.names import labels, shown
from dnsbroker.propagation.report import primary_of
from dnsbroker.tasks import together

#: BIND and Unbound give up after eleven restarts of a question; other resolvers earlier.
_MANY_HOPS = 8


async def delegation(
    place: Place, finder: Finder, exchange: Exchange, *, ignore: Collection[str] = ()
) -> tuple[Finding, ...]:
    """What is wrong with the way to ``place``; the servers in ``ignore`` (owner names, IP addresses) are left out."""
    steps = [_missing(place, hop, exchange, ignore) for hop in place.hops]
    found = await together([*steps, _undelegated(place, finder, exchange, ignore)])
    return (*_oddities(place), *(finding for findings in found for finding in findings))


def broken(name: str, error: BrokerError) -> Finding:
    """The finding for an ``error`` of looking for the place of ``name``, an owner name, or for who writes there.

    The chain of aliases, where there is one, is the evidence.
    """
    if isinstance(error, DelegationBroken):
        evidence = tuple(Evidence(record=f"{one} -> {other}") for one, other in pairwise(error.chain))
        if len(error.chain) > MOST_HOPS + 1:
            return Finding("long-chain", Severity.ERROR, name, error.message, error.hint, evidence)
        if len(set(error.chain)) < len(error.chain):
            return Finding("alias-loop", Severity.ERROR, name, error.message, error.hint, evidence)
        return Finding("dangling-alias", Severity.ERROR, name, error.message, error.hint, evidence)
    if isinstance(error, NoProvider):
        evidence = (Evidence(record=f"{shown(error.name)} stands in zone {shown(error.zone)}"),)
        return Finding("no-provider", Severity.ERROR, name, error.message, error.hint, evidence)
    evidence = (Evidence(error.server, error.rcode),) if isinstance(error, LookupFailed) else ()
    return Finding("no-zone", Severity.ERROR, name, error.message, error.hint, evidence)


def _oddities(place: Place) -> Iterator[Finding]:
    """What the place itself tells."""
    if len(place.hops) > _MANY_HOPS:
        evidence = tuple(Evidence(record=_record(hop)) for hop in place.hops)
        message = f"{len(place.hops)} aliases lead to {shown(place.owner)}: resolvers may give up on the way"
        hint = f"have the first alias, at {shown(place.hops[0].owner)}, lead to {shown(place.owner)}"
        yield Finding("long-chain", Severity.WARNING, place.challenge, message, hint, evidence)
    if place.unfollowed:
        record = f"{shown(place.owner)} -> {shown(place.unfollowed)}"
        message = "a CNAME that only a wildcard makes answers here; it is not followed, the record takes its place"
        hint = f"to delegate it, add the CNAME at {shown(place.owner)} itself"
        yield Finding("wildcard-alias", Severity.NOTICE, place.challenge, message, hint, (Evidence(record=record),))


async def _missing(place: Place, hop: Hop, exchange: Exchange, ignore: Collection[str]) -> list[Finding]:
    """The servers that do not have ``hop``; those that do not answer for its zone are somebody else's affair."""
    counted = [server for server in hop.zone.servers if not is_ignored(server, ignore)]
    answers = await together(_about(exchange, hop.zone, server, hop.owner, hop.kind) for server in counted)
    return [
        _without(place, hop, server, answer)
        for server, answer in zip(counted, answers, strict=True)
        if answer is not None and hop.target not in answer.values(hop.owner, hop.kind)
    ]


async def _about(exchange: Exchange, zone: Zone, server: NameServer, name: str, type: str) -> Answer | None:
    """What a server of ``zone`` says; None where it does not answer for the zone."""
    try:
        answer = await exchange.ask(server.address, name, type)
    except Silent:
        return None
    return None if lameness(answer, zone.name, name) else answer


def _without(place: Place, hop: Hop, server: NameServer, answer: Answer) -> Finding:
    other = ", ".join(sorted(map(shown, answer.values(hop.owner, hop.kind))))
    soa = answer.soa(hop.zone.name)
    what = f"has {hop.kind} {other} at {shown(hop.owner)}" if other else f"has no {hop.kind} at {shown(hop.owner)}"
    return Finding(
        "alias-missing",
        Severity.ERROR,
        place.challenge,
        f"{server.label} {what}, where others have {shown(hop.target)}",
        f"have {shown(server.name)} transfer {shown(hop.zone.name)} from {primary_of(hop.zone)} again, and see that "
        "both have the same serial afterwards",
        (Evidence(server.label, f"{hop.kind} {other}" if other else answer.rcode, soa.serial if soa else None),),
    )


async def _undelegated(place: Place, finder: Finder, exchange: Exchange, ignore: Collection[str]) -> list[Finding]:
    """The servers of the parent that know nothing of the place's zone. Those of top-level domains are not asked."""
    zone = place.zone
    is_found_from_above = any(server.in_parent for server in zone.servers)
    if len(labels(zone.name)) < 3 or not is_found_from_above:
        return []
    try:
        parent = await finder.zone_of(".".join(labels(zone.name)[1:]) + ".")
    except LookupFailed:
        return []  # none of them answers, and yet the zone was found: past them
    if len(labels(parent.name)) < 2:
        return []
    counted = [server for server in parent.servers if not is_ignored(server, ignore)]
    answers = await together(_about(exchange, parent, server, zone.name, "NS") for server in counted)
    return [
        _without_cut(place, parent, server, answer)
        for server, answer in zip(counted, answers, strict=True)
        if answer is not None and zone.name not in (answer.referral(zone.name), answer.apex(zone.name))
        if not answer.values(zone.name, "NS")
    ]


def _without_cut(place: Place, parent: Zone, server: NameServer, answer: Answer) -> Finding:
    zone = shown(place.zone.name)
    soa = answer.soa(parent.name)
    hosts = ", ".join(sorted({shown(one.name) for one in place.zone.servers}))
    return Finding(
        "undelegated",
        Severity.ERROR,
        place.challenge,
        f"{server.label} serves {shown(parent.name)}, and does not delegate {zone}, in which the record stands",
        f"add the NS records of {zone} ({hosts}) to {shown(parent.name)}, and see that {shown(server.name)} has them",
        (Evidence(server.label, answer.rcode, soa.serial if soa else None),),
    )


def _record(hop: Hop) -> str:
    return f"{shown(hop.owner)} {hop.kind} {shown(hop.target)}"
