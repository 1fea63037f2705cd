"""Which checks there are for a zone, a place, a name and a certificate; each is run once, however many share it.

To add a check is to add a line here, and a row in docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from dnsbroker.adapter import TellsNotified, TellsSerial
from dnsbroker.checks.caa import caa, caa_servers
from dnsbroker.checks.delegation import delegation
from dnsbroker.checks.dnssec import dnssec
from dnsbroker.checks.holding import holding
from dnsbroker.checks.remains import remains
from dnsbroker.checks.servers import servers
from dnsbroker.checks.shadowing import shadowing
from dnsbroker.checks.timing import timing
from dnsbroker.doctor.alone import Job
from dnsbroker.doctor.authorities import Office, examine_limits
from dnsbroker.doctor.sites import Site
from dnsbroker.doctor.subjects import Subject
from dnsbroker.errors import BrokerError
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.run import Run


class Round:
    """The checks of one round: of ``subjects``, whose names (identifiers) have ``sites``, at the ``offices`` of CAs."""

    def __init__(
        self, run: Run, subjects: Sequence[Subject], sites: Mapping[str, Site], offices: Mapping[str, Office]
    ) -> None:
        self._run = run
        self._subjects = subjects
        self._sites = sites
        self._offices = offices

    def jobs(self) -> Iterator[Job]:
        """All of them."""
        for zone in _unlike(zone for site in self._sites.values() for zone in site.zones()):
            yield from self._of_zone(zone)
        run, ignore = self._run, self._run.config.propagation.ignore
        for zone in _unlike(site.home for site in self._sites.values()):
            ask = partial(caa_servers, zone, run.exchange, ignore=ignore)
            yield Job(zone.name, "what its servers say of CAA", ask)
        for zone in _unlike(site.place.zone if site.place else None for site in self._sites.values()):
            yield Job(zone.name, "who holds it", partial(holding, zone, run.routing))
        for place in {site.challenge: site.place for site in self._sites.values()}.values():
            if place is not None:
                yield from self._of_place(place)
        for subject in self._subjects:
            if not subject.account:  # another client orders, and who knows from whom
                continue
            yield Job(subject.certificate, "what limits it", partial(examine_limits, run, subject))
            for name in subject.names:
                if self._sites[name].home is not None:  # else nobody answers for the name, which is told already
                    yield Job(name, "its CAA records", partial(self._caa, name, subject))

    def _of_zone(self, zone: Zone) -> Iterator[Job]:
        yield Job(zone.name, "its servers", partial(self._servers, zone))
        yield Job(zone.name, "DNSSEC", partial(self._dnssec, zone))
        yield Job(zone.name, "its SOA", partial(self._timing, zone))

    def _of_place(self, place: Place) -> Iterator[Job]:
        run, name = self._run, place.challenge
        ask = partial(delegation, place, run.finder, run.exchange, ignore=run.config.propagation.ignore)
        yield Job(name, "the way to its record", ask)
        yield Job(name, "wildcards above it", partial(self._shadowing, place))
        if run.unread is None:  # else nobody knows whose it is
            yield Job(name, "what stands there", partial(self._remains, place))

    async def _servers(self, zone: Zone) -> tuple[Finding, ...]:
        """What is wrong with its servers, also held against the serial at the service that writes the zone."""
        run, policy = self._run, self._run.config.propagation
        return await servers(
            zone,
            run.exchange,
            run.clock,
            ignore=policy.ignore,
            require=policy.require,
            written=await self._written(zone),
            announced=partial(self._is_announced, zone),
        )

    async def _written(self, zone: Zone) -> int | None:
        """The serial that the service has, where it tells one."""
        with suppress(BrokerError):  # which the provider's own examination tells
            adapter = self._writing(zone)
            return await adapter.serial(zone.name) if isinstance(adapter, TellsSerial) else None
        return None

    async def _is_announced(self, zone: Zone) -> bool:
        """Whether the service has sent its NOTIFY, as far as it tells."""
        with suppress(BrokerError):
            adapter = self._writing(zone)
            return await adapter.is_notified(zone.name) if isinstance(adapter, TellsNotified) else True
        return True

    def _writing(self, zone: Zone) -> object:
        """The adapter of the provider that writes ``zone``, if any. Raises BrokerError."""
        targets = (site.target for site in self._sites.values())
        provider = next((target.provider for target in targets if target and target.zone == zone.name), "")
        return self._run.routing.adapter(provider) if provider else None

    async def _dnssec(self, zone: Zone) -> tuple[Finding, ...]:
        run = self._run
        sites = self._sites.values()
        challenges = {
            name for site in sites for name in (site.challenge, site.place.owner if site.place else "") if name
        }
        ignore = run.config.propagation.ignore
        resolvers = run.finder.resolvers()
        return await dnssec(zone, run.exchange, resolvers, run.clock, challenges=challenges, ignore=ignore)

    async def _timing(self, zone: Zone) -> tuple[Finding, ...]:
        return timing(zone)

    async def _caa(self, name: str, subject: Subject) -> tuple[Finding, ...]:
        return _allowed(await caa(name, self._run.caa_sets, self._offices[subject.account].authority), subject.allow)

    async def _shadowing(self, place: Place) -> tuple[Finding, ...]:
        allow = {check for subject in self._with(place) for check in subject.allow}
        return _allowed(await shadowing(place, self._run.finder), allow)

    async def _remains(self, place: Place) -> tuple[Finding, ...]:
        offices = [self._offices.get(subject.account) for subject in self._with(place)]
        limits = [office.cache_limit if office is not None else None for office in offices]
        known = [limit for limit in limits if limit is not None]
        return await remains(
            place,
            self._run.finder,
            self._run.leases,
            self._run.runs.is_alive,
            patience=self._run.config.propagation.timeout,
            cache_limit=max(known) if len(known) == len(limits) else None,
        )

    def _with(self, place: Place) -> list[Subject]:
        """The subjects one of whose names is validated at ``place``."""
        return [
            subject
            for subject in self._subjects
            if any(self._sites[name].challenge == place.challenge for name in subject.names)
        ]


def _unlike(zones: Iterable[Zone | None]) -> Iterable[Zone]:
    return {zone.name: zone for zone in zones if zone is not None}.values()


def _allowed(findings: Iterable[Finding], allow: Collection[str]) -> tuple[Finding, ...]:
    """``findings``; an error that the configuration lets pass stops nothing, and is a warning."""
    return tuple(
        replace(finding, severity=Severity.WARNING)
        if finding.severity is Severity.ERROR and finding.check in allow
        else finding
        for finding in findings
    )
