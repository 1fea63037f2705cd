"""What becomes of each certificate in a run: looked at, left alone or obtained, stored and deployed.

Each one fails alone.

One process at a time has a certificate; who comes second leaves it to the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from dnsbroker import due
from dnsbroker.certifying.elsewhere import foreseen, look_after, refusal
from dnsbroker.certifying.holding import access_of
from dnsbroker.certifying.key import KeyChoice
from dnsbroker.certifying.obtaining import Obtaining
from dnsbroker.certifying.outcome import UNFINISHED, Outcome, Status, Wishes, described, tell
from dnsbroker.certifying.permission import Permission
from dnsbroker.certifying.preflight import Preflight
from dnsbroker.certifying.rolled import Rolled, held
from dnsbroker.config import CertificateConfig
from dnsbroker.deploying.unordered import planned
from dnsbroker.errors import BrokerError, ConfigError, DeployFailed, Held, Postponed, PreflightFailed, StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import Answer, FileLock
from dnsbroker.names import challenge_name
from dnsbroker.run import Run
from dnsbroker.store import Lineage
from dnsbroker.tasks import together, uninterrupted

__all__ = ["Certifying", "Outcome", "Status", "Wishes", "described"]

_Work = Callable[[CertificateConfig, Emitter], Awaitable[Outcome]]


class Certifying:
    """Brings certificates to what the configuration says, in one run.

    ``is_named`` says that a person named them: then our own spacing of attempts does not hold. ``is_mending`` says that
    what is not due is to be looked after as well: deployments that failed, files whose owner or mode changed.
    ``is_rolling``: nothing is ordered but what a roll-over of its key asks for.
    """

    def __init__(self, run: Run, wishes: Wishes, *, is_named: bool, is_mending: bool, is_rolling: bool = False) -> None:
        self._run = run
        self._wishes = wishes
        self._is_named = is_named
        self._is_mending = is_mending
        self._is_rolling = is_rolling
        self._keys = KeyChoice(run, wishes)
        is_as_configured = not (wishes.key or wishes.csr or wishes.new_key or wishes.rehearse)
        self._permission = Permission(run, is_named=is_named, is_as_configured=is_as_configured)
        self._obtaining = Obtaining(run, wishes, self._keys, self._permission)
        self.covering = self._keys.covering
        #: Those that are due by more than a person's wish for another key, or were to be deployed.
        self._due: set[str] = set()
        self._rolled = Rolled(run, wishes, self._obtaining, self.covering)

    def check(self, certificates: Sequence[CertificateConfig]) -> None:
        """Raise ConfigError where some of ``certificates`` are to be ordered, and none of them may be; contacts nobody.

        Where one account may order and another may not, the certificates of the other fail, each for itself. One that
        another client obtains is an error where a person wants it ordered.
        """
        foreign = next((item for item in certificates if item.lineage is not None), None)
        if foreign is not None and self._is_named and self._is_order_wanted:
            raise refusal(self._run, foreign)
        wanted = [item for item in certificates if self._is_to_be_ordered(item)]
        if self._wishes.dry_run or not wanted:
            return
        refusals = {account: self._refusal(account) for account in dict.fromkeys(item.account for item in wanted)}
        refused = [(item, error) for item in wanted if (error := refusals[item.account]) is not None]
        if len(refused) == len(wanted):
            for item, error in refused:
                self._permission.mistaken(item, error)
            raise refused[0][1]

    @property
    def _is_order_wanted(self) -> bool:
        """Whether more is asked for than that all be as it is to be."""
        wishes = self._wishes
        is_wished = wishes.force or wishes.new_key or wishes.rehearse or wishes.key or wishes.csr
        return bool(is_wished) or not self._is_mending

    def _refusal(self, account: str) -> ConfigError | None:
        """Why nothing may be ordered from ``account``."""
        try:
            self._run.accounts.get(account, rehearsing=self._wishes.rehearse).check()
        except ConfigError as error:
            return error
        return None

    def has_pending(self, certificates: Sequence[CertificateConfig]) -> bool:
        """Whether an earlier run left an order open for one of ``certificates``."""
        return any(self._is_pending(item.name) for item in certificates)

    def _is_pending(self, name: str) -> bool:
        try:
            return self._run.store.pending(name) is not None
        except StoreError:
            return False  # told when its turn comes, as its own failure

    def _is_to_be_ordered(self, certificate: CertificateConfig) -> bool:
        if certificate.lineage is not None:
            return False
        try:
            lineage = self._run.store.load(certificate.name)
            known = None if lineage is None else self._run.advice.known(lineage)
            return self._reason(certificate, lineage, known) is not None
        except BrokerError:
            return False  # told when its turn comes, as its own failure

    def _reason(self, certificate: CertificateConfig, lineage: Lineage | None, answer: Answer | None) -> str | None:
        """Why the certificate is to be ordered; None where it is not."""
        if self._wishes.rehearse:
            return "rehearsed"
        if self._is_rolling:
            return None
        directory = self._run.accounts.get(certificate.account).config.directory
        reason = due.reason(lineage, certificate, directory, self._run.clock.now(), answer)
        return reason or self._keys.refused(lineage) or ("asked for" if self._wishes.force else None)

    async def bring(self, certificates: Sequence[CertificateConfig]) -> tuple[Outcome, ...]:
        """Every certificate at once; one outcome each, in their order. Then whoever uses them is told.

        TLSA records that are configured are looked after before and after; where all are meant, those for what is no
        certificate here as well, with an outcome for each that fails.
        """
        attempted = self._obtaining.attempted
        is_all = self._is_mending and not self._is_named
        if not (self._wishes.dry_run or self._wishes.rehearse):
            self._rolled.begin(certificates, self._is_to_be_ordered, is_all=is_all)
        try:
            outcomes = await together(self._one(certificate, self._decide) for certificate in certificates)
        except BaseException:
            await uninterrupted(self.covering.stop())
            # What a hook before the order stopped is started again, also where the run is stopped.
            await uninterrupted(self._run.deploying.close(attempted))
            raise
        final = await self._rolled.after(certificates, await self._finished(outcomes))
        return (*final, *self._rolled.strangers([item.name for item in certificates])) if is_all else final

    async def deploy(self, certificates: Sequence[CertificateConfig]) -> tuple[Outcome, ...]:
        """Copies, hooks, reload and verify again for every certificate, without an order; then its TLSA records."""
        outcomes = await together(self._one(certificate, self._deploy) for certificate in certificates)
        return await self._rolled.after(certificates, await self._finished(outcomes))

    async def _finished(self, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """The outcomes with what became of their deployments, once all that is shared is done."""
        deploying = self._run.deploying
        await deploying.finish(self._obtaining.attempted)
        self._run.changed = self._run.changed or deploying.changed
        final = tuple(_with_deployment(outcome, deploying.error(outcome.name)) for outcome in outcomes)
        for outcome in final:
            if outcome.status == "deployed":
                tell(outcome, self._run.emit.bound(certificate=outcome.name))
        return final

    async def _deploy(self, certificate: CertificateConfig, emit: Emitter) -> Outcome:
        lineage = self._deployable(certificate)
        for reference in self.covering.references(certificate) if certificate.lineage is not None else ():
            closed = await self.covering.against_chain(reference, lineage.fullchain, None, emit)
            if closed is not None:
                self._due.add(certificate.name)  # it was asked for in this run
                raise closed.error(certificate.name, f"{certificate.name} is not deployed yet")
        await self._run.deploying.spread(certificate, lineage, emit, again=True)
        return Outcome(certificate.name, "deployed", "deployed again", lineage)

    def _deployable(self, certificate: CertificateConfig) -> Lineage:
        """What is live. Raises BrokerError where nothing is, or nothing whole of another client's."""
        if certificate.lineage is not None:
            return planned(self._run.store, self._run.deployments, certificate)
        lineage = self._run.store.load(certificate.name)
        if lineage is None:
            hint = f"`dnsbroker issue {certificate.name}` obtains it"
            raise BrokerError(f"there is no certificate {certificate.name!r} to deploy", hint=hint)
        return lineage

    async def _one(self, certificate: CertificateConfig, work: _Work) -> Outcome:
        emit = self._run.emit.bound(certificate=certificate.name)
        try:
            outcome = await self._alone(certificate, work, emit)
        except Postponed as error:
            outcome = self._postponed(certificate, error)
        except BrokerError as error:
            outcome = Outcome(certificate.name, "failed", error.message, error=error)
            if isinstance(error, Held) and self.covering.manages(certificate.name):
                is_due = certificate.name in self._due
                outcome = held(certificate.name, self._present(certificate.name), error, is_due=is_due)
        if outcome.status != "deployed":  # which is not known before what is shared is done
            tell(outcome, emit)
        return outcome

    def _postponed(self, certificate: CertificateConfig, error: Postponed) -> Outcome:
        """A timer comes again by itself; a person who asked has to hear that nothing was done."""
        if self._is_named:
            return Outcome(certificate.name, "failed", error.message, error=error)
        present = self._present(certificate.name)
        return Outcome(certificate.name, "postponed", error.message, present, next_try=error.until)

    def _present(self, name: str) -> Lineage | None:
        """What is live, for what is told."""
        try:
            return self._run.store.load(name)
        except StoreError:
            return None  # damaged, which is told when its time has come

    async def _alone(self, certificate: CertificateConfig, work: _Work, emit: Emitter) -> Outcome:
        lock = FileLock(self._run.config.state_dir / "locks" / f"certificate-{certificate.name}")
        if not lock.try_acquire():
            holder = f" (pid {lock.holder()})" if lock.holder() else ""
            reason = f"another dnsbroker{holder} has it: left to it"
            return Outcome(certificate.name, "busy", reason, self._run.store.load(certificate.name))
        try:
            return await work(certificate, emit)
        finally:
            lock.release()

    async def _decide(self, certificate: CertificateConfig, emit: Emitter) -> Outcome:
        if certificate.lineage is not None:
            return await self._elsewhere(certificate, emit)
        lineage = self._load(certificate.name)
        account = self._run.accounts.get(certificate.account)
        answer = await self._asked(lineage, certificate, emit)
        reason = self._reason(certificate, lineage, answer)
        waiting, reason = await self._rolling(certificate, lineage, reason, emit)
        if waiting is not None:
            return waiting
        if reason is None:
            assert lineage is not None  # noqa: S101 - what is missing is due, or was never asked for here
            if self._wishes.new_key or self._wishes.key or self._wishes.csr:
                emit("warning", message=f"{certificate.name} is not due and keeps its key", hint="add --force")
            return await self._keep(certificate, lineage, emit)
        if self._wishes.dry_run:
            return await self._planned(certificate, lineage, reason, emit)
        if self._wishes.rehearse:
            await self._obtaining.rehearse(certificate, emit)
            return Outcome(certificate.name, "rehearsed", "the CA's staging directory issued it", lineage)
        if self._is_mending:  # also where it is not its time yet
            self._run.deploying.owe(certificate, lineage)
        self._permission.check(certificate, account.config.directory)
        is_revoked = answer is not None and answer.revoked_at is not None
        fresh = await self._obtaining.obtain(certificate, lineage, emit, reason=reason, is_revoked=is_revoked)
        return Outcome(certificate.name, "issued", reason, fresh)

    async def _elsewhere(self, certificate: CertificateConfig, emit: Emitter) -> Outcome:
        """What becomes of a certificate that another client obtains."""
        if self._wishes.dry_run:
            return foreseen(self._run, certificate)
        if self._wishes.rehearse:
            return Outcome(certificate.name, "kept", "another client's", self._run.store.load(certificate.name))
        return await look_after(self._run, certificate, self.covering, emit)

    async def _rolling(
        self, certificate: CertificateConfig, lineage: Lineage | None, reason: str | None, emit: Emitter
    ) -> tuple[Outcome | None, str | None]:
        """What becomes of one that waits for its TLSA records, if one does; and why one is to be ordered, if it is."""
        if self._wishes.rehearse or not self.covering.manages(certificate.name):
            return None, reason
        self._due.update([certificate.name] if reason is not None else [])
        await self.covering.ready()
        waiting = await self._rolled.waiting(certificate, lineage, reason, emit)
        if waiting is None:
            if reason is not None and not self._wishes.force:
                self.covering.check_taken_back(certificate.name, lineage)
            reason = reason or await self._rolled.asked(certificate, lineage)
            if reason is None and lineage is None:
                waiting = Outcome(certificate.name, "kept", f"not there: `dnsbroker issue {certificate.name}`")
            return waiting, reason
        if waiting.status == "held" and lineage is not None and not self._wishes.dry_run:
            await self._keep(certificate, lineage, emit)
        return waiting, None

    async def _planned(
        self, certificate: CertificateConfig, lineage: Lineage | None, reason: str, emit: Emitter
    ) -> Outcome:
        """What would be done; where it would be postponed, or no order be opened, that is said too."""
        account = self._run.accounts.get(certificate.account)
        located = await self._run.publisher.locate(challenge_name(name) for name in certificate.names)
        try:
            self._permission.check(certificate, account.config.directory)
            if not self._is_pending(certificate.name):
                await Preflight(self._run, certificate, located, account, emit).foresee()
        except (Postponed, PreflightFailed) as error:
            reason = f"{reason}, but not now: {error.message}"
        reason += await self._keys.foreseen(certificate, lineage)
        return Outcome(certificate.name, "planned", reason, lineage, plan=tuple(located.values()))

    async def _asked(self, lineage: Lineage | None, certificate: CertificateConfig, emit: Emitter) -> Answer | None:
        """What the CA that issued ``lineage`` says about it; nobody is asked where another CA is configured by now."""
        if lineage is None or self._wishes.rehearse or self._is_rolling:
            return None
        account = self._run.accounts.get(certificate.account)
        if lineage.provenance is None or lineage.provenance.directory != account.config.directory:
            return None
        if self._run.backoffs.until(account.config.directory, "") is not None:
            return self._run.advice.known(lineage)  # a CA that wants to be left alone is left alone with this too
        return await self._run.advice.ask(lineage, account, emit)

    async def _keep(self, certificate: CertificateConfig, lineage: Lineage, emit: Emitter) -> Outcome:
        """Leave it as it is, but for what is still to be done with its files."""
        kept = Outcome(certificate.name, "kept", f"valid until {lineage.not_after:%Y-%m-%d}", lineage)
        if not self._is_mending:
            return kept
        if self._wishes.dry_run:
            is_wanting = self._run.deploying.is_unfinished(certificate, lineage)
            return replace(kept, status="planned", reason=UNFINISHED, would_be="deployed") if is_wanting else kept
        try:
            is_changed = self._run.store.conform(certificate.name, access_of(certificate))
        except BrokerError as error:
            self._permission.mistaken(certificate, error)
            raise
        self._permission.kept(certificate)
        self._run.changed = self._run.changed or is_changed
        if self._run.deploying.is_unfinished(certificate, lineage):
            await self._run.deploying.spread(certificate, lineage, emit)
            return replace(kept, status="deployed", reason="what was left of its deployment is done")
        return replace(kept, status="deployed", reason="owner, group or mode changed") if is_changed else kept

    def _load(self, name: str) -> Lineage | None:
        """What is live. By force a damaged certificate counts as none; otherwise raises StoreError."""
        try:
            lineage = self._run.store.load_whole(name)
            if lineage is not None and self._wishes.force and lineage.has_key:
                _ = lineage.private_key  # read and checked: it may be used again
            return lineage
        except StoreError:
            if not self._wishes.force:
                raise
            return None


def _with_deployment(outcome: Outcome, error: DeployFailed | None) -> Outcome:
    if error is None or outcome.error is not None:  # a post hook's own failure has been told; nothing is issued
        return outcome
    if outcome.status == "deployed":
        return replace(outcome, status="kept", reason=UNFINISHED, undeployed=error)
    return replace(outcome, undeployed=error)
