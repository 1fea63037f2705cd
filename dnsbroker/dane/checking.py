"""`tlsa check`: a live look at endpoints as clients see them, from the MX or SRV down to the key that is served.

Rule: everything is looked at, whatever was found before it, and nothing is changed. Clients' verdicts come from the
records that a validating resolver gave; what the authoritative servers have is compared with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from dnsbroker.clock import Clock
from dnsbroker.config import Config
from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane import owners, served, targets
from dnsbroker.dane.believing import Believing, believing
from dnsbroker.dane.expected import expectation, of_records, of_subjects
from dnsbroker.dane.faults import brief, fault
from dnsbroker.dane.hosts import addresses, look_up
from dnsbroker.dane.kinds import of_authorities, of_kinds
from dnsbroker.dane.owners import RecordOwner
from dnsbroker.dane.served import Base, Sight
from dnsbroker.dane.subjects import Subject, Subjects
from dnsbroker.dane.targets import Target
from dnsbroker.endpoints import Endpoint, parse
from dnsbroker.errors import ConfigError
from dnsbroker.events import Emitter
from dnsbroker.findings import Finding, Severity
from dnsbroker.journal.rollovers import Rollovers
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.validating import Standing
from dnsbroker.store import Store
from dnsbroker.tasks import together
from dnsbroker.tlsa.records import Tlsa


@dataclass(frozen=True)
class Means:
    """What looking takes. ``read`` gives what a ``[[dane]]`` reference is now, ``since`` the clocks of an owner name.

    ``withdrawn`` are endpoints, as they are written, for which a person took DANE back; ``without_authority`` says for
    which references no record of a CA is to stand now.
    """

    config: Config
    finder: Finder
    exchange: Exchange
    clock: Clock
    emit: Emitter
    read: Callable[[str], Subject]
    since: Callable[[str], Mapping[str, float]] = lambda owner: {}
    withdrawn: frozenset[str] = frozenset()
    without_authority: Callable[[str], bool] = lambda reference: False

    @classmethod
    def of(
        cls,
        config: Config,
        store: Store,
        rollovers: Rollovers,
        finder: Finder,
        exchange: Exchange,
        clock: Clock,
        emit: Emitter,
    ) -> Means:
        """Those of a run, by its parts."""

        def without_authority(reference: str) -> bool:
            known = rollovers.progress(reference)
            return known is not None and known.no_authority_until > clock.now().timestamp()

        withdrawn = frozenset(one.endpoint for one in rollovers.published() if one.is_withdrawn)
        read = Subjects(config, store).read
        return cls(config, finder, exchange, clock, emit, read, rollovers.clocks, withdrawn, without_authority)


@dataclass(frozen=True)
class Owner:
    """Where clients look for records: how it stands with DNSSEC, and the ``records`` that they are given."""

    name: str
    standing: Standing
    records: tuple[str, ...]
    ttl: int | None = None


@dataclass(frozen=True)
class Checked:
    """One endpoint: what led there (``via``), where its records stand, what each address presents, what was found."""

    endpoint: Endpoint
    via: str
    owners: tuple[Owner, ...]
    sights: tuple[Sight, ...]
    findings: tuple[Finding, ...]

    @property
    def is_good(self) -> bool:
        """Whether no error was found."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


@dataclass(frozen=True)
class Report:
    """All that was looked at; ``findings`` are those of no endpoint in particular: resolvers, MX and SRV records."""

    endpoints: tuple[Checked, ...]
    findings: tuple[Finding, ...]

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of endpoints too, the gravest first."""
        found = (*self.findings, *chain.from_iterable(one.findings for one in self.endpoints))
        return tuple(sorted(found, key=lambda finding: list(Severity).index(finding.severity)))

    @property
    def has_error(self) -> bool:
        """Whether something is wrong now."""
        return any(finding.severity is Severity.ERROR for finding in self.all_findings)


async def check(
    means: Means, endpoints: Sequence[Endpoint] = (), *, mail: Sequence[str] = (), services: Sequence[str] = ()
) -> Report:
    """Look at ``endpoints``, at the mail servers of the domains ``mail`` and where the SRV names ``services`` lead.

    None named: all of the configuration. Each endpoint is an event ``checked``, and each finding one as well.
    Raises ConfigError where there is nothing to look at, or a name is none; LookupFailed where no resolver answers.
    """
    for domain in mail:
        targets.domain_of(domain)
    for name in services:
        targets.service_of(name)
    wanted = endpoints if endpoints or mail or services else _configured(means)
    trusted, general = await believing(means.config.dns, means.finder, means.exchange, means.clock)
    expanded = await together(
        [
            *(targets.of_mail(domain, trusted) for domain in mail),
            *(targets.of_service(name, trusted) for name in services),
        ]
    )
    aims = [*map(Target, wanted), *chain.from_iterable(one.targets for one in expanded)]
    checked = await together(_checked(means, trusted, aim) for aim in dict.fromkeys(aims))
    left_out = () if endpoints or mail or services else _withdrawn(means)
    of_way = chain.from_iterable(one.findings for one in expanded)
    report = Report(tuple(checked), (*general, *of_way, *left_out))
    _tell(means.emit, report)
    return report


def _configured(means: Means) -> tuple[Endpoint, ...]:
    """Every endpoint of a table but those that were withdrawn."""
    written = dict.fromkeys(text for table in means.config.dane for text in table.endpoint)
    if not written:
        hint = "name endpoints, such as smtp://mail.example.org, or have [[dane]] tables in the configuration"
        raise ConfigError("there is nothing to check: no endpoint is named or configured", hint=hint)
    return tuple(parse(text) for text in written if text not in means.withdrawn)


def _withdrawn(means: Means) -> list[Finding]:
    written = dict.fromkeys(text for table in means.config.dane for text in table.endpoint)
    return [
        fault(
            "withdrawn",
            text,
            "DANE was withdrawn for it, so that it was not looked at",
            f"`dnsbroker tlsa publish {text}` publishes its records again, or take it out of its [[dane]] table",
        )
        for text in written
        if text in means.withdrawn
    ]


async def _checked(means: Means, trusted: Believing, target: Target) -> Checked:
    """One endpoint, whole."""
    endpoint = target.endpoint
    tables = [table for table in means.config.dane if str(endpoint) in table.endpoint]
    if tables and str(endpoint) in means.withdrawn:
        tables = []
    host = await look_up(endpoint, trusted)
    looks = [owners.look(endpoint, base, trusted, means.finder, means.exchange, means.clock) for base in host.bases]
    (at, unconnected), found = await asyncio.gather(addresses(endpoint, tables, host, means.finder), together(looks))
    now = means.clock.now()
    seen = await together(served.sights(base, at, now) for base in _bases(target, found))
    sights = tuple(chain.from_iterable(seen))
    findings = [
        *host.findings,
        *unconnected,
        *chain.from_iterable(one.findings for one in found),
        *owners.together(endpoint, found, is_configured=bool(tables)),
        *served.findings(endpoint, sights, cure=cure(endpoint, is_configured=bool(tables))),
        *_of_records(means, endpoint, tables, found, sights),
    ]
    told = tuple(Owner(one.believed.name, one.believed.standing, one.records, one.believed.ttl) for one in found)
    return Checked(endpoint, target.via, told, sights, tuple(dict.fromkeys(findings)))


def _bases(target: Target, found: Sequence[RecordOwner]) -> list[Base]:
    """The names that clients may go by: those that have records, or the first where none has any."""
    having = [one for one in found if one.records] or list(found[:1])
    hosts = [one.base.removesuffix(".") for one in having]
    return [
        Base(
            replace(target.endpoint, host=host),
            tuple(dict.fromkeys((host, *target.names))),
            one.records,
            target.domain,
        )
        for one, host in zip(having, hosts, strict=True)
    ]


def _of_records(
    means: Means,
    endpoint: Endpoint,
    tables: Sequence[DaneConfig],
    found: Sequence[RecordOwner],
    sights: Sequence[Sight],
) -> Iterator[Finding]:
    """What is to be said of the records by themselves, by what is served, and by what is configured."""
    records = sorted({record for one in found for record in served.read(one.records)})
    expected = expectation(tables, means.read, means.without_authority) if tables else None
    subject = endpoint.shown()
    yield from of_kinds(subject, records, endpoint.port, expected.allow if expected else frozenset())
    chains = [sight.chain for sight in sights if sight.chain is not None]
    yield from of_authorities(subject, records, chains, means.clock.now().date())
    if expected is None:
        gone = frozenset(record for one in found for record in served.read(one.gone))
        yield from _unmatched(subject, [record for record in records if record not in gone], sights)
        return
    anybody = expectation(means.config.dane, means.read)
    for one in found:
        if one.records or one is found[-1]:
            there, gone = frozenset(served.read(one.records)), frozenset(served.read(one.gone))
            yield from of_records(endpoint, expected, there, sights, anybody.live | anybody.next | gone)
    last = found[-1]
    since = means.since(last.stand.owner)
    yield from of_subjects(endpoint, expected, since, last.believed.ttl or _ttl(tables), means.clock.now())


def _ttl(tables: Sequence[DaneConfig]) -> int:
    return int(max(float(table.ttl) for table in tables))


def _unmatched(subject: str, records: Sequence[Tlsa], sights: Sequence[Sight]) -> Iterator[Finding]:
    usable = [record for record in records if not (record.unusable or record.is_of_nothing)]
    for record in served.unmatched(usable, sights):
        message = (
            f"{brief(str(record))} matches nothing that is served: it is for a key that comes next, or left behind"
        )
        yield fault("unmatched-record", subject, message, "where it is for no key to come, take it away")


def cure(endpoint: Endpoint, *, is_configured: bool) -> str:
    """What helps where clients refuse what is served."""
    if is_configured:
        return f"`dnsbroker tlsa publish --adopt {endpoint}` publishes records for what is served now"
    compute = f"`dnsbroker tlsa compute --connect {endpoint}` prints records for what is served now"
    return f"{compute}; or have it serve the key that the records name"


def _tell(emit: Emitter, report: Report) -> None:
    for one in report.endpoints:
        emit(
            "checked",
            endpoint=str(one.endpoint),
            via=one.via or None,
            good=one.is_good,
            owners=[
                {"name": owner.name, "dnssec": str(owner.standing), "records": list(owner.records)}
                for owner in one.owners
            ],
            addresses=[_told(sight) for sight in one.sights],
        )
    for finding in report.all_findings:
        emit("finding", **finding.fields())


def _told(sight: Sight) -> dict[str, object]:
    verdict = sight.verdict
    told = {
        "address": sight.address,
        "base": sight.base,
        "algorithm": sight.algorithm,
        "accepted": verdict.accepted if verdict else None,
        "why": verdict.why if verdict else sight.trouble,
    }
    return {key: value for key, value in told.items() if value not in ("", None)}
