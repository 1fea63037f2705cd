"""DNSSEC: does a signed zone prove itself at every server, today and tomorrow, and do resolvers think so too?

Rule: servers are asked about the apex, and about one random name below it that cannot exist; resolvers about the apex
alone, and only for data that is there. What an AD bit says is missed where it is not there, and never relied on.
"""

from __future__ import annotations

from collections.abc import Sequence

from dnsbroker.clock import Clock
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import shown


async def dnssec(zone: Zone, exchange: Exchange, resolvers: Sequence[Address], clock: Clock) -> tuple[Finding, ...]:
    """What about the signatures of ``zone`` makes, or will make, a CA that validates refuse its answers.

    A zone without a DS in its parent is not looked at further. Findings about a resolver do not name the zone: they
    are equal for all of them.
    """
    if not zone.ds:
        return (_unsigned(zone),) if any(server.in_parent for server in zone.servers) else ()
    return ()


def _unsigned(zone: Zone) -> Finding:
    return Finding(
        "not-signed",
        Severity.NOTICE,
        shown(zone.name),
        "its parent has no DS for it: certificates need none, DANE does",
        "sign the zone, then have its DS put into the parent",
    )
