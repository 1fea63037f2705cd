"""What a person should know of a PowerDNS server and its zones before a record is written there.

Rule: records are looked at and never written; ``fix`` changes a zone's SOA-EDIT-API, as a write would, and has a zone
rectified. A trouble in asking is a finding. Refused: setting what the configuration says is not to be touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from dnsbroker.errors import BrokerError
from dnsbroker.findings import Evidence, Finding, Severity, trouble
from dnsbroker.names import owner, shown
from dnsbroker_powerdns.serial import Effect, Judgement, Serials, judge, with_api
from dnsbroker_powerdns.service import Service
from dnsbroker_powerdns.settings import AUTO
from dnsbroker_powerdns.write import chosen
from dnsbroker_powerdns.zone import ZoneState

_OLDEST = (4, 7)
_AT_ONCE = 4


class Examination:
    """One look at the server at ``url``; what ``soa_edit_api`` and ``fix`` allow is mended on the way."""

    def __init__(self, service: Service, url: str, *, soa_edit_api: str | Literal[False], fix: bool) -> None:
        self._service = service
        self._url = url
        self._soa_edit_api = soa_edit_api
        self._fix = fix
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def findings(self, zones: Sequence[str]) -> tuple[Finding, ...]:
        """Of the server and the key, then of each of ``zones``."""
        try:
            version = await self._service.version()
        except BrokerError as error:
            return (self._trouble(error, f"provider {self._service.provider}"),)
        found = await asyncio.gather(*(self._of_zone(owner(zone)) for zone in dict.fromkeys(zones)))
        return (*self._of_version(version), *(finding for part in found for finding in part))

    def _of_version(self, version: tuple[int, int]) -> tuple[Finding, ...]:
        if version >= _OLDEST:
            return ()
        told = "its version cannot be told" if version == (0, 0) else f"it is PowerDNS {version[0]}.{version[1]}"
        oldest = ".".join(map(str, _OLDEST))
        return (
            Finding(
                check="old-version",
                severity=Severity.WARNING,
                subject=f"provider {self._service.provider}",
                message=f"{told}, and nothing before {oldest} has been tried",
                hint=f"upgrade it to {oldest} or later",
                evidence=(Evidence(self._url),),
            ),
        )

    def _trouble(self, error: BrokerError, subject: str) -> Finding:
        """The finding for what kept us from looking."""
        return trouble(error, subject, self._url, zone_hint="write to the provider that has it, or make the zone there")

    async def _of_zone(self, zone: str) -> tuple[Finding, ...]:
        found = []
        async with self._slots:
            try:
                async for finding in self._look(await self._service.survey(zone)):
                    found.append(finding)
            except BrokerError as error:
                found.append(self._trouble(error, zone))
        return tuple(found)

    async def _look(self, state: ZoneState) -> AsyncIterator[Finding]:
        if not state.takes_changes:
            yield self._read_only(state)
            return
        if await self._service.is_presigned(state):
            yield self._presigned(state)
            return
        for finding in [await self._of_serial(state), await self._of_rectifying(state)]:
            if finding is not None:
                yield finding
        for known in (_native(state, self._url), _disabled(state, self._url)):
            if known is not None:
                yield known

    async def _of_serial(self, state: ZoneState) -> Finding | None:
        """Whether a change would be served under a newer serial, and what makes it so where it would not."""
        serials = state.serials(await self._service.default_soa_edit(state))
        present = judge(serials, self._now())
        if present.effect is not Effect.STANDS:
            return None
        kind = chosen(serials, self._soa_edit_api, self._now())
        helps = judge(with_api(serials, kind), self._now()).effect is not Effect.STANDS
        fixed = self._fix and helps and await self._set(state, kind)
        helps = fixed if self._fix else helps
        return Finding(
            check="serial-stuck",
            severity=_gravity(state, is_mended_by_a_write=helps),
            subject=state.name,
            message=f"SOA-EDIT-API is {kind} now; before, " * fixed + _stuck(present),
            hint="" if fixed else self._cure(state, serials, kind if helps else ""),
            evidence=(Evidence(self._url, _settings(serials), state.served),),
            fixed=fixed,
        )

    async def _set(self, state: ZoneState, kind: str) -> bool:
        """Set the zone's SOA-EDIT-API; whether the serial moves by it, as far as the server's settings tell."""
        await self._service.set_soa_edit_api(state.name, kind)
        after = await self._service.survey(state.name)
        serials = after.serials(await self._service.default_soa_edit(after))
        return judge(serials, self._now()).effect is not Effect.STANDS

    def _cure(self, state: ZoneState, serials: Serials, kind: str) -> str:
        """What to do; ``kind`` is what our own write would set, empty where it would set nothing that helps."""
        if kind:
            return f"`dnsbroker doctor {shown(state.name)} --fix` sets it to {kind}, as the next write would"
        best = chosen(serials, "auto", self._now())
        if judge(with_api(serials, best), self._now()).effect is Effect.STANDS:
            return f"no SOA-EDIT-API helps here: change the zone's SOA-EDIT, which is {serials.shown_by or 'unset'}"
        command = f"`pdnsutil set-meta {state.name.rstrip('.')} SOA-EDIT-API {best}`"
        if self._soa_edit_api == AUTO:
            return f"{command}: by the API it does not take"
        if self._soa_edit_api is False:
            return f'{command}: soa_edit_api = false leaves it to you; "auto" would set it'
        return f'set soa_edit_api = "auto" for this provider, or run {command}'

    async def _of_rectifying(self, state: ZoneState) -> Finding | None:
        """Whether the server lets a change spoil the zone's denial of existence."""
        if not await self._service.needs_rectifying(state):
            return None
        zone = state.name.rstrip(".")
        if self._fix:
            await self._service.rectify(state.name)
        told = "the zone is signed, and not rectified after a change: what others change may be denied (NSEC, NSEC3)"
        durable = f"`pdnsutil set-meta {zone} API-RECTIFY 1` has the server do it after each change"
        return Finding(
            check="unrectified",
            severity=Severity.WARNING,
            subject=state.name,
            message=f"it was rectified just now; {told}" if self._fix else told,
            hint=durable if self._fix else f"`dnsbroker doctor {shown(state.name)} --fix` rectifies it; {durable}",
            evidence=(Evidence(self._url, "API-RECTIFY is off", state.served),),
            fixed=self._fix,
        )

    def _read_only(self, state: ZoneState) -> Finding:
        where = ", ".join(state.primaries)
        return Finding(
            check="read-only-zone",
            severity=Severity.ERROR,
            subject=state.name,
            message=f"this server is a {state.kind} for it, so changes made here would not last",
            hint=f"configure the zone's primary ({where}) as its provider" if where else "write at the zone's primary",
            evidence=(Evidence(self._url, f"kind {state.kind}", state.served),),
        )

    def _presigned(self, state: ZoneState) -> Finding:
        zone = state.name.rstrip(".")
        return Finding(
            check="presigned-zone",
            severity=Severity.ERROR,
            subject=state.name,
            message="its signatures were made elsewhere: what is written here stays unsigned, and validators refuse it",
            hint="write where it is signed, or delegate the challenge names by CNAME; if this server has its keys, "
            f"`pdnsutil unset-presigned {zone}`",
            evidence=(Evidence(self._url, "PRESIGNED", state.served),),
        )

    def _now(self) -> int:
        return int(self._service.clock.now().timestamp())


def _gravity(state: ZoneState, *, is_mended_by_a_write: bool) -> Severity:
    """How grave a serial that stands is: whoever replicates the database needs none."""
    if state.is_native:
        return Severity.NOTICE
    return Severity.WARNING if is_mended_by_a_write else Severity.ERROR


def _stuck(present: Judgement) -> str:
    return f"secondaries would never see a change: {present.reason}"


def _settings(serials: Serials) -> str:
    shown_by = f", SOA-EDIT {serials.shown_by}" if serials.shown_by else ""
    return f"SOA-EDIT-API {serials.api or 'unset'}{shown_by}"


def _native(state: ZoneState, url: str) -> Finding | None:
    """Whether other servers may wait in vain for a NOTIFY."""
    servers = state.rrsets.get((state.name, "NS"))
    if not state.is_native or servers is None or len(servers.values) < 2:
        return None
    return Finding(
        check="native-zone",
        severity=Severity.NOTICE,
        subject=state.name,
        message="its kind is Native, so PowerDNS sends no NOTIFY: a server that gets it by transfer follows late",
        hint="right where every server reads the same database; else `pdnsutil set-kind "
        f"{state.name.rstrip('.')} primary`, with primary=yes in pdns.conf",
        evidence=tuple(Evidence(url, f"NS {server}") for server in sorted(servers.values)),
    )


def _disabled(state: ZoneState, url: str) -> Finding | None:
    """Whether the server keeps records at challenges' names that it does not serve."""
    kept = [
        f"{rrset.name} {rrset.type} {record.content}"
        for rrset in state.rrsets.values()
        for record in rrset.records
        if record.is_disabled and rrset.name.startswith("_acme-challenge.")
    ]
    if not kept:
        return None
    return Finding(
        check="disabled-record",
        severity=Severity.NOTICE,
        subject=state.name,
        message="disabled records are kept at names of challenges: they are not served, and nothing here removes them",
        hint="delete them if nobody means to enable them again",
        evidence=tuple(Evidence(url, record) for record in sorted(kept)),
    )
