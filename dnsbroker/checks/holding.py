"""Does a provider hold a zone that the world asks others about? The old copy that stays behind where a zone moved.

Rule: a provider is right where one of its servers is one of the zone's, by the parent's word or the zone's own, by name
or by address. One that does not tell its servers, or that may not write the zone, is not judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from dnsbroker.errors import BrokerError
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.names import shown
from dnsbroker.routing import Routing


async def holding(zone: Zone, routing: Routing) -> tuple[Finding, ...]:
    """A finding for each configured provider that holds ``zone`` although its delegation leads elsewhere.

    An error where records would be written there, for nobody would see them; else a notice.
    """
    asked = routing.candidates(zone.name)
    found = await asyncio.gather(*(_elsewhere(provider, zone, routing) for provider in asked))
    wrong = {name: servers for name, servers in zip(asked, found, strict=True) if isinstance(servers, frozenset)}
    used = await _used(zone, routing) if wrong else ""
    return (
        *(_finding(name, servers, zone, is_used=name == used) for name, servers in wrong.items()),
        *(item for item in found if isinstance(item, Finding)),
    )


async def _elsewhere(provider: str, zone: Zone, routing: Routing) -> frozenset[str] | Finding | None:
    """The servers by which ``provider`` serves ``zone`` where none of them is the zone's; None where all is well."""
    try:
        if not await routing.holds(provider, zone.name):
            return None
        servers = await routing.name_servers(provider, zone.name)
    except BrokerError as error:
        return Finding(
            check="provider-fails",
            severity=Severity.NOTICE,
            subject=zone.name,
            message=f"whether the delegation leads to provider {provider} is not known: {error.message}",
            hint=error.hint,
        )
    return servers if servers and not await routing.serves(servers, zone) else None


async def _used(zone: Zone, routing: Routing) -> str:
    """The provider to which records in ``zone`` would be written; empty where that is not decided."""
    owner = f"_acme-challenge.{zone.name}"
    try:
        return (await routing.route(Place(owner, owner, zone))).target.provider
    except BrokerError:  # which has a finding of its own, elsewhere
        return ""


def _finding(provider: str, servers: frozenset[str], zone: Zone, *, is_used: bool) -> Finding:
    name, theirs = shown(zone.name), {host for server in zone.servers for host in (server.name, *server.also)}
    if is_used:
        message = f"provider {provider} holds {name} and would be written to, but its delegation leads elsewhere"
        hint = (
            f"configure the provider to which {_listed(theirs)} belong, or have the parent zone name "
            f"{_listed(servers)} instead"
        )
    else:
        message = f"provider {provider} holds {name}, but its delegation leads elsewhere"
        hint = f"nothing is written there; remove the zone from {provider} once nobody needs the old copy"
    return Finding(
        check="delegated-elsewhere",
        severity=Severity.ERROR if is_used else Severity.NOTICE,
        subject=zone.name,
        message=message,
        hint=hint,
        evidence=(
            Evidence(provider, f"{name} NS {_listed(servers)}"),
            Evidence("the delegation", f"{name} NS {_listed(theirs)}"),
        ),
    )


def _listed(hosts: Iterable[str]) -> str:
    return ", ".join(map(shown, sorted(hosts)))
