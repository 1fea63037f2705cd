"""One run's parts: made here and handed down, so that nothing has to reach for them.

Opening makes ``state_dir``, takes the run's lock and opens the journal; closing gives it all back, whatever happened.
What not every run needs is imported and made when it is first asked for: a hook that only publishes speaks neither to
a CA nor HTTP, and makes no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from dnsbroker.adapter import Adapter, Surroundings
from dnsbroker.clock import Clock
from dnsbroker.config import Config, ProviderConfig
from dnsbroker.errors import StoreError
from dnsbroker.events import Emitter, Event, Listener
from dnsbroker.journal import Answers, History, Journal, Lease, Leases, Runs, State
from dnsbroker.journal import Run as RunLock
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.publishing import Publisher
from dnsbroker.routing import Routing
from dnsbroker.store.disk import make_state_directory
from dnsbroker.transport import Connections
from dnsbroker.writer import Writer

if TYPE_CHECKING:
    from dnsbroker.account import Accounts
    from dnsbroker.advice import Advice
    from dnsbroker.dane import Dane
    from dnsbroker.deploying import Deploying
    from dnsbroker.guarding import Guard
    from dnsbroker.journal import Attempts, Backoffs, Barred, Deployments, Observations, RenewalAnswers
    from dnsbroker.journal.rollovers import Rollovers
    from dnsbroker.lineages import Lineages
    from dnsbroker.lookup.caa import CAASets
    from dnsbroker.propagation import Watcher

_PATIENCE_AT_END = 5.0


class Run:
    """The parts of one run; an asynchronous context manager. Raises StoreError when opened.

    One that is only ``looking`` makes nothing below ``state_dir``, and what would write the journal raises StoreError.
    A journal that it cannot read counts as empty, and ``unread`` is why.
    """

    def __init__(
        self, config: Config, clock: Clock, emit: Emitter, command: str = "", *, looking: bool = False
    ) -> None:
        self.config = config
        self.is_looking = looking
        self.unread: StoreError | None = None
        self.command = command
        self.history: History | None = None
        self.clock = clock
        self.emit = emit
        #: Whether anything on disk or in DNS is different now, by what this run did.
        self.changed = False
        self.connections = Connections(config.environment)
        self.exchange = Exchange()
        self.finder = Finder(config.dns, self.exchange, clock)
        self.routing = Routing(config.providers, self._adapter, emit, clock, self.finder.service_addresses)
        self._closing: list[Callable[[], Awaitable[None]]] = [self.routing.aclose]

    @cached_property
    def store(self) -> Lineages:
        """The certificates, ours and other clients'."""
        from dnsbroker.lineages import Lineages

        return Lineages(self.config.state_dir, self.config.certificates)

    @cached_property
    def accounts(self) -> Accounts:
        """The accounts at CAs."""
        from dnsbroker.account import Accounts

        config = self.config
        made = Accounts(config.known_accounts, config.parallel, self.store, self.connections, self.clock, self.emit)
        self._closing.append(made.aclose)
        return made

    @cached_property
    def caa_sets(self) -> CAASets:
        """The CAA records of names."""
        from dnsbroker.lookup.caa import CAASets

        return CAASets(self.finder, self.clock)

    @cached_property
    def guard(self) -> Guard:
        """What TLSA records say of keys."""
        from dnsbroker.guarding import Guard

        return Guard(self.finder, self.exchange)

    @cached_property
    def watcher(self) -> Watcher:
        """Whoever waits until every server has a record."""
        from dnsbroker.propagation import Watcher

        return Watcher(self.exchange, self.finder.resolvers, self.clock, self.emit, self.config.propagation)

    @cached_property
    def advice(self) -> Advice:
        """When the CA would have certificates renewed."""
        from dnsbroker.advice import Advice

        return Advice(self.renewal_answers, self.connections, self.clock)

    @cached_property
    def deploying(self) -> Deploying:
        """Whoever brings certificates to their users."""
        from dnsbroker.deploying import Deploying

        return Deploying(
            self.store, self.deployments, self.config.environment, self.clock, self.emit, self.finder.service_addresses
        )

    @cached_property
    def attempts(self) -> Attempts:
        """What failed, and when it may be tried again."""
        from dnsbroker.journal import Attempts

        return Attempts(self.journal, self.clock)

    @cached_property
    def backoffs(self) -> Backoffs:
        """Until when CAs want to be left alone."""
        from dnsbroker.journal import Backoffs

        return Backoffs(self.journal, self.clock)

    @cached_property
    def barred(self) -> Barred:
        """The keys that no certificate may have any more."""
        from dnsbroker.journal import Barred

        return Barred(self.journal)

    @cached_property
    def observations(self) -> Observations:
        """What TLSA records were last seen to say."""
        from dnsbroker.journal import Observations

        return Observations(self.journal, self.clock)

    @cached_property
    def renewal_answers(self) -> RenewalAnswers:
        """What CAs said of when to renew."""
        from dnsbroker.journal import RenewalAnswers

        return RenewalAnswers(self.journal)

    @cached_property
    def deployments(self) -> Deployments:
        """What of deploying each certificate is still to be done."""
        from dnsbroker.journal import Deployments

        return Deployments(self.journal, self.clock)

    @cached_property
    def rollovers(self) -> Rollovers:
        """What is remembered of TLSA records and roll-overs."""
        from dnsbroker.journal.rollovers import Rollovers

        return Rollovers(self.journal, self.clock)

    @cached_property
    def dane(self) -> Dane:
        """Whoever keeps TLSA records and what is served together."""
        from dnsbroker.dane import Dane, Parts

        return Dane(
            Parts(
                self.config,
                self.store,
                self.rollovers,
                self.leases,
                self.runs,
                self.writer,
                self.publisher,
                lambda: self.watcher,
                self.finder,
                self.exchange,
                self.clock,
                self.emit,
                self._wrote,
                self.is_looking,
            )
        )

    def _wrote(self) -> None:
        self.changed = True

    def _adapter(self, provider: ProviderConfig) -> Adapter:
        surroundings = Surroundings(
            provider=provider.name,
            clock=self.clock,
            connections=self.connections,
            addresses=self.finder.addresses,
        )
        return provider.adapter(provider.settings, surroundings)

    async def __aenter__(self) -> Run:
        self.lock = RunLock(self.config.state_dir, self.clock)
        if not self.is_looking:
            make_state_directory(self.config.state_dir)
            self.lock.__enter__()
        try:
            self.journal = self._journal()
        except BaseException:
            self.lock.__exit__(None, None, None)
            raise
        self.history = History(self.journal, self.lock.id, self.command)
        self.runs = Runs(self.config.state_dir)
        self.leases = Leases(self.journal, self.lock.id, self.clock)
        self.writer = Writer(
            self.leases,
            self.runs,
            self.config.state_dir,
            self.routing.adapter,
            self.clock,
            self.emit,
            self.config.propagation.timeout,
        )
        self.publisher = Publisher(
            self.finder, self.routing, self.writer, lambda: self.watcher, Answers(self.journal), self.clock, self.emit
        )
        return self

    def _journal(self) -> Journal:
        try:
            return Journal(self.config.state_dir, create=not self.is_looking)
        except StoreError as error:
            if not self.is_looking:
                raise
            self.unread = error
            return Journal(None, create=False)

    def note(self, event: Event) -> None:
        """Keep ``event`` for ``dnsbroker log``, once the journal is open."""
        if self.history is not None:
            self.history.note(event)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.writer.aclose(_PATIENCE_AT_END if kind is None else 0.0)
            if not self.is_looking:
                self._tell_left(is_cut_off=kind is not None)
            await asyncio.gather(*(close() for close in self._closing), return_exceptions=True)
        finally:
            if self.history is not None:
                self.history.close()
            self.journal.close()
            self.lock.__exit__(kind, error, trace)

    def _tell_left(self, *, is_cut_off: bool) -> None:
        """Tell what this run leaves in the journal, cut off or in doubt, and has not told of yet."""
        told = {lease.id for lease in self.publisher.left}
        for lease in self.leases.open():
            if lease.id not in told and self._is_left(lease, is_cut_off=is_cut_off):
                self.emit(
                    "left",
                    name=lease.record.name,
                    type=lease.record.type,
                    provider=lease.provider,
                    zone=lease.zone,
                    message="the run ended before its withdrawal was certain; `dnsbroker gc` sees to it",
                )

    def _is_left(self, lease: Lease, *, is_cut_off: bool) -> bool:
        """Whether this run was to see to ``lease`` and did not: what is to outlive it is no such one once it stands.

        What another run left, and this one has withdrawn as far as it could, is for later sweeps, unless this one was
        cut off over it. TLSA records are no leftovers: the next look at them goes on where this one ended.
        """
        if lease.record.type == "TLSA":
            return False
        is_underway = lease.state in (State.SENDING, State.UNWANTED)
        if lease.run == self.lock.id:
            return lease.expires is None or is_underway
        return is_cut_off and is_underway and lease.withdrawer == self.lock.id


def recorded(
    config: Config, clock: Clock, listener: Listener | None, command: str = "", *, looking: bool = False
) -> Run:
    """A Run whose events go to its history, under the name ``command``, and then to ``listener``."""

    def heard(event: Event) -> None:
        run.note(event)
        if listener is not None:
            listener(event)

    run = Run(config, clock, Emitter(clock, heard), command, looking=looking)
    return run
