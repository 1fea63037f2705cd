"""The library's front: certificates and published records, for programs as for our own command line.

A Broker keeps no global state, sets no signal handler, prints nothing and reads no environment. Cancelling any of its
coroutines leaves DNS clean before it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dnsbroker.account import Account
from dnsbroker.certifying import Certifying, Outcome, Wishes
from dnsbroker.certifying.permission import heeding
from dnsbroker.clock import Clock, SystemClock
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.config.certificates import ad_hoc
from dnsbroker.errors import BrokerError, ConfigError, StoreError
from dnsbroker.events import Listener
from dnsbroker.keys import read_request
from dnsbroker.knowing import Health, after_run, survey_health
from dnsbroker.names import meant, shown
from dnsbroker.revoking import Revocation, Revoked, bar, check_replaced, delete, find_target, prune_deleted, revoke
from dnsbroker.run import recorded
from dnsbroker.store import Lineage
from dnsbroker.surveying import Survey, survey
from dnsbroker.sweeping import Searched, over, search, sweep, sweep_out
from dnsbroker.texts import Texts

if TYPE_CHECKING:
    from dnsbroker.doctor import Diagnosis
    from dnsbroker.rekeying import Rekeying
    from dnsbroker.sync import SyncBroker

#: What ``issue`` gives: ``name``, ``names``, ``not_after``, ``path``, ``fullchain``, ``private_key``, ``serial``.
Certificate = Lineage


class Broker:
    """Certificates and records by one configuration; an asynchronous context manager.

    ``on_event`` is called with each event, a mapping as ``--json`` prints it; ``ignore`` are name servers (names or
    addresses) left out of every verdict, beside those configured; ``command`` is what the history calls this run. One
    that is only ``looking`` leaves ``state_dir`` as it is, and what would write raises StoreError. Every method raises
    BrokerError.

    Example::

        async with Broker(Config.load(), on_event=print) as broker:
            certificate = await broker.issue("example.org")
    """

    def __init__(
        self,
        config: Config,
        *,
        on_event: Listener | None = None,
        ignore: Iterable[str] = (),
        clock: Clock | None = None,
        command: str = "",
        looking: bool = False,
    ) -> None:
        self._config = config.ignoring(ignore)
        self._run = recorded(self._config, clock or SystemClock(), on_event, command, looking=looking)

    @property
    def changed(self) -> bool:
        """Whether anything on disk or in DNS is different now."""
        return self._run.changed

    async def __aenter__(self) -> Broker:
        await self._run.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._run.__aexit__(kind, error, trace)

    def sync(self) -> SyncBroker:
        """The plain front: the same methods without ``await``, for programs without an event loop."""
        from dnsbroker.sync import SyncBroker

        return SyncBroker(self)

    async def issue(
        self,
        name: str = "",
        *,
        names: Sequence[str] = (),
        wishes: Wishes | None = None,
        **settings: object,
    ) -> Certificate:
        """The certificate ``name``, obtained where it is due, else as it is.

        With ``names``, one that no file describes: ``settings`` are keys as ``[certificates.NAME]`` has them, such as
        ``key_type``; it is remembered and renewed like the rest. Without, a configured one. Raises ConfigError for
        names and settings, and whatever kept the certificate from being issued.
        """
        if settings and not names:
            raise ConfigError(
                f"{', '.join(settings)}: given for a certificate that is configured",
                key=f"certificates.{name}",
                hint="settings go with names=[...]; what is configured stands in the configuration",
            )
        if names:
            outcome = await self.issue_ad_hoc(names, name=name, settings=settings, wishes=wishes)
        else:
            outcome = (await self.issue_all([name], wishes=wishes))[0]
        return _certificate(outcome)

    async def renew(self, name: str, *, wishes: Wishes | None = None) -> Certificate:
        """The certificate ``name``, made what the configuration says."""
        return _certificate((await self.renew_all([name], wishes=wishes))[0])

    async def issue_all(self, names: Sequence[str] = (), *, wishes: Wishes | None = None) -> tuple[Outcome, ...]:
        """Obtain the certificates ``names``, or all that were never issued (by force: all); one outcome each.

        Raises ConfigError, before anything is contacted, where one that is named is not there or is wrong.
        """
        present = set(self._run.store.names()) if not names and not (wishes and wishes.force) else set()
        chosen = [item for item in self._chosen(names) if item.name not in present and (names or not item.lineage)]
        outcomes = await self._bring(chosen, wishes, is_named=bool(names), is_mending=False)
        return (*outcomes, *self._broken(names))

    async def issue_ad_hoc(
        self,
        names: Sequence[str],
        *,
        name: str = "",
        settings: Mapping[str, object] | None = None,
        wishes: Wishes | None = None,
    ) -> Outcome:
        """Obtain a certificate for ``names`` that no file describes; it is remembered where it comes about.

        Where the wishes bring a signing request, its names are those that are not given.
        """
        if not names and wishes is not None and wishes.csr is not None:
            names = read_request(wishes.csr).names
        certificate, text = ad_hoc(self._config, names, name=name, settings=settings)
        there = meant(certificate.name, [*self._config.certificates, *self._config.broken])
        known = self._config.certificates.get(there)
        if (known and not known.remembered) or there in self._config.broken:
            who = "another client" if known and known.lineage else f"`dnsbroker issue {there}`"
            raise ConfigError(
                f"certificate {there!r} is configured already",
                path=str(self._config.path or ""),
                hint=f"{who} obtains it; --name gives this one another name",
            )
        if wishes is not None and (wishes.dry_run or wishes.rehearse):
            return (await self._bring([certificate], wishes, is_named=True, is_mending=False))[0]
        # From before its order, so that the next renew goes on with it where this run is killed.
        before = self._run.store.remembered(certificate.name)
        self._run.store.remember(certificate.name, text)
        outcome = None
        try:
            (outcome,) = await self._bring([certificate], wishes, is_named=True, is_mending=False)
        finally:
            if outcome is None or outcome.status not in ("issued", "kept", "busy"):
                self._run.store.remember(certificate.name, before)
        return outcome

    async def renew_all(self, names: Sequence[str] = (), *, wishes: Wishes | None = None) -> tuple[Outcome, ...]:
        """Make the certificates ``names``, or all, what the configuration says; raises as ``issue_all``."""
        outcomes = await self._bring(self._chosen(names), wishes, is_named=bool(names), is_mending=True)
        return (*outcomes, *self._broken(names))

    async def deploy_all(self, names: Sequence[str] = ()) -> tuple[Outcome, ...]:
        """Copies, hooks, reload and verify again for the certificates ``names``, or all that are there; no order."""
        there = set(self._run.store.names())
        chosen = [item for item in self._chosen(names) if names or item.name in there]
        outcomes = await Certifying(self._run, Wishes(), is_named=True, is_mending=True).deploy(chosen)
        self._note_changes(outcomes)
        return (*outcomes, *self._broken(names))

    async def revoke(self, name: str, revocation: Revocation | None = None) -> Revoked:
        """Have the CA revoke the certificate ``name``, or another one of its lineage.

        Where ``revocation.replace`` is set, a new one is obtained and deployed before; where that did not come about,
        nothing is revoked. Raises BrokerError.
        """
        revocation = revocation or Revocation()
        name = self._meant(name)
        target = find_target(self._run, name, revocation)
        if revocation.is_compromise:
            bar(self._run, target)
        replaced = replayable = None
        if revocation.replace:
            if revocation.is_compromise:
                replayable = await self.dane.give_up(name, target.leaf.spki_sha256)
            (replaced,) = await self._bring(self._chosen([name]), Wishes(force=True), is_named=True, is_mending=True)
            check_replaced(replaced, target)
        is_ours = await revoke(self._run, target, revocation)
        self._run.changed = self._run.changed or is_ours
        rolled = await self.dane.see_out(name, replayable) if replayable is not None else None
        return Revoked(target, is_ours, replaced, rolled)

    def delete(self, name: str) -> Path:
        """Put the certificate ``name`` aside, for 30 days; where its files are then.

        Raises ConfigError while the configuration names it, or where it is not there.
        """
        path = delete(self._run, self._meant(name))
        self._run.changed = True
        return path

    @asynccontextmanager
    async def account(self, name: str = "default") -> AsyncIterator[Account]:
        """The CA account ``name``, for what is asked of it inside. Raises ConfigError.

        Postponed where the CA demanded not to be asked now; what it demands inside holds for later runs.
        """
        account = self._run.accounts.get(name)
        with heeding(self._run, account.config.directory, name):
            yield account

    def _chosen(self, names: Sequence[str]) -> list[CertificateConfig]:
        known = self._config.certificates
        names = [self._meant(name) for name in names]
        for name in names:
            if name in self._config.broken:
                raise self._config.broken[name]
            if name not in known:
                raise ConfigError(
                    f"no certificate {name!r} is configured",
                    path=str(self._config.path or ""),
                    hint=f"configured: {', '.join(map(shown, known)) or 'none'}; "
                    "`dnsbroker issue -d` obtains one that no file describes",
                )
        return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())

    def _meant(self, name: str) -> str:
        """The certificate that a person calls ``name``, in whatever form."""
        return meant(name, [*self._config.certificates, *self._config.broken, *self._run.store.names()])

    def _broken(self, names: Sequence[str]) -> list[Outcome]:
        """Where all are meant, the certificates that cannot be used fail alone."""
        broken = {} if names else self._config.broken
        return [Outcome(name, "failed", error.message, error=error) for name, error in broken.items()]

    async def _bring(
        self, certificates: Sequence[CertificateConfig], wishes: Wishes | None, *, is_named: bool, is_mending: bool
    ) -> tuple[Outcome, ...]:
        """Bring ``certificates`` about, and clean up after dead runs meanwhile."""
        wishes = wishes or Wishes()
        certifying = Certifying(self._run, wishes, is_named=is_named, is_mending=is_mending)
        certifying.check(certificates)
        if wishes.dry_run:
            return await certifying.bring(certificates)
        if certifying.has_pending(certificates):
            # An order that is gone on with wants the very values that the dead run left.
            outcomes = await certifying.bring(certificates)
            await self._sweep()
        else:
            outcomes = await self._bring_and_sweep(certifying, certificates)
        self._note_changes(outcomes)
        return outcomes

    async def _bring_and_sweep(
        self, certifying: Certifying, certificates: Sequence[CertificateConfig]
    ) -> tuple[Outcome, ...]:
        """Both at once."""
        sweeping = asyncio.ensure_future(self._sweep())
        try:
            return await certifying.bring(certificates)
        except asyncio.CancelledError:
            sweeping.cancel()  # our own records are gone by now; a dead run's can wait for the next one
            raise
        finally:
            await sweeping

    def _note_changes(self, outcomes: Iterable[Outcome]) -> None:
        if any(outcome.has_changed for outcome in outcomes):
            self._run.changed = True

    async def _sweep(self) -> None:
        """Clean up, above all after dead runs; where the disk or the journal fails, no certificate is worse for it."""
        with self._warning():
            prune_deleted(self._run)
        with self._warning():
            self._run.publisher.report(await sweep(self._run))

    @contextmanager
    def _warning(self) -> Iterator[None]:
        """What the store cannot do is told, no more."""
        try:
            yield
        except StoreError as error:
            self._run.emit("warning", message=error.message, hint=error.hint)

    async def status(self, name: str) -> Health:
        """How the certificate ``name`` is, from what is stored alone: ``needs_person``, and what was found."""
        return (await self.status_all([name]))[0]

    async def status_all(self, names: Sequence[str] = ()) -> tuple[Health, ...]:
        """How the certificates ``names``, or all, are. Raises ConfigError where one that is named is unknown."""
        found = {item.name: item for item in self._health()}
        names = [meant(name, found) for name in names]
        for name in names:
            if name not in found:
                raise ConfigError(f"there is no certificate {name!r}", hint=f"there are {', '.join(found) or 'none'}")
        return tuple(found[name] for name in names) if names else tuple(found.values())

    def _health(self) -> tuple[Health, ...]:
        return survey_health(self._config, self._run.store, self._run.journal, self._run.clock)

    async def conclude(self, status: int, story: Sequence[str] = ()) -> None:
        """Write the metrics file and tell whoever is to be alerted, after a run with the exit status ``status``.

        ``story`` is what a person was told. What cannot be done is told as a warning.
        """
        await after_run(self._run, command=self._run.command, status=status, story=story)

    def certificates(self) -> tuple[Certificate, ...]:
        """Those that are there, whoever configured them. Raises StoreError."""
        found = (self._run.store.load(name) for name in self._run.store.names())
        return tuple(item for item in found if item is not None)

    @property
    def texts(self) -> Texts:
        """TXT values for other programs: present, cleanup, wait."""
        return Texts(self._run)

    @property
    def dane(self) -> Rekeying:
        """TLSA records and roll-overs of keys: publish, withdraw, check, rollover, advance."""
        from dnsbroker.rekeying import Rekeying

        return Rekeying(self._run)

    @asynccontextmanager
    async def published(self, values: Mapping[str, Sequence[str]]) -> AsyncIterator[None]:
        """TXT ``values`` by owner name, written and on every server inside the block, and withdrawn after it.

        Raises NotPropagated, ProviderError, LookupFailed; NotWithdrawn at the end.
        """
        texts = self.texts
        async with texts.standing(values):
            yield
        self.check_withdrawn()

    async def collect_garbage(self) -> int:
        """Withdraw what dead or expired runs left in DNS; how many records there were. Raises NotWithdrawn."""
        found = len(over(self._run))
        self._run.publisher.report(await sweep_out(self._run))
        if found > len(self._run.publisher.left):
            self._run.changed = True
        self.check_withdrawn()
        return found

    async def search_garbage(self) -> Searched:
        """Withdraw what a lost state directory forgot, by the notes that services keep beside our records.

        Nothing is raised for a provider that fails, nor for what cannot be withdrawn: see ``check_withdrawn``.
        """
        searched = await search(self._run)
        self._run.changed = self._run.changed or bool(searched.withdrawn)
        return searched

    async def doctor(self, names: Sequence[str] = (), *, fix: bool = False) -> Diagnosis:
        """Look for all that would make a validation fail: of certificates or domain names, or of every certificate.

        Nothing is written; with ``fix``, what can be mended is. Raises ConfigError.
        """
        from dnsbroker.doctor import examine

        return await examine(self._run, names, fix=fix)

    async def survey(self) -> Survey:
        """What each configured provider may write, and the adapters installed."""
        return await survey(self._run)

    def check_withdrawn(self) -> None:
        """Raise NotWithdrawn where this run could not take back a record."""
        self._run.publisher.check_withdrawn()


def _certificate(outcome: Outcome) -> Certificate:
    if outcome.error is not None:
        raise outcome.error
    if outcome.certificate is None:
        raise BrokerError(f"{outcome.name}: {outcome.reason}", transient=outcome.status == "busy")
    return outcome.certificate
