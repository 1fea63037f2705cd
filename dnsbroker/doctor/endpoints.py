"""Endpoints with DANE: what clients make of them now, and what would keep their first records from being published.

The same parts look as for `tlsa check` and `tlsa publish`, and each word of the former has ``tlsa-`` before it here.
Nothing is written, and an endpoint that was withdrawn is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dnsbroker.doctor.alone import Job
from dnsbroker.errors import BrokerError
from dnsbroker.events import Emitter, Event
from dnsbroker.findings import Finding, Severity
from dnsbroker.names import meant
from dnsbroker.run import Run

if TYPE_CHECKING:
    from dnsbroker.dane.places import Post, Service
    from dnsbroker.dane.subjects import Subjects


def of_endpoints(run: Run, names: Sequence[str]) -> Iterator[Job]:
    """A job for each endpoint that a ``[[dane]]`` table has, or for those that have to do with ``names``."""
    if not run.config.dane:
        return
    from dnsbroker.dane.places import services

    published = {one.endpoint: one for one in run.rollovers.published()}
    for service in services(run.config.dane):
        known = published.get(str(service.endpoint))
        own = (*service.certificates, service.endpoint.host)
        is_meant = not names or any(meant(name, own) in own for name in names)
        if is_meant and not (known is not None and known.is_withdrawn):
            look = partial(_examined, run, service, is_published=known is not None)
            yield Job(service.endpoint.shown(), "its TLSA records", look)


async def _examined(run: Run, service: Service, *, is_published: bool) -> tuple[Finding, ...]:
    from dnsbroker.dane.subjects import Subjects

    subjects = Subjects(run.config, run.store)
    found = await _by_clients(run, service)
    return found if is_published else (*found, *await _first(run, service, subjects))


async def _by_clients(run: Run, service: Service) -> tuple[Finding, ...]:
    """What `tlsa check` finds."""
    from dnsbroker.dane.checking import Means, check

    unheard = Emitter(run.clock, lambda event: None)
    means = Means.of(run.config, run.store, run.rollovers, run.finder, run.exchange, run.clock, unheard)
    report = await check(means, [service.endpoint])
    return tuple(replace(finding, check=f"tlsa-{finding.check}") for finding in report.all_findings)


async def _first(run: Run, service: Service, subjects: Subjects) -> tuple[Finding, ...]:
    """What the first publication would be refused for, or would warn of."""
    from dnsbroker.dane.places import located

    found = await located(run.finder, [service])
    troubles = [_refused(service, error) for error in found.errors.values()]
    for post in found.posts:
        troubles += await _at(run, service, post, subjects)
    return tuple(troubles)


async def _at(run: Run, service: Service, post: Post, subjects: Subjects) -> list[Finding]:
    from dnsbroker.dane.expected import expectation
    from dnsbroker.dane.preflight import Preflight

    warnings: list[Event] = []
    emit = Emitter(run.clock, warnings.append)
    preflight = Preflight(run.config.dns, run.finder, run.exchange, run.clock, emit)
    wanted = expectation(service.tables, subjects.read)
    troubles: list[Finding] = []
    try:
        preflight.check_records(post, wanted.live | wanted.next, wanted.subjects)
        await preflight.check_names(post)
    except BrokerError as error:
        troubles.append(_refused(service, error))
    return [*troubles, *(_warned(service, event) for event in warnings)]


def _refused(service: Service, error: BrokerError) -> Finding:
    return Finding("tlsa-publication", Severity.ERROR, service.endpoint.shown(), error.message, error.hint)


def _warned(service: Service, event: Event) -> Finding:
    told, hint = str(event["message"]), str(event.get("hint") or "")
    return Finding("tlsa-publication", Severity.WARNING, service.endpoint.shown(), told, hint)
