"""The providers' part: each says itself what is wrong with its account and its zones, and mends what it may.

One that cannot examine itself is at least asked for its zones. A provider that was found to be at fault is not told of
again for every zone that could not be asked for because of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from dnsbroker.adapter import Examines
from dnsbroker.doctor.alone import Job
from dnsbroker.doctor.sites import Site, failing
from dnsbroker.errors import BrokerError
from dnsbroker.findings import Finding, Severity
from dnsbroker.routing import Target
from dnsbroker.run import Run


def concerned(run: Run, sites: Collection[Site], *, is_all: bool) -> Mapping[str, tuple[str, ...]]:
    """The providers to look at, each with its zones (owner names).

    All of them, with the zones that they are limited to, where ``is_all`` certificates are looked at; else those that
    would be written to, and all again where that could not be told.
    """
    is_all = is_all or any(site.target is None for site in sites)
    zones = {name: set(item.zones) if is_all else set() for name, item in run.config.providers.items()}
    used = {site.target.provider for site in sites if site.target is not None}
    for site in sites:
        if site.target is not None:
            zones[site.target.provider].add(site.target.zone)
    return {name: tuple(sorted(held)) for name, held in zones.items() if is_all or name in used}


def examine_provider(run: Run, provider: str, zones: Sequence[str], *, fix: bool) -> Job:
    """The job of asking ``provider`` about itself and its ``zones``; with ``fix`` it mends what it may."""
    check = partial(_examined, run, provider, zones, fix=fix)
    return Job(f"provider {provider}", "its account", check, severity=Severity.ERROR)


async def _examined(run: Run, provider: str, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
    try:
        adapter = run.routing.adapter(provider)
        if isinstance(adapter, Examines):
            return await adapter.examine(zones, fix=fix)
        await adapter.zones()
    except BrokerError as error:
        return (failing(provider, error),)
    return ()


def in_doubt(troubles: Mapping[Target, BrokerError]) -> Iterator[Finding]:
    """A finding for each provider that could not be asked whose a zone is, where another one was found to be right."""
    for provider in dict.fromkeys(target.provider for target in troubles):
        error = next(error for target, error in troubles.items() if target.provider == provider)
        yield replace(failing(provider, error), severity=Severity.WARNING)


def without_echoes(found: Iterable[Finding], of_providers: Collection[Finding]) -> tuple[Finding, ...]:
    """``found`` without what only repeats that a provider fails: it has told as much of itself."""
    told = {finding.subject for finding in of_providers if finding.severity is Severity.ERROR}
    words = {finding.message for finding in of_providers}
    return tuple(
        finding
        for finding in found
        if finding.message not in words and (finding.check != "provider-fails" or finding.subject not in told)
    )
