"""A zone's name servers: does each address answer for the zone, by UDP and TCP, and do all have the same serial?

Rule: every address of every server is asked for the SOA alone, which no cache holds against anybody. A serial that lags
is looked at again for some seconds before it counts, for a transfer may be under way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dnsbroker.checks import serials
from dnsbroker.clock import Clock
from dnsbroker.config.model import Require
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.asking import lameness
from dnsbroker.lookup.exchange import Answer, Exchange, Silent, Untestable
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.names import shown
from dnsbroker.tasks import together

_LAME_RCODES = ("REFUSED", "NOTAUTH")


@dataclass(frozen=True)
class _Cure:
    """What to do about an oddity of the zone's set of servers."""

    check: str
    hint: str


_CURES = (
    _Cure(
        check="ns-mismatch",
        hint="make the delegation in the parent (at the registrar) and the zone's own NS records the same",
    ),
    _Cure(check="no-address", hint="give that server an address in its own zone, or take it out of the NS records"),
    _Cure(
        check="glue-differs",
        hint="correct the glue in the parent (host records at the registrar), or the server's own address",
    ),
)


async def servers(
    zone: Zone,
    exchange: Exchange,
    clock: Clock,
    *,
    ignore: Collection[str] = (),
    require: Require = "all-reachable",
    written: int | None = None,
    announced: serials.Announced | None = None,
    pauses: Sequence[float] = serials.PAUSES,
) -> tuple[Finding, ...]:
    """What is wrong with the servers of ``zone``.

    ``ignore`` and ``require`` as in ``[propagation]``: the former are named, not judged; the latter says whether one
    that does not answer fails a wait. ``written`` is the serial that the service itself has, where it tells one,
    and ``announced`` whether it has sent a NOTIFY of it.
    """
    counted = [server for server in zone.servers if not is_ignored(server, ignore)]
    looks = await together(_look(exchange, zone, server) for server in counted)
    serving = {look.server: look.serial for look in looks if look.serial is not None}
    is_fatal = require == "all" or not serving
    lagging = await serials.lagging(zone, exchange, clock, serving, written, pauses, announced)
    return (
        *_about_the_set(zone),
        *(_ignored(zone, server) for server in zone.servers if server not in counted),
        *(finding for look in looks for finding in _judged(zone, look, is_fatal=is_fatal)),
        *lagging,
    )


def is_ignored(server: NameServer, ignore: Collection[str]) -> bool:
    """Whether ``ignore`` has the server's address, or one of the names that lead to it."""
    return not {server.address.ip, server.name, *server.also}.isdisjoint(ignore)


@dataclass(frozen=True)
class _Look:
    """What one address said, asked in the usual way and by TCP alone."""

    server: NameServer
    usual: Answer | Silent
    by_tcp: Answer | Silent
    fault: str = ""
    serial: int | None = None

    @property
    def answer(self) -> Answer | None:
        """The answer, if there was one either way."""
        return next((given for given in (self.usual, self.by_tcp) if isinstance(given, Answer)), None)


async def _look(exchange: Exchange, zone: Zone, server: NameServer) -> _Look:
    asked = [_asked(exchange, zone, server, tcp=False), _asked(exchange, zone, server, tcp=True)]
    usual, by_tcp = await together(asked)
    seen = _Look(server, usual, by_tcp)
    if seen.answer is None:
        return seen
    soa = seen.answer.soa(zone.name)
    fault = lameness(seen.answer, zone.name, zone.name) or ("" if soa else f"it has no SOA of {shown(zone.name)}")
    return _Look(server, usual, by_tcp, fault, None if fault or soa is None else soa.serial)


async def _asked(exchange: Exchange, zone: Zone, server: NameServer, *, tcp: bool) -> Answer | Silent:
    try:
        return await exchange.ask(server.address, zone.name, "SOA", tcp=tcp)
    except Silent as error:
        return error


def _about_the_set(zone: Zone) -> Iterator[Finding]:
    """What is odd about who is a server of the zone at all."""
    for cure in _CURES:
        for oddity in zone.oddities:
            if oddity.kind == cure.check:
                yield Finding(cure.check, Severity.WARNING, zone.name, oddity.text, cure.hint)
    is_delegated = any(server.in_parent or server.in_child for server in zone.servers)
    if is_delegated and len({server.name for server in zone.servers}) == 1:
        message = "the zone has one name server only: while it is silent, nothing in the zone can be validated"
        evidence = tuple(Evidence(server=server.label) for server in zone.servers)
        yield Finding(
            "one-server", Severity.NOTICE, zone.name, message, "add a second one, in another network", evidence
        )


def _ignored(zone: Zone, server: NameServer) -> Finding:
    message = f"{server.label} is ignored: what it answers to a CA is not known"
    hint = "take it out of propagation.ignore, or out of the NS records"
    return Finding("ignored-server", Severity.NOTICE, zone.name, message, hint, (Evidence(server=server.label),))


def _judged(zone: Zone, look: _Look, *, is_fatal: bool) -> Iterator[Finding]:
    grave = Severity.ERROR if is_fatal else Severity.WARNING
    answer, label = look.answer, look.server.label
    if answer is None:
        yield _silent(zone, look, grave)
    elif answer.rcode in _LAME_RCODES or (look.fault and answer.rcode in ("NOERROR", "NXDOMAIN")):
        hint = f"load the zone {shown(zone.name)} on {shown(look.server.name)}, or take it out of {_lists(look.server)}"
        yield _found(
            zone, look, f"{label} does not answer for the zone: {look.fault}", hint, severity=grave, check="lame-server"
        )
    elif look.fault:
        hint = f"look in the log of {shown(look.server.name)}: a secondary whose transfers failed too long answers so"
        yield _found(
            zone, look, f"{label} cannot answer for the zone: {look.fault}", hint, severity=grave, check="broken-server"
        )
    elif isinstance(look.by_tcp, Silent):
        hint = f"open TCP port {look.server.address.port} to {shown(look.server.name)} in every firewall"
        message = f"{label} answers by UDP, but not by TCP, which a CA needs for large answers"
        yield _found(zone, look, message, hint, look.by_tcp.reason, severity=Severity.WARNING, check="no-tcp")
    elif isinstance(look.usual, Silent) or look.usual.udp_silent:
        hint = f"open UDP port {look.server.address.port} to {shown(look.server.name)} in every firewall"
        message = f"{label} answers by TCP, but not by UDP, by which a CA asks first"
        yield _found(zone, look, message, hint, severity=Severity.WARNING, check="no-udp")


def _silent(zone: Zone, look: _Look, grave: Severity) -> Finding:
    server, given = look.server, look.usual
    reason = given.reason if isinstance(given, Silent) else ""
    if isinstance(given, Untestable):
        message = f"{server.label} was not asked: this host has no way to that address family"
        hint = f"ask from a host that has a way to {server.address}"
        return _found(zone, look, message, hint, reason, severity=Severity.NOTICE, check="untested")
    hint = f"let {shown(server.name)} answer at {server.address} by UDP and TCP, or take it out of {_lists(server)}"
    if not server.address.is_v6:
        return _found(
            zone, look, f"{server.label} does not answer", hint, reason, severity=grave, check="silent-server"
        )
    hint += "; if every IPv6 address is silent, look at this host's own IPv6 first"
    return _found(
        zone, look, f"{server.label} does not answer by IPv6", hint, reason, severity=grave, check="silent-ipv6"
    )


def _found(
    zone: Zone, look: _Look, message: str, hint: str, record: str = "", *, severity: Severity, check: str
) -> Finding:
    evidence = Evidence(look.server.label, record or look.fault, look.serial)
    return Finding(check, severity, zone.name, message, hint, (evidence,))


def _lists(server: NameServer) -> str:
    """Where the server is named as one of the zone's."""
    if server.in_parent and server.in_child:
        return "the NS records, of the zone and of its delegation in the parent"
    if server.in_parent:
        return "the delegation in the parent (at the registrar), which alone names it"
    return "the zone's own NS records, which alone name it" if server.in_child else "dns.servers"
