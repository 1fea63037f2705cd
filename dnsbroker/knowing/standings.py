"""What is known of TLSA records and roll-overs, gathered from configuration, store and journal alone; no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from dnsbroker import keys
from dnsbroker.clock import Clock
from dnsbroker.config import Config
from dnsbroker.dane import Subject, Subjects
from dnsbroker.dane.timeline import Chronicle
from dnsbroker.endpoints import parse as endpoint_of
from dnsbroker.journal import Journal, Lease, Leases, Observed, Progress, Published, Rollovers, Sight
from dnsbroker.journal.moments import at
from dnsbroker.knowing.rollovers import (
    Cast,
    Place,
    Role,
    Rollover,
    Site,
    Standing,
    Unmanaged,
    last_served,
    of_step,
    sets,
    strangers,
)
from dnsbroker.records import Record
from dnsbroker.rolling import Step
from dnsbroker.rolling.gates import uncovered
from dnsbroker.rolling.memory import UNKNOWN
from dnsbroker.store import Store
from dnsbroker.tlsa.records import Tlsa, parse

#: Whoever only looks wants no lease.
_LOOKING = "looking"


class Standings:
    """Asks one configuration, store and journal. Each method raises StoreError where those cannot be read."""

    def __init__(self, config: Config, store: Store, journal: Journal, clock: Clock) -> None:
        self._tables = tuple(config.dane)
        self._subjects = Subjects(config, store)
        self._rollovers = Rollovers(journal, clock)
        self._journalled = Leases(journal, _LOOKING, clock)

    @cached_property
    def rollovers(self) -> tuple[Rollover, ...]:
        """That of every certificate that a table speaks of, in the order of the tables, unless it was withdrawn."""
        return tuple(self._rollover(*each) for each in self._managed.items())

    def observed(self, rollover: Rollover) -> tuple[Observed, ...]:
        """For each endpoint that was looked at, whether its records cover the certificate, and what they do not."""
        return tuple(
            Observed(site.endpoint, rollover.reference, not site.uncovered, at(site.seen), "; ".join(site.uncovered))
            for site in rollover.sites
            if site.seen
        )

    def unmanaged(self) -> tuple[Unmanaged, ...]:
        """Endpoints of which no table speaks any more and where records of ours stand, and those withdrawn."""
        configured = {endpoint for table in self._tables for endpoint in table.endpoint}
        return tuple(
            Unmanaged(
                one.endpoint,
                records,
                one.certificates,
                one.is_withdrawn,
                one.serve_until,
                one.given_by,
                one.endpoint in configured,
                () if one.is_withdrawn else self._unmatched(one),
            )
            for one in self._published.values()
            if one.is_withdrawn or one.endpoint not in configured
            if (records := self._ours(one.owners)) or one.is_withdrawn
        )

    def _unmatched(self, published: Published) -> tuple[str, ...]:
        """What the records that are left for an endpoint do not cover."""
        subjects = [self._subjects.read(name) for name in published.certificates]
        found = (
            text
            for owner in published.owners
            for subject in subjects
            for text in self._uncovered(published.endpoint, owner, subject)
        )
        return tuple(dict.fromkeys(found))

    def chronicle(self, rollover: Rollover) -> Chronicle:
        """All that is remembered of the roll-overs of one certificate."""
        places = {place.owner: place for site in rollover.sites for place in site.places}
        endpoints = [site.endpoint for site in rollover.sites]
        waits = {place.owner: self.min_wait(site.endpoint) for site in rollover.sites for place in site.places}
        return Chronicle(
            reference=rollover.reference,
            steps=self._rollovers.steps(rollover.reference),
            sights={owner: self._seen(owner) for owner in places},
            clocks={owner: self._rollovers.clocks(owner) for owner in places},
            min_wait=waits,
            served={endpoint: self._rollovers.served(endpoint) for endpoint in endpoints},
            roles={one.value: str(one.role) for place in places.values() for one in place.records},
        )

    def _seen(self, owner: str) -> tuple[Sight, ...]:
        """What servers were seen with; what caches may have from before the first look has no place in a picture."""
        return tuple(sight for sight in self._rollovers.sights(owner) if sight.server != UNKNOWN)

    def owners(self, endpoint: str) -> tuple[str, ...]:
        """The owner names where the records of ``endpoint`` stand, as far as is known."""
        known = self._published.get(endpoint)
        return known.owners if known is not None and known.owners else (endpoint_of(endpoint).tlsa_name,)

    def min_wait(self, endpoint: str) -> float:
        """How long a record of it has to be everywhere at the least (seconds)."""
        return max((table.min_wait for table in self._tables if endpoint in table.endpoint), default=0.0)

    @cached_property
    def _published(self) -> dict[str, Published]:
        return {one.endpoint: one for one in self._rollovers.published()}

    @cached_property
    def _read(self) -> dict[str, Subject]:
        """What each ``certificate`` of a table stands for, by how it is written there."""
        written = dict.fromkeys(name for table in self._tables for name in table.certificate)
        return {name: self._subjects.read(name) for name in written}

    @cached_property
    def _managed(self) -> dict[str, tuple[str, ...]]:
        """The endpoints of each reference, but for those that were withdrawn."""
        found: dict[str, dict[str, None]] = {}
        for table in self._tables:
            endpoints = [one for one in table.endpoint if not self._is_withdrawn(one)]
            for name in table.certificate:
                found.setdefault(self._read[name].reference, {}).update(dict.fromkeys(endpoints))
        return {reference: tuple(endpoints) for reference, endpoints in found.items() if endpoints}

    def _is_withdrawn(self, endpoint: str) -> bool:
        known = self._published.get(endpoint)
        return known is not None and known.is_withdrawn

    @cached_property
    def _progress(self) -> dict[str, Progress]:
        return {one.certificate: one for one in self._rollovers.all_progress()}

    def _rollover(self, reference: str, endpoints: Sequence[str]) -> Rollover:
        subject = next(one for one in self._read.values() if one.reference == reference)
        progress = self._progress.get(reference) or Progress(reference, Step.UNPUBLISHED, 0.0, "")
        return Rollover(
            reference=reference,
            step=of_step(progress.step),
            since=progress.since,
            reason=progress.reason,
            until=progress.until,
            sites=tuple(self._site(endpoint, subject) for endpoint in endpoints),
            held=_serial(subject),
            is_asked=progress.is_asked,
            is_emergency=progress.is_emergency,
            objections=progress.objections,
            trouble=_told(subject),
        )

    def _site(self, endpoint: str, subject: Subject) -> Site:
        owners = self.owners(endpoint)
        missed = dict.fromkeys(text for owner in owners for text in self._uncovered(endpoint, owner, subject))
        return Site(endpoint, tuple(self._place(owner) for owner in owners), tuple(missed))

    def _place(self, owner: str) -> Place:
        sights = [one for one in self._seen(owner) if one.server]
        seen = frozenset(record for records in sets(sights) for record in records)
        standing = {parse(lease.record.value) for lease in self._standing(owner) if not lease.foreign}
        ours = standing | {record for record in seen if self._was_ours(owner, record)}
        clocks = self._rollovers.clocks(owner)
        cast = self._cast(owner)
        found = []
        for one in sorted(seen | ours):
            role = cast.role(one, is_ours=one in ours)
            found.append(Standing(str(one), role, clocks.get(str(one)), role is Role.OLD and one not in standing))
        return Place(
            owner,
            tuple(sorted(found, key=lambda one: list(Role).index(one.role))),
            seen=max((one.last for one in sights), default=0.0),
            is_whole=self._rollovers.was_whole(owner),
        )

    def _cast(self, owner: str) -> Cast:
        """Everybody with records at ``owner``."""
        tables = [table for table in self._tables if any(owner in self.owners(one) for one in table.endpoint)]
        subjects = [self._read[name] for table in tables for name in table.certificate]
        return Cast(
            live=tuple(one.live for one in subjects if one.live is not None),
            next=tuple(key for one in subjects for key in one.next),
            held=tuple(one.held for one in subjects if one.held is not None),
            ta_pool=tuple(digest for table in tables for digest in table.ta_pool),
        )

    def _uncovered(self, endpoint: str, owner: str, subject: Subject) -> Iterable[str]:
        """What the records seen at ``owner`` do not cover, of ``subject`` and of what addresses were seen to serve."""
        served = last_served(self._rollovers.served(endpoint))
        for records in sets(self._seen(owner)):
            missing = uncovered(records, subject.live) if subject.live is not None else ()
            if missing:
                kinds = ", ".join(map(str, missing))
                yield f"no {kinds} record at {owner.rstrip('.')} names what {subject.reference} serves"
            for address in strangers(records, served):
                yield f"{address} was seen with a key that no 3 1 1 record at {owner.rstrip('.')} names"

    @cached_property
    def _leases(self) -> tuple[Lease, ...]:
        return tuple(lease for lease in self._journalled.open() if lease.record.type == "TLSA")

    def _standing(self, owner: str) -> tuple[Lease, ...]:
        return tuple(lease for lease in self._leases if lease.record.name == owner)

    def _was_ours(self, owner: str, record: Tlsa) -> bool:
        """Whether it was, when it was last in DNS by the word of the journal: a server may have it still."""
        last = self._journalled.last(Record(owner, "TLSA", str(record)))
        return last is not None and not last.foreign

    def _ours(self, owners: Iterable[str]) -> tuple[str, ...]:
        return tuple(
            f"{owner.rstrip('.')} TLSA {lease.record.value}"
            for owner in owners
            for lease in self._standing(owner)
            if not lease.foreign
        )


def _serial(subject: Subject) -> str:
    """The serial number of the certificate that is held, as everywhere; empty where none is."""
    return keys.describe(subject.held_pem).serial_text if subject.held_pem else ""


def _told(subject: Subject) -> str:
    error = subject.trouble
    if error is None:
        return ""
    return f"{error.message}; {error.hint}" if error.hint else error.message
