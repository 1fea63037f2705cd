"""What TLSA records allow in one run: which key may be ordered for, and which chain may go live.

Rule: where nobody configured ``[[dane]]``, nothing is imported, read or asked. Records are looked after once before
certificates are decided on, and once after they are live; a trouble with them fails or delays no other certificate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dnsbroker import due, keys
from dnsbroker.config import CertificateConfig
from dnsbroker.errors import BrokerError, Held, StoreError
from dnsbroker.events import Emitter
from dnsbroker.run import Run
from dnsbroker.store import Lineage
from dnsbroker.tasks import background

if TYPE_CHECKING:
    from dnsbroker.dane import Brought, Wish
    from dnsbroker.journal import Progress
    from dnsbroker.rolling import Gate
    from dnsbroker.rolling.situation import Case
    from dnsbroker.tlsa.computing import Presented

_GOES_ON = "`dnsbroker renew` or `dnsbroker tlsa advance` goes on then"


@dataclass(frozen=True)
class Closed:
    """Why something may not be done yet, in words; ``until`` (aware), None where that is no matter of time alone."""

    reason: str
    until: datetime | None = None

    def error(self, name: str, words: str) -> Held:
        """The error of certificate ``name`` that has to wait; ``words`` say what waits."""
        hint = _GOES_ON if self.until else f"`dnsbroker tlsa status` shows what {name} waits for"
        return Held(f"{words}: {self.reason}{self.told_until}", name=name, until=self.until, hint=hint)

    @property
    def told_until(self) -> str:
        """The moment, as an end of the sentence."""
        return f" (not before {due.when_after(self.until)})" if self.until else ""


class Covering:
    """DANE for the certificates of one run.

    ``brought`` holds what last came of looking after each reference, ``failure`` what kept all of them from it,
    ``loud`` why those that went live all the same should have waited, by certificate.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._beforehand: asyncio.Task[None] | None = None
        self.brought: dict[str, Brought] = {}
        self.failure: BrokerError | None = None
        self.loud: dict[str, Closed] = {}

    # Once in a run.

    def manages(self, name: str) -> bool:
        """Whether TLSA records have a say in what is served for the certificate ``name``.

        Records of ours may stand without any ``[[dane]]`` table; where none was ever published, nothing is imported.
        """
        is_dane = bool(self._run.config.dane) or bool(self._run.rollovers.published())
        return is_dane and self._run.dane.manages(name)

    def tends(self, name: str) -> bool:
        """Whether they are looked after for it, since a ``[[dane]]`` table speaks of it."""
        return bool(self._run.config.dane) and self._run.dane.tends(name)

    def owners(self, name: str) -> frozenset[str]:
        """The owner names whose records are looked after for it."""
        return self._run.dane.owners(name) if self.manages(name) else frozenset()

    def begin(self, references: Sequence[str], wishes: Mapping[str, Wish]) -> None:
        """Begin to look after the records of ``references``, none for all that are configured."""
        if self._run.config.dane:
            self._beforehand = background(self._tried(references, wishes))

    async def ready(self) -> None:
        """Wait until what has begun is done; whoever is not managed need not."""
        if self._beforehand is not None:
            await asyncio.shield(self._beforehand)

    async def stop(self) -> None:
        """Give up what has begun."""
        if self._beforehand is not None:
            self._beforehand.cancel()
            await asyncio.wait({self._beforehand})

    async def bring(self, names: Sequence[str]) -> None:
        """Look after the records of the certificates ``names`` once more, now that something else is live."""
        wishes = {name: self.wish(name, way_back=True) for name in names if self.tends(name)}
        if wishes:
            await self._tried(list(wishes), wishes)

    async def _tried(self, references: Sequence[str], wishes: Mapping[str, Wish]) -> None:
        """As ``_bring``; an error is kept, for it is no other certificate's."""
        try:
            await self._bring(references, wishes)
        except BrokerError as error:
            self.failure = error

    def wish(self, name: str, *, is_due: bool = False, is_new_key_wanted: bool = False, way_back: bool = False) -> Wish:
        """What is wanted of ``name`` now, with what was live before where there is a way back to it.

        ``way_back``: look for one even if what is live was seen served.
        """
        from dnsbroker.dane import Wish

        try:
            live = self._run.store.load(name)
        except StoreError:
            live = None  # damaged, which is told when its turn comes
        if live is None:
            return Wish(is_due)
        previous = self._before(name) if way_back or self._is_unproven(live) else None
        return Wish(is_due, is_new_key_wanted, self.is_pressing(live), self._is_barred(live), previous)

    def _is_unproven(self, live: Lineage) -> bool:
        """Whether nobody has seen ``live`` served, or somebody who did had begun to take it back."""
        if self.progress(live.name).refused == live.serial:
            return True
        tables = [table for table in self._run.config.dane if live.name in table.certificate]
        endpoints = {endpoint for table in tables for endpoint in table.endpoint}
        seen = {row.spki_sha256 for endpoint in endpoints for row in self._run.rollovers.served(endpoint)}
        return live.leaf.spki_sha256 not in seen

    def _before(self, name: str) -> Presented | None:
        """What was live before; None where it may not be so again, be it over, or its key one that was given up."""
        from dnsbroker.tlsa.computing import of_chain

        store = self._run.store
        try:
            earlier = store.archived(name, store.live_before(name))
        except StoreError:
            return None
        if earlier is None or earlier.not_after <= self._run.clock.now() or self._is_barred(earlier):
            return None
        is_given_up = self.progress(name).given_up == earlier.leaf.spki_sha256
        return None if is_given_up else of_chain(earlier.fullchain)

    def references(self, certificate: CertificateConfig) -> tuple[str, ...]:
        """What ``[[dane]]`` tables call a certificate, which may be by another client's directory as well."""
        names = [certificate.name]
        if self._run.config.dane and certificate.lineage is not None:
            names += self._run.dane.subjects.of_lineage(str(certificate.lineage))
        return tuple(name for name in dict.fromkeys(names) if self.manages(name))

    def trouble(self, name: str) -> BrokerError | None:
        """What kept the records for ``name`` from being looked after."""
        brought = self.brought.get(name)
        found = brought.error if brought is not None else None
        return found or (self.failure if self.tends(name) else None)

    async def _bring(self, references: Sequence[str], wishes: Mapping[str, Wish]) -> None:
        for one in await self._run.dane.bring(references, wishes=wishes):
            self.brought[one.reference] = one

    # What a person asked for.

    def progress(self, name: str) -> Progress:
        """Where its roll-over stands."""
        from dnsbroker.journal import Progress

        now = self._run.clock.now().timestamp()
        return self._run.rollovers.progress(name) or Progress(name, "unpublished", now, "nothing is published yet")

    def is_asked(self, name: str) -> bool:
        """Whether a person asked for a new key of ``name``, which is not live yet."""
        return self.manages(name) and self.progress(name).is_asked

    def settle(self, fresh: Lineage, before: Lineage | None) -> None:
        """Note that ``fresh`` is live: a new key that was asked for is there, and a next key that it has is no more."""
        progress = self.progress(fresh.name)
        is_new = before is None or before.leaf.spki_sha256 != fresh.leaf.spki_sha256
        if progress.is_asked and is_new:
            self._run.rollovers.keep_progress(replace(progress, is_asked=False, is_emergency=False))
        staged = self._run.store.next_key(fresh.name)
        if staged is not None and keys.spki_sha256_of(staged.key_pem) == fresh.leaf.spki_sha256:
            self._run.store.drop_next_key(fresh.name)

    def refuse(self, name: str, serial: str) -> None:
        """Note that the certificate with ``serial`` is taken back after its deployment: a person has to look."""
        progress = replace(self.progress(name), refused=serial, is_asked=False, is_emergency=False)
        self._run.rollovers.keep_progress(progress)

    def object(self, name: str, words: str) -> None:
        """Note what keeps it from going on until a person has seen to it."""
        progress = self.progress(name)
        if words not in progress.objections:
            self._run.rollovers.keep_progress(replace(progress, objections=(*progress.objections, words)))

    # Gates.

    async def against_key(self, name: str, live: Lineage | None) -> Closed | None:
        """What speaks against an order for the next key; None where nothing does."""
        from dnsbroker.rolling import Gate

        await self.ready()
        case = self.case(name, live)
        try:
            case.key_gate = await self._run.dane.key_gate(name)
        except BrokerError as error:
            case.key_gate = Gate(False, error.message)
        return _closed(case.next_gate)

    def check_taken_back(self, name: str, live: Lineage | None) -> None:
        """Raise BrokerError where its last certificate was taken back, and there is time for a person to see why."""
        from dnsbroker.rolling.situation import taken_back

        case = self.case(name, live, is_due=True)
        if case.is_left_to_person:
            hint = f"see why the service did not take it, then `dnsbroker tlsa rollover {name}`; --force orders now"
            raise BrokerError(f"no other one is ordered: {taken_back(case.situation.refused)}", hint=hint)

    async def against_chain(self, name: str, chain_pem: str, live: Lineage | None, emit: Emitter) -> Closed | None:
        """What speaks against letting ``chain_pem`` go live; None where nothing does, or it cannot wait.

        Records that are missing for it are published first. What is done although a cache may hold records that do not
        cover it is told. Raises BrokerError.
        """
        from dnsbroker.dane import Wish
        from dnsbroker.rolling import Act

        closed = await self.foresee_chain(name, chain_pem)
        if closed is None:
            return None
        if live is not None and self.is_pressing(live) and _is_same(chain_pem, live.fullchain):
            emit("warning", message="it goes live unseen: it has the key and the CAs of what is live, which ends soon")
            return None
        if not self.tends(name):  # nothing is published for it
            return closed
        await self._bring([name], {name: Wish(is_pressing=self.is_pressing(live))})
        brought = self.brought[name]
        if brought.error is not None:
            raise brought.error
        closed = await self.foresee_chain(name, chain_pem)
        if closed is None or brought.move is None or brought.move.act is not Act.GO_LIVE_LOUDLY:
            return closed
        self.loud[name] = closed
        told = f"it goes live, and some clients may refuse it: {brought.move.reason}{closed.told_until}"
        emit("warning", message=told)
        return None

    async def foresee_chain(self, name: str, chain_pem: str) -> Closed | None:
        """What speaks against letting ``chain_pem`` go live, with nothing written."""
        try:
            return _closed(await self._run.dane.chain_gate(name, chain_pem))
        except BrokerError as error:
            return Closed(error.message)

    def case(self, name: str, live: Lineage | None, **known: Any) -> Case:
        """The questions of the table, for what the last look has shown, and what is known here.

        ``known`` are fields of the Situation that are known better yet.
        """
        from dnsbroker.rolling.situation import Case, Situation
        from dnsbroker.tlsa.computing import of_chain

        progress, brought = self.progress(name), self.brought.get(name)
        found = brought.situation if brought is not None else None
        situation = replace(
            found or Situation(self._run.clock.now().timestamp(), None),
            live=of_chain(live.fullchain) if live is not None else None,
            is_asked=progress.is_asked,
            is_emergency=progress.is_emergency,
            is_pressing=self.is_pressing(live),
            is_key_barred=self._is_barred(live),
            is_ordered_here=live is None or live.request is None,
            refused=progress.refused,
        )
        return Case(replace(situation, **known))

    def _is_barred(self, live: Lineage | None) -> bool:
        """Whether the key of ``live`` was revoked as compromised."""
        return live is not None and self._run.barred.is_barred(live.leaf.spki_sha256)

    def is_pressing(self, live: Lineage | None) -> bool:
        """Whether what is ``live`` ends soon."""
        return live is not None and due.is_pressing(live.leaf, self._run.clock.now())


def _is_same(chain_pem: str, live_pem: str) -> bool:
    """Whether two chains differ in nothing that a record of a key names."""
    from dnsbroker.tlsa.computing import of_chain

    chain, live = of_chain(chain_pem), of_chain(live_pem)
    return chain.leaf.public_key == live.leaf.public_key and chain.authorities == live.authorities


def _closed(gate: Gate) -> Closed | None:
    if gate.is_open:
        return None
    return Closed(gate.reason, None if gate.opens_at is None else datetime.fromtimestamp(gate.opens_at, UTC))
