"""TLSA records written and taken back, value by value, at one owner name.

Rule: what is about to stand there is remembered before it is written, and each value of ours has a lease that no time
ends. What is not ours is never touched: it is counted where others' records cover what is served, and left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dnsbroker.clock import Clock, Deadline
from dnsbroker.dane.places import Post
from dnsbroker.dane.remembering import Remembering
from dnsbroker.errors import NameInvalid
from dnsbroker.events import Emitter
from dnsbroker.journal import NEVER, Lease, Leases, Runs, State
from dnsbroker.propagation import Watcher
from dnsbroker.propagation.watcher import Expectation
from dnsbroker.publishing import Publisher
from dnsbroker.records import Record
from dnsbroker.rolling import Change
from dnsbroker.routing import Target
from dnsbroker.tasks import uninterrupted
from dnsbroker.tlsa.records import Tlsa, parse
from dnsbroker.writer import Writer


@dataclass(frozen=True)
class Standing:
    """What the service has at the owner name of ``post``: all values, ours or not; ``ttl`` in seconds, 0 for none."""

    post: Post
    target: Target
    records: frozenset[Tlsa] = frozenset()
    ttl: int = 0


class Writing:
    """Writes the TLSA records of one run. ``wrote`` is called after every change of DNS."""

    def __init__(
        self,
        leases: Leases,
        runs: Runs,
        writer: Writer,
        publisher: Publisher,
        watcher: Callable[[], Watcher],
        remembering: Remembering,
        clock: Clock,
        emit: Emitter,
        wrote: Callable[[], None],
    ) -> None:
        self._leases = leases
        self._runs = runs
        self._writer = writer
        self._publisher = publisher
        self._watcher = watcher
        self._remembering = remembering
        self._clock = clock
        self._emit = emit
        self._wrote = wrote

    def ours(self, owner: str) -> frozenset[Tlsa]:
        """What is or may be at ``owner`` by leases of ours, those included whose withdrawal has failed."""
        return frozenset(record for lease, record in self._read(owner) if not lease.foreign)

    def were_ours(self, owner: str, records: Iterable[Tlsa]) -> frozenset[Tlsa]:
        """Those of ``records`` that are ours at ``owner``, or were when they were in DNS last by the journal's word."""
        last = {record: self._leases.last(Record(owner, "TLSA", str(record))) for record in records}
        return frozenset(record for record, lease in last.items() if lease is not None and not lease.foreign)

    def held(self, owner: str) -> frozenset[Tlsa]:
        """What is to stay at ``owner`` by leases, foreign values included: no write of anybody's takes it out."""
        states = (State.WANTED, State.SENDING, State.PRESENT)
        return frozenset(record for lease, record in self._read(owner) if lease.state in states)

    def _read(self, owner: str) -> list[tuple[Lease, Tlsa]]:
        return [(lease, parse(lease.record.value)) for lease in self._leases.at(owner, "TLSA")]

    async def standing(self, post: Post) -> Standing:
        """What the service has at the owner name of ``post``. Raises NoProvider, ConfigError, ProviderError."""
        located = (await self._publisher.locate(post.asked[:1]))[post.asked[0]]
        target = located.route.target
        found = await self._writer.read(target, post.owner, "TLSA")
        if found is None:
            return Standing(post, target)
        return Standing(post, target, _known(found.values), found.ttl)

    def adopt(self, standing: Standing, records: Iterable[Tlsa]) -> None:
        """Have ``records``, which stand there, be ours from now on. Raises StoreError."""
        target = standing.target
        for record in sorted(records):
            kept = self._record(standing.post, record)
            adopted = self._leases.adopt(target.provider, target.zone, kept, expires=NEVER)
            self._leases.take_over(adopted, is_alive=self._runs.is_alive)

    async def apply(self, standing: Standing, change: Change) -> Standing:
        """Write ``change``; what stands there then. What was removed may be seen at servers for a while.

        Raises ProviderError, ConfigError, StoreError; what may stand is remembered whatever is raised.
        """
        post, now = standing.post, self._clock.now().timestamp()
        records = (standing.records - change.remove) | change.add
        ttl = standing.ttl or post.ttl
        self._remembering.keep(post.owner, self._remembering.of(post.owner).about_to(records, ttl, now))
        if change.add:
            await self._add(standing, change.add, ttl)
        if change.remove:
            await uninterrupted(self._remove(post.owner, change.remove))
        self._wrote()
        self._emit(
            "tlsa",
            owner=post.owner,
            provider=standing.target.provider,
            zone=standing.target.zone,
            added=sorted(map(str, change.add)) or None,
            removed=sorted(map(str, change.remove)) or None,
        )
        return replace(standing, records=records, ttl=ttl)

    async def _add(self, standing: Standing, records: Iterable[Tlsa], ttl: int) -> None:
        target = standing.target
        wanted = [self._record(standing.post, record) for record in sorted(records)]
        with self._writer.announce([target]) as announcement:
            leases = await self._writer.add(target, wanted, ttl=ttl, announcement=announcement, expires=NEVER)
        self._leases.take_over(leases, is_alive=self._runs.is_alive)

    async def clear(self, owner: str, records: frozenset[Tlsa]) -> None:
        """End the leases of ours for ``records``, none of which stands anywhere. Raises ProviderError, StoreError."""
        if records:
            await uninterrupted(self._remove(owner, records))

    async def _remove(self, owner: str, records: frozenset[Tlsa]) -> None:
        leases = [lease for lease, record in self._read(owner) if record in records and not lease.foreign]
        failed = await self._writer.withdraw(leases)
        for error in failed.values():
            raise error

    async def everywhere(self, post: Post, records: frozenset[Tlsa], deadline: Deadline) -> None:
        """Wait until every address of every server has ``records``. Raises NotPropagated."""
        values = frozenset(map(str, records))
        leases = [lease for lease, record in self._read(post.owner) if record in records]
        serials = [lease.serial for lease in leases if lease.serial is not None]
        returned = self._writer.has_left(leases)
        expectation = Expectation(post.place, "TLSA", values, serials[-1] if serials else None, returned=returned)
        await self._watcher().wait(expectation, deadline)

    def _record(self, post: Post, record: Tlsa) -> Record:
        return Record(post.owner, "TLSA", str(record))


def _known(values: Iterable[str]) -> frozenset[Tlsa]:
    """The values of an RRset, in whatever letter case the service has them; what is none names nothing."""
    found: set[Tlsa] = set()
    for value in values:
        try:
            found.add(parse(value))
        except NameInvalid:
            continue
    return frozenset(found)
