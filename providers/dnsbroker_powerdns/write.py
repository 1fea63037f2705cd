"""One write to one zone: read, merge, judge the serial's settings, write, look whether it stands and is served.

Rule: nothing is written before everything that can be judged has been, and nothing is believed that was not read back.
An attempt may be made again after any transient error: it begins with reading, so it does what is still left to do.
"""

from __future__ import annotations

from typing import Literal

from dnsbroker.clock import Deadline
from dnsbroker.errors import Conflict, ProviderError, ProviderUnavailable, RecordRejected, SerialStuck
from dnsbroker.records import Receipt, rfc1982_newer
from dnsbroker_powerdns.plan import Plan, Unplannable, has_escapes
from dnsbroker_powerdns.serial import Effect, Judgement, Serials, cure, judge, with_api
from dnsbroker_powerdns.service import Service
from dnsbroker_powerdns.settings import AUTO
from dnsbroker_powerdns.zone import StoredRRset, ZoneState

# Serials that are a time move once a second; a little more, for clocks differ.
_NEXT_SECOND = 1.1
_LONGEST_WAIT = 2.0


class Write:
    """The changes of one ``apply``; ``attempt`` until it returns a receipt. Nothing is written after ``deadline``."""

    def __init__(
        self, service: Service, plan: Plan, deadline: Deadline, *, soa_edit_api: str | Literal[False], notify: bool
    ) -> None:
        self._service = service
        self._plan = plan
        self._deadline = deadline
        self._has_acted = False
        self._soa_edit_api = soa_edit_api
        self._notify = notify
        self._warnings: list[str] = []
        self._served_before: int | None = None
        self._escape_twice: bool | None = None

    async def attempt(self) -> Receipt:
        """Do what is left to do. Raises ProviderError; a transient one may be answered by another attempt."""
        try:
            return await self._attempt()
        except ProviderError as error:
            error.nothing_done = not self._has_acted
            raise

    async def _attempt(self) -> Receipt:
        state = await self._state()
        wanted = self._wanted(state)
        if not wanted and self._served_before is None:
            return await self._unchanged(state)
        if wanted:
            await self._prepare(state)
            await self._send(state, wanted)
        state = await self._checked(wanted)
        state = await self._followed(state)
        await self._tell_secondaries(state)
        moved = self._has_moved(state)
        return Receipt(changed=True, serial=state.served if moved else None, warnings=tuple(self._warnings))

    async def _unchanged(self, state: ZoneState) -> Receipt:
        """The receipt where all is as wanted already; an earlier write may have ended before its NOTIFY."""
        if state.notified != state.stored:
            await self._tell_secondaries(state)
        serial = None if state.is_native else state.served
        return Receipt(changed=False, serial=serial, warnings=tuple(self._warnings))

    async def _state(self) -> ZoneState:
        return await self._service.state(self._plan.zone, self._plan.names)

    def _wanted(self, state: ZoneState) -> tuple[StoredRRset, ...]:
        try:
            return self._plan.wanted(state)
        except Unplannable as error:
            raise unplannable(error, self._service.provider, self._plan.zone) from error

    async def _prepare(self, state: ZoneState) -> None:
        """See to it that a change will be served: judge the setting, mend it where that is allowed. May wait."""
        if not state.takes_changes:
            raise self._read_only(state)
        serials = state.serials(await self._service.default_soa_edit(state))
        present = judge(serials, self._now())
        kind = chosen(serials, self._soa_edit_api, self._now())
        future = judge(with_api(serials, kind), self._now())
        if future.effect is Effect.STANDS and not state.is_native:
            raise self._stuck(state, future)
        if kind != state.soa_edit_api:
            await self._mend(state, kind, present)
        if future.not_before:
            ahead = future.not_before - self._service.clock.now().timestamp()
            await self._service.clock.sleep(min(ahead + _NEXT_SECOND - 1, _LONGEST_WAIT))

    async def _mend(self, state: ZoneState, kind: str, before: Judgement) -> None:
        await self._service.set_soa_edit_api(self._plan.zone, kind)
        was = state.soa_edit_api or "unset"
        why = f" ({before.reason})" if before.reason else ""
        self._warnings.append(f"zone {self._plan.zone.rstrip('.')}: SOA-EDIT-API was {was} and is now {kind}{why}")

    async def _send(self, state: ZoneState, rrsets: tuple[StoredRRset, ...]) -> None:
        """Write, and have the zone rectified where the server does not do it."""
        if self._served_before is None:
            self._served_before = state.served
        if self._escape_twice is None and has_escapes(rrsets):
            self._escape_twice = await self._service.escapes_twice()
        try:
            await self._put(rrsets)
        except RecordRejected:
            if not self._escape_twice:
                raise
            self._escape_twice = False
            await self._put(rrsets)
        await self._rectify(state)

    async def _put(self, rrsets: tuple[StoredRRset, ...]) -> None:
        """One transaction, unless it would come late."""
        if self._deadline.has_passed():
            raise ProviderUnavailable(
                "it took the server too long to show what stands, so nothing was sent",
                provider=self._service.provider,
                zone=self._plan.zone,
                hint="see what keeps PowerDNS busy: its log, its database",
            )
        try:
            await self._service.write(self._plan.zone, rrsets, escape_twice=bool(self._escape_twice))
        except ProviderError as error:
            self._has_acted = self._has_acted or not error.nothing_done
            raise
        self._has_acted = True

    async def _rectify(self, state: ZoneState) -> None:
        try:
            if await self._service.needs_rectifying(state):
                await self._service.rectify(self._plan.zone)
        except ProviderError as error:
            self._warnings.append(f"the signed zone was not rectified: {error}")

    async def _checked(self, written: tuple[StoredRRset, ...]) -> ZoneState:
        """The zone read back. Raises a transient Conflict where it is not as wanted: somebody else wrote meanwhile."""
        state = await self._state()
        if self._escape_twice and not _holds(state, written):
            self._escape_twice = False
            await self._send(state, written)
            state = await self._state()
        left = self._wanted(state)
        if left:
            names = ", ".join(sorted({rrset.name for rrset in left}))
            raise Conflict(
                f"another client undid the change at {names}",
                provider=self._service.provider,
                zone=self._plan.zone,
                hint="PowerDNS has no lock against concurrent writers: let them take turns",
                transient=True,
            )
        return state

    async def _followed(self, state: ZoneState) -> ZoneState:
        """The zone once its served serial has moved. Raises SerialStuck."""
        if self._has_moved(state) or state.is_native:
            return state
        await self._service.clock.sleep(_NEXT_SECOND)
        state = await self._state()
        if not self._has_moved(state):
            # The next second's serial differs where that of the last one did not.
            state = await self._again(state)
        if not self._has_moved(state) and self._soa_edit_api == AUTO:
            kind = cure(state.serials(await self._service.default_soa_edit(state)), self._now())
            if kind and kind != state.soa_edit_api.upper():
                await self._mend(state, kind, judge(state.serials(), self._now()))
                state = await self._again(state)
        if not self._has_moved(state):
            raise self._stuck(state, judge(state.serials(), self._now()))
        return state

    async def _again(self, state: ZoneState) -> ZoneState:
        """Write what stands once more, which turns the serial and nothing else."""
        standing = self._plan.standing(state)
        await self._send(state, standing)
        return await self._checked(standing)

    async def _tell_secondaries(self, state: ZoneState) -> None:
        if not self._notify or not state.is_notified:
            return
        try:
            await self._service.notify(self._plan.zone)
        except ProviderError as error:
            self._warnings.append(f"NOTIFY was not sent, so secondaries follow at their next refresh: {error}")

    def _has_moved(self, state: ZoneState) -> bool:
        return self._served_before is not None and rfc1982_newer(state.served, self._served_before)

    def _now(self) -> int:
        return int(self._service.clock.now().timestamp())

    def _read_only(self, state: ZoneState) -> RecordRejected:
        where = ", ".join(state.primaries)
        return RecordRejected(
            f"this server is a {state.kind} for the zone, so changes made here would not last",
            provider=self._service.provider,
            zone=self._plan.zone,
            hint=f"configure the zone's primary ({where}) as its provider" if where else "write at the zone's primary",
        )

    def _stuck(self, state: ZoneState, judgement: Judgement) -> SerialStuck:
        kind = cure(state.serials(), self._now()) or "INCREASE"
        reason = judgement.reason or f"the served serial stayed at {state.served} after a change"
        return SerialStuck(
            f"secondaries would never see a change: {reason}",
            provider=self._service.provider,
            zone=self._plan.zone,
            setting=state.soa_edit_api,
            serial=state.served,
            hint=f'set soa_edit_api = "auto" for this provider, or run: '
            f"pdnsutil set-meta {self._plan.zone.rstrip('.')} SOA-EDIT-API {kind}",
        )


def chosen(serials: Serials, wanted: str | Literal[False], now: int) -> str:
    """The SOA-EDIT-API that a zone is to have for a write: what it has, unless ``wanted`` says to change it."""
    if wanted == AUTO:
        stands = judge(serials, now).effect is Effect.STANDS
        return (cure(serials, now) if stands else None) or serials.api
    return wanted if wanted and wanted != serials.api.upper() else serials.api


def _holds(state: ZoneState, written: tuple[StoredRRset, ...]) -> bool:
    """Whether every record written stands as it was meant."""
    for rrset in written:
        found = state.rrsets.get(rrset.place)
        contents = {record.content for record in found.records} if found else set()
        if not {record.content for record in rrset.records} <= contents:
            return False
    return True


def unplannable(error: Unplannable, provider: str, zone: str) -> ProviderError:
    """The error for changes that cannot be made."""
    rrset = " ".join(error.place)
    if error.alias:
        hint = "a CNAME cannot share its name with other records: write at its target, or remove it"
    elif error.expected or error.found:
        hint = "somebody else changed it: look at what stands there now"
    else:
        return RecordRejected(error.reason, provider=provider, zone=zone, rrset=rrset)
    return Conflict(
        error.reason, provider=provider, zone=zone, rrset=rrset, expected=error.expected, found=error.found, hint=hint
    )
