"""TXT values on behalf of other programs: published until they are cleaned up, or their time is over.

The two halves of a hook are different processes, so what is presented here outlives its run, and goes by expiry alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from dnsbroker.clock import Deadline
from dnsbroker.errors import Held, NotPropagated, ProviderError
from dnsbroker.journal import Lease
from dnsbroker.journal.moments import at
from dnsbroker.names import owner
from dnsbroker.publishing import Located
from dnsbroker.records import Record, RecordType, checked_texts, checked_tlsa
from dnsbroker.run import Run
from dnsbroker.tasks import uninterrupted

if TYPE_CHECKING:
    from dnsbroker.propagation import Outcome

Values = Mapping[str, Sequence[str]]

T = TypeVar("T")

_FIRST_REST = 1.0
_LONGEST_REST = 15.0


class Texts:
    """TXT values in one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._publisher = run.publisher

    async def present(self, values: Values, *, expires: float, wait: bool = True, patient: bool = False) -> bool:
        """Publish ``values``, by owner name, for at most ``expires`` seconds; whether DNS is different now.

        With ``wait``, returns when every server has them and the CA can hold no older answer. They stay until
        ``cleanup`` or until they expire, also where they are late (NotPropagated, Held); they are taken back where they
        could not be written, and where this is cancelled. One that is ``patient`` gives a service that fails, and may
        do better later, as long as the servers get. Raises as ``Broker.published``.
        """
        wanted = checked_texts(values)
        deadline = Deadline.after(self._run.clock, self._run.config.propagation.timeout)
        patience = deadline if patient else Deadline.after(self._run.clock, 0)
        located = await self._patiently(lambda: self._publisher.locate(wanted), patience)
        until = self._run.clock.now().timestamp() + expires
        with self._publisher.announced(located.values()) as announcement:
            try:
                leases = await self._patiently(
                    lambda: self._publisher.write(wanted, located, announcement, expires=until), patience
                )
                changed = any(not lease.foreign for group in leases.values() for lease in group)
                self._run.changed = self._run.changed or changed
                if wait:
                    await self._everywhere(located, leases, deadline)
            except (NotPropagated, Held):
                raise
            except BaseException:
                announcement.settle()
                await uninterrupted(self._publisher.withdraw(announcement.leases))
                raise
        return changed

    async def _patiently(self, work: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """What ``work`` returns, done again until ``deadline`` while a service fails that may do better later."""
        rest = _FIRST_REST
        while True:
            try:
                return await work()
            except ProviderError as error:
                seconds = max(rest, getattr(error, "retry_after", 0.0))
                if not error.transient or seconds > deadline.left():
                    raise
                self._run.emit("waiting", seconds=round(seconds, 1), reason=error.message)
                await self._run.clock.sleep(seconds)
                rest = min(2 * rest, _LONGEST_REST)

    async def cleanup(self, values: Values) -> bool:
        """Withdraw ``values``, presented here or, where the journal has no word of them, wherever; whether any stood.

        Raises NotWithdrawn by way of the broker, LookupFailed, ProviderError.
        """
        wanted = checked_texts(values)
        located = await self._publisher.locate(wanted)
        leases: list[Lease] = []
        for name, texts in wanted.items():
            leases.extend(await self._leases(located[name], texts))
        await uninterrupted(self._publisher.withdraw(leases))
        return any(not lease.foreign for lease in leases)

    def promised(self) -> tuple[int, datetime] | None:
        """How many values stand until they expire, unless they are cleaned up before, and when the last one does."""
        now = self._run.clock.now().timestamp()
        texts = [lease for lease in self._run.leases.open() if lease.record.type == "TXT" and not lease.foreign]
        found = [lease.expires for lease in texts if lease.expires is not None]
        ahead = [expires for expires in found if expires > now]
        return (len(ahead), at(max(ahead))) if ahead else None

    async def _leases(self, item: Located, texts: Iterable[str]) -> Sequence[Lease]:
        """The leases that hold ``texts``; made for those that stand although the journal knows of none."""
        found: list[Lease] = []
        unknown: list[Record] = []
        for record in (Record(item.place.owner, "TXT", text) for text in sorted(texts)):
            held = [lease for lease in self._run.leases.standing(record) if lease.expires is not None]
            found.extend(held)
            if not held and not self._is_known_as_foreign(record):
                unknown.append(record)
        standing = await self._publisher.standing(item, [record.value for record in unknown]) if unknown else ()
        for record in unknown:
            if record.value in standing:
                found.extend(self._run.leases.adopt(item.route.target.provider, item.route.target.zone, record))
        return found

    def _is_known_as_foreign(self, record: Record) -> bool:
        """Whether it stood there when we presented it last: then it stays, however often it is cleaned up."""
        last = self._run.leases.last(record)
        return last is not None and last.foreign

    @asynccontextmanager
    async def standing(self, values: Values) -> AsyncIterator[None]:
        """``values`` published and everywhere inside the block; withdrawn at its end, however it ends."""
        wanted = checked_texts(values)
        located = await self._publisher.locate(wanted)
        deadline = Deadline.after(self._run.clock, self._run.config.propagation.timeout)
        with self._publisher.announced(located.values()) as announcement:
            try:
                leases = await self._publisher.write(wanted, located, announcement)
                await self._everywhere(located, leases, deadline)
                yield
            finally:
                announcement.settle()
                await uninterrupted(self._publisher.withdraw(announcement.leases))

    async def _everywhere(
        self, located: Mapping[str, Located], leases: Mapping[str, Sequence[Lease]], deadline: Deadline
    ) -> None:
        outcomes = await self._publisher.watch(located, leases, deadline)
        limit = self._run.accounts.get("default").cache_limit
        await self._publisher.outlast_caches(located, leases, outcomes, deadline, limit)

    async def watch(self, name: str, values: Iterable[str], type: RecordType, timeout: float | None = None) -> Outcome:
        """Only look: the outcome when every server of ``name``'s zone has ``values``. Raises NotPropagated.

        ``timeout`` in seconds; by default the configuration's.
        """
        from dnsbroker.propagation import Expectation

        place = await self._run.finder.find(owner(name))
        texts = frozenset(values if type == "TXT" else map(checked_tlsa, values))
        seconds = self._run.config.propagation.timeout if timeout is None else timeout
        deadline = Deadline.after(self._run.clock, seconds)
        return await self._run.watcher.wait(Expectation(place, type, texts, None), deadline)
