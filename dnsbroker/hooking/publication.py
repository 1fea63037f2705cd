"""Values of hooks in DNS: written with all that their session has parked, watched, and taken back.

Rule: what is asked for is in the journal before anything is sent. A client that gives up where we fail calls no second
time: then nothing of this call's stays, nor of its session's. One that takes no notice of a failure has its values
until it cleans up itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from dnsbroker.errors import (
    AuthRejected,
    BrokerError,
    ConfigError,
    DelegationBroken,
    DeployFailed,
    Held,
    NameInvalid,
    NoProvider,
    NotWithdrawn,
    StoreError,
    ZoneMissing,
)
from dnsbroker.hooking import Answer
from dnsbroker.hooking.calls import Call, Cleanup, Ended, Present, Started
from dnsbroker.hooking.remembering import forebears, number, subject
from dnsbroker.journal import Attempts, Lease, Sessions
from dnsbroker.journal.hooked import LIFE, Failed, Values
from dnsbroker.records import checked_texts
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.tasks import uninterrupted
from dnsbroker.texts import Texts

# A person has to mend them, which waiting does not; nor is waiting for a moment a failure.
_UNSPACED = (ConfigError, NameInvalid, NoProvider, DelegationBroken, AuthRejected, ZoneMissing, Held)


async def perform(call: Call, run: Run, *, wait: bool) -> Answer:
    """Do what ``call`` asks for in DNS; see ``dnsbroker.hooking.perform``."""
    publication = Publication(run)
    match call:
        case Present():
            return await publication.present(call, wait=wait)
        case Cleanup():
            return await publication.clean_up(call)
        case Started():
            return await publication.start(call.session)
        case Ended():
            return await publication.end(call.session)
    raise TypeError(f"{call!r} asks nothing of DNS")


class Publication:
    """Hooks' values in one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._texts = Texts(run)
        self._sessions = Sessions(run.journal, run.clock)
        self._attempts = Attempts(run.journal, run.clock)

    async def present(self, call: Present, *, wait: bool) -> Answer:
        """Publish the call's values, and those that its session has parked."""
        values = checked_texts(call.values)
        ident = self._sessions.ask(call.session, values, call.tokens, run=self._run.lock.id)
        try:
            await self._publish(call.session, values, wait=wait)
        except BrokerError as error:
            self._note_failure(call, error)
            if call.is_heeded:
                await self._undo(call.session, values)
            return Answer(failures=[error, *self._left()], changed=self._run.changed)
        except BaseException:
            if call.is_heeded:
                await self._undo(call.session, values)
            raise
        if call.is_spaced and self._attempts.of(subject(call.session)):
            self._attempts.succeeded(subject(call.session))
        # Only a client whose calls are several keeps what it is told; others show it to people.
        return Answer(number(ident) if call.is_spaced else "", changed=self._run.changed)

    async def _publish(self, session: str, values: Values, *, wait: bool) -> None:
        """Write ``values`` and all that is parked, and see it everywhere; its time begins when it is."""
        # A wrapper (sudo, timeout) may give each call a process group of its own, which is gone when the call is.
        parked = self._sessions.claim(forebears(session, self._sessions), self._run.lock.id)
        wanted = {name: sorted(texts) for name, texts in _both(values, parked).items()}
        await self._texts.present(wanted, expires=LIFE, wait=wait, patient=True)
        if wait:
            self._sessions.prolong(session, self._run.lock.id)

    def _note_failure(self, call: Present, error: BrokerError) -> None:
        with suppress(StoreError):  # the error itself is what matters
            self._sessions.failed(call.session, error)
            if call.is_spaced and not isinstance(error, _UNSPACED):
                self._attempts.failed(subject(call.session), error)

    async def _undo(self, session: str, values: Values) -> None:
        """Take back what this call has put into DNS, and what its session has."""
        theirs = self._sessions.values(session)
        texts = (lease for lease in self._run.leases.open() if lease.record.type == "TXT")
        mine = [lease.id for lease in texts if lease.run == self._run.lock.id]
        tried = {lease.id for lease in self._run.publisher.left}
        await self._withdraw([ident for ident in (*mine, *self._ids(theirs)) if ident not in tried])
        with suppress(StoreError):  # it expires
            self._sessions.forget(_both(values, theirs))

    async def clean_up(self, call: Cleanup) -> Answer:
        """Withdraw the call's values, and what is over in the same zones."""
        values = checked_texts(call.values)
        try:
            targets = await self._clean_up(values)
        except BrokerError as error:
            failures: Sequence[BrokerError] = [error]
        else:
            failures = self._left()
        if not failures:
            with suppress(StoreError):
                self._sessions.forget(values)
            await self._sweep(targets)
            return Answer(changed=self._run.changed)
        if not call.is_forgiving:
            return Answer(failures=failures, changed=self._run.changed)
        for failure in failures:
            self._sessions.failed(call.session, failure)
        told = [error.message for error in failures if not isinstance(error, NotWithdrawn)]
        return Answer(told=told, changed=self._run.changed)

    async def _clean_up(self, values: Values) -> set[Target]:
        """Withdraw ``values``; where that was. Those that no lease holds are looked for where they should stand."""
        known = {(name, text): self._sessions.leases(name, text) for name, texts in values.items() for text in texts}
        leases = await self._withdraw(self._with_same([ident for ids in known.values() for ident in ids]))
        unknown: dict[str, list[str]] = {}
        for (name, text), ids in known.items():
            if not ids:
                unknown.setdefault(name, []).append(text)
        if unknown and await self._texts.cleanup(unknown):
            self._run.changed = True
        return {Target(lease.provider, lease.zone) for lease in leases}

    async def start(self, session: str) -> Answer:
        """Withdraw what earlier runs of the client left, and all that is over; nothing here ends the new one."""
        for one in forebears(session, self._sessions):
            self._sessions.hasten(one, 0.0)
            self._sessions.end(one)
        await self._sweep()
        return Answer(changed=self._run.changed)

    async def end(self, session: str) -> Answer:
        """Withdraw all that ``session`` still has, and tell again what it has met."""
        await self._withdraw(self._ids(self._sessions.values(session)))
        left, met = self._left(), self._sessions.failures(session)
        self._sessions.end(session)
        return Answer(
            told=[failed.message for failed in met if failed.kind not in (NotWithdrawn.kind, DeployFailed.kind)],
            failures=[*left, *(_undeployed(failed) for failed in met if failed.kind == DeployFailed.kind)],
            changed=self._run.changed,
        )

    async def _sweep(self, targets: Collection[Target] | None = None) -> None:
        """Withdraw what is over, at ``targets`` alone where they are given. What could not be is told."""
        from dnsbroker.sweeping import over, sweep  # which who only publishes needs not import

        found = over(self._run)
        failed = await sweep(self._run, targets)
        self._run.publisher.report(failed)
        tried = [one for one in found if targets is None or Target(one.provider, one.zone) in targets]
        self._run.changed = self._run.changed or len(tried) > len(failed)

    def _ids(self, values: Values) -> list[int]:
        return [
            ident for name, texts in values.items() for text in texts for ident in self._sessions.leases(name, text)
        ]

    def _with_same(self, idents: Iterable[int]) -> list[int]:
        """Those leases, and all that other promises of the kind hold of the same records."""
        records = {lease.record for lease in self._run.leases.by_id(idents)}
        found = (lease for record in records for lease in self._run.leases.standing(record))
        return [lease.id for lease in found if lease.expires is not None]

    async def _withdraw(self, idents: Iterable[int]) -> tuple[Lease, ...]:
        """Take the values of those leases out of DNS. What could not be is told, and kept for ``_left``."""
        leases = self._run.leases.by_id(dict.fromkeys(idents))
        await uninterrupted(self._run.publisher.withdraw(leases))
        if any(not lease.foreign for lease in leases):
            self._run.changed = True
        return leases

    def _left(self) -> list[BrokerError]:
        """The error for what could not be withdrawn since this was asked last."""
        try:
            self._run.publisher.check_withdrawn()
        except NotWithdrawn as error:
            self._run.publisher.left.clear()
            return [error]
        return []


def _both(some: Values, others: Values) -> Values:
    return {name: some.get(name, frozenset()) | others.get(name, frozenset()) for name in (*some, *others)}


def _undeployed(failed: Failed) -> DeployFailed:
    return DeployFailed(failed.message, certificate=failed.certificate, steps=(), hint=failed.hint)
