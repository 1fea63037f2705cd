"""The name of an endpoint's records: what clients are given there, proved or not, and what the servers really have.

Rule: no record, proved to be none, is an endpoint without DANE; no answer is an endpoint that clients leave alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dnsbroker.clock import Clock
from dnsbroker.dane.authoritative import Stand, stand
from dnsbroker.dane.believing import Believing
from dnsbroker.dane.faults import brief, fault
from dnsbroker.dane.hosts import way
from dnsbroker.dane.served import readable
from dnsbroker.dane.targets import unanswered
from dnsbroker.endpoints import Endpoint
from dnsbroker.findings import Evidence, Finding
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.validating import Believed, Standing
from dnsbroker.names import shown


@dataclass(frozen=True)
class RecordOwner:
    """The records' name below ``base``: what is ``believed``, how the records ``stand``, and what is wrong there."""

    base: str
    believed: Believed
    stand: Stand
    findings: tuple[Finding, ...]

    @property
    def records(self) -> tuple[str, ...]:
        """What clients are given; where that is nothing, what they are about to be given."""
        return readable(self.believed.values or self.stand.records)

    @property
    def gone(self) -> tuple[str, ...]:
        """Those of them that caches alone have yet: no name server gives them out."""
        return readable(self.believed.values - self.stand.records) if self.stand.zone else ()


async def look(
    endpoint: Endpoint, base: str, trusted: Believing, finder: Finder, exchange: Exchange, clock: Clock
) -> RecordOwner:
    """The records of ``endpoint`` below ``base``."""
    name = f"_{endpoint.port}._tcp.{base}"
    believed, there = await asyncio.gather(trusted.ask(name, "TLSA"), stand(name, finder, exchange, clock))
    subject = endpoint.shown()
    findings = list(there.findings)
    if not believed.standing.is_known:
        findings.insert(0, unanswered(believed, subject))
    elif believed.standing is Standing.INSECURE:
        evidence = await way(believed, trusted)
        what = "its TLSA records are" if believed.values else "that it has no TLSA record is"
        message = f"{what} not protected by DNSSEC: to clients there is no DANE"
        hint = f"sign the zone of {shown(believed.end)}, and every zone that an alias leads through, each with its DS"
        findings.insert(0, fault("insecure", subject, message, hint, evidence))
    if _is_behind(believed, there):
        findings.append(_behind(subject, believed, there))
    return RecordOwner(base, believed, there, tuple(findings))


def together(endpoint: Endpoint, owners: Sequence[RecordOwner], *, is_configured: bool) -> Iterator[Finding]:
    """What is to be said of all names at which clients look."""
    subject = endpoint.shown()
    having = [one for one in owners if one.records]
    if not having and all(one.believed.standing.is_known for one in owners):
        compute = f"`dnsbroker tlsa compute --connect {endpoint}` prints what to publish"
        hint = f"`dnsbroker tlsa publish {endpoint}` publishes them" if is_configured else compute
        names = " or ".join(shown(one.believed.name) for one in owners)
        yield fault("no-records", subject, f"there is no TLSA record at {names}: it is without DANE", hint)
    elif having and len(having) < len(owners):
        lacking = next(one for one in owners if not one.records)
        message = f"the host is an alias, and there is no record below {shown(lacking.base)}, where some clients look"
        hint = f"publish the same records at {shown(lacking.believed.name)} too, or have no alias there"
        yield fault("alias-one-name", subject, message, hint)


def _is_behind(believed: Believed, there: Stand) -> bool:
    """Whether a resolver gives what no server has any more, or not yet what all of them have."""
    return believed.standing is Standing.SECURE and bool(there.zone) and believed.values != there.records


def _behind(subject: str, believed: Believed, there: Stand) -> Finding:
    lasting = f" for up to {believed.ttl} s" if believed.ttl is not None else ""
    message = f"the resolver remembers other records than the name servers have{lasting}: so do other caches"
    evidence = tuple(
        Evidence(who, ", ".join(map(brief, sorted(records))) or "no TLSA record")
        for who, records in (("resolver", believed.values), ("name servers", there.records))
    )
    return fault("resolver-behind", subject, message, "wait until caches have forgotten them", evidence)
