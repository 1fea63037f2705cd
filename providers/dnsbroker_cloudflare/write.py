"""One write to one zone: look, decide, have it done, look again.

Rule: every attempt begins with looking, so whatever became of the one before, nothing is sent that stands already, and
nothing is believed that was not read back. A record that the service calls a duplicate though it lists none is tried
once more, and is then a conflict, never a success. Only what the service itself has refused counts as not done.
"""

from __future__ import annotations

from collections.abc import Sequence

from dnsbroker.clock import Deadline
from dnsbroker.errors import Conflict, NameInvalid, ProviderError, ProviderUnavailable, RecordRejected
from dnsbroker.records import Change, Receipt, Record
from dnsbroker_cloudflare.plan import Batch, Plan, Unplannable, plan
from dnsbroker_cloudflare.refusals import Outdated
from dnsbroker_cloudflare.service import Service
from dnsbroker_cloudflare.stored import StoredRecord


class Write:
    """The changes of one ``apply``; ``attempt`` until it returns a receipt. Nothing is sent after ``deadline``."""

    def __init__(self, service: Service, zone: str, changes: Sequence[Change], deadline: Deadline) -> None:
        self._service = service
        self._plan = self._planned(zone, changes)
        self._deadline = deadline
        self._is_changed = False
        self._is_atomic = True
        self._doubts = 0

    async def attempt(self) -> Receipt:
        """Do what is left to do. Raises ProviderError; a transient one may be answered by another attempt."""
        try:
            return await self._attempt()
        except ProviderError as error:
            error.nothing_done = not self._is_changed
            raise

    async def _attempt(self) -> Receipt:
        standing = await self._standing()
        batches = self._left(standing)
        if batches:
            self._is_atomic = self._is_atomic and len(batches) == 1
            for batch in batches:
                await self._send(batch)
            standing = await self._standing()
            self._check(standing)
        return Receipt(changed=self._is_changed, atomic=self._is_atomic, record_ids=self._ids(standing))

    async def _standing(self) -> list[StoredRecord]:
        return await self._service.records(self._plan.zone, self._plan.places)

    async def _send(self, batch: Batch) -> None:
        await self._service.rest()
        if self._deadline.has_passed():
            raise self._late()
        try:
            await self._service.change(self._plan.zone, batch)
        except ProviderError as error:
            self._is_changed = self._is_changed or not error.nothing_done  # perhaps; the next attempt sees
            if isinstance(error, Conflict):
                self._judge(error, batch)
            raise
        self._is_changed = True

    def _judge(self, error: Conflict, batch: Batch) -> None:
        """Say of which RRset a conflict is, and whether another attempt may help."""
        places = {f"{item['name']}. {item['type']}" for item in batch.posts}
        error.rrset = places.pop() if len(places) == 1 else ""
        self._doubts += isinstance(error, Outdated)
        error.transient = isinstance(error, Outdated) and self._doubts == 1

    def _late(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            "it took the service too long to show what stands, so nothing was sent",
            provider=self._service.provider,
            zone=self._plan.zone,
            hint="try again; if it stays so, see the service's status page",
        )

    def _check(self, standing: Sequence[StoredRecord]) -> None:
        """Raise a transient Conflict where the zone, read back, is not as wanted."""
        if self._left(standing):
            names = ", ".join(dict.fromkeys(name for name, _ in self._plan.places))
            raise Conflict(
                f"the service took the change, but does not show it at {names}",
                provider=self._service.provider,
                zone=self._plan.zone,
                hint="another client may write there too: let them take turns",
                transient=True,
            )

    def _ids(self, standing: Sequence[StoredRecord]) -> dict[Record, str]:
        """The id of each record that was to be added."""
        found = {(record.name, record.type, record.value): record.id for record in standing}
        added = ((record, found.get((record.name, record.type, record.value))) for record in self._plan.added)
        return {record: ident for record, ident in added if ident is not None}

    def _left(self, standing: Sequence[StoredRecord]) -> list[Batch]:
        try:
            return self._plan.left(standing)
        except Unplannable as error:
            raise self._unplannable(error, self._plan.zone) from error

    def _planned(self, zone: str, changes: Sequence[Change]) -> Plan:
        try:
            return plan(zone, changes)
        except Unplannable as error:
            refused: ProviderError = self._unplannable(error, zone)
        except NameInvalid as error:
            hint = error.hint or "correct the name or the value"
            refused = RecordRejected(error.message, provider=self._service.provider, zone=zone, hint=hint)
        refused.nothing_done = True
        raise refused

    def _unplannable(self, error: Unplannable, zone: str) -> ProviderError:
        rrset = " ".join(error.place)
        if not error.is_swap:
            hint = "configure a provider for the zone that holds the name"
            return RecordRejected(error.reason, provider=self._service.provider, zone=zone, rrset=rrset, hint=hint)
        return Conflict(
            error.reason,
            provider=self._service.provider,
            zone=zone,
            rrset=rrset,
            expected=error.expected,
            found=error.found,
            hint="somebody else changed it: look at what stands there now",
        )
