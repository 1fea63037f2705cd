"""What roll-overs of keys ask of the certificates of a run: what waits goes live, what breaks a service is taken back.

Rule: a certificate that waits is not ordered again. After a deployment each address is looked at; where one is worse
off for it, what was live before is so again, and a person has to look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from dnsbroker import due, keys
from dnsbroker.certifying.covering import Covering
from dnsbroker.certifying.obtaining import Obtaining
from dnsbroker.certifying.outcome import Outcome, Wishes
from dnsbroker.clock import Deadline
from dnsbroker.config import CertificateConfig
from dnsbroker.errors import BrokerError, DeployFailed, Held, StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import FileLock
from dnsbroker.names import shown
from dnsbroker.run import Run
from dnsbroker.store import Lineage

if TYPE_CHECKING:
    from dnsbroker.dane import Brought, Wish

#: Seconds that a service has to come back with its new certificate, and between two looks at it.
_PATIENCE, _INTERVAL = 10.0, 1.0
_ASKED = "a new key was asked for"
_REPLACED = "it waited for TLSA records to cover it"


class Rolled:
    """Roll-overs in one run."""

    def __init__(self, run: Run, wishes: Wishes, obtaining: Obtaining, covering: Covering) -> None:
        self._run = run
        self._wishes = wishes
        self._obtaining = obtaining
        self._covering = covering

    def begin(
        self,
        certificates: Sequence[CertificateConfig],
        is_due: Callable[[CertificateConfig], bool],
        *,
        is_all: bool,
    ) -> None:
        """Begin to look after the TLSA records of ``certificates``; of all that are configured where ``is_all``."""
        managed = [item for item in certificates if self._covering.tends(item.name)]
        if not managed and not is_all:
            return
        wishes = {item.name: self._wish(item, is_due(item)) for item in managed}
        self._covering.begin(() if is_all else [item.name for item in managed], wishes)

    def _wish(self, certificate: CertificateConfig, is_due: bool) -> Wish:
        name, now = certificate.name, self._run.clock.now()
        is_new_key_wanted = self._wishes.new_key
        with suppress(StoreError):  # what is damaged is told when its turn comes
            self._drop_misfit(certificate)
            lineage = self._run.store.load(name)
            created = lineage.provenance.key_created if lineage is not None and lineage.provenance else None
            is_new_key_wanted = is_new_key_wanted or due.new_key_wanted(certificate.key_rotation, created, now)
        return self._covering.wish(name, is_due=is_due, is_new_key_wanted=is_new_key_wanted)

    def _drop_misfit(self, certificate: CertificateConfig) -> None:
        """Forget a next key that can never be used, so that another one is made."""
        staged = self._run.store.next_key(certificate.name) if certificate.lineage is None else None
        if staged is None:
            return
        is_barred = self._run.barred.is_barred(keys.spki_sha256_of(staged.key_pem))
        if is_barred or keys.key_type_of(staged.key_pem) != certificate.key_type:
            self._run.store.drop_next_key(certificate.name)

    async def waiting(
        self, certificate: CertificateConfig, lineage: Lineage | None, reason: str | None, emit: Emitter
    ) -> Outcome | None:
        """What becomes of a certificate that waits; None where none does, or another one is to be had instead.

        ``reason`` says why one is due, if it is.
        """
        name, holding = certificate.name, self._obtaining.holding
        if self._wishes.dry_run:
            return await self._foreseen(certificate, lineage)
        if reason is not None and (self._wishes.key or self._wishes.csr or self._wishes.new_key):
            holding.drop(name)
        waiting = holding.found(certificate, lineage, emit)
        if waiting is None:
            return None
        try:
            fresh = await self._obtaining.go_live(certificate, lineage, emit, reason=reason or _REPLACED)
        except Held as error:
            if not holding.is_hopeless(waiting, lineage):
                return held(name, lineage, error, is_due=reason is not None)
            holding.drop(name)
            emit("warning", message=f"what waited is given up, since time runs out: {error.message}")
            return None
        return Outcome(name, "issued", reason or _REPLACED, fresh)

    async def _foreseen(self, certificate: CertificateConfig, lineage: Lineage | None) -> Outcome | None:
        waiting = self._obtaining.holding.foreseen(certificate, lineage)
        if waiting is None:
            return None
        closed = await self._covering.foresee_chain(certificate.name, waiting.fullchain)
        if closed is None:
            return Outcome(certificate.name, "planned", _REPLACED, lineage)
        told = f"it is issued and not live yet: {closed.reason}{closed.told_until}"
        return Outcome(certificate.name, "held", told, lineage)

    async def asked(self, certificate: CertificateConfig, lineage: Lineage | None) -> str | None:
        """Why an order is to be made now that nothing else asks for: a person wants a new key, and it may be used."""
        if lineage is None or not self._covering.is_asked(certificate.name):
            return None
        return _ASKED if await self._covering.against_key(certificate.name, lineage) is None else None

    async def after(
        self, certificates: Sequence[CertificateConfig], outcomes: Sequence[Outcome]
    ) -> tuple[Outcome, ...]:
        """The outcomes, once the records are looked after for what is live now; what breaks a service is taken back."""
        covering = self._covering
        await covering.ready()
        moved = [outcome.name for outcome in outcomes if outcome.status in ("issued", "deployed")]
        await covering.bring(moved)
        configured = {item.name: item for item in certificates}
        final = [
            await self._checked(configured[outcome.name], outcome)
            if outcome.name in moved or self._is_to_go_back(outcome.name)
            else outcome
            for outcome in outcomes
        ]
        return tuple(self._with_records(outcome) for outcome in final)

    def strangers(self, names: Sequence[str]) -> tuple[Outcome, ...]:
        """One outcome for each reference that is none of the certificates ``names``, and could not be looked after."""
        others = [one for reference, one in self._covering.brought.items() if reference not in names]
        self._warn(others)
        failed = [(one.reference, one.error) for one in others if one.error is not None]
        failure = self._covering.failure
        if failure is not None and not any(self._covering.tends(name) for name in names):
            failed.append(("[[dane]]", failure))
        return tuple(Outcome(reference, "failed", error.message, error=error) for reference, error in failed)

    def _with_records(self, outcome: Outcome) -> Outcome:
        brought, trouble = self._covering.brought.get(outcome.name), self._covering.trouble(outcome.name)
        self._warn([brought] if brought is not None else [])
        return replace(outcome, uncovered=trouble) if trouble is not None and outcome.error is None else outcome

    def _warn(self, brought: Sequence[Brought]) -> None:
        for one in brought:
            for words in (*one.objections, *one.unanswered):
                self._run.emit("warning", message=f"{shown(one.reference)}: {words}")

    async def _checked(self, certificate: CertificateConfig, outcome: Outcome) -> Outcome:
        """The outcome, with what is live taken back where it does harm; what another process has is left to that."""
        name = certificate.name
        lock = FileLock(self._run.config.state_dir / "locks" / f"certificate-{name}")
        try:
            judged = self._run.store.load(name)
            if judged is None or not await self._is_worse(name) or not lock.try_acquire():
                return outcome
            live = self._run.store.load(name)
            if live is None or live.serial != judged.serial:
                return outcome
            return await self._taken_back(certificate, live)
        except BrokerError as error:
            return replace(outcome, status="failed", reason=error.message, error=error)
        finally:
            lock.release()

    async def _is_worse(self, name: str) -> bool:
        """Whether some address is worse off for the new certificate; a service may take its time to come back."""
        deadline = Deadline.after(self._run.clock, _PATIENCE)
        while self._is_to_go_back(name):
            if deadline.has_passed():
                return True
            await self._run.clock.sleep(min(_INTERVAL, deadline.left()))
            await self._covering.bring([name])
        return False

    def _is_to_go_back(self, name: str) -> bool:
        brought = self._covering.brought.get(name)
        if brought is None or brought.move is None:
            return False
        from dnsbroker.rolling import Act

        return brought.move.act is Act.ROLL_BACK

    async def _taken_back(self, certificate: CertificateConfig, refused: Lineage) -> Outcome:
        """What was live before is live and deployed again; the error says why."""
        name, deploying = certificate.name, self._run.deploying
        move = self._covering.brought[name].move
        why = move.reason if move is not None else ""
        # Noted first: whoever comes after one that was killed between the two sees that it is live, and refused.
        self._covering.refuse(name, refused.serial)
        earlier = self._run.store.go_back(name, self._run.store.live_before(name))
        await deploying.spread(certificate, earlier, self._run.emit.bound(certificate=name), again=True)
        await deploying.finish()
        await self._covering.bring([name])
        hint = f"see why the service does not take it, then `dnsbroker tlsa rollover {name}` tries another one"
        error = DeployFailed(
            f"{shown(name)} has its certificate of before again: {why}", certificate=name, steps=["serving"], hint=hint
        )
        account = self._run.accounts.get(certificate.account)
        self._obtaining.permission.failed(certificate, account.config.directory, error)
        return Outcome(name, "failed", error.message, earlier, error=error)


def held(name: str, lineage: Lineage | None, error: Held, *, is_due: bool) -> Outcome:
    """The outcome of a certificate that waits; an error where one is due, since somebody counts on it."""
    return Outcome(name, "held", error.message, lineage, error=error if is_due else None)
