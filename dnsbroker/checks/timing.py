"""What a zone's SOA makes of mistakes: how long a resolver's wrong denial, or a lost NOTIFY, goes on.

Rule: only what the zone itself says is looked at; nobody is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnsbroker.config.durations import show
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import shown

#: A denial that resolvers keep longer than this many seconds is worth knowing of.
_LONG_DENIAL = 3600
#: Between these, in seconds, a secondary neither hammers its primary nor misses a day.
_REFRESHES = (60, 86_400)


def timing(zone: Zone) -> tuple[Finding, ...]:
    """What is odd about the times in the SOA of ``zone`` (RFC 1035 section 3.3.13, RFC 2308 section 5)."""
    return tuple(_found(zone))


def _found(zone: Zone) -> Iterator[Finding]:
    soa = zone.soa
    if soa.negative_ttl > _LONG_DENIAL:
        kept = show(soa.negative_ttl)
        yield Finding(
            "negative-ttl",
            Severity.NOTICE,
            zone.name,
            f"a resolver that asked for a name too early stays wrong for {kept}",
            f"set the last number of the SOA of {shown(zone.name)}, or the TTL of the SOA itself, to {_LONG_DENIAL} or "
            "less, and ask no resolver for a challenge name before it is everywhere",
            (Evidence(record=f"SOA minimum {soa.minimum}, TTL {soa.ttl}", serial=soa.serial),),
        )
    if len(zone.servers) > 1 and not _REFRESHES[0] <= soa.refresh <= _REFRESHES[1]:
        yield Finding(
            "odd-refresh",
            Severity.NOTICE,
            zone.name,
            f"a secondary that misses a NOTIFY follows after {show(soa.refresh)}",
            f"set the refresh of the SOA of {shown(zone.name)} to an hour or so",
            (Evidence(record=f"SOA refresh {soa.refresh}, retry {soa.retry}", serial=soa.serial),),
        )
    elif len(zone.servers) > 1 and soa.retry > soa.refresh:
        yield Finding(
            "odd-refresh",
            Severity.NOTICE,
            zone.name,
            f"a secondary whose transfer failed tries again only after {show(soa.retry)}, later than it would anyway",
            f"set the retry of the SOA of {shown(zone.name)} below its refresh ({show(soa.refresh)})",
            (Evidence(record=f"SOA refresh {soa.refresh}, retry {soa.retry}", serial=soa.serial),),
        )
    if soa.expire < soa.refresh + soa.retry:
        yield Finding(
            "short-expire",
            Severity.WARNING,
            zone.name,
            "a secondary gives the zone up before it has tried twice to transfer it, and then answers SERVFAIL",
            f"set the expire of the SOA of {shown(zone.name)} to two weeks or so (1209600)",
            (Evidence(record=f"SOA refresh {soa.refresh}, retry {soa.retry}, expire {soa.expire}", serial=soa.serial),),
        )
