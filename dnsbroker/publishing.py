"""Published TXT values: their places found, written together, seen on every server, and taken back.

A call first writes all that it was given, and only then begins to wait. A name counts as published when every server
of the zone where its record really stands agrees, and when the CA can no longer hold an older answer. Nothing here
knows about orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import BrokerError, Held, NotWithdrawn
from dnsbroker.events import Emitter, written
from dnsbroker.journal import Answers, Lease
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.names import shown
from dnsbroker.records import Record
from dnsbroker.routing import Route, Routing, Target
from dnsbroker.tasks import together
from dnsbroker.writer import Announcement, Writer

if TYPE_CHECKING:
    from dnsbroker.propagation import Outcome, Watcher


@dataclass(frozen=True)
class Located:
    """A name asked for, where its record really stands, and how it gets there."""

    name: str
    place: Place
    route: Route


class Publisher:
    """Publishes and withdraws for one run."""

    def __init__(
        self,
        finder: Finder,
        routing: Routing,
        writer: Writer,
        watcher: Callable[[], Watcher],
        answers: Answers,
        clock: Clock,
        emit: Emitter,
    ) -> None:
        self._finder = finder
        self._routing = routing
        self._writer = writer
        self._watcher = watcher
        self._answers = answers
        self._clock = clock
        self._emit = emit
        self._warned: set[tuple[str, str]] = set()
        #: What this run could not withdraw, with the reason.
        self.left: dict[Lease, BrokerError] = {}

    async def locate(self, names: Iterable[str]) -> dict[str, Located]:
        """Where the TXT records of owner names ``names`` really stand, by name.

        Raises LookupFailed, DelegationBroken, NoProvider, ConfigError, ProviderError.
        """
        wanted = tuple(dict.fromkeys(names))
        return dict(zip(wanted, await together(self._locate(name) for name in wanted), strict=True))

    def _warn(self, zone: Zone) -> None:
        """Tell what is odd about a zone, once in a run, however many names stand in it."""
        for warning in zone.warnings:
            if (zone.name, warning) not in self._warned:
                self._warned.add((zone.name, warning))
                self._emit("warning", message=warning, zone=zone.name)

    async def _locate(self, name: str) -> Located:
        place = await self._finder.find(name)
        route = await self._writer.patiently(lambda: self._routing.route(place))
        self._warn(place.zone)
        self._emit(
            "place",
            name=name,
            owner=place.owner,
            zone=place.zone.name,
            provider=route.target.provider,
            servers=[f"{server.name} {server.address}" for server in place.zone.servers],
            chain=[hop.owner for hop in place.hops] or None,
        )
        return Located(name, place, route)

    def announced(self, located: Iterable[Located]) -> Announcement:
        """Announce that values will be written at ``located``; see Writer.announced."""
        return self._writer.announce({item.route.target for item in located})

    async def write(
        self,
        values: Mapping[str, frozenset[str]],
        located: Mapping[str, Located],
        announcement: Announcement,
        *,
        expires: float | None = None,
    ) -> dict[str, tuple[Lease, ...]]:
        """Write every name's values, one write for each zone; returns each name's leases.

        They live with this run, or until ``expires`` (seconds since the epoch).

        Raises ProviderError, StoreError; ``announcement.leases`` then holds what may have been written.
        """
        by_target: dict[Target, dict[Record, int]] = {}
        for name, wanted in values.items():
            item = located[name]
            records = by_target.setdefault(item.route.target, {})
            records.update({Record(item.place.owner, "TXT", value): item.route.ttl for value in sorted(wanted)})
        announcement.narrow(by_target)
        written = await together(
            self._writer.add(
                target, list(records), ttl=max(records.values()), announcement=announcement, expires=expires
            )
            for target, records in by_target.items()
        )
        leases = [lease for part in written for lease in part]
        return {
            name: tuple(lease for lease in leases if lease.record.name == located[name].place.owner) for name in values
        }

    async def watch(
        self, located: Mapping[str, Located], leases: Mapping[str, Sequence[Lease]], deadline: Deadline
    ) -> dict[str, Outcome]:
        """Wait until every server has the values of ``leases``, by name. Raises NotPropagated."""
        names = list(leases)
        outcomes = await together(self._watch(located[name], leases[name], deadline) for name in names)
        return dict(zip(names, outcomes, strict=True))

    async def _watch(self, item: Located, leases: Sequence[Lease], deadline: Deadline) -> Outcome:
        from dnsbroker.propagation import Expectation

        serials = [lease.serial for lease in leases if lease.serial is not None]
        expectation = Expectation(
            item.place,
            "TXT",
            frozenset(lease.record.value for lease in leases),
            serials[-1] if serials else None,
            returned=self._writer.has_left(leases),
        )
        return await self._watcher().wait(expectation, deadline, settle=item.route.settle)

    async def outlast_caches(
        self,
        located: Mapping[str, Located],
        leases: Mapping[str, Sequence[Lease]],
        outcomes: Mapping[str, Outcome],
        deadline: Deadline,
        cache_limit: float | None,
    ) -> None:
        """Wait until the CA can hold no older answer about any of the names.

        ``cache_limit`` (seconds) caps the TTLs it respects, where that is known. Raises Held where the moment lies
        beyond ``deadline``.
        """
        until: dict[str, datetime] = {}
        for name, outcome in outcomes.items():
            ttl = outcome.ttl if cache_limit is None else min(outcome.ttl, cache_limit)
            owner = located[name].place.owner
            stale = self._answers.stale_until(owner, "TXT", [lease.id for lease in leases[name]], outcome.at, ttl)
            if stale is not None and stale > self._clock.now():
                until[name] = stale
        if not until:
            return
        name = max(until, key=lambda name: until[name])
        if (until[name] - self._clock.now()).total_seconds() > deadline.left():
            self.never_asked([lease for group in leases.values() for lease in group])
        await self._hold(name, until[name], deadline, _longer_kept(located[name], outcomes[name]))

    async def _hold(self, name: str, until: datetime, deadline: Deadline, why: str) -> None:
        seconds = (until - self._clock.now()).total_seconds()
        if seconds > deadline.left():
            raise Held(
                f"the CA may hold an older answer for {shown(name)} until {until:%Y-%m-%d %H:%M:%S} UTC",
                name=name,
                until=until,
                hint=f"run the same command again after that, or raise propagation.timeout{why}",
            )
        self._emit("held", name=name, until=written(until), seconds=round(seconds, 1))
        await self._clock.sleep(seconds)

    def never_asked(self, leases: Iterable[Lease]) -> None:
        """The CA was not asked while ``leases`` stood, so nobody has to wait for its cache because of them."""
        self._answers.never_asked([lease.id for lease in leases])

    def deny(self, item: Located) -> datetime:
        """The CA was told that the name does not exist: until when it may believe so (RFC 2308; at most an hour)."""
        until = self._clock.now() + timedelta(seconds=min(item.place.zone.soa.negative_ttl, 3600))
        self._answers.deny(item.place.owner, until)
        return until

    async def standing(self, item: Located, values: Iterable[str]) -> frozenset[str]:
        """Those of ``values`` that stand at ``item``, whoever put them there. Raises ProviderError, ConfigError."""
        records = {Record(item.place.owner, "TXT", value) for value in values}
        return frozenset(record.value for record in await self._writer.standing(item.route.target, records))

    async def withdraw(self, leases: Sequence[Lease]) -> None:
        """Take ``leases`` out of DNS. What could not be is told, and kept in ``left``; nothing is raised for it.

        Whoever must not be interrupted here has to see to it (dnsbroker.tasks).
        """
        if leases:
            self.report(await self._writer.withdraw(leases))

    def report(self, failed: Mapping[Lease, BrokerError]) -> None:
        """Tell, and keep in ``left``, what could not be withdrawn."""
        self.left.update(failed)
        for lease, error in failed.items():
            record = lease.record
            self._emit(
                "left",
                name=record.name,
                type=record.type,
                provider=lease.provider,
                zone=lease.zone,
                message=error.message,
            )

    def check_withdrawn(self) -> None:
        """Raise NotWithdrawn where this run could not take back a record."""
        if self.left:
            first = next(iter(self.left.values()))
            names = sorted({lease.record.name for lease in self.left})
            raise NotWithdrawn(
                f"could not withdraw records at {', '.join(names)}: {first.message}",
                names=names,
                hint=first.hint or "`dnsbroker gc` tries again",
            )


def _longer_kept(item: Located, outcome: Outcome) -> str:
    """What to say of a TTL that is not ours; it is one for all values at a name (RFC 2181 section 5.2)."""
    if outcome.ttl <= item.route.ttl:
        return ""
    owner, ours = shown(item.place.owner), item.route.ttl
    return f"; {owner} has a TTL of {outcome.ttl} s, not our {ours} s: lower that of the other values there"
