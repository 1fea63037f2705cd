"""Do a zone's servers follow? Their serials, by RFC 1982, and what to do about one that stays behind.

Rule: a server is behind only if it does not reach, within some seconds, what another one had at the first look: in a
zone that changes all the time none has the newest at every moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from dnsbroker.clock import Clock
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.names import shown
from dnsbroker.propagation.report import primary_of, time_to_refresh
from dnsbroker.records import rfc1982_newer
from dnsbroker.tasks import together

#: Whether the service has told the secondaries of the serial that it has.
Announced = Callable[[], Awaitable[bool]]
#: Seconds between the looks at a server that is behind.
PAUSES = (0.5, 1.5, 3.0, 5.0)


async def lagging(
    zone: Zone,
    exchange: Exchange,
    clock: Clock,
    serving: Mapping[NameServer, int],
    written: int | None,
    pauses: Sequence[float],
    announced: Announced | None = None,
) -> tuple[Finding, ...]:
    """The servers that do not follow; ``serving`` are the serials at a first look, ``written`` the service's own.

    ``announced`` tells whether the service has sent a NOTIFY of it yet; asked only where no secondary has followed.
    """
    given = [*serving.values(), *([] if written is None else [written])]
    if not serving or len(set(given)) == 1:
        return ()
    newest = newest_of(given)
    if newest is None:
        return (_without_order(zone, serving),)
    current = dict(serving)
    for pause in pauses:
        behind = [server for server, serial in current.items() if rfc1982_newer(newest, serial)]
        if not behind:
            break
        await clock.sleep(pause)
        current |= await _seen(zone, exchange, behind)
    behind = [server for server, serial in current.items() if rfc1982_newer(newest, serial)]
    secondaries = [server for server in current if not _is_primary(zone, server)]
    is_early = bool(behind) and set(secondaries) <= set(behind) and announced is not None and not await announced()
    return tuple(
        _early(zone, server, current[server], newest)
        if is_early and not _is_primary(zone, server)
        else _stale(zone, server, current[server], newest, serving)
        for server in behind
    )


def newest_of(serials: Iterable[int]) -> int | None:
    """The one of ``serials`` that is newer than all others; None where RFC 1982 section 3.2 defines none."""
    kinds = set(serials)
    return next((one for one in kinds if all(one == other or rfc1982_newer(one, other) for other in kinds)), None)


async def _seen(zone: Zone, exchange: Exchange, asked: Sequence[NameServer]) -> dict[NameServer, int]:
    """The serials of those ``asked``, where they give one."""
    found = await together(_serial(zone, exchange, server) for server in asked)
    return {server: serial for server, serial in zip(asked, found, strict=True) if serial is not None}


async def _serial(zone: Zone, exchange: Exchange, server: NameServer) -> int | None:
    try:
        soa = (await exchange.ask(server.address, zone.name, "SOA")).soa(zone.name)
    except Silent:
        return None
    return soa.serial if soa else None


def _stale(zone: Zone, server: NameServer, serial: int, newest: int, first: Mapping[NameServer, int]) -> Finding:
    ahead = [other for other, own in first.items() if own == newest]
    source = ahead[0].label if ahead else "the service"
    return Finding(
        "stale-server",
        # Between the service and a signed zone's servers a signer may count serials of its own.
        Severity.ERROR if ahead or not zone.ds else Severity.WARNING,
        zone.name,
        f"{server.label} is behind: at serial {serial}, and {source} at {newest}",
        _cure(zone, server, newest, is_served=bool(ahead)),
        (Evidence(server.label, serial=serial), Evidence(source, serial=newest)),
    )


def _early(zone: Zone, server: NameServer, serial: int, newest: int) -> Finding:
    return Finding(
        "stale-server",
        Severity.WARNING,
        zone.name,
        f"{server.label} is behind: at serial {serial}, and the service, which has not sent NOTIFY yet, at {newest}",
        f"look again in a minute; if it is so then, have the service send NOTIFY to {shown(server.name)}",
        (Evidence(server.label, serial=serial), Evidence("the service", serial=newest)),
    )


def _is_primary(zone: Zone, server: NameServer) -> bool:
    return zone.soa.primary in (server.name, *server.also)


def _cure(zone: Zone, server: NameServer, newest: int, *, is_served: bool) -> str:
    name = shown(server.name)
    if _is_primary(zone, server):
        if is_served:
            return f"raise the serial of {shown(zone.name)} on {name}, the primary, above {newest}: none takes an older"
        return f"look in the log of {name}, the zone's primary, for why it does not serve what the service has"
    return (
        f"{name} refreshes every {zone.soa.refresh} s: have {primary_of(zone)} send it NOTIFY, let it accept that, and "
        f"look in its log for why its transfers fail; until then set propagation.timeout to {time_to_refresh(zone)}, "
        f"or leave it out with --ignore {name}"
    )


def _without_order(zone: Zone, serving: Mapping[NameServer, int]) -> Finding:
    evidence = tuple(Evidence(server.label, serial=serial) for server, serial in serving.items())
    return Finding(
        "serials-differ",
        Severity.ERROR,
        zone.name,
        "the serials of its servers are so far apart that none is the newest, and no secondary will follow (RFC 1982)",
        f"have every secondary of {shown(zone.name)} drop its copy and transfer the zone afresh",
        evidence,
    )
