"""The adapter for PowerDNS Authoritative 4.7 to 5.1, by its HTTP API.

Rule: constructing it contacts nothing; what it promises stands in ``dnsbroker.adapter``. What acts is imported when an
adapter is made, so that a command which only lists adapters does not pay for an HTTP client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from dnsbroker.findings import Finding
from dnsbroker.names import owner
from dnsbroker.records import Change, Receipt, RecordType, RRset
from dnsbroker_powerdns.settings import PowerDNSSettings

if TYPE_CHECKING:
    from dnsbroker.adapter import Surroundings

T = TypeVar("T")

_ATTEMPTS = 3
_FIRST_WAIT = 0.1


class PowerDNS:
    """One PowerDNS server."""

    Settings: ClassVar[type[PowerDNSSettings]] = PowerDNSSettings
    default_ttl: ClassVar[float] = 5.0
    default_settle: ClassVar[float] = 0.0
    request_timeout: ClassVar[float] = 30.0

    def __init__(self, settings: PowerDNSSettings, surroundings: Surroundings) -> None:
        from dnsbroker_powerdns.api import API
        from dnsbroker_powerdns.service import Service

        self._settings = settings
        self._clock = surroundings.clock
        self._api = API(settings, surroundings, self.request_timeout)
        self._service = Service(self._api, surroundings)

    async def zones(self) -> tuple[str, ...] | None:
        """All zones of the server."""
        return await self._trying(self._service.zones)

    async def find_zone(self, name: str) -> str | None:
        """The longest zone of the server that holds ``name``."""
        return await self._trying(lambda: self._service.find_zone(owner(name)))

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        """Make ``changes`` in one transaction, and see that they stand and that their serial is served."""
        if not changes:
            raise ValueError("apply needs at least one change")
        from dnsbroker.clock import Deadline
        from dnsbroker_powerdns.plan import Unplannable, plan
        from dnsbroker_powerdns.write import Write, unplannable

        zone = owner(zone)
        deadline = Deadline.after(self._clock, self.request_timeout)
        try:
            planned = plan(zone, changes)
        except Unplannable as error:
            refused = unplannable(error, self._service.provider, zone)
            refused.nothing_done = True
            raise refused from error
        write = Write(
            self._service, planned, deadline, soa_edit_api=self._settings.soa_edit_api, notify=self._settings.notify
        )
        return await self._trying(write.attempt)

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        """The RRset as the server has it, without disabled records."""
        from dnsbroker_powerdns.plan import as_rrset

        name = owner(name)
        state = await self._trying(lambda: self._service.state(owner(zone), (name,)))
        return as_rrset(state.rrsets.get((name, type)))

    async def name_servers(self, zone: str) -> frozenset[str]:
        """The NS records that the server has at the zone's apex: its own servers, or those that it feeds."""
        zone = owner(zone)
        state = await self._trying(lambda: self._service.state(zone, (zone,)))
        found = state.rrsets.get((zone, "NS"))
        return frozenset(host.lower() for host in found.values) if found else frozenset()

    async def serial(self, zone: str) -> int | None:
        """The serial that the server puts into its answers; None of a zone that is Native or shows the time as one."""
        zone = owner(zone)
        state = await self._trying(lambda: self._service.state(zone, (zone,)))
        edit = await self._trying(lambda: self._service.default_soa_edit(state))
        return None if state.is_native or state.serials(edit).shown_by == "EPOCH" else state.served

    async def is_notified(self, zone: str) -> bool:
        """Whether its own NOTIFY went out, which is within a minute of a change; a zone of another kind has none."""
        zone = owner(zone)
        state = await self._trying(lambda: self._service.state(zone, (zone,)))
        return not state.is_notified or state.notified == state.stored

    async def examine(self, zones: Sequence[str], *, fix: bool) -> tuple[Finding, ...]:
        """What is wrong with the server, the key or ``zones``; ``fix`` sets SOA-EDIT-API and rectifies where needed."""
        from dnsbroker_powerdns.examination import Examination

        settings = self._settings
        look = Examination(self._service, settings.url, soa_edit_api=settings.soa_edit_api, fix=fix)
        return await look.findings(zones)

    async def aclose(self) -> None:
        """Give back connections."""
        await self._api.aclose()

    async def _trying(self, call: Callable[[], Awaitable[T]]) -> T:
        """``call``, repeated a few times while it fails in a way that may pass; every call begins with reading."""
        from dnsbroker.clock import Deadline
        from dnsbroker.retry import retrying

        deadline = Deadline.after(self._clock, self.request_timeout)
        return await retrying(call, attempts=_ATTEMPTS, deadline=deadline, first_wait=_FIRST_WAIT)
