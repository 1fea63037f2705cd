"""The adapter for Cloudflare's DNS, by version 4 of its API.

Rule: constructing it contacts nothing; what it promises stands in ``dnsbroker.adapter``. What acts is imported when an
adapter is made, so that a command which only lists adapters does not pay for an HTTP client.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from dnsbroker.names import is_within, owner, shown
from dnsbroker.records import Add, Change, Receipt, Record, RecordType, RRset, Swap
from dnsbroker_cloudflare.settings import CloudflareSettings

if TYPE_CHECKING:
    from dnsbroker.adapter import Surroundings
    from dnsbroker.findings import Finding

T = TypeVar("T")

_ATTEMPTS = 3
_FIRST_WAIT = 0.2


class Cloudflare:
    """One account at Cloudflare, or as much of it as a token opens."""

    Settings: ClassVar[type[CloudflareSettings]] = CloudflareSettings
    default_ttl: ClassVar[float] = 60.0
    #: One address is many machines, which learn of a change at different moments.
    default_settle: ClassVar[float] = 3.0
    request_timeout: ClassVar[float] = 30.0

    def __init__(self, settings: CloudflareSettings, surroundings: Surroundings) -> None:
        from dnsbroker_cloudflare.api import API
        from dnsbroker_cloudflare.service import Service

        self._settings = settings
        self._clock = surroundings.clock
        self._provider = surroundings.provider
        self._api = API(settings, surroundings, self.request_timeout)
        self._service = Service(self._api, settings, surroundings)
        self._told: set[str] = set()

    async def zones(self) -> tuple[str, ...] | None:
        """All zones that may be read; None where the token may only ask for each by its name."""
        return await self._trying(self._service.zones)

    async def find_zone(self, name: str) -> str | None:
        """The longest zone that holds ``name``."""
        return await self._trying(lambda: self._service.find_zone(owner(name)))

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        """Make ``changes`` in one batch, or several where they are more than one may hold, and see that they stand."""
        if not changes:
            raise ValueError("apply needs at least one change")
        from dnsbroker.clock import Deadline
        from dnsbroker_cloudflare.write import Write

        deadline = Deadline.after(self._clock, self.request_timeout)
        write = Write(self._service, owner(zone), changes, deadline)
        # Before it, so that whoever is cancelled meanwhile has written nothing.
        proxied = await self._proxied(owner(zone), changes)
        receipt = await self._trying(write.attempt)
        told = [*self._oddities(changes), *proxied] if receipt.changed else ()
        return replace(receipt, warnings=self._new(told))

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        """The RRset as the service lists it; its TTL is the shortest of its records'."""
        from dnsbroker_cloudflare.stored import as_rrset

        place = (owner(name), type)
        return as_rrset(place, await self._trying(lambda: self._service.records(owner(zone), (place,))))

    async def name_servers(self, zone: str) -> frozenset[str]:
        """The servers that the service has assigned to the zone; none where it must not be asked for it."""
        return (await self._trying(lambda: self._service.described(owner(zone)))).servers

    async def notes(self, zone: str) -> Mapping[Record, str]:
        """Every TXT record with a comment."""
        found = await self._trying(lambda: self._service.noted(owner(zone)))
        return {Record(each.name, "TXT", each.value): each.comment for each in found}

    async def examine(self, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
        """What is wrong with the credentials and with ``zones``; nothing there can be mended from here."""
        from dnsbroker_cloudflare.examination import Examination

        return await Examination(self._service, self._api, self._settings, self._clock).findings(zones)

    async def aclose(self) -> None:
        """Give back connections."""
        await self._api.aclose()

    def _oddities(self, written: Sequence[Change]) -> list[str]:
        """What a person should hear of the changes and the credentials."""
        from dnsbroker_cloudflare.plan import usable_ttl

        ttls = {change.ttl for change in _making(written)}
        texts = [
            f"a TTL of {ttl} s is none that Cloudflare takes: records are written with {usable_ttl(ttl)} s"
            for ttl in sorted(ttls)
            if ttl != usable_ttl(ttl)
        ]
        if self._settings.api_key:
            texts.append(
                "api_key is the account's global key, which may do everything there: make an API token with DNS:Edit "
                "and Zone:Read for the zones concerned, and set api_token instead"
            )
        return texts

    async def _proxied(self, zone: str, written: Sequence[Change]) -> list[str]:
        """What to say of hosts of new TLSA records that the service's edge stands in for. Nothing is raised for it."""
        subjects = [change if isinstance(change, Swap) else change.record for change in _making(written)]
        names = [owner(subject.name) for subject in subjects if subject.type == "TLSA"]
        hosts = dict.fromkeys(re.sub(r"^(_[^.]*\.)*", "", name) for name in names)
        return [
            f"{shown(host)} is proxied, so clients see the certificate of Cloudflare's edge, not the one "
            "that its TLSA records name: make the host DNS only, or take the records away"
            for host in await self._service.proxied(zone, [host for host in hosts if is_within(host, zone)])
        ]

    def _new(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Those of the warnings that were not given yet."""
        new = [text for text in texts if text not in self._told]
        self._told.update(new)
        return tuple(f"provider {self._provider}: {text}" for text in new)

    async def _trying(self, call: Callable[[], Awaitable[T]]) -> T:
        """``call``, repeated a few times while it fails in a way that may pass; every call begins with looking."""
        from dnsbroker.clock import Deadline
        from dnsbroker.retry import retrying

        deadline = Deadline.after(self._clock, self.request_timeout)
        return await retrying(call, attempts=_ATTEMPTS, deadline=deadline, first_wait=_FIRST_WAIT)


def _making(changes: Sequence[Change]) -> list[Add | Swap]:
    """Those that make records."""
    return [change for change in changes if isinstance(change, Add) or (isinstance(change, Swap) and change.desired)]
