"""What speaks against publishing TLSA records, found before the first of them is written.

Rule: a record is enforced by clients the moment they see it. So what would make them fail is refused with what cures
it, and what only may is told once. Where DNSSEC does not reach, records have no effect, and that is refused too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dnsbroker import keys
from dnsbroker.checks.dnssec import dnssec
from dnsbroker.checks.shadowing import shadowing
from dnsbroker.clock import Clock
from dnsbroker.config import DNSConfig
from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane.believing import is_trusted
from dnsbroker.dane.places import Post, Service
from dnsbroker.dane.subjects import Subject
from dnsbroker.errors import PreflightFailed
from dnsbroker.events import Emitter
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.proofs import can_be_checked
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import shown
from dnsbroker.tasks import together
from dnsbroker.tlsa.computing import Presented, kinds
from dnsbroker.tlsa.objections import Circumstances, objections
from dnsbroker.tlsa.paths import misnamed, named
from dnsbroker.tlsa.records import Tlsa

#: Renewal is due when this part of a certificate's life is left.
_LEFT = 3
_UNSEEN_TRUST = "whether the chain of trust above it is whole was not seen"


@dataclass(frozen=True)
class _Fault:
    """Why nothing is published: a word for scripts, what is wrong, and the cure."""

    check: str
    message: str
    hint: str


class Preflight:
    """Looks once in a run at each zone and owner name; what only may go wrong is told once as well."""

    def __init__(self, dns: DNSConfig, finder: Finder, exchange: Exchange, clock: Clock, emit: Emitter) -> None:
        self._finder = finder
        self._exchange = exchange
        self._clock = clock
        self._emit = emit
        self._is_trusted = is_trusted(dns, finder.resolvers())
        self._zones: dict[str, tuple[_Fault, ...]] = {}
        self._posts: dict[str, tuple[_Fault, ...]] = {}
        self._told: set[str] = set()

    async def check_names(self, post: Post) -> None:
        """Raise PreflightFailed where records at ``post`` would have no effect, or take other names away."""
        if post.owner not in self._posts:
            self._posts[post.owner] = await self._of_post(post)
        _refuse(post.owner, self._posts[post.owner])

    def check_records(self, post: Post, records: frozenset[Tlsa], subjects: Iterable[Subject], ttl: int = 0) -> None:
        """Raise PreflightFailed where the kinds configured for ``post`` fail clients.

        ``records`` are all to stand, ``ttl`` (seconds) is what those have that stand already; 0 where none is known.
        """
        known = {subject.reference: subject for subject in subjects}
        faults: list[_Fault] = []
        for service in post.services:
            for table in service.tables:
                live = [one.live for name in table.certificate if (one := known.get(name)) and one.live]
                faults += self._of_kinds(table, service, live, len(records))
                its = [known[name] for name in table.certificate if name in known]
                faults += [fault for subject in its for fault in _plan(subject, post, ttl or post.ttl)]
        _refuse(post.owner, faults)

    def _of_kinds(self, table: DaneConfig, service: Service, live: Sequence[Presented], count: int) -> Iterable[_Fault]:
        endpoint = service.endpoint
        has_authority = all(chain.authorities for chain in live)
        circumstances = Circumstances(has_authority, endpoint.port, _misnamed(live, endpoint.host))
        for found in objections(kinds(table.records), circumstances, count=count):
            if found.check in table.allow:
                continue
            allowing = f'; allow = ["{found.check}"] in [[dane]] publishes it all the same'
            if found.is_refusal:
                yield _Fault(found.check, f"{endpoint.shown()}: {found.message}", found.hint + allowing)
            else:
                self._tell(f"{endpoint.shown()}: {found.message}", found.hint + allowing)

    async def _of_post(self, post: Post) -> tuple[_Fault, ...]:
        zones = {zone.name: zone for zone in (*(hop.zone for hop in post.place.hops), post.place.zone)}
        parts = await together(self._of_zone(zone) for zone in zones.values())
        shadowed = await shadowing(post.place, self._finder)
        hidden = [_fault(found) for found in shadowed if found.severity is Severity.ERROR]
        for found in shadowed:
            if found.severity is Severity.WARNING:
                self._tell(f"{shown(found.subject)}: {found.message}", found.hint)
        return (*(fault for part in parts for fault in part), *hidden)

    async def _of_zone(self, zone: Zone) -> tuple[_Fault, ...]:
        if zone.name not in self._zones:
            resolvers = self._finder.resolvers()
            found = await dnssec(zone, self._exchange, resolvers, self._clock)
            self._zones[zone.name] = tuple(self._judged(zone, found))
        return self._zones[zone.name]

    def _judged(self, zone: Zone, found: Sequence[Finding]) -> Iterable[_Fault]:
        checks = {finding.check for finding in found}
        for finding in found:
            if finding.severity is Severity.ERROR or self._has_no_effect(zone, finding):
                yield _fault(finding)
        if not zone.ds and "not-signed" not in checks:
            self._tell(f"{shown(zone.name)}: whether it is signed was not seen", "clients use records of signed zones")
        elif "insecure-parent" in checks and not self._is_trusted:
            self._tell(f"{shown(zone.name)}: a resolver says that {_UNSEEN_TRUST}", _resolver_cure())
        elif "resolver-does-not-validate" in checks or "resolver-fails" in checks:
            self._tell(f"{shown(zone.name)}: {_UNSEEN_TRUST}", _resolver_cure())

    def _has_no_effect(self, zone: Zone, finding: Finding) -> bool:
        """Whether what is a remark about a zone for certificates means that clients see no records in it."""
        if finding.check == "weak-algorithm":
            return not can_be_checked(zone.ds)
        return finding.check == "not-signed" or (finding.check == "insecure-parent" and self._is_trusted)

    def _tell(self, message: str, hint: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._emit("warning", message=message, hint=hint)


def _resolver_cure() -> str:
    return "name in dns.resolvers a resolver on this host that validates"


def _fault(finding: Finding) -> _Fault:
    return _Fault(finding.check, f"{shown(finding.subject)}: {finding.message}", finding.hint)


def _misnamed(live: Iterable[Presented], host: str) -> str:
    """The words for the first live leaf that is not for ``host``; empty where all are."""
    leaves = [keys.link(chain.leaf.certificate) for chain in live if chain.leaf.certificate]
    return next((misnamed(leaf, [host]) for leaf in leaves if not named(leaf, [host])), "")


def _plan(subject: Subject, post: Post, ttl: int) -> Iterable[_Fault]:
    """Whether the time for which records are waited for fits between a renewal and the end of the certificate."""
    if subject.live is None or not subject.live_pem:
        return
    leaf = keys.describe(subject.live_pem)
    left = (leaf.not_after - leaf.not_before).total_seconds() / _LEFT
    wait = max(2.0 * ttl, post.min_wait)
    if wait >= left:
        lives, waits = _span(_LEFT * left), _span(wait)
        cure = f"set min_wait and twice the ttl in [[dane]] below {_span(left)}, which is what a renewal leaves"
        if ttl != post.ttl:
            cure += f"; and lower the TTL of the records that stand there, which is {ttl} s and stays so"
        yield _Fault(
            "no-time",
            f"{subject.reference}: its certificate lives {lives}, and a record is relied on {waits} after it is "
            "everywhere: what a renewal brings could not be served before the old certificate ends",
            cure,
        )


def _span(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds))).removesuffix(", 0:00:00")


def _refuse(owner: str, faults: Sequence[_Fault]) -> None:
    if faults:
        told = "; ".join(dict.fromkeys(fault.message for fault in faults))
        raise PreflightFailed(
            f"nothing is published at {shown(owner)}: {told}",
            name=owner,
            checks=list(dict.fromkeys(fault.check for fault in faults)),
            hint=faults[0].hint,
        )
