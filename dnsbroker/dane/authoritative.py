"""The same records, rightly signed, at every authoritative address; and nothing above them that is denied.

Rule: every address of every server counts, for a resolver may ask any of them: one that is silent comes back with what
it had. The zones of aliases that lead to the records are looked at as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dnsbroker.checks.shadowing import shadowing
from dnsbroker.clock import Clock
from dnsbroker.dane.faults import brief, fault
from dnsbroker.errors import BrokerError
from dnsbroker.findings import Evidence, Finding
from dnsbroker.lookup.asking import lameness
from dnsbroker.lookup.exchange import Answer, Exchange, Silent, Untestable
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.proofs import Proof, State, can_be_checked, proof, read_keys
from dnsbroker.lookup.zone import NameServer, Place, Zone
from dnsbroker.names import between, shown
from dnsbroker.tasks import together

_TYPE = "TLSA"
_SOON = timedelta(days=3)
_MEND = "sign the zone anew, then have every server take it from the one that signs"


@dataclass(frozen=True)
class Stand:
    """Where records really stand, ``owner`` in ``zone``; ``records`` are all that some server has."""

    owner: str
    zone: str
    records: frozenset[str]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Seen:
    """What one server has: its ``records``, the ``signed`` proof, a name above that it ``denied``; or why nothing."""

    server: NameServer
    trouble: str = ""
    untested: bool = False
    records: frozenset[str] = frozenset()
    signed: Proof | None = None
    denied: str = ""
    is_synthesised: bool = False


async def stand(name: str, finder: Finder, exchange: Exchange, clock: Clock) -> Stand:
    """What the authoritative servers have at owner name ``name``."""
    try:
        place = await finder.find(name)
    except BrokerError as error:
        hint = error.hint or "mend the delegation"
        return Stand(name, "", frozenset(), (fault("no-zone", shown(name), error.message, hint),))
    now = clock.now()
    seen = await together(_look(place, server, exchange, now) for server in place.zone.servers)
    hops = await together(
        _look_at_alias(hop.owner, hop.kind, hop.zone, server, exchange, now)
        for hop in place.hops
        for server in hop.zone.servers
    )
    records = frozenset[str]().union(*(one.records for one in seen))
    findings = [*_unsigned(place), *_of_servers(place, seen, now), *(found for found in hops if found)]
    if not records:
        findings += await shadowing(place, finder)
    return Stand(place.owner, place.zone.name, records, tuple(findings))


async def _look(place: Place, server: NameServer, exchange: Exchange, now: datetime) -> _Seen:
    try:
        answer = await exchange.ask(server.address, place.owner, _TYPE, dnssec=True)
        if wrong := lameness(answer, place.zone.name, place.owner):
            return _Seen(server, f"it answers {wrong}" if wrong.isupper() else f"it {wrong}")
        if answer.tcp_refused:
            return _Seen(server, "its answer by UDP is cut short, and by TCP there is none")
        records = answer.values(place.owner, _TYPE)
        denied = await _denied(place, server, exchange) if records else ""
        signed = await _proof(answer, place.owner, _TYPE, place.zone, server, exchange, now) if records else None
    except Untestable as error:
        return _Seen(server, error.reason, untested=True)
    except Silent as error:
        return _Seen(server, error.reason)
    return _Seen(server, "", False, records, signed, denied, is_synthesised=answer.is_synthesised(place.owner, _TYPE))


async def _proof(
    answer: Answer, name: str, type: str, zone: Zone, server: NameServer, exchange: Exchange, now: datetime
) -> Proof | None:
    """What the answer proves; None where the zone is not signed. Raises Silent."""
    if not can_be_checked(zone.ds):
        return None
    keys = read_keys(await exchange.ask(server.address, zone.name, "DNSKEY", dnssec=True), zone.name, zone.ds, now)
    if not keys.is_named or keys.proof.state is not State.RIGHT:
        return Proof(State.WRONG, "no DS in the parent proves a key of the zone")
    return proof(answer, name, type, keys, now)


async def _denied(place: Place, server: NameServer, exchange: Exchange) -> str:
    """A name above the records that the server denies: resolvers that go down label by label turn back there."""
    for name in between(place.owner, place.zone.name):
        if (await exchange.ask(server.address, name, "A")).denies(name):
            return name
    return ""


async def _look_at_alias(
    name: str, kind: str, zone: Zone, server: NameServer, exchange: Exchange, now: datetime
) -> Finding | None:
    """What is wrong with an alias that leads to the records, at one server."""
    subject = shown(name)
    try:
        answer = await exchange.ask(server.address, name, kind, dnssec=True)
        if not answer.values(name, kind):
            evidence = (Evidence(server.label, f"no {kind} ({answer.rcode})"),)
            return fault(
                "servers-differ",
                subject,
                f"a server lacks the {kind} that leads to the records",
                "have that server take the zone anew",
                evidence,
            )
        signed = await _proof(answer, name, kind, zone, server, exchange, now)
    except Untestable as error:
        return _untested(subject, [_Seen(server, error.reason, untested=True)])
    except Silent as error:
        return _failing(subject, [_Seen(server, error.reason)])
    if signed is None or signed.state is State.RIGHT:
        return None
    return _wrong(subject, [_Seen(server, signed=signed)])


def _unsigned(place: Place) -> list[Finding]:
    """The zones on the way that have no DS; what is configured as ``dns.servers`` has no parent that we know."""
    zones = {zone.name: zone for zone in (place.zone, *(hop.zone for hop in place.hops))}
    return [
        fault(
            "not-signed",
            shown(place.challenge),
            f"its parent has no DS for {shown(zone.name)}: without DNSSEC there is no DANE",
            "sign the zone, then have its DS put into the parent (at the registrar)",
        )
        for zone in zones.values()
        if not can_be_checked(zone.ds) and any(server.in_parent for server in zone.servers)
    ]


def _of_servers(place: Place, seen: Sequence[_Seen], now: datetime) -> list[Finding]:
    subject = shown(place.owner)
    heard = [one for one in seen if not one.trouble]
    found = [
        _untested(subject, [one for one in seen if one.untested]),
        _failing(subject, [one for one in seen if one.trouble and not one.untested]),
        _differing(subject, heard),
        _denying(subject, [one for one in heard if one.denied]),
        _wrong(subject, [one for one in heard if one.signed and one.signed.state is not State.RIGHT]),
        _ending(subject, [one for one in heard if one.signed and one.signed.ends_soon(now, _SOON)]),
        _made(subject, [one for one in heard if one.is_synthesised]),
    ]
    return [finding for finding in found if finding is not None]


def _untested(subject: str, seen: Sequence[_Seen]) -> Finding | None:
    if not seen:
        return None
    evidence = tuple(Evidence(one.server.label, one.trouble) for one in seen)
    message = "this host has no way to some of the name servers' addresses, so that they were not looked at"
    return fault("server-untested", subject, message, "look from a host that has both IPv4 and IPv6", evidence)


def _failing(subject: str, seen: Sequence[_Seen]) -> Finding | None:
    if not seen:
        return None
    evidence = tuple(Evidence(one.server.label, one.trouble) for one in seen)
    message = "not every name server answers for it: who asks that one gets no answer, or later an old one"
    return fault(
        "server-fails", subject, message, "have that server answer, or take it out of the NS records", evidence
    )


def _differing(subject: str, heard: Sequence[_Seen]) -> Finding | None:
    if len({one.records for one in heard}) < 2:
        return None
    evidence = tuple(
        Evidence(one.server.label, ", ".join(map(brief, sorted(one.records))) or "no TLSA record") for one in heard
    )
    hint = "let the servers that have other records follow the primary: look at NOTIFY, transfers and serials"
    return fault("servers-differ", subject, "the name servers do not have the same records", hint, evidence)


def _denying(subject: str, denying: Sequence[_Seen]) -> Finding | None:
    if not denying:
        return None
    evidence = tuple(Evidence(one.server.label, f"NXDOMAIN for {one.denied}") for one in denying)
    message = "a name server has the records, and denies a name above them: many resolvers look no further"
    hint = "it must answer NOERROR for every name above a record: rectify or sign the zone anew, or update the server"
    return fault("ent-denied", subject, message, hint, evidence)


def _wrong(subject: str, seen: Sequence[_Seen]) -> Finding | None:
    if not seen:
        return None
    evidence = tuple(Evidence(one.server.label, _told(one.signed)) for one in seen if one.signed)
    message = "signatures that should prove the records do not: who validates gets no answer, and mail waits"
    return fault("bogus-signature", subject, message, _MEND, evidence)


def _told(signed: Proof) -> str:
    words = {
        State.UNSIGNED: "no signature",
        State.EARLY: f"a signature that begins at {signed.since:%Y-%m-%d %H:%M} UTC" if signed.since else "",
        State.OVER: f"a signature that ended at {signed.until:%Y-%m-%d %H:%M} UTC" if signed.until else "",
    }
    return words.get(signed.state) or signed.reason or "a signature that does not hold"


def _ending(subject: str, ending: Sequence[_Seen]) -> Finding | None:
    if not ending:
        return None
    evidence = tuple(
        Evidence(one.server.label, f"signed until {one.signed.until:%Y-%m-%d %H:%M} UTC")
        for one in ending
        if one.signed and one.signed.until
    )
    message = "signatures over the records end soon, and should have been renewed by now"
    hint = "look why the signer does not renew them, and whether the servers follow it"
    return fault("signature-expires", subject, message, hint, evidence)


def _made(subject: str, seen: Sequence[_Seen]) -> Finding | None:
    if not seen:
        return None
    message = "the records come from a wildcard: they are gone as soon as the host has anything of its own"
    return fault("wildcard-made", subject, message, "publish them at the name itself")
