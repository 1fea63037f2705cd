"""A service's host as clients find it: its addresses, whether they are proved, and below which names its records are.

Rule: addresses that are not proved leave clients without DANE (RFC 7672 section 2.2.2). Of a host that is an alias
clients try the name at its end first, where every hop is proved, and then the host itself (RFC 7671 section 7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane.believing import Believing
from dnsbroker.dane.faults import fault
from dnsbroker.dane.targets import unanswered
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import LookupFailed
from dnsbroker.findings import Evidence, Finding
from dnsbroker.lookup.address import parse_address
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.validating import Believed, Standing
from dnsbroker.names import owner, shown


@dataclass(frozen=True)
class Host:
    """``bases`` are owner names, in the order in which clients try them; ``ips`` its addresses, sorted."""

    bases: tuple[str, ...]
    ips: tuple[str, ...]
    findings: tuple[Finding, ...]


async def look_up(endpoint: Endpoint, trusted: Believing) -> Host:
    """The host of ``endpoint``."""
    name, subject = owner(endpoint.host), endpoint.shown()
    found = await asyncio.gather(trusted.ask(name, "A"), trusted.ask(name, "AAAA"))
    findings = [unanswered(one, subject) for one in found if not one.standing.is_known]
    ips = tuple(sorted({ip for one in found for ip in one.values}, key=lambda ip: (":" in ip, ip)))
    # What is not there need not be proved where something else is: an opt-out of NSEC3 leaves that open.
    counted = [one for one in found if one.values] or [one for one in found if one.standing.is_known]
    if not ips and not findings:
        hint = f"give it one; where *.{shown(name).partition('.')[2]} has one, records below the host hide that"
        findings.append(fault("no-address", subject, f"{shown(name)} has no address", hint))
    end = next((one.end for one in counted if one.aliases), name)
    bases = (end, name) if end != name else (name,)
    insecure = [one for one in counted if one.standing is Standing.INSECURE]
    if not insecure:
        return Host(bases, ips, tuple(findings))
    return Host((name,), ips, (*findings, await _insecure(name, subject, insecure[0], trusted)))


async def _insecure(name: str, subject: str, found: Believed, trusted: Believing) -> Finding:
    """What follows from addresses that are not proved: nothing worse, where the alias itself is."""
    evidence = await way(found, trusted)
    if found.aliases and (await trusted.ask(name, "CNAME")).standing is Standing.SECURE:
        message = f"{shown(name)} is an alias of {shown(found.end)}, whose addresses are not protected by DNSSEC"
        hint = "have the host itself have its addresses, in its own signed zone"
        return fault("alias-insecure", subject, message, hint, evidence)
    message = f"the addresses of {shown(name)} are not protected by DNSSEC: clients do not look for TLSA records"
    hint = f"sign the zone of {shown(found.end)}, and have its DS in the parent"
    return fault("insecure", subject, message, hint, evidence)


async def way(found: Believed, trusted: Believing) -> tuple[Evidence, ...]:
    """Which hop of the aliases in an answer that is not proved is not proved itself; the end, where all hops are."""
    for name, target in zip((found.name, *found.aliases), found.aliases, strict=False):
        hop = await trusted.ask(name, "CNAME")
        if hop.standing is Standing.INSECURE:
            return (Evidence(record=f"{name} CNAME {target}, without AD"),)
    return (Evidence(record=f"{found.end} {found.type}, without AD"),)


async def addresses(
    endpoint: Endpoint, tables: Sequence[DaneConfig], host: Host, finder: Finder
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Where to connect: as the tables say, else at every address of the host; and what is wrong with what they say."""
    places = tuple(dict.fromkeys(table.connect for table in tables if table.connect))
    if not places:
        return host.ips, ()
    found: list[str] = []
    findings: list[Finding] = []
    for place in places:
        try:
            found += await _connected(place, endpoint.port, finder)
        except LookupFailed as error:
            findings.append(fault("unreachable", endpoint.shown(), f"connect = {place!r}: {error.message}", error.hint))
    return tuple(dict.fromkeys(found)), tuple(findings)


async def _connected(place: str, port: int, finder: Finder) -> list[str]:
    """The addresses behind ``ADDRESS``, ``ADDRESS:PORT`` or ``host:port``. Raises LookupFailed."""
    try:
        at = parse_address(place, port)
        return [_written(at.ip, at.port)]
    except ValueError:
        name, _, written = place.partition(":")
    return [_written(ip, int(written or port)) for ip in await finder.addresses(name)]


def _written(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
