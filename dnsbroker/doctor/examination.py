"""The doctor's visit: places first, then, at once, all that is to be looked at.

Nothing is written, unless it is to ``fix``: then what can be mended is, first, and all else is looked at as it is
after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from dnsbroker.doctor import elsewhere, subjects
from dnsbroker.doctor.alone import Alone, Job, patience
from dnsbroker.doctor.authorities import Office, compared, visit
from dnsbroker.doctor.diagnosis import Diagnosis, Examined, diagnosed
from dnsbroker.doctor.endpoints import of_endpoints
from dnsbroker.doctor.leftovers import telling, unread, withdrawing
from dnsbroker.doctor.providers import concerned, examine_provider, in_doubt, without_echoes
from dnsbroker.doctor.rounds import Round
from dnsbroker.doctor.sites import Site, find_sites
from dnsbroker.errors import BrokerError, StoreError
from dnsbroker.findings import Evidence, Finding
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.tasks import together

#: Seconds after which the looking is over, however silent the world is, and a little more for each name; finding the
#: places comes before it.
LONGEST = 20.0
#: Seconds that each of two kinds of mending may take: a service writes, and is asked whether it did.
LONGEST_MENDING = 60.0


async def examine(run: Run, names: Sequence[str] = (), *, fix: bool = False) -> Diagnosis:
    """Look at all that ``names`` mean (certificates, domain names; none: every certificate), and mend with ``fix``.

    Each finding is told as an event ``finding``, in the diagnosis' order. Raises ConfigError; StoreError where ``run``,
    which is to mend, only looks.
    """
    if fix and run.is_looking:
        raise StoreError("who only looks mends nothing", path=str(run.config.state_dir), hint="leave `looking` away")
    with run.routing.unwarned() as troubles:
        diagnosis = await _examined(run, names, troubles, fix=fix)
    run.changed = run.changed or diagnosis.fixed > 0
    _tell(run, diagnosis.findings)
    return diagnosis


async def _examined(run: Run, names: Sequence[str], troubles: Mapping[Target, BrokerError], *, fix: bool) -> Diagnosis:
    wanted = subjects.chosen(run.config, names)
    identifiers = tuple(dict.fromkeys(name for subject in wanted for name in subject.names))
    sites, offices = await asyncio.gather(find_sites(run, identifiers), _offices(run, wanted))
    providers = concerned(run, sites.values(), is_all=not names)
    owners = {site.place.owner for site in sites.values() if site.place is not None}
    mended: tuple[Finding, ...] = ()
    if fix:
        # One after the other: a service is not asked for two changes of a zone at once, and the second needs the first.
        mended = await _all(run, _of_providers(run, providers, fix=True), LONGEST_MENDING)
        mended += await _all(run, [withdrawing(run, owners if names else None)], LONGEST_MENDING)
    asking = [] if fix else _of_providers(run, providers, fix=False)
    asking += [] if fix or names else [telling(run, owners)]
    longest = patience(LONGEST, len(identifiers))
    rounds = [*Round(run, wanted, sites, offices).jobs(), *of_endpoints(run, names)]
    of_providers, others = await together([_all(run, asking, longest), _all(run, rounds, longest)])
    found = [*mended, *of_providers, *others, *unread(run)]
    found += [*chain.from_iterable(office.findings for office in offices.values()), *compared(offices.values())]
    echoes = [*chain.from_iterable(site.findings for site in sites.values()), *in_doubt(troubles)]
    found += without_echoes(echoes, [*mended, *of_providers])
    found += [] if names else subjects.broken(run.config)
    notes, of_files = await _elsewhere(run, names)
    return diagnosed([*found, *of_files], _counted(sites, providers), notes)


async def _elsewhere(run: Run, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """What is told of certificates that other clients order, and what is wrong with their files."""
    kept = subjects.elsewhere(run.config, names)
    if not names:
        return elsewhere.left_out(kept), ()
    looked = await together(elsewhere.look(run, certificate) for certificate in kept)
    return tuple(note for note, _ in looked), tuple(chain.from_iterable(found for _, found in looked))


async def _offices(run: Run, wanted: Sequence[subjects.Subject]) -> dict[str, Office]:
    """The CA of each account that is used; only one that a certificate uses has to be able to order."""
    ordering = {subject.account for subject in wanted if subject.certificate}
    accounts = tuple(dict.fromkeys(subject.account for subject in wanted if subject.account))
    visits = await together(visit(run, name, is_ordering=name in ordering) for name in accounts)
    return dict(zip(accounts, visits, strict=True))


def _of_providers(run: Run, providers: Mapping[str, Sequence[str]], *, fix: bool) -> list[Job]:
    return [examine_provider(run, name, zones, fix=fix) for name, zones in providers.items()]


async def _all(run: Run, jobs: Iterable[Job], seconds: float) -> tuple[Finding, ...]:
    """What all ``jobs`` find, each by itself, within ``seconds``."""
    alone = Alone(run.clock, seconds)
    return tuple(chain.from_iterable(await together(map(alone.run, jobs))))


def _counted(sites: Mapping[str, Site], providers: Mapping[str, object]) -> Examined:
    zones = {zone.name: zone for site in sites.values() for zone in site.zones()}
    servers = {server.name for zone in zones.values() for server in zone.servers}
    return Examined(len(sites), len(zones), len(providers), len(servers))


def _tell(run: Run, findings: Iterable[Finding]) -> None:
    for finding in findings:
        run.emit(
            "finding",
            check=finding.check,
            severity=str(finding.severity),
            subject=finding.subject,
            message=finding.message,
            hint=finding.hint or None,
            evidence=[_plain(item) for item in finding.evidence] or None,
            fixed=finding.fixed or None,
        )


def _plain(evidence: Evidence) -> dict[str, object]:
    """``evidence`` as JSON takes it, without what it does not say."""
    told: dict[str, object] = {"server": evidence.server, "record": evidence.record, "serial": evidence.serial}
    return {key: value for key, value in told.items() if value not in ("", None)}
